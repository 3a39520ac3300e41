//! The ledger of an onboarding: what was made in a person's workspace, and what is being made.
//!
//! One for each installation. It outlives a removal: whoever installs again finds what is there, and nothing is made twice.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::installation::InstallationId;

/// How far an onboarding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnboardingStatus {
    /// Nothing was made yet: it waits for its turn.
    Pending,
    /// Some steps are done.
    Running,
    /// Every step is done, or is left out for a reason that the ledger names.
    Completed,
    /// It stopped, for a reason that the ledger names.
    Failed,
}

impl OnboardingStatus {
    const ALL: [Self; 4] = [Self::Pending, Self::Running, Self::Completed, Self::Failed];

    /// Its name in the table, in answers and in events.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.key() == key)
    }
}

/// What a backend is told about an onboarding. Without a ledger, it has not begun.
#[must_use]
pub fn onboarding_facts(ledger: Option<&Ledger>) -> Value {
    let not_begun = || {
        json!({
            "status": OnboardingStatus::Pending.key(),
            "recipe": null,
            "recipe_version": null,
            "landing_url": null,
            "resources": [],
        })
    };
    ledger.map_or_else(not_begun, Ledger::facts)
}

/// The message that orders the onboarding of an installation. `again`: also if it has stopped for good.
#[must_use]
pub fn order(id: &InstallationId, again: bool) -> Value {
    json!({"onboard": {"installation": id.to_opaque(), "again": again}})
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// A request is under way, or its outcome is unknown.
    Intended,
    /// It was not made, and nothing is under way: it is tried again.
    Waiting,
    /// It was made, or found.
    Made,
    /// It was made, and the person has deleted it or no longer shares it. It is not made again.
    Gone,
    /// It was not made, because something that it needs is not there.
    LeftOut,
}

impl StepState {
    /// Its name in answers and in events.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Intended | Self::Waiting => "pending",
            Self::Made => "made",
            Self::Gone => "gone",
            Self::LeftOut => "left_out",
        }
    }

    /// Whether nothing more is done about it.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Made | Self::Gone | Self::LeftOut)
    }
}

/// A step in a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerStep {
    /// The step's name in the recipe.
    pub resource_id: String,
    /// `page`, `database` or `view`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How far it is.
    pub state: StepState,
    /// When the state, or the present try, began, in milliseconds since the epoch.
    pub at_ms: u64,
    /// How often it was tried in vain.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// The resource's id at Notion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Of a database: its data source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_source_id: Option<String>,
    /// Why it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The reasons for which an onboarding stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The grant is dead: the person has to install again.
    NeedsReinstall,
    /// The connection may not do it, or the workspace's plan does not allow it.
    MissingCapability,
    /// Notion refuses the request: the recipe is wrong.
    InvalidRecipe,
    /// Notion failed again and again.
    NotionFailed,
    /// It was not done within three days.
    GaveUp,
}

impl FailureReason {
    /// Its name in answers and in events.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::NeedsReinstall => "needs_reinstall",
            Self::MissingCapability => "missing_capability",
            Self::InvalidRecipe => "invalid_recipe",
            Self::NotionFailed => "notion_failed",
            Self::GaveUp => "gave_up",
        }
    }
}

/// Why an onboarding stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnboardingFailure {
    /// The step at which it stopped; none if it is about all of them.
    pub step: Option<String>,
    /// Why.
    pub reason: FailureReason,
    /// The capability that the connection lacks, if it lacks one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
}

/// What was made in a person's workspace, and what is being made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// The installation.
    pub id: InstallationId,
    /// How far it is.
    pub status: OnboardingStatus,
    /// Every write counts it up.
    pub version: u64,
    /// The installation's generation when it was last worked on.
    pub generation: u64,
    /// The recipe.
    pub recipe: String,
    /// The recipe's version when it was last worked on.
    pub recipe_version: String,
    /// The step whose resource people are sent to.
    pub landing: Option<String>,
    /// When the present run began, in milliseconds since the epoch.
    pub started_at_ms: u64,
    /// When its turn comes, in milliseconds since the epoch; absent once it came.
    pub turn_at_ms: Option<u64>,
    /// Why it stopped.
    pub failure: Option<OnboardingFailure>,
    /// The steps that were begun, in their order.
    pub steps: Vec<LedgerStep>,
}

impl Ledger {
    /// A step, if it was begun.
    #[must_use]
    pub fn step(&self, resource_id: &str) -> Option<&LedgerStep> {
        self.steps.iter().find(|step| step.resource_id == resource_id)
    }

    /// Whether nothing is done any more without another reason.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.status, OnboardingStatus::Completed | OnboardingStatus::Failed)
    }

    /// Whether one that is over goes on by itself: with another recipe, or because the person has installed again (it
    /// was in this `generation`) and something was not made.
    #[must_use]
    pub fn goes_on(&self, recipe: &str, recipe_version: &str, generation: u64) -> bool {
        let same_recipe = self.recipe == recipe && self.recipe_version == recipe_version;
        let has_left_out = self.steps.iter().any(|step| step.state == StepState::LeftOut);
        let was_not_made = has_left_out || self.status == OnboardingStatus::Failed;
        !same_recipe || (generation > self.generation && was_not_made)
    }

    /// The address of the page that people are sent to, once it is there.
    #[must_use]
    pub fn landing_url(&self) -> Option<&str> {
        let landing = self.step(self.landing.as_deref()?)?;
        landing.url.as_deref().filter(|_| landing.state == StepState::Made)
    }

    pub(crate) fn facts(&self) -> Value {
        let mut facts = json!({
            "status": self.status.key(),
            "recipe": self.recipe,
            "recipe_version": self.recipe_version,
            "landing_url": self.landing_url(),
            "resources": self.resources(),
        });
        if let Some(failure) = &self.failure {
            facts["step"] = failure.step.as_deref().into();
            facts["reason"] = failure.reason.key().into();
            facts["capability"] = failure.capability.as_deref().into();
        }
        facts
    }

    /// The resources, as JSON.
    pub(crate) fn resources(&self) -> Vec<Value> {
        let steps = self.steps.iter().map(|step| {
            json!({
                "resource_id": step.resource_id,
                "type": step.kind,
                "state": step.state.key(),
                "id": step.id,
                "url": step.url,
                "why": step.why,
            })
        });
        steps.collect()
    }
}
