//! The protocol as it is, and each flaw that must break it.

use super::super::check;
use super::properties::{
    self, CLAIMED_STAYS, LINKS_AGREE, NOBODYS_IS_GIVEN_BACK, ONE_SUBJECT, ONLY_TO_THE_LINKED,
    UNCLAIMED_IS_NOT_VENDED, WHO_IS_LINKED_STAYS,
};
use super::{Budget, Claim, Flaw, Ownership};

const NONE: Budget = Budget {
    app_installs: 1,
    plain_installs: 0,
    deaths: 0,
    uninstalls: 0,
    disconnects: 0,
    repeats: 0,
    crashes: 0,
};
/// Two users of the app claim one code, and one of them a second code.
const CLAIMS: [Claim; 3] =
    [Claim { subject: 0, code: 0 }, Claim { subject: 1, code: 0 }, Claim { subject: 1, code: 1 }];

#[test]
fn claims_hold_in_any_order() {
    let setups = [
        (
            "one install, every fault",
            Budget { repeats: 2, crashes: 2, uninstalls: 1, disconnects: 2, ..NONE },
        ),
        ("two installs, faults", Budget { app_installs: 2, crashes: 1, repeats: 1, disconnects: 1, ..NONE }),
        ("two installs, removals", Budget { app_installs: 2, uninstalls: 1, disconnects: 2, ..NONE }),
        ("with and without an app", Budget { app_installs: 2, plain_installs: 1, deaths: 1, ..NONE }),
        (
            "without an app, and faults",
            Budget { plain_installs: 1, deaths: 1, crashes: 1, uninstalls: 1, disconnects: 1, ..NONE },
        ),
    ];
    let mut runs = check::Runs::default();
    for (name, budget) in setups {
        runs.check(Ownership { flaw: None, claims: CLAIMS.to_vec(), budget, has_room: true }, name);
    }
    assert!(runs.end(&properties::sometimes()) >= 100_000);
}

fn breaks(flaw: Flaw, property: &'static str, budget: Budget) {
    let model = Ownership { flaw: Some(flaw), claims: CLAIMS.to_vec(), budget, has_room: false };
    check::breaks(&model, &format!("{flaw:?}"), property);
}

#[test]
fn a_claim_that_does_not_ask_the_row_binds_two_subjects() {
    breaks(Flaw::LinkAsksNothing, ONE_SUBJECT, NONE);
}

#[test]
fn a_code_that_is_not_spent_binds_two_subjects() {
    breaks(Flaw::CodeIsNotSpent, ONE_SUBJECT, NONE);
}

#[test]
fn a_link_that_is_written_apart_may_be_missing() {
    breaks(Flaw::LinkIsWrittenApart, LINKS_AGREE, Budget { crashes: 1, ..NONE });
}

#[test]
fn a_sweep_that_does_not_ask_the_row_gives_back_what_was_just_claimed() {
    breaks(Flaw::SweepAsksNothing, CLAIMED_STAYS, NONE);
}

#[test]
fn a_sweep_that_misses_the_owner_gives_back_what_was_active_before() {
    breaks(Flaw::SweepMissesTheOwner, CLAIMED_STAYS, Budget { plain_installs: 1, ..NONE });
}

#[test]
fn a_vend_that_misses_the_claim_vends_what_nobody_claimed() {
    breaks(Flaw::VendMissesTheClaim, UNCLAIMED_IS_NOT_VENDED, NONE);
}

#[test]
fn an_unlink_that_does_not_ask_the_row_leaves_an_installation_to_nobody() {
    let budget = Budget { app_installs: 2, disconnects: 2, ..NONE };
    breaks(Flaw::UnlinkAsksNothing, NOBODYS_IS_GIVEN_BACK, budget);
}

#[test]
fn an_install_that_does_not_ask_the_row_undoes_a_claim() {
    breaks(Flaw::InstallAsksNothing, WHO_IS_LINKED_STAYS, Budget { app_installs: 2, ..NONE });
}

#[test]
fn an_install_over_a_tombstone_must_not_keep_its_subjects() {
    let budget = Budget { app_installs: 2, uninstalls: 1, ..NONE };
    breaks(Flaw::InstallKeepsRemovedSubjects, ONLY_TO_THE_LINKED, budget);
}
