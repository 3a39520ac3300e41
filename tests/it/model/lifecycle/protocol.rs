//! The steps of callbacks, of the sweep and of the uninstall function, one call each.

use super::super::row::Health;
use super::{Action, Call, Claim, Flaw, Lifecycle, Removal, State, Step, Who};

impl Lifecycle {
    pub(super) fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// What happens without a fault or a person.
    pub(super) fn steps(&self, state: &State, actions: &mut Vec<Action>) {
        for (i, callback) in state.callbacks.iter().enumerate() {
            let who = Who::Callback(i);
            match callback.call {
                Call::Answered => actions.push(Action::Save(who)),
                Call::Stranded => actions.push(Action::PutIntoRescue(i)),
                Call::Unheard => actions.push(Action::Settle(who, i)),
                Call::Looking => actions.push(Action::Read(who)),
                Call::Homeless => actions.push(Action::GiveBack(who)),
                Call::Idle | Call::Done => {}
            }
        }
        self.sweep_steps(state, actions);
        match state.uninstall {
            Step::Removing(_) => actions.push(Action::GiveBack(Who::Uninstall)),
            Step::Returned(removal) => actions.push(Self::ending(removal, Who::Uninstall)),
            _ => {
                let again = state.left.repeats > 0;
                let arrives = |at: &usize| again || !state.messages[*at].arrived;
                actions.extend((0..state.messages.len()).filter(arrives).map(Action::Tombstone));
            }
        }
    }

    fn sweep_steps(&self, state: &State, actions: &mut Vec<Action>) {
        let next = match state.sweep {
            Step::Idle => {
                actions.extend(state.queue.iter().map(|i| Action::ReplayRescued(usize::from(i))));
                let stuck = (0..state.callbacks.len()).filter(|&i| state.is_stuck(i));
                actions.extend(stuck.map(|i| Action::Settle(Who::Sweep, i)));
                if !state.is_due() {
                    return;
                }
                Action::Read(Who::Sweep)
            }
            Step::Installing(_) => Action::Save(Who::Sweep),
            Step::Late(_) | Step::Removing(_) => Action::GiveBack(Who::Sweep),
            Step::Replayed(i) => Action::DeleteRescued(i),
            Step::Doubting(_) => Action::LookAt,
            Step::Alive(_) => Action::MarkVerified,
            Step::Dead(_) => Action::Send,
            Step::Condemning(_, Some(_)) if !self.is(Flaw::MarkDespiteSuperseded) => {
                Action::PromoteSuperseded
            }
            Step::Condemning(..) => Action::MarkNeedsReinstall,
            Step::Returned(removal) => Self::ending(removal, Who::Sweep),
        };
        actions.push(next);
    }

    fn ending(removal: Removal, who: Who) -> Action {
        if removal.forget { Action::Forget(who) } else { Action::Purge(who) }
    }

    pub(super) fn step(&self, state: &mut State, action: Action) {
        match action {
            Action::Save(Who::Callback(i)) => self.save(state, i),
            Action::Save(_) => self.save_rescued(state),
            Action::PutIntoRescue(i) => state.put_into_rescue(i),
            Action::Settle(Who::Callback(i), _) => {
                if state.callbacks[i].claim == Claim::Exchanging {
                    state.callbacks[i].claim = Claim::NotSaved;
                }
                state.callbacks[i].call = Call::Looking;
            }
            Action::Settle(_, i) => {
                state.callbacks[i].claim = Claim::Unknown;
                state.observed.reported.insert(state.callbacks[i].token);
            }
            Action::Read(Who::Callback(i)) => {
                let callback = &mut state.callbacks[i];
                let has_it = state.row.as_ref().is_some_and(|row| row.knows(callback.token));
                callback.call = if has_it { Call::Done } else { Call::Homeless };
            }
            Action::Read(_) => state.sweep = state.read(),
            Action::GiveBack(who) => state.give_back(who),
            Action::ReplayRescued(i) => {
                // The queue's reply was lost, so the callback revoked the grant and told the person.
                let gone = state.callbacks[i].claim == Claim::NotSaved;
                state.sweep = if gone { Step::Replayed(i) } else { Step::Installing(i) };
            }
            Action::DeleteRescued(i) => {
                state.queue.remove(index(i));
                state.sweep = Step::Idle;
            }
            Action::LookAt => {
                if let Step::Doubting(token) = state.sweep {
                    let alive = state.notion.live().contains(token);
                    state.sweep = if alive { Step::Alive(token) } else { Step::Dead(token) };
                }
            }
            Action::MarkVerified => state.mark_verified(),
            Action::Send => state.send(),
            Action::PromoteSuperseded | Action::MarkNeedsReinstall => self.succeed_or_mark(state),
            Action::Tombstone(at) => self.tombstone(state, at),
            Action::Purge(who) => self.purge(state, who),
            Action::Forget(who) => self.forget(state, who),
            other => self.happen(state, other),
        }
    }

    /// If the row still has the refused pair and no other was added since, the newest superseded pair takes its
    /// place, or the row is marked.
    fn succeed_or_mark(&self, state: &mut State) {
        let Step::Condemning(dead, heir) = std::mem::replace(&mut state.sweep, Step::Idle) else { return };
        let Some(row) = state.row.as_mut() else { return };
        if row.pair != Some(dead) || !row.is_usable() || row.newest_superseded() != heir {
            return;
        }
        match heir.filter(|_| !self.is(Flaw::MarkDespiteSuperseded)) {
            Some(heir) => {
                row.superseded.remove(heir);
                row.consumed.insert(dead);
                (row.pair, row.health) = (Some(heir), Health::Unverified);
            }
            None => row.health = Health::NeedsReinstall,
        }
        state.observed.reported.insert(dead);
    }
}

impl State {
    fn give_back(&mut self, who: Who) {
        match (who, self.sweep) {
            (Who::Callback(i), _) => {
                self.revoke(self.callbacks[i].token);
                self.callbacks[i].call = Call::Done;
            }
            (Who::Sweep, Step::Late(i)) => {
                self.revoke(self.callbacks[i].token);
                self.sweep = Step::Replayed(i);
            }
            _ => self.revoke_removed(who),
        }
    }

    /// What the sweep finds in the row.
    fn read(&self) -> Step {
        let Some(row) = &self.row else { return Step::Idle };
        match row.pair {
            Some(token) if row.health == Health::Unverified && row.removed().is_empty() => {
                Step::Doubting(token)
            }
            _ => {
                let forget = row.forget && row.health == Health::Removed;
                Step::Removing(Removal { removed_at: row.removed_at, pairs: row.removed(), forget })
            }
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.row.as_ref().is_some_and(|row| {
            let forget = row.forget && row.health == Health::Removed;
            row.health == Health::Unverified || !row.removed().is_empty() || forget
        })
    }

    /// A claim whose callback ended without an outcome, and that has no record in the queue.
    pub(super) fn is_stuck(&self, i: usize) -> bool {
        let callback = &self.callbacks[i];
        let ended = callback.call == Call::Done && callback.claim == Claim::Exchanging;
        ended && !self.queue.contains(index(i))
    }

    fn mark_verified(&mut self) {
        let Step::Alive(token) = std::mem::replace(&mut self.sweep, Step::Idle) else { return };
        if let Some(row) = self.row.as_mut().filter(|row| row.pair == Some(token) && row.is_usable()) {
            row.health = Health::Active;
        }
    }

    /// A refresh of a pair whose access token is dead, including its lease: nobody else refreshes here. Notion
    /// refuses.
    fn send(&mut self) {
        let Step::Dead(token) = self.sweep else { return };
        let row = self.row.as_ref().filter(|row| row.pair == Some(token) && row.is_usable());
        self.sweep = row.map_or(Step::Idle, |row| Step::Condemning(token, row.newest_superseded()));
    }

    pub(super) fn revoke(&mut self, token: u8) {
        self.notion.revoke(token);
        self.observed.given_back.insert(token);
    }
}

pub(super) fn index(i: usize) -> u8 {
    u8::try_from(i).expect("few installs")
}
