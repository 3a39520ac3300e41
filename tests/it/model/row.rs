//! The row of the installation.

use super::notion::{Set, Token};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Health {
    Active,
    /// Nothing of it is vended before Notion has said that it is alive.
    Unverified,
    NeedsReinstall,
    Removed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Lease {
    pub(super) holder: u8,
    pub(super) lapsed: bool,
}

/// A pair in the row. The record of its refresh moves with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub(super) token: Token,
    pub(super) lease: Option<Lease>,
    /// A refresh of it may have been processed by Notion without a known answer.
    pub(super) in_doubt: bool,
}

/// The row of the installation. Each change is one conditional write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Row {
    /// `None` after a purge.
    pub(super) pair: Option<Pair>,
    pub(super) health: Health,
    pub(super) generation: u8,
    /// The exchange of the install that became current last. It orders installs. Notion's tokens serve as the clock.
    pub(super) exchanged: Token,
    /// When the last tombstone was written. Anything exchanged before loses to it, even after somebody has installed
    /// again.
    pub(super) removed_at: Token,
    /// The attempt that saved the pair, by which it recognises its own success.
    pub(super) refreshed_by: Option<u8>,
    /// In the order of issue.
    pub(super) superseded: Vec<Pair>,
    /// Pairs of a removed installation that were not yet revoked when somebody installed again.
    pub(super) to_revoke: Vec<Pair>,
    /// `used_up`: tokens that brought another pair, or that Notion refused.
    pub(super) consumed: Set,
}

impl Pair {
    pub(super) fn new(token: Token) -> Self {
        Self { token, lease: None, in_doubt: false }
    }

    /// Whether a refresh of it may be in flight, or was cut off.
    pub(super) fn is_unsettled(self) -> bool {
        self.lease.is_some() || self.in_doubt
    }
}

impl Row {
    pub(super) fn new(token: Token) -> Self {
        Self {
            pair: Some(Pair::new(token)),
            health: Health::Active,
            generation: 1,
            exchanged: token,
            removed_at: 0,
            refreshed_by: None,
            superseded: Vec::new(),
            to_revoke: Vec::new(),
            consumed: Set::default(),
        }
    }

    pub(super) fn token(&self) -> Option<Token> {
        self.pair.map(|pair| pair.token)
    }

    pub(super) fn is_at(&self, token: Token) -> bool {
        self.token() == Some(token)
    }

    pub(super) fn lease(&self) -> Option<Lease> {
        self.pair.and_then(|pair| pair.lease)
    }

    pub(super) fn in_doubt(&self) -> bool {
        self.pair.is_some_and(|pair| pair.in_doubt)
    }

    pub(super) fn is_usable(&self) -> bool {
        matches!(self.health, Health::Active | Health::Unverified)
    }

    /// Whether the sweep has something to do here, once no lease is in the way.
    pub(super) fn is_due(&self) -> bool {
        self.is_usable() && (self.in_doubt() || self.health == Health::Unverified)
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.superseded.iter().chain(&self.pair).chain(&self.to_revoke)
    }

    /// The pairs that the sweep must revoke.
    pub(super) fn removed(&self) -> impl Iterator<Item = &Pair> {
        let all = self.health == Health::Removed;
        let rest = self.superseded.iter().chain(&self.pair).filter(move |_| all);
        self.to_revoke.iter().chain(rest)
    }

    pub(super) fn pairs_mut(&mut self) -> impl Iterator<Item = &mut Pair> {
        self.superseded.iter_mut().chain(&mut self.pair).chain(&mut self.to_revoke)
    }

    /// Whether the pair is or was in this row.
    pub(super) fn knows(&self, token: Token) -> bool {
        self.pairs().any(|pair| pair.token == token) || self.consumed.contains(token)
    }

    pub(super) fn newest_superseded(&self) -> Option<Token> {
        self.superseded.last().map(|pair| pair.token)
    }

    pub(super) fn put_aside(&mut self, pair: Pair) {
        self.superseded.push(pair);
        self.superseded.sort_unstable_by_key(|pair| pair.token);
    }

    /// Whether the pair is or was in this installation, not in one that was removed.
    pub(super) fn has_had(&self, token: Token) -> bool {
        self.knows(token) && !self.to_revoke.iter().any(|pair| pair.token == token)
    }

    /// Removes a superseded pair. Returns whether it was there.
    pub(super) fn drop_superseded(&mut self, token: Token) -> bool {
        let before = self.superseded.len();
        self.superseded.retain(|pair| pair.token != token);
        self.superseded.len() < before
    }

    /// The current pair is dead, and this one takes its place. It may be dead too.
    pub(super) fn succeed(&mut self, heir: Pair) {
        if let Some(dead) = self.pair.replace(heir) {
            self.consumed.insert(dead.token);
        }
        (self.health, self.refreshed_by) = (Health::Unverified, None);
    }
}
