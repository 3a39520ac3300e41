//! What happens to the protocol: Notion, time, people, and faults within their budgets.

use super::notion::Set;
use super::protocol::TRIES;
use super::row::{Health, Lease, Pair};
use super::{Action, Arrival, Ending, Flaw, Fresh, Refresh, Rescued, State, Step, Token, Worker};

impl Refresh {
    /// Events that need no fault.
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
        for pair in state.row.pairs() {
            let Some(lease) = pair.lease.filter(|lease| !lease.lapsed) else { continue };
            // A lease lasts longer than a request and the function that sends it, so it cannot lapse while its holder
            // runs.
            let runs = state.holder(lease).is_some_and(|w| !state.workers[w].frozen);
            if !runs || self.is(Flaw::ShortLease) {
                actions.push(Action::Lapse(pair.token));
            }
        }
        // An alarm has called the operator.
        actions.extend(state.dead_letters.iter().map(|&rescued| Action::MovedBack(rescued)));
        // Not while a refresh may be in flight: the pair in the row may be consumed, and its successor alive.
        let runs = |pair: &Pair| pair.lease.is_some_and(|lease| !lease.lapsed);
        if state.row.removed().next().is_some() && !state.row.removed().any(runs) {
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
                    // The message stays in the queue, and is received again.
                    _ if state.workers[w].message.is_some() => self.rest(state, w),
                    Step::Answered(fresh) | Step::Beaten(fresh) => {
                        state.workers[w].step = Step::Stranded(fresh);
                    }
                    Step::Unheard(fresh) => {
                        state.workers[w].step = Step::Homeless(fresh, Ending::Unrecorded);
                    }
                    _ => {}
                }
            }
            Action::SaveReplyLost(w) => {
                if let Step::Answered(fresh) = state.workers[w].step {
                    state.left.outages -= 1;
                    self.write(state, w, fresh);
                }
            }
            Action::QueueDown(w) | Action::RescueReplyLost(w) => {
                state.left.outages -= 1;
                if matches!(action, Action::RescueReplyLost(_)) {
                    state.put_into_rescue(w);
                }
                if let Step::Stranded(fresh) = state.workers[w].step {
                    state.workers[w].step = Step::Unheard(fresh);
                }
            }
            Action::Crash(w) => self.crash(state, w),
            Action::Freeze(w) => {
                state.left.freezes -= 1;
                state.workers[w].frozen = true;
            }
            Action::Thaw(w) => state.workers[w].frozen = false,
            Action::Lapse(token) => state.lapse(token),
            Action::Reinstall(arrival) => self.reinstall(state, arrival),
            Action::InstallGivenBack(token) => {
                state.left.outages -= 1;
                state.revoke(token);
            }
            Action::BecomesDeadLetter(rescued) => {
                state.left.dead_letters -= 1;
                state.queue.retain(|&queued| queued != rescued);
                state.dead_letters.push(rescued);
                state.dead_letters.sort_unstable();
            }
            Action::MovedBack(rescued) => {
                state.dead_letters.retain(|&dead| dead != rescued);
                state.rescue(rescued);
            }
            Action::Tombstone => {
                state.left.uninstalls -= 1;
                state.row.health = Health::Removed;
                state.row.removed_at = state.notion.now();
                state.observed.removed = state.row.generation;
                // Also what is waiting to be saved.
                let grants = (0..state.notion.now()).map(|token| state.notion.grant(token));
                grants.for_each(|grant| state.observed.uninstalled.insert(grant));
            }
            Action::Purge => state.purge(),
            step => unreachable!("{step:?} is a step of the protocol"),
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

    fn reinstall(&self, state: &mut State, arrival: Arrival) {
        state.left.reinstalls -= 1;
        let token = state.notion.approve();
        if arrival != Arrival::Saved {
            state.left.outages -= 1;
            state.rescue(Rescued::Install(token));
        }
        if arrival != Arrival::Rescued {
            self.install(state, token, true);
        }
    }
}

impl State {
    pub(super) fn faults(&self, actions: &mut Vec<Action>) {
        let left = &self.left;
        for (w, worker) in self.workers.iter().enumerate() {
            if left.losses > 0 && matches!(worker.step, Step::Sent(..)) {
                actions.extend([Action::LoseRequest(w), Action::LoseReply(w)]);
            }
            // A worker that has changed nothing yet need not have started at all.
            let busy = !matches!(
                worker.step,
                Step::Idle | Step::Waiting(_) | Step::Wanting(..) | Step::Doubting(_) | Step::Done
            );
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
                        if self.row.token() == Some(fresh.used) {
                            actions.push(Action::SaveReplyLost(w));
                        }
                    }
                    Step::Beaten(_) | Step::Unheard(_) => actions.push(Action::TableDown(w)),
                    Step::Stranded(_) => actions.extend([Action::QueueDown(w), Action::RescueReplyLost(w)]),
                    _ => {}
                }
            }
        }
        if left.reinstalls > 0 {
            actions.push(Action::Reinstall(Arrival::Saved));
            if left.outages > 0 {
                actions.extend([Arrival::Rescued, Arrival::Both].map(Action::Reinstall));
            }
        }
        let waiting = self.queue.iter().chain(&self.dead_letters);
        actions.extend(waiting.filter_map(|&rescued| match rescued {
            Rescued::Install(token) if left.outages > 0 && !self.row.knows(token) => {
                Some(Action::InstallGivenBack(token))
            }
            _ => None,
        }));
        if left.dead_letters > 0 {
            actions.extend(self.queue.iter().map(|&rescued| Action::BecomesDeadLetter(rescued)));
        }
        if left.uninstalls > 0 && self.row.health != Health::Removed {
            actions.push(Action::Tombstone);
        }
    }

    fn stray(&mut self, used: Token) {
        self.strays.push(used);
        self.strays.sort_unstable();
    }

    /// A request whose answer nobody could record allows one more request. Only once: `expired` says that it was
    /// used.
    pub(super) fn excuse(&mut self, w: usize) {
        use Step::{Adopting, Condemning, Refused, Releasing, Sent};
        let worker = &self.workers[w];
        let used = match worker.step {
            Sent(used, _)
            | Refused(used)
            | Condemning(used, _)
            | Adopting(Some(used))
            | Releasing(Ending::Settled(used)) => Some(used),
            step => step.in_hand().map(|fresh| fresh.used),
        };
        if let Some(used) = used.filter(|_| !worker.expired && worker.message.is_none()) {
            self.observed.allowed[usize::from(used)] += 1;
        }
    }

    /// The worker that holds this lease.
    fn holder(&self, lease: Lease) -> Option<usize> {
        let works = |w: &Worker| !matches!(w.step, Step::Idle | Step::Done) && w.message.is_none();
        self.workers.iter().position(|w| w.attempt == lease.holder && works(w))
    }

    fn lapse(&mut self, token: Token) {
        let Some(at) = self.row.pairs().position(|pair| pair.token == token) else { return };
        let Some(lease) = self.row.pairs().nth(at).and_then(|pair| pair.lease) else { return };
        if let Some(w) = self.holder(lease) {
            if self.workers[w].frozen {
                self.excuse(w);
            }
            self.workers[w].expired = true;
        }
        if let Some(pair) = self.row.pairs_mut().nth(at) {
            pair.lease = Some(Lease { lapsed: true, ..lease });
        }
    }

    /// Revokes everything that was removed, and deletes it.
    fn purge(&mut self) {
        let pairs: Vec<_> = self.row.removed().copied().collect();
        for pair in pairs {
            self.revoke(pair.token);
            if pair.is_unsettled() {
                // Its successor may be alive, and nobody can revoke it: an alarm names the bot.
                self.observed.reported.insert(self.notion.grant(pair.token));
            }
        }
        self.row.to_revoke.clear();
        if self.row.health == Health::Removed {
            self.row.pair = None;
            self.row.superseded.clear();
            self.row.consumed = Set::default();
        }
    }
}

impl Step {
    /// The pair that this worker, and perhaps nobody else, has.
    pub(super) fn in_hand(self) -> Option<Fresh> {
        match self {
            Self::Answered(pair)
            | Self::Beaten(pair)
            | Self::Stranded(pair)
            | Self::Unheard(pair)
            | Self::Homeless(pair, _) => Some(pair),
            _ => None,
        }
    }
}
