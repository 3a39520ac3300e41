//! The app's webhook endpoint: verifies what arrives with the official library, and keeps the last of it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use standardwebhooks::Webhook;

/// How many webhooks the app shows.
const SHOWN: usize = 8;

/// A webhook that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrived {
    pub(super) id: String,
    pub(super) kind: String,
    /// Whom it is about, as far as it says.
    pub(super) about: String,
}

/// What arrived last, newest first.
#[derive(Default)]
pub(super) struct Arrivals(Mutex<VecDeque<Arrived>>);

impl Arrivals {
    /// Takes a webhook, if `secret` has signed it. Answers 2xx at once, as it should be done.
    pub(super) fn take(&self, secret: &str, headers: &HeaderMap, body: &[u8]) -> StatusCode {
        let verified = Webhook::new(secret).and_then(|webhook| webhook.verify(body, headers));
        let event = serde_json::from_slice::<Value>(body).ok().filter(|_| verified.is_ok());
        let Some(event) = event else { return StatusCode::UNAUTHORIZED };
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let about = text("/data/subject").map(str::to_owned).or_else(|| {
            let subjects = event.pointer("/data/subjects").and_then(Value::as_array)?;
            let names: Vec<&str> = subjects.iter().filter_map(Value::as_str).collect();
            Some(names.join(", "))
        });
        let arrived = Arrived {
            id: text("/id").unwrap_or_default().to_owned(),
            kind: text("/type").unwrap_or_default().to_owned(),
            about: about.unwrap_or_default(),
        };
        let mut all = self.lock();
        // It may come twice.
        if all.iter().all(|known| known.id != arrived.id) {
            all.push_front(arrived);
            all.truncate(SHOWN);
        }
        StatusCode::NO_CONTENT
    }

    pub(super) fn all(&self) -> Vec<Arrived> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arrived>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
