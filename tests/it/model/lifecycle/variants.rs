//! The protocol as it is, and each flaw that must break it.

use super::super::check;
use super::super::properties::{NO_FALSE_MARK, NO_RETURN, NO_REVIVAL, NO_SILENT_LOSS, NOTHING_LEFT};
use super::properties::{GENERATION_ONCE, LATER_INSTALL_STAYS};
use super::{Budget, Flaw, Lifecycle, properties};

const NONE: Budget =
    Budget { crashes: 0, outages: 0, late_saves: 0, uninstalls: 0, unnamed: 0, repeats: 0, expiries: 0 };

#[test]
fn installs_and_uninstalls_hold_in_any_order() {
    let removals = Budget { uninstalls: 1, unnamed: 1, repeats: 1, ..NONE };
    let faults = Budget { crashes: 1, outages: 3, expiries: 1, ..NONE };
    let setups = [
        ("two installs, nothing answers, one removal", 2, Budget { repeats: 0, outages: 3, ..removals }),
        ("two installs, two removals", 2, Budget { uninstalls: 2, ..removals }),
        ("two installs, every fault", 2, faults),
        (
            "one install, every fault, one removal",
            1,
            Budget { uninstalls: 1, unnamed: 1, repeats: 1, ..faults },
        ),
    ];
    let mut runs = check::Runs::default();
    for (name, installs, budget) in setups {
        let has_room = budget.crashes > 0;
        runs.check(Lifecycle { flaw: None, installs, budget, gives_back_unsettled: true, has_room }, name);
    }
    assert!(runs.end(&properties::sometimes()) >= 500_000);
}

fn breaks(flaw: Flaw, property: &'static str, installs: u8, budget: Budget) {
    let has_room = false;
    let model = Lifecycle { flaw: Some(flaw), installs, budget, gives_back_unsettled: true, has_room };
    check::breaks(&model, &format!("{flaw:?}"), property);
}

/// The table and the queue do not answer, but the queue accepts the record.
const DEAD_INSTALL: Budget = Budget { outages: 3, ..NONE };

#[test]
fn a_rescued_install_that_is_active_at_once_may_have_been_given_back() {
    breaks(Flaw::RescuedInstallIsActive, NO_REVIVAL, 1, DEAD_INSTALL);
}

#[test]
fn a_mark_despite_a_living_superseded_pair_is_false() {
    breaks(Flaw::MarkDespiteSuperseded, NO_FALSE_MARK, 1, DEAD_INSTALL);
}

#[test]
fn a_repeat_that_renews_the_time_costs_a_later_install() {
    let budget = Budget { outages: 1, uninstalls: 1, repeats: 1, ..NONE };
    breaks(Flaw::RepeatRenewsTombstone, LATER_INSTALL_STAYS, 1, budget);
}

#[test]
fn a_repeat_after_a_forget_costs_a_later_install() {
    let budget = Budget { uninstalls: 1, repeats: 1, ..NONE };
    breaks(Flaw::ForgetRestartsGenerations, LATER_INSTALL_STAYS, 1, budget);
    breaks(Flaw::ForgetRestartsGenerations, GENERATION_ONCE, 1, budget);
}

#[test]
fn a_second_forget_does_not_lower_the_generation() {
    let budget = Budget { uninstalls: 2, unnamed: 1, repeats: 1, ..NONE };
    breaks(Flaw::ForgetLowersGeneration, LATER_INSTALL_STAYS, 1, budget);
}

#[test]
fn a_save_that_does_not_ask_the_tombstone_brings_back_what_was_removed() {
    let budget = Budget { uninstalls: 1, unnamed: 1, ..NONE };
    breaks(Flaw::SaveAsksNoTombstone, NO_RETURN, 1, budget);
}

#[test]
fn a_save_that_does_not_ask_the_marker_brings_back_who_was_forgotten() {
    let budget = Budget { uninstalls: 1, unnamed: 1, ..NONE };
    breaks(Flaw::SaveAsksNoMarker, NO_RETURN, 1, budget);
}

#[test]
fn a_purge_that_does_not_ask_the_row_loses_a_later_install() {
    breaks(Flaw::PurgeAsksNothing, NO_SILENT_LOSS, 1, Budget { uninstalls: 1, ..NONE });
}

#[test]
fn a_purge_that_does_not_see_the_wish_leaves_somebody_who_wants_to_be_forgotten() {
    let budget = Budget { crashes: 1, uninstalls: 2, ..NONE };
    breaks(Flaw::PurgeMissesTheWish, NOTHING_LEFT, 0, budget);
}

#[test]
fn removed_pairs_taken_for_superseded_ones_come_back() {
    let budget = Budget { uninstalls: 1, ..DEAD_INSTALL };
    breaks(Flaw::PromotesRemoved, NO_RETURN, 1, budget);
}

/// What the protocol does not promise: that a save which the table delayed cannot succeed after its grant was
/// revoked. It could promise that, but then grants would stay alive at Notion when neither store answers, with an
/// alarm.
#[test]
fn a_save_under_way_comes_through_after_the_grant_went_back_unless_only_settled_ones_go_back() {
    let budget = Budget { outages: 3, late_saves: 1, ..NONE };
    let has_room = false;
    let model =
        |gives_back_unsettled| Lifecycle { flaw: None, installs: 1, budget, gives_back_unsettled, has_room };
    check::breaks(&model(true), "a late save", NO_REVIVAL);
    check::Runs::default().check(model(false), "late saves, only settled grants are revoked");
}
