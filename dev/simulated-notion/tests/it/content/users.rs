//! The people of a workspace.

use serde_json::{Value, json};
use simulated_notion::{ADA, Connection, EDSGER, GRACE, UserInformation};

use crate::bench::connection;
use crate::content::app::App;

#[tokio::test]
async fn users_are_the_members_and_the_bot() {
    let app = App::start().await;
    let users = app.get("users").await.json();
    assert_eq!((&users["object"], &users["type"]), (&json!("list"), &json!("user")));
    let bot = app.bench.notion.grants()[0].bot_id.clone();
    let ids: Vec<_> = users["results"].as_array().unwrap().iter().map(|user| user["id"].clone()).collect();
    assert_eq!(ids, [ADA, GRACE, bot.as_str()]);
    assert_eq!(users["results"][0]["person"]["email"], "ada@example.org");
    assert_eq!(users["results"][2]["bot"]["owner"]["user"]["id"], ADA);
    let grace = app.get(&format!("users/{GRACE}")).await.json();
    assert_eq!((&grace["name"], &grace["type"]), (&json!("Grace"), &json!("person")));
    assert_eq!(app.get(&format!("users/{EDSGER}")).await.status, 404, "of another workspace");
    let mut without_email: Connection = connection();
    without_email.capabilities.user_information = UserInformation::WithoutEmail;
    app.bench.notion.register(without_email);
    assert_eq!(app.get(&format!("users/{GRACE}")).await.json()["person"], json!({}));
    let page = app.get("users?page_size=1").await.json();
    assert_eq!((&page["has_more"], &page["next_cursor"]), (&json!(true), &json!(GRACE)));
    assert_eq!(page["results"].as_array().map(Vec::len), Some(1));
    assert_ne!(page["request_id"], Value::Null);
}
