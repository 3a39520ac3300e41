//! What happens to the protocol: people, the backend, and faults within their budgets.

use super::protocol::index;
use super::{Action, Call, Claim, Lifecycle, Message, State, Step, Who};

impl State {
    /// What people, the backend and the world may do.
    pub(super) fn faults(&self, actions: &mut Vec<Action>) {
        let left = &self.left;
        for (i, callback) in self.callbacks.iter().enumerate() {
            // Installs are alike, so they start in order.
            if callback.call == Call::Idle && (i == 0 || self.callbacks[i - 1].call != Call::Idle) {
                actions.push(Action::Approves(i));
            }
            if left.crashes > 0 && !matches!(callback.call, Call::Idle | Call::Done) {
                actions.push(Action::Crash(Who::Callback(i)));
            }
            if callback.late && left.late_saves > 0 {
                actions.push(Action::SaveArrives(i));
            }
            let settled = callback.claim != Claim::Exchanging && callback.claim != Claim::Gone;
            let waits = callback.claim == Claim::Exchanging && self.queue.contains(index(i));
            if left.expiries > 0 && callback.call == Call::Done && (settled || waits) {
                actions.push(Action::ClaimExpires(i));
            }
            if left.outages > 0 {
                match callback.call {
                    Call::Answered => actions.extend([Action::TableDown(i), Action::SaveReplyLost(i)]),
                    Call::Stranded => actions.extend([Action::QueueDown(i), Action::RescueReplyLost(i)]),
                    Call::Unheard => actions.push(Action::SettleFails(i)),
                    Call::Looking => actions.push(Action::ReadFails(i)),
                    Call::Idle | Call::Homeless | Call::Done => {}
                }
            }
        }
        if left.crashes > 0 {
            let busy = [(self.sweep, Who::Sweep), (self.uninstall, Who::Uninstall)];
            let busy = busy.into_iter().filter(|(step, _)| *step != Step::Idle);
            actions.extend(busy.map(|(_, who)| Action::Crash(who)));
        }
        if left.uninstalls > 0 {
            if left.unnamed > 0 {
                actions.extend([false, true].map(|forget| Action::Uninstall(None, forget)));
            }
            if let Some(row) = self.row.as_ref().filter(|row| row.is_usable()) {
                let named = Some(row.generation);
                actions.extend([false, true].map(|forget| Action::Uninstall(named, forget)));
            }
        }
    }
}

impl Lifecycle {
    pub(super) fn happen(&self, state: &mut State, action: Action) {
        match action {
            Action::Approves(i) => {
                state.callbacks[i].token = state.notion.approve();
                state.callbacks[i].call = Call::Answered;
            }
            Action::TableDown(i) => {
                state.left.outages -= 1;
                state.callbacks[i].call = Call::Stranded;
                state.callbacks[i].late = state.left.late_saves > 0;
            }
            Action::SaveReplyLost(i) => {
                state.left.outages -= 1;
                self.write(state, i, true);
                state.callbacks[i].call = Call::Stranded;
            }
            Action::SaveArrives(i) => {
                state.left.late_saves -= 1;
                state.callbacks[i].late = false;
                // Its transaction is conditional on the claim.
                if state.callbacks[i].claim == Claim::Exchanging {
                    self.write(state, i, true);
                }
            }
            Action::QueueDown(i) | Action::RescueReplyLost(i) => {
                state.left.outages -= 1;
                if action == Action::RescueReplyLost(i) {
                    state.put_into_rescue(i);
                }
                state.callbacks[i].call = Call::Unheard;
                // Neither store accepted it: an alarm names the bot.
                state.observed.reported.insert(state.callbacks[i].token);
            }
            Action::SettleFails(i) => {
                state.left.outages -= 1;
                if self.gives_back_unsettled {
                    state.callbacks[i].call = Call::Looking;
                } else {
                    state.give_up(i);
                }
            }
            Action::ReadFails(i) => {
                state.left.outages -= 1;
                state.callbacks[i].call = Call::Homeless;
            }
            Action::Crash(who) => {
                state.left.crashes -= 1;
                match who {
                    Who::Callback(i) => state.give_up(i),
                    Who::Sweep => state.sweep = Step::Idle,
                    Who::Uninstall => state.uninstall = Step::Idle,
                }
            }
            Action::ClaimExpires(i) => {
                state.left.expiries -= 1;
                state.callbacks[i].claim = Claim::Gone;
            }
            Action::Uninstall(generation, forget) => {
                state.left.uninstalls -= 1;
                state.left.unnamed -= u8::from(generation.is_none());
                let sent_at = state.notion.now();
                state.messages.push(Message { generation, forget, sent_at, arrived: false });
            }
            step => unreachable!("{step:?} is a step of the protocol"),
        }
    }
}

impl State {
    /// The callback ends without saving its pair. Its claim stays `exchanging`, and the sweep will find it.
    fn give_up(&mut self, i: usize) {
        self.observed.lost.insert(self.callbacks[i].token);
        self.callbacks[i].call = Call::Done;
    }
}
