//! `recipe` and `onboard`, and the ledgers in a backup.

use std::path::Path;

use aws_sdk_dynamodb::types::AttributeValue;
use dev::aws::ONBOARDING_TABLE;
use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, Approval, Endpoint, Fault, GRACE};
use vault::installation::InstallationId;

use super::backup::{Backup, install, lose};
use super::process::{in_json, operator, operator_alone, operator_with_recipe, said};
use crate::app::Begun;
use crate::harness::{World, ada};
use crate::onboarding::{made, of_ada, recipe, settle, world};

/// Runs the operator with `--json` on a stack that prepares workspaces with the tracker.
async fn preparing(world: &World, arguments: &[&str]) -> (i32, Value) {
    let arguments: Vec<&str> = ["--json"].into_iter().chain(arguments.iter().copied()).collect();
    let output = operator_with_recipe(world, "tracker", &arguments).await;
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    (output.status.code().unwrap(), json)
}

/// What is refused, and with which exit code.
async fn refused(world: &World, arguments: &[&str]) -> (i32, String) {
    let (code, json) = preparing(world, arguments).await;
    assert_eq!(json["done"], false, "{arguments:?}: {json}");
    (code, json["said"].as_str().unwrap().to_owned())
}

async fn tracker() -> World {
    world(recipe("tracker"), |_| {}).await
}

/// What waits in the queue of onboardings.
fn queued(world: &World) -> Vec<String> {
    world.stack.queues().service().onboardings()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recipe_is_checked_without_a_stack_and_everything_wrong_is_said_with_its_line() {
    let well = operator_alone(&["recipe", "check", "recipes/tracker"]).await;
    assert_eq!(well.status.code(), Some(0), "{}", said(&well));
    assert_eq!(said(&well).lines().count(), 1, "{}", said(&well));
    assert!(said(&well).starts_with("tracker is well: 1 page, 1 database, 1 view, 3 rows; 7 requests"));

    let folder = std::env::temp_dir().join(format!("operator-{}-recipe", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let wrong = "[[resource]]\nresource_id = \"home\"\ntype = \"poem\"\n\n[[resource]]\nresource_id = \"person\"\n\
                 type = \"page\"\ntitle = \"{{nothing}}\"\n";
    std::fs::write(folder.join("recipe.toml"), wrong).unwrap();
    let dir = folder.to_str().unwrap();
    let checked = operator_alone(&["recipe", "check", dir]).await;
    assert_eq!(checked.status.code(), Some(1), "{}", said(&checked));
    for problem in ["3: there is no type `poem`", "6: `person`", "8: there is no placeholder `nothing`"] {
        let problem = format!("{}:{problem}", folder.join("recipe.toml").display());
        assert!(said(&checked).contains(&problem), "{problem}: {}", said(&checked));
    }
    let checked = operator_alone(&["--json", "recipe", "check", dir]).await;
    let json: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let lines: Vec<&Value> =
        json["problems"].as_array().unwrap().iter().map(|problem| &problem["line"]).collect();
    assert_eq!(lines, [&json!(3), &json!(6), &json!(8)], "{json}");
    let previewed = operator_alone(&["recipe", "preview", dir]).await;
    assert_eq!(previewed.status.code(), Some(1), "{}", said(&previewed));
    std::fs::remove_dir_all(&folder).unwrap();

    let missing = operator_alone(&["recipe", "check", "/nonexistent/recipe"]).await;
    assert_eq!(missing.status.code(), Some(1), "{}", said(&missing));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_shows_every_resource_filled_in() {
    let shown = said(&operator_alone(&["recipe", "preview", "recipes/tracker"]).await);
    for part in [
        "=== home: page \"🧭 Sample app: start here\" at the top of the workspace, the landing page\n",
        "Welcome, Ada Lovelace. Sample app is connected to Acme, and has prepared this page.",
        "=== tasks: database \"✅ Tasks\" in home, shown in it\n",
        "- Status: status: Not started, In progress, Done\n",
        "=== board: view \"Board\" of tasks, a board\n- grouped by: Status\n",
        "- Task: Look around, Ada Lovelace\n",
        "- Priority: High\n",
        "- Who: <person>\n",
        "- Due: 2",
        "- [ ] Open the [board](https://www.notion.so/tasks)\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let arguments =
        ["recipe", "preview", "recipes/tracker", "--person", "# Ada", "--workspace", "", "--app", "My app"];
    let shown = said(&operator_alone(&arguments).await);
    for part in ["Welcome, \\# Ada. My app is connected to your workspace,", "- Task: Look around, # Ada\n"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let template = operator_alone(&["--json", "recipe", "preview", "recipes/template"]).await;
    let json: Value = serde_json::from_slice(&template.stdout).unwrap();
    let steps = json["steps"].as_array().unwrap();
    assert_eq!((steps.len(), &steps[0]["request"]), (4, &Value::Null), "{json}");
    assert_eq!(steps[3]["request"]["parent"]["data_source_id"], "<data source of contacts>", "{json}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_onboarding_that_has_failed_is_shown_planned_and_continued() {
    let world = tracker().await;
    install(&world, ADA).await;
    let (code, shown) = preparing(&world, &["onboard", "show", ACME, ADA]).await;
    assert_eq!((code, &shown["status"]), (0, &Value::Null), "{shown}");
    let forbidden = Fault::Status { status: 403, retry_after: None };
    world.notion().inject(Endpoint::CreateDatabase, forbidden, 1);
    settle(&world).await;
    let failed = of_ada(&world).await;
    assert_eq!(failed["reason"], "missing_capability", "{failed}");

    let (code, shown) = preparing(&world, &["onboard", "show", ACME, ADA]).await;
    assert_eq!((code, &shown["status"], &shown["step"]), (1, &json!("failed"), &json!("tasks")), "{shown}");
    assert_eq!(
        (&shown["recipe"], &shown["capability"]),
        (&json!("tracker"), &json!("insert content")),
        "{shown}"
    );
    let home = &shown["steps"][0];
    assert_eq!((&home["resource_id"], &home["state"]), (&json!("home"), &json!("made")), "{shown}");
    let text = operator_with_recipe(&world, "tracker", &["onboard", "show", ACME, ADA]).await;
    let text = said(&text);
    assert!(text.contains("reason               missing_capability\n"), "{text}");
    let line = format!("made      page     home                 {}", home["id"].as_str().unwrap());
    assert!(text.contains(&line), "{text}");

    // What is left to do. Nothing is sent.
    let (code, planned) = preparing(&world, &["onboard", "run", ACME, ADA, "--dry-run"]).await;
    assert_eq!((code, &planned["to_do"]), (0, &json!(5)), "{planned}");
    let steps = planned["steps"].as_array().unwrap();
    assert_eq!((&steps[0]["state"], &steps[0]["request"]), (&json!("made"), &Value::Null), "{planned}");
    assert_eq!(steps[1]["request"]["parent"]["page_id"], home["id"], "{planned}");
    let title = &steps[3]["request"]["properties"]["Task"]["title"][0]["text"]["content"];
    assert_eq!(title, "Look around, Ada", "{planned}");
    assert_eq!(steps[3]["request"]["parent"]["data_source_id"], "<data source of tasks>", "{planned}");
    let text = operator_with_recipe(&world, "tracker", &["onboard", "run", ACME, ADA, "--dry-run"]).await;
    assert!(said(&text).contains("POST /v1/databases\n{") && said(&text).contains("POST /v1/views\n{"));
    assert_eq!(queued(&world), [""; 0]);

    let (code, ordered) = preparing(&world, &["onboard", "run", ACME, ADA]).await;
    assert_eq!((code, &ordered["ordered"]), (0, &json!(1)), "{ordered}");
    let id = InstallationId::of_user(ACME, Some(ADA));
    assert_eq!(queued(&world), [vault::onboarding::order(&id, true).to_string()]);
    settle(&world).await;
    let prepared = of_ada(&world).await;
    assert_eq!(prepared["status"], "completed", "{prepared}");
    assert_eq!(world.notion().count(Endpoint::CreatePage), 4, "the first page was not made again");
    let (code, shown) = preparing(&world, &["onboard", "show", ACME, ADA]).await;
    assert_eq!((code, &shown["landing_url"]), (0, &prepared["landing_url"]), "{shown}");
    let (_, planned) = preparing(&world, &["onboard", "run", ACME, ADA, "--dry-run"]).await;
    assert_eq!(planned["to_do"], 0, "{planned}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_ordered_for_whom_nothing_would_be_made() {
    let world = tracker().await;
    install(&world, ADA).await;
    let begun = Begun::new(&world);
    world.browser().connect(&begun, |approval: &mut Approval| GRACE.clone_into(&mut approval.person)).await;
    let for_ada = ["onboard", "run", ACME, ADA];
    for (arguments, code, because) in [
        (&["onboard", "run", ACME, "nobody"][..], 1, "there is no installation"),
        (&["onboard", "show", ACME, "nobody"], 1, "there is no installation"),
        (&["onboard", "run", ACME, "a b"], 2, "user_id"),
        (&["onboard", "run", ACME, GRACE], 1, "unclaimed"),
        (&["onboard", "run", ACME, GRACE, "--dry-run"], 1, "unclaimed"),
        (&["onboard", "run", ACME, ADA, "--recipe", "recipes/template"], 2, "--dry-run"),
        (&["onboard", "run", ACME, ADA, "--dry-run", "--recipe", "/nonexistent"], 1, "cannot be read"),
        (&["onboard", "run", "--all"], 2, "--yes"),
    ] {
        let (got, said) = refused(&world, arguments).await;
        assert!(got == code && said.contains(because), "{arguments:?}: {got} {said}");
    }
    // A stack without a recipe.
    for arguments in [&for_ada[..], &["onboard", "run", "--all"], &["onboard", "run", ACME, ADA, "--dry-run"]]
    {
        let (code, answer) = in_json(&world, arguments).await;
        assert!(
            code == 1 && answer["said"].as_str().unwrap().contains("Recipe=NAME"),
            "{arguments:?}: {answer}"
        );
    }
    let (code, planned) =
        in_json(&world, &["onboard", "run", ACME, ADA, "--dry-run", "--recipe", "recipes/template"]).await;
    assert_eq!((code, &planned["to_do"]), (0, &json!(1)), "only the settings: {planned}");
    assert_eq!(planned["steps"][0]["why"], "no template was duplicated", "{planned}");
    assert_eq!(planned["steps"][3]["why"], "needs contacts", "{planned}");

    let live = world.vend(json!({})).await;
    world.notion().revoke_grants_of(ADA, ACME);
    world.vend(json!({"refused_fingerprint": live["fingerprint"]})).await;
    let (code, said) = refused(&world, &for_ada).await;
    assert!(code == 1 && said.contains("its grant is dead"), "{said}");
    world.ask("uninstall", ada(json!({}))).await;
    let (code, said) = refused(&world, &for_ada).await;
    assert!(code == 1 && said.contains("it is removed"), "{said}");
    let (_, all) = preparing(&world, &["onboard", "run", "--all"]).await;
    assert_eq!((&all["done"], &all["ordered"]), (&json!(true), &json!(0)), "{all}");
    assert_eq!(queued(&world), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_are_ordered_as_many_as_wanted_and_none_who_is_prepared() {
    let world = tracker().await;
    install(&world, ADA).await;
    install(&world, GRACE).await;
    let (code, dry) = preparing(&world, &["onboard", "run", "--all", "--dry-run"]).await;
    assert_eq!((code, &dry["to_order"], &dry["ordered"]), (0, &json!(2), &json!(0)), "{dry}");
    assert_eq!((&dry["requests"], &dry["minutes"]), (&json!(14), &json!(1)), "{dry}");
    let (code, some) = preparing(&world, &["onboard", "run", "--all", "--limit", "1", "--yes"]).await;
    assert_eq!((code, &some["ordered"], &some["left"]), (0, &json!(1), &json!(1)), "{some}");
    let orders = queued(&world);
    assert_eq!(orders.len(), 1);
    assert!(orders[0].contains("\"again\":false"), "{orders:?}");
    // Not the events of their installs, which would prepare both.
    world.stack.prepare_workspaces().await;
    let (code, rest) = preparing(&world, &["onboard", "run", "--all", "--yes"]).await;
    assert_eq!((code, &rest["ordered"], &rest["left"]), (0, &json!(1), &json!(0)), "{rest}");
    settle(&world).await;
    assert_eq!(world.notion().count(Endpoint::CreateDatabase), 2);
    let (_, none) = preparing(&world, &["onboard", "run", "--all", "--yes"]).await;
    assert_eq!(none["ordered"], 0, "{none}");
    // Another recipe has something for both.
    let other = ["onboard", "run", "--all", "--dry-run", "--recipe", "recipes/template"];
    let (_, other) = preparing(&world, &other).await;
    assert_eq!((&other["to_order"], &other["requests"]), (&json!(2), &json!(10)), "{other}");
}

async fn lose_ledger(world: &World) {
    let client = world.stack.dynamodb().service().client();
    let delete = client.delete_item().table_name(ONBOARDING_TABLE.0);
    let id = InstallationId::of_user(ACME, Some(ADA));
    delete.key(ONBOARDING_TABLE.1, AttributeValue::S(id.as_str().to_owned())).send().await.unwrap();
}

/// Imports. Returns the exit code, and the counts of ledgers: written, kept, of nobody.
async fn import(world: &World, arguments: &[&str]) -> (i32, [u64; 3]) {
    let arguments: Vec<&str> = ["import"].into_iter().chain(arguments.iter().copied()).collect();
    let (code, json) = in_json(world, &arguments).await;
    let count = |name: &str| json["ledgers"][name].as_u64().unwrap_or_else(|| panic!("{json}"));
    (code, [count("written"), count("kept"), count("of_nobody")])
}

fn change(file: &Path, change: impl Fn(&str) -> String) {
    std::fs::write(file, change(&std::fs::read_to_string(file).unwrap())).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_person_gets_nothing_twice() {
    let world = tracker().await;
    install(&world, ADA).await;
    settle(&world).await;
    let before = made(&world);
    let backup = Backup::named("ledgers");
    let (code, exported) = in_json(&world, &["export", backup.path()]).await;
    assert_eq!((code, &exported["rows"], &exported["ledgers"]), (0, &json!(1), &json!(1)), "{exported}");
    let lines = std::fs::read_to_string(&backup.0).unwrap();
    assert!(lines.lines().count() == 2 && !lines.contains("next_at_ms"), "without the pace: {lines}");

    // There is one, which stays. The table itself is a backup, too.
    assert_eq!(import(&world, &[backup.path(), "--overwrite", "--yes"]).await, (0, [0, 1, 0]));
    assert_eq!(import(&world, &["--table", ONBOARDING_TABLE.0]).await, (0, [0, 1, 0]));
    // Both tables are lost.
    lose(&world, ADA).await;
    lose_ledger(&world).await;
    assert_eq!(import(&world, &[backup.path()]).await, (0, [1, 0, 0]));
    assert_eq!(import(&world, &[backup.path()]).await, (0, [0, 1, 0]));
    let (code, shown) = in_json(&world, &["onboard", "show", ACME, ADA]).await;
    assert_eq!((code, &shown["status"]), (0, &json!("completed")), "{shown}");
    install(&world, ADA).await;
    settle(&world).await;
    assert_eq!(made(&world), before);
    assert_eq!(world.notion().count(Endpoint::CreateDatabase), 1);
    // It goes on from there.
    let (code, _) = preparing(&world, &["onboard", "run", ACME, ADA]).await;
    settle(&world).await;
    assert_eq!((code, made(&world)), (0, before));
    assert_eq!(of_ada(&world).await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_ledger_comes_back_for_who_was_forgotten_or_is_not_there() {
    let world = tracker().await;
    install(&world, ADA).await;
    settle(&world).await;
    let backup = Backup::named("forgotten-ledgers");
    assert_eq!(in_json(&world, &["export", backup.path()]).await.0, 0);
    assert_eq!(in_json(&world, &["revoke", ACME, ADA, "--forget", "--yes"]).await.0, 0);
    assert_eq!(import(&world, &[backup.path()]).await, (0, [0, 0, 1]));
    // They install again, and everything is made again: nothing was kept.
    install(&world, ADA).await;
    assert_eq!(import(&world, &[backup.path()]).await, (0, [0, 0, 1]));
    settle(&world).await;
    assert_eq!(world.notion().count(Endpoint::CreateDatabase), 2);

    // Of another stack, or broken.
    lose_ledger(&world).await;
    change(&backup.0, |lines| lines.replace("\"S\":\"completed\"", "\"S\":\"done\""));
    let (code, json) = in_json(&world, &["import", backup.path()]).await;
    assert!(code == 1 && json["unreadable"][0].as_str().unwrap().contains("status"), "{json}");
    // An export of before there were ledgers.
    change(&backup.0, |lines| {
        let rows = lines.lines().filter(|line| !line.contains("onboarding_id"));
        rows.fold(String::new(), |lines, line| lines + line + "\n")
    });
    assert_eq!(import(&world, &[backup.path()]).await, (0, [0, 0, 0]));
    let restored = operator(&world, &["import", "--table", "no-such-table"], "").await;
    assert_eq!(restored.status.code(), Some(3), "{}", said(&restored));
}
