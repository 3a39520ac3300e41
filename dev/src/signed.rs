//! API Gateway's part of an IAM-authorised route: checks the AWS Signature Version 4 of a request against the one
//! that AWS's own library makes for it, and returns the signer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::config::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use shared::clock::UnixMillis;

/// The secret of every access key here.
pub(crate) const SECRET_ACCESS_KEY: &str = "local";

/// The access key id of the signer; `None` if there is no signature that is valid for this request.
pub(crate) fn signer(head: &Parts, body: &[u8]) -> Option<String> {
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = text("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let part = |name: &str| {
        authorization.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    };
    // ACCESS_KEY/DATE/REGION/SERVICE/aws4_request
    let scope: Vec<&str> = part("Credential")?.split('/').collect();
    let [access_key, _date, region, "execute-api", "aws4_request"] = scope[..] else { return None };
    let expected = signature(head, body, access_key, region, part("SignedHeaders")?)?;
    (expected == part("Signature")?).then(|| access_key.to_owned())
}

fn signature(
    head: &Parts,
    body: &[u8],
    access_key: &str,
    region: &str,
    signed_headers: &str,
) -> Option<String> {
    let signed: Vec<&str> = signed_headers.split(';').collect();
    // A signature that does not cover the host would be valid for any host.
    if !signed.contains(&"host") || !signed.contains(&"x-amz-date") {
        return None;
    }
    let headers = signed.iter().filter(|name| !matches!(**name, "x-amz-date" | "x-amz-security-token"));
    let headers = headers.map(|name| Some((*name, head.headers.get(*name)?.to_str().ok()?)));
    let headers = headers.collect::<Option<Vec<_>>>()?;
    let token = header(&head.headers, "x-amz-security-token");
    let identity = Credentials::new(access_key, SECRET_ACCESS_KEY, token, None, "the dev stack's").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("execute-api")
        .time(moment(&header(&head.headers, "x-amz-date")?)?)
        .settings(SigningSettings::default())
        .build()
        .ok()?;
    let host = header(&head.headers, "host")?;
    let url = format!("http://{host}{}", head.uri);
    let request =
        SignableRequest::new(head.method.as_str(), url, headers.into_iter(), SignableBody::Bytes(body))
            .ok()?;
    Some(sign(request, &params.into()).ok()?.signature().to_owned())
}

/// The headers that sign a request as this access key, for a backend on this machine.
pub(crate) fn headers(
    method: &str,
    url: &str,
    body: &[u8],
    access_key: &str,
    now: UnixMillis,
) -> Vec<(String, String)> {
    let signed = || {
        let identity = Credentials::new(access_key, SECRET_ACCESS_KEY, None, None, "the dev stack's").into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("execute-api")
            .time(UNIX_EPOCH + Duration::from_millis(now.0))
            .settings(SigningSettings::default())
            .build()
            .ok()?;
        let host = url.split('/').nth(2)?;
        let request =
            SignableRequest::new(method, url, [("host", host)].into_iter(), SignableBody::Bytes(body))
                .ok()?;
        let (instructions, _signature) = sign(request, &params.into()).ok()?.into_parts();
        let headers = instructions.headers();
        Some(headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    };
    signed().unwrap_or_default()
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Reads `20261122T104300Z`.
fn moment(date: &str) -> Option<SystemTime> {
    let digits = date.is_ascii() && date.len() == 16;
    let (day, time) = digits.then(|| date.split_once('T'))??;
    let spelled = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &day[..4],
        day.get(4..6)?,
        day.get(6..8)?,
        time.get(..2)?,
        time.get(2..4)?,
        time.get(4..6)?
    );
    let secs = DateTime::from_str(&spelled, Format::DateTime).ok()?.secs();
    Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(secs).ok()?))
}
