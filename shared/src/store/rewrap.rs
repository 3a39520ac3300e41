//! Writing an installation's tokens under the newest key.

use aws_sdk_dynamodb::types::AttributeValue;
use tokio::time::Instant;

use super::item::{number, string};
use super::row::{Installation, pair_attribute};
use super::update::{RowUpdate, Written};
use super::{Store, StoreError, due};
use crate::installation::SealedPair;
use crate::seal::KeyVersion;

impl Store {
    /// Takes a row off the list of what is to be sealed anew: it does not open, with whatever key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn set_aside_broken(
        &self,
        standing: &Installation,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let shard = format!("broken/{}", due::shard_of(standing.id.as_str()));
        let update = RowUpdate::of(&standing.id, "version = :if_version")
            .value("if_version", number(standing.version))
            .set("seal_shard", string(&shard));
        update.send(self, deadline).await.map(|_| ())
    }

    /// Writes the pairs of `standing` as sealed anew, all under `key`, if the row has not changed since it was read.
    /// Gives back whether it was written.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn rewrap(
        &self,
        standing: &Installation,
        pair: Option<&SealedPair>,
        superseded: &[SealedPair],
        key: KeyVersion,
        deadline: Instant,
    ) -> Result<bool, StoreError> {
        let list = |pairs: &mut dyn Iterator<Item = &SealedPair>| {
            AttributeValue::L(pairs.map(pair_attribute).collect())
        };
        let update = RowUpdate::of(&standing.id, "version = :if_version")
            .value("if_version", number(standing.version))
            .set("pair", list(&mut pair.into_iter()))
            .set("superseded", list(&mut superseded.iter()))
            .set("seal_shard", string(&due::seal_shard(&standing.id, key)));
        Ok(matches!(update.send(self, deadline).await?, Written::Done(_)))
    }
}
