//! The template and the functions agree.

use std::cell::RefCell;
use std::collections::BTreeSet;

use callback::Callback;
use claim::ClaimInstallation;
use feed::Feed;
use install::Install;
use installations::Installations;
use onboard::{Onboard, compiled};
use publish::Publish;
use shared::clock::SystemClock;
use shared::random::OsRandom;
use sweep::Sweep;
use token::Token;
use uninstall::Uninstall;
use vault::event::EventType;
use vault::onboarding::OnboardingStatus;
use webhook::Webhook;

use crate::harness::World;

const TEMPLATE: &str = include_str!("../../template.yaml");
const FUNCTIONS: [&str; 11] = [
    "InstallFunction",
    "CallbackFunction",
    "ClaimFunction",
    "InstallationsFunction",
    "TokenFunction",
    "UninstallFunction",
    "SweepFunction",
    "PublishFunction",
    "FeedFunction",
    "WebhookFunction",
    "OnboardFunction",
];

/// Those that have an alarm on a metric of ours.
const FUNCTIONS_WITH_ALARMS: [&str; 8] =
    ["callback", "claim", "token", "uninstall", "sweep", "publish", "webhook", "onboard"];

/// The lines below `header` that are indented deeper.
fn block<'a>(text: &'a str, header: &str) -> Vec<&'a str> {
    let mut lines = text.lines().skip_while(|line| line.trim_end() != header);
    let indent = |line: &str| line.len() - line.trim_start().len();
    let depth = indent(lines.next().unwrap_or_else(|| panic!("{header} is missing")));
    lines.take_while(|line| line.trim().is_empty() || indent(line) > depth).collect()
}

/// The variables in a function's environment.
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
    for function in FUNCTIONS {
        let asked = RefCell::new(BTreeSet::new());
        let lookup = |name: &str| {
            asked.borrow_mut().insert(name.to_owned());
            match name {
                // Lambda sets it for each function.
                "AWS_ACCESS_KEY_ID" => Some(function.to_owned()),
                // The dev stack hands `onboard` a recipe, not its name.
                "RECIPE" => Some("tracker".to_owned()),
                name => variables.get(name).cloned(),
            }
        };
        match function {
            "InstallFunction" => drop(Install::read(&lookup, SystemClock, OsRandom).unwrap()),
            "CallbackFunction" => drop(Callback::read(&lookup, SystemClock, OsRandom).unwrap()),
            "ClaimFunction" => drop(ClaimInstallation::read(&lookup, SystemClock, OsRandom).unwrap()),
            "InstallationsFunction" => drop(Installations::read(&lookup, SystemClock).unwrap()),
            "TokenFunction" => drop(Token::read(&lookup, SystemClock, OsRandom).unwrap()),
            "UninstallFunction" => drop(Uninstall::read(&lookup, SystemClock, OsRandom).unwrap()),
            "PublishFunction" => drop(Publish::read(&lookup, SystemClock, OsRandom).unwrap()),
            "FeedFunction" => drop(Feed::read(&lookup, SystemClock).unwrap()),
            "WebhookFunction" => drop(Webhook::read(&lookup, SystemClock, OsRandom).unwrap()),
            "OnboardFunction" => {
                drop(Onboard::read(&lookup, compiled(&lookup).unwrap(), SystemClock, OsRandom).unwrap());
            }
            _ => drop(Sweep::read(&lookup, SystemClock, OsRandom).unwrap()),
        }
        let mut read = asked.into_inner();
        // `telemetry::init` reads these. Lambda sets AWS's own. The dev stack sets an endpoint for each service, the
        // template (for `sam local`) one for all.
        read.extend(["LOG_LEVEL", "METRICS_NAMESPACE"].map(str::to_owned));
        read.retain(|name| !name.starts_with("AWS_"));
        if function == "TokenFunction" {
            // Without ledgers, a store works as it does without a recipe. `token` needs none.
            read.remove("ONBOARDING_TABLE");
        }
        if function != "InstallFunction" {
            read.insert("AWS_ENDPOINT_URL".to_owned());
            // Set for all functions, because most of them show pages.
            read.extend(["APP_COLOR", "APP_NAME", "APP_NEXT_URL", "STATE_TTL_SECS"].map(str::to_owned));
            // Set for all functions, because most of them talk to Notion or name the install URL.
            read.extend(["NOTION_BASE_URL", "NOTION_CLIENT_ID", "NOTION_REDIRECT_URI"].map(str::to_owned));
        }
        assert_eq!(declared(function), read, "{function}");
    }
}

/// CloudFormation would replace the secret if the block that generates it changes. Then every token would be lost.
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
fn only_these_routes_exist_and_the_functions_outlive_their_budget() {
    let routes: Vec<&str> =
        TEMPLATE.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: ")).collect();
    let public = ["GET /install", "GET /callback"];
    let signed = ["POST /token", "POST /claim", "GET /installations", "POST /uninstall", "GET /events"];
    assert_eq!(routes, [&public[..], &signed[..]].concat());
    for route in ["Token", "Claim", "Installations", "Feed", "Uninstall"] {
        let route = block(TEMPLATE, &format!("  {route}Route:")).join("\n");
        assert!(route.contains("AuthorizationType: AWS_IAM"), "{route}");
    }
    for (role, forbidden) in [
        ("ClaimRole", &["ClientSecret"][..]),
        ("InstallationsRole", &["ClientSecret", "TokenKeyRing", "secretsmanager"]),
        ("PublishRole", &["ClientSecret", "TokenKeyRing", "secretsmanager"]),
        ("FeedRole", &["ClientSecret", "TokenKeyRing", "secretsmanager", "InstallationsTable"]),
        ("WebhookRole", &["ClientSecret", "TokenKeyRing", "InstallationsTable", "ClaimsTable"]),
        ("OnboardRole", &["ClientSecret", "TokenKeyRing", "secretsmanager", "ClaimsTable", "LinksTable"]),
    ] {
        let role = block(TEMPLATE, &format!("  {role}:")).join("\n");
        assert!(!forbidden.iter().any(|secret| role.contains(secret)), "{role}");
    }
    assert!(!TEMPLATE.contains("$request.querystring") && !TEMPLATE.contains("$context.path"));
    let timeout = format!("Timeout: {}", dev::stack::FUNCTION_TIMEOUT_MS / 1000);
    for function in [
        "CallbackFunction",
        "ClaimFunction",
        "InstallationsFunction",
        "TokenFunction",
        "UninstallFunction",
        "FeedFunction",
    ] {
        let function = block(TEMPLATE, &format!("  {function}:")).join("\n");
        assert!(function.contains(&timeout), "{function}");
    }
    // A lease lasts longer than any process that can hold it.
    const { assert!(vault::protocol::LEASE_MS > dev::stack::FUNCTION_TIMEOUT_MS + 15_000) };
    let tables = [
        ("InstallationsTable", dev::aws::INSTALLATIONS_TABLE),
        ("ClaimsTable", dev::aws::CLAIMS_TABLE),
        ("LinksTable", dev::aws::LINKS_TABLE),
        ("EventsTable", dev::aws::EVENTS_TABLE),
        ("OnboardingTable", dev::aws::ONBOARDING_TABLE),
    ];
    for (resource, (_, key)) in tables {
        let table = block(TEMPLATE, &format!("  {resource}:")).join("\n");
        assert!(table.contains(&format!("- AttributeName: {key}\n          KeyType: HASH")), "{table}");
        // What was published can be lost: what it was about is in the others.
        let policy = if resource == "EventsTable" { "Delete" } else { "Retain" };
        assert!(table.contains(&format!("DeletionPolicy: {policy}\n")), "{table}");
        let has_stream = table.contains("StreamViewType: NEW_AND_OLD_IMAGES");
        let is_published = ["InstallationsTable", "ClaimsTable", "OnboardingTable"].contains(&resource);
        assert_eq!(has_stream, is_published, "{table}");
    }
    let links = block(TEMPLATE, "  LinksTable:").join("\n");
    assert!(
        links.contains(&format!("- AttributeName: {}\n          KeyType: RANGE", dev::aws::LINKS_SORT_KEY))
    );
    for (table, index, partition, sort) in dev::aws::indexes() {
        let table = tables.iter().find(|(_, (name, _))| *name == table).unwrap().0;
        let table = block(TEMPLATE, &format!("  {table}:")).join("\n");
        let index = table.split("IndexName: ").find(|text| text.lines().next() == Some(index)).unwrap();
        assert!(
            index.contains(&format!("- AttributeName: {partition}\n              KeyType: HASH")),
            "{index}"
        );
        let sorted = sort.map(|sort| format!("- AttributeName: {sort}\n              KeyType: RANGE"));
        assert!(sorted.is_none_or(|sorted| index.contains(&sorted)), "{index}");
    }
    for table in ["  ClaimsTable:", "  EventsTable:"] {
        let table = block(TEMPLATE, table).join("\n");
        assert!(table.contains("AttributeName: expires_at\n        Enabled: true"), "{table}");
    }
}

/// CloudFormation would replace the secret if the block that generates it changes, and every app would refuse what the new
/// one signs.
#[test]
fn the_block_that_generated_the_webhook_secret_is_frozen() {
    let secret = block(TEMPLATE, "  WebhookSecret:").join("\n");
    let generating = "\n      GenerateSecretString:\n        SecretStringTemplate: \"{}\"\n        \
                      GenerateStringKey: secret\n        PasswordLength: 64\n        ExcludePunctuation: true";
    assert!(secret.contains(generating), "{secret}");
    assert_eq!(generating.lines().count(), block(&secret, "      GenerateSecretString:").len() + 2);
    // What it generates is one.
    let generated = "aZ9".repeat(22);
    let keys = vault::webhook_keys::WebhookKeys::parse(&format!("{{\"secret\":\"{}\"}}", &generated[..64]));
    assert!(keys.is_ok());
}

/// The outcomes that `publish` does not get are those that mean nothing to an app.
#[test]
fn the_filter_of_the_claims_stream_drops_nothing_that_is_news() {
    let expected = serde_json::json!({
        "eventName": ["INSERT", "MODIFY"],
        "dynamodb": {"NewImage": {"outcome": {"S": [{"anything-but": ["connected", "exchanging", "rescued"]}]}}},
    });
    assert_eq!(filter_of("PublishClaims"), expected);
    let mappings =
        ["PublishClaims", "PublishInstallations", "PublishOnboarding", "WebhookSource", "OnboardingSource"];
    for mapping in mappings {
        let mapping = block(TEMPLATE, &format!("  {mapping}:")).join("\n");
        assert!(mapping.contains("ReportBatchItemFailures"), "{mapping}");
    }
}

/// The pattern of what a mapping passes on.
fn filter_of(mapping: &str) -> serde_json::Value {
    let mapping = block(TEMPLATE, &format!("  {mapping}:")).join("\n");
    let pattern = mapping.split("Pattern: >-").nth(1).unwrap().split("DestinationConfig").next().unwrap();
    serde_json::from_str(pattern).unwrap()
}

/// `publish` gets a ledger once its onboarding has ended, and `onboard` an event after which there may be something to do.
#[test]
fn what_starts_an_onboarding_and_what_ends_it_is_passed_on() {
    let ends = [OnboardingStatus::Completed, OnboardingStatus::Failed].map(OnboardingStatus::key);
    let expected = serde_json::json!({"dynamodb": {"NewImage": {"status": {"S": ends}}}});
    assert_eq!(filter_of("PublishOnboarding"), expected);
    let begins = [EventType::Installed, EventType::Reinstalled, EventType::Claimed].map(EventType::key);
    let rule = block(TEMPLATE, "  OnboardingRule:").join("\n");
    assert!(rule.contains(&format!("detail-type: [{}]\n", begins.join(", "))), "{rule}");
    assert!(rule.contains(&format!("source: [{}]\n", vault::event::SOURCE)), "{rule}");
}

/// Whoever was cut off may still be at work. AWS recommends six times the function's timeout.
#[test]
fn a_message_is_hidden_for_longer_than_its_function_can_take() {
    for (queue, function) in [("WebhookQueue", "WebhookFunction"), ("OnboardingQueue", "OnboardFunction")] {
        let secs = |resource: &str, name: &str| -> u64 {
            let resource = block(TEMPLATE, &format!("  {resource}:")).join("\n");
            let value = resource.split(&format!(" {name}: ")).nth(1).unwrap().lines().next().unwrap();
            value.parse().unwrap()
        };
        assert_eq!(secs(queue, "VisibilityTimeout"), 6 * secs(function, "Timeout"), "{queue}");
    }
}

/// SQS accepts only a policy whose statements name its own queue.
#[test]
fn the_policy_of_a_queue_or_topic_names_only_it() {
    let resources = block(TEMPLATE, "Resources:").join("\n");
    let name_of = |line: &str| {
        let is_name = line.starts_with("  ") && !line.starts_with("   ") && line.trim_end().ends_with(':');
        is_name.then(|| line.trim().trim_end_matches(':').to_owned())
    };
    let names: Vec<String> = resources.lines().filter_map(name_of).collect();
    let mut seen = 0;
    for name in names {
        let policy = block(TEMPLATE, &format!("  {name}:")).join("\n");
        let (list, is_queue) = if policy.contains("Type: AWS::SQS::QueuePolicy") {
            ("Queues: ", true)
        } else if policy.contains("Type: AWS::SNS::TopicPolicy") {
            ("Topics: ", false)
        } else {
            continue;
        };
        seen += 1;
        let of = policy.split(list).nth(1).unwrap().lines().next().unwrap();
        let of = of.strip_prefix("[!Ref ").and_then(|rest| rest.strip_suffix(']'));
        let of = of
            .filter(|of| !of.contains(','))
            .unwrap_or_else(|| panic!("{name} is for one resource: {policy}"));
        let only = if is_queue { format!("!GetAtt {of}.Arn") } else { format!("!Ref {of}") };
        let resources: Vec<&str> =
            policy.lines().filter_map(|line| line.trim().strip_prefix("Resource: ")).collect();
        assert_eq!(resources.len(), policy.matches("- Sid: ").count(), "{name}: {policy}");
        assert!(resources.iter().all(|resource| *resource == only), "{name}: {resources:?}");
    }
    assert!(seen >= 4, "{seen}");
}

/// Both functions that refresh report a pair that they could not save.
#[test]
fn every_function_that_saves_has_an_alarm_for_what_it_could_not_save() {
    for function in ["callback", "token", "sweep"] {
        let alarm = TEMPLATE.split("Type: AWS::CloudWatch::Alarm").find(|alarm| {
            alarm.contains("MetricName: SaveFailed\n") && alarm.contains(&format!("Value: {function}\n"))
        });
        assert!(alarm.is_some_and(|alarm| alarm.contains("Threshold: 1\n")), "{function}");
    }
}

/// Each callback of a stranger can cause a request to Notion. The throttle keeps them below the limit of the smallest
/// plan.
#[test]
fn the_callback_has_a_throttle_of_its_own_below_notions_smallest_limit() {
    const SMALLEST_PER_MINUTE: f64 = 180.0;
    let default_of = |name: &str| {
        let parameter = block(TEMPLATE, &format!("  {name}:")).join("\n");
        let value = parameter.split("Default: ").nth(1).unwrap().lines().next().unwrap();
        value.parse::<f64>().unwrap()
    };
    let stage = block(TEMPLATE, "  HttpApiStage:").join("\n");
    let route = block(&stage, "        GET /callback:").join("\n");
    for (limit, parameter) in [("Rate", "CallbacksPerSecond"), ("Burst", "CallbackBurst")] {
        assert!(route.contains(&format!("Throttling{limit}Limit: !Ref {parameter}")), "{route}");
    }
    // In any minute, the rate's worth and one burst. The sweep asks once per second.
    let strangers = 60.0 * default_of("CallbacksPerSecond") + default_of("CallbackBurst");
    assert!(strangers + 60.0 <= SMALLEST_PER_MINUTE - 30.0, "{strangers} of {SMALLEST_PER_MINUTE}");
    // The route must exist before its settings.
    assert!(stage.contains("DependsOn: CallbackRoute"), "{stage}");
    let alarm = block(TEMPLATE, "  CodesRejectedAlarm:").join("\n");
    assert!(alarm.contains("MetricName: CodeRejected\n"), "{alarm}");
    let threshold: f64 = alarm.split("Threshold: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    let period: f64 = alarm.split("Period: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    let most = default_of("CallbacksPerSecond") * period;
    assert!(
        threshold > 1.0 && threshold <= most / 2.0,
        "a flood at the throttle fires the alarm: {threshold} of {most}"
    );
}

/// An alarm on a metric that is never written would never fire.
#[test]
fn every_alarm_is_on_a_metric_that_is_written_and_in_the_namespace_of_the_stack() {
    let metrics = crate::docs::metrics();
    let namespace = "Namespace: !Sub NotionInstall/${AWS::StackName}";
    assert!(TEMPLATE.contains("METRICS_NAMESPACE: !Sub NotionInstall/${AWS::StackName}"));
    let alarms = TEMPLATE.split("Type: AWS::CloudWatch::Alarm").skip(1);
    let own: Vec<&str> = alarms
        .map(|alarm| alarm.split("TreatMissingData").next().unwrap())
        .filter(|alarm| alarm.contains("NotionInstall"))
        .map(|alarm| {
            let of_all = !alarm.contains("Dimensions:")
                && ["Panicked", "Misconfigured", "Unavailable"]
                    .iter()
                    .any(|metric| alarm.contains(&format!("MetricName: {metric}\n")));
            assert!(
                alarm.contains(namespace)
                    && (of_all
                        || FUNCTIONS_WITH_ALARMS
                            .iter()
                            .any(|name| alarm.contains(&format!("Name: function\n          Value: {name}")))),
                "{alarm}"
            );
            alarm.split("MetricName: ").nth(1).unwrap().lines().next().unwrap()
        })
        .collect();
    assert!(own.len() > 4, "{own:?}");
    let dashboard = TEMPLATE.split("DashboardBody:").nth(1).unwrap().split("Outputs:").next().unwrap();
    let shown = dashboard.split("[\"NotionInstall/${AWS::StackName}\", \"").skip(1);
    let shown = shown.map(|rest| rest.split('"').next().unwrap());
    let source = crate::docs::shipped_source();
    for metric in own.into_iter().chain(shown) {
        let counted = metrics.contains(metric) && source.contains(&format!("Metric::{metric})"));
        // Measured by every request, or wherever the secret is used.
        assert!(
            counted
                || ["DurationMs", "ClientSecretAgeDays", "UndeliveredSecs", "OnboardingWaitSecs"]
                    .contains(&metric),
            "{metric}"
        );
    }
}

/// `sam local invoke` finds what `cargo run` starts.
#[tokio::test]
async fn the_settings_for_sam_local_are_the_dev_stacks() {
    let world = World::start().await;
    let file: serde_json::Value = serde_json::from_str(include_str!("../../dev/sam-local.json")).unwrap();
    let settings = file["Parameters"].as_object().unwrap();
    for (name, value) in settings {
        let value = value.as_str().unwrap();
        match name.as_str() {
            "AWS_ENDPOINT_URL" => assert_eq!(value, "http://host.docker.internal:3002"),
            "NOTION_BASE_URL" => assert_eq!(value, "http://host.docker.internal:3001"),
            "NOTION_REDIRECT_URI" => assert_eq!(value, "http://localhost:3000/callback"),
            "RESCUE_DEAD_LETTERS_URL" => {
                assert!(value.ends_with("/123456789012/rescue-dead-letters"), "{value}");
            }
            "RETURN_DESTINATIONS" => assert_eq!(value, "app=http://localhost:3000/app/back"),
            "RESCUE_QUEUE_URL" => assert!(value.ends_with("/123456789012/rescue"), "{value}"),
            "ONBOARDING_QUEUE_URL" => assert!(value.ends_with("/123456789012/onboarding"), "{value}"),
            "ONBOARDING_DEAD_LETTERS_URL" => {
                assert!(value.ends_with("/123456789012/onboarding-dead-letters"), "{value}");
            }
            // The recipe of `cargo run`, by its name.
            "RECIPE" => assert_eq!(compiled(&|_: &str| Some(value.to_owned())).unwrap().name, value),
            "WEBHOOK_QUEUE_URL" => assert!(value.ends_with("/123456789012/webhook"), "{value}"),
            "WEBHOOK_DEAD_LETTERS_URL" => {
                assert!(value.ends_with("/123456789012/webhook-dead-letters"), "{value}");
            }
            _ => assert_eq!(Some(value), world.stack.variables().get(name).map(String::as_str), "{name}"),
        }
    }
    // The settings that a function requires and that the template takes from a resource, which `sam local` does not
    // know.
    for name in FUNCTIONS.into_iter().flat_map(declared) {
        let ends =
            ["_TABLE", "_ARN", "_BUS_NAME", "_FUNCTION_NAME", "_QUEUE_URL", "_LETTERS_URL", "REDIRECT_URI"];
        let from_resource = ends.iter().any(|end| name.ends_with(end));
        assert!(!from_resource || settings.contains_key(&name), "{name}");
    }
}
