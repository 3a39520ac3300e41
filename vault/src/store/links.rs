//! Links between subjects and installations: one row each in a table of its own (`subject`, `installation_id`), and the
//! list of subjects in the installation's row. Both are always written in one transaction, so they never disagree.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use shared::clock::UnixMillis;
use shared::ids::canonical;
use tokio::time::Instant;

use super::due::Page;
use super::item::{number, string, text};
use super::pending;
use super::row::Installation;
use super::update::RowUpdate;
use super::{Store, StoreError, failed, not_built};
use crate::budget::until;
use crate::installation::InstallationId;
use crate::subject::Subject;

/// How many subjects one installation may have: all its links must fit into one transaction.
pub const MAX_SUBJECTS: usize = 40;
/// How many installations of a subject are read at once.
const LINKS_PER_PAGE: i32 = 100;

impl Store {
    /// The installations that a subject is linked to, in the order of their keys, by default in any workspace.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn linked_to(
        &self,
        subject: &Subject,
        workspace_id: Option<&str>,
        after: Option<&InstallationId>,
        deadline: Instant,
    ) -> Result<Page<InstallationId>, StoreError> {
        let mut query = self
            .client
            .query()
            .table_name(&self.links_table)
            .consistent_read(true)
            .limit(LINKS_PER_PAGE)
            .expression_attribute_values(":subject", string(subject.as_str()))
            .set_exclusive_start_key(after.map(|id| link_key(subject, id)));
        query = match workspace_id {
            None => query.key_condition_expression("subject = :subject"),
            Some(workspace_id) => query
                .key_condition_expression("subject = :subject AND begins_with(installation_id, :workspace)")
                .expression_attribute_values(":workspace", string(&format!("{}/", canonical(workspace_id)))),
        };
        let answer = until(deadline, query.send()).await?.map_err(|error| failed(&error))?;
        let id_of = |row| text(row, "installation_id").map(InstallationId::of_row);
        let next = answer.last_evaluated_key().filter(|key| !key.is_empty()).cloned();
        Ok(Page { keys: answer.items().iter().filter_map(id_of).collect(), next: next.map(super::due::Next) })
    }

    /// `link`: links a subject to an installation, whose row becomes `linked` if it has not changed since it was read.
    /// Returns whether it was done.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it may have been done. Reading the row shows it.
    pub async fn link(
        &self,
        standing: &Installation,
        subject: &Subject,
        linked: &Installation,
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<bool, StoreError> {
        let update = RowUpdate::if_unchanged(standing)
            .set("subjects", subjects_attribute(&linked.subjects))
            .set("pending", pending::attribute(&linked.pending))
            .set("owned_since_ms", number(linked.owned_since_ms.unwrap_or(now.0)))
            .remove(&["claim_by_ms"])
            .due_at(linked.due_at_ms.unwrap_or(now.0));
        let mut writes = vec![update.part(self)?];
        writes.extend(self.put_links(&standing.id, std::slice::from_ref(subject))?);
        until(deadline, Box::pin(self.write_all(writes))).await?
    }

    /// `unlink`: removes a subject from an installation that has others, if the row has not changed since it was read.
    /// The codes with which the subject claimed it are forgotten too. Returns whether it was done.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it may have been done.
    pub async fn unlink(
        &self,
        standing: &Installation,
        subject: &Subject,
        deadline: Instant,
    ) -> Result<bool, StoreError> {
        let (mut subjects, mut pending) = (standing.subjects.clone(), standing.pending.clone());
        subjects.retain(|other| other != subject);
        pending.retain(|pending| pending.claimed_by.as_ref() != Some(subject));
        let update = RowUpdate::if_unchanged(standing)
            .set("subjects", subjects_attribute(&subjects))
            .set("pending", pending::attribute(&pending));
        let writes = vec![update.part(self)?, self.delete_link(subject, &standing.id)?];
        until(deadline, Box::pin(self.write_all(writes))).await?
    }

    /// The parts of a transaction that remove the links of an installation.
    pub(super) fn delete_links(
        &self,
        id: &InstallationId,
        subjects: &[Subject],
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        subjects.iter().map(|subject| self.delete_link(subject, id)).collect()
    }

    /// The parts of a transaction after which the links of an installation are those of `subjects`. Before, they are
    /// those of `before`.
    pub(super) fn replace_links(
        &self,
        id: &InstallationId,
        before: &[Subject],
        subjects: &[Subject],
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let without = |all: &[Subject], others: &[Subject]| -> Vec<Subject> {
            all.iter().filter(|subject| !others.contains(subject)).cloned().collect()
        };
        let mut writes = self.delete_links(id, &without(before, subjects))?;
        writes.extend(self.put_links(id, &without(subjects, before))?);
        Ok(writes)
    }

    /// The parts of a transaction that write the links of an installation.
    pub(super) fn put_links(
        &self,
        id: &InstallationId,
        subjects: &[Subject],
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let put = |subject: &Subject| {
            let put =
                Put::builder().table_name(&self.links_table).set_item(Some(link_key(subject, id))).build();
            Ok(TransactWriteItem::builder().put(put.map_err(not_built)?).build())
        };
        subjects.iter().map(put).collect()
    }

    fn delete_link(&self, subject: &Subject, id: &InstallationId) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.links_table).set_key(Some(link_key(subject, id)));
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(not_built)?).build())
    }
}

fn link_key(subject: &Subject, id: &InstallationId) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("subject".to_owned(), string(subject.as_str())),
        ("installation_id".to_owned(), string(id.as_str())),
    ])
}

/// Subjects as stored in a row.
pub(super) fn subjects_attribute(subjects: &[Subject]) -> AttributeValue {
    AttributeValue::L(subjects.iter().map(|subject| string(subject.as_str())).collect())
}
