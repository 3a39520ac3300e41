//! The steps of claims, of the sweep and of a disconnect, one call to the table each.

use super::{Action, Flaw, Happened, Health, Ownership, Pending, Row, State, Work};

impl Ownership {
    pub(super) fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// What happens without a fault or a person.
    pub(super) fn steps(&self, state: &State, actions: &mut Vec<Action>) {
        for (i, work) in state.claims.iter().enumerate() {
            match work {
                Work::Idle => actions.push(Action::ReadForClaim(i)),
                Work::Read(_) => actions.push(Action::Link(i)),
                Work::Linking => actions.push(Action::LinkApart(i)),
                Work::Done => {}
            }
        }
        match &state.sweep {
            Work::Idle if state.is_due(self) => actions.push(Action::ReadForSweep),
            Work::Read(_) => actions.push(Action::GiveBackUnclaimed),
            _ => {}
        }
        for (subject, work) in (0..).zip(&state.disconnects) {
            if let Work::Read(row) = work {
                let last = row.subjects.iter().count() == 1;
                actions.push(if last { Action::Tombstone(subject) } else { Action::Unlink(subject) });
            }
        }
        if state.row.as_ref().is_some_and(|row| !row.is_usable() && !row.is_purged()) {
            actions.push(Action::Purge);
        }
    }

    pub(super) fn step(&self, state: &mut State, action: Action) {
        match action {
            Action::ReadForClaim(i) => self.read_for_claim(state, i),
            Action::Link(i) => {
                self.link(state, i, true);
            }
            Action::LinkReplyLost(i) => {
                state.left.crashes -= 1;
                self.link(state, i, false);
            }
            Action::LinkApart(i) => {
                state.links.insert(self.claims[i].subject);
                state.claims[i] = Work::Done;
            }
            Action::ReadForSweep => state.sweep = state.row.clone().map_or(Work::Idle, Work::Read),
            Action::GiveBackUnclaimed => self.give_back_unclaimed(state),
            Action::ReadForDisconnect(subject) => {
                state.left.disconnects -= 1;
                let row = state.row.clone().filter(|row| row.is_usable() && row.subjects.contains(subject));
                state.disconnects[usize::from(subject)] = row.map_or(Work::Idle, Work::Read);
            }
            Action::Unlink(subject) => self.unlink(state, subject),
            Action::Tombstone(subject) => self.tombstone_as_read(state, subject),
            Action::Purge => state.purge(),
            other => self.happen(state, other),
        }
    }

    /// What the claim finds in the row decides: see `functions/claim/src/decision.rs`.
    fn read_for_claim(&self, state: &mut State, i: usize) {
        let claim = self.claims[i];
        let Some(row) = state.row.clone() else { return };
        let pending = row.pending.iter().find(|pending| pending.code == claim.code).copied();
        let Some(pending) = pending.filter(|_| row.is_usable()) else {
            // Removed or unknown. A code that was never issued cannot be claimed yet.
            if state.observed.bound.len() > usize::from(claim.code) && state.was_issued(claim.code) {
                state.claims[i] = Work::Done;
            }
            return;
        };
        match pending.claimed_by {
            Some(subject) if subject == claim.subject => {
                state.observed.note(Happened::Repeated, true);
                state.tell(claim.code, subject);
                state.claims[i] = Work::Done;
            }
            Some(_) => {
                state.observed.note(Happened::RefusedSecond, true);
                state.claims[i] = Work::Done;
            }
            None if state.expired.contains(claim.code) || row.health == Health::NeedsReinstall => {
                state.claims[i] = Work::Done;
            }
            None => state.claims[i] = Work::Read(row),
        }
    }

    /// `answered`: the reply of the transaction arrives. Otherwise the claim starts again.
    fn link(&self, state: &mut State, i: usize, answered: bool) {
        let claim = self.claims[i];
        let Work::Read(read) = std::mem::replace(&mut state.claims[i], Work::Idle) else { return };
        let Some(row) = state.row.as_mut() else { return };
        if row.version != read.version && !self.is(Flaw::LinkAsksNothing) {
            state.observed.note(Happened::ClaimLost, !row.is_usable());
            return;
        }
        let spent = (!self.is(Flaw::CodeIsNotSpent)).then_some(claim.subject);
        let mut linked = read;
        for pending in &mut linked.pending {
            if pending.code == claim.code {
                pending.claimed_by = spent;
            }
        }
        linked.subjects.insert(claim.subject);
        (linked.owned, linked.claim_by) = (true, None);
        linked.version = row.version + 1;
        *row = linked;
        state.observed.linked.insert(claim.subject);
        if self.is(Flaw::LinkIsWrittenApart) {
            state.claims[i] = Work::Linking;
        } else {
            state.links.insert(claim.subject);
        }
        if answered {
            state.tell(claim.code, claim.subject);
            if !self.is(Flaw::LinkIsWrittenApart) {
                state.claims[i] = Work::Done;
            }
        }
    }

    fn give_back_unclaimed(&self, state: &mut State) {
        let Work::Read(read) = std::mem::replace(&mut state.sweep, Work::Idle) else { return };
        let Some(row) = state.row.as_mut() else { return };
        if row.version != read.version && !self.is(Flaw::SweepAsksNothing) {
            state.observed.note(Happened::SweepLost, row.owned);
            return;
        }
        state.observed.note(Happened::GaveBack, true);
        state.observed.note(Happened::GaveBackOwned, row.owned || !row.subjects.is_empty());
        state.entomb();
    }

    fn unlink(&self, state: &mut State, subject: u8) {
        let work = &mut state.disconnects[usize::from(subject)];
        let Work::Read(read) = std::mem::replace(work, Work::Idle) else { return };
        let Some(row) = state.row.as_mut() else { return };
        if row.version != read.version && !self.is(Flaw::UnlinkAsksNothing) {
            // It reads again.
            state.left.disconnects += 1;
            return;
        }
        row.subjects.remove(subject);
        row.pending.retain(|pending| pending.claimed_by != Some(subject));
        row.version += 1;
        state.links.remove(subject);
        state.observed.linked.remove(subject);
    }

    /// The last subject disconnects.
    fn tombstone_as_read(&self, state: &mut State, subject: u8) {
        let work = &mut state.disconnects[usize::from(subject)];
        let Work::Read(read) = std::mem::replace(work, Work::Idle) else { return };
        let Some(row) = state.row.as_ref() else { return };
        if row.version != read.version && !self.is(Flaw::UnlinkAsksNothing) {
            state.left.disconnects += 1;
            return;
        }
        state.entomb();
    }
}

impl Row {
    pub(super) fn is_purged(&self) -> bool {
        self.subjects.is_empty() && self.pending.is_empty() && self.claim_by.is_none() && !self.owned
    }
}

impl State {
    /// Whether the sweep has something to give back.
    pub(super) fn is_due(&self, model: &Ownership) -> bool {
        let over = |row: &Row| row.claim_by.is_some_and(|window| self.windows_over.contains(window));
        let nobodys =
            |row: &Row| row.is_unclaimed() || (model.is(Flaw::SweepMissesTheOwner) && row.is_usable());
        self.row.as_ref().is_some_and(|row| nobodys(row) && over(row))
    }

    pub(super) fn was_issued(&self, code: u8) -> bool {
        // Codes are issued in order.
        usize::from(code) < self.observed.bound.len() - usize::from(self.left.app_installs)
    }

    /// A caller is told that the subject is linked.
    fn tell(&mut self, code: u8, subject: u8) {
        self.observed.bound[usize::from(code)].insert(subject);
    }

    /// The links stay until the purge.
    pub(super) fn entomb(&mut self) {
        if let Some(row) = self.row.as_mut() {
            row.health = Health::Removed;
            row.version += 1;
        }
        self.observed.linked = super::Set::default();
        self.observed.plain = false;
    }

    /// Its version is still that of the tombstone: nothing else is read in between.
    fn purge(&mut self) {
        if let Some(row) = self.row.as_mut() {
            for subject in row.subjects.iter() {
                self.links.remove(subject);
            }
            (row.subjects, row.pending) = (super::Set::default(), Vec::<Pending>::new());
            (row.owned, row.claim_by) = (false, None);
            row.version += 1;
        }
    }
}
