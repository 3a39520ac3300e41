//! Why there is no token, and why a call did not succeed. Neither ever holds a token.

use std::sync::Arc;
use std::time::Duration;

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The person has not installed.
    #[error("not installed: send the person to {install_url}")]
    NotInstalled {
        /// Where they install.
        install_url: String,
    },
    /// Notion has ended the grant.
    #[error("the grant is dead: send the person to {install_url}")]
    NeedsReinstall {
        /// Where they install again.
        install_url: String,
    },
    /// The installation was removed on purpose.
    #[error("uninstalled: the person may install again at {install_url}")]
    Removed {
        /// Where they may install again.
        install_url: String,
    },
    /// The token that was reported as refused is alive, Notion says: another one would be refused as well.
    #[error("refused, but alive: {message}")]
    RefusedButAlive {
        /// What to look at.
        message: String,
    },
    /// It is not known yet.
    #[error("not now ({reason}): ask again in {} s", retry_after.as_secs())]
    TryLater {
        /// How long to wait before the same question has another answer.
        retry_after: Duration,
        /// Why, as a fixed key; for the log.
        reason: String,
    },
    /// The question was not what it must be.
    #[error("malformed: {0}")]
    Malformed(String),
    /// The function is not set up correctly; its log says how, and so does `operator doctor`.
    #[error("the token function is not set up correctly: see its log, or operator doctor")]
    Misconfigured,
    /// The function was not reached: throttled, no permission, no such function, no network.
    #[error("the token function was not reached")]
    Invoke(#[source] Arc<aws_sdk_lambda::Error>),
    /// The function failed: its log has the request's id.
    #[error("the token function failed: see its log, request {}", request_id.as_deref().unwrap_or("unknown"))]
    FunctionError {
        /// Lambda's id of the request.
        request_id: Option<String>,
    },
    /// What was answered is none of the above: not the token function's, or a newer one's.
    #[error("the answer is not one of the token function's")]
    Unreadable,
}

/// Why a call did not succeed; what a call says itself, and what comes of it.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E> {
    /// Notion answered 401.
    #[error("Notion refused the token")]
    Unauthorized,
    /// Anything else that the call says.
    #[error(transparent)]
    Failed(E),
    /// There is no token.
    #[error("no token")]
    Token(#[source] TokenError),
}

/// So that `?` works in a call.
impl<E> From<E> for CallError<E> {
    fn from(error: E) -> Self {
        Self::Failed(error)
    }
}
