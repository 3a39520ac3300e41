//! The recorded requests, and the faults that are waiting.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::limits::Windows;

/// Something that goes wrong with one request.
///
/// *Processed* means that the request took effect (a code was spent, tokens were issued), whatever the client saw of
/// it. As JSON: `"lost_reply"`, `{"delay_ms":500}`, `{"status":{"status":429,"retry_after":"1"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Wait this many milliseconds of real time, then process and answer.
    DelayMs(u64),
    /// Wait for [`Simulator::release`](crate::Simulator::release), then process and answer.
    Hold,
    /// Process, then close the TCP connection without sending a byte.
    LostReply,
    /// Close the TCP connection without processing.
    DropBeforeProcessing,
    /// Answer with this status in Notion's API envelope, without processing.
    Status {
        /// 429, 500, 502, 503, 504, 529 and so on.
        status: u16,
        /// The `Retry-After` header: seconds or an HTTP date. With 429 it is repeated in `additional_data`.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// Process, then answer with this status instead.
    #[serde(rename = "processed_then_5xx")]
    ProcessedThen5xx(u16),
    /// An HTML block page with `cf-ray` and no `x-notion-request-id`, like Cloudflare's; not processed.
    Html(u16),
    /// Process, send the head and half of the body, then close the TCP connection.
    Truncated,
    /// Process, answer 200 with a field `padding` of more than 10 MB in the JSON.
    Huge,
    /// Process, answer 200 with text that is not JSON, labelled as JSON.
    NotJson,
    /// Process, answer 200 with exactly this JSON.
    Body(Value),
    /// Process, replace top-level fields of a 200 answer. Null sets null; it does not remove the field.
    PatchResponse(Value),
    /// Process, remove these fields from a 200 answer. A dot separates the fields of nested objects:
    /// `owner.user.person`.
    RemoveFields(Vec<String>),
    /// An error with this code, without processing: of the OAuth endpoints in the current shape, of all others in
    /// Notion's API envelope.
    Error {
        /// The HTTP status.
        status: u16,
        /// `error` in shape A, `code` in shape B and in the envelope.
        code: String,
        /// `error_description` in shape A, `message` in shape B and in the envelope.
        #[serde(default)]
        message: Option<String>,
    },
    /// Process, then answer 503 `service_unavailable` with `additional_data.retry_guidance`, as Notion may although a
    /// create is committed. If processing fails, nothing is committed, and its error is the answer.
    #[serde(rename = "committed_then_503")]
    CommittedThen503 {
        /// Whether `additional_data.committed_resource_id` is the id of what was made: the `id` of the answer, or that
        /// of the first result of a list.
        names_resource: bool,
    },
}

/// One HTTP request as it arrived. It contains credentials: do not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Recorded {
    /// `None` for pages of the simulator itself and unknown paths.
    pub endpoint: Option<Endpoint>,
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// The part after the `?`; empty if there is none.
    pub query: String,
    /// In order of arrival, names in lower case. Values that are not ASCII are left empty.
    pub headers: Vec<(String, String)>,
    /// Bytes that are not UTF-8 are replaced.
    pub body: String,
    /// The TCP connection on which it arrived, counted from 1.
    pub connection_number: u64,
    /// The status of the answer; `None` until there is one, and forever if the connection was cut.
    pub status: Option<u16>,
}

impl Recorded {
    /// The first value of a header; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }
}

impl std::fmt::Debug for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorded")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("connection_number", &self.connection_number)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// The recorded requests and the queued faults.
#[derive(Default)]
pub(crate) struct Traffic {
    pub(crate) log: Vec<Recorded>,
    pub(crate) windows: Windows,
    counts: HashMap<Endpoint, usize>,
    faults: HashMap<Endpoint, VecDeque<(Fault, u32)>>,
}

impl Traffic {
    pub(crate) fn inject(&mut self, endpoint: Endpoint, fault: Fault, times: u32) {
        if times > 0 {
            self.faults.entry(endpoint).or_default().push_back((fault, times));
        }
    }

    pub(crate) fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// The fault for the next request to this endpoint, counted as used.
    pub(crate) fn take_fault(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let queue = self.faults.get_mut(&endpoint)?;
        let (fault, times) = queue.front_mut()?;
        *times -= 1;
        let spent = *times == 0;
        let fault = fault.clone();
        if spent {
            queue.pop_front();
        }
        Some(fault)
    }

    /// The waiting faults by endpoint, in the order in which they will be used.
    pub(crate) fn waiting(&self) -> Vec<(Endpoint, &Fault, u32)> {
        let queues =
            Endpoint::ALL.iter().filter_map(|endpoint| Some((*endpoint, self.faults.get(endpoint)?)));
        queues
            .flat_map(|(endpoint, queue)| queue.iter().map(move |(fault, times)| (endpoint, fault, *times)))
            .collect()
    }

    /// Records a request. Answers its place in the log.
    pub(crate) fn record(&mut self, request: Recorded) -> usize {
        if let Some(endpoint) = request.endpoint {
            *self.counts.entry(endpoint).or_default() += 1;
        }
        self.log.push(request);
        self.log.len() - 1
    }

    pub(crate) fn count(&self, endpoint: Endpoint) -> usize {
        self.counts.get(&endpoint).copied().unwrap_or_default()
    }
}
