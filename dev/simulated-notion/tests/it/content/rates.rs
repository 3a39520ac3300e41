//! Rate limits per connection and per workspace.

use serde_json::{Value, json};
use simulated_notion::{ACME, EDSGER, GLOBEX, GRACE, HANDBOOK, ROADMAP, RateLimitCounts, RateScope};

use crate::content::app::App;

async fn statuses(app: &App, token: &str, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        let path = format!("pages/{ROADMAP}");
        statuses.push(app.send_as(token, "GET", &path, &Value::Null).await.status);
    }
    statuses
}

#[tokio::test]
async fn a_connection_is_limited_in_all_workspaces_together() {
    let app = App::start().await;
    let edsger = app.install(EDSGER, GLOBEX, HANDBOOK).await;
    app.bench.advance_secs(60);
    app.bench.notion.change_settings(|settings| settings.requests_per_minute = Some(3));
    assert_eq!(statuses(&app, &app.token, 2).await, [200, 200]);
    app.bench.advance_secs(20);
    assert_eq!(statuses(&app, &edsger, 1).await, [404]);
    let refused = app.get(&format!("pages/{ROADMAP}")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("40")));
    assert_eq!(refused.json()["code"], "rate_limited");
    let data = json!({ "rate_limit_reason": "public_api_request_rate_limit", "retry_after": "40" });
    assert_eq!(refused.json()["additional_data"], data);
    let counters = app.bench.notion.rate_counters();
    let counter = counters[&RateScope::Connection("client".to_owned())];
    assert_eq!((counter.highest, counter.refused), (4, 1));
    app.bench.advance_secs(40);
    assert_eq!(statuses(&app, &app.token, 1).await, [200]);
}

#[tokio::test]
async fn a_connection_may_be_limited_in_each_workspace_alone() {
    let app = App::start().await;
    let edsger = app.install(EDSGER, GLOBEX, HANDBOOK).await;
    app.bench.advance_secs(60);
    app.bench.notion.change_settings(|settings| {
        settings.requests_per_minute = Some(1);
        settings.rate_limit_counts = RateLimitCounts::ConnectionAndWorkspace;
    });
    assert_eq!(statuses(&app, &app.token, 2).await, [200, 429]);
    assert_eq!(statuses(&app, &edsger, 2).await, [404, 429]);
    let scope = RateScope::ConnectionInWorkspace("client".to_owned(), Some(ACME.to_owned()));
    assert_eq!(app.bench.notion.rate_counters()[&scope].refused, 1);
}

#[tokio::test]
async fn a_workspace_is_limited_for_all_together() {
    let app = App::start().await;
    let grace = app.install(GRACE, ACME, ROADMAP).await;
    let edsger = app.install(EDSGER, GLOBEX, HANDBOOK).await;
    app.bench.notion.change_settings(|settings| settings.workspace_requests_per_minute = Some(2));
    assert_eq!(statuses(&app, &app.token, 1).await, [200]);
    assert_eq!(statuses(&app, &grace, 1).await, [200]);
    let refused = app.get(&format!("pages/{ROADMAP}")).await;
    assert_eq!(refused.json()["additional_data"]["rate_limit_reason"], "public_api_space_request_rate_limit");
    assert_eq!(refused.header("retry-after"), Some("60"));
    assert_eq!(statuses(&app, &edsger, 1).await, [404]);
    let counters = app.bench.notion.rate_counters();
    let counter = counters[&RateScope::Workspace(ACME.to_owned())];
    assert_eq!((counter.highest, counter.refused), (3, 1));
    assert_eq!(counters[&RateScope::Workspace(GLOBEX.to_owned())].refused, 0);
}

#[tokio::test]
async fn requests_are_counted_without_a_limit() {
    let app = App::start().await;
    statuses(&app, &app.token, 5).await;
    let counters = app.bench.notion.rate_counters();
    assert_eq!(counters[&RateScope::Workspace(ACME.to_owned())].highest, 5);
    // The exchange counts for the connection, and has no workspace.
    assert_eq!(counters[&RateScope::Connection("client".to_owned())].highest, 6);
}
