//! A simulator with one connection and a stopped clock, and helpers to drive it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, Approval, Connection, Options, ROADMAP, Settings, Simulator};

use crate::browser::{Answer, send};

pub(crate) const REDIRECT_URI: &str = "http://localhost:3000/callback";
pub(crate) const START_MS: u64 = 1_727_554_061_083;

/// The query of an ordinary authorization URL.
pub(crate) const QUERY: &str = "client_id=client&redirect_uri=http%3A%2F%2Flocalhost%3A3000%2Fcallback\
                                &response_type=code&owner=user&state=s%20%26";

pub(crate) struct Bench {
    pub(crate) notion: Simulator,
    now_ms: Arc<AtomicU64>,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with_options(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with_options(|options| change(&mut options.settings)).await
    }

    pub(crate) async fn with_options(change: impl FnOnce(&mut Options)) -> Self {
        let now_ms = Arc::new(AtomicU64::new(START_MS));
        let clock = Arc::clone(&now_ms);
        let mut options = Options {
            connections: vec![connection()],
            random_seed: Some(1),
            clock: Arc::new(move || clock.load(Ordering::SeqCst)),
            ..Options::default()
        };
        change(&mut options);
        Self { notion: Simulator::start(options).await.unwrap(), now_ms }
    }

    pub(crate) fn advance_secs(&self, secs: u64) {
        self.now_ms.fetch_add(secs * 1000, Ordering::SeqCst);
    }

    /// A new code for Ada in Acme.
    pub(crate) fn code(&self) -> String {
        self.code_for(QUERY, ADA, ACME, ROADMAP)
    }

    pub(crate) fn code_for(&self, query: &str, person: &str, workspace: &str, page: &str) -> String {
        let redirect = self.notion.approve(Approval {
            authorize_query: query.to_owned(),
            person: person.to_owned(),
            workspace: workspace.to_owned(),
            pages: vec![page.to_owned()],
            ..Approval::default()
        });
        redirect.unwrap().parameter("code").unwrap()
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(&self.notion, "GET", path, headers, "").await.unwrap()
    }

    /// Posts JSON with the connection's credentials.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_post(path, body).await.unwrap()
    }

    /// `None` if the connection was closed before the answer was complete.
    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> Option<Answer> {
        let authorization = basic("client", "secret_1");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        send(&self.notion, "POST", path, &headers, &body.to_string()).await
    }

    pub(crate) async fn exchange(&self, code: &str) -> Answer {
        self.post("/v1/oauth/token", &exchange_body(code)).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        let body = json!({ "grant_type": "refresh_token", "refresh_token": token });
        self.post("/v1/oauth/token", &body).await
    }

    /// Whether an access token works in the API.
    pub(crate) async fn works(&self, access_token: &str) -> bool {
        let authorization = format!("Bearer {access_token}");
        let headers = [("authorization", authorization.as_str()), ("notion-version", "2026-03-11")];
        self.get("/v1/users/me", &headers).await.status == 200
    }

    /// The tokens of a new authorization by Ada.
    pub(crate) async fn pair(&self) -> Pair {
        Pair::of(&self.exchange(&self.code()).await)
    }
}

pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Pair {
    pub(crate) fn of(answer: &Answer) -> Self {
        let body = answer.json();
        Self {
            access: body["access_token"].as_str().unwrap().to_owned(),
            refresh: body["refresh_token"].as_str().unwrap().to_owned(),
        }
    }
}

pub(crate) fn connection() -> Connection {
    Connection::new("client", "secret_1", REDIRECT_URI)
}

pub(crate) fn exchange_body(code: &str) -> Value {
    json!({ "grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI })
}

pub(crate) fn basic(client_id: &str, secret: &str) -> String {
    let credentials = base64::prelude::BASE64_STANDARD.encode(format!("{client_id}:{secret}"));
    format!("Basic {credentials}")
}
