//! Where it listens, as whom it is known, and what browsers of other origins may do.

use std::net::Ipv4Addr;

use simulated_notion::{Endpoint, Options, Simulator};

use crate::bench::{Bench, basic, exchange_body};
use crate::browser::send;

#[tokio::test]
async fn a_base_url_opens_its_own_pages() {
    let bench = Bench::with_options(|options| {
        options.address = Ipv4Addr::UNSPECIFIED.into();
        options.base_url = Some("https://notion.test".to_owned());
    })
    .await;
    assert_eq!(bench.notion.base_url(), "https://notion.test");
    assert!(bench.notion.address().ip().is_unspecified());
    let own = [("origin", "https://notion.test"), ("sec-fetch-site", "same-origin")];
    for (headers, status) in [(&own[..], 204), (&[("origin", "https://other.test")], 403)] {
        let answer = send(&bench.notion, "POST", "/control/release", headers, "").await.unwrap();
        assert_eq!(answer.status, status, "{headers:?}");
    }
}

/// A container's port is often published as another one, and other containers use the service's name.
#[tokio::test]
async fn the_port_in_a_host_header_does_not_matter_but_its_name_does() {
    let bench = Bench::start().await;
    for (host, status) in [("localhost:4000", 200), ("172.17.0.2:3001", 200), ("notion:3001", 403)] {
        assert_eq!(bench.get("/control", &[("host", host)]).await.status, status, "{host}");
    }
}

#[tokio::test]
async fn a_base_url_with_a_path_is_refused() {
    let options = Options { base_url: Some("http://notion/v1".to_owned()), ..Options::default() };
    let error = Simulator::start(options).await.err().unwrap();
    assert!(error.to_string().contains("http://notion/v1"), "{error}");
}

/// Notion has no CORS: a browser may send a simple request, but its page never sees the answer.
#[tokio::test]
async fn no_page_of_another_origin_reads_an_answer() {
    let bench = Bench::start().await;
    let origin = ("origin", "https://app.example");
    let preflight = [
        origin,
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization"),
    ];
    for path in
        ["/v1/oauth/token", "/v1/oauth/introspect", "/v1/pages", "/v1/users/me", "/v1/nothing", "/control"]
    {
        let answer = send(&bench.notion, "OPTIONS", path, &preflight, "").await.unwrap();
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
        let cors = answer.headers.iter().find(|(name, _)| name.starts_with("access-control-"));
        assert_eq!(cors, None, "{path}");
    }
    // The origin of a request that reaches the API anyway, from a proxy or an extension, is nothing to it.
    let authorization = basic("client", "secret_1");
    let headers = [origin, ("authorization", authorization.as_str()), ("content-type", "application/json")];
    let body = exchange_body(&bench.code()).to_string();
    let answer = send(&bench.notion, "POST", "/v1/oauth/token", &headers, &body).await.unwrap();
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None));
    assert_eq!(bench.notion.count(Endpoint::Token), 2, "the preflight arrived too");
}
