//! The reasons for returning no token, and the answer for each.

use std::time::Duration;

use http::StatusCode;
use shared::config::PublicConnection;
use shared::entry::backend::Answer;
use shared::telemetry::{Metric, RequestLine};
use vault::seal::Fingerprint;
use vault::store::Installation;
use vault::whose::ambiguous;

/// Why no token is returned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NoToken {
    /// The installation does not exist.
    NotInstalled,
    /// Its grant is dead.
    NeedsReinstall,
    /// It was uninstalled.
    Removed,
    /// An app asked for it, and has not claimed it yet.
    Unclaimed,
    /// The subject has several installations.
    Ambiguous(Vec<Installation>),
    /// Notion says that the token reported as refused is alive. Another one would be refused too.
    RefusedButAlive(Fingerprint),
    /// It cannot be decided yet.
    TryLater { reason: &'static str, retry_after: Duration },
}

impl NoToken {
    /// The answer to the caller.
    pub(crate) fn answer(self, connection: &PublicConnection, line: &mut RequestLine) -> Answer {
        let install_url = connection.install_url();
        let reinstall = |status, error, message| {
            Answer::error(status, error, message).with("install_url", install_url.as_str())
        };
        match self {
            Self::NotInstalled => reinstall(
                StatusCode::NOT_FOUND,
                "not_installed",
                "not installed: let the user connect, or, without an app, send the person to install_url",
            ),
            Self::NeedsReinstall => reinstall(
                StatusCode::CONFLICT,
                "needs_reinstall",
                "the grant is dead: let the user connect again, or, without an app, send the person to install_url",
            ),
            Self::Removed => reinstall(
                StatusCode::GONE,
                "removed",
                "the installation was removed: stop asking; the person may connect again",
            ),
            Self::Unclaimed => {
                let message = "the person approved, but the installation is not claimed yet: claim it with the code that \
                               your return destination got";
                Answer::error(StatusCode::CONFLICT, "unclaimed", message)
            }
            Self::Ambiguous(rows) => ambiguous(&rows),
            Self::RefusedButAlive(fingerprint) => {
                line.count(Metric::RefusedButAlive);
                tracing::warn!(
                    alarm = "refused_but_alive",
                    "a token was again reported as refused, but Notion says that it is alive"
                );
                let message = "Notion says that this token is alive, so it was not refreshed. Check the request that \
                               was refused: the header must be `Authorization: Bearer` and the whole token, the host \
                               must be api.notion.com, and nothing in between may answer 401 itself";
                Answer::error(StatusCode::CONFLICT, "refused_but_alive", message)
                    .with("fingerprint", fingerprint.as_str())
            }
            Self::TryLater { reason, retry_after } => Answer::try_later(retry_after, reason),
        }
    }
}
