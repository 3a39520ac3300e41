//! Notion's token endpoint, as three possible servers: the documentation does not say which one it is.

/// A refresh token and its pair, numbered in the order of issue.
pub(super) type Token = u8;

/// The grant of one approval, with all pairs refreshed from it.
pub(super) type Grant = u8;

/// How many tokens, and how many attempts, a run may have.
pub(super) const ROOM: usize = 16;

/// What happens to a refresh token after it was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rotation {
    /// Only the newest of a grant works.
    Strict,
    /// The newest two work, as on `mcp.notion.com`.
    Grace,
    /// Only the newest works, and using an older one ends the grant (RFC 9700 §4.14.2).
    FamilyRevocation,
}

/// A small set of numbers in one word, so that states are cheap to copy and hash.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Set(u16);

impl Set {
    pub(super) fn contains(self, item: u8) -> bool {
        self.0 >> item & 1 == 1
    }

    pub(super) fn insert(&mut self, item: u8) {
        assert!(usize::from(item) < ROOM, "a set has no room for {item}: smaller budgets, or a longer word");
        self.0 |= 1 << item;
    }

    pub(super) fn remove(&mut self, item: u8) {
        self.0 &= !(1 << item);
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let item = u8::try_from(rest.trailing_zeros()).ok().filter(|_| rest != 0)?;
            rest &= rest - 1;
            Some(item)
        })
    }
}

/// Notion's state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Notion {
    /// The grant of each token, by token.
    grants: [Grant; ROOM],
    issued: u8,
    live: Set,
}

impl Notion {
    pub(super) fn new() -> Self {
        Self { grants: [0; ROOM], issued: 0, live: Set::default() }
    }

    /// An approval starts a new grant. Older grants stay alive, which is the harder case: more can be lost.
    pub(super) fn approve(&mut self) -> Token {
        self.issue(self.grants[..usize::from(self.issued)].iter().max().map_or(0, |newest| newest + 1))
    }

    /// A refresh request arrives. `None` is `invalid_grant`.
    pub(super) fn refresh(&mut self, rotation: Rotation, used: Token) -> Option<Token> {
        if !self.live.contains(used) {
            if rotation == Rotation::FamilyRevocation {
                self.end(self.grant(used));
            }
            return None;
        }
        let grant = self.grant(used);
        let newest = self.newest(grant);
        self.end(grant);
        if rotation == Rotation::Grace {
            // The newest token of a grant with a live token is itself live.
            self.live.insert(newest);
        }
        Some(self.issue(grant))
    }

    /// Ends the grant of a live token (RFC 7009 §2.1). A dead token has no effect. We assume that more than the pair
    /// ends: otherwise, with Grace, a pair whose reply was lost would outlive an uninstall.
    pub(super) fn revoke(&mut self, token: Token) {
        if self.live.contains(token) {
            self.end(self.grant(token));
        }
    }

    pub(super) fn live(&self) -> Set {
        self.live
    }

    /// How many tokens there have been. Serves as the time.
    pub(super) fn now(&self) -> Token {
        self.issued
    }

    pub(super) fn grant(&self, token: Token) -> Grant {
        self.grants[usize::from(token)]
    }

    pub(super) fn newest(&self, grant: Grant) -> Token {
        let newest = self.grants[..usize::from(self.issued)].iter().rposition(|&of| of == grant);
        newest.and_then(|at| u8::try_from(at).ok()).expect("a grant begins with a pair")
    }

    fn end(&mut self, grant: Grant) {
        for token in self.live.iter() {
            if self.grant(token) == grant {
                self.live.remove(token);
            }
        }
    }

    fn issue(&mut self, grant: Grant) -> Token {
        let token = self.issued;
        assert!(usize::from(token) < ROOM, "no room for {token}: smaller budgets, or more room");
        self.grants[usize::from(token)] = grant;
        self.issued += 1;
        self.live.insert(token);
        token
    }
}
