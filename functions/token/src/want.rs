//! Which token is wanted.

use serde_json::Value;
use shared::clock::UnixMillis;
use vault::installation::SealedPair;
use vault::seal::Fingerprint;
use vault::store::Installation;

/// Which token is wanted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Want {
    /// The one that is stored.
    Stored,
    /// Another one than this, which was refused: compare and refresh.
    OtherThan(Fingerprint),
    /// One from a refresh or an install that ended after this moment.
    RefreshedSince(UnixMillis),
}

impl Want {
    /// What the input wants, which came at `asked_at`; else what it should have been.
    pub(crate) fn read(input: &Value, asked_at: UnixMillis) -> Result<Self, &'static str> {
        let refresh = match input.get("refresh") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(refresh)) => *refresh,
            Some(_) => return Err("refresh must be true or false"),
        };
        match input.get("refused_fingerprint") {
            None | Some(Value::Null) if refresh => Ok(Self::RefreshedSince(asked_at)),
            None | Some(Value::Null) => Ok(Self::Stored),
            // Another token than the refused one is what a wish to refresh would bring too.
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

    /// Whether the pair of `row` is such a token.
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
