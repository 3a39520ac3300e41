//! Many callers at the same time, all with the same refused token: one refresh, however Notion treats old refresh
//! tokens.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use simulated_notion::{ACME, Endpoint, Person, Rotation, Workspace, sample_workspaces};

use crate::harness::{World, ada, person};

const ROTATIONS: [Rotation; 3] =
    [Rotation::Strict, Rotation::Grace { valid_refresh_tokens: 2 }, Rotation::FamilyRevocation];

fn refused(answer: &Value) -> Value {
    json!({"refused_fingerprint": answer["fingerprint"]})
}

fn tokens(answers: &[Value]) -> BTreeSet<&str> {
    let of = |answer: &'_ Value| answer["access_token"].as_str().map(|_| ()).is_some();
    assert!(answers.iter().all(of), "{:?}", answers.iter().find(|answer| !of(answer)));
    answers.iter().map(|answer| answer["access_token"].as_str().unwrap()).collect()
}

// The stand-ins run on their own threads: otherwise a thousand callers would leave them no time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_callers_share_one_refresh() {
    Box::pin(a_thousand_callers_of_one_expired_grant()).await;
    Box::pin(two_hundred_grants_with_fifty_callers_each()).await;
}

async fn a_thousand_callers_of_one_expired_grant() {
    for rotation in ROTATIONS {
        let world = World::start().await;
        world.notion().change_settings(|settings| settings.rotation = rotation);
        assert!(world.browser().install_as(|_| {}).await.is_connected());
        let before = world.vend(json!({})).await;
        world.expire_access_tokens();
        Box::pin(world.stack.functions().warm_up()).await;
        world.clock.hardly_move();
        let vend = || patient(&world, ada(refused(&before)));
        let answers = at_once((0..1000).map(|_| vend())).await;
        let tokens = tokens(&answers);
        assert_eq!(tokens.len(), 1, "{rotation:?}");
        assert!(world.works(tokens.first().unwrap()).await, "{rotation:?}");
        assert_eq!(world.notion().count(Endpoint::Token), 2, "{rotation:?}: one exchange, one refresh");
    }
}

async fn two_hundred_grants_with_fifty_callers_each() {
    const PEOPLE: usize = 200;
    let ids: Vec<String> =
        (0..PEOPLE).map(|number| format!("a0000000-0000-4000-8000-{number:012}")).collect();
    for rotation in ROTATIONS {
        let world = World::start_with(|options| {
            let dev::stack::NotionSide::Simulated(notion) = &mut options.notion else { unreachable!() };
            notion.workspaces = with_people(&ids);
            notion.settings.rotation = rotation;
        })
        .await;
        for id in &ids {
            let page = world.browser().install_as(|approval| id.clone_into(&mut approval.person)).await;
            assert!(page.is_connected());
        }
        let vend = |id: &str, more: Value| patient(&world, person(id, ACME, more));
        let before = at_once(ids.iter().map(|id| vend(id, json!({})))).await;
        world.expire_access_tokens();
        Box::pin(world.stack.functions().warm_up()).await;
        world.clock.hardly_move();
        let callers: Vec<(&String, Value)> = ids
            .iter()
            .zip(&before)
            .flat_map(|(id, answer)| (0..50).map(move |_| (id, refused(answer))))
            .collect();
        // The callers of ten grants at a time: this machine stands for all the machines that they would run on.
        let mut answers = Vec::new();
        for wave in callers.chunks(500) {
            let asked = wave.iter().map(|(id, refused)| vend(id, refused.clone()));
            answers.extend(at_once(asked).await);
        }
        for of_one in answers.chunks(50) {
            assert_eq!(tokens(of_one).len(), 1, "{rotation:?}");
        }
        let tokens = tokens(&answers);
        assert_eq!(tokens.len(), PEOPLE, "{rotation:?}: each their own");
        for token in tokens {
            assert!(world.works(token).await, "{rotation:?}");
        }
        assert_eq!(world.notion().count(Endpoint::Token), 2 * PEOPLE, "{rotation:?}");
    }
}

/// All started at the same time. Unconstrained, because tokio's budget per task would start them one after another.
async fn at_once(callers: impl Iterator<Item = impl Future<Output = Value>>) -> Vec<Value> {
    tokio::task::unconstrained(join_all(callers)).await
}

/// A caller that retries as told. This machine stands for a thousand, so a function may run out of time.
async fn patient(world: &World, input: Value) -> Value {
    for _ in 0..5 {
        let answer = world.ask("token", input.clone()).await;
        if answer["error"] != "try_later" {
            return answer;
        }
    }
    panic!("no answer to {input}")
}

/// The sample workspaces, with these additional people in the first.
pub(crate) fn with_people(ids: &[String]) -> Vec<Workspace> {
    let mut workspaces = sample_workspaces();
    let acme = workspaces.iter_mut().find(|workspace| workspace.id == ACME).unwrap();
    let template: Person = acme.people[0].clone();
    acme.people.extend(ids.iter().map(|id| Person { id: id.clone(), ..template.clone() }));
    workspaces
}
