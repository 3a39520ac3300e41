//! The recorded requests, and the faults that are waiting.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::limits::Windows;

/// Something that goes wrong with one request.
///
/// *Processed* means that the request took effect (a code was spent, tokens were issued), whatever the client saw of
/// it. As JSON: `"lost_reply"`, `{"delay_ms":500}`, `{"status":{"status":429,"retry_after":"1"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
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
    /// Answer with this status and exactly this JSON, without processing. On a path that the simulator does not have, it
    /// stands in for an endpoint.
    Response {
        /// The HTTP status.
        status: u16,
        /// The body; null for none.
        #[serde(default)]
        body: Value,
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

impl Fault {
    fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. }
            | Self::Response { status, .. }
            | Self::Error { status, .. }
            | Self::ProcessedThen5xx(status)
            | Self::Html(status) => Some(*status),
            _ => None,
        }
    }
}

/// A fault that waits for its requests: the next `times` of those that match everything given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Injection {
    /// Requests to this endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// Requests with this method; HEAD never gets a fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Requests to this path below `/v1/`, which need not exist. A step in braces stands for any one step:
    /// `/v1/pages/{id}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What goes wrong.
    pub fault: Fault,
    /// For how many requests. Default 1.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

impl Injection {
    /// For the next request to an endpoint.
    #[must_use]
    pub fn at(endpoint: Endpoint, fault: Fault) -> Self {
        Self { endpoint: Some(endpoint), method: None, path: None, fault, times: 1 }
    }

    /// For the next request with this method and path.
    #[must_use]
    pub fn on(method: &str, path: &str, fault: Fault) -> Self {
        Self { endpoint: None, method: Some(method.to_owned()), path: Some(path.to_owned()), fault, times: 1 }
    }

    /// The same for this many requests.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// What is wrong with it, and in which field.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        match (self.endpoint, self.path.as_deref()) {
            (None, None) => Some(("endpoint", "Give an endpoint or a path.")),
            (_, Some(path)) if !path.starts_with("/v1/") => {
                Some(("path", "Faults are for paths below /v1/."))
            }
            _ if self.fault.status().is_some_and(|status| !(200..600).contains(&status)) => {
                Some(("fault", "A status is between 200 and 599."))
            }
            _ => None,
        }
    }

    fn matches(&self, request: &Recorded) -> bool {
        request.is_to_notion() && request.is(self.endpoint, self.method.as_deref(), self.path.as_deref())
    }
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
    /// When it arrived by the simulator's clock, in Unix milliseconds.
    pub at_ms: u64,
    /// The status of the answer; `None` until there is one, and forever if the connection was cut.
    pub status: Option<u16>,
}

impl Recorded {
    /// The first value of a header; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    /// Whether it was made to Notion, and not to the pages and the control of the simulator.
    pub(crate) fn is_to_notion(&self) -> bool {
        self.path.starts_with("/v1/")
    }

    /// Whether it has everything that is given. A step of the path in braces stands for any one step.
    pub(crate) fn is(&self, endpoint: Option<Endpoint>, method: Option<&str>, path: Option<&str>) -> bool {
        endpoint.is_none_or(|endpoint| self.endpoint == Some(endpoint))
            && method.is_none_or(|method| self.method.eq_ignore_ascii_case(method))
            && path.is_none_or(|path| fits(&self.path, path))
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

fn fits(path: &str, pattern: &str) -> bool {
    let (steps, wanted) = (path.split('/'), pattern.split('/'));
    let is_same = |(step, wanted): (&str, &str)| {
        step == wanted || (wanted.starts_with('{') && wanted.ends_with('}') && !step.is_empty())
    };
    path.split('/').count() == pattern.split('/').count() && steps.zip(wanted).all(is_same)
}

/// The recorded requests and the queued faults.
#[derive(Default)]
pub(crate) struct Traffic {
    pub(crate) log: Vec<Recorded>,
    pub(crate) windows: Windows,
    counts: HashMap<Endpoint, usize>,
    /// In the order in which they were injected.
    faults: Vec<Injection>,
}

impl Traffic {
    /// No requests yet; these faults are waiting.
    pub(crate) fn new(faults: Vec<Injection>) -> Self {
        let mut traffic = Self::default();
        for injection in faults {
            traffic.inject(injection);
        }
        traffic
    }

    pub(crate) fn inject(&mut self, injection: Injection) {
        if injection.times > 0 {
            self.faults.push(injection);
        }
    }

    pub(crate) fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// The first waiting fault for this request, counted as used.
    pub(crate) fn take_fault(&mut self, request: &Recorded) -> Option<Fault> {
        let at = self.faults.iter().position(|waiting| waiting.matches(request))?;
        let waiting = &mut self.faults[at];
        waiting.times -= 1;
        if waiting.times > 0 { Some(waiting.fault.clone()) } else { Some(self.faults.remove(at).fault) }
    }

    /// The waiting faults, in the order in which they will be used.
    pub(crate) fn waiting(&self) -> &[Injection] {
        &self.faults
    }

    /// The requests to Notion with their numbers, counted from 1, in order of arrival.
    pub(crate) fn to_notion(&self) -> impl Iterator<Item = (usize, &Recorded)> {
        let requests = self.log.iter().filter(|request| request.is_to_notion());
        requests.enumerate().map(|(at, request)| (at + 1, request))
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

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_step_in_braces_stands_for_one_step() {
        let cases = [
            ("/v1/pages", "/v1/pages", true),
            ("/v1/pages/4ead", "/v1/pages/{id}", true),
            ("/v1/pages/4ead/markdown", "/v1/pages/{id}/markdown", true),
            ("/v1/pages/4ead/markdown", "/v1/pages/{id}", false),
            ("/v1/pages/", "/v1/pages/{id}", false),
            ("/v1/pages", "/v1/pages/{id}", false),
            ("/v1/pages/4ead", "/v1/pages", false),
        ];
        for (path, pattern, expected) in cases {
            assert_eq!(fits(path, pattern), expected, "{path} {pattern}");
        }
    }
}
