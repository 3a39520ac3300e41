//! Why there is no token, and why a call failed. Neither error ever contains a token.

use std::sync::Arc;
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
    #[error("malformed: {0}")]
    Malformed(String),
    /// The function is not set up correctly. Its log and `operator doctor` say why.
    #[error("the token function is not set up correctly: see its log, or operator doctor")]
    Misconfigured,
    /// The function could not be invoked: throttled, no permission, no such function, no network.
    #[error("the token function was not reached")]
    Invoke(#[source] Arc<aws_sdk_lambda::Error>),
    /// The function failed. Its log has the request id.
    #[error("the token function failed: see its log, request {}", request_id.as_deref().unwrap_or("unknown"))]
    FunctionError {
        /// Lambda's request id.
        request_id: Option<String>,
    },
    /// None of the above: another function answered, or a newer version of this one.
    #[error("the answer is not a known answer of the token function")]
    Unreadable,
}

impl From<NotAnswered> for TokenError {
    fn from(error: NotAnswered) -> Self {
        match error {
            NotAnswered::NotReached(error) => Self::Invoke(error),
            NotAnswered::Failed { request_id } => Self::FunctionError { request_id },
            NotAnswered::Unreadable => Self::Unreadable,
        }
    }
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
