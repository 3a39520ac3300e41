use super::*;
use crate::installation::Lease;
use crate::notion::{Grant, Owner};
use crate::seal::with_next_key;
use crate::store::row::pair_attribute;
use shared::random::OsRandom;
use shared::secret::KeyRingText;
use shared::secret::{AccessToken, RefreshToken};

const RING: &str = r#"{"seed":"0123456789abcdefghijklmnopqrstuvwxyz"}"#;
const NOW: UnixMillis = UnixMillis(9000);

fn ring() -> KeyRing {
    KeyRing::parse(RING).unwrap()
}

fn pair(ring: &KeyRing) -> AttributeValue {
    let grant = Grant {
        access_token: AccessToken::parse("ntn_access").unwrap(),
        refresh_token: Some(RefreshToken::parse("nrt_refresh").unwrap()),
        bot_id: "bot".to_owned(),
        workspace_id: "w".to_owned(),
        workspace_name: None,
        workspace_icon: None,
        owner: Owner::Workspace,
        duplicated_template_id: None,
        expires_in: None,
        request_id: None,
    };
    let mut pair = grant.seal("client", "attempt", UnixMillis(1000), ring, &OsRandom).pair;
    pair.lease = Some(Lease { holder: "somebody".to_owned(), until_ms: 2000 });
    pair_attribute(&pair)
}

fn row(health: &str, pairs: Vec<AttributeValue>) -> Row {
    HashMap::from([
        ("installation_id".to_owned(), string("w/workspace")),
        ("health".to_owned(), string(health)),
        ("generation".to_owned(), number(1)),
        ("version".to_owned(), number(7)),
        ("exchanged_at_ms".to_owned(), number(1000)),
        ("installed_at_ms".to_owned(), number(1000)),
        ("due_shard".to_owned(), string("z")),
        ("due_at_ms".to_owned(), number(1)),
        ("seal_shard".to_owned(), string("1/z")),
        ("refresh_after_ms".to_owned(), number(3000)),
        ("pair".to_owned(), AttributeValue::L(pairs)),
        ("of_another_release".to_owned(), string("stays")),
    ])
}

fn prepared(row: Row, ring: &KeyRing) -> (Row, u64) {
    match prepare(row, ring, NOW) {
        Ok(Prepared::Installation(candidate)) => {
            assert_eq!(candidate.forgotten_id, ring.forgotten_id("w/workspace"));
            let Plan::Write { row, .. } = candidate.over(None, None, false).unwrap() else { panic!("kept") };
            (row, candidate.since_ms)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_of_a_backup_counts_before_notion_has_confirmed_it() {
    for (health, then) in [
        ("active", "unverified"),
        ("unverified", "unverified"),
        ("needs_reinstall", "needs_reinstall"),
        ("removed", "removed"),
    ] {
        let (row, since_ms) = prepared(row(health, vec![pair(&ring())]), &ring());
        assert_eq!((text(&row, "health"), since_ms), (Some(then), 1000));
        let kept = row["pair"].as_l().unwrap()[0].as_m().unwrap();
        assert!(!kept.contains_key("lease") && !row.contains_key("refresh_after_ms"), "{row:?}");
        assert_eq!((integer(&row, "due_at_ms"), integer(&row, "version")), (Some(NOW.0), Some(8)));
        let shard = due::shard_of("w/workspace");
        assert_eq!(text(&row, "due_shard"), Some(shard.as_str()));
        assert_eq!(text(&row, "seal_shard"), Some(format!("1/{shard}").as_str()));
        assert_eq!(text(&row, "of_another_release"), Some("stays"));
    }
}

#[test]
fn a_tombstone_without_tokens_is_left_to_itself_and_one_with_a_wish_is_not() {
    let mut tombstone = row("removed", Vec::new());
    tombstone.insert("removed_at_ms".to_owned(), number(5000));
    let (done, since_ms) = prepared(tombstone.clone(), &ring());
    assert!(
        !["due_shard", "due_at_ms", "seal_shard"].iter().any(|name| done.contains_key(*name)),
        "{done:?}"
    );
    assert_eq!(since_ms, 5000, "a removal is newer than the install before it");
    tombstone.insert("forget".to_owned(), AttributeValue::Bool(true));
    assert_eq!(integer(&prepared(tombstone, &ring()).0, "due_at_ms"), Some(NOW.0));
}

#[test]
fn the_oldest_seal_says_where_a_row_stands() {
    let (rotated, _) = with_next_key(&KeyRingText::parse(RING).unwrap(), &OsRandom).unwrap();
    let rotated = KeyRing::parse(rotated.expose()).unwrap();
    let mut both = row("active", vec![pair(&rotated)]);
    let shard = due::shard_of("w/workspace");
    let (alone, _) = prepared(both.clone(), &rotated);
    assert_eq!(text(&alone, "seal_shard"), Some(format!("2/{shard}").as_str()));
    both.insert("superseded".to_owned(), AttributeValue::L(vec![pair(&ring())]));
    let (both, _) = prepared(both, &rotated);
    assert_eq!(text(&both, "seal_shard"), Some(format!("1/{shard}").as_str()));
}

#[test]
fn what_is_no_row_of_this_stack_is_not_imported() {
    let without = |name: &str| {
        let mut row = row("active", vec![pair(&ring())]);
        row.remove(name);
        row
    };
    for name in ["installation_id", "health", "generation", "version"] {
        let reason = prepare(without(name), &ring(), NOW).unwrap_err();
        assert!(reason.contains(name), "{reason}");
    }
    let other = KeyRing::parse(&RING.replace("0123", "3210")).unwrap();
    assert!(prepare(row("active", vec![pair(&other)]), &ring(), NOW).is_err(), "another stack's ring");
    let mut moved = row("active", vec![pair(&ring())]);
    moved.insert("installation_id".to_owned(), string("w/user/u"));
    assert!(prepare(moved, &ring(), NOW).is_err(), "another row's tokens");
}

#[test]
fn who_is_forgotten_stays_forgotten_as_they_are() {
    let forgotten: Row = HashMap::from([
        ("installation_id".to_owned(), string(&ring().forgotten_id("w/workspace"))),
        ("health".to_owned(), string("removed")),
        ("generation".to_owned(), number(1)),
        ("version".to_owned(), number(3)),
        ("removed_at_ms".to_owned(), number(5000)),
    ]);
    assert!(is_forgotten_marker(&ring().forgotten_id("w/workspace")) && !is_forgotten_marker("w/workspace"));
    let of_then = Forgotten { removed_at_ms: 5000, generation: 1 };
    let as_it_is = Prepared::Forgotten { row: forgotten.clone(), forgotten: of_then };
    assert_eq!(prepare(forgotten, &ring(), NOW), Ok(as_it_is));
}
