//! How many requests a connection may make (Notion's request limits): a fixed window of 60 seconds per connection.
//! Every request counts, whatever its answer.

use std::collections::HashMap;

/// The length of a window, in milliseconds.
const WINDOW_MS: u64 = 60_000;

/// The open windows, by client id.
#[derive(Default)]
pub(crate) struct Windows(HashMap<String, Window>);

struct Window {
    ends_at_ms: u64,
    requests: u64,
}

impl Windows {
    /// Counts one request. If it exceeds `limit`, returns the seconds until the window ends.
    pub(crate) fn count(&mut self, client_id: String, limit: u64, now_ms: u64) -> Option<u64> {
        let fresh = || Window { ends_at_ms: now_ms + WINDOW_MS, requests: 0 };
        let window = self.0.entry(client_id).or_insert_with(fresh);
        if window.ends_at_ms <= now_ms {
            *window = fresh();
        }
        window.requests += 1;
        (window.requests > limit).then(|| (window.ends_at_ms - now_ms).div_ceil(1000))
    }
}
