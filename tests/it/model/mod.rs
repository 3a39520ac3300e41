//! The refresh protocol as a model, explored in every order that the budgets of faults allow.
//!
//! One installation, some vends, a sweep, a Notion. The steps bear the names of the product's; a worker looks
//! at the row, at the rescue queue and at its own memory, and at nothing else. Each step is one call to a
//! store, or to Notion, and anything may happen between two of them. A request may arrive after its sender
//! has gone ([`State::strays`]).
//!
//! Left out: what access tokens are for (each vend wants another pair than the one it reads), the callback's
//! own window between approval and row, the sweep's check of superseded pairs, a revocation that fails. Look
//! at the clock and send are one step: no protocol closes the window between them, as Notion knows of no
//! lease.

mod environment;
mod notion;
mod properties;
mod protocol;
mod row;
mod variants;

use notion::{Notion, Rotation, Set, Token};
use row::{Lease, Row};
use stateright::{Model, Property};

/// One thing left out of the protocol, or done wrong. Each has a test that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// The save asks nothing of the row.
    UnconditionalSave,
    /// The save asks for the lease, and not for the token that was used.
    FencedSave,
    /// The lease may lapse while its holder runs.
    ShortLease,
    /// The first `invalid_grant` marks the row, whatever the row says by now.
    MarkAtOnce,
    /// A vend takes a lapsed lease over, and does not look into the rescue queue.
    VendTakesOver,
    /// A lost reply is followed by another try, however many there were. Each of these is excused by the loss
    /// before it, so it takes a rule of its own to forbid them.
    BlindRetry,
    /// `release_lease` after two lost replies leaves no trace in the row.
    ReleaseForgets,
    /// Whoever takes over a lapsed lease does not note that the holder before may have sent the token.
    TakeOverForgets,
    /// A reinstall moves the pair aside, and not the note that a refresh of it has not ended.
    ReinstallForgets,
}

/// How often each thing may happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Budget {
    crashes: u8,
    freezes: u8,
    /// Requests or replies between us and Notion.
    losses: u8,
    /// Calls to the table or to the queue that fail, or that succeed without saying so.
    outages: u8,
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
}

/// A pair that Notion has issued, and what it takes to save it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Fresh {
    used: Token,
    new: Token,
    attempt: u8,
}

/// Where a worker stands: what it will do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Idle,
    /// Has seen a lease on this pair.
    Waiting(Token),
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
    /// Nowhere to keep the pair: the row is a tombstone, or neither store answers.
    Homeless(Fresh, Ending),
    /// Knows that the row has another pair.
    Adopting,
    Refused(Token),
    /// Has read again after `invalid_grant`: same pair, nobody else at it.
    Condemning(Token),
    Releasing(Ending),
    /// A rescued pair has its place; its message can go.
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
    /// The message that is being replayed.
    message: Option<Fresh>,
}

/// What only an observer of everything sees. No step looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Observed {
    /// Pairs that no running worker ever held, or whose worker crashed with them.
    lost: Set,
    /// Grants of which somebody was told: an event `needs_reinstall`, or an alarm.
    reported: Set,
    /// The generation that was last uninstalled.
    removed: u8,
    /// By token: how many more requests may be sent. One, less the sent, plus the unanswered.
    allowed: Vec<i8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    row: Row,
    queue: Vec<Fresh>,
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
    TakeLease(usize),
    WaitForLease(usize),
    Send(usize),
    SaveRefreshed(usize),
    PutIntoRescue(usize),
    GiveBack(usize),
    KeepAside(usize),
    AdoptWinner(usize),
    MarkNeedsReinstall(usize),
    ReleaseLease(usize),
    ReplayRescued(usize, Fresh),
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
    Lapse,
    Reinstall,
    Tombstone,
    Purge,
}

impl Model for Refresh {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut notion = Notion::new();
        let row = Row::new(notion.approve());
        let workers = (0..self.vends + self.sweeps)
            .map(|w| Worker {
                step: Step::Idle,
                attempt: w.min(self.vends),
                expired: false,
                frozen: false,
                message: None,
            })
            .collect();
        let (lost, reported) = Default::default();
        let observed = Observed { lost, reported, removed: 0, allowed: vec![1; 16] };
        vec![State {
            row,
            queue: Vec::new(),
            notion,
            workers,
            strays: Vec::new(),
            attempts: 0,
            left: self.budget.clone(),
            observed,
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
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
