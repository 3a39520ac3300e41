//! A model of installs and uninstalls: saved late, removed late, or delivered twice.
//!
//! One person, some installs whose callbacks keep their tokens, a sweep, and uninstalls, which are messages: they
//! arrive late, and repeatedly. The time is the number of tokens that Notion has issued. So everything between two
//! exchanges happens at the same time, after the first.
//!
//! Left out: refreshes, which the other model covers (a pair that Notion ends here was revoked), a revocation that
//! fails, subjects, what the person sees. A save that the table did not answer does not succeed after its callback
//! has revoked the grant. That would take a table that delays a request for seconds ([`Budget::late_saves`]).

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

/// One mistake in the protocol: a part that is missing or wrong. Each has a test that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// An install from the rescue queue is active, although it may have been revoked.
    RescuedInstallIsActive,
    /// A repeated uninstall with a generation renews the time of the tombstone.
    RepeatRenewsTombstone,
    /// An install after a forget has generation 1.
    ForgetRestartsGenerations,
    /// Forgetting a row that had no install since the last forget lowers the generation.
    ForgetLowersGeneration,
    /// A save does not check when the person was forgotten.
    SaveAsksNoMarker,
    /// A save does not check when the row was removed.
    SaveAsksNoTombstone,
    /// A purge does not check whether the tombstone is still there.
    PurgeAsksNothing,
    /// A purge does not check whether the person must be forgotten by now.
    PurgeMissesTheWish,
    /// An install over a tombstone treats the removed pairs as superseded ones.
    PromotesRemoved,
    /// A row whose current pair is dead is marked, whatever other pairs it has.
    MarkDespiteSuperseded,
}

/// How often each thing may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Budget {
    crashes: u8,
    /// Calls to the table or the queue that fail, or that succeed without a reply.
    outages: u8,
    /// Saves that succeed after the table did not answer.
    late_saves: u8,
    uninstalls: u8,
    /// How many of them are about the person and have no generation.
    unnamed: u8,
    /// Uninstalls that are delivered again.
    repeats: u8,
    /// Claims that the table deletes.
    expiries: u8,
}

/// The system that is checked.
#[derive(Debug, Clone)]
struct Lifecycle {
    flaw: Option<Flaw>,
    installs: u8,
    budget: Budget,
    /// Whether a grant is revoked although its claim could not be settled. If not, the stuck claim reports it.
    gives_back_unsettled: bool,
    /// Whether to look for everything that must be possible. Only in runs with every fault, not in the largest ones.
    has_room: bool,
}

/// The state of an install's callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Call {
    /// The person has not approved yet.
    Idle,
    Answered,
    /// The table does not answer.
    Stranded,
    /// The queue does not answer either.
    Unheard,
    /// The claim is settled. It checks whether the row has the pair after all.
    Looking,
    /// The row is a tombstone, or neither store answers.
    Homeless,
    Done,
}

/// What the flow's page would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Claim {
    Exchanging,
    Connected,
    NotSaved,
    /// The sweep found it stuck and raised an alarm.
    Unknown,
    /// Deleted by the table.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Callback {
    call: Call,
    token: Token,
    claim: Claim,
    /// A save is still running that nobody waits for.
    late: bool,
}

/// The state of the sweep, or of the uninstall function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Idle,
    /// The claim of this install does not say that it was revoked.
    Installing(usize),
    /// It was exchanged before the row was removed.
    Late(usize),
    /// It is saved. Its record can be deleted.
    Replayed(usize),
    Doubting(Token),
    Alive(Token),
    /// Its access token is dead.
    Dead(Token),
    /// Notion has refused it, and this one could take its place.
    Condemning(Token, Option<Token>),
    Removing(Removal),
    /// The tokens are revoked.
    Returned(Removal),
}

/// A tombstone as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Removal {
    removed_at: Token,
    pairs: Set,
    forget: bool,
}

/// An uninstall message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Message {
    generation: Option<u8>,
    forget: bool,
    sent_at: Token,
    arrived: bool,
}

/// What only an observer of the whole system sees. No step uses it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Observed {
    /// Pairs whose callback crashed with them, or gave up.
    lost: Set,
    /// Pairs that were reported, by an alarm or an event.
    reported: Set,
    given_back: Set,
    /// Pairs that became active after they were revoked, and Notion was not asked.
    revived: Set,
    /// The pairs that were uninstalled.
    uninstalled: Set,
    /// When an installation was last removed that was not removed before. Nothing exchanged later may lose to it.
    removed_at: Token,
    /// Installs that were removed or revoked because of a message about an earlier one.
    cost: Set,
    generations: Set,
    /// Generations that were used before.
    repeated: Set,
    /// The person must be forgotten, and has not installed since.
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

/// What can happen. A number is the index of an install or a message.
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
