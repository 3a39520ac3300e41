//! Deciding as a person without a browser.

use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, EDSGER, GLOBEX, GRACE, HANDBOOK, ROADMAP, SALARIES};

use super::documented::Control;
use crate::bench::{Bench, QUERY};

const AT_NOTION: &str = "https://api.notion.com/v1/oauth/authorize";

#[tokio::test]
async fn a_person_allows_and_the_code_works() {
    let bench = Bench::start().await;
    let mut control = Control::of(&bench.notion);
    let local = format!("{}/v1/oauth/authorize?{QUERY}", bench.notion.base_url());
    let cases = [
        (json!({ "person": ADA, "workspace": ACME, "pages": [ROADMAP] }), local),
        (
            json!({ "person": "grace@example.org", "pages": [ROADMAP, SALARIES] }),
            format!("{AT_NOTION}?{QUERY}#top"),
        ),
        (json!({ "person": EDSGER, "pages": [HANDBOOK] }), format!("/v1/oauth/authorize?{QUERY}")),
    ];
    for (mut decision, url) in cases {
        decision["authorize_url"] = url.into();
        let location = control.post("/control/approve", &decision).await["location"].clone();
        let location = location.as_str().unwrap();
        let (place, answer) = location.split_once("?code=").unwrap();
        let (code, state) = answer.split_once('&').unwrap();
        assert_eq!((place, state), ("http://localhost:3000/callback", "state=s+%26"));
        assert_eq!(bench.exchange(code).await.status, 200);
    }
    let grants = control.get("/control/grants").await["grants"].clone();
    let people: Vec<_> = grants.as_array().unwrap().iter().map(|grant| &grant["person"]).collect();
    assert_eq!(people, [ADA, GRACE, EDSGER]);
    assert_eq!(grants[2]["workspace"], GLOBEX);
}

#[tokio::test]
async fn a_person_cancels_or_takes_the_template() {
    let bench =
        Bench::with_options(|options| options.connections[0].template = Some("Tracker".to_owned())).await;
    let mut control = Control::of(&bench.notion);
    let url = format!("{AT_NOTION}?{QUERY}");
    let cancel = json!({ "authorize_url": url, "person": GRACE, "cancel": true });
    let location = control.post("/control/approve", &cancel).await["location"].clone();
    assert_eq!(location, "http://localhost:3000/callback?error=access_denied&state=s+%26");
    let template = json!({ "authorize_url": url, "person": GRACE, "duplicate_template": true });
    let location = control.post("/control/approve", &template).await["location"].clone();
    let code = location.as_str().unwrap().split(['=', '&']).nth(1).unwrap();
    assert!(bench.exchange(code).await.json()["duplicated_template_id"].is_string());
}

#[tokio::test]
async fn what_the_consent_page_would_not_accept_is_refused() {
    let bench = Bench::start().await;
    let mut control = Control::of(&bench.notion);
    let url = format!("{AT_NOTION}?{QUERY}");
    let cases = [
        (json!({ "person": ADA }), json!("authorize_url")),
        (json!({ "authorize_url": url }), json!("person")),
        (
            json!({ "authorize_url": "http://localhost:3000/install?a=b", "person": ADA }),
            json!("authorize_url"),
        ),
        (json!({ "authorize_url": url, "person": "nobody" }), json!("person")),
        (json!({ "authorize_url": url, "person": ADA, "pages": [ROADMAP] }), json!("workspace")),
        (json!({ "authorize_url": url, "person": ADA, "workspace": "nowhere" }), json!("workspace")),
        (
            json!({ "authorize_url": url, "person": GRACE, "workspace": GLOBEX, "pages": [HANDBOOK] }),
            Value::Null,
        ),
        (json!({ "authorize_url": url, "person": GRACE }), Value::Null),
        (json!({ "authorize_url": url, "person": ADA, "workspace": ACME, "pages": [SALARIES] }), Value::Null),
        (json!({ "authorize_url": format!("{AT_NOTION}?client_id=no"), "person": GRACE }), Value::Null),
        (json!({ "authorize_url": url, "person": GRACE, "page": [ROADMAP] }), json!("page")),
    ];
    for (body, field) in cases {
        assert_eq!(control.wrong("/control/approve", &body).await, field, "{body}");
    }
    assert_eq!(bench.notion.secrets_issued(), ["secret_1"], "no code was issued");
}
