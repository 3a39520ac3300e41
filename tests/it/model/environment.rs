//! What happens to the protocol: Notion, time, people, and faults within their budgets.

use super::protocol::TRIES;
use super::row::{Health, Lease};
use super::{Action, Ending, Flaw, Fresh, Refresh, State, Step, Token, Worker};

impl Refresh {
    /// What needs no fault.
    pub(super) fn events(&self, state: &State, actions: &mut Vec<Action>) {
        for (w, worker) in state.workers.iter().enumerate() {
            if matches!(worker.step, Step::Sent(..)) {
                actions.push(Action::NotionAnswers(w));
            }
            if worker.frozen {
                actions.push(Action::Thaw(w));
            }
        }
        actions.extend(state.strays.iter().map(|&used| Action::StrayArrives(used)));
        // A lease lives longer than a request and the function that makes it: not while its holder runs.
        let runs = state.holder().is_some_and(|w| !state.workers[w].frozen);
        if state.row.lease.is_some_and(|lease| !lease.lapsed) && (!runs || self.is(Flaw::ShortLease)) {
            actions.push(Action::Lapse);
        }
        // Not before a refresh has ended: the pair in the row may be spent, and its successor alive.
        let row = &state.row;
        if row.health == Health::Removed && row.pair.is_some() && row.lease.is_none() && !row.in_doubt {
            actions.push(Action::Purge);
        }
    }

    pub(super) fn happen(&self, state: &mut State, action: Action) {
        match action {
            Action::NotionAnswers(w) => self.answer(state, w),
            Action::LoseRequest(w) | Action::LoseReply(w) => {
                let Step::Sent(used, _) = state.workers[w].step else { return };
                state.left.losses -= 1;
                match action {
                    Action::LoseRequest(_) => state.stray(used),
                    _ => self.process_for_nobody(state, used),
                }
                self.hear_nothing(state, w);
            }
            Action::StrayArrives(used) => {
                if let Some(at) = state.strays.iter().position(|&stray| stray == used) {
                    state.strays.remove(at);
                    self.process_for_nobody(state, used);
                }
            }
            Action::TableDown(w) => {
                state.left.outages -= 1;
                match state.workers[w].step {
                    // The message stays in the queue, and is seen again.
                    _ if state.workers[w].message.is_some() => self.rest(state, w),
                    Step::Answered(fresh) | Step::Beaten(fresh) => {
                        state.workers[w].step = Step::Stranded(fresh);
                    }
                    _ => {}
                }
            }
            Action::SaveReplyLost(w) => {
                if let Step::Answered(fresh) = state.workers[w].step {
                    state.left.outages -= 1;
                    self.write(state, fresh);
                }
            }
            Action::QueueDown(w) | Action::RescueReplyLost(w) => {
                state.left.outages -= 1;
                if matches!(action, Action::RescueReplyLost(_)) {
                    state.put_into_rescue(w);
                }
                if let Step::Stranded(fresh) = state.workers[w].step {
                    state.workers[w].step = Step::Homeless(fresh, Ending::Unrecorded);
                }
            }
            Action::Crash(w) => self.crash(state, w),
            Action::Freeze(w) => {
                state.left.freezes -= 1;
                state.workers[w].frozen = true;
            }
            Action::Thaw(w) => state.workers[w].frozen = false,
            Action::Lapse => state.lapse(),
            Action::Reinstall => self.reinstall(state),
            Action::Tombstone => {
                state.left.uninstalls -= 1;
                state.row.health = Health::Removed;
                state.observed.removed = state.row.generation;
            }
            Action::Purge => state.purge(),
            step => unreachable!("{step:?} is the protocol's"),
        }
    }

    fn answer(&self, state: &mut State, w: usize) {
        let worker = &mut state.workers[w];
        let Step::Sent(used, _) = worker.step else { return };
        worker.step = match state.notion.refresh(self.rotation, used) {
            Some(new) => Step::Answered(Fresh { used, new, attempt: worker.attempt }),
            None => Step::Refused(used),
        };
    }

    fn process_for_nobody(&self, state: &mut State, used: Token) {
        if let Some(new) = state.notion.refresh(self.rotation, used) {
            state.observed.lost.insert(new);
        }
    }

    /// The deadline of the request has passed.
    fn hear_nothing(&self, state: &mut State, w: usize) {
        state.excuse(w);
        let worker = &mut state.workers[w];
        if let Step::Sent(used, tries) = worker.step {
            let again = tries < TRIES || self.is(Flaw::BlindRetry);
            worker.step = if again { Step::Leased(used, tries) } else { Step::Releasing(Ending::Unknown) };
        }
    }

    fn crash(&self, state: &mut State, w: usize) {
        state.left.crashes -= 1;
        state.excuse(w);
        let worker = &state.workers[w];
        if let Step::Sent(used, _) = worker.step {
            state.stray(used);
        } else if let Some(fresh) = worker.step.in_hand()
            && worker.message.is_none()
        {
            state.observed.lost.insert(fresh.new);
        }
        self.rest(state, w);
    }

    fn reinstall(&self, state: &mut State) {
        state.left.reinstalls -= 1;
        let row = &mut state.row;
        if let Some(old) = row.pair.replace(state.notion.approve()) {
            row.superseded.insert(old);
            if !self.is(Flaw::ReinstallForgets) {
                // The lease is a part of the pair and moves aside with it: the new pair is free at once, and
                // a refresh that never ends stays on record.
                if row.lease.take().is_some() || row.in_doubt {
                    row.unsettled.insert(old);
                }
                row.in_doubt = false;
            }
        }
        row.health = Health::Active;
        row.generation += 1;
        row.refreshed_by = None;
    }
}

impl State {
    pub(super) fn faults(&self, actions: &mut Vec<Action>) {
        let left = &self.left;
        for (w, worker) in self.workers.iter().enumerate() {
            if left.losses > 0 && matches!(worker.step, Step::Sent(..)) {
                actions.extend([Action::LoseRequest(w), Action::LoseReply(w)]);
            }
            // A worker that has changed nothing yet may as well not have come.
            let busy = !matches!(worker.step, Step::Idle | Step::Waiting(_) | Step::Wanting(..) | Step::Done);
            if !busy || worker.frozen {
                continue;
            }
            if left.crashes > 0 {
                actions.push(Action::Crash(w));
            }
            if left.freezes > 0 && worker.message.is_none() {
                actions.push(Action::Freeze(w));
            }
            if left.outages > 0 {
                match worker.step {
                    Step::Answered(fresh) => {
                        actions.push(Action::TableDown(w));
                        if self.row.pair == Some(fresh.used) {
                            actions.push(Action::SaveReplyLost(w));
                        }
                    }
                    Step::Beaten(_) => actions.push(Action::TableDown(w)),
                    Step::Stranded(_) => actions.extend([Action::QueueDown(w), Action::RescueReplyLost(w)]),
                    _ => {}
                }
            }
        }
        if left.reinstalls > 0 {
            actions.push(Action::Reinstall);
        }
        if left.uninstalls > 0 && self.row.health != Health::Removed {
            actions.push(Action::Tombstone);
        }
    }

    fn stray(&mut self, used: Token) {
        self.strays.push(used);
        self.strays.sort_unstable();
    }

    /// A request whose answer nobody could record allows for another one. Once: `expired` says that it has.
    pub(super) fn excuse(&mut self, w: usize) {
        use Step::{Condemning, Refused, Releasing, Sent};
        let worker = &self.workers[w];
        let used = match worker.step {
            Sent(used, _) | Refused(used) | Condemning(used) | Releasing(Ending::Settled(used)) => Some(used),
            step => step.in_hand().map(|fresh| fresh.used),
        };
        if let Some(used) = used.filter(|_| !worker.expired && worker.message.is_none()) {
            self.observed.allowed[usize::from(used)] += 1;
        }
    }

    /// The worker that works under the lease of the row.
    fn holder(&self) -> Option<usize> {
        let lease = self.row.lease?;
        let works = |w: &Worker| !matches!(w.step, Step::Idle | Step::Done) && w.message.is_none();
        self.workers.iter().position(|w| w.attempt == lease.holder && works(w))
    }

    fn lapse(&mut self) {
        if let Some(w) = self.holder() {
            if self.workers[w].frozen {
                self.excuse(w);
            }
            self.workers[w].expired = true;
        }
        self.row.lease = self.row.lease.map(|lease| Lease { lapsed: true, ..lease });
    }

    /// Revokes all that the row keeps, and forgets it.
    fn purge(&mut self) {
        let row = &mut self.row;
        // Pairs whose successors may be alive with nobody to revoke them: an alarm names the bot.
        row.unsettled.iter().for_each(|pair| self.observed.reported.insert(self.notion.grant(pair)));
        let kept = row.superseded.iter().chain(row.pair);
        kept.for_each(|pair| self.notion.revoke(pair));
        row.pair = None;
        (row.superseded, row.unsettled) = Default::default();
    }
}

impl Step {
    /// The pair that this worker, and maybe nobody else, has.
    pub(super) fn in_hand(self) -> Option<Fresh> {
        let (Self::Answered(pair) | Self::Beaten(pair) | Self::Stranded(pair) | Self::Homeless(pair, _)) =
            self
        else {
            return None;
        };
        Some(pair)
    }
}
