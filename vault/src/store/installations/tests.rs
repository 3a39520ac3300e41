use shared::clock::UnixMillis;
use shared::random::OsRandom;
use shared::secret::{AccessToken, RefreshToken};

use super::*;
use crate::notion::Grant;
use crate::seal::KeyRing;

const PROMPT: Terms =
    Terms { prompt: true, code_expires_at: UnixMillis(700_000), claim_by: UnixMillis(3_700_000) };

fn install(attempt: &str, access: &str, refresh: Option<&str>, exchanged_at_ms: u64) -> NewInstallation {
    let ring = KeyRing::parse(r#"{"seed":"0123456789abcdefghijklmnopqrstuvwxyz"}"#).unwrap();
    let grant = Grant {
        access_token: AccessToken::parse(access).unwrap(),
        refresh_token: refresh.map(|token| RefreshToken::parse(token).unwrap()),
        bot_id: format!("bot-{attempt}"),
        workspace_id: "w".to_owned(),
        workspace_name: Some("Acme".to_owned()),
        workspace_icon: None,
        owner: Owner::User {
            user_id: "u".to_owned(),
            name: Some("Ada".to_owned()),
            email: None,
            email_verified: None,
            avatar_url: None,
        },
        duplicated_template_id: None,
        expires_in: None,
        request_id: None,
    };
    grant.seal("client", attempt, UnixMillis(exchanged_at_ms), &ring, &OsRandom)
}

/// The row as the first install leaves it.
fn row_of(first: &NewInstallation) -> Row {
    let mut row = facts(first, &PROMPT);
    row.insert("installation_id".to_owned(), string(first.id.as_str()));
    row.insert("pair".to_owned(), AttributeValue::L(vec![pair_attribute(&first.pair)]));
    row.insert("superseded".to_owned(), AttributeValue::L(Vec::new()));
    row.insert("generation".to_owned(), number(1));
    row.insert("version".to_owned(), number(1));
    row
}

fn written(decision: Result<Decision, StoreError>) -> (Row, bool) {
    match decision.unwrap() {
        Decision::Write { row, if_version, current, .. } => {
            assert_eq!(integer(&row, "version"), Some(if_version + 1));
            (row, current)
        }
        other => panic!("{other:?}"),
    }
}

fn fingerprints(row: &Row, name: &str) -> Vec<String> {
    let pairs = list(row, name).iter();
    pairs.map(|pair| text(pair.as_m().unwrap(), "access_fingerprint").unwrap().to_owned()).collect()
}

fn fingerprint(install: &NewInstallation) -> String {
    install.pair.access_fingerprint.as_str().to_owned()
}

#[test]
fn a_lost_success_recognises_itself() {
    let first = install("a", "token-a", None, 1000);
    assert_eq!(decide(&row_of(&first), &first, &PROMPT, 0).unwrap(), Decision::AlreadyWritten);
}

#[test]
fn an_older_exchange_is_kept_aside_and_never_replaces_a_newer_one() {
    let (newer, older) = (install("a", "token-a", None, 2000), install("b", "token-b", None, 1000));
    let (row, current) = written(decide(&row_of(&newer), &older, &PROMPT, 0));
    assert!(!current);
    assert_eq!(fingerprints(&row, "pair"), [fingerprint(&newer)]);
    assert_eq!(fingerprints(&row, "superseded"), [fingerprint(&older)]);
    assert_eq!(integer(&row, "generation"), Some(1));
    assert_eq!(text(&row, "written_by"), Some("a"));
    // Saved again, it is there once.
    let (row, _) = written(decide(&row, &older, &PROMPT, 0));
    assert_eq!(fingerprints(&row, "superseded"), [fingerprint(&older)]);
}

#[test]
fn the_same_token_again_is_one_grant_and_keeps_its_refresh_token() {
    let first = install("a", "token-a", Some("refresh-a"), 1000);
    let again = install("b", "token-a", None, 2000);
    let (row, current) = written(decide(&row_of(&first), &again, &PROMPT, 0));
    assert!(current);
    assert_eq!(fingerprints(&row, "superseded"), Vec::<String>::new());
    let pair = list(&row, "pair")[0].as_m().unwrap();
    assert_eq!(
        text(pair, "refresh_fingerprint"),
        first.pair.refresh_fingerprint.as_ref().map(Fingerprint::as_str)
    );
    assert_eq!(integer(&row, "generation"), Some(2));
    assert_eq!(text(&row, "bot_id"), Some("bot-b"));
}

#[test]
fn the_same_token_from_an_older_exchange_leaves_the_newer_row_and_gives_it_its_refresh_token() {
    let (newer, older) =
        (install("a", "token-a", None, 2000), install("b", "token-a", Some("refresh-b"), 1000));
    let (row, current) = written(decide(&row_of(&newer), &older, &PROMPT, 0));
    assert!(!current);
    assert_eq!(fingerprints(&row, "pair"), [fingerprint(&newer)]);
    assert_eq!(fingerprints(&row, "superseded"), Vec::<String>::new());
    assert_eq!(text(&row, "written_by"), Some("a"));
    let pair = list(&row, "pair")[0].as_m().unwrap();
    assert_eq!(
        text(pair, "refresh_fingerprint"),
        older.pair.refresh_fingerprint.as_ref().map(Fingerprint::as_str)
    );
}

#[test]
fn an_older_telling_of_the_same_token_does_not_replace_the_newer_refresh_token() {
    let newer = install("a", "token-a", Some("refresh-a"), 2000);
    let older = install("b", "token-a", Some("refresh-b"), 1000);
    let (row, _) = written(decide(&row_of(&newer), &older, &PROMPT, 0));
    assert_eq!(list(&row, "pair"), [pair_attribute(&newer.pair)]);
}

#[test]
fn a_pair_that_becomes_current_again_is_no_longer_superseded() {
    let (a, b) = (install("a", "token-a", None, 1000), install("b", "token-b", None, 2000));
    let (row, _) = written(decide(&row_of(&a), &b, &PROMPT, 0));
    let (row, _) = written(decide(&row, &install("c", "token-a", None, 3000), &PROMPT, 0));
    assert_eq!(fingerprints(&row, "pair"), [fingerprint(&a)]);
    assert_eq!(fingerprints(&row, "superseded"), [fingerprint(&b)]);
}

#[test]
fn a_tombstone_newer_than_the_exchange_wins_and_an_older_one_does_not() {
    let install = install("b", "token-b", None, 2000);
    for (removed_at_ms, wins) in [(2000, true), (3000, true), (1999, false)] {
        let tombstone = HashMap::from([
            ("installation_id".to_owned(), string(install.id.as_str())),
            ("health".to_owned(), string("removed")),
            ("removed_at_ms".to_owned(), number(removed_at_ms)),
            ("generation".to_owned(), number(4)),
            ("version".to_owned(), number(9)),
        ]);
        let decision = decide(&tombstone, &install, &PROMPT, 0);
        if wins {
            assert_eq!(decision.unwrap(), Decision::TombstoneWins, "removed at {removed_at_ms}");
            continue;
        }
        let (row, current) = written(decision);
        assert!(current);
        assert_eq!(integer(&row, "removed_at_ms"), Some(removed_at_ms), "a slower save must still see it");
        assert_eq!(text(&row, "health"), Some("active"));
        assert_eq!(integer(&row, "generation"), Some(5));
    }
}

#[test]
fn superseded_pairs_are_bounded_and_the_oldest_goes_first() {
    let mut row = row_of(&install("first", "token-first", None, 1));
    let mut dropped = Vec::new();
    for i in 0..MAX_SUPERSEDED as u64 + 5 {
        let next = install(&format!("i{i}"), &format!("token-{i}"), None, 2 + i);
        let Decision::Write { row: next_row, dropped_bots, .. } = decide(&row, &next, &PROMPT, 0).unwrap()
        else {
            panic!()
        };
        row = next_row;
        dropped.extend(dropped_bots);
    }
    assert_eq!(dropped, ["bot-first", "bot-i0", "bot-i1", "bot-i2", "bot-i3"]);
    let kept = fingerprints(&row, "superseded");
    assert_eq!(kept.len(), MAX_SUPERSEDED);
    assert!(!kept.contains(&fingerprint(&install("x", "token-first", None, 0))));
    assert!(kept.contains(&fingerprint(&install("x", &format!("token-{}", MAX_SUPERSEDED + 3), None, 0))));
}

#[test]
fn attributes_of_later_versions_survive_and_stale_ones_go() {
    let first = install("a", "token-a", None, 1000);
    let mut standing = row_of(&first);
    standing.insert("from_a_later_version".to_owned(), string("kept"));
    standing.insert("owner_email".to_owned(), string("withdrawn@example.org"));
    let (row, _) = written(decide(&standing, &install("b", "token-b", None, 2000), &PROMPT, 0));
    assert_eq!(text(&row, "from_a_later_version"), Some("kept"));
    assert_eq!(text(&row, "owner_email"), None);
    assert_eq!(fingerprints(&row, "superseded"), [fingerprint(&first)]);
}

#[test]
fn a_refresh_token_that_was_used_up_is_no_news_unless_the_grant_is_dead() {
    let first = install("a", "token-a", Some("refresh-a"), 1000);
    let refreshed = install("r", "token-b", Some("refresh-b"), 1000);
    let again = install("c", "token-c", Some("refresh-a"), 3000);
    let used = first.pair.refresh_fingerprint.as_ref().unwrap();
    for (health, stays) in [("active", true), ("needs_reinstall", false)] {
        let mut standing = row_of(&refreshed);
        standing.insert("used_up".to_owned(), AttributeValue::L(vec![string(used.as_str())]));
        standing.insert("health".to_owned(), string(health));
        let (row, current) = written(decide(&standing, &again, &PROMPT, 0));
        let expected = if stays { &refreshed } else { &again };
        assert_eq!((current, fingerprints(&row, "pair")), (!stays, vec![fingerprint(expected)]), "{health}");
        assert!(fingerprints(&row, "superseded").is_empty(), "{health}: the other one is of no use");
    }
}

#[test]
fn a_refresh_in_flight_goes_where_its_pair_goes() {
    let first = install("a", "token-a", Some("refresh-a"), 1000);
    let mut standing = row_of(&first);
    let mut refreshing = first.pair.clone();
    refreshing.lease = Some(crate::installation::Lease { holder: "h".to_owned(), until_ms: 5000 });
    standing.insert("pair".to_owned(), AttributeValue::L(vec![pair_attribute(&refreshing)]));
    let lease_of = |row: &Row, name: &str| list(row, name)[0].as_m().unwrap().contains_key("lease");
    let (row, _) = written(decide(&standing, &install("b", "token-b", Some("refresh-b"), 2000), &PROMPT, 0));
    assert!(!lease_of(&row, "pair") && lease_of(&row, "superseded"));
    let (row, _) = written(decide(&standing, &install("b", "token-a", Some("refresh-a"), 2000), &PROMPT, 0));
    assert!(lease_of(&row, "pair"), "one and the same grant");
}

fn flagged(row: &Row, name: &str) -> Vec<bool> {
    let of = |pair: &AttributeValue| pair.as_m().unwrap().contains_key("to_revoke");
    list(row, name).iter().map(of).collect()
}

#[test]
fn what_was_removed_comes_back_by_no_later_install() {
    let first = install("a", "token-a", Some("refresh-a"), 1000);
    let mut tombstone = row_of(&first);
    tombstone.insert("health".to_owned(), string("removed"));
    tombstone.insert("removed_at_ms".to_owned(), number(1500));
    let (row, current) = written(decide(&tombstone, &install("b", "token-b", None, 2000), &PROMPT, 0));
    assert!(current);
    assert_eq!(fingerprints(&row, "superseded"), [fingerprint(&first)]);
    assert_eq!((flagged(&row, "superseded"), flagged(&row, "pair")), (vec![true], vec![false]));
    assert_eq!(integer(&row, "due_at_ms"), Some(0), "it is to be revoked at Notion");
    assert_eq!(super::super::row::read(&row).unwrap().promotion_candidate("client"), None);
    // The removal is remembered: nothing that was exchanged before it is saved.
    assert_eq!(integer(&row, "removed_at_ms"), Some(1500));
    let late = install("c", "token-c", None, 1400);
    assert_eq!(decide(&row, &late, &PROMPT, 0).unwrap(), Decision::TombstoneWins);
}

#[test]
fn what_is_dead_is_neither_kept_nor_sent_again() {
    let dead = install("a", "token-a", Some("refresh-a"), 2000);
    let mut standing = row_of(&dead);
    standing.insert("health".to_owned(), string("needs_reinstall"));
    let used = dead.pair.refresh_fingerprint.as_ref().unwrap().as_str();
    // A later install, and an earlier one that comes from the rescue queue.
    for (exchanged_at_ms, prompt) in [(3000, true), (1000, false)] {
        let next = install("b", "token-b", None, exchanged_at_ms);
        let (row, current) = written(decide(&standing, &next, &Terms { prompt, ..PROMPT }, 0));
        assert!(current && fingerprints(&row, "superseded").is_empty(), "{exchanged_at_ms}");
        assert_eq!(list(&row, "used_up"), [string(used)]);
        assert_eq!(text(&row, "health"), Some(if prompt { "active" } else { "unverified" }));
        assert_eq!(integer(&row, "exchanged_at_ms"), Some(exchanged_at_ms.max(2000)));
    }
}

#[test]
fn a_used_up_token_pushes_nothing_aside() {
    let current = install("a", "token-a", Some("refresh-a"), 2000);
    let late = install("b", "token-b", Some("refresh-b"), 3000);
    let used = late.pair.refresh_fingerprint.as_ref().unwrap().as_str();
    for health in ["active", "unverified"] {
        let mut standing = row_of(&current);
        standing.insert("used_up".to_owned(), AttributeValue::L(vec![string(used)]));
        standing.insert("health".to_owned(), string(health));
        let (row, is_current) = written(decide(&standing, &late, &PROMPT, 0));
        assert!(!is_current, "{health}");
        assert_eq!(fingerprints(&row, "pair"), [fingerprint(&current)]);
        assert!(fingerprints(&row, "superseded").is_empty(), "its successor is, or was, in the row");
    }
}

#[test]
fn a_generation_goes_on_from_whichever_is_higher() {
    let first = install("a", "token-a", None, 1000);
    for (before, expected) in [(0, 2), (1, 2), (7, 8)] {
        let (row, _) =
            written(decide(&row_of(&first), &install("b", "token-b", None, 2000), &PROMPT, before));
        assert_eq!(integer(&row, "generation"), Some(expected));
    }
}

#[test]
fn the_first_install_is_dated_once_also_over_the_tombstone_of_a_stranger() {
    let (first, second) = (install("a", "token-a", None, 1000), install("b", "token-b", None, 2000));
    let tombstone = Row::from([
        ("installation_id".to_owned(), string(first.id.as_str())),
        ("health".to_owned(), string("removed")),
        ("removed_at_ms".to_owned(), number(500)),
        ("generation".to_owned(), number(0)),
        ("version".to_owned(), number(1)),
    ]);
    let (row, _) = written(decide(&tombstone, &first, &PROMPT, 0));
    assert_eq!(integer(&row, "first_installed_at_ms"), Some(1000));
    let (row, _) = written(decide(&row, &second, &PROMPT, 0));
    let dates = (integer(&row, "first_installed_at_ms"), integer(&row, "installed_at_ms"));
    assert_eq!(dates, (Some(1000), Some(2000)));
}

/// The same install, but an app asked for it.
fn for_an_app(mut install: NewInstallation) -> NewInstallation {
    install.claimable = Some(crate::installation::Claimable {
        code_hash: format!("hash-{}", install.attempt),
        challenge: "challenge".to_owned(),
        expect: None,
        sealed_key: crate::seal::Sealed::from_bytes(vec![1]),
    });
    install
}

type Attribute = (&'static str, AttributeValue);

#[test]
fn whose_an_installation_is_after_an_install() {
    let subjects = || AttributeValue::L(vec![string("user 1")]);
    let owned = ("owned_since_ms", number(1000));
    let unclaimed = ("claim_by_ms", number(5000));
    let linked = ("subjects", subjects());
    // Health, what the row says, whether an app asked: whether it is somebody's afterwards.
    let cases: &[(&str, &[Attribute], bool, bool)] = &[
        ("active", &[], false, true),
        ("active", &[], true, true),
        ("active", std::slice::from_ref(&owned), true, true),
        ("active", std::slice::from_ref(&unclaimed), true, false),
        ("active", std::slice::from_ref(&unclaimed), false, true),
        ("unverified", std::slice::from_ref(&owned), true, true),
        ("needs_reinstall", std::slice::from_ref(&owned), true, false),
        ("needs_reinstall", &[owned.clone(), linked.clone()], true, true),
        ("needs_reinstall", std::slice::from_ref(&owned), false, true),
        ("removed", &[owned.clone(), linked.clone()], true, false),
        ("removed", &[owned.clone(), linked.clone()], false, true),
    ];
    for (health, attributes, app, somebodys) in cases {
        let mut standing = row_of(&install("a", "token-a", None, 1000));
        standing.insert("health".to_owned(), string(health));
        standing.extend(attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let next = install("b", "token-b", None, 2000);
        let next = if *app { for_an_app(next) } else { next };
        let Decision::Write { row, dropped_subjects, .. } = decide(&standing, &next, &PROMPT, 0).unwrap()
        else {
            panic!("{health}")
        };
        let what = format!("{health} {attributes:?} {app}");
        assert_eq!(row.contains_key("owned_since_ms"), *somebodys, "{what}");
        assert_eq!(row.contains_key("claim_by_ms") && !somebodys, !somebodys, "{what}");
        assert_eq!(list(&row, "pending").len(), usize::from(*app), "{what}");
        // The links of what was removed end; others stay.
        let had_links = attributes.iter().any(|(name, _)| *name == "subjects");
        assert_eq!(dropped_subjects.len(), usize::from(had_links && *health == "removed"), "{what}");
        assert_eq!(row.contains_key("subjects"), had_links && *health != "removed", "{what}");
        if !somebodys {
            assert_eq!(
                integer(&row, "due_at_ms").unwrap().min(PROMPT.claim_by.0),
                integer(&row, "due_at_ms").unwrap()
            );
        }
    }
}

#[test]
fn a_row_remembers_a_limited_number_of_codes() {
    let mut row = row_of(&install("a", "token-a", None, 1000));
    for attempt in 0..15_u64 {
        let next =
            for_an_app(install(&format!("b{attempt}"), &format!("token-{attempt}"), None, 2000 + attempt));
        row = written(decide(&row, &next, &PROMPT, 0)).0;
    }
    let codes: Vec<Pending> = list(&row, "pending").iter().map(|code| Pending::read(code).unwrap()).collect();
    assert_eq!(codes.len(), MAX_PENDING);
    assert_eq!((codes[0].code_hash.as_str(), codes[9].code_hash.as_str()), ("hash-b5", "hash-b14"));
}
