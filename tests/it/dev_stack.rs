//! The dev stack itself: its command line, its data folder, its start page, its use of the real Notion.

use std::path::PathBuf;
use std::process::{Command, Output};

use dev::stack::{NotionSide, Options};
use serde_json::Value;
use shared::secret::ClientSecret;
use simulated_notion::{Connection, Simulator};

use crate::binaries::binary;
use crate::harness::{World, number};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(binary("dev"));
    command.env_clear().args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

#[test]
fn a_startup_failure_is_one_line() {
    // The port before it must be free.
    let (_taken, port) = loop {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        if std::net::TcpListener::bind(("127.0.0.1", port - 1)).is_ok() {
            break (taken, port);
        }
    };
    let output = run(&["--port", &port.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).starts_with(&format!("dev: port {port} is not available on localhost")),
        "{}",
        said(&output)
    );
    assert!(said(&output).ends_with("choose another with --port N"), "{}", said(&output));

    let output = run(&["--port", &(port - 1).to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(&format!("port {port} for the simulated Notion")), "{}", said(&output));

    let output = run(&["--real-notion"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said(&output), "dev: NOTION_CLIENT_ID is not set: --real-notion needs it");

    let output = run(&["--data", "/dev/null/x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).starts_with("dev: the data folder /dev/null/x cannot be used"),
        "{}",
        said(&output)
    );

    for bad in [&["--bogus"][..], &["--port", "0"], &["--port", "65535"], &["event", "a", "b"]] {
        let output = run(bad);
        assert_eq!(output.status.code(), Some(2), "{bad:?}");
        assert!(said(&output).starts_with("error: "), "{bad:?}: {}", said(&output));
    }
    let output = run(&["event", "callback-unheard-of"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said(&output), "dev: there is no event callback-unheard-of: `cargo run -- event` lists them");
}

#[tokio::test]
async fn the_event_command_prints_a_state_that_is_valid_now() {
    let world =
        World::start_with(|options| options.clock = std::sync::Arc::new(shared::clock::SystemClock)).await;
    let variables = world.stack.variables();
    let output = Command::new(binary("dev"))
        .env_clear()
        .env("NOTION_CLIENT_ID", &variables["NOTION_CLIENT_ID"])
        .env("NOTION_REDIRECT_URI", &variables["NOTION_REDIRECT_URI"])
        .args(["event", "callback", "--code", "never-issued"])
        .output()
        .unwrap();
    let event: Value = serde_json::from_slice(&output.stdout).unwrap();
    let answer = world.invoke(world.stack.callback(), &event).await;
    assert!(answer["headers"]["location"].as_str().unwrap().starts_with("?flow="), "{answer}");
    assert_eq!(world.notion().count(simulated_notion::Endpoint::Token), 1);
    let listed = String::from_utf8(run(&["event"]).stdout).unwrap();
    for case in ["install ", "callback ", "callback-refused ", "callback-no-state ", "callback-forged-state "]
    {
        assert!(listed.lines().any(|line| line.starts_with(case)), "{case}: {listed}");
    }
}

#[tokio::test]
async fn a_data_folder_survives_a_restart_and_is_for_its_owner_only() {
    let folder = std::env::temp_dir().join(format!("notion-install-data-{}", std::process::id()));
    let keep_here = |options: &mut Options| options.data_dir = Some(folder.clone());
    let token = {
        let world = World::start_with(keep_here).await;
        assert!(world.browser().install_as(|_| {}).await.is_connected());
        world.open_access(&world.installations().await[0])
    };
    {
        let world = World::start_with(keep_here).await;
        // The clock restarts with the world, and the second install must be the later one.
        world.clock.advance_secs(60);
        let rows = world.installations().await;
        assert_eq!(world.open_access(&rows[0]), token, "the ring was kept with the rows");
        assert!(world.browser().install_as(|_| {}).await.is_connected());
        assert_eq!(number(&world.installations().await[0], "generation"), 2);
    }
    #[cfg(unix)]
    for name in ["secrets.json", "notion.json"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(folder.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
    std::fs::remove_dir_all(PathBuf::from(&folder)).unwrap();
}

#[tokio::test]
async fn the_start_page_shows_installations_and_no_token() {
    let world = World::start().await;
    let browser = world.browser();
    let empty = browser.get(&world.url("/")).await;
    assert!(empty.body.contains("None yet.") && empty.body.contains("href=\"/install\""));
    browser.install_as(|_| {}).await;
    let page = browser.get(&world.url("/")).await;
    assert!(page.body.contains("Acme") && page.body.contains("Ada") && page.body.contains("active"));
    for secret in world.notion().secrets_issued() {
        assert!(!page.body.contains(&secret));
    }
}

#[tokio::test]
async fn a_rotated_secret_is_stored_on_the_start_page_but_not_from_another_site() {
    let world = World::start().await;
    world.notion().rotate_secret(dev::stack::SIMULATED_CLIENT_ID, "secret_rotated_by_hand");
    let client = vault::http_client::build().unwrap();
    let post = |origin: String| {
        let form = "client_secret=secret_rotated_by_hand";
        let request = client.post(world.url("/client-secret")).header("origin", origin);
        request.header("content-type", "application/x-www-form-urlencoded").body(form).send()
    };
    assert_eq!(post("https://evil.example".to_owned()).await.unwrap().status(), 403);
    assert_eq!(world.browser().install_as(|_| {}).await.heading(), "Sample app is not set up correctly");
    assert_eq!(post(world.stack.url().to_owned()).await.unwrap().status(), 303);
    assert!(world.browser().install_as(|_| {}).await.is_connected());
}

#[tokio::test]
async fn with_the_real_notion_no_simulator_is_started() {
    // The real side, but its base URL leads to a simulator that the stack does not know.
    let notion = Simulator::start(simulated_notion::Options::default()).await.unwrap();
    let options = Options {
        notion: NotionSide::Real {
            client_id: "real-client".to_owned(),
            client_secret: ClientSecret::parse("secret_real").unwrap(),
        },
        variables: [("NOTION_BASE_URL".to_owned(), notion.base_url())].into(),
        ..Options::default()
    };
    let stack = Box::pin(dev::stack::Stack::start(options)).await.unwrap();
    assert!(stack.notion().is_none());
    notion.register(Connection::new("real-client", "secret_real", &format!("{}/callback", stack.url())));
    let client = vault::http_client::build().unwrap();
    let install = client.get(format!("{}/install", stack.url())).send().await.unwrap();
    let cookie = install.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let authorize = install.headers()["location"].to_str().unwrap().to_owned();
    let callback = notion
        .approve(simulated_notion::Approval {
            authorize_query: authorize.split_once('?').unwrap().1.to_owned(),
            person: simulated_notion::ADA.to_owned(),
            workspace: simulated_notion::ACME.to_owned(),
            pages: vec![simulated_notion::ROADMAP.to_owned()],
            ..Default::default()
        })
        .unwrap();
    client.get(callback.location).header("cookie", cookie).send().await.unwrap();
    let start = client.get(stack.url()).send().await.unwrap().text().await.unwrap();
    assert!(start.contains("Acme") && start.contains("https://api.notion.com"), "{start}");
}

/// The buttons of the start page, pressed like forms, and what the page then shows.
#[tokio::test]
async fn the_start_page_shows_health_and_can_refresh_uninstall_and_sweep() {
    let world = World::start().await;
    let browser = world.browser();
    assert!(browser.install_as(|_| {}).await.is_connected());
    let http = vault::http_client::build().unwrap();
    let press = async |path: &str, more: &str, origin: &str| {
        let form = format!("workspace_id={}&user_id={}{more}", simulated_notion::ACME, simulated_notion::ADA);
        let post = http.post(world.url(path)).header("content-type", "application/x-www-form-urlencoded");
        post.header("origin", origin).body(form).send().await.unwrap().status().as_u16()
    };
    let page = async || browser.get(&world.url("/")).await.body;
    assert!(page().await.contains(">active</td>"));

    assert_eq!(press("/installations/refresh", "", "https://elsewhere.example").await, 403);
    assert_eq!(press("/installations/refresh", "", world.stack.url()).await, 303);
    let shown = page().await;
    assert!(shown.contains("just now") && shown.contains("token: {&#34;fingerprint&#34;"), "{shown}");
    assert!(!shown.contains("ntn_") && !shown.contains("access_token"));
    assert_eq!(press("/sweep", "", world.stack.url()).await, 303);
    assert!(page().await.contains("sweep: {&#34;complete&#34;:true}"));
    assert_eq!(press("/installations/uninstall", "", "https://elsewhere.example").await, 403);
    assert_eq!(press("/installations/uninstall", "", world.stack.url()).await, 303);
    let shown = page().await;
    assert!(shown.contains(">removed</td>") && shown.contains("&#34;revoked&#34;:true"), "{shown}");
    assert_eq!(press("/installations/uninstall", "&forget=true", world.stack.url()).await, 303);
    assert!(!page().await.contains(simulated_notion::ADA), "forgotten");
    // An IAM-authorised route requires a signature.
    let unsigned = http.post(world.url("/token")).body("{}").send().await.unwrap();
    assert_eq!(unsigned.status().as_u16(), 403);
}
