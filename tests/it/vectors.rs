//! The answers in `clients/vectors` are those of the functions: each has the shape of a real one.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use shared::entry::backend::Answer;
use simulated_notion::{ACME, ADA, Capabilities, Endpoint, Fault, GRACE};
use vault::store::MAX_SUBJECTS;

use crate::app::{Begun, Returned, in_globex};
use crate::harness::{World, ada};
use crate::onboarding::{recipe, settle, world};

const SUBJECT: &str = "user-4711";

/// Every vector with its area.
fn vectors() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/vectors");
    let mut vectors = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let Some(area) = file["area"].as_str() else { continue };
            vectors.extend(
                file["vectors"].as_array().unwrap().iter().map(|each| (area.to_owned(), each.clone())),
            );
        }
    }
    assert!(vectors.len() > 200);
    vectors
}

/// The answers in the vectors, with the function, but those that no function of this release gives on purpose.
fn answers_in_vectors() -> Vec<(String, String, Value)> {
    let mut answers = Vec::new();
    for (area, vector) in vectors() {
        let name = format!("{area}: {}", vector["name"].as_str().unwrap());
        for step in vector["steps"].as_array().unwrap() {
            let is_of_another_release =
                step["error"]["name"] == "Unreadable" || name.contains("later release");
            let invocations = step["invocations"].as_array().cloned().unwrap_or_default();
            for invocation in invocations.into_iter().filter(|_| !is_of_another_release) {
                if let Some(answer) = invocation.get("answer") {
                    answers.push((
                        invocation["function"].as_str().unwrap().to_owned(),
                        name.clone(),
                        answer.clone(),
                    ));
                }
            }
        }
    }
    answers
}

/// Whether both have the same fields with values of the same type. Null goes with anything, an empty list with any
/// list.
fn have_the_same_shape(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Null, _) | (_, Value::Null) => true,
        (Value::Object(one), Value::Object(other)) => {
            one.keys().eq(other.keys())
                && one.iter().all(|(name, value)| have_the_same_shape(value, &other[name]))
        }
        (Value::Array(one), Value::Array(other)) => one
            .iter()
            .all(|one| other.is_empty() || other.iter().any(|other| have_the_same_shape(one, other))),
        _ => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}

/// What the functions answered.
#[derive(Default)]
struct Real(Vec<(&'static str, Value)>);

impl Real {
    async fn ask(&mut self, world: &World, function: &'static str, input: Value) -> Value {
        let answer = world.ask(function, input).await;
        self.0.push((function, answer.clone()));
        answer
    }

    fn key(answer: &Value) -> &str {
        answer["error"].as_str().unwrap_or("success")
    }
}

async fn returned(world: &World, more: &str, as_person: &str) -> (Begun, Returned) {
    let (begun, browser) = (Begun::new(world), world.browser());
    let authorize = browser.begin(&begun, more).await;
    let callback = browser.allow(&authorize, |approval| as_person.clone_into(&mut approval.person));
    let returned = Returned::read(world, &browser.follow(&callback).await);
    (begun, returned)
}

async fn one_person(real: &mut Real) {
    let world = World::start().await;
    let of_subject = json!({"subject": SUBJECT});
    real.ask(&world, "token", of_subject.clone()).await;
    real.ask(&world, "uninstall", of_subject.clone()).await;
    for function in ["claim", "installations", "token", "uninstall"] {
        real.ask(&world, function, json!({"subject": 5})).await;
    }
    let (begun, back) = returned(&world, "", ADA).await;
    real.ask(&world, "token", ada(json!({}))).await;
    let mut wrong = begun.claim(&back, SUBJECT);
    wrong["code"] = "nic_unknown".into();
    real.ask(&world, "claim", wrong).await;
    real.ask(&world, "claim", begun.claim(&back, SUBJECT)).await;
    real.ask(&world, "installations", of_subject.clone()).await;
    // Notion does not say when a token ends, and then it does.
    let token = real.ask(&world, "token", of_subject.clone()).await;
    world.notion().inject(Endpoint::Token, Fault::PatchResponse(json!({"expires_in": 3600})), 1);
    real.ask(&world, "token", json!({"subject": SUBJECT, "refresh": true})).await;
    let report = json!({"subject": SUBJECT, "refused_fingerprint": token["fingerprint"]});
    let other = real.ask(&world, "token", report).await;
    // A report minutes after another: Notion says that the token is alive.
    let report = json!({"subject": SUBJECT, "refused_fingerprint": other["fingerprint"]});
    let other = real.ask(&world, "token", report).await;
    let report = json!({"subject": SUBJECT, "refused_fingerprint": other["fingerprint"]});
    real.ask(&world, "token", report).await;
    // Another person came back than was expected: once it is the user's own, once it is not.
    let id = world.ask("installations", of_subject.clone()).await["installations"][0]["installation"].clone();
    for subject in [SUBJECT, "another"] {
        let (begun, back) = returned(&world, &format!("&expect={}", id.as_str().unwrap()), GRACE).await;
        real.ask(&world, "claim", begun.claim(&back, subject)).await;
    }
    real.ask(&world, "uninstall", ada(json!({"generation": 7}))).await;
    let (begun, back) = returned(&world, "", ADA).await;
    world.connected(SUBJECT, in_globex).await;
    for function in ["token", "uninstall"] {
        real.ask(&world, function, of_subject.clone()).await;
    }
    real.ask(&world, "uninstall", ada(json!({}))).await;
    real.ask(&world, "token", ada(json!({}))).await;
    real.ask(&world, "claim", begun.claim(&back, SUBJECT)).await;
}

async fn a_dead_grant(real: &mut Real) {
    let world = World::start().await;
    world.connected(SUBJECT, |_| {}).await;
    let (begun, back) = returned(&world, "", ADA).await;
    let token = world.ask("token", ada(json!({}))).await;
    world.notion().revoke_grants_of(ADA, ACME);
    real.ask(&world, "token", ada(json!({"refused_fingerprint": token["fingerprint"]}))).await;
    real.ask(&world, "claim", begun.claim(&back, SUBJECT)).await;
}

async fn a_crowd(real: &mut Real) {
    let world = World::start().await;
    for user in 0..MAX_SUBJECTS {
        world.connected(&format!("user {user}"), |_| {}).await;
    }
    let (begun, back) = returned(&world, "", ADA).await;
    real.ask(&world, "claim", begun.claim(&back, "one more")).await;
}

async fn a_recipe(real: &mut Real) {
    for may_insert in [true, false] {
        let world = world(recipe("tracker"), |_| {}).await;
        world.notion().change_connection(dev::stack::SIMULATED_CLIENT_ID, |connection| {
            connection.capabilities = Capabilities { insert_content: may_insert, ..Capabilities::default() };
        });
        let (begun, back) = returned(&world, "", ADA).await;
        real.ask(&world, "claim", begun.claim(&back, SUBJECT)).await;
        settle(&world).await;
        let listed = real.ask(&world, "installations", json!({"subject": SUBJECT})).await;
        let status = if may_insert { "completed" } else { "failed" };
        assert_eq!(listed["installations"][0]["onboarding"]["status"], status, "{listed}");
    }
}

#[tokio::test]
async fn the_answers_in_the_vectors_have_the_shape_of_real_ones() {
    let mut real = Real::default();
    Box::pin(one_person(&mut real)).await;
    Box::pin(a_dead_grant(&mut real)).await;
    Box::pin(a_crowd(&mut real)).await;
    Box::pin(a_recipe(&mut real)).await;
    // What every function answers when something of its own is broken. Their own tests break it.
    let broken = [
        Answer::try_later(Duration::from_secs(5), "store"),
        Answer::misconfigured(),
        Answer::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "internal error: see the function's log",
        ),
    ];
    for function in ["claim", "installations", "token", "uninstall"] {
        real.0.extend(broken.iter().map(|answer| (function, answer.body.clone())));
    }
    let mut seen = BTreeSet::new();
    for (function, name, answer) in answers_in_vectors() {
        let key = Real::key(&answer).to_owned();
        let of_kind: Vec<&Value> = real
            .0
            .iter()
            .filter(|(of, real)| *of == function && Real::key(real) == key)
            .map(|(_, real)| real)
            .collect();
        assert!(!of_kind.is_empty(), "{name}: {function} never answers {key}");
        assert!(
            of_kind.iter().any(|real| have_the_same_shape(&answer, real)),
            "{name}: {function} does not answer {answer:#}, but {:#}",
            of_kind[0]
        );
        seen.insert((function, key));
    }
    let answered: BTreeSet<(String, String)> = real
        .0
        .iter()
        .map(|(function, answer)| ((*function).to_owned(), Real::key(answer).to_owned()))
        .collect();
    assert_eq!(
        answered.difference(&seen).collect::<Vec<_>>(),
        Vec::<&(String, String)>::new(),
        "in no vector"
    );
}

#[test]
fn the_events_in_the_vectors_match_the_schema_of_events() {
    let (schema, mut checked) = (crate::history::schema(), 0);
    for (area, vector) in vectors() {
        let result = &vector["steps"][0]["result"];
        if area != "webhooks"
            || !result.is_object()
            || vector["name"].as_str().unwrap().contains("later release")
        {
            continue;
        }
        let mut event = result.clone();
        event.as_object_mut().unwrap().remove("kind");
        let errors: Vec<String> = schema.iter_errors(&event).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", vector["name"]);
        checked += 1;
    }
    assert!(checked > 20, "{checked}");
}

/// The comparison can fail.
#[test]
fn another_shape_is_noticed() {
    let one = json!({"a": 1, "list": [{"b": "text"}], "nothing": null});
    assert!(have_the_same_shape(&one, &json!({"a": 2, "list": [], "nothing": "something"})));
    for other in [
        json!({"a": 1, "list": []}),
        json!({"a": "1", "list": [], "nothing": null}),
        json!({"a": 1, "list": [{"c": "text"}], "nothing": null}),
        json!({"a": 1, "list": [], "nothing": null, "more": 1}),
    ] {
        assert!(!have_the_same_shape(&one, &other), "{other}");
    }
}
