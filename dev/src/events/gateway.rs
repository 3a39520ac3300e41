//! An HTTP request as API Gateway's HTTP API passes it to a function (payload format 2.0).

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value, json};

/// A request as it arrived.
#[derive(Debug, Clone, Default)]
pub struct HttpRequest {
    /// `GET` and so on.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The part after the `?`, unchanged.
    pub raw_query: String,
    /// All headers, including `Cookie`.
    pub headers: Vec<(String, String)>,
    /// When it arrived, in milliseconds since the epoch.
    pub arrived_at_ms: u64,
    /// API Gateway's request id.
    pub request_id: String,
}

impl HttpRequest {
    /// The event. Cookies are separate from the headers. Repeated headers and parameters are joined by commas, so a
    /// function has to read `rawQueryString`.
    #[must_use]
    pub fn event(&self) -> Value {
        let mut headers = Map::new();
        let mut cookies = Vec::new();
        for (name, value) in &self.headers {
            if name.eq_ignore_ascii_case("cookie") {
                cookies.extend(value.split(';').map(|pair| Value::from(pair.trim())));
            } else {
                join(&mut headers, name.to_ascii_lowercase(), value);
            }
        }
        let mut parameters = Map::new();
        for pair in self.raw_query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            join(&mut parameters, name.to_owned(), value);
        }
        let header = |name: &str| headers.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (host, user_agent) = (header("host"), header("user-agent"));
        let route_key = format!("{} {}", self.method, self.path);
        let mut event = json!({
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": self.path,
            "rawQueryString": self.raw_query,
            "headers": headers,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "local",
                "domainName": host,
                "domainPrefix": "local",
                "http": {
                    "method": self.method,
                    "path": self.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": user_agent,
                },
                "requestId": self.request_id,
                "routeKey": route_key,
                "stage": "$default",
                "time": common_log_time(self.arrived_at_ms),
                "timeEpoch": self.arrived_at_ms,
            },
            "isBase64Encoded": false,
        });
        if !cookies.is_empty() {
            event["cookies"] = cookies.into();
        }
        if !parameters.is_empty() {
            event["queryStringParameters"] = parameters.into();
        }
        event
    }
}

fn join(map: &mut Map<String, Value>, name: String, value: &str) {
    let joined = match map.get(&name).and_then(Value::as_str) {
        Some(before) => format!("{before},{value}"),
        None => value.to_owned(),
    };
    map.insert(name, joined.into());
}

/// `22/Nov/2026:10:43:00 +0000`.
fn common_log_time(at_ms: u64) -> String {
    let seconds = i64::try_from(at_ms / 1000).unwrap_or(i64::MAX);
    // `Sun, 22 Nov 2026 10:43:00 GMT`
    let http_date = DateTime::from_secs(seconds).fmt(Format::HttpDate).unwrap_or_default();
    let parts: Vec<&str> = http_date.split(' ').collect();
    match parts[..] {
        [_, day, month, year, time, _] => format!("{day}/{month}/{year}:{time} +0000"),
        _ => http_date,
    }
}
