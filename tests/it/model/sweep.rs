//! What only the sweep does: the rescue queue, and leases that were never released.

use super::notion::Set;
use super::row::Lease;
use super::{Action, Flaw, Refresh, Rescued, State, Step, Worker};

impl Refresh {
    /// A run replays the records in the queue, looks whether more are waiting, and then handles the row. Anything may
    /// happen in between.
    pub(super) fn begin_sweep(&self, state: &State, w: usize, actions: &mut Vec<Action>) {
        actions.extend(state.queue.iter().map(|&rescued| Action::ReplayRescued(w, rescued)));
        let lease = state.row.lease();
        if self.look(state).is_some_and(|look| state.workers[w].look != Some(look)) {
            actions.push(Action::LookIntoQueue(w));
        }
        let due = match lease {
            Some(lease) => state.row.is_usable() && self.may_take_over(state, w, lease),
            None => state.row.is_due(),
        };
        if due {
            actions.push(Action::Read(w));
        }
    }

    /// The leases that had lapsed when nothing was waiting in the queue.
    pub(super) fn look_into_queue(&self, state: &mut State, w: usize) {
        state.workers[w].look = self.look(state);
    }

    fn look(&self, state: &State) -> Option<Set> {
        let waits =
            !state.queue.is_empty() || !state.dead_letters.is_empty() && !self.is(Flaw::DeadLettersForgotten);
        if waits {
            return None;
        }
        let mut lapsed = Set::default();
        let leases = state.row.pairs().filter_map(|pair| pair.lease);
        leases.filter(|lease| lease.lapsed).for_each(|lease| lapsed.insert(lease.holder));
        // A look that allows no takeover need not be remembered.
        (lapsed != Set::default() || self.is(Flaw::OldLook)).then_some(lapsed)
    }

    /// Until the lease ended, its holder may have put a new pair into the queue. Only the sweep knows that it did
    /// not, if it looked after that.
    pub(super) fn may_take_over(&self, state: &State, w: usize, lease: Lease) -> bool {
        let looked = match state.workers[w].look {
            Some(look) => look.contains(lease.holder) || self.is(Flaw::OldLook),
            None => self.is(Flaw::VendTakesOver) && !self.is_sweep(w),
        };
        lease.lapsed && looked
    }
}

impl State {
    pub(super) fn replay_rescued(&mut self, w: usize, rescued: Rescued) {
        let worker = &self.workers[w];
        let (step, attempt) = match rescued {
            Rescued::Install(token) => (Step::Installing(token), worker.attempt),
            Rescued::Refresh(fresh) => (Step::Answered(fresh), fresh.attempt),
        };
        self.workers[w] = Worker { step, attempt, message: Some(rescued), look: None, ..*worker };
    }

    /// Forgets looks that no longer allow a takeover.
    pub(super) fn forget_looks(&mut self) {
        let mut standing = Set::default();
        let leases = self.row.pairs().filter_map(|pair| pair.lease);
        leases.filter(|lease| lease.lapsed).for_each(|lease| standing.insert(lease.holder));
        for worker in &mut self.workers {
            worker.look = worker.look.map(|look| look.and(standing)).filter(|look| *look != Set::default());
        }
    }
}
