//! The control page with forms and JSON, and requests that it rejects.

use serde_json::json;
use simulated_notion::{ACME, ADA, Endpoint, Fault, Rotation};

use crate::bench::Bench;
use crate::browser::{authority, send, submit};

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn the_page_shows_grants_and_requests_and_no_secret() {
    let bench = Bench::start().await;
    bench.pair().await;
    let page = bench.get("/control", &[]).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<strong>Ada</strong> in <strong>Acme</strong>"), "{}", page.body);
    let summary = bench.get("/control", &[("accept", "application/json")]).await;
    assert_eq!(summary.json()["grants"][0]["person"], ADA);
    for secret in bench.notion.secrets_issued() {
        assert!(!page.body.contains(&secret) && !summary.body.contains(&secret), "{secret}");
    }
}

#[tokio::test]
async fn a_form_changes_switches() {
    let bench = Bench::start().await;
    let form =
        [("rotation", r#"{"grace":{"valid_refresh_tokens":3}}"#), ("access_token_lifetime_secs", "60")];
    let answer = submit(&bench.notion, "/control/settings", &form).await;
    assert_eq!((answer.status, answer.location()), (303, "/control"));
    assert_eq!(bench.notion.settings().rotation, Rotation::Grace { valid_refresh_tokens: 3 });
    assert_eq!(bench.notion.settings().access_token_lifetime_secs, Some(60));
    assert!(bench.get("/control", &[]).await.body.contains("valid_refresh_tokens&#34;:3"));
}

#[tokio::test]
async fn json_changes_switches_and_refuses_what_it_does_not_know() {
    let bench = Bench::start().await;
    let cases = [
        (json!({ "error_shape": "b" }), 204),
        (json!({ "error_shape": "c" }), 422),
        (json!({ "unknown": true }), 422),
        (json!([]), 422),
    ];
    for (body, status) in cases {
        let answer =
            send(&bench.notion, "POST", "/control/settings", &[JSON], &body.to_string()).await.unwrap();
        assert_eq!(answer.status, status, "{body}");
    }
    let settings = &bench.get("/control", &[("accept", "application/json")]).await.json()["settings"];
    assert_eq!(settings["error_shape"], "b");
}

#[tokio::test]
async fn faults_are_injected_listed_and_cleared() {
    let bench = Bench::start().await;
    let form =
        [("endpoint", "token"), ("fault", r#"{"status":{"status":429,"retry_after":"2"}}"#), ("times", "2")];
    assert_eq!(submit(&bench.notion, "/control/faults", &form).await.status, 303);
    let body = json!({ "endpoint": "revoke", "fault": "lost_reply" }).to_string();
    assert_eq!(send(&bench.notion, "POST", "/control/faults", &[JSON], &body).await.unwrap().status, 204);
    let waiting = bench.get("/control", &[("accept", "application/json")]).await.json()["faults"].clone();
    let expected = json!([
        { "endpoint": "token", "fault": { "status": { "status": 429, "retry_after": "2" } }, "times": 2 },
        { "endpoint": "revoke", "fault": "lost_reply", "times": 1 },
    ]);
    assert_eq!(waiting, expected);
    assert_eq!(bench.refresh("any").await.status, 429);
    assert_eq!(submit(&bench.notion, "/control/faults/clear", &[]).await.status, 303);
    assert_eq!(bench.refresh("any").await.status, 400);
}

#[tokio::test]
async fn held_requests_are_released_by_form() {
    let bench = Bench::start().await;
    bench.notion.inject(Endpoint::Token, Fault::Hold, 1);
    let release = async {
        bench.notion.wait_for(Endpoint::Token, 1).await;
        submit(&bench.notion, "/control/release", &[]).await
    };
    let (answer, released) = tokio::join!(bench.refresh("any"), release);
    assert_eq!((answer.status, released.status), (400, 303));
}

#[tokio::test]
async fn a_secret_is_replaced_and_a_grant_removed_by_form() {
    let bench = Bench::start().await;
    let pair = bench.pair().await;
    let removal = [("person", ADA), ("workspace", ACME)];
    assert_eq!(submit(&bench.notion, "/control/revoke", &removal).await.status, 303);
    assert!(!bench.works(&pair.access).await);
    let secret = [("client_id", "client"), ("new_secret", "12345")];
    assert_eq!(submit(&bench.notion, "/control/secret", &secret).await.status, 303);
    assert_eq!(bench.refresh("any").await.status, 401);
    let unknown = [("client_id", "nobody"), ("new_secret", "secret_3")];
    assert_eq!(submit(&bench.notion, "/control/secret", &unknown).await.status, 422);
}

#[tokio::test]
async fn other_sites_are_refused() {
    let bench = Bench::start().await;
    let own = bench.notion.base_url();
    let localhost = authority(&bench.notion).replace("127.0.0.1", "localhost");
    let from_localhost = format!("http://{localhost}");
    let cases: [(&[(&str, &str)], u16); 8] = [
        (&[], 204),
        (&[("origin", &own)], 204),
        (&[("origin", &own), ("sec-fetch-site", "same-origin")], 204),
        (&[("host", &localhost), ("origin", &from_localhost)], 204),
        (&[("origin", "http://localhost:3000")], 403),
        (&[("origin", "null")], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("host", "rebound.example:80")], 403),
    ];
    for (headers, status) in cases {
        for path in ["/control/release", "/control/faults/clear"] {
            let answer = send(&bench.notion, "POST", path, headers, "").await.unwrap();
            assert_eq!(answer.status, status, "{path}: {headers:?}");
        }
    }
    let foreign = [("origin", "http://localhost:3000")];
    assert_eq!(send(&bench.notion, "POST", "/install-integration", &foreign, "").await.unwrap().status, 403);
    assert_eq!(bench.get("/control", &[("host", "rebound.example")]).await.status, 403);
}
