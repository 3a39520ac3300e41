//! The stack's tables, and the rows in their indexes.

use std::time::Duration;

use tokio::time::Instant;
use vault::installation::InstallationId;
use vault::seal::KeyVersion;
use vault::store::{SHARDS, Store, StoreError};
use vault::subject::Subject;

use crate::aws::Aws;
use crate::outcome::Failure;
use crate::stack::Stack;

/// How long one read of a table may take, in seconds.
const READ_LIMIT_SECS: u64 = 20;

/// The stack's tables.
pub(crate) fn store(aws: &Aws, stack: &Stack) -> Result<Store, Failure> {
    let (installations, claims) = (stack.resource("InstallationsTable")?, stack.resource("ClaimsTable")?);
    let links = stack.resource("LinksTable")?;
    // A stack of before there were onboardings has no ledgers.
    let ledgers = stack.resource("OnboardingTable").ok();
    let lookup = |name: &str| match name {
        "INSTALLATIONS_TABLE" => Some(installations.to_owned()),
        "CLAIMS_TABLE" => Some(claims.to_owned()),
        "LINKS_TABLE" => Some(links.to_owned()),
        "ONBOARDING_TABLE" => ledgers.map(str::to_owned),
        _ => None,
    };
    Store::read(&lookup, aws.dynamodb.clone()).map_err(|error| Failure::Unknown(error.to_string()))
}

/// The deadline of the next call to a table.
pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(READ_LIMIT_SECS)
}

/// The rows whose oldest seal has this version.
pub(crate) async fn sealed_with(
    store: &Store,
    version: KeyVersion,
) -> Result<Vec<InstallationId>, StoreError> {
    let mut found = Vec::new();
    for shard in 0..SHARDS {
        let mut after = None;
        loop {
            let page = store.sealed_with(version, shard, after, soon()).await?;
            found.extend(page.keys);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(found)
}

/// The rows of a workspace.
pub(crate) async fn of_workspace(
    store: &Store,
    workspace_id: &str,
) -> Result<Vec<InstallationId>, StoreError> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.of_workspace(workspace_id, after, soon()).await?;
        found.extend(page.keys);
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// The rows that a user of the app is linked to.
pub(crate) async fn of_subject(store: &Store, subject: &Subject) -> Result<Vec<InstallationId>, StoreError> {
    let mut found: Vec<InstallationId> = Vec::new();
    loop {
        let page = store.linked_to(subject, None, found.last(), soon()).await?;
        found.extend(page.keys);
        if page.next.is_none() {
            return Ok(found);
        }
    }
}
