//! HTTPS with a certificate made here, and a client that trusts this certificate alone.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::CertifiedKey;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use simulated_notion::{Endpoint, Fault, TlsIdentity};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use crate::bench::{Bench, basic, exchange_body};
use crate::browser::{self, parse, request};

/// A self-signed certificate for `localhost`, as PEM, and what its clients have to trust.
struct Identity {
    certificate: String,
    key: String,
    root: CertificateDer<'static>,
}

impl Identity {
    fn new() -> Self {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self { certificate: cert.pem(), key: signing_key.serialize_pem(), root: cert.der().clone() }
    }

    fn tls(&self) -> TlsIdentity {
        TlsIdentity::from_pem(self.certificate.as_bytes(), self.key.as_bytes()).unwrap()
    }
}

/// A simulator behind TLS, and a client of it.
struct Secure {
    bench: Bench,
    connector: TlsConnector,
}

impl Secure {
    async fn start() -> Self {
        let identity = Identity::new();
        let bench = Bench::with_options(|options| options.tls = Some(identity.tls())).await;
        Self { bench, connector: client_trusting(&identity) }
    }

    /// Every byte of the answer, and how the connection ended.
    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (Vec<u8>, Option<ErrorKind>) {
        let stream = browser::connect(&self.bench.notion).await;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = self.connector.connect(name, stream).await.unwrap();
        let headers = [headers, &[("connection", "close")]].concat();
        let text = request(&self.bench.notion, method, path, &headers, body);
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let ended = stream.read_to_end(&mut bytes).await.err().map(|error| error.kind());
        (bytes, ended)
    }

    async fn exchange(&self, code: &str) -> (Vec<u8>, Option<ErrorKind>) {
        let authorization = basic("client", "secret_1");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        self.send("POST", "/v1/oauth/token", &headers, &exchange_body(code).to_string()).await
    }
}

fn client_trusting(identity: &Identity) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(identity.root.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config).into()
}

#[tokio::test]
async fn the_flow_works_over_https() {
    let secure = Secure::start().await;
    assert!(secure.bench.notion.base_url().starts_with("https://127.0.0.1:"));
    let (bytes, ended) = secure.exchange(&secure.bench.code()).await;
    assert_eq!(ended, None, "an orderly close");
    let answer = parse(&bytes, "POST").unwrap();
    assert_eq!(answer.status, 200);
    let authorization = format!("Bearer {}", answer.json()["access_token"].as_str().unwrap());
    let headers = [("authorization", authorization.as_str()), ("notion-version", "2026-03-11")];
    let (bytes, _) = secure.send("GET", "/v1/users/me", &headers, "").await;
    assert_eq!(parse(&bytes, "GET").unwrap().json()["type"], json!("bot"));
    let connections: Vec<_> =
        secure.bench.notion.requests().iter().map(|one| one.connection_number).collect();
    assert_eq!(connections, [1, 2]);
}

#[tokio::test]
async fn its_own_pages_know_their_origin() {
    let secure = Secure::start().await;
    let own = secure.bench.notion.base_url();
    for (origin, status) in [(own.as_str(), 204), ("https://elsewhere.example", 403)] {
        let (bytes, _) = secure.send("POST", "/control/release", &[("origin", origin)], "").await;
        assert_eq!(parse(&bytes, "POST").unwrap().status, status, "{origin}");
    }
}

/// Without TLS's goodbye, so that a client can tell it from the end of an answer.
#[tokio::test]
async fn a_lost_reply_is_a_torn_connection() {
    let secure = Secure::start().await;
    secure.bench.notion.inject(Endpoint::Token, Fault::LostReply, 1);
    let (bytes, ended) = secure.exchange(&secure.bench.code()).await;
    assert_eq!((bytes.as_slice(), ended), (&[][..], Some(ErrorKind::UnexpectedEof)));
    assert_eq!(secure.bench.notion.grants().len(), 1, "processed all the same");
}

#[tokio::test]
async fn who_says_nothing_or_does_not_trust_it_keeps_nobody_waiting() {
    let secure = Secure::start().await;
    let _silent = TcpStream::connect(secure.bench.notion.address()).unwrap();
    let stranger = client_trusting(&Identity::new());
    let name = ServerName::try_from("localhost").unwrap();
    let stream = browser::connect(&secure.bench.notion).await;
    assert!(stranger.connect(name, stream).await.is_err(), "another root");
    let (bytes, _) = secure.send("GET", "/", &[], "").await;
    assert_eq!(parse(&bytes, "GET").unwrap().status, 200);
}

#[test]
fn what_is_no_certificate_with_its_key_is_refused_without_showing_the_key() {
    let (one, other) = (Identity::new(), Identity::new());
    let cases = [
        ("", one.key.as_str(), "no section CERTIFICATE"),
        (one.key.as_str(), one.key.as_str(), "no section CERTIFICATE"),
        (one.certificate.as_str(), one.certificate.as_str(), "private key"),
        (one.certificate.as_str(), other.key.as_str(), ""),
    ];
    for (certificate, key, expected) in cases {
        let error = TlsIdentity::from_pem(certificate.as_bytes(), key.as_bytes()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let text = error.to_string();
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains(&other.key[40..60]) && !text.contains(&one.key[40..60]), "{text}");
    }
}
