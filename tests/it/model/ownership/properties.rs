//! What must always hold, and what must be possible, so that the model is not right merely because nothing happens.

use stateright::Property;

use super::{Happened, Health, Ownership, Row, State, Work};

pub(super) const ONE_SUBJECT: &str = "a code binds at most one subject";
pub(super) const CLAIMED_STAYS: &str = "nothing that is somebody's is given back by the sweep";
pub(super) const UNCLAIMED_IS_NOT_VENDED: &str = "nothing unclaimed is vended";
pub(super) const ONLY_TO_THE_LINKED: &str = "a token by subject goes to a linked subject only";
pub(super) const LINKS_AGREE: &str = "the links are those of the row";
pub(super) const WHO_IS_LINKED_STAYS: &str = "who was told to be linked is linked until the link is removed";
pub(super) const NOBODYS_IS_GIVEN_BACK: &str = "what is nobody's is removed or waits to be claimed";

pub(super) fn always() -> Vec<Property<Ownership>> {
    vec![
        Property::always(ONE_SUBJECT, |_, state: &State| {
            state.observed.bound.iter().all(|subjects| subjects.iter().count() <= 1)
        }),
        Property::always(CLAIMED_STAYS, |_, state: &State| !state.observed.has_seen(Happened::GaveBackOwned)),
        Property::always(UNCLAIMED_IS_NOT_VENDED, |_, state: &State| {
            !state.observed.has_seen(Happened::VendedUnclaimed)
        }),
        Property::always(ONLY_TO_THE_LINKED, |_, state: &State| {
            !state.observed.has_seen(Happened::VendedToStranger)
        }),
        Property::always(LINKS_AGREE, |_, state: &State| {
            // A claim that is between two writes counts as not agreeing: it may crash there.
            state.links == state.row.as_ref().map(|row| row.subjects).unwrap_or_default()
        }),
        Property::always(WHO_IS_LINKED_STAYS, |_, state: &State| {
            state.has(|row| !row.is_usable() || row.subjects == state.observed.linked)
        }),
        Property::always(NOBODYS_IS_GIVEN_BACK, |model: &Ownership, state: &State| {
            let nobodys = |row: &Row| row.is_usable() && row.subjects.is_empty() && !state.observed.plain;
            state.has(|row| !nobodys(row) || row.is_unclaimed())
                && (state.sweep != Work::Idle || !state.is_due(model) || {
                    let mut actions = Vec::new();
                    model.steps(state, &mut actions);
                    actions.contains(&super::Action::ReadForSweep)
                })
        }),
    ]
}

pub(super) fn sometimes() -> Vec<Property<Ownership>> {
    vec![
        Property::sometimes("two subjects share an installation", |_, state: &State| {
            state.row.as_ref().is_some_and(|row| row.subjects.iter().count() == 2 && row.is_usable())
        }),
        Property::sometimes("a claim is repeated", |_, state: &State| {
            state.observed.has_seen(Happened::Repeated)
        }),
        Property::sometimes("a second subject is refused", |_, state: &State| {
            state.observed.has_seen(Happened::RefusedSecond)
        }),
        Property::sometimes("an unclaimed installation is given back", |_, state: &State| {
            state.observed.has_seen(Happened::GaveBack)
        }),
        Property::sometimes("the sweep loses against a claim", |_, state: &State| {
            state.observed.has_seen(Happened::SweepLost)
        }),
        Property::sometimes("a claim loses against a removal", |_, state: &State| {
            state.observed.has_seen(Happened::ClaimLost)
        }),
        Property::sometimes("what was given back is installed and claimed again", |_, state: &State| {
            state.observed.has_seen(Happened::GaveBack) && !state.observed.linked.is_empty()
        }),
        Property::sometimes("a dead grant is nobody's until it is claimed again", |_, state: &State| {
            state.left.deaths == 0 && state.row.as_ref().is_some_and(Row::is_unclaimed)
        }),
        Property::sometimes("the last subject leaves", |_, state: &State| {
            state.left.disconnects == 0
                && state.row.as_ref().is_some_and(|row| row.health == Health::Removed)
                && state.observed.bound.iter().any(|subjects| !subjects.is_empty())
        }),
    ]
}

impl State {
    /// Whether it holds for the row. Where there is none, it does.
    fn has(&self, holds: impl Fn(&Row) -> bool) -> bool {
        self.row.as_ref().is_none_or(holds)
    }
}
