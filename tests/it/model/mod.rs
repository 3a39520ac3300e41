//! The refresh protocol as a model, explored in every order that the budgets of faults allow.
//!
//! One installation, some vends, a sweep, a Notion. The steps bear the names of the product's; a worker looks
//! at the row, at the rescue queue and at its own memory, and at nothing else. Each step is one call to a
//! store, or to Notion, and anything may happen between two of them. A request may arrive after its sender
//! has gone ([`State::strays`]). Installs come as a whole here, saved or stranded in the rescue queue; how they
//! are saved and what uninstalls do to them is [`lifecycle`]'s.
//!
//! Left out: what access tokens are for (each vend wants another pair than the one it reads, unless that one is
//! unverified), access tokens that end before their refresh token, the callback's own window between approval
//! and row, the sweep's check of superseded pairs, a revocation that fails. Look at the clock and send are one
//! step: no protocol closes the window between them, as Notion knows of no lease.

mod check;
mod environment;
mod flaws;
mod lifecycle;
mod notion;
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
    /// Requests or replies between us and Notion.
    losses: u8,
    /// Calls to the table or to the queue that fail, or that succeed without saying so.
    outages: u8,
    /// Records that the queue puts aside after too many tries.
    dead_letters: u8,
    reinstalls: u8,
    uninstalls: u8,
}

/// What is checked.
#[derive(Debug, Clone)]
struct Refresh {
    rotation: Rotation,
    flaw: Option<Flaw>,
    vends: u8,
    sweeps: u8,
    budget: Budget,
    /// Whether everything that is to be possible can happen within the budget.
    has_room: bool,
}

/// A pair that Notion has issued, and what it takes to save it.
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

/// Where a worker stands: what it will do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Idle,
    /// Has seen a lease on this pair.
    Waiting(Token),
    /// Will ask Notion whether this pair is alive: the row does not know.
    Doubting(Token),
    /// Notion has said that it is.
    Alive(Token),
    /// Will take a lease: none is there, or this lapsed one is.
    Wanting(Token, Option<Lease>),
    /// Has sent the token this often; will do it again, or knows that it must not.
    Leased(Token, u8),
    Sent(Token, u8),
    Answered(Fresh),
    /// The row has another pair.
    Beaten(Fresh),
    /// The table does not answer.
    Stranded(Fresh),
    /// Neither does the queue.
    Unheard(Fresh),
    /// Nowhere to keep the pair: the row is a tombstone, or neither store answers.
    Homeless(Fresh, Ending),
    /// Knows that the row has another pair. Notion may have refused this one.
    Adopting(Option<Token>),
    Refused(Token),
    /// Has read again after `invalid_grant`: same pair, nobody else at it, and this one could take its place.
    Condemning(Token, Option<Token>),
    Releasing(Ending),
    /// Saves an install from the rescue queue.
    Installing(Token),
    /// The install was exchanged before the row was removed.
    Late(Token),
    /// A rescued pair has its place; its record can go.
    Replayed,
    Done,
}

/// What a worker knows about the token of its lease when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Ending {
    /// Nothing that the row does not say already: it was not sent, or is no longer the row's.
    Moot,
    /// It was sent, and no answer came.
    Unknown,
    /// Everything that was issued for it has an end, and this can be recorded.
    Settled(Token),
    /// As `Settled`, and cannot be recorded: the table is down.
    Unrecorded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Worker {
    step: Step,
    /// Its name in the row. A sweep gets a new one with each lease.
    attempt: u8,
    /// Its own clock says that its lease is over.
    expired: bool,
    frozen: bool,
    /// The record that is being replayed.
    message: Option<Rescued>,
    /// When this sweep last found that nothing waits in the rescue queue: the leases that had lapsed by then.
    look: Option<Set>,
}

/// What only an observer of everything sees. No step looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Observed {
    /// Pairs that no running worker ever held, or whose worker crashed with them.
    lost: Set,
    /// Grants of which somebody was told: an event `needs_reinstall`, or an alarm.
    reported: Set,
    /// Pairs that we have revoked.
    given_back: Set,
    /// A pair became active after it was given back, and Notion was not asked.
    revived: bool,
    /// The generation that was last uninstalled.
    removed: u8,
    /// The grants that uninstalls were about.
    uninstalled: Set,
    /// By token: how many more requests may be sent. One, less the sent, plus the unanswered.
    allowed: [i8; ROOM],
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    row: Row,
    queue: Vec<Rescued>,
    /// What the queue has put aside, for the operator to move back.
    dead_letters: Vec<Rescued>,
    notion: Notion,
    /// Vends, then sweeps.
    workers: Vec<Worker>,
    /// Requests that nobody waits for any more. Each may arrive at any later time, or never.
    strays: Vec<Token>,
    /// The attempts that sweeps have had.
    attempts: u8,
    left: Budget,
    observed: Observed,
}

/// What can happen. A number is a worker's.
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
    /// The lease of this pair ends.
    Lapse(Token),
    Reinstall(Arrival),
    /// The queue's reply about this install was lost, and its grant goes back.
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
    /// The table did not take it, and the queue did.
    Rescued,
    /// The table took it without saying so, and the queue did too.
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
