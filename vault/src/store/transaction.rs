//! Several writes, all of them or none.

use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::TransactWriteItem;

use super::cancelled::Cancelled;
use super::update::CONFLICT_WAIT_MS;
use super::{Store, StoreError, failed};

impl Store {
    /// Sends the writes, again and again while another transaction is in the way. Returns whether they were made: not
    /// if the condition of one failed.
    pub(super) async fn write_all(&self, writes: Vec<TransactWriteItem>) -> Result<bool, StoreError> {
        loop {
            let sent =
                self.client.transact_write_items().set_transact_items(Some(writes.clone())).send().await;
            let Err(error) = sent else { return Ok(true) };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
                error.as_service_error()
            else {
                return Err(failed(&error));
            };
            let cancelled = Cancelled::read(cancelled.cancellation_reasons());
            if cancelled.is_by_condition() {
                return Ok(false);
            }
            if !cancelled.is_transient() {
                return Err(cancelled.error());
            }
            tokio::time::sleep(Duration::from_millis(CONFLICT_WAIT_MS)).await;
        }
    }
}
