//! Claiming installs, seeing what is connected, disconnecting.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::installation::Installation;
use crate::invoke::{NotAnswered, invoke};
use crate::person::Person;

/// The functions by name or ARN, as in the stack's outputs.
#[derive(Debug, Clone)]
pub struct Functions {
    /// The output `ClaimFunctionName`.
    pub claim: String,
    /// The output `InstallationsFunctionName`.
    pub installations: String,
    /// The output `UninstallFunctionName`.
    pub uninstall: String,
}

/// Claims installs for this backend's users, lists what is connected, and disconnects.
#[derive(Debug, Clone)]
pub struct InstallationsClient {
    lambda: aws_sdk_lambda::Client,
    functions: Functions,
    caller: Option<String>,
}

/// What the return destination got, and what the user's session has.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// The `code` that the browser brought.
    pub code: &'a str,
    /// The verifier from the session of the user who is logged in.
    pub verifier: &'a str,
    /// This backend's own name for that user.
    pub subject: &'a str,
    /// Whether to accept another person or workspace than the one that was expected.
    pub accept_different_account: bool,
}

/// Without code and verifier.
impl fmt::Debug for Claim<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Claim");
        shown.field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// A page of installations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The installations.
    pub installations: Vec<Installation>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// What a disconnect has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnected {
    /// Whether the installation was removed. Otherwise others are linked to it.
    pub removed: bool,
    /// Whether Notion has revoked its tokens already. Otherwise the stack keeps trying.
    pub revoked: bool,
}

/// Why a claim, a listing or a disconnect did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum InstallationsError {
    /// The code is unknown, expired or another subject's, or the verifier is not the one of its challenge. Begin again.
    #[error("the code was not accepted: begin again")]
    InvalidGrant,
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
    #[error("the grant is dead: send the person to {install_url}")]
    NeedsReinstall {
        /// The URL for installing again.
        install_url: String,
    },
    /// The installation was removed in the meantime.
    #[error("the installation was removed; the person may install again at {install_url}")]
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

impl InstallationsClient {
    /// Invokes these functions.
    #[must_use]
    pub fn new(lambda: aws_sdk_lambda::Client, functions: Functions) -> Self {
        Self { lambda, functions, caller: None }
    }

    /// This backend's name in the audit log: printable ASCII, at most 256 characters.
    #[must_use]
    pub fn called(mut self, name: impl Into<String>) -> Self {
        self.caller = Some(name.into());
        self
    }

    /// Links an install to one of this backend's users. Safe to repeat: the same claim gets the same answer.
    ///
    /// # Errors
    ///
    /// [`InstallationsError`].
    pub async fn claim(&self, claim: &Claim<'_>) -> Result<Installation, InstallationsError> {
        let input = json!({
            "code": claim.code,
            "code_verifier": claim.verifier,
            "subject": claim.subject,
            "accept_different_account": claim.accept_different_account,
        });
        let answer = self.ask(&self.functions.claim, input).await?;
        Installation::read(&answer).ok_or(NotAnswered::Unreadable.into())
    }

    /// What a subject has connected.
    ///
    /// # Errors
    ///
    /// [`InstallationsError`].
    pub async fn of_subject(&self, subject: &str, after: Option<&str>) -> Result<Page, InstallationsError> {
        self.list(json!({"subject": subject, "after": after})).await
    }

    /// What is connected in a workspace.
    ///
    /// # Errors
    ///
    /// [`InstallationsError`].
    pub async fn of_workspace(
        &self,
        workspace_id: &str,
        after: Option<&str>,
    ) -> Result<Page, InstallationsError> {
        self.list(json!({"workspace_id": workspace_id, "after": after})).await
    }

    /// Disconnects. For a subject: it is unlinked, and if it was the last one, the grant goes back to Notion. For a
    /// person by Notion's ids: the installation is removed for everybody. Drop their tokens too
    /// ([`TokenClient::forget`](crate::TokenClient::forget)).
    ///
    /// # Errors
    ///
    /// [`InstallationsError`]; `NotInstalled` if it was done before.
    pub async fn disconnect(&self, person: &Person) -> Result<Disconnected, InstallationsError> {
        let answer = self.ask(&self.functions.uninstall, person.input().into()).await?;
        let flag = |name: &str| answer[name].as_bool().ok_or(NotAnswered::Unreadable);
        Ok(Disconnected { removed: flag("removed")?, revoked: flag("revoked")? })
    }

    async fn list(&self, input: Value) -> Result<Page, InstallationsError> {
        let answer = self.ask(&self.functions.installations, input).await?;
        let installations =
            Installation::read_all(&answer["installations"]).ok_or(NotAnswered::Unreadable)?;
        Ok(Page { installations, next: answer["next"].as_str().map(str::to_owned) })
    }

    async fn ask(&self, function_name: &str, mut input: Value) -> Result<Value, InstallationsError> {
        input["caller"] = self.caller.clone().into();
        let answered = invoke(&self.lambda, function_name, &input).await?;
        if answered.answer.get("error").is_none() {
            return Ok(answered.answer);
        }
        Err(refusal(&answered.answer, answered.request_id).unwrap_or(NotAnswered::Unreadable.into()))
    }
}

/// The error in an answer; `None` if it is not a known one.
fn refusal(answer: &Value, request_id: Option<String>) -> Option<InstallationsError> {
    use InstallationsError as Error;
    let text = |name: &str| answer[name].as_str().map(str::to_owned);
    Some(match answer["error"].as_str()? {
        "invalid_grant" => Error::InvalidGrant,
        "different_account" => Error::DifferentAccount {
            expected: Installation::read(&answer["expected"]).map(Box::new),
            actual: Box::new(Installation::read(&answer["actual"])?),
        },
        "too_many_subjects" => Error::TooManySubjects,
        "needs_reinstall" => Error::NeedsReinstall { install_url: text("install_url")? },
        "removed" => Error::Removed { install_url: text("install_url")? },
        "not_installed" => Error::NotInstalled,
        "ambiguous" => Error::Ambiguous(Installation::read_all(&answer["installations"])?),
        "try_later" => Error::TryLater {
            retry_after: Duration::from_secs(answer["retry_after_secs"].as_u64()?),
            reason: text("reason")?,
        },
        "invalid_request" | "malformed" => Error::InvalidRequest(text("message")?),
        "misconfigured" => Error::Misconfigured,
        "internal" => NotAnswered::Failed { request_id }.into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Value {
        json!({"installation": "i", "workspace_id": "w", "user_id": null, "generation": 1, "health": "active", "subjects": ["u"]})
    }

    #[test]
    fn every_error_is_told_from_the_others() {
        for (answer, expected) in [
            (json!({"error": "invalid_grant"}), "InvalidGrant"),
            (json!({"error": "too_many_subjects"}), "TooManySubjects"),
            (
                json!({"error": "needs_reinstall", "install_url": "i"}),
                "NeedsReinstall { install_url: \"i\" }",
            ),
            (json!({"error": "removed", "install_url": "i"}), "Removed { install_url: \"i\" }"),
            (json!({"error": "not_installed"}), "NotInstalled"),
            (
                json!({"error": "try_later", "retry_after_secs": 5, "reason": "store"}),
                "TryLater { retry_after: 5s, reason: \"store\" }",
            ),
            (json!({"error": "invalid_request", "message": "m"}), "InvalidRequest(\"m\")"),
            (json!({"error": "malformed", "message": "m"}), "InvalidRequest(\"m\")"),
            (json!({"error": "misconfigured"}), "Misconfigured"),
            (json!({"error": "internal"}), "NotAnswered(Failed { request_id: Some(\"r\") })"),
        ] {
            let error = refusal(&answer, Some("r".to_owned())).unwrap();
            assert_eq!(format!("{error:?}"), expected, "{answer}");
        }
        for answer in [json!({"error": "unheard_of"}), json!({"error": null}), json!({"error": "removed"})] {
            assert!(refusal(&answer, None).is_none(), "{answer}");
        }
        let different =
            json!({"error": "different_account", "expected": {"installation": "x"}, "actual": facts()});
        let error = refusal(&different, None).unwrap();
        assert!(
            matches!(error, InstallationsError::DifferentAccount { expected: None, ref actual } if actual.subjects == ["u"])
        );
        let several = json!({"error": "ambiguous", "installations": [facts(), facts()]});
        assert!(
            matches!(refusal(&several, None), Some(InstallationsError::Ambiguous(ref all)) if all.len() == 2)
        );
    }
}
