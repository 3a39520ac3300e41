//! Rows that no key opens.

use tokio::time::Instant;

use super::item::string;
use super::row::Installation;
use super::update::RowUpdate;
use super::{Store, StoreError, due};

impl Store {
    /// Takes a row off the list of rows to reseal, because no key opens it.
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
        let update = RowUpdate::if_unchanged(standing).set("seal_shard", string(&shard));
        update.send(self, deadline).await.map(|_| ())
    }
}
