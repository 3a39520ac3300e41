//! The Lambda Runtime API, as far as a custom runtime uses it: runs the real binaries.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::Value;
use shared::clock::{Clock as _, SystemClock};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

const FUNCTION_TIMEOUT_MS: u64 = 25_000;

/// A function's binary, running.
pub(crate) struct Function {
    events: mpsc::UnboundedSender<(Value, oneshot::Sender<Value>)>,
    request_lines: tokio::sync::Mutex<mpsc::UnboundedReceiver<Value>>,
    log: Arc<Mutex<String>>,
    _child: Child,
}

struct Api {
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<(Value, oneshot::Sender<Value>)>>,
    answering: Mutex<HashMap<String, oneshot::Sender<Value>>>,
    count: Mutex<u64>,
}

impl Function {
    /// Starts the binary `name` with nothing in its environment but `variables` and what Lambda sets.
    pub(crate) async fn start(name: &str, variables: &HashMap<String, String>) -> Self {
        let (events, received) = mpsc::unbounded_channel();
        let api = Arc::new(Api {
            events: tokio::sync::Mutex::new(received),
            answering: Mutex::default(),
            count: Mutex::default(),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(respond))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(fail))
            .with_state(api);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut child = Command::new(binary(name))
            .kill_on_drop(true)
            .env_clear()
            .envs(variables)
            .env("AWS_ACCESS_KEY_ID", name)
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("LOG_LEVEL", "TRACE")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (lines, request_lines) = mpsc::unbounded_channel();
        keep_lines(out, Arc::clone(&log), lines.clone());
        keep_lines(err, Arc::clone(&log), lines);
        Self { events, request_lines: request_lines.into(), log, _child: child }
    }

    /// Invokes it; the answer is what API Gateway would get, and the line that the request left in the log.
    pub(crate) async fn invoke(&self, event: Value) -> (Value, Value) {
        let (sender, answer) = oneshot::channel();
        self.events.send((event, sender)).unwrap();
        (answer.await.unwrap(), self.request_lines.lock().await.recv().await.unwrap())
    }

    /// What it has printed so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

fn keep_lines(
    stream: impl tokio::io::AsyncRead + Send + Unpin + 'static,
    log: Arc<Mutex<String>>,
    request_lines: mpsc::UnboundedSender<Value>,
) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            log.lock().unwrap().extend([line.as_str(), "\n"]);
            let json: Value = serde_json::from_str(&line).unwrap_or_default();
            if json["event"] == "request" {
                // Nobody waits for it any more when the test is over.
                let _ = request_lines.send(json);
            }
        }
    });
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let Some((event, sender)) = api.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let id = {
        let mut count = api.count.lock().unwrap();
        *count += 1;
        format!("request-{count}")
    };
    api.answering.lock().unwrap().insert(id.clone(), sender);
    let deadline_ms = SystemClock.now_millis().0 + FUNCTION_TIMEOUT_MS;
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:f".to_owned(),
        ),
        ("content-type", "application/json".to_owned()),
    ];
    (headers, event.to_string()).into_response()
}

async fn respond(State(api): State<Arc<Api>>, Path(id): Path<String>, body: String) -> StatusCode {
    let sender = api.answering.lock().unwrap().remove(&id).unwrap();
    sender.send(serde_json::from_str(&body).unwrap()).unwrap();
    StatusCode::ACCEPTED
}

/// The function gave up: API Gateway would answer with a 500 of its own.
async fn fail(State(api): State<Arc<Api>>, Path(id): Path<String>, body: String) -> StatusCode {
    let sender = api.answering.lock().unwrap().remove(&id).unwrap();
    sender.send(serde_json::json!({"function_error": body})).unwrap();
    StatusCode::ACCEPTED
}

/// The path of a function's binary, built like these tests (which cargo does not do by itself: the binaries are
/// another package's).
pub(crate) fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        // …/target/PROFILE/deps/it-HASH
        let tests = std::env::current_exe().unwrap();
        let folder = tests.ancestors().nth(2).unwrap().to_owned();
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--workspace", "--bins"])
            .env("CARGO_TARGET_DIR", folder.parent().unwrap());
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
        assert!(built.success(), "the functions' binaries could not be built");
        folder
    });
    folder.join(name)
}
