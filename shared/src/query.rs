//! A query string, decoded once and strictly.
//!
//! API Gateway's payload format 2.0 joins repeated parameters with commas, so only the raw string shows whether one
//! was sent twice. Lenient decoders accept invalid escapes; this one rejects them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value};

/// The longest query string that is read, in bytes.
pub const MAX_QUERY_BYTES: usize = 4096;

/// Why a query string was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// Longer than [`MAX_QUERY_BYTES`].
    #[error("the query string is too long")]
    TooLong,
    /// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("the query string is not percent-encoded UTF-8")]
    Encoding,
    /// A control character, including NUL.
    #[error("the query string has a control character")]
    Control,
    /// A parameter that was asked for occurs more than once (RFC 6749 §3.1 forbids it).
    #[error("the query has the parameter {0} more than once")]
    Repeated(&'static str),
}

/// The decoded pairs of a query string, in order.
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes `raw` (`application/x-www-form-urlencoded`, without the `?`).
    ///
    /// # Errors
    ///
    /// [`BadQuery`], except `Repeated`: only the reader knows which names matter.
    pub fn parse(raw: &str) -> Result<Self, BadQuery> {
        if raw.len() > MAX_QUERY_BYTES {
            return Err(BadQuery::TooLong);
        }
        raw.split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(name)?, decode(value)?))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The value of `name`, if it was sent.
    ///
    /// # Errors
    ///
    /// [`BadQuery::Repeated`] if it was sent more than once.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, BadQuery> {
        let mut values = self.0.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(BadQuery::Repeated(name)),
        }
    }
}

impl Query {
    /// The parameters as a JSON object: those without a value are null. `None` if one was sent more than once.
    #[must_use]
    pub fn into_object(self) -> Option<Value> {
        let mut object = Map::new();
        for (name, value) in self.0 {
            let value = if value.is_empty() { Value::Null } else { Value::String(value) };
            if object.insert(name, value).is_some() {
                return None;
            }
        }
        Some(object.into())
    }
}

fn decode(text: &str) -> Result<String, BadQuery> {
    // The library passes a stray `%` through. Here it is an error.
    let well_escaped =
        |escape: &str| escape.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    if !text.split('%').skip(1).all(well_escaped) {
        return Err(BadQuery::Encoding);
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| BadQuery::Encoding)?;
    if decoded.chars().any(char::is_control) { Err(BadQuery::Control) } else { Ok(decoded.into_owned()) }
}

/// RFC 3986's unreserved characters are kept, all others are escaped.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes `value` for a query string.
#[must_use]
pub fn encode(value: &str) -> String {
    utf8_percent_encode(value, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_clean_percent_encoded_utf8_is_refused() {
        let cases: &[(&str, BadQuery)] = &[
            ("code=%", BadQuery::Encoding),
            ("code=%4", BadQuery::Encoding),
            ("code=%zz", BadQuery::Encoding),
            ("code=%+1", BadQuery::Encoding),
            ("code=%c3", BadQuery::Encoding),
            ("code=%c0%80", BadQuery::Encoding),
            ("code=%ed%a0%80", BadQuery::Encoding),
            ("code=a%00b", BadQuery::Control),
            ("co%0dde=a", BadQuery::Control),
            ("code=%C2%85", BadQuery::Control),
        ];
        for (raw, expected) in cases {
            assert_eq!(Query::parse(raw).err(), Some(*expected), "query: {raw}");
        }
        assert_eq!(Query::parse(&"a".repeat(MAX_QUERY_BYTES + 1)).err(), Some(BadQuery::TooLong));
    }

    #[test]
    fn values_are_decoded_once_and_repeats_are_seen() {
        let query = Query::parse("state=a%2525+b&x&code=%f0%9f%98%80&code=2&&").unwrap();
        assert_eq!(query.one("state"), Ok(Some("a%25 b")));
        assert_eq!(query.one("x"), Ok(Some("")));
        assert_eq!(query.one("error"), Ok(None));
        assert_eq!(query.one("code"), Err(BadQuery::Repeated("code")));
    }

    #[test]
    fn encoding_then_decoding_gives_the_value_back() {
        let value = "http://localhost:3000/callback?a=b&c=d e+%é/😀";
        let raw = format!("v={}", encode(value));
        assert!(raw.is_ascii());
        assert_eq!(Query::parse(&raw).unwrap().one("v"), Ok(Some(value)));
    }
}
