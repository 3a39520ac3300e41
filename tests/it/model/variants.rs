//! The protocol as it is, and each flaw that must break it.

use super::check;
use super::flaws::Flaw;
use super::notion::Rotation::{self, FamilyRevocation, Grace, Strict};
use super::properties::{
    NO_FALSE_MARK, NO_RETURN, NO_REVIVAL, NO_SILENT_LOSS, ONE_MORE_TRY, ONE_PLACE, ONE_REQUEST,
};
use super::{Budget, Refresh, properties};

const NONE: Budget =
    Budget { crashes: 0, freezes: 0, losses: 0, outages: 0, dead_letters: 0, reinstalls: 0, uninstalls: 0 };
const ONE: Budget =
    Budget { crashes: 1, freezes: 1, losses: 1, outages: 1, dead_letters: 1, reinstalls: 1, uninstalls: 1 };

const ALL: [Rotation; 3] = [Strict, Grace, FamilyRevocation];
const SINGLE: [Rotation; 2] = [Strict, FamilyRevocation];

#[test]
fn the_protocol_holds_whichever_server_notion_is() {
    let setups = [
        (1, 1, Budget { freezes: 0, outages: 2, ..ONE }),
        (1, 1, Budget { outages: 2, dead_letters: 0, uninstalls: 0, ..ONE }),
        (1, 1, Budget { losses: 0, outages: 2, reinstalls: 2, dead_letters: 0, uninstalls: 0, ..ONE }),
        (2, 1, Budget { losses: 0, dead_letters: 0, reinstalls: 0, ..ONE }),
        (2, 1, Budget { freezes: 0, losses: 0, dead_letters: 0, uninstalls: 0, ..ONE }),
        (1, 2, Budget { reinstalls: 0, uninstalls: 0, ..ONE }),
    ];
    // Together, these have room for everything that must be possible.
    let rooms = [
        (1, 1, Budget { freezes: 0, outages: 2, dead_letters: 0, uninstalls: 0, ..ONE }),
        (1, 1, Budget { crashes: 0, freezes: 0, losses: 0, ..ONE }),
    ];
    let mut total = 0;
    for rotation in ALL {
        let mut runs = check::Runs::default();
        let all = setups.map(|setup| (setup, false)).into_iter().chain(rooms.map(|room| (room, true)));
        for ((vends, sweeps, budget), has_room) in all {
            let model = Refresh { rotation, flaw: None, vends, sweeps, budget, has_room };
            runs.check(model, &format!("{rotation:?}, {vends} vends, {sweeps} sweeps"));
        }
        total += runs.end(&properties::sometimes());
    }
    assert!(total >= 2_000_000);
}

fn breaks(flaw: Flaw, property: &'static str, rotations: &[Rotation], vends: u8, budget: Budget) {
    for &rotation in rotations {
        let model = Refresh { rotation, flaw: Some(flaw), vends, sweeps: 1, budget, has_room: false };
        check::breaks(&model, &format!("{flaw:?} ({rotation:?})"), property);
    }
}

#[test]
fn a_save_without_a_condition_loses_a_grant() {
    breaks(Flaw::UnconditionalSave, NO_SILENT_LOSS, &ALL, 1, Budget { reinstalls: 1, ..NONE });
}

#[test]
fn a_save_by_a_fencing_number_loses_a_grant_without_a_crash() {
    breaks(Flaw::FencedSave, NO_SILENT_LOSS, &ALL, 1, Budget { freezes: 1, ..NONE });
}

#[test]
fn a_lease_shorter_than_the_deadline_sends_a_token_twice() {
    breaks(Flaw::ShortLease, ONE_REQUEST, &ALL, 1, NONE);
}

#[test]
fn a_mark_at_the_first_invalid_grant_is_false() {
    let budget = Budget { crashes: 1, losses: 1, reinstalls: 1, ..NONE };
    breaks(Flaw::MarkAtOnce, NO_FALSE_MARK, &ALL, 1, budget);
}

#[test]
fn a_vend_that_takes_over_sends_the_token_of_a_rescued_pair() {
    breaks(Flaw::VendTakesOver, ONE_REQUEST, &ALL, 2, Budget { outages: 1, ..NONE });
}

#[test]
fn a_blind_retry_sends_a_token_more_than_twice() {
    breaks(Flaw::BlindRetry, ONE_MORE_TRY, &ALL, 1, Budget { losses: 2, ..NONE });
}

// With Grace, the token in the row still works.

#[test]
fn a_release_without_a_trace_of_an_unknown_outcome_loses_a_grant() {
    breaks(Flaw::ReleaseForgets, NO_SILENT_LOSS, &SINGLE, 1, Budget { losses: 2, ..NONE });
}

#[test]
fn a_take_over_that_forgets_the_holder_before_loses_a_grant() {
    breaks(Flaw::TakeOverForgets, NO_SILENT_LOSS, &SINGLE, 1, Budget { crashes: 1, freezes: 1, ..NONE });
}

#[test]
fn a_reinstall_that_forgets_a_refresh_in_flight_loses_a_grant() {
    breaks(Flaw::ReinstallForgets, NO_SILENT_LOSS, &SINGLE, 1, Budget { crashes: 1, reinstalls: 1, ..NONE });
}

#[test]
fn a_takeover_on_an_old_look_sends_the_token_of_a_rescued_pair() {
    breaks(Flaw::OldLook, ONE_REQUEST, &ALL, 1, Budget { outages: 1, ..NONE });
}

#[test]
fn a_look_without_the_dead_letters_sends_the_token_of_a_rescued_pair() {
    let budget = Budget { outages: 1, dead_letters: 1, ..NONE };
    breaks(Flaw::DeadLettersForgotten, ONE_REQUEST, &ALL, 1, budget);
}

#[test]
fn a_rescued_install_that_is_active_at_once_may_have_been_given_back() {
    let budget = Budget { outages: 2, reinstalls: 1, ..NONE };
    breaks(Flaw::RescuedInstallIsActive, NO_REVIVAL, &ALL, 1, budget);
}

#[test]
fn a_late_save_that_is_active_at_once_may_have_been_given_back() {
    breaks(Flaw::LateSaveIsActive, NO_REVIVAL, &ALL, 1, Budget { outages: 2, ..NONE });
}

/// An install that was revoked but replayed all the same: its pair is current and dead, and a live pair was moved
/// aside.
const DEAD_INSTALL: Budget = Budget { outages: 2, reinstalls: 1, ..NONE };

#[test]
fn a_mark_despite_a_living_superseded_pair_is_false() {
    breaks(Flaw::MarkDespiteSuperseded, NO_FALSE_MARK, &ALL, 1, DEAD_INSTALL);
}

/// Two refreshes that fail, and two installs, of which the older one arrives late.
const LATE_INSTALL: Budget = Budget { losses: 2, outages: 1, reinstalls: 2, ..NONE };

#[test]
fn a_mark_that_does_not_see_a_pair_come_is_false() {
    breaks(Flaw::MarkOnOldRead, NO_FALSE_MARK, &SINGLE, 2, LATE_INSTALL);
}

#[test]
fn a_pair_kept_aside_of_a_dead_one_is_of_no_use() {
    breaks(Flaw::AsideOfTheDead, NO_FALSE_MARK, &SINGLE, 2, LATE_INSTALL);
}

#[test]
fn a_promotion_that_forgets_a_refresh_in_flight_sends_a_token_twice() {
    breaks(Flaw::PromotionForgets, ONE_REQUEST, &SINGLE, 1, DEAD_INSTALL);
}

#[test]
fn a_promotion_that_tells_nobody_loses_a_grant() {
    let budget = Budget { crashes: 1, reinstalls: 1, ..NONE };
    breaks(Flaw::PromotionIsSilent, NO_SILENT_LOSS, &[Strict], 1, budget);
}

#[test]
fn a_pair_kept_aside_without_a_look_at_a_promotion_is_of_no_use() {
    breaks(Flaw::AsideUnseen, ONE_REQUEST, &SINGLE, 1, DEAD_INSTALL);
}

#[test]
fn a_refused_pair_that_stays_aside_is_sent_again() {
    let budget = Budget { losses: 1, ..DEAD_INSTALL };
    breaks(Flaw::RefusedStaysAside, ONE_REQUEST, &SINGLE, 1, budget);
    breaks(Flaw::DeadIsSuperseded, ONE_REQUEST, &SINGLE, 1, budget);
}

#[test]
fn an_install_that_was_used_up_comes_back_out_of_the_queue() {
    let budget = Budget { reinstalls: 2, outages: 1, ..NONE };
    breaks(Flaw::KeepsUsedUp, ONE_PLACE, &ALL, 1, budget);
}

#[test]
fn removed_pairs_taken_for_superseded_ones_come_back() {
    breaks(Flaw::PromotesRemoved, NO_RETURN, &ALL, 1, Budget { uninstalls: 1, ..DEAD_INSTALL });
}

#[test]
fn a_pair_refreshed_from_a_removed_one_comes_back() {
    let budget = Budget { uninstalls: 1, ..DEAD_INSTALL };
    breaks(Flaw::KeepsForeign, NO_RETURN, &SINGLE, 1, budget);
}

#[test]
fn a_removed_install_comes_back_out_of_the_queue() {
    let budget = Budget { uninstalls: 1, ..LATE_INSTALL };
    breaks(Flaw::ReinstallForgetsTombstone, NO_RETURN, &SINGLE, 1, budget);
}
