//! People, the clock, backends that ask for tokens, and faults.

use super::{Action, Flaw, Happened, Health, Ownership, Pending, Row, Set, State, Work};

impl Ownership {
    pub(super) fn events(&self, state: &State, actions: &mut Vec<Action>) {
        let left = state.left;
        if state.install.is_some() {
            actions.push(Action::Save);
        } else {
            let code = self.budget.app_installs - left.app_installs;
            actions.extend((left.app_installs > 0).then_some(Action::Approves(Some(code))));
            actions.extend((left.plain_installs > 0).then_some(Action::Approves(None)));
        }
        let issued = (0..self.budget.app_installs).filter(|code| state.was_issued(*code));
        for code in issued {
            if !state.expired.contains(code) {
                actions.push(Action::CodeExpires(code));
            } else if !state.windows_over.contains(code) {
                // The window is longer than the life of a code.
                actions.push(Action::WindowEnds(code));
            }
        }
        if let Some(row) = &state.row {
            let subjects: Vec<u8> = row.subjects.iter().chain(state.links.iter()).collect();
            actions.push(Action::Vend);
            actions.extend(subjects.iter().map(|subject| Action::VendTo(*subject)));
            if left.deaths > 0 && row.health == Health::Active {
                actions.push(Action::Dies);
            }
            if left.uninstalls > 0 && row.is_usable() {
                actions.push(Action::Uninstall);
            }
            let idle = |subject: &u8| state.disconnects[usize::from(*subject)] == Work::Idle;
            if left.disconnects > 0 {
                actions.extend(row.subjects.iter().filter(idle).map(Action::ReadForDisconnect));
            }
        }
        for (i, work) in state.claims.iter().enumerate() {
            match work {
                Work::Read(_) if left.crashes > 0 => {
                    actions.extend([Action::LinkReplyLost(i), Action::Crash(i)]);
                }
                Work::Linking if left.crashes > 0 => actions.push(Action::Crash(i)),
                Work::Done if left.repeats > 0 => actions.push(Action::ClaimAgain(i)),
                _ => {}
            }
        }
    }

    pub(super) fn happen(&self, state: &mut State, action: Action) {
        match action {
            Action::Vend => {
                let vended = state.row.as_ref().is_some_and(|row| {
                    row.health == Health::Active && (self.is(Flaw::VendMissesTheClaim) || !row.is_unclaimed())
                });
                let unclaimed = state.row.as_ref().is_some_and(Row::is_unclaimed);
                state.observed.note(Happened::VendedUnclaimed, vended && unclaimed);
            }
            Action::VendTo(subject) => {
                let vended = state.row.as_ref().is_some_and(|row| {
                    row.health == Health::Active && !row.is_unclaimed() && row.subjects.contains(subject)
                });
                state
                    .observed
                    .note(Happened::VendedToStranger, vended && !state.observed.linked.contains(subject));
            }
            Action::Approves(code) => {
                match code {
                    Some(_) => state.left.app_installs -= 1,
                    None => state.left.plain_installs -= 1,
                }
                state.install = Some((code, state.row.clone()));
            }
            Action::Save => self.save(state),
            Action::Dies => {
                state.left.deaths -= 1;
                if let Some(row) = state.row.as_mut() {
                    row.health = Health::NeedsReinstall;
                    row.version += 1;
                }
            }
            Action::CodeExpires(code) => state.expired.insert(code),
            Action::WindowEnds(code) => state.windows_over.insert(code),
            Action::Uninstall => {
                state.left.uninstalls -= 1;
                state.entomb();
            }
            Action::Crash(i) => {
                state.left.crashes -= 1;
                state.claims[i] = Work::Idle;
            }
            Action::ClaimAgain(i) => {
                state.left.repeats -= 1;
                state.claims[i] = Work::Idle;
            }
            _ => unreachable!("a step of the protocol"),
        }
    }

    /// The save of an install: see `decide` and `own` in `vault/src/store/installations.rs`.
    fn save(&self, state: &mut State) {
        let Some((code, read)) = state.install.take() else { return };
        let (now, then) = (state.row.as_ref().map(|row| row.version), read.as_ref().map(|row| row.version));
        if now != then && !self.is(Flaw::InstallAsksNothing) {
            // It decides again, by the row that the failure returned.
            state.install = Some((code, state.row.clone()));
            return;
        }
        let mut row = read.unwrap_or(Row {
            version: 0,
            health: Health::Removed,
            owned: false,
            claim_by: None,
            pending: Vec::new(),
            subjects: Set::default(),
        });
        let was_active = row.health == Health::Active && !row.is_unclaimed();
        if row.health == Health::Removed {
            let subjects = std::mem::take(&mut row.subjects);
            if self.is(Flaw::InstallKeepsRemovedSubjects) {
                row.subjects = subjects;
            } else {
                for subject in subjects.iter() {
                    state.links.remove(subject);
                }
            }
            (row.owned, row.claim_by) = (false, None);
            row.pending.clear();
        }
        row.health = Health::Active;
        match code {
            None => {
                (row.owned, row.claim_by) = (true, None);
                state.observed.plain = true;
            }
            Some(code) => {
                row.pending.push(Pending { code, claimed_by: None });
                row.owned = was_active || !row.subjects.is_empty();
                row.claim_by = Some(code);
            }
        }
        row.version = now.unwrap_or(0) + 1;
        state.row = Some(row);
    }
}
