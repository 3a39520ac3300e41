//! Why there is no token, why a call failed, why nothing was claimed, listed or disconnected. None of these errors
//! ever contains a token.

use std::time::Duration;

use crate::installation::Installation;
use crate::invoke::NotAnswered;

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The person has not installed.
    #[error("not installed: let the user connect, or, without an app, send the person to {install_url}")]
    NotInstalled {
        /// The URL for installing.
        install_url: String,
    },
    /// The grant is dead at Notion.
    #[error(
        "the grant is dead: let the user connect again, or, without an app, send the person to {install_url}"
    )]
    NeedsReinstall {
        /// The URL for installing again.
        install_url: String,
    },
    /// The installation was removed on purpose.
    #[error("uninstalled: the person may connect again")]
    Removed {
        /// The URL for installing again.
        install_url: String,
    },
    /// An app asked for the installation, and has not claimed it yet.
    #[error("the installation is not claimed yet")]
    Unclaimed,
    /// The subject has several installations: name one by its workspace.
    #[error("the subject has {} installations: name one by its workspace", .0.len())]
    Ambiguous(Vec<Installation>),
    /// Notion says that the token reported as refused is alive. Another one would be refused too.
    #[error("refused, but alive: {message}")]
    RefusedButAlive {
        /// What to check.
        message: String,
    },
    /// It cannot be decided yet.
    #[error("not now ({reason}): ask again in {} s", retry_after.as_secs())]
    TryLater {
        /// How long to wait before asking again.
        retry_after: Duration,
        /// The reason as a fixed key, for the log.
        reason: String,
    },
    /// The request does not have the required form.
    #[error("the request is not correct: {0}")]
    InvalidRequest(String),
    /// The function is not set up correctly. Its log and `operator doctor` say why.
    #[error("the function is not set up correctly: see its log, or operator doctor")]
    Misconfigured,
    /// The function did not answer.
    #[error(transparent)]
    NotAnswered(#[from] NotAnswered),
}

/// Why a call failed: for a reason of its own, or because there is no valid token.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E> {
    /// Notion answered 401.
    #[error("Notion refused the token")]
    Unauthorized,
    /// Any other error of the call.
    #[error(transparent)]
    Failed(E),
    /// There is no token.
    #[error("no token")]
    Token(#[source] TokenError),
}

/// Makes `?` work inside a call.
impl<E> From<E> for CallError<E> {
    fn from(error: E) -> Self {
        Self::Failed(error)
    }
}

/// Why a claim, a listing or a disconnect did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum InstallationsError {
    /// The code is unknown, expired or another subject's, or the verifier is not the one of its challenge. Begin again.
    #[error("the code was not accepted: begin again")]
    InvalidGrant,
    /// The person pressed Cancel, or the install failed.
    #[error("not connected: {error:?}, {reason:?}")]
    NotConnected {
        /// `access_denied`, `server_error` or `temporarily_unavailable`.
        error: String,
        /// Which it was, as a fixed key (`error_description`): `refused` is Cancel.
        reason: String,
    },
    /// Another person or workspace came back than was expected. Nothing was linked. Claim again with
    /// `accept_different_account` to accept it.
    #[error("another person or workspace came back than was expected")]
    DifferentAccount {
        /// The one that was expected, if it still exists.
        expected: Option<Box<Installation>>,
        /// The one that came back.
        actual: Box<Installation>,
    },
    /// The installation is linked to as many subjects as it can have.
    #[error("the installation has no room for another subject")]
    TooManySubjects,
    /// The grant has died in the meantime.
    #[error("the grant is dead: let the user connect again")]
    NeedsReinstall {
        /// The URL for installing again.
        install_url: String,
    },
    /// The installation was removed in the meantime.
    #[error("the installation was removed: the user may connect again")]
    Removed {
        /// The URL for installing again.
        install_url: String,
    },
    /// There is no such installation: it is disconnected already.
    #[error("there is no such installation")]
    NotInstalled,
    /// The subject has several installations: name one.
    #[error("the subject has {} installations: name one by its workspace", .0.len())]
    Ambiguous(Vec<Installation>),
    /// The installation has another generation than was named, and was not removed.
    #[error("the installation has generation {generation}, and was not removed")]
    OtherGeneration {
        /// The one that stands.
        generation: u64,
    },
    /// It cannot be decided yet.
    #[error("not now ({reason}): ask again in {} s", retry_after.as_secs())]
    TryLater {
        /// How long to wait before asking again.
        retry_after: Duration,
        /// The reason as a fixed key, for the log.
        reason: String,
    },
    /// The request does not have the required form.
    #[error("the request is not correct: {0}")]
    InvalidRequest(String),
    /// The function is not set up correctly. Its log and `operator doctor` say why.
    #[error("the function is not set up correctly: see its log, or operator doctor")]
    Misconfigured,
    /// The function did not answer.
    #[error(transparent)]
    NotAnswered(#[from] NotAnswered),
}
