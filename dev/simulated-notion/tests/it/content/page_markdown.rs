//! Changing a page as Markdown.

use serde_json::{Value, json};

use crate::content::app::{App, id_of, titled};

async fn markdown(app: &App, id: &str) -> String {
    app.get(&format!("pages/{id}/markdown")).await.json()["markdown"].as_str().unwrap().to_owned()
}

async fn with_text() -> (App, String) {
    let app = App::start().await;
    let page =
        app.make("pages", json!({ "properties": titled("Page"), "markdown": "one\ntwo\nthree" })).await;
    (app, id_of(&page))
}

#[tokio::test]
async fn text_is_inserted_updated_and_replaced() {
    let (app, id) = with_text().await;
    let path = format!("pages/{id}/markdown");
    let steps = [
        (
            json!({ "type": "insert_content", "insert_content": { "content": "four" } }),
            "one\ntwo\nthree\nfour",
        ),
        (
            json!({ "type": "insert_content", "insert_content": { "content": "zero", "position": { "type": "start" } } }),
            "zero\none\ntwo\nthree\nfour",
        ),
        (
            json!({ "type": "insert_content", "insert_content": { "content": "1.5", "after": "on...e" } }),
            "zero\none\n1\\.5\ntwo\nthree\nfour",
        ),
        (
            json!({ "type": "update_content", "update_content": { "content_updates": [{ "old_str": "two", "new_str": "**2**" }] } }),
            "zero\none\n1\\.5\n**2**\nthree\nfour",
        ),
        (
            json!({ "type": "replace_content_range", "replace_content_range": { "content": "- rest", "content_range": "1...four" } }),
            "zero\none\n- rest",
        ),
        (json!({ "type": "replace_content", "replace_content": { "new_str": "# All new" } }), "# All new"),
    ];
    for (body, expected) in steps {
        let answer = app.patch(&path, body.clone()).await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.body);
        assert_eq!(answer.json()["markdown"], expected);
        assert_eq!(markdown(&app, &id).await, expected);
    }
}

#[tokio::test]
async fn inserting_at_an_end_leaves_the_other_blocks_alone() {
    let (app, id) = with_text().await;
    let path = format!("blocks/{id}/children");
    let before = app.get(&path).await.json()["results"].clone();
    let body = json!({ "type": "insert_content", "insert_content": { "content": "four" } });
    app.patch(&format!("pages/{id}/markdown"), body).await;
    let after = app.get(&path).await.json()["results"].clone();
    assert_eq!(after.as_array().unwrap()[..3], before.as_array().unwrap()[..]);
}

#[tokio::test]
async fn what_cannot_be_found_is_not_replaced() {
    let (app, id) = with_text().await;
    let cases = [
        json!({ "type": "update_content", "update_content": { "content_updates": [{ "old_str": "six", "new_str": "" }] } }),
        json!({ "type": "update_content", "update_content": { "content_updates": [{ "old_str": "o", "new_str": "" }] } }),
        json!({ "type": "replace_content_range", "replace_content_range": { "content": "", "content_range": "three...one" } }),
        json!({ "type": "delete_content" }),
        json!({ "type": "replace_content" }),
    ];
    for body in cases {
        assert_eq!(app.patch(&format!("pages/{id}/markdown"), body.clone()).await.status, 400, "{body}");
    }
    assert_eq!(markdown(&app, &id).await, "one\ntwo\nthree");
}

#[tokio::test]
async fn pages_stay_where_the_text_names_them() {
    let (app, id) = with_text().await;
    let child =
        app.make("pages", json!({ "parent": { "page_id": id }, "properties": titled("Child") })).await;
    let text = markdown(&app, &id).await;
    let line = text.lines().last().unwrap().to_owned();
    assert_eq!(line, format!("<page url=\"{}\">Child</page>", child["url"].as_str().unwrap()));
    let path = format!("pages/{id}/markdown");
    let without = json!({ "type": "replace_content", "replace_content": { "new_str": "nothing" } });
    assert_eq!(app.patch(&path, without).await.status, 400);
    let moved = format!("before\n{line}\nafter");
    let replace = |text: &str, may: bool| {
        json!({
            "type": "replace_content", "replace_content": { "new_str": text, "allow_deleting_content": may },
        })
    };
    assert_eq!(app.patch(&path, replace(&moved, false)).await.json()["markdown"], moved);
    assert_eq!(app.patch(&path, replace("nothing", true)).await.json()["markdown"], "nothing");
    let path = format!("pages/{}", id_of(&child));
    assert_eq!(app.get(&path).await.json()["in_trash"], Value::Bool(true));
}
