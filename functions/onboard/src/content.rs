//! Calls to Notion's content endpoints. Each sends one request, and says what is known of its outcome.

use std::time::Duration;

use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE};
use notion_token_client::Token;
use serde_json::Value;
use shared::clock::UnixSeconds;
use shared::ids::identifier;
use tokio::time::Instant;
use vault::budget::until;
use vault::http_client;
use vault::notion::{NOTION_VERSION, NotionAnswer, RetryAfter};

/// The largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// When to ask again if Notion does not say, in seconds.
const LATER_SECS: u64 = 60;
/// When to ask again if Notion blocks us.
const BLOCKED: Duration = Duration::from_hours(1);
/// How much of a message of Notion goes to the log, in characters.
const MESSAGE_CHARS: usize = 300;

/// Notion's content endpoints.
#[derive(Debug)]
pub(crate) struct Content {
    http: reqwest::Client,
    base_url: String,
}

/// Why a call brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// 401: the token is dead, or was replaced.
    Unauthorized,
    /// 403: a capability is missing, or a limit of the plan is reached.
    Forbidden,
    /// 404: deleted, not shared, or not there yet.
    NotFound,
    /// 400, 413 and the like: the request is wrong.
    Invalid,
    /// 429 or 529: not processed. `for_all`: it is about the connection, not about one workspace.
    Later { wait: Duration, for_all: bool },
    /// Not processed, by chance.
    NotProcessed,
    /// It may have been processed. If Notion said so, with the id of what it made.
    Unknown { committed_id: Option<String> },
}

impl Content {
    pub(crate) fn new(http: reqwest::Client, base_url: String) -> Self {
        Self { http, base_url }
    }

    /// Sends a request. `path` begins after `/v1/`.
    pub(crate) async fn call(
        &self,
        token: &Token,
        method: Method,
        path: &str,
        body: Option<&Value>,
        now: UnixSeconds,
        deadline: Instant,
    ) -> Result<Value, Trouble> {
        let mut request = self
            .http
            .request(method, format!("{}/v1/{path}", self.base_url))
            .bearer_auth(token.access_token())
            .header(ACCEPT, "application/json")
            .header("notion-version", NOTION_VERSION);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let unknown = Trouble::Unknown { committed_id: None };
        let exchange = async {
            let response = request
                .send()
                .await
                .map_err(|error| if error.is_connect() { Trouble::NotProcessed } else { unknown.clone() })?;
            let answer = NotionAnswer::of(&response);
            let body = http_client::read_body(response, MAX_ANSWER_BYTES).await;
            match body {
                Ok(body) if answer.status.is_success() => {
                    serde_json::from_slice(&body).map_err(|_| unknown.clone())
                }
                Ok(body) => Err(classify(&answer, &body, now)),
                // A refusal is one, whatever its body.
                Err(_) if answer.status.is_client_error() => Err(classify(&answer, &[], now)),
                Err(_) => Err(unknown.clone()),
            }
        };
        until(deadline, exchange).await.unwrap_or_else(|_out_of_time| Err(unknown.clone()))
    }
}

fn classify(answer: &NotionAnswer, body: &[u8], now: UnixSeconds) -> Trouble {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str);
    let message: String = text("/message").unwrap_or_default().chars().take(MESSAGE_CHARS).collect();
    tracing::warn!(
        status = answer.status.as_u16(),
        code = text("/code").and_then(identifier),
        notion_request_id = answer.request_id,
        message,
        "Notion did not do what was asked"
    );
    let blocked = Trouble::Later { wait: BLOCKED, for_all: true };
    let reason = text("/additional_data/rate_limit_reason");
    match answer.status.as_u16() {
        429 | 529 if reason == Some("public_api_request_blocked") => blocked,
        429 | 529 => {
            let in_body = || text("/additional_data/retry_after").and_then(RetryAfter::parse);
            let asked = answer.retry_after.or_else(in_body);
            let wait = asked.unwrap_or(RetryAfter::Secs(LATER_SECS)).wait(now);
            Trouble::Later { wait, for_all: reason != Some("public_api_space_request_rate_limit") }
        }
        // Without Notion's envelope it comes from the network in front of it.
        401 | 403 if text("/code").is_none() => blocked,
        401 => Trouble::Unauthorized,
        403 => Trouble::Forbidden,
        404 => Trouble::NotFound,
        409 => Trouble::NotProcessed,
        408 | 500.. => {
            let committed_id = text("/additional_data/committed_resource_id").and_then(identifier);
            Trouble::Unknown { committed_id }
        }
        _ => Trouble::Invalid,
    }
}
