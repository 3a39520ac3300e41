//! Uninstalls: first the tombstone, then the tokens are revoked, then they are purged, or everything is forgotten.

use super::super::notion::Set;
use super::super::row::Health;
use super::{Flaw, Lifecycle, Marker, Message, Removal, Row, State, Step, Who};

impl Lifecycle {
    /// A message arrives. If it names a generation, it is only about that one. If that one was removed before, there
    /// is nothing to do: the tombstone keeps its time.
    pub(super) fn tombstone(&self, state: &mut State, at: usize) {
        let now = state.notion.now();
        let message = &mut state.messages[at];
        state.left.repeats -= u8::from(message.arrived);
        let repeated = message.arrived;
        message.arrived = true;
        let Message { generation, forget, sent_at, .. } = *message;
        let row = match (generation, state.row.as_mut()) {
            (Some(_), None) => return,
            (Some(generation), Some(row)) if row.generation != generation => return,
            (_, Some(row)) => row,
            // Anything waiting in the rescue queue loses to it.
            (None, None) => state.row.insert(Row::tombstone(0)),
        };
        let stands = generation.is_some() && row.health == Health::Removed;
        if !stands || self.is(Flaw::RepeatRenewsTombstone) {
            row.removed_at = now;
        }
        let observed = &mut state.observed;
        observed.met_tombstone |= stands && repeated;
        observed.wants_forgetting |= forget;
        if !stands {
            observed.removed_at = now;
            if generation.is_some() && row.exchanged >= sent_at {
                observed.cost.insert(row.exchanged);
            }
            observed.uninstalled = observed.uninstalled.or(row.held());
            if generation.is_none() {
                (0..now).for_each(|token| observed.uninstalled.insert(token));
            }
        }
        row.health = Health::Removed;
        row.forget |= forget;
        let (removed_at, pairs, forget) = (row.removed_at, row.removed(), row.forget);
        state.uninstall = Step::Removing(Removal { removed_at, pairs, forget });
    }

    /// Only of the tombstone that was read. If somebody has installed over it, only the removed pairs are purged.
    pub(super) fn purge(&self, state: &mut State, who: Who) {
        let Step::Returned(removal) = std::mem::replace(state.remover(who), Step::Idle) else { return };
        let Some(row) = state.row.as_mut() else { return };
        let stands = row.health == Health::Removed && row.removed_at == removal.removed_at;
        let wished = row.forget && !self.is(Flaw::PurgeMissesTheWish);
        if stands && !wished || self.is(Flaw::PurgeAsksNothing) {
            (row.pair, row.forget) = (None, false);
            (row.superseded, row.to_revoke, row.consumed) = (Set::default(), Set::default(), Set::default());
        } else {
            removal.pairs.iter().for_each(|token| row.to_revoke.remove(token));
        }
    }

    /// Deletes the row. A marker keeps the time and the last generation. Neither ever decreases.
    pub(super) fn forget(&self, state: &mut State, who: Who) {
        let Step::Returned(removal) = std::mem::replace(state.remover(who), Step::Idle) else { return };
        let stands = |row: &Row| row.health == Health::Removed && row.removed_at == removal.removed_at;
        let Some(row) = state.row.take_if(|row| stands(row)) else { return };
        let before = state.marker.map_or(0, |marker| marker.generation);
        let generation =
            if self.is(Flaw::ForgetLowersGeneration) { row.generation } else { row.generation.max(before) };
        state.marker = Some(Marker { removed_at: row.removed_at, generation });
        state.observed.wants_forgetting = false;
    }
}

impl State {
    pub(super) fn revoke_removed(&mut self, who: Who) {
        let Step::Removing(removal) = *self.remover(who) else { return };
        removal.pairs.iter().for_each(|token| self.revoke(token));
        *self.remover(who) = Step::Returned(removal);
    }

    fn remover(&mut self, who: Who) -> &mut Step {
        if who == Who::Sweep { &mut self.sweep } else { &mut self.uninstall }
    }
}
