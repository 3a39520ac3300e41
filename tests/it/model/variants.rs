//! The protocol as it is, and each flaw that it must not have.

use std::time::Instant;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use super::notion::Rotation::{self, FamilyRevocation, Grace, Strict};
use super::properties::{NO_FALSE_MARK, NO_SILENT_LOSS, ONE_MORE_TRY, ONE_REQUEST};
use super::{Budget, Flaw, Refresh};

const NONE: Budget = Budget { crashes: 0, freezes: 0, losses: 0, outages: 0, reinstalls: 0, uninstalls: 0 };
const ONE: Budget = Budget { crashes: 1, freezes: 1, losses: 1, outages: 1, reinstalls: 1, uninstalls: 1 };

const ALL: [Rotation; 3] = [Strict, Grace, FamilyRevocation];
const SINGLE: [Rotation; 2] = [Strict, FamilyRevocation];

#[test]
#[expect(clippy::print_stderr, reason = "the counts are the result")]
fn the_protocol_holds_whichever_server_notion_is() {
    // The first has room for everything that is to be possible.
    let setups = [
        (1, 1, Budget { outages: 2, ..ONE }),
        (2, 1, Budget { losses: 0, uninstalls: 0, ..ONE }),
        (1, 2, Budget { reinstalls: 0, ..ONE }),
    ];
    let mut total = 0;
    for rotation in ALL {
        for (setup, (vends, sweeps, budget)) in setups.clone().into_iter().enumerate() {
            let began = Instant::now();
            let model = Refresh { rotation, flaw: None, vends, sweeps, budget };
            let checker = model.checker().threads(2).spawn_bfs().join();
            for property in checker.model().properties() {
                if property.expectation == Expectation::Always {
                    checker.assert_no_discovery(property.name);
                } else if setup == 0 {
                    checker.assert_any_discovery(property.name);
                }
            }
            let states = checker.unique_state_count();
            eprintln!(
                "{rotation:?}, {vends} vends, {sweeps} sweeps: {states} states in {:.1?}",
                began.elapsed()
            );
            total += states;
        }
    }
    eprintln!("{total} unique states in all");
    assert!(total >= 1_000_000);
}

/// Checks that a flaw breaks a property, by the shortest way there is.
#[expect(clippy::print_stderr, reason = "the way is the result")]
fn breaks(flaw: Flaw, property: &'static str, rotations: &[Rotation], vends: u8, budget: &Budget) {
    for &rotation in rotations {
        let model = Refresh { rotation, flaw: Some(flaw), vends, sweeps: 1, budget: budget.clone() };
        // Deeper and deeper: the checker looks up from its work too rarely to stop at the first way it finds.
        let way = (2..30).find_map(|depth| {
            let checker = model.clone().checker().target_max_depth(depth);
            checker
                .finish_when(HasDiscoveries::AnyOf([property].into()))
                .spawn_bfs()
                .join()
                .discovery(property)
        });
        let Some(way) = way else { panic!("{flaw:?} does not break {property}: {rotation:?}") };
        let steps = way.into_actions();
        eprintln!("{flaw:?} breaks {property} ({rotation:?}) in {} steps: {steps:?}", steps.len());
    }
}

#[test]
fn a_save_without_a_condition_loses_a_grant() {
    breaks(Flaw::UnconditionalSave, NO_SILENT_LOSS, &ALL, 1, &Budget { reinstalls: 1, ..NONE });
}

#[test]
fn a_save_by_a_fencing_number_loses_a_grant_without_a_crash() {
    breaks(Flaw::FencedSave, NO_SILENT_LOSS, &ALL, 1, &Budget { freezes: 1, ..NONE });
}

#[test]
fn a_lease_shorter_than_the_deadline_sends_a_token_twice() {
    breaks(Flaw::ShortLease, ONE_REQUEST, &ALL, 1, &NONE);
}

#[test]
fn a_mark_at_the_first_invalid_grant_is_false() {
    let budget = Budget { crashes: 1, losses: 1, reinstalls: 1, ..NONE };
    breaks(Flaw::MarkAtOnce, NO_FALSE_MARK, &ALL, 1, &budget);
}

#[test]
fn a_vend_that_takes_over_sends_the_token_of_a_rescued_pair() {
    breaks(Flaw::VendTakesOver, ONE_REQUEST, &ALL, 2, &Budget { outages: 1, ..NONE });
}

#[test]
fn a_blind_retry_sends_a_token_more_than_twice() {
    breaks(Flaw::BlindRetry, ONE_MORE_TRY, &ALL, 1, &Budget { losses: 2, ..NONE });
}

// Under Grace, the token in the row still works.

#[test]
fn a_release_without_a_trace_of_an_unknown_outcome_loses_a_grant() {
    breaks(Flaw::ReleaseForgets, NO_SILENT_LOSS, &SINGLE, 1, &Budget { losses: 2, ..NONE });
}

#[test]
fn a_take_over_that_forgets_the_holder_before_loses_a_grant() {
    breaks(Flaw::TakeOverForgets, NO_SILENT_LOSS, &SINGLE, 1, &Budget { crashes: 1, freezes: 1, ..NONE });
}

#[test]
fn a_reinstall_that_forgets_a_refresh_in_flight_loses_a_grant() {
    breaks(Flaw::ReinstallForgets, NO_SILENT_LOSS, &SINGLE, 1, &Budget { crashes: 1, reinstalls: 1, ..NONE });
}
