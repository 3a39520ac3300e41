//! Why an onboarding does not go on now.

use std::time::Duration;

use vault::onboarding::{FailureReason, OnboardingFailure};
use vault::store::StoreError;

/// Why an onboarding does not go on now.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It goes on after this time.
    Later(Duration),
    /// Another process works on the same installation.
    TakenOver,
    /// The installation is not there, not active, or nobody's.
    NotOurs,
    /// It does not go on.
    Failed(OnboardingFailure),
    /// A table did not answer.
    Store(StoreError),
    /// The token function did not answer as it should.
    NoTokens(&'static str),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Stop {
    /// It does not go on, because of this step.
    pub(crate) fn failed(step: Option<&str>, reason: FailureReason) -> Self {
        Self::Failed(OnboardingFailure { step: step.map(str::to_owned), reason, capability: None })
    }

    /// It does not go on, because the connection lacks a capability.
    pub(crate) fn lacks(step: Option<&str>, capability: &str) -> Self {
        Self::Failed(OnboardingFailure {
            step: step.map(str::to_owned),
            reason: FailureReason::MissingCapability,
            capability: Some(capability.to_owned()),
        })
    }
}
