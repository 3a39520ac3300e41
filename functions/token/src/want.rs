//! Which token the caller wants.

use serde_json::Value;
use shared::clock::UnixMillis;
use vault::installation::SealedPair;
use vault::seal::Fingerprint;
use vault::store::Installation;

/// Which token the caller wants.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Want {
    /// The stored one.
    Stored,
    /// Any token but this one, which was refused: compare and refresh.
    OtherThan(Fingerprint),
    /// One from a refresh or an install that ended after this moment.
    RefreshedSince(UnixMillis),
}

impl Want {
    /// Reads what the input asks for, received at `asked_at`. The error says what the input must be.
    pub(crate) fn read(input: &Value, asked_at: UnixMillis) -> Result<Self, &'static str> {
        let refresh = match input.get("refresh") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(refresh)) => *refresh,
            Some(_) => return Err("refresh must be true or false"),
        };
        match input.get("refused_fingerprint") {
            None | Some(Value::Null) if refresh => Ok(Self::RefreshedSince(asked_at)),
            None | Some(Value::Null) => Ok(Self::Stored),
            // A token other than the refused one also satisfies a request to refresh.
            Some(Value::String(text)) if !text.is_empty() => {
                Ok(Self::OtherThan(Fingerprint::from(text.as_str())))
            }
            Some(_) => Err("refused_fingerprint must be the fingerprint that came with the token"),
        }
    }

    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::OtherThan(_) => "other_than_refused",
            Self::RefreshedSince(_) => "refreshed",
        }
    }

    /// Whether the row's `pair` is such a token.
    pub(crate) fn is_met_by(&self, row: &Installation, pair: &SealedPair) -> bool {
        match self {
            Self::Stored => true,
            Self::OtherThan(refused) => pair.access_fingerprint != *refused,
            Self::RefreshedSince(moment) => {
                row.refreshed_at_ms.max(row.installed_at_ms).is_some_and(|at_ms| at_ms >= moment.0)
            }
        }
    }
}
