//! One address for all the stand-ins, for `AWS_ENDPOINT_URL`: used by functions in containers (`sam local`) and by
//! AWS's own command line.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use simulated_notion::wire::{CountingListener, Cutter};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::dynamodb::Dynamo;
use super::event_bus::EventBus;
use super::secrets_manager::SecretsManager;
use super::sqs::Queue;
use super::wire::Wire;

/// The stand-ins.
pub struct Services {
    /// `DynamoDB_20120810`.
    pub dynamodb: Wire<Dynamo>,
    /// `secretsmanager`.
    pub secrets_manager: Wire<SecretsManager>,
    /// `AmazonSQS`.
    pub queues: Wire<Queue>,
    /// `AWSEvents`.
    pub event_bus: Wire<EventBus>,
}

/// Serves `router` on `listener`. The task runs until it is aborted.
#[must_use]
pub fn serve(listener: TcpListener, router: Router) -> JoinHandle<()> {
    let listener = CountingListener { listener, accepted: Arc::new(AtomicU64::new(0)) };
    let serving = axum::serve(listener, router.into_make_service_with_connect_info::<Cutter>());
    // axum's server runs forever.
    tokio::spawn(async move { drop(serving.await) })
}

impl Services {
    /// Answers a call to any of them.
    pub(crate) async fn answer(&self, wire: Cutter, headers: &HeaderMap, body: Bytes) -> Response {
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
        match target.split('.').next().unwrap_or_default() {
            "DynamoDB_20120810" => self.dynamodb.answer(wire, headers, body).await,
            "secretsmanager" => self.secrets_manager.answer(wire, headers, body).await,
            "AmazonSQS" => self.queues.answer(wire, headers, body).await,
            "AWSEvents" => self.event_bus.answer(wire, headers, body).await,
            _ => {
                let text = "DynamoDB, EventBridge, Secrets Manager, SQS and Lambda's Invoke answer here, and nothing else.";
                (StatusCode::NOT_FOUND, text).into_response()
            }
        }
    }
}
