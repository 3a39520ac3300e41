//! Claiming an installation: the app's backend links it to one of its users, and nobody else can.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, GRACE};

use crate::app::{Begun, Returned};
use crate::harness::{World, ada, number, string};

const SUBJECT: &str = "user 4711";

/// An install that the app has got back and not claimed yet.
async fn returned(world: &World) -> (Begun, Returned) {
    let begun = Begun::new(world);
    let returned = world.browser().connect(&begun, |_| {}).await;
    (begun, returned)
}

async fn claim(world: &World, input: Value) -> Value {
    world.ask("claim", input).await
}

/// Nothing was linked, and nothing can be vended to anybody.
async fn assert_unbound(world: &World, what: &str) {
    assert_eq!(world.links().await, [], "{what}");
    for row in world.installations().await {
        assert!(!row.contains_key("subjects"), "{what}: {row:?}");
        assert!(!row.contains_key("owned_since_ms"), "{what}: {row:?}");
    }
    assert_eq!(world.vend(json!({})).await["error"], "unclaimed", "{what}");
    for subject in [SUBJECT, "attacker"] {
        let answer = world.ask("token", json!({"subject": subject})).await;
        assert_eq!(answer["error"], "not_installed", "{what}");
    }
}

#[tokio::test]
async fn a_claim_links_the_subject_and_answers_with_everything_notion_said() {
    let world = World::start().await;
    let (begun, back) = returned(&world).await;
    assert_unbound(&world, "before the claim").await;
    let claimed = claim(&world, begun.claim(&back, SUBJECT)).await;
    let row = world.row().await;
    assert_eq!(
        claimed,
        json!({
            "installation": URL_SAFE_NO_PAD.encode(string(&row, "installation_id").unwrap()),
            "workspace_id": ACME,
            "workspace_name": "Acme",
            "workspace_icon": string(&row, "workspace_icon"),
            "user_id": ADA,
            "user_name": string(&row, "owner_name"),
            "user_email": string(&row, "owner_email"),
            "user_email_verified": row.get("owner_email_verified").map(|flag| *flag.as_bool().unwrap()),
            "user_avatar_url": string(&row, "owner_avatar_url"),
            "bot_id": string(&row, "bot_id"),
            "duplicated_template_id": string(&row, "duplicated_template_id"),
            "generation": 1,
            "health": "active",
            "installed_at": number(&row, "installed_at_ms") / 1000,
            "subjects": [SUBJECT],
        })
    );
    let request = world.last_line_with("Claimed");
    assert_eq!(
        (request["subject"].as_str(), request["caller_says"].as_str(), request["outcome"].as_str()),
        (Some(SUBJECT), Some("the app"), Some("ok"))
    );
    let live = world.ask("token", json!({"subject": SUBJECT})).await;
    assert!(world.works(live["access_token"].as_str().unwrap()).await);
    assert_eq!(world.vend(json!({})).await["fingerprint"], live["fingerprint"], "by Notion's ids as well");
}

#[tokio::test]
async fn a_repeated_claim_gets_the_same_answer_and_another_subject_gets_none() {
    let world = World::start().await;
    let (begun, back) = returned(&world).await;
    let first = claim(&world, begun.claim(&back, SUBJECT)).await;
    let version = number(&world.row().await, "version");
    // Also long after the code has expired: the app may not have got the answer.
    for wait_secs in [0, 599, 7200] {
        world.clock.advance_secs(wait_secs);
        assert_eq!(claim(&world, begun.claim(&back, SUBJECT)).await, first);
        assert_eq!(claim(&world, begun.claim(&back, "attacker")).await["error"], "invalid_grant");
    }
    assert_eq!(number(&world.row().await, "version"), version, "nothing was written");
    assert_eq!(world.links().await.len(), 1);
}

#[tokio::test]
async fn every_wrong_claim_gets_one_answer_and_binds_nothing() {
    let world = World::start().await;
    let (begun, back) = returned(&world).await;
    let code = back.code.clone().unwrap();
    let input = begun.claim(&back, SUBJECT);
    let with = |name: &str, value: Value| {
        let mut input = input.clone();
        input[name] = value;
        input
    };
    let other_stack = World::start().await;
    let (_, elsewhere) = returned(&other_stack).await;
    let mut bytes = URL_SAFE_NO_PAD.decode(&code).unwrap();
    bytes[70] ^= 1;
    let refused = [
        (
            "a verifier of another install",
            with("code_verifier", Begun::new(&world).verifier.into()),
            "wrong_verifier",
        ),
        (
            "the challenge itself, as with the method plain",
            with("code_verifier", begun.challenge().into()),
            "wrong_verifier",
        ),
        (
            "the verifier with one character more",
            with("code_verifier", format!("{}A", begun.verifier).into()),
            "wrong_verifier",
        ),
        ("another stack's code", with("code", elsewhere.code.clone().into()), "unknown_code"),
        ("a code with another secret", with("code", URL_SAFE_NO_PAD.encode(&bytes).into()), "unknown_code"),
        ("a truncated code", with("code", code[..code.len() - 1].into()), "unknown_code"),
        ("a code with something after it", with("code", format!("{code}A").into()), "unknown_code"),
        ("a made-up code", with("code", "made-up".into()), "unknown_code"),
        ("a code that is far too long", with("code", "A".repeat(5000).into()), "unknown_code"),
    ];
    let mut answers = Vec::new();
    for (what, input, reason) in refused {
        let answer = claim(&world, input).await;
        assert_eq!(answer["error"], "invalid_grant", "{what}");
        assert_eq!(world.last_line_with("reason")["reason"], reason, "{what}");
        answers.push(answer);
        assert_unbound(&world, what).await;
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "one answer for all");
    for (what, input) in [
        ("no verifier", with("code_verifier", Value::Null)),
        ("a truncated verifier", with("code_verifier", begun.verifier[..42].into())),
        ("a verifier that is too long", with("code_verifier", "v".repeat(129).into())),
        ("a verifier with another character", with("code_verifier", format!("{}+", begun.verifier).into())),
        ("no code", with("code", Value::Null)),
        ("no subject", with("subject", Value::Null)),
        ("an empty subject", with("subject", "".into())),
        ("a subject that is too long", with("subject", "s".repeat(257).into())),
        ("a subject that is a number", with("subject", 4711.into())),
        ("no object", json!([])),
    ] {
        assert_eq!(claim(&world, input).await["error"], "invalid_request", "{what}");
        assert_unbound(&world, what).await;
    }
    world.clock.advance_secs(600);
    assert_eq!(claim(&world, input).await["error"], "invalid_grant", "ten minutes have passed");
    assert_eq!(world.last_line_with("reason")["reason"], "expired_code");
    assert_unbound(&world, "expired").await;
}

#[tokio::test]
async fn every_bit_of_a_code_matters() {
    let world = World::start().await;
    let (begun, back) = returned(&world).await;
    let bytes = URL_SAFE_NO_PAD.decode(back.code.clone().unwrap()).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut tampered = bytes.clone();
        tampered[bit / 8] ^= 1 << (bit % 8);
        let mut input = begun.claim(&back, SUBJECT);
        input["code"] = URL_SAFE_NO_PAD.encode(tampered).into();
        assert_eq!(claim(&world, input).await["error"], "invalid_grant", "bit {bit}");
    }
    assert_unbound(&world, "every bit").await;
    assert_eq!(claim(&world, begun.claim(&back, SUBJECT)).await["subjects"], json!([SUBJECT]));
}

#[tokio::test]
async fn a_forwarded_link_ends_at_an_app_that_has_no_verifier_for_it() {
    let world = World::start().await;
    // The attacker begins, and sends the link to the victim, who approves. The victim's browser gets the code.
    let attacker = Begun::new(&world);
    let victim = world.browser();
    let returned = victim.connect(&attacker, |_| {}).await;
    // The app finds the victim's session, which has another verifier, or none.
    let session_of_victim = Begun::new(&world);
    let answer = claim(&world, session_of_victim.claim(&returned, "victim")).await;
    assert_eq!(answer["error"], "invalid_grant");
    // The attacker has the verifier, but not the code: that was only in the victim's browser.
    let mut guess = attacker.claim(&returned, "attacker");
    guess["code"] = URL_SAFE_NO_PAD.encode([0; 200]).into();
    assert_eq!(claim(&world, guess).await["error"], "invalid_grant");
    assert_unbound(&world, "a forwarded link").await;
    // A planted code (login CSRF): the attacker's own code, opened in the victim's browser.
    let (own, planted) = self::returned_as(&world, GRACE).await;
    let answer = claim(&world, session_of_victim.claim(&planted, "victim")).await;
    assert_eq!(answer["error"], "invalid_grant", "the victim's session has not begun it");
    assert_eq!(world.links().await, []);
    drop(own);
}

async fn returned_as(world: &World, person: &str) -> (Begun, Returned) {
    let begun = Begun::new(world);
    let returned = world.browser().connect(&begun, |approval| person.clone_into(&mut approval.person)).await;
    (begun, returned)
}

/// As a backend does it: what is put off is asked for again. On a busy machine, some of a thousand are.
async fn claim_until_answered(world: &World, input: Value) -> Value {
    loop {
        let answer = claim(world, input.clone()).await;
        if answer["error"] != "try_later" {
            return answer;
        }
    }
}

#[tokio::test]
async fn a_thousand_claims_of_one_code_by_one_subject_are_one_link_and_one_answer() {
    let world = World::start().await;
    world.clock.hardly_move();
    let (begun, back) = returned(&world).await;
    let answers =
        join_all((0..1000).map(|_| claim_until_answered(&world, begun.claim(&back, SUBJECT)))).await;
    assert_eq!(answers[0]["subjects"], json!([SUBJECT]));
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(world.links().await.len(), 1);
}

#[tokio::test]
async fn of_a_thousand_subjects_that_claim_one_code_exactly_one_gets_it() {
    let world = World::start().await;
    world.clock.hardly_move();
    let (begun, back) = returned(&world).await;
    let all = (0..1000).map(|user| claim_until_answered(&world, begun.claim(&back, &format!("user {user}"))));
    let answers = join_all(all).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer["error"].is_null());
    assert_eq!((won.len(), lost.len()), (1, 999));
    assert!(lost.iter().all(|answer| answer["error"] == "invalid_grant"));
    let links = world.links().await;
    assert_eq!(json!([links[0].0]), won[0]["subjects"]);
    assert_eq!(links.len(), 1);
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_repeated() {
    let world = World::start().await;
    let (begun, back) = returned(&world).await;
    world.stack.dynamodb().inject("TransactWriteItems", dev::aws::Fault::LostReply, 1);
    let claimed = claim(&world, begun.claim(&back, SUBJECT)).await;
    assert_eq!(claimed["subjects"], json!([SUBJECT]), "{claimed}");
    assert_eq!(world.links().await.len(), 1);
}

#[tokio::test]
async fn a_table_that_does_not_answer_binds_nothing_and_says_when_to_come_back() {
    let world = World::start().await;
    let (begun, back) = returned(&world).await;
    for operation in ["GetItem", "TransactWriteItems"] {
        let no_permission = dev::aws::Fault::Answer(dev::aws::Reply::error(400, "AccessDeniedException"));
        world.stack.dynamodb().inject(operation, no_permission, 1);
        let answer = claim(&world, begun.claim(&back, SUBJECT)).await;
        assert_eq!((answer["error"].as_str(), answer["reason"].as_str()), (Some("try_later"), Some("store")));
        assert_unbound(&world, operation).await;
    }
    assert_eq!(claim(&world, begun.claim(&back, SUBJECT)).await["subjects"], json!([SUBJECT]));
}

#[tokio::test]
async fn what_was_removed_or_has_died_before_the_claim_says_so() {
    let world = World::start().await;
    let (begun, back) = returned(&world).await;
    world.ask("uninstall", ada(json!({}))).await;
    let answer = claim(&world, begun.claim(&back, SUBJECT)).await;
    assert_eq!(answer["error"], "removed");
    assert!(answer["install_url"].is_string());
    // Installed again: the old code is not a code of the new installation.
    let (again, back_again) = returned(&world).await;
    assert_eq!(claim(&world, begun.claim(&back, SUBJECT)).await["error"], "invalid_grant");
    assert_eq!(claim(&world, again.claim(&back_again, SUBJECT)).await["generation"], 2);
    // Forgotten: nothing of the person is left to say.
    world.ask("uninstall", ada(json!({"forget": true}))).await;
    assert_eq!(claim(&world, again.claim(&back_again, SUBJECT)).await["error"], "invalid_grant");
    assert_eq!(world.links().await, []);
}

#[tokio::test]
async fn another_account_than_expected_is_linked_only_if_the_app_accepts_it() {
    let world = World::start().await;
    let ada_claimed = world.connected(SUBJECT, |_| {}).await;
    let expected = ada_claimed["installation"].as_str().unwrap().to_owned();
    let begun = Begun::new(&world);
    let browser = world.browser();
    let authorize = browser.begin(&begun, &format!("&expect={expected}")).await;
    let callback = browser.allow(&authorize, |approval| approval.person = GRACE.to_owned());
    let back = Returned::read(&world, &browser.follow(&callback).await);
    let before = world.ask("token", json!({"subject": SUBJECT})).await;
    let answer = claim(&world, begun.claim(&back, SUBJECT)).await;
    assert_eq!(answer["error"], "different_account");
    assert_eq!(
        (answer["expected"]["user_id"].as_str(), answer["actual"]["user_id"].as_str()),
        (Some(ADA), Some(GRACE))
    );
    assert_eq!(world.links().await.len(), 1, "nothing was linked");
    assert_eq!(world.ask("token", json!({"subject": SUBJECT})).await, before, "nothing was replaced");
    let mut accepting = begun.claim(&back, SUBJECT);
    accepting["accept_different_account"] = true.into();
    assert_eq!(claim(&world, accepting).await["user_id"], GRACE);
    assert_eq!(world.links().await.len(), 2);
    // And the same account again is what was expected.
    let begun = Begun::new(&world);
    let browser = world.browser();
    let authorize = browser.begin(&begun, &format!("&expect={expected}")).await;
    let callback = browser.allow(&authorize, |_| {});
    let back = Returned::read(&world, &browser.follow(&callback).await);
    let renewed = claim(&world, begun.claim(&back, SUBJECT)).await;
    assert_eq!(
        (renewed["generation"].as_u64(), renewed["installation"].as_str()),
        (Some(2), Some(expected.as_str()))
    );
}

#[tokio::test]
async fn what_was_expected_is_told_only_to_whom_it_belongs() {
    let world = World::start().await;
    let of_ada = world.connected("ada's user", |_| {}).await;
    let expected = of_ada["installation"].as_str().unwrap().to_owned();
    // Somebody else's browser names Ada's installation, whose id can be made from Notion's ids.
    let begun = Begun::new(&world);
    let browser = world.browser();
    let authorize = browser.begin(&begun, &format!("&expect={expected}")).await;
    let callback = browser.allow(&authorize, |approval| approval.person = GRACE.to_owned());
    let back = Returned::read(&world, &browser.follow(&callback).await);
    let answer = claim(&world, begun.claim(&back, "another user")).await;
    assert_eq!(answer["error"], "different_account");
    assert_eq!(answer["expected"], serde_json::json!({"installation": expected}));
    assert_eq!(answer["actual"]["user_id"], GRACE);
}

#[tokio::test]
async fn an_installation_has_room_for_a_limited_number_of_subjects() {
    let world = World::start().await;
    for user in 0..vault::store::MAX_SUBJECTS {
        world.connected(&format!("user {user}"), |_| {}).await;
    }
    let (begun, back) = returned(&world).await;
    assert_eq!(claim(&world, begun.claim(&back, "one more")).await["error"], "too_many_subjects");
    assert_eq!(claim(&world, begun.claim(&back, "user 3")).await["error"], Value::Null);
    // All their links end in one transaction.
    assert_eq!(world.ask("uninstall", ada(json!({}))).await["revoked"], true);
    assert_eq!(world.links().await, []);
}
