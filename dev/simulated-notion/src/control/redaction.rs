//! Takes the secrets out of a recorded request. Logs get pasted, and a simulator may run with a real client secret.

use std::collections::HashSet;

use serde_json::Value;

use crate::notion::Notion;

const REDACTED: &str = "[redacted]";

/// Fields whose value is a secret, in a query, a form and a JSON body at any depth.
const SECRET_FIELDS: &[&str] = &[
    "access_token",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "password",
    "refresh_token",
    "state",
    "token",
];

/// What to take out.
pub(super) enum Redaction {
    None,
    /// The fields above, credentials and cookies, and wherever they are these secrets.
    Secrets(HashSet<String>),
}

impl Redaction {
    /// For everything that was ever issued or registered.
    pub(super) fn of(notion: &Notion) -> Self {
        Self::Secrets(notion.memory.secrets_issued.iter().cloned().collect())
    }

    /// The value of a header; of credentials only the scheme stays (RFC 9110 §11.4).
    pub(super) fn header(&self, name: &str, value: &str) -> String {
        if matches!(self, Self::None) {
            return value.to_owned();
        }
        match name {
            "authorization" | "proxy-authorization" => match value.split_once(' ') {
                Some((scheme, _)) => format!("{scheme} {REDACTED}"),
                None => REDACTED.to_owned(),
            },
            "cookie" => REDACTED.to_owned(),
            "referer" => match value.split_once('?') {
                Some((place, query)) => format!("{}?{}", self.words(place), self.form(query)),
                None => self.words(value),
            },
            _ => self.words(value),
        }
    }

    /// A query or a form.
    pub(super) fn form(&self, pairs: &str) -> String {
        if matches!(self, Self::None) {
            return pairs.to_owned();
        }
        let pairs = pairs.split('&').map(|pair| {
            let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = form_urlencoded::parse(name.as_bytes()).next();
            let is_secret = decoded.is_some_and(|(name, _)| SECRET_FIELDS.contains(&name.as_ref()));
            if is_secret { format!("{name}={REDACTED}") } else { self.words(pair) }
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// A body. JSON in which a field was redacted is written anew, with its names in alphabetical order.
    pub(super) fn body(&self, body: &str) -> String {
        if matches!(self, Self::None) {
            return body.to_owned();
        }
        let Ok(mut json) = serde_json::from_str::<Value>(body) else { return self.form(body) };
        if redact(&mut json) { self.words(&json.to_string()) } else { self.words(body) }
    }

    /// Text in which every issued secret is redacted.
    fn words(&self, text: &str) -> String {
        let Self::Secrets(secrets) = self else { return text.to_owned() };
        let is_part =
            |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
        let mut redacted = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            redacted += if secrets.contains(word) { REDACTED } else { word };
            let next = after.find(is_part).unwrap_or(after.len());
            redacted += &after[..next];
            rest = &after[next..];
        }
        redacted
    }
}

/// Redacts the secret fields of a value. Answers whether there was one.
fn redact(value: &mut Value) -> bool {
    let mut found = false;
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if SECRET_FIELDS.contains(&name.as_str()) && value.is_string() {
                    *value = REDACTED.into();
                    found = true;
                } else {
                    found |= redact(value);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                found |= redact(item);
            }
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redaction() -> Redaction {
        Redaction::Secrets(HashSet::from(["ntn_1".to_owned(), "0f-8a".to_owned()]))
    }

    #[test]
    fn credentials_keep_their_scheme() {
        let redaction = redaction();
        assert_eq!(redaction.header("authorization", "Bearer ntn_1"), "Bearer [redacted]");
        assert_eq!(redaction.header("authorization", "ntn_1"), "[redacted]");
        assert_eq!(redaction.header("cookie", "a=b"), "[redacted]");
        assert_eq!(redaction.header("x-other", "a ntn_1, b"), "a [redacted], b");
        assert_eq!(redaction.header("referer", "http://a/?state=1&b=2"), "http://a/?state=[redacted]&b=2");
        assert_eq!(Redaction::None.header("authorization", "Bearer ntn_1"), "Bearer ntn_1");
    }

    #[test]
    fn every_secret_of_the_protocol_is_redacted_by_its_name() {
        let redaction = redaction();
        // RFC 6749 §4.1 and §6, RFC 7636 §4.5, RFC 7523 §2.2, RFC 7009 §2.1, RFC 7662 §2.1.
        let names = [
            "code",
            "state",
            "client_secret",
            "access_token",
            "refresh_token",
            "code_verifier",
            "client_assertion",
            "token",
            "password",
        ];
        for name in names {
            assert_eq!(redaction.form(&format!("{name}=x")), format!("{name}=[redacted]"));
            assert_eq!(
                redaction.body(&format!("{{\"{name}\":\"x\"}}")),
                format!("{{\"{name}\":\"[redacted]\"}}")
            );
        }
    }

    #[test]
    fn secret_fields_and_issued_secrets_are_redacted_wherever_they_are() {
        let redaction = redaction();
        let cases = [
            ("", ""),
            ("a=1&%63ode=2&b=0f-8a", "a=1&%63ode=[redacted]&b=[redacted]"),
            (r#"{"b": 1, "a": "see ntn_1"}"#, r#"{"b": 1, "a": "see [redacted]"}"#),
            (
                r#"{"b":{"token":"x"},"a":[{"code":"y"}]}"#,
                r#"{"a":[{"code":"[redacted]"}],"b":{"token":"[redacted]"}}"#,
            ),
            (r#"{"code":{"text":"x"}}"#, r#"{"code":{"text":"x"}}"#),
            ("text with ntn_1", "text with [redacted]"),
        ];
        for (body, expected) in cases {
            assert_eq!(redaction.body(body), expected);
        }
    }
}
