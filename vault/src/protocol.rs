//! The steps of a grant's life: refreshing it, asking whether it is alive, revoking it, removing it.
//!
//! The model in `tests/it/model` uses the same names for the steps.

mod aside;
mod call;
mod give_back;
mod lease;
mod look;
mod refresh;
mod removal;
mod revoking;
mod send;

pub use aside::{AsideOutcome, RenewedAside};
pub use call::Retries;
pub use give_back::GiveBack;
pub use lease::{LEASE_MS, lapsed_before};
pub use look::{DeadPairOutcome, Look};
pub use refresh::{Cause, NotRefreshed, RefreshOutcome};
pub use removal::Removal;
