//! The protocol: what a worker does, given the row, the queue and its own memory.

use super::row::{Health, Lease};
use super::{Action, Ending, Flaw, Refresh, State, Step};

/// How often one attempt sends its token: once, and once more after a lost reply.
pub(super) const TRIES: u8 = 2;

impl Refresh {
    /// Whether this worker is a sweep.
    pub(super) fn is_sweep(&self, w: usize) -> bool {
        w >= usize::from(self.vends)
    }

    pub(super) fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// The next step of each worker that has one.
    pub(super) fn steps(&self, state: &State, actions: &mut Vec<Action>) {
        for (w, worker) in state.workers.iter().enumerate().filter(|(_, worker)| !worker.frozen) {
            match worker.step {
                Step::Idle if self.has_a_twin_before(state, w) => {}
                Step::Idle if self.is_sweep(w) => self.begin_sweep(state, w, actions),
                Step::Refused(_) if self.is(Flaw::MarkAtOnce) => actions.push(Action::MarkNeedsReinstall(w)),
                Step::Idle | Step::Refused(_) | Step::Unheard(_) => actions.push(Action::Read(w)),
                // Looks that would find nothing new are left out.
                Step::Waiting(seen) if state.row.lease().is_some() && state.row.token() == Some(seen) => {}
                Step::Waiting(_) => actions.push(Action::WaitForLease(w)),
                Step::Doubting(_) => actions.push(Action::LookAt(w)),
                Step::Alive(_) => actions.push(Action::MarkVerified(w)),
                Step::Wanting(..) => actions.push(Action::TakeLease(w)),
                Step::Leased(..) => actions.push(Action::Send(w)),
                Step::Answered(_) => actions.push(Action::SaveRefreshed(w)),
                Step::Beaten(_) => actions.push(Action::KeepAside(w)),
                Step::Stranded(_) => actions.push(Action::PutIntoRescue(w)),
                Step::Homeless(..) | Step::Late(_) => actions.push(Action::GiveBack(w)),
                Step::Adopting(_) => actions.push(Action::AdoptWinner(w)),
                Step::Condemning(_, Some(_)) if !self.is(Flaw::MarkDespiteSuperseded) => {
                    actions.push(Action::PromoteSuperseded(w));
                }
                Step::Condemning(..) => actions.push(Action::MarkNeedsReinstall(w)),
                Step::Releasing(_) => actions.push(Action::ReleaseLease(w)),
                Step::Installing(_) => actions.push(Action::Save(w)),
                Step::Replayed => actions.push(Action::DeleteRescued(w)),
                Step::Sent(..) | Step::Done => {}
            }
        }
    }

    /// Whether the previous worker can take the same step and knows as little.
    fn has_a_twin_before(&self, state: &State, w: usize) -> bool {
        let is_idle = |w: usize| state.workers[w].step == Step::Idle && state.workers[w].look.is_none();
        w > 0 && self.is_sweep(w) == self.is_sweep(w - 1) && is_idle(w) && is_idle(w - 1)
    }

    pub(super) fn step(&self, state: &mut State, action: Action) {
        match action {
            Action::Read(w) => self.read(state, w),
            Action::LookAt(w) => state.look_at(w),
            Action::MarkVerified(w) => self.mark_verified(state, w),
            Action::TakeLease(w) => self.take_lease(state, w),
            // If there is another pair now, ends with the pair of the lease's holder.
            Action::WaitForLease(w) => match state.workers[w].step {
                Step::Waiting(seen) if state.row.token() == Some(seen) => state.workers[w].step = Step::Idle,
                _ => self.rest(state, w),
            },
            Action::Send(w) => self.send(state, w),
            Action::SaveRefreshed(w) => self.save_refreshed(state, w),
            Action::PutIntoRescue(w) => {
                state.put_into_rescue(w);
                // The lease stays. It keeps others from using the token before the queue is empty.
                self.rest(state, w);
            }
            Action::GiveBack(w) => self.give_back(state, w),
            Action::KeepAside(w) => self.keep_aside(state, w),
            Action::AdoptWinner(w) => self.adopt_winner(state, w),
            Action::PromoteSuperseded(w) => self.promote_superseded(state, w),
            Action::MarkNeedsReinstall(w) => self.mark_needs_reinstall(state, w),
            Action::ReleaseLease(w) => self.release_lease(state, w),
            Action::LookIntoQueue(w) => self.look_into_queue(state, w),
            Action::ReplayRescued(w, rescued) => state.replay_rescued(w, rescued),
            Action::Save(w) => self.save(state, w),
            Action::DeleteRescued(w) => {
                let message = state.workers[w].message;
                state.queue.retain(|&queued| Some(queued) != message);
                self.rest(state, w);
            }
            other => self.happen(state, other),
        }
    }

    fn read(&self, state: &mut State, w: usize) {
        let row = &state.row;
        let next = match (state.workers[w].step, row.pair) {
            (Step::Refused(used), _) => self.read_again(state, w, used),
            // A save whose reply was lost may have succeeded.
            (Step::Unheard(fresh), _) if row.knows(fresh.new) => Step::Done,
            (Step::Unheard(fresh), _) => Step::Homeless(fresh, Ending::Unrecorded),
            (_, Some(pair)) if row.is_usable() => match pair.lease {
                // Whether a pair in doubt is alive does not show whether its refresh token has been consumed.
                None if row.health == Health::Unverified && !pair.in_doubt => Step::Doubting(pair.token),
                None => Step::Wanting(pair.token, None),
                Some(lease) if self.may_take_over(state, w, lease) => Step::Wanting(pair.token, Some(lease)),
                Some(_) if self.is_sweep(w) => Step::Done,
                Some(_) => Step::Waiting(pair.token),
            },
            _ => Step::Done,
        };
        state.workers[w].step = next;
        if next == Step::Done {
            self.rest(state, w);
        }
    }

    /// Conditional on the pair, the health and the lease (or its absence) that were read.
    fn take_lease(&self, state: &mut State, w: usize) {
        let Step::Wanting(token, seen) = state.workers[w].step else { return };
        let usable = state.row.is_usable();
        let pair = state.row.pair.as_mut().filter(|pair| pair.token == token && pair.lease == seen);
        let Some(pair) = pair.filter(|_| usable) else {
            state.workers[w].step = Step::Idle;
            return;
        };
        let worker = &mut state.workers[w];
        if w >= usize::from(self.vends) {
            worker.attempt = self.vends + 1 + state.attempts;
            state.attempts += 1;
        }
        (worker.step, worker.expired) = (Step::Leased(token, 0), false);
        pair.lease = Some(Lease { holder: worker.attempt, lapsed: false });
        pair.in_doubt |= seen.is_some() && !self.is(Flaw::TakeOverForgets);
    }

    /// The clock decides, not the row: a lease that was taken over had lapsed before.
    fn send(&self, state: &mut State, w: usize) {
        let worker = &mut state.workers[w];
        let Step::Leased(used, tries) = worker.step else { return };
        let enough = tries == TRIES && !self.is(Flaw::BlindRetry);
        worker.step = match tries {
            0 if worker.expired => Step::Releasing(Ending::Moot),
            _ if worker.expired || enough => Step::Releasing(Ending::Unknown),
            _ => {
                state.observed.allowed[usize::from(used)] -= 1;
                Step::Sent(used, tries + 1)
            }
        };
    }

    /// Conditional on the holder. What may be unfinished stays in the row, for the sweep.
    fn release_lease(&self, state: &mut State, w: usize) {
        let worker = &state.workers[w];
        let Step::Releasing(ending) = worker.step else { return };
        let is_mine = |lease: Lease| lease.holder == worker.attempt;
        if let Some(pair) = state.row.pair.as_mut().filter(|pair| pair.lease.is_some_and(is_mine)) {
            pair.lease = None;
            match ending {
                Ending::Unknown => pair.in_doubt |= !self.is(Flaw::ReleaseForgets),
                Ending::Settled(_) => pair.in_doubt = false,
                Ending::Moot | Ending::Unrecorded => {}
            }
        }
        self.end(state, w);
    }

    /// The work is done. If it came from a record, that can be deleted.
    pub(super) fn end(&self, state: &mut State, w: usize) {
        match state.workers[w].message {
            Some(_) => state.workers[w].step = Step::Replayed,
            None => self.rest(state, w),
        }
    }

    /// Ends this invocation. The sweep runs again later.
    pub(super) fn rest(&self, state: &mut State, w: usize) {
        let worker = &mut state.workers[w];
        (worker.expired, worker.frozen, worker.message, worker.look) = (false, false, None, None);
        if self.is_sweep(w) {
            (worker.step, worker.attempt) = (Step::Idle, self.vends);
        } else {
            worker.step = Step::Done;
        }
    }
}
