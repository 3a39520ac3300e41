//! Why there is no token, and what a caller is told then.

use std::time::Duration;

use http::StatusCode;
use shared::config::PublicConnection;
use shared::entry::backend::Answer;
use shared::telemetry::{Metric, RequestLine};
use vault::seal::Fingerprint;

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoToken {
    /// There is no such installation.
    NotInstalled,
    /// Its grant is dead.
    NeedsReinstall,
    /// It was uninstalled.
    Removed,
    /// The token that was reported as refused is alive, Notion says: another one would be refused as well.
    RefusedButAlive(Fingerprint),
    /// It is not known yet.
    NotNow { reason: &'static str, retry_after: Duration },
}

impl NoToken {
    /// What the caller is answered.
    pub(crate) fn answer(self, connection: &PublicConnection, line: &mut RequestLine) -> Answer {
        let install_url = connection.install_url();
        let reinstall = |status, error, message| {
            Answer::error(status, error, message).with("install_url", install_url.as_str())
        };
        match self {
            Self::NotInstalled => reinstall(
                StatusCode::NOT_FOUND,
                "not_installed",
                "the person has not installed: send them to install_url",
            ),
            Self::NeedsReinstall => reinstall(
                StatusCode::CONFLICT,
                "needs_reinstall",
                "the grant is dead: send the person to install_url again",
            ),
            Self::Removed => reinstall(
                StatusCode::GONE,
                "removed",
                "the installation was removed; the person may install again at install_url",
            ),
            Self::RefusedButAlive(fingerprint) => {
                line.count(Metric::RefusedButAlive);
                tracing::warn!(
                    alarm = "refused_but_alive",
                    "a token was reported as refused again, and Notion says that it is alive"
                );
                let message = "Notion says that this token is alive, so no other one was fetched. Look at the request that was \
                               refused: the header must be `Authorization: Bearer` and the whole token, the host \
                               api.notion.com, and a 401 may come from something else on the way";
                Answer::error(StatusCode::CONFLICT, "refused_but_alive", message)
                    .with("fingerprint", fingerprint.as_str())
            }
            Self::NotNow { reason, retry_after } => Answer::try_later(retry_after, reason),
        }
    }
}
