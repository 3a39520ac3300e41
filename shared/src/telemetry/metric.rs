//! The metrics of the functions.

use serde::Serialize;

/// The metrics, one counter each. The names are stable: alarms and the dashboard use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Metric {
    /// A person was sent to Notion.
    Started,
    /// A person pressed Cancel.
    Refused,
    /// Notion issued tokens for a code.
    Exchanged,
    /// Notion rejected a code as too old or already used. Anyone can cause this.
    CodeRejected,
    /// An exchange failed for any other reason.
    ExchangeFailed,
    /// An installation was saved to the table.
    Saved,
    /// The table did not accept an installation or a refreshed pair in time.
    SaveFailed,
    /// A record was put into the rescue queue.
    Rescued,
    /// A record from the rescue queue was saved to the table.
    Recovered,
    /// A grant was revoked at Notion.
    Revoked,
    /// A grant from Notion is neither stored nor revoked. Somebody must act.
    OrphanedGrant,
    /// A live access token was vended to the backend.
    Vended,
    /// Notion issued a new pair for a refresh token.
    Refreshed,
    /// A refresh failed without showing whether the grant is alive.
    RefreshFailed,
    /// A grant is dead. The person must install again.
    NeedsReinstall,
    /// A pair was found dead, and an earlier pair took its place.
    Promoted,
    /// A token was reported as refused, but Notion says that it is alive.
    RefusedButAlive,
    /// An installation was removed, and its tokens were deleted.
    Removed,
    /// A subject was linked to an installation that an app had asked for.
    Claimed,
    /// A claim was refused. Also counted by `reason`.
    ClaimRefused,
    /// A subject was unlinked from an installation that has others.
    Unlinked,
    /// The sweep gave back an installation that an app had asked for and nobody claimed.
    GivenBackUnclaimed,
    /// Events were put on the bus.
    Published,
    /// A change of a row could not be read, or the bus will never take its event. Nobody hears of it.
    EventUnreadable,
    /// The app's endpoint took a webhook.
    Delivered,
    /// It did not. The webhook is sent again later.
    DeliveryFailed,
    /// It did not for three days, or its answer said that it never will.
    DeliveryGivenUp,
    /// The app's endpoint answered 410: nothing more is sent there.
    EndpointGone,
    /// A person's workspace is prepared.
    OnboardingCompleted,
    /// Preparing a person's workspace has stopped.
    OnboardingFailed,
    /// The sweep asked Notion about an idle installation, which is alive.
    Verified,
    /// The sweep re-encrypted an installation's tokens with the newest key.
    Rewrapped,
    /// The sweep could not process something, and left it for the next run.
    SweepFailed,
    /// The sweep stopped asking Notion, because Notion did not answer.
    NotionDown,
    /// The sweep found a claim that was cut off during the exchange.
    StuckClaim,
    /// The same browser asked again for a known outcome.
    Repeated,
    /// A request was rejected. Also counted by `reason`.
    Rejected,
    /// A handler panicked, or the sweep while it processed one row.
    Panicked,
    /// The function is misconfigured: a setting, or a secret that only the deployer can fix.
    Misconfigured,
    /// A table or a secret that the function needs was not reachable, and a caller was asked to try again later.
    Unavailable,
}

impl Metric {
    /// One alarm for all functions uses these metrics, so they are also written without a dimension.
    pub(super) const OF_ALL_FUNCTIONS: [Self; 3] = [Self::Panicked, Self::Misconfigured, Self::Unavailable];
}

/// What is measured rather than counted. The names are stable too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Measure {
    /// The age of the client secret that a request used, in days.
    ClientSecretAgeDays,
    /// How long the oldest of some webhooks has waited without being taken, in seconds; 0 if all were.
    UndeliveredSecs,
    /// How long a workspace has waited to be prepared, in seconds: of one that is not done yet.
    OnboardingWaitSecs,
}

impl Measure {
    /// Its unit in CloudWatch.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::ClientSecretAgeDays => "None",
            Self::UndeliveredSecs | Self::OnboardingWaitSecs => "Seconds",
        }
    }
}
