//! A client of the control that holds each request and each answer against the OpenAPI document.

use serde_json::{Value, json};
use simulated_notion::Simulator;

use crate::browser::send;

/// The OpenAPI document, or a changed copy of it.
#[derive(Clone)]
pub(crate) struct Document(pub(crate) Value);

/// A value and the schema that it has to match.
pub(crate) struct Exchanged {
    pub(crate) schema: Value,
    pub(crate) value: Value,
}

impl Document {
    pub(crate) fn read() -> Self {
        Self(serde_json::from_str(include_str!("../../../openapi/control.json")).unwrap())
    }

    /// Every method and path.
    pub(crate) fn operations(&self) -> Vec<(String, String)> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        paths
            .flat_map(|(path, item)| {
                item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone()))
            })
            .collect()
    }

    fn resolve<'a>(&'a self, part: &'a Value) -> &'a Value {
        match part["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.trim_start_matches('#')).unwrap(),
            None => part,
        }
    }

    fn operation(&self, method: &str, path: &str) -> &Value {
        let operation = &self.0["paths"][path][method.to_lowercase()];
        assert!(operation.is_object(), "not documented: {method} {path}");
        operation
    }

    /// The schema of an answer; `None` if it has no body.
    fn answer(&self, method: &str, path: &str, status: u16) -> Option<Value> {
        let response = &self.operation(method, path)["responses"][status.to_string()];
        assert!(response.is_object(), "not documented: {status} to {method} {path}");
        self.resolve(response)["content"]["application/json"].get("schema").cloned()
    }

    fn body(&self, method: &str, path: &str) -> Option<Value> {
        self.operation(method, path)["requestBody"]["content"]["application/json"].get("schema").cloned()
    }

    fn parameter(&self, method: &str, path: &str, name: &str) -> Option<Value> {
        let parameters = self.operation(method, path)["parameters"].as_array()?;
        Some(parameters.iter().find(|parameter| parameter["name"] == name)?["schema"].clone())
    }

    /// Why a value does not match a schema of the document.
    pub(crate) fn complaint(&self, exchanged: &Exchanged) -> Option<String> {
        let root = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [exchanged.schema],
            "components": self.0["components"],
        });
        let validator = jsonschema::options().should_validate_formats(true).build(&root).unwrap();
        let complaint = validator.iter_errors(&exchanged.value).next();
        complaint.map(|error| format!("{}: {error}", error.instance_path()))
    }
}

/// The client.
pub(crate) struct Control<'a> {
    notion: &'a Simulator,
    document: Document,
    /// Every accepted body and parameter, and every answer.
    pub(crate) exchanged: Vec<Exchanged>,
}

impl<'a> Control<'a> {
    pub(crate) fn of(notion: &'a Simulator) -> Self {
        Self { notion, document: Document::read(), exchanged: Vec::new() }
    }

    /// The answer to a GET.
    pub(crate) async fn get(&mut self, target: &str) -> Value {
        let (status, answer) = self.call("GET", target, None).await;
        assert_eq!(status, 200, "{target}: {answer}");
        answer
    }

    /// The answer to a POST; null for 204.
    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call("POST", path, Some(body)).await;
        assert!(status == 200 || status == 204, "{path} {body}: {answer}");
        answer
    }

    /// The field that a refused POST names, or null.
    pub(crate) async fn wrong(&mut self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call("POST", path, Some(body)).await;
        assert_eq!(status, 422, "{path} {body}: {answer}");
        answer["field"].clone()
    }

    /// The same for a GET.
    pub(crate) async fn wrong_query(&mut self, target: &str) -> Value {
        let (status, answer) = self.call("GET", target, None).await;
        assert_eq!(status, 422, "{target}: {answer}");
        answer["field"].clone()
    }

    /// How many requests to an endpoint arrived.
    pub(crate) async fn count(&mut self, query: &str) -> u64 {
        self.get(&format!("/control/requests/count?{query}")).await["count"].as_u64().unwrap()
    }

    async fn call(&mut self, method: &str, target: &str, body: Option<&Value>) -> (u16, Value) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let text = body.map(ToString::to_string).unwrap_or_default();
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        let answer = send(self.notion, method, target, &headers, &text).await.unwrap();

        let expected = self.document.answer(method, path, answer.status);
        let value = if answer.body.is_empty() { Value::Null } else { answer.json() };
        match expected {
            Some(schema) => {
                assert_eq!(answer.header("content-type"), Some("application/json"), "{target}");
                self.matches(schema, &value);
            }
            None => assert_eq!(answer.body, "", "{target}"),
        }
        if answer.status < 300 {
            if let Some(body) = body {
                let schema = self.document.body(method, path);
                self.matches(schema.unwrap_or_else(|| panic!("{target} has no body")), body);
            }
            for (name, given) in form_urlencoded::parse(query.as_bytes()) {
                let schema = self.document.parameter(method, path, &name);
                let schema = schema.unwrap_or_else(|| panic!("{path} has no parameter {name}"));
                let given = serde_json::from_str(&given).unwrap_or_else(|_| given.as_ref().into());
                self.matches(schema, &given);
            }
        }
        (answer.status, value)
    }

    fn matches(&mut self, schema: Value, value: &Value) {
        let exchanged = Exchanged { schema, value: value.clone() };
        let complaint = self.document.complaint(&exchanged);
        assert_eq!(complaint, None, "{} {value}", exchanged.schema);
        self.exchanged.push(exchanged);
    }
}
