//! What is written says what is there.

use std::path::Path;

use simulated_notion::Fault;

const README: &str = include_str!("../../README.md");

/// serde names every variant when it is asked for one that is not there.
#[test]
fn every_fault_is_documented() {
    let error = serde_json::from_str::<Fault>("\"no_such_fault\"").unwrap_err().to_string();
    let names: Vec<_> = error.split('`').skip(1).step_by(2).filter(|name| *name != "no_such_fault").collect();
    assert!(names.len() > 14 && names.contains(&"lost_reply"), "{names:?}");
    let documentation = include_str!("../../docs/faults.md");
    for name in names {
        assert!(documentation.contains(&format!("\"{name}\"")), "docs/faults.md: {name}");
    }
}

#[test]
fn every_flag_is_in_the_readme() {
    let help =
        std::process::Command::new(env!("CARGO_BIN_EXE_simulated-notion")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let flags: Vec<_> = help
        .split_whitespace()
        .filter(|word| word.starts_with("--"))
        .map(|flag| flag.trim_end_matches(','))
        .collect();
    assert!(flags.len() > 10, "{flags:?}");
    for flag in flags {
        assert!(
            matches!(flag, "--help" | "--version") || README.contains(&format!("`{flag}`")),
            "README.md: {flag}"
        );
    }
}

#[test]
fn every_link_leads_to_a_file_of_the_package() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = ["README.md", "SUPPORTED.md", "CHANGELOG.md"].map(str::to_owned).into_iter();
    let documents = std::fs::read_dir(folder.join("docs")).unwrap();
    let documents = documents.map(|entry| format!("docs/{}", entry.unwrap().file_name().to_str().unwrap()));
    let mut links = 0;
    for page in pages.chain(documents) {
        let text = std::fs::read_to_string(folder.join(&page)).unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let file = link.split('#').next().unwrap();
            let is_here = !file.contains("://") && !file.is_empty();
            if is_here {
                let place = folder.join(&page).parent().unwrap().join(file);
                assert!(place.exists(), "{page}: {link}");
                links += 1;
            }
        }
    }
    assert!(links > 15, "{links}");
}

#[test]
fn the_changelog_knows_the_version() {
    let version = format!("\n## {}", env!("CARGO_PKG_VERSION"));
    assert!(include_str!("../../CHANGELOG.md").contains(&version), "CHANGELOG.md:{version}");
}
