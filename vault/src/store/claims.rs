//! Claims: one row per consumed state, which holds the outcome for repeated requests.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure, Update};
use shared::clock::UnixSeconds;
use shared::flow::ClaimKey;
use shared::pages::Notice;
use tokio::time::Instant;

use super::item::{self, number, string};
use super::update::CONFLICT_WAIT_MS;
use super::{Store, StoreError, due, failed, not_built};
use crate::budget::until;
use crate::installation::InstallationId;
use crate::seal::Sealed;

const EXCHANGING: &str = "exchanging";
const CONNECTED: &str = "connected";
/// Present while a claim has no outcome: see `due`.
const EXCHANGING_SHARD: &str = "exchanging_shard";

/// A claim, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The attempt that holds it.
    pub attempt: String,
    /// When the state was claimed.
    pub claimed_at: UnixSeconds,
    /// Until when the row is valid. Compared in code, because DynamoDB deletes late.
    pub expires_at: UnixSeconds,
    /// The outcome of its flow.
    pub outcome: Outcome,
}

/// The outcome of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The holder is exchanging the code, or was cut off.
    Exchanging,
    /// The installation is saved.
    Connected(Led),
    /// It ended in another way.
    Ended(Notice),
}

/// What a flow led to. Names nobody: nothing about a forgotten person may remain here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Led {
    /// The installation's key, sealed for this claim.
    pub installation: Option<Sealed>,
    /// Whether Notion duplicated the template into the workspace.
    pub template_duplicated: bool,
}

/// The result of claiming a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The state is ours to use once.
    Ours,
    /// It was claimed before.
    Before(Claim),
}

impl Claim {
    fn compare_with_existing(&self, standing: Self) -> Claimed {
        if standing.attempt == self.attempt { Claimed::Ours } else { Claimed::Before(standing) }
    }
}

impl Store {
    /// Claims a state: writes the row unless it exists.
    ///
    /// A put whose first reply was lost fails because of itself. The attempt shows that, and the claim counts as ours.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: whether the row exists is unknown.
    pub async fn claim(
        &self,
        key: &ClaimKey,
        client_id: &str,
        claim: &Claim,
        deadline: Instant,
    ) -> Result<Claimed, StoreError> {
        let mut row = outcome_attributes(&claim.outcome);
        if claim.outcome == Outcome::Exchanging {
            row.insert(EXCHANGING_SHARD.to_owned(), string(&due::shard_of(key.as_str())));
        }
        row.insert("claim".to_owned(), string(key.as_str()));
        row.insert("attempt".to_owned(), string(&claim.attempt));
        row.insert("client_id".to_owned(), string(client_id));
        row.insert("claimed_at".to_owned(), number(claim.claimed_at.0));
        row.insert("expires_at".to_owned(), number(claim.expires_at.0));
        let put = self
            .client
            .put_item()
            .table_name(&self.claims_table)
            .set_item(Some(row))
            .condition_expression("attribute_not_exists(claim)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send();
        match until(deadline, put).await? {
            Ok(_) => Ok(Claimed::Ours),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refusal)) => {
                    Ok(claim.compare_with_existing(read(refusal.item().ok_or(StoreError::Row("claim"))?)?))
                }
                // The holder is saving to this very row. A read does not conflict with that.
                Some(PutItemError::TransactionConflictException(_)) => {
                    let standing = self.read_claim(key, claim.claimed_at, deadline).await?;
                    standing
                        .map(|standing| claim.compare_with_existing(standing))
                        .ok_or_else(|| failed(&error))
                }
                _ => Err(failed(&error)),
            },
        }
    }

    /// Reads a claim, consistently. An expired one counts as absent.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn read_claim(
        &self,
        key: &ClaimKey,
        now: UnixSeconds,
        deadline: Instant,
    ) -> Result<Option<Claim>, StoreError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.claims_table)
            .key("claim", string(key.as_str()))
            .consistent_read(true)
            .send();
        let answer = until(deadline, get).await?.map_err(|error| failed(&error))?;
        let claim = answer.item().map(read).transpose()?;
        Ok(claim.filter(|claim| now < claim.expires_at))
    }

    /// `settle`: records how a flow ended, if `attempt` still holds its claim. Returns whether it did.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn settle(
        &self,
        key: &ClaimKey,
        attempt: &str,
        notice: Notice,
        deadline: Instant,
    ) -> Result<bool, StoreError> {
        let update = || {
            self.client
                .update_item()
                .table_name(&self.claims_table)
                .key("claim", string(key.as_str()))
                .update_expression(format!("SET outcome = :outcome REMOVE {EXCHANGING_SHARD}"))
                .condition_expression(HOLDS)
                .expression_attribute_values(":outcome", string(notice.key()))
                .expression_attribute_values(":attempt", string(attempt))
                .expression_attribute_values(":exchanging", string(EXCHANGING))
                .send()
        };
        let settled = async {
            loop {
                let Err(error) = update().await else { return Ok(true) };
                match error.as_service_error() {
                    // It has an outcome, from a first try whose reply was lost or from a save that succeeded after all,
                    // or it is gone. The next read shows which.
                    Some(UpdateItemError::ConditionalCheckFailedException(_)) => return Ok(false),
                    // A save that we gave up on is still in progress.
                    Some(UpdateItemError::TransactionConflictException(_)) => {
                        tokio::time::sleep(Duration::from_millis(CONFLICT_WAIT_MS)).await;
                    }
                    _ => return Err(failed(&error)),
                }
            }
        };
        until(deadline, settled).await?
    }

    /// Whether both tables can be read.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if one cannot.
    pub async fn answers(&self, deadline: Instant) -> Result<(), StoreError> {
        let nobody = InstallationId::of_row("nobody");
        self.read_installation(&nobody, deadline).await?;
        self.read_claim(&ClaimKey::of_row("none"), UnixSeconds(0), deadline).await.map(|_| ())
    }

    /// The part of a save that records the outcome for the flow's browser: see [`Store::save`].
    pub(super) fn connected_update(
        &self,
        key: &ClaimKey,
        attempt: &str,
        led: &Led,
    ) -> Result<Update, StoreError> {
        let attributes = outcome_attributes(&Outcome::Connected(led.clone()));
        let (mut sets, mut values) = (Vec::new(), HashMap::new());
        for (index, (name, value)) in attributes.into_iter().enumerate() {
            sets.push(format!("{name} = :v{index}"));
            values.insert(format!(":v{index}"), value);
        }
        values.insert(":attempt".to_owned(), string(attempt));
        values.insert(":exchanging".to_owned(), string(EXCHANGING));
        values.insert(":rescued".to_owned(), string(Notice::Rescued.key()));
        Update::builder()
            .table_name(&self.claims_table)
            .key("claim", string(key.as_str()))
            .update_expression(format!("SET {} REMOVE {EXCHANGING_SHARD}", sets.join(", ")))
            .condition_expression(HOLDS_OR_RESCUED)
            .set_expression_attribute_values(Some(values))
            .build()
            .map_err(not_built)
    }
}

/// The attempt still holds the claim.
const HOLDS: &str = "attempt = :attempt AND outcome = :exchanging";
/// The same, or its installation was in the rescue queue and is being saved now.
const HOLDS_OR_RESCUED: &str = "attempt = :attempt AND outcome IN (:exchanging, :rescued)";

fn outcome_attributes(outcome: &Outcome) -> HashMap<String, AttributeValue> {
    let mut attributes = HashMap::new();
    let key = match outcome {
        Outcome::Exchanging => EXCHANGING,
        Outcome::Ended(notice) => notice.key(),
        Outcome::Connected(led) => {
            if let Some(installation) = &led.installation {
                attributes.insert("installation".to_owned(), item::binary(installation.as_bytes()));
            }
            let duplicated = AttributeValue::Bool(led.template_duplicated);
            attributes.insert("template_duplicated".to_owned(), duplicated);
            CONNECTED
        }
    };
    attributes.insert("outcome".to_owned(), string(key));
    attributes
}

/// Reads a row of the table.
pub(super) fn read(row: &HashMap<String, AttributeValue>) -> Result<Claim, StoreError> {
    let outcome = match item::text(row, "outcome").ok_or(StoreError::Row("outcome"))? {
        EXCHANGING => Outcome::Exchanging,
        CONNECTED => Outcome::Connected(Led {
            installation: item::sealed(row, "installation"),
            template_duplicated: matches!(row.get("template_duplicated"), Some(AttributeValue::Bool(true))),
        }),
        key => Outcome::Ended(Notice::parse(key).ok_or(StoreError::Row("outcome"))?),
    };
    Ok(Claim {
        attempt: item::text(row, "attempt").ok_or(StoreError::Row("attempt"))?.to_owned(),
        claimed_at: UnixSeconds(item::integer(row, "claimed_at").ok_or(StoreError::Row("claimed_at"))?),
        expires_at: UnixSeconds(item::integer(row, "expires_at").ok_or(StoreError::Row("expires_at"))?),
        outcome,
    })
}
