//! The row of the installation, and what remains of it after the person is forgotten.

use super::super::notion::{Set, Token};
use super::super::row::Health;

/// Each change is one conditional write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Row {
    /// `None` after a purge.
    pub(super) pair: Option<Token>,
    pub(super) health: Health,
    pub(super) generation: u8,
    /// The exchange of the install that became current last.
    pub(super) exchanged: Token,
    /// When the last tombstone was written. Anything exchanged before loses to it, even after somebody has installed
    /// again.
    pub(super) removed_at: Token,
    pub(super) forget: bool,
    pub(super) superseded: Set,
    /// Pairs of a removed installation that were not yet revoked when somebody installed again.
    pub(super) to_revoke: Set,
    /// Dead pairs.
    pub(super) consumed: Set,
}

/// Stored under a keyed hash of the row's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Marker {
    pub(super) removed_at: Token,
    pub(super) generation: u8,
}

impl Row {
    pub(super) fn new(token: Token, generation: u8) -> Self {
        Self { pair: Some(token), health: Health::Active, exchanged: token, ..Self::tombstone(generation) }
    }

    pub(super) fn tombstone(generation: u8) -> Self {
        Self {
            pair: None,
            health: Health::Removed,
            generation,
            exchanged: 0,
            removed_at: 0,
            forget: false,
            superseded: Set::default(),
            to_revoke: Set::default(),
            consumed: Set::default(),
        }
    }

    pub(super) fn is_usable(&self) -> bool {
        matches!(self.health, Health::Active | Health::Unverified)
    }

    /// The current pair and the superseded ones.
    pub(super) fn held(&self) -> Set {
        let mut held = self.superseded;
        self.pair.into_iter().for_each(|token| held.insert(token));
        held
    }

    /// The pairs that must be revoked.
    pub(super) fn removed(&self) -> Set {
        if self.health == Health::Removed { self.to_revoke.or(self.held()) } else { self.to_revoke }
    }

    pub(super) fn knows(&self, token: Token) -> bool {
        self.held().or(self.to_revoke).or(self.consumed).contains(token)
    }

    pub(super) fn newest_superseded(&self) -> Option<Token> {
        self.superseded.iter().last()
    }
}
