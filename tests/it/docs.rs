//! The documents match the code.

use std::collections::BTreeSet;
use std::path::Path;

const DEPLOY: &str = include_str!("../../docs/deploy.md");
const OPERATE: &str = include_str!("../../docs/operate.md");

/// The source of everything that ships.
pub(crate) fn shipped_source() -> String {
    fn read(folder: &Path, into: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, into);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                into.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut source = String::new();
    for folder in ["functions", "shared/src", "vault/src"] {
        read(&root.join(folder), &mut source);
    }
    source
}

/// Every text between `before` and the next quotation mark.
fn quoted_after<'a>(source: &'a str, before: &str) -> BTreeSet<&'a str> {
    source.split(before).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn every_alarm_is_in_the_operating_guide() {
    let source = shipped_source();
    let mut alarms = quoted_after(&source, "alarm = \"");
    // Chosen at run time, depending on the state of a secret or on how an exchange failed.
    alarms.extend(["misconfigured", "secrets"]);
    let keys = source.split("impl TokenError {").nth(1).unwrap().split("    }\n\n").next().unwrap();
    alarms.extend(quoted_after(keys, "=> \"").into_iter().filter(|key| *key != "invalid_grant"));
    assert!(alarms.len() > 12, "{alarms:?}");
    for alarm in alarms {
        assert!(OPERATE.contains(&format!("`{alarm}`")), "docs/operate.md, Log lines: {alarm}");
    }
}

/// Each alarm has a section that says what to do.
#[test]
fn every_alarm_of_the_template_has_a_section_in_the_runbook() {
    let runbook = include_str!("../../docs/runbook.md");
    let template = include_str!("../../template.yaml");
    let names = template.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix("Alarm:"));
    let names: BTreeSet<&str> =
        names.filter(|name| !name.starts_with(' ')).chain(["DataKeyInDanger"]).collect();
    assert!(names.len() > 14, "{names:?}");
    let sections: BTreeSet<&str> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    for name in &names {
        assert!(sections.contains(name), "docs/runbook.md: ## {name}");
    }
    assert!(template.contains("  DataKeyInDanger:\n    Type: AWS::Events::Rule"));
}

/// The names of the metrics.
pub(crate) fn metrics() -> BTreeSet<&'static str> {
    let source = include_str!("../../shared/src/telemetry/metric.rs");
    let variants = source.split("pub enum Metric {").nth(1).unwrap().split("}\n").next().unwrap();
    let named = variants.lines().filter(|line| !line.contains('/'));
    let metrics: BTreeSet<&str> = named.filter_map(|line| line.trim().strip_suffix(',')).collect();
    assert!(metrics.len() > 10, "{metrics:?}");
    metrics
}

#[test]
fn every_metric_is_in_the_operating_guide() {
    for metric in metrics() {
        assert!(OPERATE.contains(&format!("`{metric}`")), "docs/operate.md, Metrics: {metric}");
    }
}

#[test]
fn every_parameter_of_the_template_is_in_the_deploy_guide() {
    let template = include_str!("../../template.yaml");
    let parameters = template.split("Parameters:\n").nth(1).unwrap().split("\nRules:").next().unwrap();
    let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':');
    let names: Vec<&str> =
        parameters.lines().filter(is_name).map(|line| line.trim().trim_end_matches(':')).collect();
    assert!(names.len() > 6, "{names:?}");
    for name in names {
        assert!(DEPLOY.contains(&format!("`{name}`")), "docs/deploy.md, Parameters: {name}");
    }
}

/// Each row of docs/costs.md is quantity times price, and each table ends with its sum.
#[test]
fn the_costs_add_up() {
    let costs = include_str!("../../docs/costs.md");
    let amount = |cell: &str| cell.trim().trim_matches('*').parse::<f64>().ok();
    let (mut sum, mut tables) = (0.0, 0);
    for line in costs.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        match (amount(cells[1]), amount(cells[2]), amount(cells[3])) {
            (Some(quantity), Some(price), Some(dollars)) => {
                assert!((quantity * price - dollars).abs() < 0.000_051, "{line}");
                sum += dollars;
            }
            (None, None, Some(total)) => {
                assert!((sum - total).abs() < 0.000_051, "{line}: {sum}");
                (sum, tables) = (0.0, tables + 1);
            }
            _ => assert!(line.contains("what"), "{line}"),
        }
    }
    assert_eq!(tables, 9);
}

/// The model is only useful as long as its steps are those of the code.
#[test]
fn the_code_names_the_steps_of_the_refresh_protocol_as_the_model_does() {
    // In each model, our own steps come first, then everything else that happens.
    let models = [
        (include_str!("model/mod.rs"), "    NotionAnswers"),
        (include_str!("model/lifecycle/mod.rs"), "    Approves"),
        (include_str!("model/ownership/mod.rs"), "    ReadForClaim"),
    ];
    let steps: Vec<String> = models
        .iter()
        .flat_map(|(model, others)| {
            model.split("enum Action").nth(1).unwrap().split(others).next().unwrap().lines()
        })
        .map(str::trim)
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| line.chars().take_while(char::is_ascii_alphabetic).collect::<String>())
        .map(|name| {
            let snake = name.chars().fold(String::new(), |snake, c| match c {
                'A'..='Z' if !snake.is_empty() => snake + "_" + &c.to_lowercase().to_string(),
                c => snake + &c.to_lowercase().to_string(),
            });
            format!("`{snake}`")
        })
        .collect();
    assert!(steps.len() > 24 && steps.contains(&"`save_refreshed`".to_owned()), "{steps:?}");
    let source = shipped_source();
    for step in steps {
        assert!(source.contains(&step), "no step of the code is called {step}");
    }
}
