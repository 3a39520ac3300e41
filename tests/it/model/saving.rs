//! What can happen to a pair that Notion has issued: saved as current, kept aside, rescued, revoked.

use super::notion::Set;
use super::row::{Health, Pair};
use super::{Ending, Flaw, Fresh, Refresh, Rescued, State, Step};

impl Refresh {
    pub(super) fn save_refreshed(&self, state: &mut State, w: usize) {
        let Step::Answered(fresh) = state.workers[w].step else { return };
        if self.write(state, w, fresh) {
            return self.end(state, w);
        }
        // Its own success, whose reply was lost. Others may have used the new pair since.
        let own = state.row.refreshed_by == Some(fresh.attempt) || state.row.knows(fresh.new);
        if own || self.is(Flaw::FencedSave) {
            self.end(state, w);
        } else if state.row.health == Health::Removed {
            state.workers[w].step = Step::Homeless(fresh, Ending::Settled(fresh.used));
        } else {
            state.workers[w].step = Step::Beaten(fresh);
        }
    }

    /// The compare-and-swap on the used token. Returns whether it succeeded.
    pub(super) fn write(&self, state: &mut State, w: usize, Fresh { used, new, attempt }: Fresh) -> bool {
        let row = &mut state.row;
        let accepted = match self.flaw {
            Some(Flaw::UnconditionalSave) => true,
            Some(Flaw::FencedSave) => {
                row.health != Health::Removed && row.lease().is_some_and(|lease| lease.holder == attempt)
            }
            _ => row.health != Health::Removed && row.token() == Some(used),
        };
        if accepted {
            // The holder of the lease wants to refresh the token that was used.
            row.pair = Some(Pair::new(new));
            row.refreshed_by = Some(attempt);
            row.consumed.insert(used);
            let worker = &state.workers[w];
            // A late pair may have been revoked, or replayed.
            let prompt = !worker.expired && worker.message.is_none() || self.is(Flaw::LateSaveIsActive);
            state.set_health(new, prompt);
        }
        accepted
    }

    /// Conditional on the row as it was read. A pair put into a tombstone would never be revoked. And a promotion may
    /// have made the used pair current again.
    pub(super) fn keep_aside(&self, state: &mut State, w: usize) {
        let Step::Beaten(fresh) = state.workers[w].step else { return };
        let Fresh { used, new, .. } = fresh;
        let row = &mut state.row;
        // The used pair was removed, and somebody has installed again.
        let foreign = !row.has_had(used) && !self.is(Flaw::KeepsForeign);
        if row.health == Health::Removed || foreign {
            state.workers[w].step = Step::Homeless(fresh, Ending::Settled(used));
            return;
        }
        if row.is_at(used) && !self.is(Flaw::AsideUnseen) {
            state.workers[w].step = Step::Answered(fresh);
            return;
        }
        if !row.knows(new) {
            // It replaces the pair that was used for it.
            row.drop_superseded(used);
            row.consumed.insert(used);
            if row.health == Health::NeedsReinstall && !self.is(Flaw::AsideOfTheDead) {
                row.succeed(Pair::new(new));
            } else {
                row.put_aside(Pair::new(new));
            }
        }
        state.workers[w].step = Step::Adopting(None);
    }

    /// An install from the rescue queue, under the same conditions as on time.
    pub(super) fn save(&self, state: &mut State, w: usize) {
        let Step::Installing(token) = state.workers[w].step else { return };
        let row = &state.row;
        let forgets = self.is(Flaw::KeepsUsedUp) && row.consumed.contains(token);
        state.workers[w].step = if row.knows(token) && !forgets {
            Step::Replayed
        } else if token < row.removed_at
            && (row.health == Health::Removed || !self.is(Flaw::ReinstallForgetsTombstone))
        {
            Step::Late(token)
        } else {
            self.install(state, token, self.is(Flaw::RescuedInstallIsActive));
            Step::Replayed
        };
    }

    /// A pair of a later exchange stays current, unless it is known to be dead.
    pub(super) fn install(&self, state: &mut State, token: u8, prompt: bool) {
        let row = &mut state.row;
        let is_last = row.exchanged < token;
        if !is_last && (row.is_usable() || self.is(Flaw::AsideOfTheDead)) {
            return row.put_aside(Pair::new(token));
        }
        if row.health == Health::Removed && !self.is(Flaw::PromotesRemoved) {
            // If promoted later, they would restore what was removed.
            let removed = row.pair.replace(Pair::new(token));
            row.to_revoke.extend(row.superseded.drain(..).chain(removed));
            row.consumed = Set::default();
        } else if row.health == Health::NeedsReinstall && !self.is(Flaw::DeadIsSuperseded) {
            // Known to be dead: if promoted later, it would be sent again.
            row.succeed(Pair::new(token));
        } else if let Some(old) = row.pair.replace(Pair::new(token)) {
            // The record of its refresh moves with it. The new pair is free immediately, and an unfinished refresh
            // stays on record.
            row.put_aside(if self.is(Flaw::ReinstallForgets) { Pair::new(old.token) } else { old });
        }
        row.generation += 1;
        row.refreshed_by = None;
        row.exchanged = row.exchanged.max(token);
        state.set_health(token, prompt);
    }

    pub(super) fn give_back(&self, state: &mut State, w: usize) {
        let (token, next) = match state.workers[w].step {
            Step::Homeless(fresh, Ending::Unrecorded) => {
                // Without the table the lease cannot be released. It lapses, and the sweep finds that the token is
                // dead.
                state.excuse(w);
                (fresh.new, Step::Done)
            }
            Step::Homeless(fresh, ending) => (fresh.new, Step::Releasing(ending)),
            Step::Late(token) => (token, Step::Replayed),
            _ => return,
        };
        state.revoke(token);
        state.workers[w].step = next;
        if next == Step::Done {
            self.rest(state, w);
        }
    }
}

impl State {
    /// Sets the health of a row that just got this pair.
    fn set_health(&mut self, token: u8, prompt: bool) {
        self.row.health = if prompt { Health::Active } else { Health::Unverified };
        self.observed.revived |= prompt && self.observed.given_back.contains(token);
        self.observed.reported.remove(self.notion.grant(token));
    }

    pub(super) fn revoke(&mut self, token: u8) {
        self.notion.revoke(token);
        self.observed.given_back.insert(token);
    }

    pub(super) fn put_into_rescue(&mut self, w: usize) {
        if let Step::Stranded(fresh) = self.workers[w].step {
            self.rescue(Rescued::Refresh(fresh));
        }
    }

    pub(super) fn rescue(&mut self, rescued: Rescued) {
        if !self.queue.contains(&rescued) {
            self.queue.push(rescued);
            self.queue.sort_unstable();
        }
    }
}
