//! The content of a page as Markdown: `GET` and `PATCH /v1/pages/{id}/markdown`.

use serde_json::{Value, json};

use crate::content::access::{Caller, Needs, What};
use crate::content::blocks::Position;
use crate::content::id::normal;
use crate::content::input::Input;
use crate::content::markdown::{Writable, parse, write};
use crate::content::new_blocks::{self, NewBlock};
use crate::content::node::{Kind, Node};
use crate::content::rich_text::plain;
use crate::error::NotionError;
use crate::notion::Notion;

impl Notion {
    /// `GET /v1/pages/{id}/markdown`
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`.
    pub(crate) fn get_page_markdown(&self, caller: &Caller, id: &str) -> Result<Value, NotionError> {
        caller.may(Needs::Read)?;
        let node = self.find(caller, What::Page, id)?;
        Ok(self.markdown_object(node))
    }

    fn markdown_object(&self, node: &Node) -> Value {
        json!({
            "object": "page_markdown",
            "id": node.id,
            "markdown": self.markdown(node),
            "truncated": false,
            "unknown_block_ids": [],
        })
    }

    /// `PATCH /v1/pages/{id}/markdown`: `insert_content`, `update_content`, `replace_content`,
    /// `replace_content_range`.
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`; 400 `validation_error` if the text that should be replaced is not there or is there more
    /// than once, or if a page or database would disappear without `allow_deleting_content`.
    pub(crate) fn update_page_markdown(
        &mut self,
        caller: &Caller,
        id: &str,
        body: &Input<'_>,
    ) -> Result<Value, NotionError> {
        caller.may(Needs::Update)?;
        let kinds = ["insert_content", "update_content", "replace_content", "replace_content_range"];
        let kind = body.needed("type")?.one_of(&kinds)?;
        body.only(&["type", "allow_async", kind])?;
        let node = self.find_to_change(caller, What::Page, id)?;
        let (id, old) = (node.id.clone(), self.markdown(node));
        let given = body.needed(kind)?;
        let is_async = body.bool_of("allow_async")?.unwrap_or_default();
        if kind == "insert_content" && given.some("after").is_none() {
            self.insert_content(caller, &id, &given)?;
            return Ok(self.markdown_answer(caller, &id, is_async));
        }
        let new = match kind {
            "insert_content" => inserted_after(&old, &given)?,
            "update_content" => updated(&old, &given)?,
            "replace_content" => given.needed("new_str")?.text()?.to_owned(),
            _ => {
                let (start, end) = selection(&old, &given.needed("content_range")?)?;
                format!("{}{}{}", &old[..start], given.needed("content")?.text()?, &old[end..])
            }
        };
        let may_delete = given.bool_of("allow_deleting_content")?.unwrap_or_default();
        self.replace_content(caller, &id, &new, &given, may_delete)?;
        self.touch(caller, &id);
        Ok(self.markdown_answer(caller, &id, is_async))
    }

    /// Adds blocks at the start or the end; those that are there stay as they are.
    fn insert_content(&mut self, caller: &Caller, id: &str, given: &Input<'_>) -> Result<(), NotionError> {
        let content = given.needed("content")?;
        let at = match given.some("position") {
            Some(position) => position.needed("type")?.one_of(&["start", "end"])?,
            None => "end",
        };
        let blocks = parse(content.text()?);
        new_blocks::at_most(&blocks, &content)?;
        self.use_blocks(caller, new_blocks::count(&blocks))?;
        self.add_blocks(caller, id, blocks, if at == "start" { Position::At(0) } else { Position::End });
        self.touch(caller, id);
        Ok(())
    }

    fn markdown_answer(&mut self, caller: &Caller, id: &str, is_async: bool) -> Value {
        if is_async {
            return self.begin_task(caller, id, "update_page_markdown");
        }
        self.memory.content.get(id).map(|node| self.markdown_object(node)).unwrap_or_default()
    }

    /// The content of a page or block as Markdown.
    pub(crate) fn markdown(&self, node: &Node) -> String {
        write(&self.writable(node))
    }

    fn writable(&self, node: &Node) -> Vec<Writable> {
        let children = self.children_shown(node);
        children
            .into_iter()
            .map(|child| match &child.kind {
                Kind::Block(block) => Writable {
                    kind: block.kind.clone(),
                    content: block.content.clone(),
                    children: self.writable(child),
                },
                _ => Writable {
                    kind: if child.database().is_some() { "child_database" } else { "child_page" }.to_owned(),
                    content: json!({
                        "url": self.url(child),
                        "title": child.title().map(plain).unwrap_or_default(),
                    }),
                    children: Vec::new(),
                },
            })
            .collect()
    }

    /// Replaces the blocks of a page. Pages and databases that the new text still names stay, at their new place.
    fn replace_content(
        &mut self,
        caller: &Caller,
        id: &str,
        markdown: &str,
        given: &Input<'_>,
        may_delete: bool,
    ) -> Result<(), NotionError> {
        let Some(node) = self.memory.content.get(id) else { return Ok(()) };
        let old = node.children.clone();
        let is_nested = |child: &&String| {
            self.memory.content.get(child).is_some_and(|child| child.block().is_none() && !child.in_trash)
        };
        let nested: Vec<String> = old.iter().filter(is_nested).cloned().collect();
        let mut groups = vec![Vec::new()];
        let mut kept = Vec::new();
        for block in parse(markdown) {
            match named(&block).filter(|id| nested.contains(id) && !kept.contains(id)) {
                Some(id) => {
                    kept.push(id);
                    groups.push(Vec::new());
                }
                None => groups.last_mut().unwrap_or(&mut Vec::new()).push(block),
            }
        }
        if kept.len() < nested.len() && !may_delete {
            // invented
            return Err(
                given.wrong("content that keeps the pages and databases, or have `allow_deleting_content`")
            );
        }
        for group in &groups {
            new_blocks::at_most(group, given)?;
        }
        self.use_blocks(caller, groups.iter().map(|group| new_blocks::count(group)).sum())?;
        for child in &old {
            if nested.contains(child) {
                let is_gone = !kept.contains(child);
                if let Some(child) = self.memory.content.get_mut(child) {
                    child.in_trash |= is_gone;
                }
            } else if self.memory.content.get(child).is_some_and(|child| child.block().is_some()) {
                self.memory.content.remove(child);
            }
        }
        for (at, group) in groups.into_iter().enumerate() {
            if let Some(id_of_kept) = at.checked_sub(1).and_then(|at| kept.get(at)) {
                self.memory.content.move_to(id_of_kept, Some(id.to_owned()));
            }
            self.add_blocks(caller, id, group, Position::End);
        }
        Ok(())
    }
}

/// The id in a line such as `<page url="https://www.notion.so/Title-0123…">Title</page>`.
fn named(block: &NewBlock) -> Option<String> {
    let text = plain(&block.content["rich_text"]);
    let rest = text.strip_prefix("<page url=\"").or_else(|| text.strip_prefix("<database url=\""))?;
    let (url, _) = rest.split_once('"')?;
    let digits: String = url.chars().rev().filter(|character| *character != '-').take(32).collect();
    Some(normal(&digits.chars().rev().collect::<String>()))
}

/// The text with content after the line in which a selection ends.
fn inserted_after(old: &str, given: &Input<'_>) -> Result<String, NotionError> {
    let content = given.needed("content")?.text()?;
    let (_, end) = selection(old, &given.needed("after")?)?;
    let end = old[end..].find('\n').map_or(old.len(), |line| end + line);
    Ok(format!("{}\n{content}{}", &old[..end], &old[end..]))
}

fn updated(old: &str, given: &Input<'_>) -> Result<String, NotionError> {
    let mut text = old.to_owned();
    for update in given.needed("content_updates")?.array(100)? {
        let wanted = update.needed("old_str")?;
        let (from, to) = (wanted.text()?, update.needed("new_str")?.text()?);
        let all = update.bool_of("replace_all_matches")?.unwrap_or_default();
        match text.matches(from).count() {
            0 => return Err(wanted.wrong("text that is in the page")), // invented
            1 => {}
            _ if all => {}
            _ => return Err(wanted.wrong("text that is in the page once, or have `replace_all_matches`")), // invented
        }
        text = text.replace(from, to);
    }
    Ok(text)
}

/// Where a selection such as `start text...end text` begins and ends.
fn selection(text: &str, given: &Input<'_>) -> Result<(usize, usize), NotionError> {
    let wanted = given.text()?;
    let (first, last) = wanted.split_once("...").unwrap_or((wanted, ""));
    let found = text.find(first).and_then(|start| {
        let from = start + first.len();
        Some((start, from + text[from..].find(last)? + last.len()))
    });
    found.filter(|_| !first.is_empty()).ok_or_else(|| given.wrong("a selection of the page's text")) // invented
}
