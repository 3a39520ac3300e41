//! The app's endpoint: where it may be, and what it answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use shared::clock::UnixSeconds;
use shared::config::{ConfigError, Lookup, required};
use url::{Host, Url};
use vault::http_client::{self, ClientError};

use crate::address::is_public;

/// How long the endpoint may take to answer, connecting included (Standard Webhooks recommends 15 to 30 seconds).
pub(crate) const ANSWER_SECS: u64 = 15;

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The endpoint has it (2xx).
    Taken,
    /// It wants no more (410).
    Gone,
    /// It did not take it: its status, and after which time it wants to be asked again.
    NotTaken { why: String, retry_after: Option<Duration> },
}

/// The endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    url: Url,
    http: reqwest::Client,
    /// Whether it is on this machine, as in the dev stack.
    is_local: bool,
}

/// What is sent.
pub(crate) struct Delivery<'a> {
    pub(crate) id: &'a str,
    pub(crate) timestamp: u64,
    pub(crate) signature: &'a str,
    pub(crate) body: &'a str,
}

/// The endpoint's address is not public.
#[derive(Debug, thiserror::Error)]
#[error("the address is not public")]
struct NotPublic;

impl Endpoint {
    /// Reads `WEBHOOK_URL`.
    pub(crate) fn read(lookup: &impl Lookup) -> Result<Self, ReadError> {
        const VARIABLE: &str = "WEBHOOK_URL";
        let expected = "an https:// URL without a user, or http://localhost:<port>/…";
        let invalid = || ConfigError::Invalid { variable: VARIABLE, expected };
        let url = Url::parse(&required(lookup, VARIABLE)?).map_err(|_| invalid())?;
        let is_local = url.scheme() == "http" && is_this_machine(&url);
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if !plain || !(is_local || url.scheme() == "https") {
            return Err(invalid().into());
        }
        let http = http_client::build_for_strangers(Arc::new(Guard { is_local }))?;
        Ok(Self { url, http, is_local })
    }

    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Sends one webhook. The answer's body is not read.
    pub(crate) async fn post(&self, delivery: &Delivery<'_>, now: UnixSeconds) -> Answer {
        let not_taken = |why: &str| Answer::NotTaken { why: why.to_owned(), retry_after: None };
        // The client does not ask the resolver about an address.
        let literal = match self.url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        };
        if literal.is_some_and(|address| !may_connect(address, self.is_local)) {
            report_not_public(self.url.host_str());
            return not_taken("its address is not public");
        }
        let post = self
            .http
            .post(self.url.clone())
            .timeout(Duration::from_secs(ANSWER_SECS))
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", delivery.id)
            .header("webhook-timestamp", delivery.timestamp)
            .header("webhook-signature", delivery.signature)
            .body(delivery.body.to_owned());
        match post.send().await {
            Ok(answer) => match answer.status().as_u16() {
                200..=299 => Answer::Taken,
                410 => Answer::Gone,
                status => {
                    let header = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                    Answer::NotTaken {
                        why: status.to_string(),
                        retry_after: header.and_then(|text| retry_after(text, now)),
                    }
                }
            },
            Err(error) if is_not_public(&error) => not_taken("its address is not public"),
            Err(error) if error.is_timeout() => not_taken("timeout"),
            Err(error) if error.is_connect() => not_taken("no connection"),
            Err(_) => not_taken("no answer"),
        }
    }
}

/// The endpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Reads `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.
fn retry_after(text: &str, now: UnixSeconds) -> Option<Duration> {
    let secs = text.trim().parse().ok().or_else(|| {
        let date = DateTime::from_str(text.trim(), Format::HttpDate).ok()?;
        u64::try_from(date.secs()).ok()?.checked_sub(now.0)
    });
    secs.map(Duration::from_secs)
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An endpoint on this machine stays on this machine.
fn may_connect(address: IpAddr, is_local: bool) -> bool {
    if is_local { address.is_loopback() } else { is_public(address) }
}

fn is_not_public(error: &reqwest::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn report_not_public(host: Option<&str>) {
    tracing::error!(
        alarm = "webhook_refused_address",
        host,
        "the endpoint's address is not public: nothing was sent"
    );
}

/// Resolves a name, and refuses it if any of its addresses is not allowed. The connection goes to these very addresses.
struct Guard {
    is_local: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let is_local = self.is_local;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.iter().any(|address| !may_connect(address.ip(), is_local)) {
                report_not_public(Some(name.as_str()));
                return Err(NotPublic.into());
            }
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_date() {
        let now = UnixSeconds(1_795_305_600);
        let read = |text| retry_after(text, now).map(|wait| wait.as_secs());
        assert_eq!(read("120"), Some(120));
        assert_eq!(read("Sun, 22 Nov 2026 00:10:00 GMT"), Some(600));
        assert_eq!(read("Sat, 21 Nov 2026 00:00:00 GMT"), None);
        assert_eq!(read("soon"), None);
    }
}
