//! axe-core finds nothing on any page: in each language, light and dark, on a desktop and on a phone, with all that a
//! deployer can set and without.
//!
//! axe-core (MPL-2.0) is not part of this repository. It is read from the file that `AXE_CORE` names, otherwise from
//! `target/ci/axe`, where `.ci/run` puts the Python package `axe-playwright-python`. Without it the test prints a
//! notice; in CI it fails.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Chromium, in_ci};

/// axe-core as a script.
pub(super) struct Axe(String);

impl Axe {
    /// `None` if this machine has no axe-core, unless this is CI.
    pub(super) fn find() -> Option<Self> {
        let file = file();
        match std::fs::read_to_string(&file) {
            Ok(script) => {
                assert!(script.starts_with("/*! axe v4."), "{} is not axe-core 4", file.display());
                Some(Self(script))
            }
            Err(error) => {
                assert!(!in_ci(), "accessibility cannot be tested: {}: {error}", file.display());
                // Directly to the terminal, because the test runner would hide the line.
                let line = format!(
                    "\n*** NOT RUN: accessibility needs axe-core: {}, or set AXE_CORE to an axe.min.js ***\n\n",
                    file.display()
                );
                std::io::stderr().write_all(line.as_bytes()).unwrap();
                None
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "where axe-core is, is a matter of the machine")]
fn file() -> PathBuf {
    let prepared = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/ci/axe/axe_playwright_python/axe.min.js");
    std::env::var_os("AXE_CORE").map_or_else(|| PathBuf::from(prepared), PathBuf::from)
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) name: &'static str,
    width: u32,
    scheme: &'static str,
}

pub(super) const LOOKS: [Look; 4] = [
    Look { name: "desk", width: 900, scheme: "light" },
    Look { name: "desk-dark", width: 900, scheme: "dark" },
    Look { name: "phone", width: 360, scheme: "light" },
    Look { name: "phone-dark", width: 360, scheme: "dark" },
];

impl Chromium {
    pub(super) async fn look(&self, Look { width, scheme, .. }: Look) {
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500});
        self.emulate("Emulation.setDeviceMetricsOverride", metrics).await;
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.emulate("Emulation.setEmulatedMedia", features).await;
    }

    /// Checks the page that is open in one look after the other: axe-core has nothing against it, and it is as wide as the
    /// window.
    ///
    /// `waits`: the page reloads until something has happened. WCAG 2.2.1 is about time limits by which a person loses
    /// something. There is nothing to lose on these pages, so the rule against reloading is the one that they break.
    pub(super) async fn assert_accessible(&self, axe: &Axe, looks: &[Look], waits: bool, case: &str) {
        self.client.execute(&axe.0, Vec::new()).await.unwrap();
        let broken = if waits { vec!["meta-refresh"] } else { Vec::new() };
        for look in looks {
            self.look(*look).await;
            let found = self.axe_finds().await;
            let case = format!("{case}, {}: {found:#}", look.name);
            let rules = found["violations"].as_array().unwrap().iter().map(|violation| &violation["rule"]);
            assert_eq!(rules.collect::<Vec<_>>(), broken, "{case}");
            assert_eq!(found["wide"], false, "wider than the window: {case}");
            assert!(found["checked"].as_u64().unwrap() > 10, "{case}");
        }
    }

    /// What every rule of axe-core says, best practices and the size of targets (WCAG 2.2) included.
    async fn axe_finds(&self) -> Value {
        let script = "
            const done = arguments[arguments.length - 1];
            axe.run(document, {resultTypes: ['violations'], rules: {'target-size': {enabled: true}}}).then(
                found => done({
                    checked: found.passes.length,
                    violations: found.violations.map(({id, nodes}) =>
                        ({rule: id, where: nodes.map(node => [node.html, node.failureSummary])})),
                    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
                }),
                error => done({error: String(error), violations: []}));
        ";
        self.client.execute_async(script, Vec::new()).await.unwrap()
    }
}
