//! What Notion's answer does to the row: the pair is alive, or dead with another one in its place, or dead and the
//! last.

use super::row::{Health, Pair};
use super::{Ending, Flaw, Refresh, State, Step};

impl Refresh {
    /// After `invalid_grant`: what the row has now.
    pub(super) fn read_again(&self, state: &mut State, w: usize, used: u8) -> Step {
        let row = &state.row;
        if row.health == Health::Removed {
            // A tombstone cannot be marked. If the token was consumed for a lost pair, only a person can end that
            // grant, in Notion's settings. An alarm says so.
            state.observed.reported.insert(state.notion.grant(used));
            return Step::Releasing(Ending::Settled(used));
        }
        let foreign = row.lease().is_some_and(|lease| lease.holder != state.workers[w].attempt);
        if row.token() != Some(used) {
            Step::Adopting(Some(used))
        } else if row.health == Health::NeedsReinstall {
            Step::Done
        } else if !foreign {
            Step::Condemning(used, row.newest_superseded())
        } else if self.is_sweep(w) {
            Step::Done
        } else {
            Step::Waiting(used)
        }
    }

    /// The lease moved with its pair. A pair that Notion has refused must not stay aside: if promoted, it would be
    /// sent again.
    pub(super) fn adopt_winner(&self, state: &mut State, w: usize) {
        let Step::Adopting(refused) = state.workers[w].step else { return };
        if let Some(refused) = refused.filter(|_| !self.is(Flaw::RefusedStaysAside)) {
            if state.row.is_at(refused) {
                state.workers[w].step = Step::Refused(refused);
                return;
            }
            if state.row.drop_superseded(refused) {
                state.row.consumed.insert(refused);
                state.observed.reported.insert(state.notion.grant(refused));
            }
        }
        self.end(state, w);
    }

    /// Conditional on the pair, and on no refresh of it having started.
    pub(super) fn mark_verified(&self, state: &mut State, w: usize) {
        let Step::Alive(token) = state.workers[w].step else { return };
        let row = &mut state.row;
        if row.is_usable() && row.pair == Some(Pair::new(token)) {
            row.health = Health::Active;
        }
        self.rest(state, w);
    }

    /// By the same compare-and-swap as the save, only without another lease, and only if no other pair was added
    /// since the row was read.
    pub(super) fn mark_needs_reinstall(&self, state: &mut State, w: usize) {
        let (Step::Condemning(used, _) | Step::Refused(used)) = state.workers[w].step else { return };
        if !self.still_condemns(state, w) && !self.is(Flaw::MarkAtOnce) {
            state.workers[w].step = Step::Refused(used);
            return;
        }
        let row = &mut state.row;
        row.health = Health::NeedsReinstall;
        if let Some(pair) = &mut row.pair {
            pair.in_doubt = false;
            pair.lease = pair.lease.filter(|lease| lease.holder != state.workers[w].attempt);
        }
        state.observed.reported.insert(state.notion.grant(used));
        self.rest(state, w);
    }

    /// The newest of the superseded pairs becomes current, with the record of its refresh. Under the same conditions
    /// as a mark.
    pub(super) fn promote_superseded(&self, state: &mut State, w: usize) {
        let Step::Condemning(used, _) = state.workers[w].step else { return };
        if !self.still_condemns(state, w) {
            state.workers[w].step = Step::Refused(used);
            return;
        }
        let Some(heir) = state.row.superseded.pop() else { return };
        let heir = if self.is(Flaw::PromotionForgets) { Pair::new(heir.token) } else { heir };
        state.row.succeed(heir);
        if !self.is(Flaw::PromotionIsSilent) {
            // It may have been consumed for a pair that nobody has.
            state.observed.reported.insert(state.notion.grant(used));
        }
        self.rest(state, w);
    }

    fn still_condemns(&self, state: &State, w: usize) -> bool {
        let (row, worker) = (&state.row, &state.workers[w]);
        let Step::Condemning(used, heir) = worker.step else { return false };
        let mine = row.lease().is_none_or(|lease| lease.holder == worker.attempt);
        let unchanged = row.newest_superseded() == heir || self.is(Flaw::MarkOnOldRead);
        row.token() == Some(used) && row.is_usable() && mine && unchanged
    }
}

impl State {
    /// Asks Notion whether the access token is alive. A dead one does not mark the row: a refresh may help.
    pub(super) fn look_at(&mut self, w: usize) {
        let Step::Doubting(token) = self.workers[w].step else { return };
        let alive = self.notion.live().contains(token);
        self.workers[w].step = if alive { Step::Alive(token) } else { Step::Wanting(token, None) };
    }
}
