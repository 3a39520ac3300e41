//! The inside of a stack, shared by the front, Lambda's API and the start page.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lambda_http::Context;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::random::Random;
use simulated_notion::Simulator;
use vault::webhook_keys::WebhookKeys;

use crate::aws::{Call, Services};
use crate::functions::Functions;
use crate::throttle::Throttle;

/// The name of the simulated connection's client secret in the Secrets Manager stand-in.
pub(crate) const CLIENT_SECRET: &str = "notion-install/client-secret";

/// The name of the token key ring there.
pub(crate) const TOKEN_KEY_RING: &str = "notion-install/token-key-ring";

/// The name of the webhook secret there.
pub(crate) const WEBHOOK_SECRET: &str = "notion-install/webhook-secret";

/// The function that has more time than the others.
pub(crate) const ONBOARD: &str = "onboard";
/// The timeout of `onboard` in the template, in milliseconds.
pub(crate) const ONBOARD_TIMEOUT_MS: u64 = 60_000;

/// The running parts of the stack.
pub(crate) struct Inside {
    pub(crate) functions: Functions,
    pub(crate) services: Arc<Services>,
    pub(crate) aws_url: Option<String>,
    pub(crate) notion: Option<Simulator>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) url: String,
    pub(crate) variables: HashMap<String, String>,
    pub(crate) function_timeout_ms: u64,
    pub(crate) callback_throttle: Option<Throttle>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) grants_file: Option<PathBuf>,
    pub(crate) requests: AtomicU64,
    /// Which function has invoked which, through Lambda's API.
    pub(crate) invocations: Mutex<Vec<Call>>,
    /// Every answer of a function so far, if answers are kept.
    pub(crate) kept_answers: Option<Mutex<Vec<String>>>,
    /// The result of the last button on the start page.
    pub(crate) said: Mutex<Option<String>>,
}

impl Inside {
    pub(crate) fn next_request_id(&self) -> String {
        format!("local-{}", self.requests.fetch_add(1, Ordering::SeqCst) + 1)
    }

    pub(crate) fn store_client_secret(&self, secret: &str) -> io::Result<()> {
        let value = json!({"client_secret": secret});
        self.services.secrets_manager.service().put(CLIENT_SECRET, &value)
    }

    /// The secret with which webhooks are verified, as the operator prints it.
    pub(crate) fn webhook_secret(&self) -> String {
        let stored = self.services.secrets_manager.service().current(WEBHOOK_SECRET).unwrap_or_default();
        let keys = WebhookKeys::parse(&stored.to_string());
        keys.map(|keys| keys.current().expose().to_owned()).unwrap_or_default()
    }

    /// Invokes a function as Lambda would; `None` if there is no function with that name.
    pub(crate) async fn invoke(&self, name: &str, event: &RawValue) -> Option<Box<RawValue>> {
        let mut context = Context::default();
        context.request_id = self.next_request_id();
        let timeout_ms = if name == ONBOARD { ONBOARD_TIMEOUT_MS } else { self.function_timeout_ms };
        context.deadline = self.clock.now_millis().0 + timeout_ms;
        let answer = Box::pin(self.functions.invoke(name, event, context)).await?;
        if let Some(answers) = &self.kept_answers {
            lock(answers).push(without_access_token(&answer));
        }
        Some(answer)
    }

    /// What a function answers to our own backend for `input`.
    pub(crate) async fn ask(&self, name: &str, input: &Value) -> Value {
        let event = to_raw_value(input).unwrap_or_default();
        let answer = self.invoke(name, &event).await;
        answer.and_then(|answer| serde_json::from_str(answer.get()).ok()).unwrap_or_default()
    }

    pub(crate) fn invocations(&self) -> Vec<Call> {
        lock(&self.invocations).clone()
    }

    pub(crate) fn note_invocation(&self, call: Call) {
        lock(&self.invocations).push(call);
    }

    pub(crate) fn say(&self, said: String) {
        *lock(&self.said) = Some(said);
    }

    pub(crate) fn last_said(&self) -> Option<String> {
        lock(&self.said).take()
    }

    pub(crate) fn answers(&self) -> Vec<String> {
        self.kept_answers.as_ref().map(|kept| lock(kept).clone()).unwrap_or_default()
    }
}

/// An answer that the tests may search for secrets, without the access token that the backend asked for.
fn without_access_token(answer: &RawValue) -> String {
    let Ok(mut json) = serde_json::from_str::<Value>(answer.get()) else { return answer.get().to_owned() };
    let over_http = json["body"].as_str().and_then(|body| serde_json::from_str::<Value>(body).ok());
    if let Some(mut body) = over_http {
        body["access_token"].take();
        json["body"] = body.to_string().into();
    } else if json["access_token"].is_string() {
        json["access_token"].take();
    } else {
        return answer.get().to_owned();
    }
    json.to_string()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
