//! The same callback again: reloads, double clicks, fifty at the same time.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::StatusCode;
use simulated_notion::{Endpoint, Fault};

use crate::harness::{World, number, string};

#[tokio::test]
async fn a_repeat_in_the_same_browser_shows_the_same_result() {
    let world = World::start().await;
    let browser = world.browser();
    let callback = browser.granted().await;
    let first = browser.follow(&callback).await;
    for _ in 0..3 {
        let again = browser.follow(&callback).await;
        assert_eq!((again.status, &again.body, &again.url), (first.status, &first.body, &first.url));
    }
    assert!(first.is_connected());
    assert_eq!(world.notion().count(Endpoint::Token), 1);
    assert_eq!(number(&world.installations().await[0], "generation"), 1);
    assert_eq!(world.leaks.log().matches("\"Repeated\":1").count(), 3);
}

#[tokio::test]
async fn a_reload_never_turns_a_success_into_expired() {
    let world = World::start().await;
    let browser = world.browser();
    let callback = browser.granted().await;
    assert!(browser.follow(&callback).await.is_connected());
    world.clock.advance_secs(601);
    assert!(browser.follow(&callback).await.is_connected());
    world.clock.advance_secs(3000);
    assert!(browser.follow(&callback).await.is_connected());
    // Longer than the cookie lives (a browser would have dropped it). The claim does not count any more, whether
    // deleted or not.
    world.clock.advance_secs(3600);
    assert_eq!(browser.follow(&callback).await.heading(), "This took too long");
    assert_eq!(world.claims().await.len(), 1);
    assert_eq!(world.notion().count(Endpoint::Token), 1);
}

#[tokio::test]
async fn of_fifty_at_once_one_exchanges_and_all_see_success() {
    let world = World::start().await;
    let browser = world.browser();
    let callback = browser.granted().await;
    // Notion holds the one exchange until all others have been answered.
    world.notion().inject(Endpoint::Token, Fault::Hold, 1);
    let mut repeats: FuturesUnordered<_> = (0..50).map(|_| browser.get(&callback)).collect();
    let mut answered = Vec::new();
    while answered.len() < 49 {
        answered.push(repeats.next().await.unwrap());
    }
    for page in &answered {
        assert_eq!(page.status, StatusCode::SEE_OTHER);
        let waiting = browser.get(&world.url(&format!("/callback{}", page.location()))).await;
        assert_eq!((waiting.status, waiting.heading()), (StatusCode::ACCEPTED, "Just a moment"));
    }
    world.notion().wait_for(Endpoint::Token, 1).await;
    world.notion().release();
    answered.push(repeats.next().await.unwrap());
    for page in &answered {
        assert!(browser.follow(&world.url(&format!("/callback{}", page.location()))).await.is_connected());
    }
    assert_eq!(answered.len(), 50);
    assert_eq!(world.notion().count(Endpoint::Token), 1);
    assert_eq!(world.claims().await.len(), 1);
    let rows = world.installations().await;
    assert_eq!((rows.len(), number(&rows[0], "generation")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_at_once_in_any_order_have_the_same_outcome() {
    let world = World::start().await;
    for _round in 0..5 {
        let exchanges = world.notion().count(Endpoint::Token);
        let browser = world.browser();
        let callback = browser.granted().await;
        let pages: Vec<_> =
            (0..50).map(|_| browser.follow(&callback)).collect::<FuturesUnordered<_>>().collect().await;
        assert!(pages.iter().all(crate::harness::Page::is_connected));
        assert_eq!(world.notion().count(Endpoint::Token), exchanges + 1);
    }
    assert_eq!(world.installations().await.len(), 1);
}

#[tokio::test]
async fn a_foreign_browser_among_the_repeats_gets_nothing() {
    let world = World::start().await;
    let (browser, foreign) = (world.browser(), world.browser());
    let callback = browser.granted().await;
    for _ in 0..3 {
        assert_eq!(foreign.follow(&callback).await.status, StatusCode::FORBIDDEN);
    }
    assert!(browser.follow(&callback).await.is_connected());
    assert_eq!(foreign.follow(&callback).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_claim_that_was_cut_off_reads_as_unknown_and_can_be_started_again() {
    let world = World::start().await;
    let browser = world.browser();
    let callback = browser.granted().await;
    world.notion().inject(Endpoint::Token, Fault::Hold, 1);
    {
        // The invocation is frozen and never continues.
        let mut cut_off = Box::pin(browser.get(&callback));
        tokio::select! {
            _ = &mut cut_off => panic!("it was answered"),
            () = world.notion().wait_for(Endpoint::Token, 1) => {}
        }
        let flow = browser.get(&callback).await;
        let waiting = browser.get(&world.url(&format!("/callback{}", flow.location()))).await;
        assert_eq!(waiting.heading(), "Just a moment");
        world.clock.advance_secs(30);
        let unknown = browser.get(&waiting.url).await;
        assert_eq!(unknown.heading(), "Notion did not answer in time");
        assert!(unknown.body.contains("href=\"install\""));
    }
    assert_eq!(string(&world.claims().await[0], "outcome"), Some("exchanging"));
    assert!(browser.install_as(|_| {}).await.is_connected());
    world.notion().release();
}

#[tokio::test]
async fn a_repeat_during_the_save_is_a_repeat() {
    let world = World::start().await;
    let browser = world.browser();
    let callback = browser.granted().await;
    assert!(browser.follow(&callback).await.is_connected());
    // DynamoDB's answer while a transaction is writing the claim.
    let conflict = dev::aws::Fault::Answer(dev::aws::Reply::error(400, "TransactionConflictException"));
    world.stack.dynamodb().inject("PutItem", conflict.clone(), 1);
    assert!(browser.follow(&callback).await.is_connected());
    assert_eq!(world.notion().count(Endpoint::Token), 1);
    // Recording an outcome waits for it.
    world.stack.dynamodb().inject("UpdateItem", conflict, 2);
    world.notion().inject(Endpoint::Token, Fault::Status { status: 500, retry_after: None }, 1);
    let page = browser.install_as(|_| {}).await;
    assert_eq!(page.heading(), "Notion did not answer in time");
    assert!(page.url.contains("?flow="), "{}", page.url);
}
