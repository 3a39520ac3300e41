//! Lambda, as far as a vector tells: under the real SDK, which sends it real requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{
    BehaviorVersion, Credentials, Region, RuntimeComponents, StalledStreamProtectionConfig,
};
use aws_sdk_lambda::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::timeout::TimeoutConfig;
use serde_json::{Value, json};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

use super::known::object;

/// Answers each invocation as the vector says, in its order.
#[derive(Debug, Clone, Default)]
pub(super) struct ScriptedLambda {
    script: Arc<Mutex<Script>>,
    gate: Arc<RwLock<()>>,
}

#[derive(Debug, Default)]
struct Script {
    to_come: VecDeque<Value>,
    /// What was invoked instead of what was expected.
    unexpected: Vec<String>,
    invoked: usize,
}

impl ScriptedLambda {
    pub(super) fn client(&self) -> aws_sdk_lambda::Client {
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("backend", "secret", None, None, "a test"))
            .http_client(self.clone())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(RetryConfig::disabled());
        aws_sdk_lambda::Client::from_conf(config.build())
    }

    pub(super) fn expect(&self, invocations: &[Value]) {
        let mut script = self.script.lock().unwrap();
        script.to_come.extend(invocations.iter().cloned());
        script.invoked = 0;
    }

    /// Nothing is answered while the guard lives.
    pub(super) fn hold(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).try_write_owned().unwrap()
    }

    pub(super) fn is_asked(&self) -> bool {
        self.script.lock().unwrap().invoked > 0
    }

    /// Everything that was expected was invoked, and nothing else.
    pub(super) fn assert_done(&self) {
        let script = self.script.lock().unwrap();
        assert!(script.unexpected.is_empty(), "unexpected: {:?}", script.unexpected);
        assert!(script.to_come.is_empty(), "not invoked: {:?}", script.to_come);
    }

    /// What the invocation of `function` gets.
    fn invoked(&self, function: &str, payload: &Value) -> Result<HttpResponse, ConnectorError> {
        let mut script = self.script.lock().unwrap();
        script.invoked += 1;
        let expected = script.to_come.pop_front();
        let is_expected =
            |expected: &Value| expected["function"] == function && expected["payload"] == *payload;
        let Some(expected) = expected.filter(is_expected) else {
            script.unexpected.push(format!("{function} {payload}"));
            return Err(ConnectorError::user("unexpected".into()));
        };
        let known =
            ["function", "payload", "answer", "answer_text", "function_error", "not_reached", "request_id"];
        let expected = object(&expected, &known);
        if expected.contains_key("not_reached") {
            return Err(ConnectorError::io("nobody there".into()));
        }
        let failure = expected.get("function_error");
        let body = match (expected.get("answer"), expected.get("answer_text")) {
            (Some(answer), None) => answer.to_string(),
            (None, Some(text)) => text.as_str().unwrap().to_owned(),
            _ => json!({"errorType": failure.unwrap(), "errorMessage": "it failed"}).to_string(),
        };
        let mut response = HttpResponse::new(200.try_into().unwrap(), SdkBody::from(body));
        let headers = [("x-amz-function-error", failure), ("x-amzn-requestid", expected.get("request_id"))];
        for (name, value) in headers {
            if let Some(value) = value {
                response.headers_mut().insert(name, value.as_str().unwrap().to_owned());
            }
        }
        Ok(response)
    }
}

impl HttpClient for ScriptedLambda {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for ScriptedLambda {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let path = request.uri().split("/functions/").nth(1).unwrap();
        let function = path.strip_suffix("/invocations").unwrap().to_owned();
        let payload: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let outcome = self.invoked(&function, &payload);
        let gate = Arc::clone(&self.gate);
        HttpConnectorFuture::new(async move {
            let _open = gate.read().await;
            outcome
        })
    }
}
