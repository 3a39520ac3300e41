//! How many requests a connection may make, and all connections together in a workspace (Notion's request limits):
//! fixed windows of 60 seconds. Every request counts, whatever its answer.

use std::collections::BTreeMap;

/// The length of a window, in milliseconds.
const WINDOW_MS: u64 = 60_000;

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RateScope {
    /// The requests of a connection, by client id.
    Connection(String),
    /// The requests of a connection in one workspace; `None` for those of the OAuth endpoints.
    ConnectionInWorkspace(String, Option<String>),
    /// The requests of all connections in a workspace, by its id.
    Workspace(String),
}

impl RateScope {
    /// The reason in the answer to a request that exceeds the limit (documented).
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Workspace(_) => "public_api_space_request_rate_limit",
            _ => "public_api_request_rate_limit",
        }
    }
}

/// What was counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateCounter {
    /// The most requests in one window, including refused ones.
    pub highest: u64,
    /// How many requests were answered with 429 because of the limit.
    pub refused: u64,
}

/// A request that exceeds a limit.
pub(crate) struct OverLimit {
    pub(crate) reason: &'static str,
    /// Until the window ends.
    pub(crate) retry_after_secs: u64,
}

/// The open windows.
#[derive(Default)]
pub(crate) struct Windows(BTreeMap<RateScope, Window>);

#[derive(Default)]
struct Window {
    ends_at_ms: u64,
    requests: u64,
    counter: RateCounter,
}

impl Windows {
    /// Counts one request. Answers if it exceeds `limit`.
    pub(crate) fn count(&mut self, scope: RateScope, limit: Option<u64>, now_ms: u64) -> Option<OverLimit> {
        let reason = scope.reason();
        let window = self.0.entry(scope).or_default();
        if window.ends_at_ms <= now_ms {
            window.ends_at_ms = now_ms + WINDOW_MS;
            window.requests = 0;
        }
        window.requests += 1;
        window.counter.highest = window.counter.highest.max(window.requests);
        if limit.is_none_or(|limit| window.requests <= limit) {
            return None;
        }
        window.counter.refused += 1;
        Some(OverLimit { reason, retry_after_secs: (window.ends_at_ms - now_ms).div_ceil(1000) })
    }

    pub(crate) fn counters(&self) -> BTreeMap<RateScope, RateCounter> {
        self.0.iter().map(|(scope, window)| (scope.clone(), window.counter)).collect()
    }
}
