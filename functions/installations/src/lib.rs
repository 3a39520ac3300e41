//! Tells the app's backend what is connected: `GET /installations` (IAM-authorised) and direct invocations. This is
//! what an app's settings page shows. The function can read neither the key ring nor the client secret.
//!
//! The input (in a query or as JSON) is one of
//!
//! - `subject`: the installations of one of the app's users; with `workspace_id`, those in this workspace
//! - `workspace_id`: those of a workspace; with `user_id`, that of one person (null or empty: the workspace's own)
//!
//! and, optional, `after`: the `next` of the page before; and `caller`, for the audit. The answer has `installations`, a
//! list of [`facts`] (with `onboarding`, if a recipe is in use), and `next`, which is null on the last page. What was removed is not listed. Otherwise the answer
//! has `error` (`malformed`, `try_later`, `misconfigured`, `internal`) and `message`.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::Lookup;
use shared::entry::backend::{Answer, AnswersInJson, Invocation, malformed};
use shared::telemetry::RequestLine;
use tokio::time::Instant;
use vault::aws::Clients;
use vault::budget::Budget;
use vault::installation::{InstallationId, workspace_named};
use vault::onboarding::{Ledger, onboarding_facts};
use vault::store::{Health, Installation, Store, StoreError};
use vault::subject::Subject;
use vault::{SetUpError, facts, http_client, report_store};

/// How many installations of a workspace a page has.
const PAGE_ROWS: u16 = 100;

/// The function's state.
pub struct Installations {
    store: Store,
    clock: Box<dyn Clock>,
}

/// What the input asks for.
enum Listing {
    Subject { subject: Subject, workspace_id: Option<String> },
    Workspace(String),
    One(InstallationId),
}

/// A page of installations.
struct Listed {
    rows: Vec<Installation>,
    /// By key.
    ledgers: HashMap<String, Ledger>,
    next: Option<InstallationId>,
}

impl Listing {
    fn read(input: &Value) -> Result<Self, &'static str> {
        let workspace_id = workspace_named(input)?;
        match (Subject::named(input)?, workspace_id, input.get("user_id")) {
            (Some(subject), workspace_id, None) => Ok(Self::Subject { subject, workspace_id }),
            (Some(_), ..) => Err("user_id cannot be combined with subject"),
            (None, Some(_), Some(_)) => InstallationId::named(input).map(Self::One),
            (None, Some(workspace_id), None) => Ok(Self::Workspace(workspace_id)),
            (None, None, _) => Err("name a subject or a workspace_id"),
        }
    }

    /// Reads where the page begins.
    fn after(&self, input: &Value) -> Result<Option<InstallationId>, &'static str> {
        let after = match input.get("after") {
            None | Some(Value::Null) => return Ok(None),
            Some(after) => after.as_str().and_then(InstallationId::of_opaque),
        };
        let is_of_this_listing = |id: &InstallationId| match self {
            Self::Subject { workspace_id: Some(workspace_id), .. } | Self::Workspace(workspace_id) => {
                id.as_str().starts_with(&format!("{workspace_id}/"))
            }
            Self::Subject { workspace_id: None, .. } | Self::One(_) => true,
        };
        let after = after.filter(is_of_this_listing);
        after.map(Some).ok_or("after must be the `next` of the page before")
    }
}

impl Installations {
    /// Reads the tables' names.
    ///
    /// # Errors
    ///
    /// [`SetUpError`] with the variable that is missing or invalid.
    pub fn read(lookup: &impl Lookup, clock: impl Clock + 'static) -> Result<Self, SetUpError> {
        let clients = Clients::read(lookup, http_client::build()?)?;
        Ok(Self { store: Store::read(lookup, clients.dynamodb)?, clock: Box::new(clock) })
    }

    async fn list(
        &self,
        listing: &Listing,
        after: Option<&InstallationId>,
        deadline: Instant,
    ) -> Result<Listed, StoreError> {
        let page = match listing {
            Listing::One(id) => {
                let (rows, ledgers) = Box::pin(self.read_rows(std::slice::from_ref(id), deadline)).await?;
                return Ok(Listed { rows, ledgers, next: None });
            }
            Listing::Subject { subject, workspace_id } => {
                self.store.linked_to(subject, workspace_id.as_deref(), after, deadline).await?
            }
            Listing::Workspace(workspace_id) => {
                self.store.page_of_workspace(workspace_id, after, PAGE_ROWS, deadline).await?
            }
        };
        let next = page.next.and_then(|_more| page.keys.last().cloned());
        let (mut rows, ledgers) = Box::pin(self.read_rows(&page.keys, deadline)).await?;
        if let Listing::Subject { subject, .. } = listing {
            // The row decides: it may have changed since its link was read.
            rows.retain(|row| row.subjects.contains(subject));
        }
        Ok(Listed { rows, ledgers, next })
    }

    /// Reads rows, and their onboardings if there are any, at the same time.
    async fn read_rows(
        &self,
        ids: &[InstallationId],
        deadline: Instant,
    ) -> Result<(Vec<Installation>, HashMap<String, Ledger>), StoreError> {
        let both = tokio::join!(self.store.read_facts(ids, deadline), self.store.read_ledgers(ids, deadline));
        Ok((both.0?, both.1?))
    }
}

impl AnswersInJson for Installations {
    fn function(&self) -> &'static str {
        "installations"
    }

    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    fn reads_query(&self) -> bool {
        true
    }

    async fn warm_up(&self) {
        self.store.warm_up().await;
    }

    async fn handle(&self, asked: Invocation, line: &mut RequestLine) -> Answer {
        let read = Listing::read(&asked.input).and_then(|listing| {
            let after = listing.after(&asked.input)?;
            Ok((listing, after))
        });
        let (listing, after) = match read {
            Ok(read) => read,
            Err(message) => {
                line.reject("malformed");
                return malformed(message);
            }
        };
        match &listing {
            Listing::Subject { subject, .. } => line.note("subject", subject.as_str()),
            Listing::Workspace(workspace_id) => line.note("workspace_id", workspace_id.as_str()),
            Listing::One(id) => line.note("installation", id.as_str()),
        }
        let budget = Budget::of_invocation(asked.deadline_ms, &*self.clock);
        match Box::pin(self.list(&listing, after.as_ref(), budget.save_by)).await {
            Ok(listed) => {
                let rows = listed.rows.iter().filter(|row| row.health != Health::Removed);
                // With what orders it among its events. A claim does not have it: it gives the same answer again.
                let rows = rows.map(|row| {
                    let mut facts = facts(row);
                    facts["version"] = row.version.into();
                    if self.store.has_ledgers() {
                        facts["onboarding"] = onboarding_facts(listed.ledgers.get(row.id.as_str()));
                    }
                    facts
                });
                let rows: Vec<Value> = rows.collect();
                line.note("listed", rows.len());
                let next = listed.next.map(|id| id.to_opaque());
                Answer::success(json!({"installations": rows, "next": next}))
            }
            Err(error) => {
                report_store(&error);
                Answer::try_later(Duration::from_secs(5), "store")
            }
        }
    }
}
