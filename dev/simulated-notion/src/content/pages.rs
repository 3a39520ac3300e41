//! Pages and rows: making, reading, changing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::content::access::{Caller, Needs, What};
use crate::content::blocks::{Position, position_in};
use crate::content::input::Input;
use crate::content::new_blocks;
use crate::content::node::{Kind, Page, Property};
use crate::content::page_input::{Place, cover, icon, new_content};
use crate::content::store::Task;
use crate::error::NotionError;
use crate::notion::Notion;

/// What a row template is applied to.
struct Applied {
    template: String,
    page: String,
}

impl Notion {
    /// `POST /v1/pages`
    ///
    /// # Errors
    ///
    /// 400 `validation_error`; 403 `restricted_resource` without the capability, or at the block limit; 404
    /// `object_not_found` for the parent, the template or the target of a relation.
    pub(crate) fn create_page(&mut self, caller: &Caller, body: &Input<'_>) -> Result<Value, NotionError> {
        caller.may(Needs::Insert)?;
        body.only(&[
            "parent",
            "properties",
            "icon",
            "cover",
            "content",
            "children",
            "markdown",
            "template",
            "position",
            "allow_async",
        ])?;
        let place = self.place(caller, body)?;
        let mut page = Page { icon: icon(body)?, cover: cover(body)?, ..Page::default() };
        let schema = self.read_values(caller, &place, body.some("properties").as_ref(), &mut page.values)?;
        let template = self.template_of(caller, &place, body)?;
        let blocks = new_content(body, &mut page.values)?;
        if let (Some(_), false) = (&template, blocks.is_empty()) {
            return Err(body.needed("template")?.wrong("not present with `children` or `markdown`")); // invented
        }
        let position = match (&place, body.some("position")) {
            (_, None) => Position::End,
            (Place::Below(parent), Some(given)) => {
                let parent = self.find(caller, What::Page, parent)?;
                position_in(parent, &given, ["page_start", "page_end"])?
            }
            (_, Some(given)) => return Err(given.wrong("not present without a `page_id` parent")), // invented
        };
        self.use_blocks(caller, 1 + new_blocks::count(&blocks))?;

        let parent = match &place {
            Place::Workspace => None,
            Place::Below(id) | Place::RowOf(id) => Some(id.clone()),
        };
        if let (Place::RowOf(source), Some(mut schema)) = (&place, schema) {
            self.number_row(source, &mut schema, &mut page.values);
        }
        let is_async = body.bool_of("allow_async")?.unwrap_or_default();
        if is_async && body.some("markdown").is_none() {
            return Err(body.needed("allow_async")?.wrong("not present without `markdown`")); // invented
        }
        let node = self.new_node(caller, parent, Kind::Page(page));
        let id = node.id.clone();
        let at = if let Position::At(at) = position { Some(at) } else { None };
        self.memory.content.add(node, at);
        if matches!(place, Place::Workspace) && caller.is_bot {
            self.memory.content.share(&caller.author_id, &id);
        }
        let delay_secs = if is_async { self.settings.async_task_secs } else { 0 };
        let later = caller.appearing_at(self.later_ms(caller, delay_secs));
        self.add_blocks(&later, &id, blocks, Position::End);
        if let Some(template) = template {
            self.apply_template(caller, &Applied { template, page: id.clone() });
        }
        if is_async {
            return Ok(self.begin_task(caller, &id, "create_page"));
        }
        Ok(self.made(caller, &id))
    }

    /// `GET /v1/pages/{id}`
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`. A page in the trash is answered, with `in_trash`.
    pub(crate) fn get_page(&self, caller: &Caller, id: &str) -> Result<Value, NotionError> {
        caller.may(Needs::Read)?;
        Ok(self.object(self.find(caller, What::Page, id)?))
    }

    /// `PATCH /v1/pages/{id}`
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`; 400 `validation_error`, also for a page that is in the trash and stays there.
    pub(crate) fn update_page(
        &mut self,
        caller: &Caller,
        id: &str,
        body: &Input<'_>,
    ) -> Result<Value, NotionError> {
        caller.may(Needs::Update)?;
        body.only(&["properties", "icon", "cover", "is_locked", "template", "erase_content", "in_trash"])?;
        let in_trash = body.bool_of("in_trash")?;
        let node = self.find_to_update(caller, What::Page, id, in_trash)?;
        let id = node.id.clone();
        let source = node.parent.as_ref().and_then(|parent| self.memory.content.get(parent));
        let place = match source.filter(|parent| parent.data_source().is_some()) {
            Some(source) => Place::RowOf(source.id.clone()),
            None => Place::Workspace,
        };
        let mut page = node.page().cloned().unwrap_or_default();
        let schema = self.read_values(caller, &place, body.some("properties").as_ref(), &mut page.values)?;
        let template = self.template_of(caller, &place, body)?;
        if body.field("icon").is_some() {
            page.icon = icon(body)?;
        }
        if body.field("cover").is_some() {
            page.cover = cover(body)?;
        }
        page.is_locked = body.bool_of("is_locked")?.unwrap_or(page.is_locked);
        if let (Place::RowOf(source), Some(schema)) = (&place, schema)
            && let Some(source) = self.memory.content.data_source_mut(source)
        {
            source.schema = schema;
        }
        if body.bool_of("erase_content")?.unwrap_or_default() {
            self.erase(&id);
        }
        if let Some(node) = self.memory.content.get_mut(&id) {
            node.kind = Kind::Page(page);
            node.in_trash = in_trash.unwrap_or(node.in_trash);
        }
        if let Some(template) = template {
            self.apply_template(caller, &Applied { template, page: id.clone() });
        }
        self.touch(caller, &id);
        Ok(self.made(caller, &id))
    }

    /// What a connection gets of something that it made or changed.
    pub(crate) fn made(&self, caller: &Caller, id: &str) -> Value {
        let node = self.memory.content.get(id);
        let object = node.map(|node| {
            if caller.capabilities.read_content { self.object(node) } else { Self::partial_object(node) }
        });
        object.unwrap_or_default()
    }

    /// Gives a row the next number, if the schema counts rows, and stores the schema with its new options.
    fn number_row(&mut self, source: &str, schema: &mut Vec<Property>, values: &mut BTreeMap<String, Value>) {
        let Some(source) = self.memory.content.data_source_mut(source) else { return };
        if let Some(property) = schema.iter().find(|property| property.kind == "unique_id") {
            source.last_number += 1;
            values.insert(property.id.clone(), source.last_number.into());
        }
        source.schema = std::mem::take(schema);
    }

    /// The copy of a row template's content appears later (documented); its property values are there at once (inferred).
    fn apply_template(&mut self, caller: &Caller, applied: &Applied) {
        let delay_secs = self.settings.template_lag_secs;
        let later = caller.appearing_at(self.later_ms(caller, delay_secs));
        let values = self.memory.content.get(&applied.template).and_then(|node| node.page()).cloned();
        if let (Some(template), Some(page)) = (values, self.memory.content.page_mut(&applied.page)) {
            for (id, value) in template.values.into_iter().filter(|(id, _)| id != "title") {
                page.values.entry(id).or_insert(value);
            }
            if page.icon.is_null() {
                page.icon = template.icon;
            }
        }
        self.copy_children(&later, &applied.template, &applied.page);
    }

    /// When something that takes `secs` is there. What is made with a delay keeps it.
    fn later_ms(&self, caller: &Caller, secs: u64) -> u64 {
        let later = if secs == 0 { 0 } else { self.now_ms().saturating_add(secs.saturating_mul(1000)) };
        later.max(caller.content_appears_at_ms)
    }

    /// Moves the blocks of a page to the trash.
    fn erase(&mut self, id: &str) {
        let children = self.memory.content.get(id).map(|node| node.children.clone()).unwrap_or_default();
        for child in children {
            if let Some(child) = self.memory.content.get_mut(&child) {
                child.in_trash = true;
            }
        }
    }

    /// Records work that is answered with a task instead of its result.
    pub(crate) fn begin_task(&mut self, caller: &Caller, page_id: &str, operation: &str) -> Value {
        let now_ms = self.now_ms();
        let done_at_ms = now_ms.saturating_add(self.settings.async_task_secs.saturating_mul(1000));
        let task = Task {
            bot_id: caller.author_id.clone(),
            page_id: page_id.to_owned(),
            operation: operation.to_owned(),
            created_at_ms: now_ms,
            done_at_ms,
        };
        let id = self.random.uuid();
        let answer = self.task_object(&id, &task, "queued");
        self.memory.content.tasks.insert(id, task);
        answer
    }
}
