//! Installs and uninstalls as a model: what is saved late, removed late, or told twice.
//!
//! One person, some installs whose callbacks keep what they got, a sweep, and uninstalls that are messages: they
//! arrive late, and again. The time is the number of tokens that Notion has issued, so whatever happens between two
//! exchanges happens at the same time, after the first.
//!
//! Left out: refreshes, which are the other model's (a pair that Notion ends here was given back), a revocation
//! that fails, subjects, what the person sees. A save that the table has not answered does not come through once
//! its callback has given the grant back: that takes a table that sits on a request for seconds
//! ([`Budget::late_saves`]).

mod environment;
mod properties;
mod protocol;
mod removal;
mod row;
mod saving;
mod variants;

use stateright::{Model, Property};

use super::notion::{Notion, Set, Token};
use row::{Marker, Row};

/// One thing left out of the protocol, or done wrong. Each has a test that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// An install from the rescue queue is active, though it may have been given back.
    RescuedInstallIsActive,
    /// An uninstall that names a generation is told twice, and renews the time of the tombstone.
    RepeatRenewsTombstone,
    /// An install after a forget is of generation 1.
    ForgetRestartsGenerations,
    /// To forget a row that has had no install since the last forget lowers the generation.
    ForgetLowersGeneration,
    /// A save does not ask when the person was forgotten.
    SaveAsksNoMarker,
    /// A save does not ask when the row was removed.
    SaveAsksNoTombstone,
    /// A purge does not ask whether the tombstone still stands.
    PurgeAsksNothing,
    /// A purge does not ask whether the person wants to be forgotten by now.
    PurgeMissesTheWish,
    /// An install over a tombstone takes the removed pairs for superseded ones.
    PromotesRemoved,
    /// A row whose current pair is dead is marked, whatever else it holds.
    MarkDespiteSuperseded,
}

/// How often each thing may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Budget {
    crashes: u8,
    /// Calls to the table or to the queue that fail, or that succeed without saying so.
    outages: u8,
    /// Saves that come through after the table did not answer.
    late_saves: u8,
    uninstalls: u8,
    /// Of those, how many are about the person, and name no generation.
    unnamed: u8,
    /// Uninstalls that arrive again.
    repeats: u8,
    /// Claims that the table forgets.
    expiries: u8,
}

/// What is checked.
#[derive(Debug, Clone)]
struct Lifecycle {
    flaw: Option<Flaw>,
    installs: u8,
    budget: Budget,
    /// Whether a grant goes back although its claim could not be settled. Else the claim, stuck, is what tells
    /// somebody.
    gives_back_unsettled: bool,
    /// Whether what is to be possible is looked for: with every fault, that is, and not in the largest runs.
    has_room: bool,
}

/// Where the callback of an install stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Call {
    /// The person has not approved yet.
    Idle,
    Answered,
    /// The table does not answer.
    Stranded,
    /// Neither does the queue.
    Unheard,
    /// The claim says what it can; has the row got the pair after all?
    Looking,
    /// The row is a tombstone, or neither store answers.
    Homeless,
    Done,
}

/// What a flow's page would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Claim {
    Exchanging,
    Connected,
    NotSaved,
    /// The sweep has found it stuck, and rung.
    Unknown,
    /// Deleted by the table.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Callback {
    call: Call,
    token: Token,
    claim: Claim,
    /// A save is under way that nobody waits for any more.
    late: bool,
}

/// Where the sweep, or the uninstall function, stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Idle,
    /// The claim of this install does not say that it was given back.
    Installing(usize),
    /// It was exchanged before the row was removed.
    Late(usize),
    /// It has its place; its record can go.
    Replayed(usize),
    Doubting(Token),
    Alive(Token),
    /// Its access token is dead.
    Dead(Token),
    /// Notion has refused it, and this one could take its place.
    Condemning(Token, Option<Token>),
    Removing(Removal),
    /// The tokens are back at Notion.
    Returned(Removal),
}

/// A tombstone as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Removal {
    removed_at: Token,
    pairs: Set,
    forget: bool,
}

/// An uninstall that somebody has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Message {
    generation: Option<u8>,
    forget: bool,
    sent_at: Token,
    arrived: bool,
}

/// What only an observer of everything sees. No step looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Observed {
    /// Pairs whose callback crashed with them, or gave up.
    lost: Set,
    /// Pairs of which an alarm, or an event, has told somebody.
    reported: Set,
    given_back: Set,
    /// Pairs that became active after they were given back, and Notion was not asked.
    revived: Set,
    /// What uninstalls were about.
    uninstalled: Set,
    /// When something was last removed that had not been: nothing exchanged later is to lose.
    removed_at: Token,
    /// Installs that were removed, or given back, because of a message about an earlier one.
    cost: Set,
    generations: Set,
    /// Generations that were there before.
    repeated: Set,
    /// Somebody wants to be forgotten, and has not installed since.
    wants_forgetting: bool,
    /// A repeated uninstall has met its tombstone.
    met_tombstone: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    row: Option<Row>,
    marker: Option<Marker>,
    queue: Set,
    notion: Notion,
    callbacks: Vec<Callback>,
    sweep: Step,
    uninstall: Step,
    messages: Vec<Message>,
    left: Budget,
    observed: Observed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Callback(usize),
    Sweep,
    Uninstall,
}

/// What can happen. A number is an install's, or a message's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Save(Who),
    PutIntoRescue(usize),
    Settle(Who, usize),
    Read(Who),
    GiveBack(Who),
    ReplayRescued(usize),
    DeleteRescued(usize),
    LookAt,
    MarkVerified,
    Send,
    PromoteSuperseded,
    MarkNeedsReinstall,
    Tombstone(usize),
    Purge(Who),
    Forget(Who),
    Approves(usize),
    TableDown(usize),
    SaveReplyLost(usize),
    SaveArrives(usize),
    QueueDown(usize),
    RescueReplyLost(usize),
    SettleFails(usize),
    ReadFails(usize),
    Crash(Who),
    ClaimExpires(usize),
    Uninstall(Option<u8>, bool),
}

impl Model for Lifecycle {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut notion = Notion::new();
        let row = Row::new(notion.approve(), 1);
        let idle = Callback { call: Call::Idle, token: 0, claim: Claim::Exchanging, late: false };
        let mut generations = Set::default();
        generations.insert(row.generation);
        vec![State {
            row: Some(row),
            marker: None,
            queue: Set::default(),
            notion,
            callbacks: vec![idle; usize::from(self.installs)],
            sweep: Step::Idle,
            uninstall: Step::Idle,
            messages: Vec::new(),
            left: self.budget,
            observed: Observed {
                lost: Set::default(),
                reported: Set::default(),
                given_back: Set::default(),
                revived: Set::default(),
                uninstalled: Set::default(),
                removed_at: 0,
                cost: Set::default(),
                generations,
                repeated: Set::default(),
                wants_forgetting: false,
                met_tombstone: false,
            },
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.steps(state, actions);
        state.faults(actions);
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
