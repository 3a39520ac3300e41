//! The connection's template and the templates of rows.

use serde_json::{Value, json};
use simulated_notion::{ACME, Options, RowTemplate, Simulator, Template, TemplateDatabase, TemplateRow};

use crate::content::app::{App, id_of, text};

fn template() -> Template {
    Template {
        title: "Starter".to_owned(),
        icon: Some("🚀".to_owned()),
        markdown: "Welcome **here**\n- [ ] first".to_owned(),
        databases: vec![TemplateDatabase {
            title: "Contacts".to_owned(),
            properties: json!({
                "Name": { "title": {} },
                "Stage": { "select": { "options": [{ "name": "Lead" }] } },
            }),
            rows: vec![TemplateRow {
                properties: json!({ "Name": { "title": text("Ada") }, "Stage": { "select": { "name": "Lead" } } }),
                markdown: "About Ada".to_owned(),
            }],
            row_templates: vec![
                RowTemplate {
                    name: "New lead".to_owned(),
                    is_default: true,
                    properties: json!({ "Stage": { "select": { "name": "Lead" } } }),
                    markdown: "## Next steps\n- call".to_owned(),
                },
                RowTemplate { name: "Empty".to_owned(), ..RowTemplate::default() },
            ],
            views: vec![
                json!({ "name": "Board", "type": "board", "configuration": { "type": "board", "group_by": {
                "type": "select", "property_id": "Stage", "sort": { "type": "manual" },
            } } }),
            ],
        }],
        pages: vec![Template {
            title: "Guide".to_owned(),
            markdown: "Read me".to_owned(),
            ..Template::default()
        }],
    }
}

async fn with_template(change: impl FnOnce(&mut Options)) -> App {
    App::with_options(|options| {
        options.connections[0].template = Some("Starter".to_owned());
        options.templates = vec![template()];
        change(options);
    })
    .await
}

#[tokio::test]
async fn duplicating_copies_everything() {
    let app = with_template(|_| {}).await;
    let (token, id) = app.install_with_template().await;
    let get = async |path: String| app.send_as(&token, "GET", &path, &Value::Null).await.json();
    let page = get(format!("pages/{id}")).await;
    assert_eq!(page["properties"]["title"]["title"][0]["plain_text"], "Starter");
    assert_eq!(page["icon"]["emoji"], "🚀");
    let children = get(format!("blocks/{id}/children")).await["results"].clone();
    let kinds: Vec<_> = children.as_array().unwrap().iter().map(|block| block["type"].clone()).collect();
    assert_eq!(kinds, ["paragraph", "to_do", "child_database", "child_page"]);
    let database = get(format!("databases/{}", id_of(&children[2]))).await;
    let source = id_of(&database["data_sources"][0]);
    let query = app.send_as(&token, "POST", &format!("data_sources/{source}/query"), &json!({})).await.json();
    let rows = query["results"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "a template of rows is no row");
    assert_eq!(rows[0]["properties"]["Stage"]["select"]["name"], "Lead");
    let row = get(format!("pages/{}/markdown", id_of(&rows[0]))).await;
    assert_eq!(row["markdown"], "About Ada");
    let views = get(format!("views?database_id={}", id_of(&database))).await;
    let board = get(format!("views/{}", id_of(&views["results"][1]))).await;
    let schema = get(format!("data_sources/{source}")).await["properties"].clone();
    assert_eq!(board["configuration"]["group_by"]["property_id"], schema["Stage"]["id"]);
    let guide = get(format!("pages/{}/markdown", id_of(&children[3]))).await;
    assert_eq!(guide["markdown"], "Read me");
    let (_, second) = app.install_with_template().await;
    assert_ne!(second, id, "each duplicate is a copy of its own");
    assert_eq!(
        app.bench.notion.content(ACME).titled("Contacts").len(),
        4,
        "two databases with their data sources"
    );
}

#[tokio::test]
async fn the_content_of_a_duplicate_appears_after_the_lag() {
    let app = with_template(|options| options.settings.template_lag_secs = 30).await;
    let (token, id) = app.install_with_template().await;
    let children = async || {
        let path = format!("blocks/{id}/children");
        app.send_as(&token, "GET", &path, &Value::Null).await.json()["results"].as_array().unwrap().len()
    };
    let content = app.bench.notion.content(ACME);
    let database = &content.databases[0];
    let path = format!("databases/{}", database.id);
    assert_eq!(app.send_as(&token, "GET", &format!("pages/{id}"), &Value::Null).await.status, 200);
    assert_eq!(children().await, 0);
    assert_eq!(app.send_as(&token, "GET", &path, &Value::Null).await.status, 404);
    app.bench.advance_secs(30);
    assert_eq!(children().await, 4);
    assert_eq!(app.send_as(&token, "GET", &path, &Value::Null).await.status, 200);
}

#[tokio::test]
async fn templates_of_rows_are_listed_and_applied_with_a_lag() {
    let app = with_template(|_| {}).await;
    let (token, _) = app.install_with_template().await;
    let source = app.bench.notion.content(ACME).data_sources[0].id.clone();
    let list = async |query: &str| {
        let path = format!("data_sources/{source}/templates{query}");
        app.send_as(&token, "GET", &path, &Value::Null).await.json()
    };
    let all = list("").await;
    let described: Vec<_> = all["templates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| json!([one["name"], one["is_default"]]))
        .collect();
    assert_eq!(described, [json!(["New lead", true]), json!(["Empty", false])]);
    assert_eq!((&all["has_more"], &all["next_cursor"]), (&json!(false), &Value::Null));
    let lead = list("?name=lead").await;
    assert_eq!(lead["templates"].as_array().unwrap().len(), 1);
    app.bench.notion.change_settings(|settings| settings.template_lag_secs = 5);
    let by_id = json!({ "type": "template_id", "template_id": lead["templates"][0]["id"] });
    for template in [json!({ "type": "default" }), by_id] {
        let body = json!({
            "parent": { "data_source_id": source }, "properties": { "Name": { "title": text("Grace") } },
            "template": template,
        });
        let row = app.send_as(&token, "POST", "pages", &body).await;
        assert_eq!(row.status, 200, "{}", row.body);
        assert_eq!(row.json()["properties"]["Stage"]["select"]["name"], "Lead");
        assert_eq!(row.json()["properties"]["Name"]["title"][0]["plain_text"], "Grace");
        let path = format!("pages/{}/markdown", id_of(&row.json()));
        assert_eq!(app.send_as(&token, "GET", &path, &Value::Null).await.json()["markdown"], "");
        app.bench.advance_secs(5);
        let read = app.send_as(&token, "GET", &path, &Value::Null).await.json();
        assert_eq!(read["markdown"], "## Next steps\n- call");
    }
    let unknown = json!({
        "parent": { "data_source_id": source },
        "template": { "type": "template_id", "template_id": "00000000-0000-4000-8000-000000000000" },
    });
    assert_eq!(app.send_as(&token, "POST", "pages", &unknown).await.status, 404);
}

#[tokio::test]
async fn a_template_without_content_is_an_empty_page_and_a_wrong_one_stops_the_start() {
    let app = App::with_options(|options| options.connections[0].template = Some("Plain".to_owned())).await;
    let (token, id) = app.install_with_template().await;
    let path = format!("pages/{id}/markdown");
    assert_eq!(app.send_as(&token, "GET", &path, &Value::Null).await.json()["markdown"], "");
    let mut wrong = template();
    wrong.databases[0].rows[0].properties = json!({ "Nope": { "number": 1 } });
    let options = Options { templates: vec![wrong], ..Options::default() };
    let error = Simulator::start(options).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("\"Starter\""), "{error}");
}
