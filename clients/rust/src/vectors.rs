//! Replays `clients/vectors`: the contract that the clients in all languages keep.

mod known;
mod lambda;
mod shown;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::Barrier;

use crate::begin::{Begun, NoRandomness, begin_with};
use crate::client::TokenClient;
use crate::clock::Clock;
use crate::error::CallError;
use crate::installations::{Claim, Disconnect, Functions, InstallationsClient};
use crate::person::Person;
use crate::token::{Answered, Token};
use crate::webhook::WebhookVerifier;
use known::object;
use lambda::ScriptedLambda;

const AREAS: [&str; 11] = [
    "begin",
    "caching",
    "claim",
    "disconnect",
    "errors",
    "installations",
    "refused",
    "returns",
    "single_flight",
    "token",
    "webhooks",
];
/// After so many turns of the scheduler every caller waits.
const TURNS: usize = 100;

#[derive(Debug)]
struct SetClock(Mutex<Duration>);

impl Clock for SetClock {
    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn since_epoch(&self) -> Duration {
        self.elapsed()
    }
}

/// What one vector begins with.
#[derive(Clone)]
struct Replay {
    tokens: TokenClient,
    installations: InstallationsClient,
    lambda: ScriptedLambda,
    clock: Arc<SetClock>,
    random: Arc<Mutex<Vec<u8>>>,
    /// Of a step's callers: their first requests reach Notion before it answers one of them.
    together: Arc<Barrier>,
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(name)
}

fn read(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file(name)).unwrap()).unwrap()
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the count of vectors is shown")]
async fn all_vectors_are_replayed() {
    let schema = jsonschema::validator_for(&read("schema.json")).unwrap();
    let files = std::fs::read_dir(file("")).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let names: BTreeSet<String> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names, AREAS.into_iter().chain(["schema"]).map(str::to_owned).collect());
    let mut replayed = 0;
    for area in AREAS {
        let vectors = read(&format!("{area}.json"));
        let errors: Vec<String> = schema.iter_errors(&vectors).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{area}: {errors:?}");
        assert_eq!(object(&vectors, &["area", "vectors"])["area"], area);
        for vector in vectors["vectors"].as_array().unwrap() {
            // What fails is named by the test's own output.
            println!("{area}: {}", vector["name"]);
            replay(object(vector, &["name", "given", "steps"])).await;
            replayed += 1;
        }
    }
    println!("replayed {replayed} vectors in {} areas", AREAS.len());
    assert!(replayed > 200);
}

async fn replay(vector: &Map<String, Value>) {
    let given = object(&vector["given"], &["now_ms", "random_hex", "caller", "keep_for_ms"]);
    let clock = Arc::new(SetClock(Mutex::new(Duration::from_millis(given["now_ms"].as_u64().unwrap()))));
    let lambda = ScriptedLambda::default();
    let functions = Functions {
        claim: "claim".to_owned(),
        installations: "installations".to_owned(),
        uninstall: "uninstall".to_owned(),
    };
    let mut tokens = TokenClient::new(lambda.client(), "token").at(clock.clone());
    if let Some(keep_for_ms) = given.get("keep_for_ms") {
        tokens = tokens.keep_for(Duration::from_millis(keep_for_ms.as_u64().unwrap()));
    }
    let mut installations = InstallationsClient::new(lambda.client(), functions);
    if let Some(caller) = given.get("caller").map(|caller| caller.as_str().unwrap()) {
        (tokens, installations) = (tokens.called(caller), installations.called(caller));
    }
    let installations = installations.with_tokens(&tokens);
    let random = Arc::new(Mutex::new(given.get("random_hex").map(bytes).unwrap_or_default()));
    let together = Arc::new(Barrier::new(1));
    let replay = Replay { tokens, installations, lambda, clock, random, together };
    for step in vector["steps"].as_array().unwrap() {
        Box::pin(replay.step(step)).await;
    }
    assert!(replay.random.lock().unwrap().is_empty(), "not all random bytes were drawn");
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap().as_bytes();
    hex.chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

impl Replay {
    async fn step(&self, step: &Value) {
        if let Some(advance_ms) = step.get("advance_ms") {
            object(step, &["advance_ms"]);
            *self.clock.0.lock().unwrap() += Duration::from_millis(advance_ms.as_u64().unwrap());
            return;
        }
        let known = [
            "call",
            "arguments",
            "invocations",
            "result",
            "error",
            "used",
            "concurrent",
            "gives_up",
            "meanwhile",
        ];
        let step = object(step, &known);
        let number =
            |name: &str| step.get(name).map(|number| usize::try_from(number.as_u64().unwrap()).unwrap());
        let (callers, gives_up) = (number("concurrent").unwrap_or(1), number("gives_up").unwrap_or(0));
        let meanwhile = step.get("meanwhile").map_or(&[][..], |steps| steps.as_array().unwrap());
        if let Some(invocations) = step.get("invocations") {
            self.lambda.expect(invocations.as_array().unwrap());
        }
        let holds = callers > 1 || !meanwhile.is_empty();
        let together = Arc::new(Barrier::new(callers));
        let gate = holds.then(|| self.lambda.hold());
        let mut calls: Vec<_> = (0..callers)
            .map(|_| {
                let replay = Self { together: Arc::clone(&together), ..self.clone() };
                let (call, arguments) = (step["call"].clone(), step["arguments"].clone());
                tokio::spawn(async move { replay.call(call.as_str().unwrap(), &arguments).await })
            })
            .collect();
        if let Some(gate) = gate {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            assert!(self.lambda.is_asked(), "nothing was invoked");
            for given_up in calls.drain(..gives_up) {
                given_up.abort();
                assert!(given_up.await.unwrap_err().is_cancelled());
            }
            for step in meanwhile {
                Box::pin(self.step(step)).await;
            }
            drop(gate);
        }
        let expected = ["result", "error", "used"].map(|name| step.get_key_value(name)).into_iter().flatten();
        let expected: Value = expected.map(|(name, value)| (name.clone(), value.clone())).collect();
        for call in calls {
            let came = call.await.unwrap();
            assert!(has(&came, &expected), "expected {expected:#}\n\ncame {came:#}");
            assert_eq!(came.get("error").is_some(), expected.get("error").is_some(), "{came:#}");
        }
        self.lambda.assert_done();
    }

    async fn call(&self, call: &str, arguments: &Value) -> Value {
        match call {
            "begin" => self.begin(arguments),
            "code_from" => code_from(arguments),
            "claim" => self.claim(arguments).await,
            "installations" => self.list(arguments).await,
            "disconnect" => self.disconnect(arguments).await,
            "token" => {
                let person = person(&object(arguments, &["person"])["person"]);
                shown::token_outcome(&self.tokens.token(&person).await)
            }
            "refused" => {
                let arguments = object(arguments, &["person", "token"]);
                let (person, token) = (person(&arguments["person"]), token(&arguments["token"]));
                shown::token_outcome(&self.tokens.refused(&person, &token).await)
            }
            "call" => self.call_notion(arguments).await,
            "forget" => {
                self.tokens.forget(&person(&object(arguments, &["person"])["person"]));
                json!({})
            }
            "verify_webhook" => self.verify_webhook(arguments),
            other => panic!("not known to this replayer: {other}"),
        }
    }

    fn begin(&self, arguments: &Value) -> Value {
        let arguments = object(arguments, &["install_url", "return_to", "expect", "ui_locales"]);
        let text = |name: &str| arguments.get(name).map(|text| text.as_str().unwrap());
        let begun = begin_with(text("install_url").unwrap(), text("return_to").unwrap(), |bytes| {
            let mut random = self.random.lock().unwrap();
            if random.len() < bytes.len() {
                return Err(NoRandomness);
            }
            let drawn: Vec<u8> = random.drain(..bytes.len()).collect();
            bytes.copy_from_slice(&drawn);
            Ok(())
        });
        let mut begun = begun.unwrap();
        if let Some(installation) = text("expect") {
            begun = begun.expecting(installation);
        }
        if let Some(ui_locales) = text("ui_locales") {
            begun = begun.in_languages(ui_locales);
        }
        json!({"result": {"url": begun.url, "verifier": begun.verifier(), "state": begun.state}})
    }

    async fn claim(&self, arguments: &Value) -> Value {
        let arguments = object(arguments, &["code", "verifier", "subject", "accept_different_account"]);
        let text = |name: &str| arguments[name].as_str().unwrap();
        let claim = Claim {
            code: text("code"),
            verifier: text("verifier"),
            subject: text("subject"),
            accept_different_account: arguments.get("accept_different_account") == Some(&true.into()),
        };
        let claimed = self.installations.claim(&claim).await;
        shown::outcome(claimed.as_ref().map(shown::installation))
    }

    async fn list(&self, arguments: &Value) -> Value {
        let mut named = object(arguments, &["subject", "workspace_id", "user_id", "after"]).clone();
        let after = named.remove("after");
        let after = after.as_ref().map(|after| after.as_str().unwrap());
        let page = if named.keys().eq(["workspace_id"]) {
            self.installations.installations_in(named["workspace_id"].as_str().unwrap(), after).await
        } else {
            self.installations.installations(&person(&named.into()), after).await
        };
        let shown = page.as_ref().map(|page| {
            let installations: Vec<Value> = page.installations.iter().map(shown::installation).collect();
            json!({"installations": installations, "next": page.next})
        });
        shown::outcome(shown)
    }

    async fn disconnect(&self, arguments: &Value) -> Value {
        let arguments = object(arguments, &["person", "generation", "forget"]);
        let options = Disconnect {
            generation: arguments.get("generation").map(|number| number.as_u64().unwrap()),
            forget: arguments.get("forget") == Some(&true.into()),
        };
        let done = self.installations.disconnect_with(&person(&arguments["person"]), options).await;
        let shown = done.as_ref().map(
            |done| json!({"removed": done.removed, "revoked": done.revoked, "generation": done.generation}),
        );
        shown::outcome(shown)
    }

    async fn call_notion(&self, arguments: &Value) -> Value {
        let arguments = object(arguments, &["person", "notion"]);
        let (person, used) = (person(&arguments["person"]), Mutex::new(Vec::new()));
        let called = self.tokens.call(&person, async |token: Token| {
            let is_first = {
                let mut used = used.lock().unwrap();
                used.push(token.access_token().to_owned());
                used.len() == 1
            };
            if is_first {
                self.together.wait().await;
            }
            match arguments["notion"][token.access_token()].as_u64().unwrap() {
                401 => Err(CallError::<u64>::Unauthorized),
                status => Ok(status),
            }
        });
        let mut came = match called.await {
            Ok(status) => json!({"result": {"status": status}}),
            Err(CallError::Token(error)) => json!({"error": shown::token_error(&error)}),
            Err(CallError::Unauthorized) => json!({"error": {"name": "Unauthorized"}}),
            Err(CallError::Failed(status)) => panic!("{status}"),
        };
        came["used"] = used.into_inner().unwrap().into();
        came
    }

    fn verify_webhook(&self, arguments: &Value) -> Value {
        let arguments = object(arguments, &["secrets", "headers", "body"]);
        let secrets = arguments["secrets"].as_array().unwrap().iter().map(|secret| secret.as_str().unwrap());
        let verifier = match WebhookVerifier::new(secrets) {
            Ok(verifier) => verifier,
            Err(error) => return json!({"error": {"name": format!("{error:?}")}}),
        };
        let headers = arguments["headers"].as_object().unwrap();
        let headers = headers.iter().map(|(name, value)| (name, value.as_str().unwrap()));
        let body = arguments["body"].as_str().unwrap().as_bytes();
        match verifier.verify_at(self.clock.since_epoch().as_secs(), headers, body) {
            Ok(event) => json!({"result": shown::event(&event)}),
            Err(error) => json!({"error": {"name": "InvalidWebhook", "reason": shown::reason(error)}}),
        }
    }
}

fn code_from(arguments: &Value) -> Value {
    let arguments = object(arguments, &["url", "state", "query"]);
    let text = |name: &str| arguments[name].as_str().unwrap().to_owned();
    let begun = Begun { url: text("url"), verifier: "".into(), state: text("state") };
    let query = arguments["query"].as_object().unwrap();
    let code = begun.code_from(query.iter().map(|(name, value)| (name, value.as_str().unwrap())));
    shown::outcome(code.as_ref().map(|code| json!({"code": code})))
}

fn person(named: &Value) -> Person {
    let named = object(named, &["subject", "workspace_id", "user_id"]);
    let text = |name: &str| named.get(name).and_then(Value::as_str);
    let is_workspace = named.get("user_id") == Some(&Value::Null);
    match (text("subject"), text("workspace_id"), text("user_id")) {
        (Some(subject), None, None) if !is_workspace => Person::subject(subject),
        (Some(subject), Some(workspace_id), user_id) => {
            let person = Person::subject(subject).in_workspace(workspace_id);
            match user_id {
                Some(user_id) => person.as_user(user_id),
                None if is_workspace => person.as_workspace(),
                None => person,
            }
        }
        (None, Some(workspace_id), Some(user_id)) => Person::user(workspace_id, user_id),
        (None, Some(workspace_id), None) if is_workspace => Person::workspace(workspace_id),
        _ => panic!("nobody: {named:?}"),
    }
}

fn token(token: &Value) -> Token {
    let token = object(token, &["access_token", "fingerprint", "version", "generation", "expires_at"]);
    Token(Arc::new(Answered {
        access_token: token["access_token"].as_str().unwrap().into(),
        fingerprint: token["fingerprint"].as_str().unwrap().to_owned(),
        version: token["version"].as_u64().unwrap(),
        generation: token["generation"].as_u64().unwrap(),
        expires_at: token["expires_at"].as_u64(),
    }))
}

/// Whether `came` has all that was expected.
fn has(came: &Value, expected: &Value) -> bool {
    match (came, expected) {
        (Value::Object(came), Value::Object(expected)) => {
            expected.iter().all(|(name, expected)| came.get(name).is_some_and(|came| has(came, expected)))
        }
        (Value::Array(came), Value::Array(expected)) => {
            came.len() == expected.len()
                && came.iter().zip(expected).all(|(came, expected)| has(came, expected))
        }
        _ => came == expected,
    }
}

/// What is checked can fail.
#[test]
fn another_result_is_noticed() {
    let expected = json!({"result": {"list": [{"a": 1, "b": null}]}});
    assert!(has(&json!({"result": {"list": [{"a": 1, "b": null, "c": 2}], "more": 1}}), &expected));
    for other in [
        json!({}),
        json!({"result": {"list": []}}),
        json!({"result": {"list": [{"a": 2, "b": null}]}}),
        json!({"result": {"list": [{"a": 1}]}}),
        json!({"result": {"list": [{"a": 1, "b": null}, {}]}}),
    ] {
        assert!(!has(&other, &expected), "{other}");
    }
}

/// Callers on several threads, some of whom come just when the answer does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_callers_on_several_threads_make_one_invocation() {
    let answer = json!({"access_token": "ntn_1", "fingerprint": "f", "version": 1, "generation": 1});
    let invocation = json!({"function": "token", "payload": {"subject": "anna"}, "answer": answer});
    for _ in 0..300 {
        let lambda = ScriptedLambda::default();
        lambda.expect(std::slice::from_ref(&invocation));
        let tokens = TokenClient::new(lambda.client(), "token");
        let callers = (0..1000).map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.token(&Person::subject("anna")).await.is_ok() })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
        lambda.assert_done();
    }
}

/// The official library signs what our verifier takes.
#[test]
fn what_the_official_library_signs_is_verified() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let body = r#"{"id":"evt_1","type":"a.new.one","timestamp":"2026-11-29T05:41:55Z","data":{}}"#;
    let signature = standardwebhooks::Webhook::new(secret)
        .unwrap()
        .sign("evt_1", 1_796_000_000, body.as_bytes())
        .unwrap();
    let headers =
        [("webhook-id", "evt_1"), ("webhook-timestamp", "1796000000"), ("webhook-signature", &signature)];
    let verifier = WebhookVerifier::new([secret]).unwrap();
    assert_eq!(verifier.verify_at(1_796_000_000, headers, body.as_bytes()).unwrap().id, "evt_1");
    assert!(!format!("{verifier:?}").contains("MfKQ"));
}
