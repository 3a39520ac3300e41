//! Codes with which an installation may be claimed. A row remembers them until they have expired, and those
//! that were used for longer: the same claim again gets the same answer.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use shared::clock::UnixMillis;

use super::StoreError;
use super::item::{Row, insert_text, integer, number, string, text};
use crate::installation::Claimable;
use crate::subject::Subject;

/// How many codes a row remembers. Beyond that, the oldest is forgotten.
pub(super) const MAX_PENDING: usize = 10;

/// A code with which an installation may be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The code's hash.
    pub code_hash: String,
    /// The code challenge of the app's request, in base64url.
    pub challenge: String,
    /// Until when it may be claimed.
    pub expires_at_ms: u64,
    /// The installation that the app meant to renew, in its opaque form.
    pub expect: Option<String>,
    /// Who has claimed with it.
    pub claimed_by: Option<Subject>,
}

impl Pending {
    /// The code of an install that is saved now.
    pub(super) fn of(claimable: &Claimable, expires_at: UnixMillis) -> Self {
        Self {
            code_hash: claimable.code_hash.clone(),
            challenge: claimable.challenge.clone(),
            expires_at_ms: expires_at.0,
            expect: claimable.expect.clone(),
            claimed_by: None,
        }
    }

    pub(super) fn read(attribute: &AttributeValue) -> Result<Self, StoreError> {
        let broken = || StoreError::Row("pending");
        let map = attribute.as_m().map_err(|_| broken())?;
        Ok(Self {
            code_hash: text(map, "code_hash").ok_or_else(broken)?.to_owned(),
            challenge: text(map, "challenge").ok_or_else(broken)?.to_owned(),
            expires_at_ms: integer(map, "expires_at_ms").ok_or_else(broken)?,
            expect: text(map, "expect").map(str::to_owned),
            claimed_by: text(map, "claimed_by").and_then(Subject::parse),
        })
    }

    pub(super) fn attribute(&self) -> AttributeValue {
        let mut map: Row = HashMap::from([
            ("code_hash".to_owned(), string(&self.code_hash)),
            ("challenge".to_owned(), string(&self.challenge)),
            ("expires_at_ms".to_owned(), number(self.expires_at_ms)),
        ]);
        insert_text(&mut map, "expect", self.expect.as_deref());
        insert_text(&mut map, "claimed_by", self.claimed_by.as_ref().map(Subject::as_str));
        AttributeValue::M(map)
    }
}

/// A row's codes as stored.
pub(super) fn attribute(pending: &[Pending]) -> AttributeValue {
    AttributeValue::L(pending.iter().map(Pending::attribute).collect())
}
