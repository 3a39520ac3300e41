//! What all requests share: Notion's state, the traffic, and how to build an answer.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use tokio::sync::{RwLock, watch};

use crate::address::BaseUrl;
use crate::beginning::Beginning;
use crate::error::NotionError;
use crate::notion::{Memory, Notion};
use crate::traffic::Traffic;

/// Shared by every request and every [`Simulator`](crate::Simulator) handle.
pub(crate) struct World {
    notion: Mutex<Notion>,
    traffic: Mutex<Traffic>,
    state_file: Option<PathBuf>,
    /// Why the state file could not be written the last time, if it failed.
    save_error: Mutex<Option<String>>,
    pub(crate) accepted: Arc<AtomicU64>,
    /// Changes whenever a request arrives.
    pub(crate) arrivals: watch::Sender<()>,
    /// How often held requests have been released.
    pub(crate) releases: watch::Sender<u64>,
    /// The number of the run. It changes with a reset, while the traffic is locked.
    pub(crate) runs: watch::Sender<u64>,
    /// Read by each request while it takes effect, not while it waits for a release. A reset writes.
    pub(crate) at_work: RwLock<()>,
    /// What a reset returns to.
    beginning: Beginning,
    /// Becomes true, or is closed, when the server must stop.
    pub(crate) stopping: watch::Receiver<bool>,
    /// Where it listens.
    pub(crate) socket: SocketAddr,
    pub(crate) base_url: BaseUrl,
}

impl World {
    pub(crate) fn new(
        notion: Notion,
        beginning: Beginning,
        state_file: Option<PathBuf>,
        stopping: watch::Receiver<bool>,
        (socket, base_url): (SocketAddr, BaseUrl),
    ) -> Self {
        Self {
            notion: Mutex::new(notion),
            traffic: Mutex::new(Traffic::new(beginning.faults.clone())),
            state_file,
            save_error: Mutex::default(),
            accepted: Arc::default(),
            arrivals: watch::Sender::default(),
            releases: watch::Sender::default(),
            runs: watch::Sender::default(),
            at_work: RwLock::default(),
            beginning,
            stopping,
            socket,
            base_url,
        }
    }

    pub(crate) fn notion(&self) -> MutexGuard<'_, Notion> {
        lock(&self.notion)
    }

    pub(crate) fn traffic(&self) -> MutexGuard<'_, Traffic> {
        lock(&self.traffic)
    }

    pub(crate) fn connections_accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn save_error(&self) -> Option<String> {
        lock(&self.save_error).clone()
    }

    /// Changes Notion's state and writes the state file, if there is one.
    ///
    /// If the file can no longer be written, the request does not fail; the control page shows the error.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Notion) -> T) -> T {
        let mut notion = self.notion();
        let result = change(&mut notion);
        let saved = self.save(&mut notion);
        *lock(&self.save_error) = saved.err().map(|error| error.to_string());
        result
    }

    /// Returns to the beginning: connections, people, grants, content, switches, faults, log, rate windows, clock, and the
    /// ids drawn from a seed. Only the numbers of TCP connections go on.
    ///
    /// Requests that are at work finish before it. Those that a fault holds or delays are cut and have no effect.
    ///
    /// # Errors
    ///
    /// Fails if the operating system has no random bytes.
    pub(crate) async fn reset(&self) -> std::io::Result<()> {
        let _nobody_at_work = self.at_work.write().await;
        let fresh = self.beginning.notion(Memory::default())?;
        self.change(|notion| {
            *notion = fresh;
            let mut traffic = self.traffic();
            *traffic = Traffic::new(self.beginning.faults.clone());
            self.runs.send_modify(|number| *number += 1);
        });
        self.arrivals.send_replace(());
        Ok(())
    }

    /// Writes the state file, if there is one.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub(crate) fn save(&self, notion: &mut Notion) -> std::io::Result<()> {
        notion.memory.drawn = notion.random.drawn();
        self.state_file.as_deref().map_or(Ok(()), |path| notion.memory.save(path))
    }

    /// Runs one of Notion's JSON endpoints and builds its answer. An empty body has no content type.
    pub(crate) fn answer(
        &self,
        endpoint: impl FnOnce(&mut Notion, &str) -> Result<String, NotionError>,
    ) -> Response {
        self.answer_with(|notion, request_id| Ok((StatusCode::OK, endpoint(notion, request_id)?)))
    }

    /// As [`Self::answer`], for endpoints whose success may have another status than 200.
    pub(crate) fn answer_with(
        &self,
        endpoint: impl FnOnce(&mut Notion, &str) -> Result<(StatusCode, String), NotionError>,
    ) -> Response {
        self.change(|notion| {
            let request_id = notion.random.uuid();
            let (status, body) = match endpoint(notion, &request_id) {
                Ok(answered) => answered,
                Err(error) => (status(error.status), error.body(notion.settings.error_shape, &request_id)),
            };
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            let headers = response.headers_mut();
            if !body.is_empty() {
                headers.insert(
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/json; charset=utf-8"),
                );
            }
            insert(headers, "x-notion-request-id", &request_id);
            insert(headers, "cf-ray", &notion.random.ray());
            *response.body_mut() = Body::from(body);
            response
        })
    }

    /// Answers with an error.
    pub(crate) fn refuse(&self, error: NotionError) -> Response {
        self.answer(|_, _| Err(error))
    }
}

/// A status that may be any number. An invalid one becomes 500.
pub(crate) fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Adds a header if the value is valid.
pub(crate) fn insert(headers: &mut axum::http::HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// A panic in one test thread must not make the state unusable for the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
