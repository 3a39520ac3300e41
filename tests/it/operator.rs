//! The deployer's command line as a process, against the dev stack. The doctor's findings on a whole stack are tested
//! with an emulated AWS (`tests/deploy`).

mod adopt;
mod adopt_killed;
mod adopt_proof;
mod backup;
mod events;
mod installations;
mod onboarding;
mod process;

use serde_json::Value;
use tokio::process::Command;

use crate::binaries::binary;
use crate::harness::World;
use process::{operator, operator_on, operator_with, said};

/// How often a client secret was stored.
fn stored(world: &World) -> usize {
    world.stack.secrets_manager().calls().iter().filter(|call| call.operation == "PutSecretValue").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_stored_only_if_notion_accepts_it() {
    let world = World::start().await;
    for (input, because) in [
        ("", "no client secret was given"),
        ("two words", "without spaces"),
        ("ntn_an-access-token", "that is a token"),
        ("{\"client_secret\":\"secret_x\"}", "without JSON"),
        (world.stack.variables()["NOTION_CLIENT_ID"].as_str(), "that is the client id"),
        ("secret_of_another_connection", "Notion does not accept this secret"),
    ] {
        let output = operator(&world, &["secret", "rotate"], input).await;
        assert_eq!(output.status.code(), Some(1), "{because}: {}", said(&output));
        assert!(said(&output).contains(because), "{because}: {}", said(&output));
    }
    let output = operator(&world, &["secret", "set"], "secret_new").await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("stored already"), "{}", said(&output));
    assert_eq!(stored(&world), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_keeps_the_secret_before_for_installs_in_flight() {
    let world = World::start().await;
    let browser = world.browser();
    // The function has cached the old secret, and a person is at Notion.
    assert!(browser.install_as(|_| {}).await.is_connected());
    let in_flight = browser.granted().await;
    let old = world
        .stack
        .secrets_manager()
        .service()
        .current(&world.stack.variables()["CLIENT_SECRET_ARN"])
        .unwrap();
    world.notion().rotate_secret(dev::stack::SIMULATED_CLIENT_ID, "secret_rotated");
    world.leaks.secret("secret_rotated");

    let output = operator(&world, &["secret", "rotate"], "  secret_rotated\n").await;
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("Notion accepts it"), "{}", said(&output));
    assert!(browser.follow(&in_flight).await.is_connected());

    // Storing the same one again would push the old one out.
    let output = operator(&world, &["--json", "secret", "rotate"], "secret_rotated").await;
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(json["said"].as_str().unwrap().contains("nothing was changed"), "{json}");
    assert_eq!(stored(&world), 1);
    let previous =
        world.stack.secrets_manager().service().previous(&world.stack.variables()["CLIENT_SECRET_ARN"]);
    assert_eq!(previous, Some(old));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_answer_from_notion_the_deployer_decides() {
    let world = World::start().await;
    let slow = simulated_notion::Fault::Status { status: 503, retry_after: None };
    world.notion().inject(simulated_notion::Endpoint::Introspect, slow, 2);
    let output = operator(&world, &["secret", "rotate"], "secret_unproven").await;
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("--without-proof"), "{}", said(&output));
    assert_eq!(stored(&world), 0);
    let output = operator(&world, &["secret", "rotate", "--without-proof"], "secret_unproven").await;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(stored(&world), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_to_look_is_one_line_with_its_own_exit_code() {
    let world = World::start().await;
    let missing = operator(&world, &[], "").await;
    assert_eq!(missing.status.code(), Some(2), "{}", said(&missing));
    assert!(said(&missing).contains("Usage"), "{}", said(&missing));

    // An unexpected argument may be the secret.
    for arguments in [["secret", "set", "secret_typed_here"], ["secret", "secret_typed_here", "--json"]] {
        let argument = operator(&world, &arguments, "").await;
        assert_eq!(argument.status.code(), Some(2), "{}", said(&argument));
        assert!(said(&argument).contains("standard input"), "{}", said(&argument));
        assert!(!said(&argument).contains("secret_typed_here"), "{}", said(&argument));
    }

    // An argument that is not text is not printed either.
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt as _;
        for words in [&["secret", "set"][..], &["doctor"], &[]] {
            let mut command = Command::new(binary("operator"));
            command.env_clear().args(words).arg(std::ffi::OsString::from_vec(b"secret_\xff_typed".to_vec()));
            let output = command.output().await.unwrap();
            assert_eq!(output.status.code(), Some(2), "{words:?}: {}", said(&output));
            assert!(!said(&output).contains("panicked"), "{words:?}: {}", said(&output));
            assert!(words.is_empty() || !said(&output).contains("typed"), "{words:?}: {}", said(&output));
        }
    }

    // Both commands report a missing stack in the same way.
    for arguments in [["secret", "set"], ["--json", "doctor"]] {
        let missing = operator_on(&world, "not-there", &arguments, "").await;
        assert_eq!(missing.status.code(), Some(1), "{}", said(&missing));
        assert!(said(&missing).contains("there is no stack not-there"), "{}", said(&missing));
    }

    let mut nowhere = Command::new(binary("operator"));
    nowhere.env_clear().env("HOME", "/nonexistent").env("AWS_EC2_METADATA_DISABLED", "true").arg("doctor");
    let nowhere = nowhere.output().await.unwrap();
    assert_eq!(nowhere.status.code(), Some(3));
    assert!(said(&nowhere).contains("--region"), "{}", said(&nowhere));
    // The step, its cure, and the summary.
    assert_eq!(said(&nowhere).lines().count(), 3, "{}", said(&nowhere));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_stops_at_a_broken_stack() {
    let world = World::start().await;
    for (stack, status, exit_code, cure) in [
        ("REVIEW_IN_PROGRESS", "problem", 1, "confirm when it asks"),
        ("ROLLBACK_COMPLETE", "problem", 1, "sam delete --stack-name ROLLBACK_COMPLETE"),
        ("ROLLBACK_FAILED", "problem", 1, "events"),
        ("DELETE_FAILED", "problem", 1, "events"),
        ("CREATE_IN_PROGRESS", "unknown", 3, "wait"),
        ("DELETE_IN_PROGRESS", "unknown", 3, "wait"),
    ] {
        let doctor = operator_on(&world, stack, &["--json", "doctor"], "").await;
        let report: Value = serde_json::from_slice(&doctor.stdout).unwrap();
        assert_eq!((doctor.status.code(), &report["healthy"]), (Some(exit_code), &false.into()), "{report}");
        let steps = report["steps"].as_array().unwrap();
        assert_eq!((steps.len(), &steps[0]["status"]), (2, &"ok".into()), "{report}");
        assert_eq!((&steps[1]["step"], &steps[1]["status"]), (&"stack".into(), &status.into()), "{report}");
        assert!(steps[1]["cure"].as_str().unwrap().contains(cure), "{report}");
    }
    // A deployed stack without a resource of the current template: nothing else in the account is looked up instead.
    let doctor = operator_on(&world, "a-stack", &["--json", "doctor"], "").await;
    let report: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let data_key =
        report["steps"].as_array().unwrap().iter().find(|step| step["step"] == "data key").unwrap();
    assert_eq!(
        (doctor.status.code(), &data_key["found"]),
        (Some(1), &"the stack has no DataKey".into()),
        "{report}"
    );
    assert!(data_key["cure"].as_str().unwrap().contains("sam deploy --stack-name a-stack"), "{data_key}");
}

/// The steps of a doctor's report with this name.
async fn steps(world: &World, destinations: &str, arguments: &[&str], name: &str) -> Vec<(String, String)> {
    let doctor = operator_with(world, destinations, &[&["--json", "doctor"], arguments].concat()).await;
    let report: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let all = report["steps"].as_array().unwrap().iter().filter(|step| step["step"] == name);
    let text = |step: &Value, field: &str| step[field].as_str().unwrap_or_default().to_owned();
    all.map(|step| (text(step, "status"), text(step, "found"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_opens_the_return_destinations_and_has_a_made_up_code_refused() {
    let world = World::start().await;
    let pages = axum::Router::new()
        .route("/welcomes", axum::routing::get(async || "Connected!"))
        .route("/broken", axum::routing::get(async || axum::http::StatusCode::INTERNAL_SERVER_ERROR))
        .route(
            "/away",
            axum::routing::get(async || axum::response::Redirect::to("https://elsewhere.example/")),
        )
        .route("/login", axum::routing::get(async || axum::response::Redirect::to("/please")))
        .route("/refuses", axum::routing::get(async || axum::http::StatusCode::BAD_REQUEST));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move { axum::serve(listener, pages).await });
    let gone = "http://127.0.0.1:1/gone";
    let destinations =
        ["welcomes", "broken", "away", "login", "refuses"].map(|key| format!("{key}={app}/{key}"));
    let destinations = format!("{} gone={gone}", destinations.join(" "));
    let statuses: Vec<String> = steps(&world, &destinations, &[], "return destinations")
        .await
        .into_iter()
        .map(|(status, _)| status)
        .collect();
    assert_eq!(statuses, ["ok", "problem", "warning", "ok", "ok", "problem"]);
    for (key, status, found) in [
        ("welcomes", "problem", "answers 200"),
        ("login", "warning", "redirects"),
        ("refuses", "ok", "refuses a code"),
        ("nothing", "problem", "there are: welcomes, broken"),
    ] {
        let said = steps(&world, &destinations, &["--return-to", key], "return page").await;
        assert!(said.len() == 1 && said[0].0 == status && said[0].1.contains(found), "{key}: {said:?}");
    }
    // The sample app refuses it.
    let sample_app = format!("app={}", world.url("/app/back"));
    let said = steps(&world, &sample_app, &["--return-to", "app"], "return page").await;
    assert_eq!(said[0].0, "ok", "{said:?}");
}
