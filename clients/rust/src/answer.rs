//! Reads the answers of the functions.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use crate::error::{InstallationsError, TokenError};
use crate::fields::Fields;
use crate::installation::Installation;
use crate::invoke::NotAnswered;
use crate::token::{Answered, Token};

/// Reads an answer of `token`. `request_id` is Lambda's.
pub(crate) fn read(answer: &Value, request_id: Option<String>) -> Result<Token, TokenError> {
    let outcome = match answer.get("error") {
        None => live(answer).map(Ok),
        Some(error) => no_token(error, answer, request_id).map(Err),
    };
    outcome.unwrap_or(Err(NotAnswered::Unreadable.into()))
}

fn live(answer: &Value) -> Option<Token> {
    let fields = Fields(answer);
    let access_token: SecretString = fields.text("access_token")?.into();
    Some(Token(Arc::new(Answered {
        access_token,
        fingerprint: fields.text("fingerprint")?,
        version: fields.number("version")?,
        generation: fields.number("generation")?,
        expires_at: fields.number("expires_at"),
    })))
}

/// `None` if it is not a known error.
fn no_token(error: &Value, answer: &Value, request_id: Option<String>) -> Option<TokenError> {
    use TokenError as Error;
    let fields = Fields(answer);
    let install_url = || fields.text("install_url");
    Some(match error.as_str()? {
        "not_installed" => Error::NotInstalled { install_url: install_url()? },
        "needs_reinstall" => Error::NeedsReinstall { install_url: install_url()? },
        "removed" => Error::Removed { install_url: install_url()? },
        "unclaimed" => Error::Unclaimed,
        "ambiguous" => Error::Ambiguous(fields.list("installations", Installation::read)?),
        "refused_but_alive" => Error::RefusedButAlive { message: fields.text("message")? },
        "try_later" => Error::TryLater { retry_after: retry_after(fields)?, reason: fields.text("reason")? },
        "malformed" => Error::InvalidRequest(fields.text("message")?),
        "misconfigured" => Error::Misconfigured,
        "internal" => NotAnswered::FunctionFailed { request_id }.into(),
        _ => return None,
    })
}

/// The error in an answer of `claim`, `installations` or `uninstall`; `None` if it is not a known one.
pub(crate) fn refusal(answer: &Value, request_id: Option<String>) -> Option<InstallationsError> {
    use InstallationsError as Error;
    let fields = Fields(answer);
    let install_url = || fields.text("install_url");
    Some(match fields.text("error")?.as_str() {
        "invalid_grant" => Error::InvalidGrant,
        "different_account" => Error::DifferentAccount {
            expected: answer.get("expected").and_then(Installation::read).map(Box::new),
            actual: Box::new(answer.get("actual").and_then(Installation::read)?),
        },
        "too_many_subjects" => Error::TooManySubjects,
        "needs_reinstall" => Error::NeedsReinstall { install_url: install_url()? },
        "removed" => Error::Removed { install_url: install_url()? },
        "not_installed" => Error::NotInstalled,
        "ambiguous" => Error::Ambiguous(fields.list("installations", Installation::read)?),
        "other_generation" => Error::OtherGeneration { generation: fields.number("generation")? },
        "try_later" => Error::TryLater { retry_after: retry_after(fields)?, reason: fields.text("reason")? },
        "invalid_request" | "malformed" => Error::InvalidRequest(fields.text("message")?),
        "misconfigured" => Error::Misconfigured,
        "internal" => NotAnswered::FunctionFailed { request_id }.into(),
        _ => return None,
    })
}

fn retry_after(fields: Fields<'_>) -> Option<Duration> {
    fields.number("retry_after_secs").map(Duration::from_secs)
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn token(fingerprint: &str) -> Token {
        let answer =
            json!({"access_token": "ntn_secret", "fingerprint": fingerprint, "version": 7, "generation": 2});
        read(&answer, None).unwrap()
    }

    #[test]
    fn a_token_shows_itself_only_when_asked() {
        let token = token("f1");
        assert_eq!((token.access_token(), token.fingerprint()), ("ntn_secret", "f1"));
        assert_eq!((token.version(), token.generation()), (7, 2));
        assert_eq!(format!("{token:?}"), r#"Token { fingerprint: "f1", version: 7, .. }"#);
    }
}
