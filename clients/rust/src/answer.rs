//! Parses the token function's answers.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use crate::error::TokenError;
use crate::installation::Installation;
use crate::token::{Answered, Token};

/// Parses an answer. `request_id` is Lambda's.
pub(crate) fn read(answer: &Value, request_id: Option<&str>) -> Result<Token, TokenError> {
    let text = |field: &str| answer[field].as_str().map(str::to_owned).ok_or(TokenError::Unreadable);
    let Some(error) = answer.get("error") else {
        let access_token: SecretString = text("access_token")?.into();
        let version = answer["version"].as_u64().ok_or(TokenError::Unreadable)?;
        let (fingerprint, expires_at) = (text("fingerprint")?, answer["expires_at"].as_u64());
        return Ok(Token(Arc::new(Answered { access_token, fingerprint, version, expires_at })));
    };
    Err(match error.as_str().unwrap_or_default() {
        "not_installed" => TokenError::NotInstalled { install_url: text("install_url")? },
        "needs_reinstall" => TokenError::NeedsReinstall { install_url: text("install_url")? },
        "removed" => TokenError::Removed { install_url: text("install_url")? },
        "unclaimed" => TokenError::Unclaimed,
        "ambiguous" => {
            let several = Installation::read_all(&answer["installations"]);
            TokenError::Ambiguous(several.ok_or(TokenError::Unreadable)?)
        }
        "refused_but_alive" => TokenError::RefusedButAlive { message: text("message")? },
        "try_later" => {
            let secs = answer["retry_after_secs"].as_u64().ok_or(TokenError::Unreadable)?;
            TokenError::TryLater { retry_after: Duration::from_secs(secs), reason: text("reason")? }
        }
        "malformed" => TokenError::Malformed(text("message")?),
        "misconfigured" => TokenError::Misconfigured,
        "internal" => TokenError::FunctionError { request_id: request_id.map(str::to_owned) },
        _ => TokenError::Unreadable,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn token(fingerprint: &str) -> Token {
        let answer = json!({"access_token": "ntn_secret", "fingerprint": fingerprint, "version": 7});
        read(&answer, None).unwrap()
    }

    #[test]
    fn a_token_shows_itself_only_when_asked() {
        let token = token("f1");
        assert_eq!((token.access_token(), token.fingerprint(), token.version()), ("ntn_secret", "f1", 7));
        assert_eq!(format!("{token:?}"), r#"Token { fingerprint: "f1", version: 7, .. }"#);
    }

    #[test]
    fn every_error_is_told_from_the_others() {
        for (answer, expected) in [
            (json!({"error": "not_installed", "install_url": "i"}), "NotInstalled { install_url: \"i\" }"),
            (
                json!({"error": "needs_reinstall", "install_url": "i"}),
                "NeedsReinstall { install_url: \"i\" }",
            ),
            (json!({"error": "removed", "install_url": "i"}), "Removed { install_url: \"i\" }"),
            (
                json!({"error": "try_later", "retry_after_secs": 5, "reason": "store"}),
                "TryLater { retry_after: 5s, reason: \"store\" }",
            ),
            (json!({"error": "unclaimed"}), "Unclaimed"),
            (json!({"error": "ambiguous", "installations": []}), "Ambiguous([])"),
            (json!({"error": "malformed", "message": "m"}), "Malformed(\"m\")"),
            (json!({"error": "refused_but_alive", "message": "m"}), "RefusedButAlive { message: \"m\" }"),
            (json!({"error": "misconfigured", "message": "m"}), "Misconfigured"),
            (json!({"error": "internal", "message": "m"}), "FunctionError { request_id: Some(\"r\") }"),
            (json!({"error": "unheard_of"}), "Unreadable"),
            (json!({"error": null}), "Unreadable"),
            (json!({"error": "removed"}), "Unreadable"),
            (json!({"fingerprint": "f", "version": 1}), "Unreadable"),
            (json!({"access_token": "ntn_secret", "version": 1}), "Unreadable"),
            (json!("ntn_secret"), "Unreadable"),
            (Value::Null, "Unreadable"),
        ] {
            let error = read(&answer, Some("r")).unwrap_err();
            assert_eq!(format!("{error:?}"), expected, "{answer}");
        }
    }
}
