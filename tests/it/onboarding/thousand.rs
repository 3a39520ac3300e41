//! A thousand people install at once. All workspaces are prepared, within what Notion allows the connection, and people's own
//! calls feel nothing of it.

use simulated_notion::{Endpoint, RateScope};

use super::{made_by_each, notion, onboarding, recipe, world};
use crate::stampede::with_people;

const PEOPLE: usize = 1000;
/// What Notion allows a connection whose workspace is not on a Business plan, in a minute.
const ALLOWED_PER_MINUTE: u64 = 180;
/// How many calls of its own the app makes for its users, in each minute.
const OWN_CALLS: usize = 90;

#[tokio::test]
#[expect(clippy::print_stderr, reason = "the figures of the run")]
async fn a_thousand_installs_at_once_are_prepared_within_the_limits_and_people_feel_nothing() {
    let people: Vec<String> =
        (0..PEOPLE).map(|person| format!("e0000000-0000-4000-8000-{person:012}")).collect();
    let world = world(recipe("tracker"), |options| notion(options).workspaces = with_people(&people)).await;
    for id in &people {
        let page = world.browser().install_as(|approval| id.clone_into(&mut approval.person)).await;
        assert!(page.is_connected());
        // What the installs themselves ask is not what is measured. Their events come all at once.
        world.clock.advance_secs(1);
    }
    while world.stack.publish_changes().await.unwrap() > 0 {}
    let token = world.vend(serde_json::json!({"user_id": people[0]})).await["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let queues = world.stack.queues().service();
    assert_eq!(queues.onboardings().len(), PEOPLE);
    world.notion().change_settings(|settings| settings.requests_per_minute = Some(ALLOWED_PER_MINUTE));
    world.clock.advance_secs(60);

    let began_ms = world.clock_ms();
    let mut minutes = 0;
    let mut refused = 0;
    while !queues.onboardings().is_empty() {
        // Everything of this minute that is due, ten seconds at a time.
        for _ in 0..6 {
            world.stack.prepare_workspaces().await;
            for _ in 0..OWN_CALLS / 6 {
                refused += usize::from(!world.works(&token).await);
            }
            world.clock.advance_secs(10);
        }
        minutes += 1;
        assert!(minutes < 240, "{} left", queues.onboardings().len());
    }
    let took_secs = (world.clock_ms() - began_ms) / 1000;
    let counters = world.notion().rate_counters();
    let (highest, turned_away) = counters
        .iter()
        .filter(|(scope, _)| matches!(scope, RateScope::Connection(_)))
        .map(|(_, counter)| (counter.highest, counter.refused))
        .max()
        .unwrap();
    let made = made_by_each(&world);
    let first = &made[&people[0]];
    for id in &people {
        assert_eq!(onboarding(&world, id).await["status"], "completed");
        assert_eq!(&made[id], first, "{id}");
    }
    eprintln!(
        "{PEOPLE} workspaces in {} min {} s ({} an hour); at most {highest} of {ALLOWED_PER_MINUTE} requests in a minute, \
         {OWN_CALLS} of them people's own; {turned_away} answers of 429, {refused} of them to people; {} pages",
        took_secs / 60,
        took_secs % 60,
        PEOPLE as u64 * 3600 / took_secs,
        world.notion().count(Endpoint::CreatePage),
    );
    assert_eq!((refused, turned_away), (0, 0));
    assert!(highest <= ALLOWED_PER_MINUTE);
    assert_eq!(world.notion().count(Endpoint::CreatePage), PEOPLE * 4);
}
