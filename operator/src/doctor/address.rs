//! What a person comes across: the install URL, its redirect to Notion, the redirect URI, the domain. And the clock.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use reqwest::header::{ACCEPT, DATE, HOST, LOCATION};
use shared::clock::{Clock as _, SystemClock};
use shared::config::PublicConnection;
use url::Url;

use super::finding::CHANGED_BY_HAND;
use crate::aws::Aws;
use crate::report::Report;
use crate::stack::Stack;

/// How long a page may take, in seconds: a cold start and some network.
const PAGE_LIMIT_SECS: u64 = 15;
/// How far this machine's clock may be off, in seconds.
const MAX_SKEW_SECS: i64 = 60;

pub(super) async fn get(aws: &Aws, url: &str) -> Result<reqwest::Response, reqwest::Error> {
    let mut request = aws.http.get(url);
    // Names under `localhost` are this machine (RFC 6761 §6.3), but not every resolver knows that.
    if let Ok(mut address) = Url::parse(url)
        && let Some(host) = address.host_str().filter(|host| host.ends_with(".localhost")).map(str::to_owned)
        && address.set_host(Some("127.0.0.1")).is_ok()
    {
        let port = address.port().map(|port| format!(":{port}")).unwrap_or_default();
        request = aws.http.get(address).header(HOST, format!("{host}{port}"));
    }
    let request = request.header(ACCEPT, "application/json");
    request.timeout(Duration::from_secs(PAGE_LIMIT_SECS)).send().await
}

/// The custom domain points to this API.
pub(super) async fn custom_domain(stack: &Stack, report: &mut Report) {
    const STEP: &str = "custom domain";
    let (Some(domain), Some(target)) = (stack.parameter("DomainName"), stack.output("DomainTarget")) else {
        return;
    };
    let (found, wanted) = (addresses(domain).await, addresses(target).await);
    let cure = || {
        let records = match stack.parameter("HostedZoneId") {
            Some(zone) => format!(
                "the stack created its records in zone {zone}: check that the domain is delegated to it"
            ),
            None => format!("make {domain} a CNAME of {target}, or give the stack its HostedZoneId"),
        };
        format!("{records}; new records and certificates take a few minutes")
    };
    match (found.is_empty(), found.is_disjoint(&wanted)) {
        (true, _) => report.problem(STEP, format!("{domain} has no address"), cure()),
        // A name server may return only some of the addresses, so this is not certain.
        (false, true) => {
            report.warning(STEP, format!("{domain} does not seem to point to {target}"), cure());
        }
        (false, false) => report.ok(STEP, format!("{domain} points to {target}")),
    }
}

async fn addresses(host: &str) -> BTreeSet<IpAddr> {
    let found = tokio::net::lookup_host((host, 443)).await;
    found.map(|all| all.map(|address| address.ip()).collect()).unwrap_or_default()
}

/// The install URL answers and redirects to Notion as this connection, and Notion accepts the request.
pub(super) async fn install(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "install url";
    let (Some(url), Ok(connection)) = (stack.output("InstallUrl"), stack.connection()) else {
        return report.problem(STEP, "the stack has no output InstallUrl", aws.commands.deploy());
    };
    let response = match get(aws, url).await {
        Ok(response) => response,
        Err(error) => return unreachable(stack, report, STEP, url, error),
    };
    clock(&response, report);
    let status = response.status();
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let Some(authorize) = location.filter(|_| status == 302).and_then(|text| Url::parse(text).ok()) else {
        let found = format!("{url} answers {status} instead of redirecting to Notion");
        return report.problem(STEP, found, aws.commands.log("InstallFunction"));
    };
    let sent = |name: &str| authorize.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
    if !authorize.as_str().starts_with(&format!("{}?", connection.authorize_url()))
        || sent("client_id").as_deref() != Some(connection.client_id.as_str())
    {
        let found = format!("{url} does not redirect to Notion, or uses another client id");
        return report.problem(STEP, found, CHANGED_BY_HAND);
    }
    if sent("redirect_uri").as_deref() != Some(connection.redirect_uri.as_str()) {
        let found = format!("{url} gives Notion another redirect URI than {}", connection.redirect_uri);
        return report.problem("redirect uri", found, CHANGED_BY_HAND);
    }
    report.ok(STEP, format!("{url} redirects to Notion as {}", connection.client_id));
    redirect_uri(aws, &authorize, &connection.redirect_uri, report).await;
}

/// Only a person can see whether the redirect URI is registered. If Notion rejects it even without a login, that is
/// certain.
async fn redirect_uri(aws: &Aws, authorize: &Url, redirect_uri: &str, report: &mut Report) {
    const STEP: &str = "redirect uri";
    let again = "try again; Notion's status page says whether Notion has a problem";
    match get(aws, authorize.as_str()).await {
        Ok(response) if response.status() == 400 => report.problem(
            STEP,
            "Notion rejects it",
            format!(
                "enter exactly this in the connection's Configuration tab, under Redirect URIs: {redirect_uri}"
            ),
        ),
        Ok(response) if response.status().is_redirection() || response.status().is_success() => report.ok(
            STEP,
            format!("must be registered at Notion exactly like this, which only a person can check: {redirect_uri}"),
        ),
        Ok(response) => {
            report.unknown(STEP, format!("Notion's page answers {}", response.status()), again);
        }
        Err(error) => {
            report.unknown(STEP, format!("Notion cannot be asked: {}", chain(&error.without_url())), again);
        }
    }
}

/// The callback answers with one of our pages.
pub(super) async fn callback(aws: &Aws, stack: &Stack, report: &mut Report) {
    const STEP: &str = "callback";
    let Ok(PublicConnection { redirect_uri: url, .. }) = stack.connection() else { return };
    let response = match get(aws, &format!("{url}?reason=expired")).await {
        Ok(response) => response,
        Err(error) => return unreachable(stack, report, STEP, &url, error),
    };
    let status = response.status();
    let is_ours = response.headers().contains_key("content-security-policy");
    if is_ours && !status.is_server_error() {
        report.ok(STEP, format!("{url} answers"));
    } else {
        let found =
            format!("{url} answers {status}{}", if is_ours { "" } else { ", but not from our function" });
        report.problem(STEP, found, aws.commands.log("CallbackFunction"));
    }
}

fn unreachable(stack: &Stack, report: &mut Report, step: &'static str, url: &str, error: reqwest::Error) {
    let found = format!("{url} cannot be reached: {}", chain(&error.without_url()));
    let cure = match stack.parameter("DomainName") {
        Some(_) => "see the step \"custom domain\"; a new certificate takes a few minutes",
        None => "check the HTTP API in the console, and this machine's network",
    };
    report.problem(step, found, cure);
}

pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Compares this machine's clock with the API's: AWS rejects signatures that are five minutes off.
fn clock(response: &reqwest::Response, report: &mut Report) {
    const STEP: &str = "clock";
    let date = response.headers().get(DATE).and_then(|value| value.to_str().ok());
    let Some(theirs) = date.and_then(|text| DateTime::from_str(text, Format::HttpDate).ok()) else {
        return report.unknown(
            STEP,
            "the API does not say what time it is",
            "compare this machine's clock yourself",
        );
    };
    let ours = i64::try_from(SystemClock.now().0).unwrap_or(i64::MAX);
    let ahead_secs = ours.saturating_sub(theirs.secs());
    if ahead_secs.abs() > MAX_SKEW_SECS {
        let side = if ahead_secs > 0 { "ahead of" } else { "behind" };
        let found = format!("this machine is {} s {side} AWS", ahead_secs.abs());
        report.problem(
            STEP,
            found,
            "set this machine's clock: AWS rejects signatures that are five minutes off",
        );
    } else {
        report.ok(STEP, "agrees with AWS");
    }
}
