//! One HTTP client for Notion and for the AWS SDK: one pool, one TLS stack, one set of roots.
//!
//! No redirects (a token request must not wander), no proxies from the environment, no retries of its own, HTTP/1.1,
//! TLS by rustls on ring with Mozilla's roots compiled in (loading the system's costs 19 M instructions a start).

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use reqwest::dns::Resolve;

/// How long connecting may take, TLS included, in milliseconds.
pub const CONNECT_TIMEOUT_MS: u64 = 2000;
/// How long an idle connection is kept, in milliseconds: a frozen environment thaws with dead connections, and a
/// code must not be sent into one.
pub const IDLE_TIMEOUT_MS: u64 = 20_000;
/// Largest answer that is read, in bytes. DynamoDB's items have at most 400 KB.
const MAX_SDK_BODY_BYTES: usize = 4 * 1024 * 1024;

/// The TLS backend could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be built")]
pub struct ClientError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Builds the client. One per process.
///
/// # Errors
///
/// [`ClientError`] if TLS cannot be set up.
pub fn build() -> Result<reqwest::Client, ClientError> {
    let client = builder()?.connect_timeout(Duration::from_millis(CONNECT_TIMEOUT_MS));
    client.build().map_err(|error| ClientError(error.into()))
}

/// Builds a client for an address that is not ours: `resolver` decides where it may connect, and no connection is used
/// twice. It does not ask the resolver about a URL whose host is an IP address.
///
/// # Errors
///
/// [`ClientError`] if TLS cannot be set up.
pub fn build_for_strangers(resolver: Arc<impl Resolve + 'static>) -> Result<reqwest::Client, ClientError> {
    let client = builder()?.dns_resolver(resolver).pool_max_idle_per_host(0);
    client.build().map_err(|error| ClientError(error.into()))
}

#[expect(clippy::disallowed_methods, reason = "the one place that builds clients")]
fn builder() -> Result<reqwest::ClientBuilder, ClientError> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .pool_idle_timeout(Duration::from_millis(IDLE_TIMEOUT_MS))
        .user_agent(concat!("notion-install/", env!("CARGO_PKG_VERSION"))))
}

/// Reads a body, but no more than `limit_bytes` of it.
///
/// # Errors
///
/// The client's error, or [`BodyError::TooLarge`].
pub async fn read_body(mut response: reqwest::Response, limit_bytes: usize) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit_bytes {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It broke off.
    #[error("the answer broke off")]
    Broken(#[from] reqwest::Error),
    /// It is larger than anything we expect.
    #[error("the answer is too large")]
    TooLarge,
}

/// The same client, as the SDK wants it.
#[derive(Debug, Clone)]
pub struct SdkHttpClient(pub reqwest::Client);

#[derive(Debug)]
struct Connector {
    client: reqwest::Client,
    read_timeout: Option<Duration>,
}

impl HttpClient for SdkHttpClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let read_timeout = settings.read_timeout();
        SharedHttpConnector::new(Connector { client: self.0.clone(), read_timeout })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (client, read_timeout) = (self.client.clone(), self.read_timeout);
        HttpConnectorFuture::new(async move {
            let sending = send(&client, request);
            match read_timeout {
                None => sending.await,
                Some(limit) => tokio::time::timeout(limit, sending)
                    .await
                    .unwrap_or_else(|elapsed| Err(ConnectorError::timeout(elapsed.into()))),
            }
        })
    }
}

async fn send(client: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    // Every call of ours has its body in memory.
    let body = body.bytes().ok_or_else(|| ConnectorError::user("a streaming body".into()))?.to_vec();
    let response = client
        .request(parts.method, parts.uri.to_string())
        .headers(parts.headers)
        .body(body)
        .send()
        .await
        .map_err(classified)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = read_body(response, MAX_SDK_BODY_BYTES).await.map_err(|error| match error {
        BodyError::Broken(error) => classified(error),
        BodyError::TooLarge => ConnectorError::other(error.into(), None),
    })?;
    let mut response = http::Response::new(SdkBody::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
}

/// The stock connector's error classes, on which the SDK's retries rest.
fn classified(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_builder() {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}
