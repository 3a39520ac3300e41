//! The protocol: what a worker does, given the row, the queue and its own memory.

use super::row::{Health, Lease};
use super::{Action, Ending, Flaw, Fresh, Refresh, State, Step, Worker};

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

    /// The next step of each worker that can do one.
    pub(super) fn steps(&self, state: &State, actions: &mut Vec<Action>) {
        for (w, worker) in state.workers.iter().enumerate().filter(|(_, worker)| !worker.frozen) {
            match worker.step {
                Step::Idle if self.is_sweep(w) => {
                    // The queue first: what it holds may be the successor of the token in the row.
                    actions.extend(state.queue.iter().map(|&fresh| Action::ReplayRescued(w, fresh)));
                    if state.queue.is_empty() && state.row.is_due() {
                        actions.push(Action::Read(w));
                    }
                }
                Step::Refused(_) if self.is(Flaw::MarkAtOnce) => actions.push(Action::MarkNeedsReinstall(w)),
                Step::Idle | Step::Refused(_) => actions.push(Action::Read(w)),
                // Looks that would find nothing new are left out.
                Step::Waiting(seen) if state.row.lease.is_some() && state.row.pair == Some(seen) => {}
                Step::Waiting(_) => actions.push(Action::WaitForLease(w)),
                Step::Wanting(..) => actions.push(Action::TakeLease(w)),
                Step::Leased(..) => actions.push(Action::Send(w)),
                Step::Answered(_) => actions.push(Action::SaveRefreshed(w)),
                Step::Beaten(_) => actions.push(Action::KeepAside(w)),
                Step::Stranded(_) => actions.push(Action::PutIntoRescue(w)),
                Step::Homeless(..) => actions.push(Action::GiveBack(w)),
                Step::Adopting => actions.push(Action::AdoptWinner(w)),
                Step::Condemning(_) => actions.push(Action::MarkNeedsReinstall(w)),
                Step::Releasing(_) => actions.push(Action::ReleaseLease(w)),
                Step::Replayed => actions.push(Action::DeleteRescued(w)),
                Step::Sent(..) | Step::Done => {}
            }
        }
    }

    pub(super) fn step(&self, state: &mut State, action: Action) {
        match action {
            Action::Read(w) => self.read(state, w),
            Action::TakeLease(w) => self.take_lease(state, w),
            // Ends with the pair of whoever held the lease, if there is another one now.
            Action::WaitForLease(w) => match state.workers[w].step {
                Step::Waiting(seen) if state.row.pair == Some(seen) => state.workers[w].step = Step::Idle,
                _ => self.rest(state, w),
            },
            Action::Send(w) => self.send(state, w),
            Action::SaveRefreshed(w) => self.save_refreshed(state, w),
            Action::PutIntoRescue(w) => {
                state.put_into_rescue(w);
                // The lease stays: it keeps others from using the token before the queue was drained.
                self.rest(state, w);
            }
            Action::GiveBack(w) => self.give_back(state, w),
            Action::KeepAside(w) => state.keep_aside(w),
            Action::AdoptWinner(w) => state.workers[w].step = Step::Releasing(Ending::Moot),
            Action::MarkNeedsReinstall(w) => self.mark_needs_reinstall(state, w),
            Action::ReleaseLease(w) => self.release_lease(state, w),
            Action::ReplayRescued(w, fresh) => {
                let (step, attempt, message) = (Step::Answered(fresh), fresh.attempt, Some(fresh));
                state.workers[w] = Worker { step, attempt, message, ..state.workers[w] };
            }
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
        let worker = &mut state.workers[w];
        let foreign = row.lease.filter(|lease| lease.holder != worker.attempt);
        worker.step = match (worker.step, row.pair) {
            (Step::Refused(used), Some(pair)) if row.health != Health::Removed => {
                if pair != used {
                    Step::Adopting
                } else if row.health == Health::NeedsReinstall {
                    Step::Releasing(Ending::Moot)
                } else if foreign.is_some() {
                    if self.is_sweep(w) { Step::Done } else { Step::Waiting(used) }
                } else {
                    Step::Condemning(used)
                }
            }
            (Step::Refused(used), _) => {
                // A tombstone cannot be marked. If the token was spent on a lost pair, only a person can end
                // that, in Notion's settings: an alarm says so.
                let grant = state.notion.grant(used);
                state.observed.reported.insert(grant);
                Step::Releasing(Ending::Settled(used))
            }
            (_, Some(pair)) if self.is_sweep(w) => Step::Wanting(pair, row.lease),
            (_, Some(pair)) if row.health == Health::Active => match row.lease {
                None => Step::Wanting(pair, None),
                Some(lease) if lease.lapsed && self.is(Flaw::VendTakesOver) => {
                    Step::Wanting(pair, Some(lease))
                }
                Some(_) => Step::Waiting(pair),
            },
            _ => Step::Done,
        };
        if worker.step == Step::Done {
            self.rest(state, w);
        }
    }

    /// Conditional on the pair, the health and the lease (or its absence) that were read.
    fn take_lease(&self, state: &mut State, w: usize) {
        let Step::Wanting(pair, seen) = state.workers[w].step else { return };
        let sweep = self.is_sweep(w);
        let row = &mut state.row;
        // A sweep takes that of a tombstone too: a pair may be alive that nobody has revoked.
        let may = if sweep { row.is_due() } else { row.health == Health::Active };
        if row.pair != Some(pair) || row.lease != seen || !may {
            state.workers[w].step = Step::Idle;
            return;
        }
        let worker = &mut state.workers[w];
        if sweep {
            worker.attempt = self.vends + 1 + state.attempts;
            state.attempts += 1;
        }
        (worker.step, worker.expired) = (Step::Leased(pair, 0), false);
        row.lease = Some(Lease { holder: worker.attempt, lapsed: false });
        row.in_doubt |= seen.is_some() && !self.is(Flaw::TakeOverForgets);
    }

    /// The clock decides, not the row: a lease that somebody has taken over had lapsed before.
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

    fn save_refreshed(&self, state: &mut State, w: usize) {
        let Step::Answered(fresh) = state.workers[w].step else { return };
        if self.write(state, fresh) {
            return self.end(state, w);
        }
        let row = &state.row;
        // Its own success, whose reply was lost. Others may have used the new pair since.
        let own = row.refreshed_by == Some(fresh.attempt) || row.knows(fresh.new);
        if own || self.is(Flaw::FencedSave) {
            self.end(state, w);
        } else if row.health == Health::Removed {
            state.workers[w].step = Step::Homeless(fresh, Ending::Settled(fresh.used));
        } else {
            state.workers[w].step = Step::Beaten(fresh);
        }
    }

    /// The compare-and-swap on the token that was used. Says whether it was let through.
    pub(super) fn write(&self, state: &mut State, Fresh { used, new, attempt }: Fresh) -> bool {
        let row = &mut state.row;
        let accepted = match self.flaw {
            Some(Flaw::UnconditionalSave) => true,
            Some(Flaw::FencedSave) => {
                row.health != Health::Removed && row.lease.is_some_and(|lease| lease.holder == attempt)
            }
            _ => row.health != Health::Removed && row.pair == Some(used),
        };
        if accepted {
            row.pair = Some(new);
            row.health = Health::Active;
            // Whoever holds it wants to refresh the token that has been used.
            (row.lease, row.in_doubt) = (None, false);
            row.refreshed_by = Some(attempt);
            row.consumed.insert(used);
            state.observed.reported.remove(state.notion.grant(new));
        }
        accepted
    }

    fn give_back(&self, state: &mut State, w: usize) {
        let Step::Homeless(fresh, ending) = state.workers[w].step else { return };
        state.notion.revoke(fresh.new);
        if ending == Ending::Unrecorded {
            // No table, no release: the lease lapses, and the sweep finds that the token is dead.
            state.excuse(w);
            self.rest(state, w);
        } else {
            state.workers[w].step = Step::Releasing(ending);
        }
    }

    /// By the same compare-and-swap as the save, and only while nobody else is at it.
    fn mark_needs_reinstall(&self, state: &mut State, w: usize) {
        let worker = &mut state.workers[w];
        let (Step::Condemning(used) | Step::Refused(used)) = worker.step else { return };
        let row = &mut state.row;
        let mine = row.lease.is_none_or(|lease| lease.holder == worker.attempt);
        let unchanged = row.pair == Some(used) && row.health == Health::Active && mine;
        if !unchanged && !self.is(Flaw::MarkAtOnce) {
            worker.step = Step::Refused(used);
            return;
        }
        row.health = Health::NeedsReinstall;
        row.in_doubt = false;
        if mine {
            row.lease = None;
        }
        state.observed.reported.insert(state.notion.grant(used));
        self.rest(state, w);
    }

    /// Conditional on the holder. What is not known to have ended stays in the row, for the sweep.
    fn release_lease(&self, state: &mut State, w: usize) {
        let worker = &state.workers[w];
        let Step::Releasing(ending) = worker.step else { return };
        let row = &mut state.row;
        if row.lease.is_some_and(|lease| lease.holder == worker.attempt) {
            row.lease = None;
            match ending {
                Ending::Unknown => row.in_doubt |= !self.is(Flaw::ReleaseForgets),
                Ending::Settled(_) => row.in_doubt = false,
                Ending::Moot | Ending::Unrecorded => {}
            }
        }
        self.end(state, w);
    }

    /// The work is done; a message that brought it can go.
    fn end(&self, state: &mut State, w: usize) {
        match state.workers[w].message {
            Some(_) => state.workers[w].step = Step::Replayed,
            None => self.rest(state, w),
        }
    }

    /// Nothing more of this invocation. A sweep comes again.
    pub(super) fn rest(&self, state: &mut State, w: usize) {
        let worker = &mut state.workers[w];
        (worker.expired, worker.frozen, worker.message) = (false, false, None);
        if self.is_sweep(w) {
            (worker.step, worker.attempt) = (Step::Idle, self.vends);
        } else {
            worker.step = Step::Done;
        }
    }
}

impl State {
    pub(super) fn put_into_rescue(&mut self, w: usize) {
        if let Step::Stranded(fresh) = self.workers[w].step
            && !self.queue.contains(&fresh)
        {
            self.queue.push(fresh);
            self.queue.sort_unstable();
        }
    }

    /// Conditional on the row being no tombstone: what is put into one would never be revoked.
    fn keep_aside(&mut self, w: usize) {
        let Step::Beaten(fresh) = self.workers[w].step else { return };
        if self.row.health == Health::Removed {
            self.workers[w].step = Step::Homeless(fresh, Ending::Settled(fresh.used));
            return;
        }
        if !self.row.knows(fresh.new) {
            self.row.superseded.insert(fresh.new);
            self.row.unsettled.remove(fresh.used);
        }
        self.workers[w].step = Step::Adopting;
    }
}
