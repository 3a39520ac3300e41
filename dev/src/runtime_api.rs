//! The Lambda Runtime API, as far as a custom runtime needs it: runs the real binaries.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::inside::{ONBOARD, ONBOARD_TIMEOUT_MS};
use crate::stack::FUNCTION_TIMEOUT_MS;

/// A running binary of a function. Ends when dropped.
pub struct Function {
    api: Arc<Api>,
    request_lines: tokio::sync::Mutex<mpsc::UnboundedReceiver<Value>>,
    log: Arc<Mutex<String>>,
    child: Child,
    serving: JoinHandle<()>,
}

/// An event, and the receiver of its answer.
type Invocation = (Value, oneshot::Sender<Value>);

#[derive(Default)]
struct Api {
    waiting: Mutex<VecDeque<Invocation>>,
    arrived: Notify,
    answering: Mutex<HashMap<String, oneshot::Sender<Value>>>,
    /// How often the function has asked for an event.
    asked: watch::Sender<u64>,
    /// How long the function has for an event, in milliseconds.
    timeout_ms: u64,
}

impl Function {
    /// Starts `command` as the function `name`. Its environment has only `variables` and what Lambda sets.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub async fn start(
        mut command: Command,
        name: &str,
        variables: &HashMap<String, String>,
    ) -> io::Result<Self> {
        let timeout_ms = if name == ONBOARD { ONBOARD_TIMEOUT_MS } else { FUNCTION_TIMEOUT_MS };
        let api = Arc::new(Api { timeout_ms, ..Api::default() });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(respond))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(fail))
            .with_state(Arc::clone(&api));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        // axum's server runs forever.
        let serving = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        let mut child = command
            .kill_on_drop(true)
            .env_clear()
            .envs(variables)
            .env("AWS_ACCESS_KEY_ID", name)
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, request_lines) = mpsc::unbounded_channel();
        if let Some(out) = child.stdout.take() {
            keep_lines(out, Arc::clone(&log), lines.clone());
        }
        if let Some(err) = child.stderr.take() {
            keep_lines(err, Arc::clone(&log), lines);
        }
        Ok(Self { api, request_lines: request_lines.into(), log, child, serving })
    }

    /// Invokes the function, and returns what API Gateway would get.
    ///
    /// # Errors
    ///
    /// If the function ended without an answer.
    pub async fn answer(&self, event: Value) -> io::Result<Value> {
        let (sender, answer) = oneshot::channel();
        lock(&self.api.waiting).push_back((event, sender));
        self.api.arrived.notify_one();
        answer.await.map_err(|_| io::Error::other(format!("the function ended: {}", self.log())))
    }

    /// Invokes the function, and returns what API Gateway would get and the request line in the log.
    ///
    /// # Errors
    ///
    /// If the function ended without an answer or without a request line.
    pub async fn invoke(&self, event: Value) -> io::Result<(Value, Value)> {
        let answer = self.answer(event).await?;
        let line = self.request_lines.lock().await.recv().await;
        Ok((answer, line.ok_or_else(|| io::Error::other("the function left no request line"))?))
    }

    /// Returns when the function has asked for event number `events`, counted from 0: it has finished all events
    /// before.
    ///
    /// # Errors
    ///
    /// If the function ended before that.
    pub async fn done_with(&mut self, events: u64) -> io::Result<()> {
        let mut asked = self.api.asked.subscribe();
        let ended = tokio::select! {
            waited = asked.wait_for(|asked| *asked > events) => return waited.map(|_| ()).map_err(io::Error::other),
            ended = self.child.wait() => ended?,
        };
        Err(io::Error::other(format!("the function ended with {ended}: {}", self.log())))
    }

    /// Its process.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for the process to end.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// What it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        lock(&self.log).clone()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn keep_lines(
    stream: impl AsyncRead + Send + Unpin + 'static,
    log: Arc<Mutex<String>>,
    request_lines: mpsc::UnboundedSender<Value>,
) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            lock(&log).extend([line.as_str(), "\n"]);
            let json: Value = serde_json::from_str(&line).unwrap_or_default();
            if json["event"] == "request" {
                // When the function is dropped, nobody receives it any more.
                let _ = request_lines.send(json);
            }
        }
    });
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    api.asked.send_modify(|asked| *asked += 1);
    let (event, sender) = loop {
        let arrived = api.arrived.notified();
        let waiting = lock(&api.waiting).pop_front();
        match waiting {
            Some(invocation) => break invocation,
            None => arrived.await,
        }
    };
    let id = format!("request-{}", *api.asked.borrow());
    lock(&api.answering).insert(id.clone(), sender);
    let deadline_ms = SystemClock.now_millis().0 + api.timeout_ms;
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
    settle(&api, &id, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

/// The function reported an error. API Gateway would answer with its own 500.
async fn fail(State(api): State<Arc<Api>>, Path(id): Path<String>, body: String) -> StatusCode {
    settle(&api, &id, json!({"function_error": body}))
}

fn settle(api: &Api, id: &str, answer: Value) -> StatusCode {
    let Some(sender) = lock(&api.answering).remove(id) else { return StatusCode::BAD_REQUEST };
    // The caller may be gone.
    let _ = sender.send(answer);
    StatusCode::ACCEPTED
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
