//! The template and the functions say the same.

use std::cell::RefCell;
use std::collections::BTreeSet;

use callback::Callback;
use install::Install;
use shared::clock::SystemClock;
use shared::random::OsRandom;

use crate::harness::World;

const TEMPLATE: &str = include_str!("../../template.yaml");

/// The lines below `header`, as far as they are indented deeper.
fn block<'a>(text: &'a str, header: &str) -> Vec<&'a str> {
    let mut lines = text.lines().skip_while(|line| line.trim_end() != header);
    let indent = |line: &str| line.len() - line.trim_start().len();
    let depth = indent(lines.next().unwrap_or_else(|| panic!("{header} is missing")));
    lines.take_while(|line| line.trim().is_empty() || indent(line) > depth).collect()
}

/// The variables that a function finds in its environment.
fn declared(function: &str) -> BTreeSet<String> {
    let names = |lines: Vec<&str>| {
        let text = lines.join("\n");
        let header = text.lines().find(|line| line.trim() == "Variables:").map(str::to_owned);
        header.map(|header| block(&text, &header).into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    let globals = names(block(TEMPLATE, "Globals:")).unwrap();
    let own = names(block(TEMPLATE, &format!("  {function}:"))).unwrap_or_default();
    let variable_in = |line: &String| {
        let name = line.trim().split(':').next()?;
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        is_name.then(|| name.to_owned())
    };
    globals.iter().chain(&own).filter_map(variable_in).collect()
}

#[tokio::test]
async fn every_variable_that_a_function_reads_is_declared_and_the_other_way_round() {
    let world = World::start().await;
    let variables = world.stack.variables();
    for function in ["InstallFunction", "CallbackFunction"] {
        let asked = RefCell::new(BTreeSet::new());
        let lookup = |name: &str| {
            asked.borrow_mut().insert(name.to_owned());
            variables.get(name).cloned()
        };
        match function {
            "InstallFunction" => drop(Install::read(&lookup, SystemClock, OsRandom).unwrap()),
            _ => drop(Callback::read(&lookup, SystemClock, OsRandom).unwrap()),
        }
        let mut read = asked.into_inner();
        // `telemetry::init` reads this one. Lambda sets AWS's; the base URL is for development only.
        read.insert("LOG_LEVEL".to_owned());
        read.retain(|name| !name.starts_with("AWS_") && name != "NOTION_BASE_URL");
        assert_eq!(declared(function), read, "{function}");
    }
}

/// CloudFormation would replace a secret whose generating block changes, and with the ring every token would be lost.
#[test]
fn the_block_that_generated_the_key_ring_is_frozen() {
    let ring = block(TEMPLATE, "  TokenKeyRing:").join("\n");
    let generating = "\n      GenerateSecretString:\n        SecretStringTemplate: \"{}\"\n        \
                      GenerateStringKey: seed\n        PasswordLength: 64\n        ExcludePunctuation: true";
    assert!(ring.contains(generating), "{ring}");
    assert!(
        ring.contains("DeletionPolicy: RetainExceptOnCreate\n")
            && ring.contains("UpdateReplacePolicy: Retain"),
        "{ring}"
    );
    assert_eq!(generating.lines().count(), block(&ring, "      GenerateSecretString:").len() + 2);
}

#[test]
fn only_the_two_routes_exist_and_the_function_outlives_its_budget() {
    let routes: Vec<&str> =
        TEMPLATE.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: ")).collect();
    assert_eq!(routes, ["GET /install", "GET /callback"]);
    assert!(!TEMPLATE.contains("$request.querystring") && !TEMPLATE.contains("$context.path"));
    let callback = block(TEMPLATE, "  CallbackFunction:").join("\n");
    let timeout_ms = format!("Timeout: {}", dev::stack::FUNCTION_TIMEOUT_MS / 1000);
    assert!(callback.contains(&timeout_ms), "{callback}");
    let tables =
        [("InstallationsTable", dev::aws::INSTALLATIONS_TABLE), ("ClaimsTable", dev::aws::CLAIMS_TABLE)];
    for (resource, (_, key)) in tables {
        let table = block(TEMPLATE, &format!("  {resource}:")).join("\n");
        assert!(table.contains(&format!("- AttributeName: {key}\n          KeyType: HASH")), "{table}");
        assert!(table.contains("DeletionPolicy: RetainExceptOnCreate\n"), "{table}");
    }
    assert!(
        block(TEMPLATE, "  ClaimsTable:")
            .join("\n")
            .contains("AttributeName: expires_at\n        Enabled: true")
    );
}
