//! What a claim does to a row. A pure function, so that the model and the tests can look at every case.

use shared::clock::UnixMillis;
use shared::pkce::CodeChallenge;
use vault::code::hash_of;
use vault::store::{Health, Installation, MAX_SUBJECTS, Pending};

use crate::request::ClaimRequest;

/// How long after a code has expired its claim may be repeated, in milliseconds.
const REPEATABLE_MS: u64 = 86_400_000;

/// What a claim does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Link the subject, and write these codes.
    Link(Vec<Pending>),
    /// This subject has claimed it with this code before.
    Linked,
    /// Nothing.
    Refuse(Refusal),
    /// Nothing yet: the app expected another installation.
    DifferentAccount { expected: String },
    /// The grant has died in the meantime.
    NeedsReinstall,
    /// It was removed in the meantime.
    Removed,
    /// It has no room for another subject.
    TooManySubjects,
}

/// Why a claim is refused. The caller does not learn it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    UnknownCode,
    ExpiredCode,
    WrongVerifier,
    AnotherSubject,
    /// The row belongs to another public connection.
    AnotherConnection,
}

impl Refusal {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::UnknownCode => "unknown_code",
            Self::ExpiredCode => "expired_code",
            Self::WrongVerifier => "wrong_verifier",
            Self::AnotherSubject => "another_subject",
            Self::AnotherConnection => "another_connection",
        }
    }
}

/// Decides about a claim of `row`, whose key the code holds.
pub(crate) fn decide(
    row: &Installation,
    request: &ClaimRequest,
    client_id: &str,
    now: UnixMillis,
) -> Decision {
    // Only we could have sealed the row's key into the code, so its holder may know.
    if row.health == Health::Removed {
        return Decision::Removed;
    }
    if row.client_id != client_id {
        return Decision::Refuse(Refusal::AnotherConnection);
    }
    let hash = hash_of(&request.code);
    let Some(claimed) = row.pending.iter().position(|pending| pending.code_hash == hash) else {
        return Decision::Refuse(Refusal::UnknownCode);
    };
    let pending = &row.pending[claimed];
    let challenge = CodeChallenge::parse(&pending.challenge);
    if !challenge.is_some_and(|challenge| challenge.is_met_by(&request.verifier)) {
        return Decision::Refuse(Refusal::WrongVerifier);
    }
    match &pending.claimed_by {
        Some(subject) if *subject == request.subject => return Decision::Linked,
        Some(_) => return Decision::Refuse(Refusal::AnotherSubject),
        None => {}
    }
    if now.0 >= pending.expires_at_ms {
        return Decision::Refuse(Refusal::ExpiredCode);
    }
    if row.health == Health::NeedsReinstall {
        return Decision::NeedsReinstall;
    }
    if let Some(expected) = &pending.expect
        && *expected != row.id.to_opaque()
        && !request.accept_different_account
    {
        return Decision::DifferentAccount { expected: expected.clone() };
    }
    if row.subjects.len() >= MAX_SUBJECTS && !row.subjects.contains(&request.subject) {
        return Decision::TooManySubjects;
    }
    let mut codes = row.pending.clone();
    codes[claimed].claimed_by = Some(request.subject.clone());
    // Others that nobody has claimed in time, or whose claim nobody repeats any more.
    codes.retain(|pending| {
        let kept_ms = if pending.claimed_by.is_some() { REPEATABLE_MS } else { 0 };
        now.0 < pending.expires_at_ms.saturating_add(kept_ms)
    });
    Decision::Link(codes)
}
