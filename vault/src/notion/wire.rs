//! Parses Notion's token response: strict about what we need, lenient about the rest.
//!
//! Unknown fields are ignored, and an optional field of an unexpected type counts as absent. If something that we need
//! is missing (token, type, workspace, owner), the grant is revoked.

use std::time::Duration;

use serde_json::Value;
use shared::clock::UnixMillis;
use shared::ids::identifier;
use shared::secret::{AccessToken, RefreshToken};

use super::error::{NotionAnswer, TokenError};
use super::grant::{Grant, Introspection, Me, Owner, Renewed};

/// The longest text that is kept, in bytes. A row holds 400 KB, a record in the rescue queue 256 KB.
const MAX_TEXT_BYTES: usize = 16 * 1024;
/// The longest plausible lifetime of an access token, in seconds: ten years.
const MAX_LIFE_SECS: u64 = 10 * 366 * 86_400;

/// Parses a successful answer to an exchange.
pub(super) fn grant(answer: &NotionAnswer, body: &[u8]) -> Result<Grant, TokenError> {
    let unknown = || TokenError::OutcomeUnknown(Some(answer.clone()));
    let json = json(body).ok_or_else(unknown)?;
    let access_token = text(&json, "/access_token").and_then(|token| AccessToken::parse(token).ok());
    let access_token = access_token.ok_or_else(unknown)?;
    match read(&json, access_token.clone(), answer) {
        Ok(grant) => Ok(grant),
        Err(field) => Err(TokenError::Unusable { field, access_token, answer: answer.clone() }),
    }
}

/// Parses a successful answer to a refresh. Only an access token is required. Workspace and owner are known: if the
/// answer names them, the caller checks that they are those of the grant.
pub(super) fn renewed(answer: &NotionAnswer, body: &[u8]) -> Result<Renewed, TokenError> {
    let unknown = || TokenError::OutcomeUnknown(Some(answer.clone()));
    let json = json(body).ok_or_else(unknown)?;
    let access_token = text(&json, "/access_token").and_then(|token| AccessToken::parse(token).ok());
    Ok(Renewed {
        access_token: access_token.ok_or_else(unknown)?,
        refresh_token: text(&json, "/refresh_token").and_then(|token| RefreshToken::parse(token).ok()),
        bot_id: id(&json, "/bot_id"),
        workspace_id: id(&json, "/workspace_id"),
        user_id: id(&json, "/owner/user/id"),
        expires_in: expires_in(&json),
        answer: answer.clone(),
    })
}

/// Parses a successful introspection (RFC 7662 §2.2). Without a boolean `active`, the outcome is unknown.
pub(super) fn introspection(answer: &NotionAnswer, body: &[u8]) -> Result<Introspection, TokenError> {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let active = json.get("active").and_then(Value::as_bool);
    let active = active.ok_or_else(|| TokenError::OutcomeUnknown(Some(answer.clone())))?;
    Ok(Introspection { active, issued_at: json.get("iat").and_then(Value::as_u64).map(moment) })
}

/// RFC 7662 has seconds in `iat`, Notion's example milliseconds. No second of the next three thousand years has so many
/// digits as a millisecond since 1973.
fn moment(iat: u64) -> UnixMillis {
    UnixMillis(if iat < 100_000_000_000 { iat * 1000 } else { iat })
}

/// Parses a successful answer of `GET /v1/users/me`.
pub(super) fn me(answer: &NotionAnswer, body: &[u8]) -> Result<Me, TokenError> {
    let json = json(body).unwrap_or_default();
    let read = || {
        let bot = json.get("bot")?;
        Some(Me {
            bot_id: id(&json, "/id")?,
            workspace_id: id(bot, "/workspace_id"),
            workspace_name: text(bot, "/workspace_name"),
            owner: owner(bot)?,
        })
    };
    read().ok_or_else(|| TokenError::OutcomeUnknown(Some(answer.clone())))
}

fn read(json: &Value, access_token: AccessToken, answer: &NotionAnswer) -> Result<Grant, &'static str> {
    let is_bearer = |kind: &str| kind.eq_ignore_ascii_case("bearer");
    if !text(json, "/token_type").is_some_and(|kind| is_bearer(&kind)) {
        return Err("token_type");
    }
    Ok(Grant {
        access_token,
        refresh_token: text(json, "/refresh_token").and_then(|token| RefreshToken::parse(token).ok()),
        bot_id: id(json, "/bot_id").ok_or("bot_id")?,
        workspace_id: id(json, "/workspace_id").ok_or("workspace_id")?,
        workspace_name: text(json, "/workspace_name"),
        workspace_icon: text(json, "/workspace_icon"),
        owner: owner(json).ok_or("owner")?,
        duplicated_template_id: text(json, "/duplicated_template_id"),
        expires_in: expires_in(json),
        request_id: answer
            .request_id
            .clone()
            .or_else(|| text(json, "/request_id").as_deref().and_then(identifier)),
    })
}

/// A full user, a partial one, or the workspace. Older answers omit `type`.
fn owner(json: &Value) -> Option<Owner> {
    if let Some(user_id) = id(json, "/owner/user/id") {
        return Some(Owner::User {
            user_id,
            name: text(json, "/owner/user/name"),
            email: text(json, "/owner/user/person/email"),
            email_verified: json.pointer("/owner/user/person/email_verified").and_then(Value::as_bool),
            avatar_url: text(json, "/owner/user/avatar_url"),
        });
    }
    (json.pointer("/owner/workspace") == Some(&Value::Bool(true))).then_some(Owner::Workspace)
}

/// The lifetime of the access token (RFC 6749 §5.1), in seconds, as a number or, as some servers write it, as a string.
/// Notion sends none today. An implausible value counts as absent.
fn expires_in(json: &Value) -> Option<Duration> {
    let value = json.get("expires_in")?;
    let secs = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    (1..=MAX_LIFE_SECS).contains(&secs).then(|| Duration::from_secs(secs))
}

/// Parses JSON. If a name was cut in the middle of a character, JavaScript writes half of a surrogate pair. That must
/// not make an answer unreadable that holds the only valid tokens.
fn json(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok().or_else(|| {
        let whole = whole_characters(std::str::from_utf8(body).ok()?);
        serde_json::from_str(&whole).ok()
    })
}

/// Puts the replacement character in place of each half of a surrogate pair.
fn whole_characters(json: &str) -> String {
    const ESCAPE_CHARS: usize = 6;
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (mut whole, mut rest) = (String::with_capacity(json.len()), json);
    while let Some(at) = rest.find('\\') {
        whole.push_str(&rest[..at]);
        rest = &rest[at..];
        let second = || rest.get(ESCAPE_CHARS..).and_then(unit);
        let taken = match unit(rest) {
            Some(0xd800..=0xdbff) if second().is_some_and(|unit| (0xdc00..=0xdfff).contains(&unit)) => {
                2 * ESCAPE_CHARS
            }
            Some(0xd800..=0xdfff) => {
                whole.push_str("\\ufffd");
                rest = &rest[ESCAPE_CHARS..];
                continue;
            }
            Some(_) => ESCAPE_CHARS,
            // Any other escape: take the character after the backslash too.
            None => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        whole.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    whole.push_str(rest);
    whole
}

/// A string. One that is empty, or too long to fit into a row beside the others, counts as absent.
fn text(json: &Value, pointer: &str) -> Option<String> {
    let text = json.pointer(pointer).and_then(Value::as_str);
    text.filter(|text| !text.is_empty() && text.len() <= MAX_TEXT_BYTES).map(str::to_owned)
}

/// An id. It becomes part of a key, so nothing in it may look like a separator.
fn id(json: &Value, pointer: &str) -> Option<String> {
    json.pointer(pointer).and_then(Value::as_str).and_then(identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_character_makes_no_answer_unreadable() {
        for (written, read) in [
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""a\udca5b""#, "a\u{fffd}b"),
            (r#""\ud83d\udca5""#, "\u{1f4a5}"),
            (r#""\ud83d\ud83d\udca5""#, "\u{fffd}\u{1f4a5}"),
            (r#""\\ud83d \"\ud83dx\\""#, "\\ud83d \"\u{fffd}x\\"),
            (r#""\u00fc\ud83d""#, "\u{fc}\u{fffd}"),
        ] {
            assert_eq!(json(written.as_bytes()), Some(read.into()), "{written}");
        }
        for unreadable in [&b"\"\\ud8\""[..], b"\"\\", b"\"\xff\"", b"{", b""] {
            assert_eq!(json(unreadable), None);
        }
    }

    #[test]
    fn the_time_of_issue_is_read_in_either_unit() {
        for (iat, at_ms) in
            [(1_727_554_061, 1_727_554_061_000), (1_727_554_061_083, 1_727_554_061_083), (0, 0)]
        {
            assert_eq!(moment(iat), UnixMillis(at_ms), "{iat}");
        }
    }

    #[test]
    fn only_a_plausible_life_is_one() {
        for (value, secs) in [
            (serde_json::json!(3600), Some(3600)),
            (serde_json::json!("3600"), Some(3600)),
            (serde_json::json!(0), None),
            (serde_json::json!(-1), None),
            (serde_json::json!(1.5), None),
            (serde_json::json!(u64::MAX), None),
            (serde_json::json!("soon"), None),
            (Value::Null, None),
        ] {
            let answer = serde_json::json!({"expires_in": value});
            assert_eq!(expires_in(&answer), secs.map(Duration::from_secs), "{value}");
        }
    }
}
