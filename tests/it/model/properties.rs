//! What must always hold, and what must be possible, so that the model is not right merely because nothing happens.

use stateright::Property;

use super::notion::Set;
use super::protocol::TRIES;
use super::row::Health;
use super::{Ending, Refresh, Rescued, State, Step};

pub(super) const NO_SILENT_LOSS: &str = "I1 no grant is lost silently";
pub(super) const ONE_REQUEST: &str = "I2 one request per token and unrecorded answer";
pub(super) const ONE_MORE_TRY: &str = "I2 one more try per attempt";
pub(super) const NO_FALSE_MARK: &str = "I3 no installation with a living pair is marked";
pub(super) const NO_REVIVAL: &str = "nothing that was revoked is active before Notion was asked";
pub(super) const UNINSTALL_IS_FINAL: &str = "a tombstone stays until somebody installs again";
pub(super) const NO_RETURN: &str = "what was removed is not in use again";
pub(super) const ONE_PLACE: &str = "no pair is superseded that is, or was, current";
pub(super) const NOTHING_LEFT: &str = "the sweep leaves nothing behind";

pub(super) fn always() -> Vec<Property<Refresh>> {
    vec![
        Property::always(NO_SILENT_LOSS, |_, state: &State| state.no_silent_loss()),
        Property::always(ONE_REQUEST, |_, state: &State| {
            state.observed.allowed.iter().all(|&allowed| allowed >= 0)
        }),
        Property::always(ONE_MORE_TRY, |_, state: &State| {
            state.workers.iter().all(|w| !matches!(w.step, Step::Sent(_, tries) if tries > TRIES))
        }),
        Property::always(NO_FALSE_MARK, |_, state: &State| {
            let lives = |token| state.notion.live().contains(token);
            let row = &state.row;
            let usable = row.superseded.iter().chain(&row.pair).any(|pair| lives(pair.token));
            row.health != Health::NeedsReinstall || !usable
        }),
        Property::always(NO_REVIVAL, |_, state: &State| !state.observed.revived),
        Property::always(UNINSTALL_IS_FINAL, |_, state: &State| {
            state.row.generation != state.observed.removed || state.row.health == Health::Removed
        }),
        Property::always(NO_RETURN, |_, state: &State| {
            let removed = |token| state.observed.uninstalled.contains(state.notion.grant(token));
            !state.row.is_usable() || !state.row.token().is_some_and(removed)
        }),
        // Revoking the superseded pair would revoke the pair in use.
        Property::always(ONE_PLACE, |_, state: &State| {
            let row = &state.row;
            let was = |token| row.token() == Some(token) || row.consumed.contains(token);
            !row.superseded.iter().any(|pair| was(pair.token))
        }),
        Property::always(NOTHING_LEFT, |model: &Refresh, state: &State| {
            let row = &state.row;
            let waits = !state.queue.is_empty() || !state.dead_letters.is_empty();
            let kept = row.removed().next().is_some();
            let left = row.lease().is_some() || row.is_due() || waits || kept;
            !left || model.goes_on(state)
        }),
    ]
}

pub(super) fn sometimes() -> Vec<Property<Refresh>> {
    vec![
        Property::sometimes("a refresh succeeds", |_, state: &State| state.row.refreshed_by.is_some()),
        Property::sometimes("a rescued pair is replayed", |_, state: &State| {
            state.workers.iter().any(|w| match w.message {
                Some(Rescued::Refresh(fresh)) => w.step == Step::Replayed && state.row.is_at(fresh.new),
                _ => false,
            })
        }),
        Property::sometimes("a row is marked", |_, state: &State| state.row.health == Health::NeedsReinstall),
        Property::sometimes("a reinstall wins over a refresh in flight", |_, state: &State| {
            let beaten = |step| matches!(step, Step::Beaten(fresh) if state.is_older(fresh.new));
            state.workers.iter().any(|w| beaten(w.step))
        }),
        Property::sometimes("a tombstone wins over a refresh in flight", |_, state: &State| {
            let homeless = |step| matches!(step, Step::Homeless(_, Ending::Settled(_)));
            state.row.health == Health::Removed && state.workers.iter().any(|w| homeless(w.step))
        }),
        // The next conditional write finds the lease that it expects.
        Property::sometimes("a lapsed lease is taken over after a look", |_, state: &State| {
            let wants = |step| matches!(step, Step::Wanting(_, seen) if seen == state.row.lease());
            state.row.lease().is_some() && state.workers.iter().any(|w| wants(w.step) && w.look.is_some())
        }),
        Property::sometimes("a pair can only be revoked", |_, state: &State| {
            state.workers.iter().any(|w| matches!(w.step, Step::Homeless(_, Ending::Unrecorded)))
        }),
        Property::sometimes("a row in doubt is processed", |_, state: &State| {
            state.row.in_doubt() && state.row.lease().is_some_and(|lease| !lease.lapsed)
        }),
        Property::sometimes("a record becomes a dead letter and is moved back", |_, state: &State| {
            let moved = state.dead_letters.is_empty() && !state.queue.is_empty();
            state.left.dead_letters == 0 && moved
        }),
        Property::sometimes("a superseded pair is promoted and alive", |_, state: &State| {
            let older = state.row.token().is_some_and(|token| token < state.row.exchanged);
            older && state.row.health == Health::Active && state.workers.iter().all(|w| w.message.is_none())
        }),
        Property::sometimes("a promoted pair is being refreshed", |_, state: &State| {
            let older = state.row.token().is_some_and(|token| token < state.row.exchanged);
            older && state.row.is_usable() && state.row.lease().is_some_and(|lease| !lease.lapsed)
        }),
        Property::sometimes("an unverified pair is alive", |_, state: &State| {
            let lives = |step| matches!(step, Step::Alive(token) if state.row.is_at(token));
            state.workers.iter().any(|w| lives(w.step))
        }),
        Property::sometimes("a rescued install that was revoked is found dead", |_, state: &State| {
            let dead = |token| state.observed.given_back.contains(token) && state.row.is_at(token);
            let condemns = |step| matches!(step, Step::Condemning(token, Some(_)) if dead(token));
            state.row.health == Health::Unverified && state.workers.iter().any(|w| condemns(w.step))
        }),
    ]
}

impl Refresh {
    /// Whether anything will still happen without a fault or a person.
    fn goes_on(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.steps(state, &mut actions);
        self.events(state, &mut actions);
        !actions.is_empty()
    }
}

impl State {
    /// Every live pair is stored, or held by a worker. If no worker received it, or its worker crashed with it,
    /// another live pair keeps its grant, or a record says that it may be lost.
    fn no_silent_loss(&self) -> bool {
        let kept = self.kept();
        self.notion.live().iter().all(|token| {
            let grant = self.notion.grant(token);
            // Consumed and alive: Grace's second newest, which its successor replaces.
            let replaced = || {
                let newest = self.notion.newest(grant);
                newest != token && (self.row.consumed.contains(token) || kept.contains(newest))
            };
            kept.contains(token)
                || replaced()
                || self.observed.lost.contains(token) && self.is_noted(grant, kept)
        })
    }

    fn kept(&self) -> Set {
        let mut kept = Set::default();
        self.row.pairs().for_each(|pair| kept.insert(pair.token));
        for rescued in self.queue.iter().chain(&self.dead_letters) {
            let (Rescued::Install(token) | Rescued::Refresh(super::Fresh { new: token, .. })) = *rescued;
            kept.insert(token);
        }
        self.workers.iter().filter_map(|w| w.step.in_hand()).for_each(|fresh| kept.insert(fresh.new));
        kept
    }

    fn is_noted(&self, grant: u8, kept: Set) -> bool {
        let is_of = |token: u8| self.notion.grant(token) == grant;
        self.observed.reported.contains(grant)
            || self.row.pairs().any(|pair| pair.is_unsettled() && is_of(pair.token))
            || kept.iter().any(|token| is_of(token) && self.notion.live().contains(token))
    }

    /// Whether the pair in the row is of a later approval.
    fn is_older(&self, token: u8) -> bool {
        let grant = |token| self.notion.grant(token);
        self.row.token().is_some_and(|current| grant(current) > grant(token))
    }
}
