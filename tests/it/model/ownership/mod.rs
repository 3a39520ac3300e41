//! A model of claims: whose an installation is, while apps claim it, users disconnect, people install again and the
//! sweep gives back what nobody claims.
//!
//! One person, whose installs an app or nobody asked for, some claims (of the same or of different codes, by the same
//! or by different subjects), the sweep, and subjects that disconnect. A worker sees only the row as it read it. Each
//! step is one call to the table; the row and the links change in one transaction. The clock is two events per install:
//! its code expires, and its claim window ends.
//!
//! Left out: how tokens are kept, refreshed and revoked, which the other models cover. A tombstone's tokens are revoked
//! and purged in one step.

mod environment;
mod properties;
mod protocol;
mod variants;

use stateright::{Model, Property};

use super::notion::Set;

/// One mistake in the protocol. Each has a test that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// A claim links without checking whether the row has changed.
    LinkAsksNothing,
    /// A claim does not record who has claimed with the code.
    CodeIsNotSpent,
    /// The link's row is written after the installation's.
    LinkIsWrittenApart,
    /// The sweep gives back without checking whether the row has changed.
    SweepAsksNothing,
    /// The sweep does not look at whether the installation was somebody's before.
    SweepMissesTheOwner,
    /// A vend does not look at whether the installation is claimed.
    VendMissesTheClaim,
    /// Disconnecting does not check whether the row has changed.
    UnlinkAsksNothing,
    /// An install writes without checking whether the row has changed.
    InstallAsksNothing,
    /// An install over a tombstone keeps the subjects of what was removed.
    InstallKeepsRemovedSubjects,
}

/// How many users the app has.
const SUBJECTS: usize = 2;

/// A user of the app, and the install whose code they claim with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Claim {
    subject: u8,
    code: u8,
}

/// How often each thing may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Budget {
    /// Installs that an app asked for. Each has a code of its own.
    app_installs: u8,
    plain_installs: u8,
    /// Grants that are found dead.
    deaths: u8,
    /// Removals by the person's ids.
    uninstalls: u8,
    /// Subjects that disconnect.
    disconnects: u8,
    /// Claims that are sent again after they were answered.
    repeats: u8,
    /// Writes whose reply is lost, and workers that crash.
    crashes: u8,
}

/// The system that is checked.
#[derive(Debug, Clone)]
struct Ownership {
    flaw: Option<Flaw>,
    claims: Vec<Claim>,
    budget: Budget,
    has_room: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Health {
    Active,
    NeedsReinstall,
    Removed,
}

/// A code in the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Pending {
    code: u8,
    claimed_by: Option<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Row {
    version: u8,
    health: Health,
    /// `owned_since_ms` is set.
    owned: bool,
    /// `claim_by_ms`, as the install whose window it is.
    claim_by: Option<u8>,
    pending: Vec<Pending>,
    subjects: Set,
}

impl Row {
    fn is_usable(&self) -> bool {
        self.health != Health::Removed
    }

    fn is_unclaimed(&self) -> bool {
        self.claim_by.is_some() && !self.owned && self.is_usable()
    }
}

/// What a worker has in hand.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Work {
    Idle,
    /// The row as it was read.
    Read(Row),
    /// The installation's row is written, the link's is not.
    Linking,
    Done,
}

/// What only an observer of the whole system sees. No step uses it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Observed {
    /// The subjects that were told that they have claimed with each code.
    bound: Vec<Set>,
    /// Who is linked, by what callers were told.
    linked: Set,
    /// Somebody installed without an app since the last removal.
    plain: bool,
    /// What has happened so far, as numbers of [`Happened`].
    happened: Set,
}

/// What the properties ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Happened {
    /// The sweep gave back what was somebody's.
    GaveBackOwned,
    VendedUnclaimed,
    VendedToStranger,
    GaveBack,
    RefusedSecond,
    SweepLost,
    ClaimLost,
    Repeated,
}

impl Observed {
    fn note(&mut self, what: Happened, if_true: bool) {
        if if_true {
            self.happened.insert(what as u8);
        }
    }

    fn has_seen(&self, what: Happened) -> bool {
        self.happened.contains(what as u8)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    row: Option<Row>,
    /// The table of links.
    links: Set,
    claims: Vec<Work>,
    sweep: Work,
    /// The subjects' disconnecting, by subject.
    disconnects: Vec<Work>,
    /// An install (the number of its code, if an app asked for it) that has read the row and writes it next.
    install: Option<(Option<u8>, Option<Row>)>,
    expired: Set,
    windows_over: Set,
    left: Budget,
    observed: Observed,
}

/// What can happen. A number is the index of a claim, or the number of an install's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Link(usize),
    Unlink(u8),
    Tombstone(u8),
    GiveBackUnclaimed,
    ReadForClaim(usize),
    LinkApart(usize),
    ReadForSweep,
    ReadForDisconnect(u8),
    Purge,
    Vend,
    VendTo(u8),
    Approves(Option<u8>),
    Save,
    Dies,
    CodeExpires(u8),
    WindowEnds(u8),
    Uninstall,
    LinkReplyLost(usize),
    Crash(usize),
    ClaimAgain(usize),
}

impl Model for Ownership {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let codes = usize::from(self.budget.app_installs);
        vec![State {
            row: None,
            links: Set::default(),
            claims: vec![Work::Idle; self.claims.len()],
            sweep: Work::Idle,
            disconnects: vec![Work::Idle; SUBJECTS],
            install: None,
            expired: Set::default(),
            windows_over: Set::default(),
            left: self.budget,
            observed: Observed {
                bound: vec![Set::default(); codes],
                linked: Set::default(),
                plain: false,
                happened: Set::default(),
            },
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.steps(state, actions);
        self.events(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.step(&mut next, action);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = properties::always();
        if self.has_room {
            all.extend(properties::sometimes());
        }
        all
    }
}
