//! What must always hold, and what must be possible, lest the model be right because nothing happens in it.

use stateright::Property;

use super::notion::Set;
use super::protocol::TRIES;
use super::row::Health;
use super::{Ending, Refresh, State, Step};

pub(super) const NO_SILENT_LOSS: &str = "I1 no grant is lost silently";
pub(super) const ONE_REQUEST: &str = "I2 one request per token and unrecorded answer";
pub(super) const ONE_MORE_TRY: &str = "I2 one more try per attempt";
pub(super) const NO_FALSE_MARK: &str = "I3 no healthy installation is marked";
pub(super) const UNINSTALL_IS_FINAL: &str = "a tombstone stays until somebody installs again";
pub(super) const ONE_PLACE: &str = "no pair is superseded that is, or was, current";
pub(super) const NOTHING_LEFT: &str = "the sweep leaves nothing behind";

pub(super) fn all() -> Vec<Property<Refresh>> {
    vec![
        Property::always(NO_SILENT_LOSS, |_, state: &State| state.no_silent_loss()),
        Property::always(ONE_REQUEST, |_, state: &State| {
            state.observed.allowed.iter().all(|&allowed| allowed >= 0)
        }),
        Property::always(ONE_MORE_TRY, |_, state: &State| {
            state.workers.iter().all(|w| !matches!(w.step, Step::Sent(_, tries) if tries > TRIES))
        }),
        Property::always(NO_FALSE_MARK, |_, state: &State| {
            let live = |pair| state.notion.live().contains(pair);
            state.row.health != Health::NeedsReinstall || !state.row.pair.is_some_and(live)
        }),
        Property::always(UNINSTALL_IS_FINAL, |_, state: &State| {
            state.row.generation != state.observed.removed || state.row.health == Health::Removed
        }),
        // Whoever revokes what is superseded would revoke the pair in use.
        Property::always(ONE_PLACE, |_, state: &State| {
            let was = |pair| state.row.pair == Some(pair) || state.row.consumed.contains(pair);
            !state.row.superseded.iter().any(was)
        }),
        Property::always(NOTHING_LEFT, |model: &Refresh, state: &State| {
            let row = &state.row;
            let removed = row.health == Health::Removed;
            let kept = removed && (row.pair.is_some() || row.superseded.iter().next().is_some());
            let left = row.lease.is_some() || row.in_doubt || !state.queue.is_empty() || kept;
            !left || model.goes_on(state)
        }),
        Property::sometimes("a refresh succeeds", |_, state: &State| state.row.refreshed_by.is_some()),
        Property::sometimes("a rescued pair is replayed", |_, state: &State| {
            let saved = |message| message == state.row.pair;
            state.workers.iter().any(|w| w.step == Step::Replayed && saved(w.message.map(|fresh| fresh.new)))
        }),
        Property::sometimes("a row is marked", |_, state: &State| state.row.health == Health::NeedsReinstall),
        Property::sometimes("a reinstall wins over a refresh in flight", |_, state: &State| {
            let beaten = |step| matches!(step, Step::Beaten(fresh) if state.is_older(fresh.new));
            state.workers.iter().any(|w| beaten(w.step))
        }),
        Property::sometimes("a tombstone wins over a refresh in flight", |_, state: &State| {
            let homeless = |step| matches!(step, Step::Homeless(_, Ending::Settled(_)));
            state.row.health == Health::Removed && state.workers.iter().any(|w| homeless(w.step))
        }),
        // The conditional write that comes next meets the lease that it expects.
        Property::sometimes("a lapsed lease is taken over", |_, state: &State| {
            let wants = |step| matches!(step, Step::Wanting(_, seen) if seen == state.row.lease);
            state.row.lease.is_some() && state.workers.iter().any(|w| wants(w.step))
        }),
        Property::sometimes("a pair has no home but Notion", |_, state: &State| {
            state.workers.iter().any(|w| matches!(w.step, Step::Homeless(_, Ending::Unrecorded)))
        }),
        Property::sometimes("a row in doubt is taken up", |_, state: &State| {
            state.row.in_doubt && state.row.lease.is_some_and(|lease| !lease.lapsed)
        }),
    ]
}

impl Refresh {
    /// Whether anything will happen without a fault or a person.
    fn goes_on(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.steps(state, &mut actions);
        self.events(state, &mut actions);
        !actions.is_empty()
    }
}

impl State {
    /// Every live pair is kept, or in a worker's hand. One that reached no worker, or whose worker crashed
    /// with it, cannot be: then another live pair keeps its grant, or a note says that it may be lost.
    fn no_silent_loss(&self) -> bool {
        let kept = self.kept();
        self.notion.live().iter().all(|pair| {
            // Consumed and alive: Grace's second newest, which its successor replaces.
            kept.contains(pair)
                || self.row.consumed.contains(pair)
                || self.observed.lost.contains(pair) && self.is_noted(self.notion.grant(pair), kept)
        })
    }

    fn kept(&self) -> Set {
        let mut kept = self.row.superseded;
        let hands = self.workers.iter().filter_map(|w| w.step.in_hand());
        let fresh = self.queue.iter().copied().chain(hands).map(|fresh| fresh.new);
        self.row.pair.into_iter().chain(fresh).for_each(|pair| kept.insert(pair));
        kept
    }

    fn is_noted(&self, grant: u8, kept: Set) -> bool {
        let is_of = |pair: &u8| self.notion.grant(*pair) == grant;
        self.observed.reported.contains(grant)
            || self.row.lease.is_some()
            || self.row.in_doubt
            || self.row.unsettled.iter().any(|pair| is_of(&pair))
            || kept.iter().any(|pair| is_of(&pair) && self.notion.live().contains(pair))
    }

    /// Whether the pair in the row is of a later approval.
    fn is_older(&self, pair: u8) -> bool {
        self.row.pair.is_some_and(|current| self.notion.grant(current) > self.notion.grant(pair))
    }
}
