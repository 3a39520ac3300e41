//! An app with an access token, and the requests it makes.

use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, Approval, Options, ROADMAP, Settings};

use crate::bench::{Bench, QUERY};
use crate::browser::{Answer, send};

/// A bench on which Ada has installed the app in Acme.
pub(crate) struct App {
    pub(crate) bench: Bench,
    pub(crate) token: String,
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::with_options(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with_options(|options| change(&mut options.settings)).await
    }

    pub(crate) async fn with_options(change: impl FnOnce(&mut Options)) -> Self {
        let bench = Bench::with_options(change).await;
        let token = bench.pair().await.access;
        Self { bench, token }
    }

    /// The same bench, for somebody else.
    pub(crate) async fn install(&self, person: &str, workspace: &str, page: &str) -> String {
        let code = self.bench.code_for(QUERY, person, workspace, page);
        let answer = self.bench.exchange(&code).await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Ada duplicates the template. The token, and the id of the page.
    pub(crate) async fn install_with_template(&self) -> (String, String) {
        let redirect = self.bench.notion.approve(Approval {
            authorize_query: QUERY.to_owned(),
            person: ADA.to_owned(),
            workspace: ACME.to_owned(),
            pages: vec![ROADMAP.to_owned()],
            duplicate_template: true,
            ..Approval::default()
        });
        let code = redirect.unwrap().parameter("code").unwrap();
        let answer = self.bench.exchange(&code).await.json();
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        (text("access_token"), text("duplicated_template_id"))
    }

    pub(crate) async fn send_as(&self, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        self.try_send_as(token, method, path, body).await.unwrap()
    }

    /// `None` if the connection was closed before the answer was complete.
    pub(crate) async fn try_send_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Option<Answer> {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("notion-version", "2026-03-11"),
            ("content-type", "application/json"),
        ];
        let body = if method == "GET" { String::new() } else { body.to_string() };
        send(&self.bench.notion, method, &format!("/v1/{path}"), &headers, &body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send_as(&self.token, "GET", path, &Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send_as(&self.token, "POST", path, &body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send_as(&self.token, "PATCH", path, &body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send_as(&self.token, "DELETE", path, &json!({})).await
    }

    /// Posts what must succeed. Answers its JSON.
    pub(crate) async fn make(&self, path: &str, body: Value) -> Value {
        let answer = self.post(path, body.clone()).await;
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.body);
        answer.json()
    }

    /// A page with this title at the top of the workspace.
    pub(crate) async fn page(&self, title: &str) -> String {
        id_of(&self.make("pages", json!({ "properties": titled(title) })).await)
    }

    /// A database of tasks at the top of the workspace.
    pub(crate) async fn tasks(&self) -> Tasks {
        let body = json!({
            "parent": { "type": "workspace", "workspace": true },
            "title": text("Tasks"),
            "initial_data_source": { "properties": {
                "Task": { "title": {} },
                "Status": { "status": {} },
                "Kind": { "select": { "options": [{ "name": "Bug", "color": "red" }, { "name": "Idea" }] } },
                "Tags": { "multi_select": {} },
                "Done": { "checkbox": {} },
                "Due": { "date": {} },
                "Points": { "number": { "format": "number" } },
                "Who": { "people": {} },
            } },
        });
        let database = self.make("databases", body).await;
        let source = id_of(&database["data_sources"][0]);
        let schema = self.get(&format!("data_sources/{source}")).await.json()["properties"].clone();
        Tasks { database: id_of(&database), source, schema }
    }

    /// A row with this title and other properties.
    pub(crate) async fn row(&self, tasks: &Tasks, title: &str, properties: Value) -> Value {
        let mut all = json!({ "Task": { "title": text(title) } });
        all.as_object_mut().unwrap().extend(properties.as_object().unwrap().clone());
        self.make("pages", json!({ "parent": tasks.as_parent(), "properties": all })).await
    }
}

pub(crate) struct Tasks {
    pub(crate) database: String,
    pub(crate) source: String,
    pub(crate) schema: Value,
}

impl Tasks {
    pub(crate) fn as_parent(&self) -> Value {
        json!({ "type": "data_source_id", "data_source_id": self.source })
    }

    /// The id of a property.
    pub(crate) fn id(&self, name: &str) -> &str {
        self.schema[name]["id"].as_str().unwrap()
    }
}

pub(crate) fn id_of(object: &Value) -> String {
    object["id"].as_str().unwrap().to_owned()
}

/// Rich text without style.
pub(crate) fn text(content: &str) -> Value {
    json!([{ "text": { "content": content } }])
}

pub(crate) fn titled(title: &str) -> Value {
    json!({ "title": { "title": text(title) } })
}
