//! The limits of a request, each with its message.

use serde_json::{Value, json};
use simulated_notion::ROADMAP;

use crate::content::app::{App, text, titled};

async fn refused(app: &App, path: &str, body: Value) -> String {
    let answer =
        if path.starts_with("blocks/") { app.patch(path, body).await } else { app.post(path, body).await };
    assert_eq!((answer.status, answer.json()["code"].clone()), (400, json!("validation_error")));
    answer.json()["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn texts_and_urls_have_at_most_2000_characters() {
    let app = App::start().await;
    let long = "x".repeat(5867);
    assert_eq!(
        refused(&app, "pages", json!({ "properties": titled(&long) })).await,
        "body failed validation: body.properties.title.title[0].text.content.length should be ≤ `2000`, instead was \
         `5867`."
    );
    let url = format!("https://example.org/{}", "x".repeat(1981));
    let linked = json!([{ "text": { "content": "x", "link": { "url": url } } }]);
    assert_eq!(
        refused(&app, "pages", json!({ "children": [{ "paragraph": { "rich_text": linked } }] })).await,
        "body failed validation: body.children[0].paragraph.rich_text[0].text.link.url.length should be ≤ `2000`, \
         instead was `2001`."
    );
    assert_eq!(
        refused(&app, "pages", json!({ "cover": { "external": { "url": url } } })).await,
        "body failed validation: body.cover.external.url.length should be ≤ `2000`, instead was `2001`."
    );
    // Two UTF-16 units each.
    let emoji = "🧪".repeat(1001);
    assert!(
        refused(&app, "pages", json!({ "properties": titled(&emoji) }))
            .await
            .ends_with("instead was `2002`.")
    );
    assert_eq!(app.post("pages", json!({ "properties": titled(&"x".repeat(2000)) })).await.status, 200);
    let heading = format!("# {long}");
    assert_eq!(
        refused(&app, "pages", json!({ "markdown": heading })).await,
        "body failed validation: body.markdown.title.length should be ≤ `2000`, instead was `5867`."
    );
}

#[tokio::test]
async fn e_mail_addresses_and_phone_numbers_have_at_most_200_characters() {
    let app = App::start().await;
    let body = json!({
        "parent": { "type": "page_id", "page_id": ROADMAP },
        "initial_data_source": { "properties": {
            "Name": { "title": {} }, "Mail": { "email": {} }, "Phone": { "phone_number": {} }, "Link": { "url": {} },
            "Tags": { "multi_select": {} }, "People": { "people": {} },
        } },
    });
    let source = app.make("databases", body).await["data_sources"][0]["id"].clone();
    let row = |properties: Value| json!({ "parent": { "data_source_id": source }, "properties": properties });
    let too_many: Vec<_> = (0..101).map(|n| json!({ "name": n.to_string() })).collect();
    let cases = [
        (
            json!({ "Mail": { "email": "x".repeat(201) } }),
            "Mail.email.length should be ≤ `200`, instead was `201`.",
        ),
        (
            json!({ "Phone": { "phone_number": "1".repeat(201) } }),
            "Phone.phone_number.length should be ≤ `200`, instead was `201`.",
        ),
        (
            json!({ "Link": { "url": "x".repeat(2001) } }),
            "Link.url.length should be ≤ `2000`, instead was `2001`.",
        ),
        (
            json!({ "Tags": { "multi_select": too_many } }),
            "Tags.multi_select.length should be ≤ `100`, instead was `101`.",
        ),
        (
            json!({ "People": { "people": vec![json!({ "id": simulated_notion::ADA }); 101] } }),
            "People.people.length should be ≤ `100`, instead was `101`.",
        ),
        (
            json!({ "Name": { "title": vec![text("x")[0].clone(); 101] } }),
            "Name.title.length should be ≤ `100`, instead was `101`.",
        ),
    ];
    for (properties, ending) in cases {
        let message = refused(&app, "pages", row(properties)).await;
        assert_eq!(message, format!("body failed validation: body.properties.{ending}"));
    }
}

#[tokio::test]
async fn blocks_are_limited_in_number_and_depth() {
    let app = App::start().await;
    let children = format!("blocks/{ROADMAP}/children");
    let divider = json!({ "divider": {} });
    assert_eq!(
        refused(&app, &children, json!({ "children": vec![divider.clone(); 101] })).await,
        "body failed validation: body.children.length should be ≤ `100`, instead was `101`."
    );
    let item = |children: Value| json!({ "bulleted_list_item": { "rich_text": [], "children": children } });
    let deep = item(json!([item(json!([item(json!([divider]))]))]));
    assert_eq!(
        refused(&app, &children, json!({ "children": [deep] })).await,
        "body failed validation: body.children[0].bulleted_list_item.children[0].bulleted_list_item.children[0]\
         .bulleted_list_item.children should be not present, instead was an array."
    );
    let two_levels = item(json!([item(json!([divider]))]));
    assert_eq!(app.patch(&children, json!({ "children": [two_levels] })).await.status, 200);
    let many = vec![item(json!(vec![divider; 100])); 10];
    assert_eq!(
        refused(&app, &children, json!({ "children": many })).await,
        "body failed validation: body.children.blocks.length should be ≤ `1000`, instead was `1010`."
    );
    let lines = |count: usize| json!({ "markdown": vec!["x"; count].join("\n") });
    assert_eq!(
        refused(&app, "pages", lines(1001)).await,
        "body failed validation: body.markdown.blocks.length should be ≤ `1000`, instead was `1001`."
    );
    assert_eq!(app.post("pages", lines(1000)).await.status, 200);
}

#[tokio::test]
async fn a_request_has_at_most_500_kb_and_a_page_of_a_list_100_elements() {
    let app = App::start().await;
    assert_eq!(
        refused(&app, "pages", json!({ "markdown": "x".repeat(500_000) })).await,
        "The request body is larger than 500 KB."
    );
    assert_eq!(
        refused(&app, "search", json!({ "page_size": 101 })).await,
        "body failed validation: body.page_size should be ≤ `100`, instead was `101`."
    );
    let answer = app.get(&format!("blocks/{ROADMAP}/children?page_size=101")).await;
    assert_eq!(
        answer.json()["message"],
        "query failed validation: query.page_size should be ≤ `100`, instead was `101`."
    );
}

#[tokio::test]
async fn a_long_line_of_markdown_becomes_several_elements() {
    let app = App::start().await;
    let page = app.make("pages", json!({ "properties": titled("x"), "markdown": "y".repeat(4500) })).await;
    let children = app.get(&format!("blocks/{}/children", page["id"].as_str().unwrap())).await.json();
    let pieces = children["results"][0]["paragraph"]["rich_text"].as_array().unwrap().clone();
    let lengths: Vec<_> = pieces.iter().map(|piece| piece["plain_text"].as_str().unwrap().len()).collect();
    assert_eq!(lengths, [2000, 2000, 500]);
}
