//! The row of the installation.

use super::notion::{Set, Token};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Health {
    Active,
    NeedsReinstall,
    Removed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Lease {
    pub(super) holder: u8,
    pub(super) lapsed: bool,
}

/// The row of the installation. Every change of it is one conditional write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Row {
    /// `None` after a purge.
    pub(super) pair: Option<Token>,
    pub(super) health: Health,
    pub(super) generation: u8,
    pub(super) lease: Option<Lease>,
    /// A refresh of the pair may have been processed by Notion, and nobody knows the answer.
    pub(super) in_doubt: bool,
    /// The attempt that saved the pair, by which it knows its own success again.
    pub(super) refreshed_by: Option<u8>,
    pub(super) superseded: Set,
    /// Those of the superseded pairs that had a lease, or were in doubt, when they were moved aside.
    pub(super) unsettled: Set,
    pub(super) consumed: Set,
}

impl Row {
    pub(super) fn new(pair: Token) -> Self {
        Self {
            pair: Some(pair),
            health: Health::Active,
            generation: 1,
            lease: None,
            in_doubt: false,
            refreshed_by: None,
            superseded: Set::default(),
            unsettled: Set::default(),
            consumed: Set::default(),
        }
    }

    /// Whether a sweep finds the row in the index of work that is due.
    pub(super) fn is_due(&self) -> bool {
        match self.lease {
            Some(lease) => lease.lapsed,
            None => self.in_doubt,
        }
    }

    /// Whether the pair is, or was, in this row.
    pub(super) fn knows(&self, pair: Token) -> bool {
        self.pair == Some(pair) || self.superseded.contains(pair) || self.consumed.contains(pair)
    }
}
