//! The app's calls: to the signed routes of the stack, and to Notion.

use serde_json::{Value, json};
use shared::clock::Clock;
use shared::query::encode;
use shared::secret::CodeVerifier;

use crate::signed;

const CALLER: &str = "the sample app";
const NOTION_VERSION: &str = "2026-03-11";

/// The app's backend.
pub(super) struct Backend {
    pub(super) http: reqwest::Client,
    /// Where the routes are.
    pub(super) stack_url: String,
    pub(super) notion_url: String,
}

/// An answer with its status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    /// The error's key and what to do, or nothing.
    pub(super) fn problem(&self) -> Option<String> {
        let error = self.body["error"].as_str().unwrap_or("no answer");
        let message = self.body["message"].as_str().unwrap_or_default();
        (self.status != 200).then(|| format!("{error}: {message}"))
    }
}

impl Backend {
    pub(super) async fn claim(
        &self,
        clock: &dyn Clock,
        code: &str,
        verifier: &CodeVerifier,
        subject: &str,
    ) -> Answer {
        let claim =
            json!({"code": code, "code_verifier": verifier.expose(), "subject": subject, "caller": CALLER});
        self.send(clock, "POST", "/claim", Some(&claim)).await
    }

    pub(super) async fn installations(&self, clock: &dyn Clock, subject: &str) -> Answer {
        let path = format!("/installations?subject={}&caller={}", encode(subject), encode(CALLER));
        self.send(clock, "GET", &path, None).await
    }

    pub(super) async fn disconnect(&self, clock: &dyn Clock, subject: &str, of: &[(&str, String)]) -> Answer {
        self.send(clock, "POST", "/uninstall", Some(&named(subject, of))).await
    }

    /// What Notion says about the person: with a token of the stack's, and with another one if Notion refuses it.
    pub(super) async fn me(&self, clock: &dyn Clock, subject: &str, of: &[(&str, String)]) -> Answer {
        let mut asked = named(subject, of);
        let live = self.send(clock, "POST", "/token", Some(&asked)).await;
        if live.status != 200 {
            return live;
        }
        let me = self.ask_notion(&live.body).await;
        if me.status != 401 {
            return me;
        }
        asked["refused_fingerprint"] = live.body["fingerprint"].clone();
        let other = self.send(clock, "POST", "/token", Some(&asked)).await;
        if other.status == 200 { self.ask_notion(&other.body).await } else { other }
    }

    async fn ask_notion(&self, live: &Value) -> Answer {
        let me = self.http.get(format!("{}/v1/users/me", self.notion_url));
        let me = me.bearer_auth(live["access_token"].as_str().unwrap_or_default());
        answer(me.header("notion-version", NOTION_VERSION)).await
    }

    async fn send(&self, clock: &dyn Clock, method: &str, path: &str, asked: Option<&Value>) -> Answer {
        let url = format!("{}{path}", self.stack_url);
        let body = asked.map(Value::to_string).unwrap_or_default();
        let mut request = match method {
            "GET" => self.http.get(&url),
            _ => self.http.post(&url).header("content-type", "application/json"),
        };
        for (name, value) in signed::headers(method, &url, body.as_bytes(), "sample-app", clock.now_millis())
        {
            request = request.header(name, value);
        }
        answer(request.body(body)).await
    }
}

fn named(subject: &str, of: &[(&str, String)]) -> Value {
    let mut asked = json!({"subject": subject, "caller": CALLER});
    for (name, value) in of {
        asked[*name] = if value.is_empty() { Value::Null } else { value.as_str().into() };
    }
    asked
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let Ok(response) = request.send().await else { return Answer { status: 502, body: Value::Null } };
    let status = response.status().as_u16();
    let body = response.bytes().await.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Answer { status, body: body.unwrap_or_default() }
}
