//! What must always hold, and what must be possible, so that the model is not right merely because nothing happens.

use stateright::Property;

use super::super::properties::{NO_FALSE_MARK, NO_RETURN, NO_REVIVAL, NO_SILENT_LOSS, NOTHING_LEFT};
use super::super::row::Health;
use super::{Call, Claim, Lifecycle, Row, State, Step};

pub(super) const LATER_INSTALL_STAYS: &str = "a message about one generation never removes a later install";
pub(super) const GENERATION_ONCE: &str = "no generation is used twice";

pub(super) fn always() -> Vec<Property<Lifecycle>> {
    vec![
        Property::always(NO_SILENT_LOSS, |_, state: &State| {
            state.notion.live().iter().all(|token| state.is_kept(token) || state.is_noted(token))
        }),
        Property::always(NO_FALSE_MARK, |_, state: &State| {
            let lives = |row: &Row| row.held().iter().any(|token| state.notion.live().contains(token));
            !state.row.as_ref().is_some_and(|row| row.health == Health::NeedsReinstall && lives(row))
        }),
        Property::always(NO_REVIVAL, |_, state: &State| state.observed.revived.is_empty()),
        Property::always(NO_RETURN, |_, state: &State| {
            let removed = |token| state.observed.uninstalled.contains(token);
            !state.has(|row| row.is_usable() && row.pair.is_some_and(removed))
        }),
        Property::always(LATER_INSTALL_STAYS, |_, state: &State| state.observed.cost.is_empty()),
        Property::always(GENERATION_ONCE, |_, state: &State| state.observed.repeated.is_empty()),
        Property::always(NOTHING_LEFT, |model: &Lifecycle, state: &State| {
            let stuck = (0..state.callbacks.len()).any(|i| state.is_stuck(i));
            let waits = stuck || !state.queue.is_empty() || state.observed.wants_forgetting;
            let mut actions = Vec::new();
            if state.is_due() || waits {
                model.steps(state, &mut actions);
                return !actions.is_empty();
            }
            true
        }),
    ]
}

pub(super) fn sometimes() -> Vec<Property<Lifecycle>> {
    vec![
        Property::sometimes("a rescued install is replayed and alive", |_, state: &State| {
            let alive = |token| state.has(|row| row.pair == Some(token) && row.health == Health::Unverified);
            matches!(state.sweep, Step::Alive(token) if alive(token))
        }),
        Property::sometimes("a rescued install that was revoked is found dead", |_, state: &State| {
            let heir = |token, heir| state.observed.given_back.contains(token) && state.is_live(heir);
            matches!(state.sweep, Step::Condemning(token, Some(next)) if heir(token, next))
        }),
        Property::sometimes("a promoted pair is active", |_, state: &State| {
            state.has(|row| row.health == Health::Active && row.pair.is_some_and(|pair| pair < row.exchanged))
        }),
        Property::sometimes("a row is marked", |_, state: &State| {
            state.has(|row| row.health == Health::NeedsReinstall)
        }),
        Property::sometimes("a record that was revoked is dropped", |_, state: &State| {
            let dropped = |i: usize| state.callbacks[i].claim == Claim::NotSaved;
            matches!(state.sweep, Step::Replayed(i) if dropped(i))
        }),
        Property::sometimes(
            "a record outlives its claim",
            |_, state: &State| matches!(state.sweep, Step::Installing(i) if state.callbacks[i].claim == Claim::Gone),
        ),
        Property::sometimes("a stuck claim is found", |_, state: &State| {
            state.callbacks.iter().any(|callback| callback.claim == Claim::Unknown)
        }),
        Property::sometimes("an install is saved after a later one", |_, state: &State| {
            state.has(|row| row.is_usable() && row.pair == Some(row.exchanged))
                && state.has(|row| row.newest_superseded().is_some_and(|token| token > 0))
        }),
        Property::sometimes("a tombstone wins over a rescued install", |_, state: &State| {
            matches!(state.sweep, Step::Late(_)) && state.row.is_some()
        }),
        Property::sometimes("a marker wins over a rescued install", |_, state: &State| {
            matches!(state.sweep, Step::Late(_)) && state.row.is_none()
        }),
        Property::sometimes("an install wins over a tombstone", |_, state: &State| {
            state.has(|row| row.is_usable() && row.removed_at > 0)
        }),
        Property::sometimes("a repeated uninstall hits a tombstone", |_, state: &State| {
            state.observed.met_tombstone
        }),
        Property::sometimes("an uninstall of another generation is repeated", |_, state: &State| {
            let old =
                |row: &Row| state.messages.iter().any(|m| m.generation.is_some_and(|g| g < row.generation));
            state.left.repeats == 0 && state.has(|row| row.health == Health::Active && old(row))
        }),
        Property::sometimes("an install after a forget", |_, state: &State| {
            state
                .marker
                .is_some_and(|marker| state.has(|row| row.is_usable() && row.generation > marker.generation))
        }),
        Property::sometimes("a person is forgotten twice", |_, state: &State| {
            state.has(|row| row.health == Health::Removed && row.generation == 0) && state.marker.is_some()
        }),
        Property::sometimes("a removed pair is revoked after an install", |_, state: &State| {
            let under_way = matches!(state.sweep, Step::Removing(removal) if !removal.pairs.is_empty());
            under_way && state.has(Row::is_usable)
        }),
    ]
}

impl State {
    fn has(&self, is: impl Fn(&Row) -> bool) -> bool {
        self.row.as_ref().is_some_and(is)
    }

    fn is_live(&self, token: u8) -> bool {
        self.notion.live().contains(token)
    }

    fn is_kept(&self, token: u8) -> bool {
        let in_hand = |call| !matches!(call, Call::Idle | Call::Done);
        let mut callbacks = (0..).zip(&self.callbacks).filter(|(_, callback)| callback.token == token);
        self.has(|row| row.held().or(row.to_revoke).contains(token))
            || callbacks.any(|(i, callback)| in_hand(callback.call) || self.queue.contains(i))
    }

    /// A pair whose callback crashed with it: the claim says so, until it was reported.
    fn is_noted(&self, token: u8) -> bool {
        let stuck = |i: usize| self.callbacks[i].token == token && self.is_stuck(i);
        let noted = self.observed.reported.contains(token) || (0..self.callbacks.len()).any(stuck);
        self.observed.lost.contains(token) && noted
    }
}
