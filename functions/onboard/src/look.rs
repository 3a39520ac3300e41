//! Looking for a resource that a request may have made: in the list of what its container holds, or by search if it is at the
//! top of the workspace.
//!
//! It is the one that has the title, was made by the connection's bot, not before the intent, and is not in the ledger.

use http::Method;
use recipe::{Kind, Make, Step};
use serde_json::{Value, json};

use crate::ledger::Found;
use crate::make::found;
use crate::run::Run;
use crate::stop::Stop;

/// How many pages of a list are read. Newest first, where Notion offers that.
const MAX_PAGES: usize = 10;
/// Notion rounds `created_time` down to the minute; and its clock is not ours.
const MARGIN_MS: u64 = 120_000;

impl Run<'_> {
    /// Looks for what a step may have made.
    pub(crate) async fn look_for(&mut self, step: &Step) -> Result<Option<Found>, Stop> {
        let values = self.onboard.values(&self.row, Some(&self.ledger), self.now());
        let Some(title) = step.title(&values) else { return Ok(None) };
        // Of a view, Notion does not say who made it.
        let bot = if step.make.kind() == Kind::View { None } else { self.bot(step).await? };
        let container = step.container().and_then(|container| self.ledger.step(container));
        let (id, data_source) = match container {
            Some(known) => {
                (known.id.clone().unwrap_or_default(), known.data_source_id.clone().unwrap_or_default())
            }
            None => (String::new(), String::new()),
        };
        let looked = match (&step.make, step.container()) {
            (Make::View(view), _) => self.among_views(step, &id, &title, &view.kind).await?,
            (Make::Row { .. }, _) => self.among_rows(step, &data_source, &title, bot.as_deref()).await?,
            (_, Some(_)) => self.among_children(step, &id, &title, bot.as_deref()).await?,
            (_, None) => self.by_search(step, &title, bot.as_deref()).await?,
        };
        let Some(id) = looked else { return Ok(None) };
        Ok(self.read_by_id(step, step.make.kind().key(), &id).await?.as_ref().and_then(found))
    }

    /// The id of the connection's bot. `None` if the connection may not know: then only the title and the time tell.
    async fn bot(&mut self, step: &Step) -> Result<Option<String>, Stop> {
        match self.read(step, Method::GET, "users/me", None).await {
            Ok(me) => Ok(me.and_then(|me| me["id"].as_str().map(str::to_owned))),
            Err(Stop::Failed(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    async fn among_children(
        &mut self,
        step: &Step,
        parent: &str,
        title: &str,
        bot: Option<&str>,
    ) -> Result<Option<String>, Stop> {
        let kind = format!("child_{}", step.make.kind().key());
        let path = format!("blocks/{parent}/children?page_size=100");
        let blocks = self.list(step, Method::GET, &path, None).await?;
        let is_it = |block: &&Value| block["type"] == kind.as_str() && block[&kind]["title"] == title;
        Ok(self.first(step, bot, blocks.iter().filter(is_it)))
    }

    async fn among_rows(
        &mut self,
        step: &Step,
        data_source: &str,
        title: &str,
        bot: Option<&str>,
    ) -> Result<Option<String>, Stop> {
        let newest_first =
            json!({"sorts": [{"timestamp": "created_time", "direction": "descending"}], "page_size": 100});
        let path = format!("data_sources/{data_source}/query");
        let rows = self.list(step, Method::POST, &path, Some(newest_first)).await?;
        Ok(self.first(step, bot, rows.iter().filter(|row| title_of(row) == title)))
    }

    async fn among_views(
        &mut self,
        step: &Step,
        database: &str,
        name: &str,
        kind: &str,
    ) -> Result<Option<String>, Stop> {
        let listed = self
            .list(step, Method::GET, &format!("views?database_id={database}&page_size=100"), None)
            .await?;
        for view in listed {
            let Some(id) = view["id"].as_str() else { continue };
            // A list may hold no more than ids.
            let view = match view.get("name") {
                Some(_) => Some(view.clone()),
                None => self.read_by_id(step, Kind::View.key(), id).await?,
            };
            let is_it = view.is_some_and(|view| view["name"] == name && view["type"] == kind);
            if is_it && self.ledger.steps.iter().all(|known| known.id.as_deref() != Some(id)) {
                return Ok(Some(id.to_owned()));
            }
        }
        Ok(None)
    }

    async fn by_search(
        &mut self,
        step: &Step,
        title: &str,
        bot: Option<&str>,
    ) -> Result<Option<String>, Stop> {
        let is_database = step.make.kind() == Kind::Database;
        let query = json!({
            "query": title,
            "filter": {"property": "object", "value": if is_database { "data_source" } else { "page" }},
            "sort": {"timestamp": "last_edited_time", "direction": "descending"},
            "page_size": 100,
        });
        let results = self.list(step, Method::POST, "search", Some(query)).await?;
        let is_at_the_top = |result: &&Value| {
            let parent = if is_database { &result["database_parent"] } else { &result["parent"] };
            parent["type"] == "workspace" && title_of(result) == title
        };
        // A search finds the data source of a database.
        let of_database = |result: &Value| -> Value {
            let mut result = result.clone();
            if is_database {
                result["id"] = result["parent"]["database_id"].take();
            }
            result
        };
        let found: Vec<Value> = results.iter().filter(is_at_the_top).map(of_database).collect();
        Ok(self.first(step, bot, found.iter()))
    }

    /// The first that the bot made, not before the intent, and that is not in the ledger.
    fn first<'v>(
        &self,
        step: &Step,
        bot: Option<&str>,
        mut candidates: impl Iterator<Item = &'v Value>,
    ) -> Option<String> {
        let intended_at_ms = self.ledger.step(&step.resource_id).map_or(0, |known| known.at_ms);
        let is_it = |candidate: &&Value| {
            let by = candidate["created_by"]["id"].as_str();
            let made_at_ms = candidate["created_time"].as_str().and_then(millis_of);
            let is_known =
                self.ledger.steps.iter().any(|known| known.id.as_deref() == candidate["id"].as_str());
            let is_of_the_bot = bot.is_none() || by.is_none() || by == bot;
            let is_new = made_at_ms.is_none_or(|at_ms| at_ms.saturating_add(MARGIN_MS) >= intended_at_ms);
            is_of_the_bot && is_new && !is_known && candidate["in_trash"] != Value::Bool(true)
        };
        candidates.find(is_it)?["id"].as_str().map(str::to_owned)
    }

    /// The elements of a list, page by page.
    pub(crate) async fn list(
        &mut self,
        step: &Step,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Vec<Value>, Stop> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let (mut path, mut body) = (path.to_owned(), body.clone());
            if let Some(cursor) = &cursor {
                match &mut body {
                    Some(body) => body["start_cursor"] = cursor.as_str().into(),
                    None => path.extend(["&start_cursor=", cursor]),
                }
            }
            let Some(mut page) = self.read(step, method.clone(), &path, body.as_ref()).await? else { break };
            if let Value::Array(results) = page["results"].take() {
                all.extend(results);
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        Ok(all)
    }
}

/// The title of a page, of a row, or of a data source.
fn title_of(object: &Value) -> String {
    let of_a_property = || {
        let properties = object["properties"].as_object()?;
        properties.values().find(|property| property["type"] == "title").map(|property| &property["title"])
    };
    let title = if object["title"].is_array() { Some(&object["title"]) } else { of_a_property() };
    let parts = title.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    parts.iter().filter_map(|part| part["plain_text"].as_str()).collect()
}

/// An ISO 8601 time in milliseconds.
fn millis_of(text: &str) -> Option<u64> {
    use aws_smithy_types::DateTime;
    use aws_smithy_types::date_time::Format;
    let at = DateTime::from_str(text, Format::DateTimeWithOffset).ok()?;
    u64::try_from(at.to_millis().ok()?).ok()
}
