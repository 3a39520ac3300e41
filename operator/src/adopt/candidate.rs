//! One line: whose tokens it brings, and what it says about them. What is wrong with a line is said in fixed words, never
//! with anything of the line.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::error::Category;
use shared::ids::{canonical, identifier};
use shared::secret::{AccessToken, RefreshToken};
use vault::subject::Subject;

/// The longest token that is taken, in bytes. Notion's have about fifty.
const MAX_TOKEN_BYTES: usize = 2048;

/// What a line brings.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) subject: Subject,
    pub(super) access_token: AccessToken,
    pub(super) refresh_token: Option<RefreshToken>,
    pub(super) ids: GivenIds,
}

/// The ids that a line gives, in canonical form. Notion has to confirm each.
#[expect(clippy::struct_field_names, reason = "Notion's names")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GivenIds {
    pub(super) workspace_id: Option<String>,
    /// Absent also if the workspace itself is the owner.
    pub(super) user_id: Option<String>,
    pub(super) bot_id: Option<String>,
}

/// Borrows from the line wherever it can, so that a token is not copied into memory that nobody wipes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    access_token: Cow<'a, str>,
    #[serde(borrow, default)]
    refresh_token: Option<Text<'a>>,
    #[serde(borrow, default)]
    workspace_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    user_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    bot_id: Option<Text<'a>>,
}

/// Serde borrows a `Cow` only if it is a field of its own.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The text, if there is one. A column of a table that has no value is often written as an empty text.
fn given<'a>(text: Option<&'a Text<'_>>) -> Option<&'a str> {
    text.map(|Text(text)| &**text).filter(|text| !text.is_empty())
}

/// Why a line cannot be used, and whose it is, if that can be said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) subject: Option<Subject>,
    pub(super) why: String,
}

impl Candidate {
    pub(super) fn parse(line: &[u8]) -> Result<Self, Invalid> {
        let not_an_object = |column: usize| Invalid {
            subject: None,
            why: format!("it is not a JSON object (column {column})"),
        };
        // Serde would take an array as well, by the order of the fields.
        if line.trim_ascii_start().first() != Some(&b'{') {
            return Err(not_an_object(1));
        }
        // The error's own words quote the line.
        let fields: Fields<'_> = serde_json::from_slice(line).map_err(|error| match error.classify() {
            Category::Data => Invalid {
                subject: None,
                why: format!(
                    "a field is missing, twice there, or no text, or is none of subject, access_token, refresh_token, \
                     workspace_id, user_id and bot_id (column {})",
                    error.column()
                ),
            },
            _ => not_an_object(error.column()),
        })?;
        let refresh_token = given(fields.refresh_token.as_ref());
        // A column too far to the left or right, and a token is where the subject should be.
        let is_a_token = |text: &str| {
            ["ntn_", "nrt_", "secret_"].iter().any(|prefix| text.starts_with(prefix))
                || text == fields.access_token
                || refresh_token == Some(text)
        };
        let without_subject = |why: &str| Invalid { subject: None, why: why.to_owned() };
        if is_a_token(&fields.subject) {
            return Err(without_subject("its subject is a token"));
        }
        let subject = Subject::parse(&fields.subject).ok_or_else(|| {
            without_subject("its subject has not 1 to 256 bytes, or has control characters")
        })?;
        let invalid = |why: &str| Invalid { subject: Some(subject.clone()), why: why.to_owned() };
        if fields.access_token.starts_with("nrt_") {
            return Err(invalid("its access_token is a refresh token"));
        }
        if refresh_token.is_some_and(|token| token.starts_with("ntn_")) {
            return Err(invalid("its refresh_token is an access token"));
        }
        if refresh_token == Some(&*fields.access_token) {
            return Err(invalid("its access_token and its refresh_token are the same"));
        }
        if !is_plausible(&fields.access_token) {
            return Err(invalid(
                "its access_token is empty, too long, or has spaces or other odd characters",
            ));
        }
        if refresh_token.is_some_and(|token| !is_plausible(token)) {
            return Err(invalid("its refresh_token is too long, or has spaces or other odd characters"));
        }
        let id = |name: &str, text: Option<&Text<'_>>| {
            let Some(id) = given(text) else { return Ok(None) };
            let read = identifier(id).map(|id| Some(canonical(&id)));
            read.ok_or_else(|| invalid(&format!("its {name} is not an id of Notion's")))
        };
        Ok(Self {
            ids: GivenIds {
                workspace_id: id("workspace_id", fields.workspace_id.as_ref())?,
                user_id: id("user_id", fields.user_id.as_ref())?,
                bot_id: id("bot_id", fields.bot_id.as_ref())?,
            },
            access_token: AccessToken::parse(&*fields.access_token)
                .map_err(|_| invalid("no access_token"))?,
            refresh_token: refresh_token.and_then(|token| RefreshToken::parse(token).ok()),
            subject,
        })
    }
}

/// Tokens are opaque; this is what can stand in a header.
fn is_plausible(token: &str) -> bool {
    (1..=MAX_TOKEN_BYTES).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(line: &str) -> String {
        Candidate::parse(line.as_bytes()).unwrap_err().why
    }

    #[test]
    fn a_line_is_read_with_what_it_has() {
        let line = r#"{"subject":"user 4711","access_token":"ntn_a","refresh_token":"nrt_b","bot_id":"B",
            "workspace_id":"463558A3725E4F37B6D30889894F68DE","user_id":null}"#;
        let candidate = Candidate::parse(line.as_bytes()).unwrap();
        assert_eq!(candidate.subject.as_str(), "user 4711");
        assert_eq!(candidate.access_token.expose(), "ntn_a");
        assert_eq!(candidate.refresh_token.unwrap().expose(), "nrt_b");
        let workspace_id = Some("463558a3-725e-4f37-b6d3-0889894f68de".to_owned());
        assert_eq!(candidate.ids, GivenIds { workspace_id, user_id: None, bot_id: Some("B".to_owned()) });
        // A column of a table that has no value.
        let line = r#"{"subject":"u","access_token":"secret_old","refresh_token":"","workspace_id":""}"#;
        let candidate = Candidate::parse(line.as_bytes()).unwrap();
        assert!(candidate.refresh_token.is_none() && candidate.ids.workspace_id.is_none());
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said_without_quoting_it() {
        let canary = "ntn_canary";
        for (line, because) in [
            (format!(r#"{{"subject":"u","access_token":"{canary}""#), "not a JSON object (column"),
            (format!(r#""{canary}""#), "not a JSON object"),
            (format!(r#"["u","{canary}","x","w","u","b"]"#), "not a JSON object"),
            (canary.to_owned(), "not a JSON object"),
            (format!(r#"{{"{canary}":1}}"#), "a field"),
            (format!(r#"{{"subject":"u","access_token":"{canary}","refreshToken":"{canary}"}}"#), "a field"),
            (format!(r#"{{"subject":"u","access_token":["{canary}"]}}"#), "a field"),
            (format!(r#"{{"subject":4711,"access_token":"{canary}"}}"#), "a field"),
            (format!(r#"{{"subject":"u","subject":"{canary}","access_token":"{canary}"}}"#), "a field"),
            (format!(r#"{{"access_token":"{canary}"}}"#), "a field"),
            (r#"{"subject":"u"}"#.to_owned(), "a field"),
            (format!(r#"{{"subject":"{canary}","access_token":"x"}}"#), "subject is a token"),
            (r#"{"subject":"canary","access_token":"canary"}"#.to_owned(), "subject is a token"),
            (
                r#"{"subject":"canary","access_token":"x","refresh_token":"canary"}"#.to_owned(),
                "subject is a token",
            ),
            (format!(r#"{{"subject":"","access_token":"{canary}"}}"#), "1 to 256 bytes"),
            (format!(r#"{{"subject":"a\nb","access_token":"{canary}"}}"#), "control characters"),
            (r#"{"subject":"u","access_token":"nrt_canary"}"#.to_owned(), "is a refresh token"),
            (
                format!(r#"{{"subject":"u","access_token":"x","refresh_token":"{canary}"}}"#),
                "is an access token",
            ),
            (r#"{"subject":"u","access_token":"canary","refresh_token":"canary"}"#.to_owned(), "the same"),
            (r#"{"subject":"u","access_token":""}"#.to_owned(), "empty"),
            (r#"{"subject":"u","access_token":"can ary"}"#.to_owned(), "spaces"),
            (
                r#"{"subject":"u","access_token":"x","refresh_token":"can\u00e4ry"}"#.to_owned(),
                "odd characters",
            ),
            (format!(r#"{{"subject":"u","access_token":"x","workspace_id":"{canary}/y"}}"#), "workspace_id"),
            (format!(r#"{{"subject":"u","access_token":"x","user_id":"{canary} y"}}"#), "user_id"),
        ] {
            let said = why(&line);
            assert!(said.contains(because), "{line}: {said}");
            assert!(!said.contains("can"), "{line}: {said}");
        }
    }
}
