//! A client that follows no redirects and hides nothing. One TCP connection per request, unless told otherwise.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use serde_json::Value;
use simulated_notion::Simulator;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    pub(crate) fn location(&self) -> &str {
        self.header("location").unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Sends a request and reads the answer; `None` if the connection closes before the answer is complete.
pub(crate) async fn send(
    notion: &Simulator,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Answer> {
    parse(&send_raw(notion, method, path, headers, body).await, method)
}

/// The answer to a request with this method; `None` if it is not complete.
pub(crate) fn parse(bytes: &[u8], method: &str) -> Option<Answer> {
    let text = std::str::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let answer = Answer { status, headers, body: body.to_owned() };
    let announced = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
    (method == "HEAD" || answer.body.len() == announced).then_some(answer)
}

/// Every byte received until the connection closes.
pub(crate) async fn send_raw(
    notion: &Simulator,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Vec<u8> {
    let mut stream = connect(notion).await;
    let headers = [headers, &[("connection", "close")]].concat();
    let request = request(notion, method, path, &headers, body);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // A reset instead of an orderly close keeps the bytes received before it.
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}

pub(crate) async fn connect(notion: &Simulator) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, notion.address().port())).await.unwrap()
}

pub(crate) fn authority(notion: &Simulator) -> String {
    notion.base_url().split_once("://").unwrap().1.to_owned()
}

/// The text of a request. A `host` among `headers` replaces the usual one.
pub(crate) fn request(
    notion: &Simulator,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        write!(text, "host: {}\r\n", authority(notion)).unwrap();
    }
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    if matches!(method, "POST" | "PATCH") {
        write!(text, "content-length: {}\r\n", body.len()).unwrap();
    }
    text + "\r\n" + body
}

/// Posts a form, as a browser does from the simulator's own page.
pub(crate) async fn submit(notion: &Simulator, path: &str, form: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let origin = notion.base_url();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", origin.as_str())];
    send(notion, "POST", path, &headers, &body).await.unwrap()
}
