//! One address for all the stand-ins, as `AWS_ENDPOINT_URL` wants it: for functions in containers (`sam local`) and
//! for AWS's own command line.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use simulated_notion::wire::{CountingListener, Cutter};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::dynamodb::Dynamo;
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
    pub rescue_queue: Wire<Queue>,
}

/// Serves all of `services` on `port` of 127.0.0.1 (0: any free one); gives the port.
///
/// # Errors
///
/// If the port cannot be had.
pub async fn serve(services: Arc<Services>, port: u16) -> io::Result<(u16, JoinHandle<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let port = listener.local_addr()?.port();
    let router = Router::new().fallback(answer).with_state(services);
    let listener = CountingListener { listener, accepted: Arc::new(AtomicU64::new(0)) };
    let serving = axum::serve(listener, router.into_make_service_with_connect_info::<Cutter>());
    // axum's server goes on for ever.
    Ok((port, tokio::spawn(async move { drop(serving.await) })))
}

async fn answer(
    State(services): State<Arc<Services>>,
    ConnectInfo(wire): ConnectInfo<Cutter>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    match target.split('.').next().unwrap_or_default() {
        "DynamoDB_20120810" => services.dynamodb.answer(wire, &headers, body).await,
        "secretsmanager" => services.secrets_manager.answer(wire, &headers, body).await,
        "AmazonSQS" => services.rescue_queue.answer(wire, &headers, body).await,
        _ => (StatusCode::NOT_FOUND, "DynamoDB, Secrets Manager and SQS answer here, and nothing else.")
            .into_response(),
    }
}
