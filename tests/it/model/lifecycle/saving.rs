//! What can happen to an install's pair: saved as current, kept aside, rescued, revoked.

use super::super::notion::{Set, Token};
use super::super::row::Health;
use super::protocol::index;
use super::{Call, Claim, Flaw, Lifecycle, Marker, Row, State, Step};

impl Lifecycle {
    /// The row and the claim in one transaction. The tokens matter more than the page: they are saved even if the
    /// claim has another outcome.
    pub(super) fn save(&self, state: &mut State, i: usize) {
        let saved = self.write(state, i, true);
        state.callbacks[i].call = if saved { Call::Done } else { Call::Homeless };
    }

    /// Under the conditions of the callback. It may have been revoked, so Notion is asked first.
    pub(super) fn save_rescued(&self, state: &mut State) {
        let Step::Installing(i) = state.sweep else { return };
        let saved = self.write(state, i, self.is(Flaw::RescuedInstallIsActive));
        state.sweep = if saved { Step::Replayed(i) } else { Step::Late(i) };
    }

    /// Returns whether the pair was saved. If not, it was exchanged before a removal.
    pub(super) fn write(&self, state: &mut State, i: usize, prompt: bool) -> bool {
        let token = state.callbacks[i].token;
        if state.row.as_ref().is_some_and(|row| row.knows(token)) {
            return true;
        }
        let by_row = state.row.as_ref().map_or(0, |row| row.removed_at);
        let by_marker = state.marker.map_or(0, |marker| marker.removed_at);
        let loses = token < by_row && !self.is(Flaw::SaveAsksNoTombstone)
            || token < by_marker && !self.is(Flaw::SaveAsksNoMarker);
        if loses {
            if token >= state.observed.removed_at {
                state.observed.cost.insert(token);
            }
            return false;
        }
        if state.callbacks[i].claim == Claim::Exchanging {
            state.callbacks[i].claim = Claim::Connected;
        }
        let aside = |row: &&mut Row| row.is_usable() && token < row.exchanged;
        match state.row.as_mut().filter(aside) {
            // A later exchange was saved before. Its pair stays current.
            Some(row) => row.superseded.insert(token),
            None => self.become_current(state, token, prompt),
        }
        true
    }

    fn become_current(&self, state: &mut State, token: Token, prompt: bool) {
        let marker = state.marker.filter(|_| !self.is(Flaw::ForgetRestartsGenerations));
        let row = state.row.get_or_insert_with(|| Row::tombstone(0));
        match row.health {
            Health::Removed if !self.is(Flaw::PromotesRemoved) => {
                // If promoted later, they would restore what was removed.
                row.to_revoke = row.removed();
                (row.superseded, row.consumed) = (Set::default(), Set::default());
            }
            Health::NeedsReinstall => row.pair.into_iter().for_each(|dead| row.consumed.insert(dead)),
            _ => row.superseded = row.held(),
        }
        row.pair = Some(token);
        row.health = if prompt { Health::Active } else { Health::Unverified };
        row.generation = row.generation.max(marker.map_or(0, |Marker { generation, .. }| generation)) + 1;
        row.exchanged = row.exchanged.max(token);
        row.forget = false;
        let observed = &mut state.observed;
        if prompt && observed.given_back.contains(token) {
            observed.revived.insert(token);
        }
        if observed.generations.contains(row.generation) {
            observed.repeated.insert(row.generation);
        }
        observed.generations.insert(row.generation);
        observed.wants_forgetting = false;
    }
}

impl State {
    pub(super) fn put_into_rescue(&mut self, i: usize) {
        self.queue.insert(index(i));
        self.callbacks[i].call = Call::Done;
    }
}
