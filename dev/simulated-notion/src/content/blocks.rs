//! Blocks: reading, appending, changing, deleting; and how new nodes are made.

use serde_json::Value;

use crate::content::access::{Caller, Needs, What};
use crate::content::input::Input;
use crate::content::listing::{answer, list};
use crate::content::new_blocks::{self, NewBlock};
use crate::content::node::{Block, Kind, Node};
use crate::error::NotionError;
use crate::notion::Notion;

/// Where new blocks go among those that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    End,
    At(usize),
}

impl Notion {
    /// `GET /v1/blocks/{id}`
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`.
    pub(crate) fn get_block(&self, caller: &Caller, id: &str) -> Result<Value, NotionError> {
        caller.may(Needs::Read)?;
        Ok(self.block_object(self.find(caller, What::Block, id)?))
    }

    /// `GET /v1/blocks/{id}/children`
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`; 400 `validation_error` for a wrong page size or cursor.
    pub(crate) fn block_children(
        &self,
        caller: &Caller,
        id: &str,
        query: &Input<'_>,
    ) -> Result<Value, NotionError> {
        caller.may(Needs::Read)?;
        let node = self.find(caller, What::Block, id)?;
        let children = if node.database().is_some() { Vec::new() } else { self.children_shown(node) };
        answer("block", &children, query, |node| self.block_object(node))
    }

    /// `PATCH /v1/blocks/{id}/children`
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`; 400 `validation_error`; 403 `restricted_resource` at the block limit.
    pub(crate) fn append_blocks(
        &mut self,
        caller: &Caller,
        id: &str,
        body: &Input<'_>,
    ) -> Result<Value, NotionError> {
        caller.may(Needs::Insert)?;
        body.only(&["children", "position", "after"])?;
        let blocks = new_blocks::read(&body.needed("children")?)?;
        let parent = self.find_to_change(caller, What::Block, id)?;
        if !can_have_children(parent) {
            return Err(NotionError::validation("Block does not support children.")); // invented
        }
        let position = match (body.some("after"), body.some("position")) {
            (Some(after), None) => after_block(parent, &after)?,
            (None, Some(position)) => position_in(parent, &position, ["start", "end"])?,
            (None, None) => Position::End,
            (Some(_), Some(position)) => return Err(position.wrong("not present")),
        };
        let parent = parent.id.clone();
        self.use_blocks(caller, new_blocks::count(&blocks))?;
        let made = self.add_blocks(caller, &parent, blocks, position);
        self.touch(caller, &parent);
        let objects = made.iter().filter_map(|id| self.memory.content.get(id));
        Ok(list("block", &objects.map(|node| self.block_object(node)).collect::<Vec<_>>(), None))
    }

    /// `PATCH /v1/blocks/{id}`: other content, into or out of the trash.
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`; 400 `validation_error` for the content of another kind.
    pub(crate) fn update_block(
        &mut self,
        caller: &Caller,
        id: &str,
        body: &Input<'_>,
    ) -> Result<Value, NotionError> {
        caller.may(Needs::Update)?;
        let in_trash = body.bool_of("in_trash")?;
        let node = self.find_to_update(caller, What::Block, id, in_trash)?;
        let id = node.id.clone();
        let mut fields = body.fields()?;
        fields.retain(|(name, _)| !matches!(*name, "in_trash" | "type" | "object"));
        let mut content = None;
        for (name, given) in fields {
            match node.block() {
                Some(block) if block.kind == name => content = Some(merged(block, &given)?),
                _ => return Err(given.wrong("not present")),
            }
        }
        if let Some(node) = self.memory.content.get_mut(&id) {
            if let (Kind::Block(block), Some(content)) = (&mut node.kind, content) {
                block.content = content;
            }
            node.in_trash = in_trash.unwrap_or(node.in_trash);
        }
        self.touch(caller, &id);
        self.get_block(caller, &id)
    }

    /// `DELETE /v1/blocks/{id}`: moves it to the trash.
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`; 400 `validation_error` if it is there already.
    pub(crate) fn delete_block(&mut self, caller: &Caller, id: &str) -> Result<Value, NotionError> {
        caller.may(Needs::Update)?;
        let id = self.find_to_change(caller, What::Block, id)?.id.clone();
        if let Some(node) = self.memory.content.get_mut(&id) {
            node.in_trash = true;
        }
        self.touch(caller, &id);
        Ok(self.memory.content.get(&id).map(|node| self.block_object(node)).unwrap_or_default())
    }

    /// A node that is not stored yet. Draws its id.
    pub(crate) fn new_node(&mut self, caller: &Caller, parent: Option<String>, kind: Kind) -> Node {
        let now_ms = self.now_ms();
        Node {
            id: self.random.uuid(),
            workspace_id: caller.workspace_id.clone(),
            people: if parent.is_none() { vec![caller.person_id.clone()] } else { Vec::new() },
            parent,
            children: Vec::new(),
            kind,
            created_at_ms: now_ms,
            created_by: caller.author_id.clone(),
            edited_at_ms: now_ms,
            edited_by: caller.author_id.clone(),
            appears_at_ms: caller.content_appears_at_ms,
            in_trash: false,
            is_unshared: false,
        }
    }

    /// Stores blocks below `parent`. Answers the ids of those directly below it.
    pub(crate) fn add_blocks(
        &mut self,
        caller: &Caller,
        parent: &str,
        blocks: Vec<NewBlock>,
        position: Position,
    ) -> Vec<String> {
        let mut made = Vec::new();
        for block in blocks {
            let kind = Kind::Block(Block { kind: block.kind, content: block.content });
            let node = self.new_node(caller, Some(parent.to_owned()), kind);
            let at = if let Position::At(first) = position { Some(first + made.len()) } else { None };
            let id = node.id.clone();
            self.memory.content.add(node, at);
            self.add_blocks(caller, &id, block.children, Position::End);
            made.push(id);
        }
        made
    }

    /// Sets who changed a node, and when.
    pub(crate) fn touch(&mut self, caller: &Caller, id: &str) {
        let now_ms = self.now_ms();
        if let Some(node) = self.memory.content.get_mut(id) {
            node.edited_at_ms = now_ms;
            node.edited_by.clone_from(&caller.author_id);
        }
    }

    /// Counts blocks that are about to be made against what the workspace's plan has left.
    ///
    /// # Errors
    ///
    /// 403 `restricted_resource` if that is too little.
    pub(crate) fn use_blocks(&mut self, caller: &Caller, blocks: usize) -> Result<(), NotionError> {
        let limit = self.settings.block_limits.get(&caller.workspace_id);
        let Some(limit) = limit.filter(|_| caller.has_block_limit) else { return Ok(()) };
        let used = self.memory.content.limited_blocks.entry(caller.workspace_id.clone()).or_default();
        let after = used.saturating_add(blocks as u64);
        if after > *limit {
            // invented
            return Err(NotionError::restricted(
                "This workspace has reached the block limit of its plan. Upgrade the workspace to add more blocks.",
            ));
        }
        *used = after;
        Ok(())
    }
}

/// Where a request wants something among the children of `parent`. `ends` are the words for its start and end.
///
/// # Errors
///
/// `validation_error` for a position that is none, or after a block that is not there.
pub(crate) fn position_in(
    parent: &Node,
    given: &Input<'_>,
    ends: [&str; 2],
) -> Result<Position, NotionError> {
    match given.needed("type")?.one_of(&["after_block", ends[0], ends[1]])? {
        "after_block" => after_block(parent, &given.needed("after_block")?.needed("id")?),
        end if end == ends[1] => Ok(Position::End),
        _ => Ok(Position::At(0)),
    }
}

fn after_block(parent: &Node, given: &Input<'_>) -> Result<Position, NotionError> {
    let id = given.id()?;
    let at = parent.children.iter().position(|child| *child == id);
    at.map(|at| Position::At(at + 1)).ok_or_else(|| given.wrong("a block of the same parent")) // invented
}

fn can_have_children(node: &Node) -> bool {
    match &node.kind {
        Kind::Page(_) => true,
        Kind::Block(block) => {
            let always = [
                "paragraph",
                "bulleted_list_item",
                "numbered_list_item",
                "quote",
                "to_do",
                "toggle",
                "callout",
                "template",
                "table",
                "column_list",
                "column",
                "synced_block",
            ];
            always.contains(&block.kind.as_str()) || block.content["is_toggleable"] == true
        }
        _ => false,
    }
}

/// The content of a block with the fields of a request replaced.
fn merged(block: &Block, given: &Input<'_>) -> Result<Value, NotionError> {
    let mut whole = block.content.clone();
    if let Value::Object(whole) = &mut whole {
        whole.extend(given.object()?.clone());
    }
    let path = given.path();
    new_blocks::content_of(&block.kind, &Input::whole(path, &whole))
}
