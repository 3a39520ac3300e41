//! A model of the refresh protocol, explored in every order that the budgets of faults allow.
//!
//! One installation, some vends, a sweep, a Notion. The steps have the same names as in the code. A worker sees only
//! the row, the rescue queue and its own memory. Each step is one call to a store or to Notion, and anything may
//! happen between two steps. A request may arrive after its sender has gone ([`State::strays`]). An install is a
//! single step here, saved or put into the rescue queue. How installs are saved and what uninstalls do to them is
//! modelled in [`lifecycle`].
//!
//! Left out: the use of access tokens (each vend wants another pair than the one that it reads, unless that one is
//! unverified), access tokens that end before their refresh token, the callback's own window between approval and
//! row, the sweep's check of superseded pairs, a revocation that fails. Looking at the clock and sending are one
//! step: no protocol can close the window between them, because Notion knows of no lease.

mod check;
mod environment;
mod flaws;
mod lifecycle;
mod notion;
mod ownership;
mod proof;
mod properties;
mod protocol;
mod row;
mod saving;
mod sweep;
mod variants;

use flaws::Flaw;
use notion::{Notion, ROOM, Rotation, Set, Token};
use row::{Lease, Row};
use stateright::{Model, Property};

/// How often each thing may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Budget {
    crashes: u8,
    freezes: u8,
    /// Requests or replies lost between us and Notion.
    losses: u8,
    /// Calls to the table or the queue that fail, or that succeed without a reply.
    outages: u8,
    /// Records that the queue moves to the dead letters after too many tries.
    dead_letters: u8,
    reinstalls: u8,
    uninstalls: u8,
}

/// The system that is checked.
#[derive(Debug, Clone)]
struct Refresh {
    rotation: Rotation,
    flaw: Option<Flaw>,
    vends: u8,
    sweeps: u8,
    budget: Budget,
    /// Whether the budget has room for everything that must be possible.
    has_room: bool,
}

/// A pair that Notion has issued, and what is needed to save it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Fresh {
    used: Token,
    new: Token,
    attempt: u8,
}

/// A record of the rescue queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Rescued {
    Install(Token),
    Refresh(Fresh),
}

/// What a worker will do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Idle,
    /// Has seen a lease on this pair.
    Waiting(Token),
    /// Will ask Notion whether this pair is alive, because the row is unverified.
    Doubting(Token),
    /// Notion has said that it is alive.
    Alive(Token),
    /// Will take a lease: there is none, or this one has lapsed.
    Wanting(Token, Option<Lease>),
    /// Has sent the token this often. Will send it again, or knows that it must not.
    Leased(Token, u8),
    Sent(Token, u8),
    Answered(Fresh),
    /// The row has another pair.
    Beaten(Fresh),
    /// The table does not answer.
    Stranded(Fresh),
    /// The queue does not answer either.
    Unheard(Fresh),
    /// The pair cannot be saved: the row is a tombstone, or neither store answers.
    Homeless(Fresh, Ending),
    /// Knows that the row has another pair. Notion may have refused this one.
    Adopting(Option<Token>),
    Refused(Token),
    /// Has read again after `invalid_grant`: same pair, no other lease, and this one could take its place.
    Condemning(Token, Option<Token>),
    Releasing(Ending),
    /// Is saving an install from the rescue queue.
    Installing(Token),
    /// The install was exchanged before the row was removed.
    Late(Token),
    /// A rescued pair is saved. Its record can be deleted.
    Replayed,
    Done,
}

/// What a worker knows about the token of its lease when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Ending {
    /// Nothing that is not in the row: it was not sent, or is no longer the row's.
    Moot,
    /// It was sent, and there was no answer.
    Unknown,
    /// All pairs issued for it are settled, and this can be recorded.
    Settled(Token),
    /// Like `Settled`, but it cannot be recorded: the table is down.
    Unrecorded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Worker {
    step: Step,
    /// Its name in the row. A sweep gets a new one with each lease.
    attempt: u8,
    /// By its own clock, its lease is over.
    expired: bool,
    frozen: bool,
    /// The record that it is replaying.
    message: Option<Rescued>,
    /// When this sweep last found the rescue queue empty: the leases that had lapsed by then.
    look: Option<Set>,
}

/// What only an observer of the whole system sees. No step uses it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Observed {
    /// Pairs that no running worker received, or whose worker crashed with them.
    lost: Set,
    /// Grants that were reported: by the event `needs_reinstall`, or by an alarm.
    reported: Set,
    /// Pairs that we have revoked.
    given_back: Set,
    /// A pair became active after it was revoked, and Notion was not asked.
    revived: bool,
    /// The generation that was last uninstalled.
    removed: u8,
    /// The grants that were uninstalled.
    uninstalled: Set,
    /// By token: how many more requests may be sent. One, minus those sent, plus those without an answer.
    allowed: [i8; ROOM],
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    row: Row,
    queue: Vec<Rescued>,
    /// The dead letters of the queue, for the operator to move back.
    dead_letters: Vec<Rescued>,
    notion: Notion,
    /// First the vends, then the sweeps.
    workers: Vec<Worker>,
    /// Requests whose sender has gone. Each may arrive at any later time, or never.
    strays: Vec<Token>,
    /// The attempts of the sweeps so far.
    attempts: u8,
    left: Budget,
    observed: Observed,
}

/// What can happen. A number is a worker's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Read(usize),
    LookAt(usize),
    MarkVerified(usize),
    TakeLease(usize),
    WaitForLease(usize),
    Send(usize),
    SaveRefreshed(usize),
    PutIntoRescue(usize),
    GiveBack(usize),
    KeepAside(usize),
    AdoptWinner(usize),
    PromoteSuperseded(usize),
    MarkNeedsReinstall(usize),
    ReleaseLease(usize),
    LookIntoQueue(usize),
    ReplayRescued(usize, Rescued),
    Save(usize),
    DeleteRescued(usize),
    NotionAnswers(usize),
    LoseRequest(usize),
    LoseReply(usize),
    StrayArrives(Token),
    TableDown(usize),
    SaveReplyLost(usize),
    QueueDown(usize),
    RescueReplyLost(usize),
    Crash(usize),
    Freeze(usize),
    Thaw(usize),
    /// The lease of this pair lapses.
    Lapse(Token),
    Reinstall(Arrival),
    /// The queue's reply about this install was lost, and its grant is revoked.
    InstallGivenBack(Token),
    BecomesDeadLetter(Rescued),
    MovedBack(Rescued),
    Tombstone,
    Purge,
}

/// Where an install ends up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    Saved,
    /// The table did not accept it, the queue did.
    Rescued,
    /// The table accepted it but its reply was lost, and the queue accepted it too.
    Both,
}

impl Model for Refresh {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut notion = Notion::new();
        let row = Row::new(notion.approve());
        let workers = (0..self.vends + self.sweeps).map(|w| Worker::new(w.min(self.vends))).collect();
        let (lost, reported, given_back, uninstalled) = Default::default();
        let (revived, removed, allowed) = (false, 0, [1; ROOM]);
        vec![State {
            row,
            queue: Vec::new(),
            dead_letters: Vec::new(),
            notion,
            workers,
            strays: Vec::new(),
            attempts: 0,
            left: self.budget,
            observed: Observed { lost, reported, given_back, revived, removed, uninstalled, allowed },
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.steps(state, actions);
        self.events(state, actions);
        state.faults(actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.step(&mut next, action);
        if !self.is(Flaw::OldLook) {
            next.forget_looks();
        }
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

impl Worker {
    fn new(attempt: u8) -> Self {
        Self { step: Step::Idle, attempt, expired: false, frozen: false, message: None, look: None }
    }
}
