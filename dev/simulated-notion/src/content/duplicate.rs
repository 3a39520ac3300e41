//! The copy of a connection's template in a workspace.

use serde_json::{Value, json};

use crate::content::access::Caller;
use crate::content::blocks::Position;
use crate::content::input::Input;
use crate::content::node::{DataSource, Kind};
use crate::content::rich_text::of_text;
use crate::content::template::{RowTemplate, Template, TemplateDatabase};
use crate::error::NotionError;
use crate::notion::{Memory, Notion};
use crate::random::Random;
use crate::settings::Settings;

impl Notion {
    /// Makes every template once in a workspace of its own, and forgets it.
    ///
    /// # Errors
    ///
    /// The first complaint, with the title of the template.
    pub(crate) fn check_templates(&mut self) -> Result<(), String> {
        let scratch = Notion {
            settings: Settings::default(),
            workspaces: Vec::new(),
            memory: Memory::default(),
            random: Random::new(Some(0), 0).map_err(|error| error.to_string())?,
            clock: self.clock.clone(),
            templates: self.templates.clone(),
            base_url: String::new(),
            found_tokens: std::collections::HashMap::new(),
        };
        let mut scratch = scratch;
        for title in self.templates.iter().map(|template| &template.title) {
            let made = scratch.duplicate_template("workspace", "person", title);
            made.map_err(|error| format!("the template \"{title}\" cannot be made: {error}"))?;
        }
        Ok(())
    }

    /// Makes a page from the template with this title, by the person who duplicates it. Answers its id.
    ///
    /// The page is there at once; what is below it appears after
    /// [`Settings::template_lag_secs`](crate::Settings).
    ///
    /// # Errors
    ///
    /// `validation_error` if the template has content that Notion would not accept.
    pub(crate) fn duplicate_template(
        &mut self,
        workspace_id: &str,
        person_id: &str,
        title: &str,
    ) -> Result<String, NotionError> {
        let known = self.templates.iter().find(|template| template.title == title).cloned();
        let template = known.unwrap_or_else(|| Template { title: title.to_owned(), ..Template::default() });
        let person = Caller::person(workspace_id, person_id);
        let lag_ms = self.settings.template_lag_secs.saturating_mul(1000);
        let appears_at_ms = if lag_ms == 0 { 0 } else { self.now_ms().saturating_add(lag_ms) };
        let later = person.appearing_at(appears_at_ms);
        let id =
            self.template_page(&person, &json!({ "type": "workspace", "workspace": true }), &template)?;
        self.template_content(&later, &id, &template)?;
        Ok(id)
    }

    fn template_page(
        &mut self,
        person: &Caller,
        parent: &Value,
        template: &Template,
    ) -> Result<String, NotionError> {
        let mut body = json!({
            "parent": parent,
            "properties": { "title": { "title": of_text(&template.title) } },
        });
        if let Some(emoji) = &template.icon {
            body["icon"] = json!({ "type": "emoji", "emoji": emoji });
        }
        let page = self.create_page(person, &Input::whole("template", &body))?;
        Ok(id_of(&page))
    }

    /// Puts the content of a template on a page and below it.
    ///
    /// # Errors
    ///
    /// `validation_error` if Notion would not accept it.
    pub(crate) fn template_content(
        &mut self,
        person: &Caller,
        page: &str,
        template: &Template,
    ) -> Result<(), NotionError> {
        let blocks = crate::content::markdown::parse(&template.markdown);
        self.add_blocks(person, page, blocks, Position::End);
        for database in &template.databases {
            self.template_database(person, page, database)?;
        }
        for below in &template.pages {
            let id = self.template_page(person, &json!({ "type": "page_id", "page_id": page }), below)?;
            self.template_content(person, &id, below)?;
        }
        Ok(())
    }

    fn template_database(
        &mut self,
        person: &Caller,
        page: &str,
        database: &TemplateDatabase,
    ) -> Result<(), NotionError> {
        let mut body = json!({
            "parent": { "type": "page_id", "page_id": page },
            "title": of_text(&database.title),
        });
        if !database.properties.is_null() {
            body["initial_data_source"] = json!({ "properties": database.properties });
        }
        let made = self.create_database(person, &Input::whole("template", &body))?;
        let (id, source) = (id_of(&made), id_of(&made["data_sources"][0]));
        for row in &database.rows {
            self.template_row(person, &source, &row.properties, &row.markdown)?;
        }
        for template in &database.row_templates {
            let row = self.template_row(person, &source, &template.properties, &template.markdown)?;
            self.make_row_template(&source, &row, template);
        }
        for view in &database.views {
            let mut body = view.clone();
            body["data_source_id"] = source.as_str().into();
            body["database_id"] = id.as_str().into();
            if let Some(source) = self.memory.content.get(&source).and_then(|node| node.data_source()) {
                names_to_ids(source, &mut body["configuration"]);
            }
            self.create_view(person, &Input::whole("template", &body))?;
        }
        Ok(())
    }

    fn template_row(
        &mut self,
        person: &Caller,
        source: &str,
        properties: &Value,
        markdown: &str,
    ) -> Result<String, NotionError> {
        let mut body = json!({ "parent": { "type": "data_source_id", "data_source_id": source } });
        if !properties.is_null() {
            body["properties"] = properties.clone();
        }
        if !markdown.is_empty() {
            body["markdown"] = markdown.into();
        }
        let row = self.create_page(person, &Input::whole("template", &body))?;
        Ok(id_of(&row))
    }

    /// Turns a row into a row template.
    fn make_row_template(&mut self, source: &str, row: &str, template: &RowTemplate) {
        if let Some(page) = self.memory.content.page_mut(row) {
            page.values.insert("title".to_owned(), of_text(&template.name));
        }
        if let Some(node) = self.memory.content.get_mut(source) {
            node.children.retain(|child| child != row);
            if let Kind::DataSource(source) = &mut node.kind {
                source.templates.push(row.to_owned());
                if template.is_default {
                    source.default_template = Some(row.to_owned());
                }
            }
        }
    }
}

/// Replaces the names of properties by their ids, which a template cannot know.
fn names_to_ids(source: &DataSource, value: &mut Value) {
    let inner: Vec<(bool, &mut Value)> = match value {
        Value::Object(fields) => {
            fields.iter_mut().map(|(name, value)| (name.ends_with("property_id"), value)).collect()
        }
        Value::Array(items) => items.iter_mut().map(|item| (false, item)).collect(),
        _ => return,
    };
    for (is_property, value) in inner {
        match value.as_str().and_then(|name| source.property(name)) {
            Some(property) if is_property => *value = property.id.as_str().into(),
            _ => names_to_ids(source, value),
        }
    }
}

fn id_of(object: &Value) -> String {
    object["id"].as_str().unwrap_or_default().to_owned()
}
