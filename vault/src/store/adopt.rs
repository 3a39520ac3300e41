//! Adopts an installation whose tokens came from elsewhere: whoever moves in brings them.
//!
//! Its row and the link to its subject are written in one transaction. Nothing that happened here is undone: tokens of a
//! row that may be alive stay, and who was removed or forgotten stays so.

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use shared::clock::UnixMillis;
use tokio::time::Instant;

use super::forgotten::Forgotten;
use super::installations::{self, Decision, Terms};
use super::item::{Row, integer, number, string, text};
use super::links::{MAX_SUBJECTS, subjects_attribute};
use super::row::{self, Health, Installation, pair_attribute, report_dropped};
use super::update::{RowUpdate, UNCHANGED};
use super::{Store, StoreError, due, not_built};
use crate::budget::until;
use crate::installation::NewInstallation;
use crate::seal::Fingerprint;
use crate::subject::Subject;

/// An installation to adopt.
#[derive(Debug, Clone, Copy)]
pub struct Adoption<'a> {
    /// It, sealed.
    pub install: &'a NewInstallation,
    /// Whose it is.
    pub subject: &'a Subject,
    /// Whether Notion has just said that its access token is alive. Otherwise it is vended only after Notion has.
    pub proven: bool,
    /// The time.
    pub now: UnixMillis,
    /// When the sweep first asks about it, if it is proven.
    pub next_look: UnixMillis,
}

/// The result of adopting an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adopted {
    /// Its tokens are in the row, and the subject is linked.
    Saved,
    /// Its tokens were in the row, or had been; now the subject is linked too.
    Linked,
    /// Both were so before.
    Already,
    /// The row has other tokens, which stay.
    HasOthers(Others),
    /// It was removed. The person has to install again.
    Removed,
    /// The person was forgotten.
    Forgotten,
    /// It has as many subjects as an installation may have.
    TooManySubjects,
}

/// The other tokens of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They were adopted.
    Adopted,
    /// The person has installed here, and the row is the subject's.
    OfTheSubject,
    /// The person has installed here, and the row is not the subject's.
    OfAnother,
}

enum Plan {
    End(Adopted),
    Write { parts: Vec<TransactWriteItem>, done: Adopted, dropped_bots: Vec<String> },
}

impl Installation {
    /// Whether it holds these tokens, or has held them.
    #[must_use]
    pub fn has_had(&self, access: &Fingerprint, refresh: Option<&Fingerprint>) -> bool {
        self.has_access_token(access) || refresh.is_some_and(|refresh| self.has_had_refresh_token(refresh))
    }
}

impl Store {
    /// Writes an installation from elsewhere and links its subject, unless the row has other tokens that may be alive.
    /// Dead ones give way. Repeating it is safe, and shows what was done before.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it may have been written.
    pub async fn adopt(&self, adoption: &Adoption<'_>, deadline: Instant) -> Result<Adopted, StoreError> {
        let adopting = async {
            loop {
                match self.plan_adoption(adoption, deadline).await? {
                    Plan::End(adopted) => return Ok(adopted),
                    Plan::Write { parts, done, dropped_bots } => {
                        if self.write_all(parts).await? {
                            for bot_id in &dropped_bots {
                                report_dropped(bot_id);
                            }
                            return Ok(done);
                        }
                        // Somebody else was faster, or our first reply was lost: the rows show it.
                    }
                }
            }
        };
        until(deadline, Box::pin(adopting)).await?
    }

    /// What adopting it would come to. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn would_adopt(
        &self,
        adoption: &Adoption<'_>,
        deadline: Instant,
    ) -> Result<Adopted, StoreError> {
        Ok(match self.plan_adoption(adoption, deadline).await? {
            Plan::End(adopted) => adopted,
            Plan::Write { done, .. } => done,
        })
    }

    async fn plan_adoption(&self, adoption: &Adoption<'_>, deadline: Instant) -> Result<Plan, StoreError> {
        let install = adoption.install;
        let standing = self.read_row(install.id.as_str(), deadline).await?;
        let forgotten = self.read_forgotten(&install.forgotten_id, deadline).await?;
        let Some(standing) = standing else {
            if forgotten.is_some() {
                return Ok(Plan::End(Adopted::Forgotten));
            }
            return self.saved(adoption, new_row(adoption), None, forgotten, Vec::new());
        };
        let read = row::read(&standing)?;
        if text(&standing, "written_by") == Some(&install.attempt) {
            return Ok(Plan::End(Adopted::Saved));
        }
        let is_linked = read.subjects.contains(adoption.subject);
        let pair = &install.pair;
        let known = read.has_had(&pair.access_fingerprint, pair.refresh_fingerprint.as_ref());
        let adopted = match read.health {
            Health::Removed => Adopted::Removed,
            _ if known && is_linked => Adopted::Already,
            _ if !is_linked && read.subjects.len() >= MAX_SUBJECTS => Adopted::TooManySubjects,
            _ if known => return self.linked(adoption, &read),
            Health::NeedsReinstall => return self.in_place_of_dead(adoption, &standing, &read, forgotten),
            _ if is_as_adopted(&read) => Adopted::HasOthers(Others::Adopted),
            _ if is_linked => Adopted::HasOthers(Others::OfTheSubject),
            _ => Adopted::HasOthers(Others::OfAnother),
        };
        Ok(Plan::End(adopted))
    }

    /// The row's tokens stay, and the subject is linked.
    fn linked(&self, adoption: &Adoption<'_>, standing: &Installation) -> Result<Plan, StoreError> {
        let linked = standing.linked(adoption.subject, standing.pending.clone(), adoption.now);
        let update = RowUpdate::if_unchanged(standing)
            .set("subjects", subjects_attribute(&linked.subjects))
            .set("owned_since_ms", number(linked.owned_since_ms.unwrap_or(adoption.now.0)))
            .set("adopted_at_ms", number(adoption.now.0))
            .remove(&["claim_by_ms"])
            .due_at(linked.due_at_ms.unwrap_or(adoption.now.0));
        let mut parts = vec![update.part(self)?];
        parts.extend(self.put_links(&standing.id, std::slice::from_ref(adoption.subject))?);
        Ok(Plan::Write { parts, done: Adopted::Linked, dropped_bots: Vec::new() })
    }

    /// A dead pair gives way to one that may be alive, as it would to an install.
    fn in_place_of_dead(
        &self,
        adoption: &Adoption<'_>,
        standing: &Row,
        read: &Installation,
        forgotten: Option<Forgotten>,
    ) -> Result<Plan, StoreError> {
        let issued_at_ms = adoption.install.pair.exchanged_at_ms;
        if forgotten.is_some_and(|forgotten| forgotten.removed_at_ms >= issued_at_ms) {
            return Ok(Plan::End(Adopted::Forgotten));
        }
        let generation_before = forgotten.map_or(0, |forgotten| forgotten.generation);
        match installations::decide(standing, adoption.install, &terms(adoption), generation_before)? {
            Decision::AlreadyWritten => Ok(Plan::End(Adopted::Saved)),
            Decision::TombstoneWins => Ok(Plan::End(Adopted::Removed)),
            Decision::Write { mut row, if_version, dropped_bots, .. } => {
                own(&mut row, adoption, &read.subjects);
                self.saved(adoption, row, Some(if_version), forgotten, dropped_bots)
            }
        }
    }

    fn saved(
        &self,
        adoption: &Adoption<'_>,
        row: Row,
        if_version: Option<u64>,
        forgotten: Option<Forgotten>,
        dropped_bots: Vec<String>,
    ) -> Result<Plan, StoreError> {
        let put = Put::builder().table_name(&self.installations_table).set_item(Some(row));
        let put = match if_version {
            None => put.condition_expression("attribute_not_exists(installation_id)"),
            Some(version) => put
                .condition_expression(UNCHANGED)
                .expression_attribute_values(":if_version", number(version)),
        };
        let mut parts = vec![
            TransactWriteItem::builder().put(put.build().map_err(not_built)?).build(),
            self.marker_unchanged(&adoption.install.forgotten_id, forgotten)?,
        ];
        parts.extend(self.put_links(&adoption.install.id, std::slice::from_ref(adoption.subject))?);
        Ok(Plan::Write { parts, done: Adopted::Saved, dropped_bots })
    }
}

/// Whether nobody has installed since it was adopted.
fn is_as_adopted(row: &Installation) -> bool {
    row.adopted_at_ms
        .is_some_and(|adopted_at_ms| row.installed_at_ms.is_none_or(|at_ms| at_ms <= adopted_at_ms))
}

fn terms(adoption: &Adoption<'_>) -> Terms {
    Terms { prompt: adoption.proven, code_expires_at: adoption.now, claim_by: adoption.now }
}

/// The row of somebody who has none.
fn new_row(adoption: &Adoption<'_>) -> Row {
    let install = adoption.install;
    let mut row = installations::facts(install, &terms(adoption));
    row.extend(
        [
            ("installation_id", string(install.id.as_str())),
            ("generation", number(1)),
            ("version", number(1)),
            ("pair", AttributeValue::L(vec![pair_attribute(&install.pair)])),
            ("superseded", AttributeValue::L(Vec::new())),
            ("seal_shard", installations::seal_shard(install)),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    own(&mut row, adoption, &[]);
    row
}

/// Whose the row is, and what is known of its tokens.
fn own(row: &mut Row, adoption: &Adoption<'_>, subjects_before: &[Subject]) {
    let Adoption { install, subject, proven, now, next_look } = *adoption;
    let mut subjects = subjects_before.to_vec();
    if !subjects.contains(subject) {
        subjects.push(subject.clone());
    }
    // When the person approved, Notion does not say: at the latest when it issued the tokens.
    let issued_at_ms =
        if install.pair.exchanged_at_ms > OLDER_THAN_ANY.0 { install.pair.exchanged_at_ms } else { now.0 };
    let first_installed_at_ms = integer(row, "first_installed_at_ms");
    row.extend(
        [
            ("subjects", subjects_attribute(&subjects)),
            ("adopted_at_ms", number(now.0)),
            ("installed_at_ms", number(issued_at_ms)),
            (
                "first_installed_at_ms",
                number(
                    first_installed_at_ms.filter(|at_ms| *at_ms > OLDER_THAN_ANY.0).unwrap_or(issued_at_ms),
                ),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    row.entry("owned_since_ms".to_owned()).or_insert_with(|| number(now.0));
    row.remove("claim_by_ms");
    if proven {
        row.insert("verified_at_ms".to_owned(), number(now.0));
    } else {
        row.remove("verified_at_ms");
    }
    let due_at_ms = if proven { next_look.0 } else { now.0 };
    row.extend(due::due_attributes(&install.id, due_at_ms).map(|(name, value)| (name.to_owned(), value)));
}

/// The time of an exchange of which nothing is known, so that every install through this stack counts as later.
pub const OLDER_THAN_ANY: UnixMillis = UnixMillis(1);
