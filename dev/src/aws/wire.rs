//! The wire of one AWS service that speaks JSON with `X-Amz-Target`: counts connections and calls, and injects
//! faults.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use simulated_notion::wire::{CountingListener, Cutter};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A service's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: Value,
}

impl Reply {
    /// Success.
    #[must_use]
    pub fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }

    /// An error as AWS's JSON protocols write it: `code` is the exception's name.
    #[must_use]
    pub fn error(status: u16, code: &str) -> Self {
        Self { status, body: json!({"__type": code, "message": "from the stand-in"}) }
    }
}

/// A fault of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection closes before the call takes effect.
    Down,
    /// The call takes effect, but the answer is never sent.
    LostReply,
    /// The call has no effect and gets no answer, until the caller gives up.
    Silent,
    /// The call takes effect and gets no answer, until the caller gives up.
    SilentAfterwards,
    /// The call has no effect and gets this answer.
    Answer(Reply),
}

/// A received call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The caller, by the access key of the signature. Each function has its own name there.
    pub caller: String,
    /// The operation, such as `PutItem`.
    pub operation: String,
    /// The request's body.
    pub body: String,
    /// The TCP connection on which it arrived, counted from 1.
    pub connection_number: u64,
}

/// A service behind the wire.
pub trait Service: Send + Sync + 'static {
    /// Answers one operation.
    fn answer(&self, operation: &str, body: &[u8]) -> impl Future<Output = Reply> + Send;
}

/// A running stand-in. Stops when dropped.
pub struct Wire<S> {
    shared: Arc<Shared<S>>,
    port: u16,
    accepted: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

struct Shared<S> {
    service: S,
    calls: Mutex<Vec<Call>>,
    faults: Mutex<VecDeque<(&'static str, Fault, u32)>>,
    /// How many calls have arrived, by operation.
    arrivals: watch::Sender<HashMap<String, usize>>,
}

impl<S: Service> Wire<S> {
    /// Serves `service` on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub async fn start(service: S) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let accepted = Arc::new(AtomicU64::new(0));
        let shared = Arc::new(Shared {
            service,
            calls: Mutex::default(),
            faults: Mutex::default(),
            arrivals: watch::Sender::default(),
        });
        let router = Router::new().fallback(answer::<S>).with_state(Arc::clone(&shared));
        let listener = CountingListener { listener, accepted: Arc::clone(&accepted) };
        let serving = axum::serve(listener, router.into_make_service_with_connect_info::<Cutter>());
        let task = tokio::spawn(async move {
            // axum's server runs forever.
            let _ = serving.await;
        });
        Ok(Self { shared, port, accepted, task })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &S {
        &self.shared.service
    }

    /// Applies `fault` to the next `times` calls of `operation` (`"*"`: any).
    pub fn inject(&self, operation: &'static str, fault: Fault, times: u32) {
        lock(&self.shared.faults).push_back((operation, fault, times));
    }

    pub(super) async fn answer(&self, wire: Cutter, headers: &HeaderMap, body: Bytes) -> Response {
        self.shared.answer(wire, headers, body).await
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Every call so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }

    /// How many calls of `operation` have arrived so far, answered or not.
    #[must_use]
    pub fn count(&self, operation: &str) -> usize {
        self.shared.arrivals.borrow().get(operation).copied().unwrap_or(0)
    }

    /// Returns once so many calls of `operation` have arrived.
    pub async fn wait_for(&self, operation: &str, count: usize) {
        let mut arrivals = self.shared.arrivals.subscribe();
        // An error means that the sender is gone, which this holds.
        let _ =
            arrivals.wait_for(|counts| counts.get(operation).is_some_and(|arrived| *arrived >= count)).await;
    }

    /// How many TCP connections have been accepted so far.
    #[must_use]
    pub fn connections_accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl<S> Drop for Wire<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<S> Shared<S> {
    fn take_fault(&self, operation: &str) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        let at = faults.iter().position(|(name, _, _)| *name == operation || *name == "*")?;
        let (_, fault, times) = &mut faults[at];
        let fault = fault.clone();
        *times -= 1;
        if *times == 0 {
            faults.remove(at);
        }
        Some(fault)
    }
}

/// The access key of the signature: `Credential=ACCESS_KEY/DATE/REGION/SERVICE/aws4_request`.
pub(crate) fn caller_of(headers: &HeaderMap) -> String {
    let signed = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let credential = signed.split("Credential=").nth(1).unwrap_or_default();
    credential.split('/').next().unwrap_or_default().to_owned()
}

async fn answer<S: Service>(
    State(shared): State<Arc<Shared<S>>>,
    ConnectInfo(wire): ConnectInfo<Cutter>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.answer(wire, &headers, body).await
}

impl<S: Service> Shared<S> {
    async fn answer(&self, wire: Cutter, headers: &HeaderMap, body: Bytes) -> Response {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let operation = text("x-amz-target").rsplit('.').next().unwrap_or_default().to_owned();
        lock(&self.calls).push(Call {
            caller: caller_of(headers),
            operation: operation.clone(),
            body: String::from_utf8_lossy(&body).into_owned(),
            connection_number: wire.number,
        });
        let fault = self.take_fault(&operation);
        let arrived =
            || self.arrivals.send_modify(|counts| *counts.entry(operation.clone()).or_default() += 1);
        if fault == Some(Fault::SilentAfterwards) {
            // Whoever waits for it sees its effect.
            self.service.answer(&operation, &body).await;
            arrived();
            return std::future::pending().await;
        }
        arrived();
        let reply = match fault {
            None => self.service.answer(&operation, &body).await,
            Some(Fault::Answer(reply)) => reply,
            Some(Fault::Silent | Fault::SilentAfterwards) => std::future::pending().await,
            Some(fault @ (Fault::Down | Fault::LostReply)) => {
                if fault == Fault::LostReply {
                    self.service.answer(&operation, &body).await;
                }
                wire.cut();
                return Response::default();
            }
        };
        let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let content_type = [(header::CONTENT_TYPE, "application/x-amz-json-1.0")];
        (status, content_type, reply.body.to_string()).into_response()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
