//! What each case may cost: `bench/bars.json`, written by `cargo run --package bench -- --write`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::Error;
use crate::costs::Costs;

/// How far over its bar a measure may be, in percent. Counts of connections and requests have to be met exactly.
const TOLERANCE_PERCENT: u64 = 5;
/// Memory that does not grow may still differ by some pages from run to run. For the same reason the bars of resident
/// memory are rounded up by hand.
const GROWTH_TOLERANCE_KIB: u64 = 200;

/// The bars by the case's name.
pub(crate) struct Bars(BTreeMap<String, Costs>);

impl Bars {
    pub(crate) fn read() -> Result<Self, Error> {
        Ok(Self(serde_json::from_str(&std::fs::read_to_string(file())?)?))
    }

    pub(crate) fn write(&self) -> Result<(), Error> {
        Ok(std::fs::write(file(), serde_json::to_string_pretty(&self.0)? + "\n")?)
    }

    pub(crate) fn of(&self, name: &str) -> Option<&Costs> {
        self.0.get(name)
    }

    pub(crate) fn set(&mut self, name: &str, costs: Costs) {
        self.0.insert(name.to_owned(), costs);
    }

    /// What of `costs` is over its bar. A case without bars is.
    pub(crate) fn exceeded(&self, name: &str, costs: &Costs) -> Vec<String> {
        let Some(bar) = self.of(name) else { return vec![format!("{name} has no bars")] };
        let tolerated = |bar: u64| bar + bar * TOLERANCE_PERCENT / 100;
        let measures = [
            (
                "INIT instructions",
                costs.init_instructions,
                bar.init_instructions,
                tolerated(bar.init_instructions),
            ),
            (
                "first instructions",
                costs.first_instructions,
                bar.first_instructions,
                tolerated(bar.first_instructions),
            ),
            (
                "warm instructions",
                costs.warm_instructions,
                bar.warm_instructions,
                tolerated(bar.warm_instructions),
            ),
            ("connections of INIT", costs.init_connections, bar.init_connections, bar.init_connections),
            ("connections of calls", costs.call_connections, bar.call_connections, bar.call_connections),
            (
                "requests of INIT",
                costs.init_requests as u64,
                bar.init_requests as u64,
                bar.init_requests as u64,
            ),
            (
                "requests of a warm call",
                costs.warm_requests as u64,
                bar.warm_requests as u64,
                bar.warm_requests as u64,
            ),
            ("zipped bytes", costs.zipped_bytes, bar.zipped_bytes, tolerated(bar.zipped_bytes)),
            ("resident KiB", costs.resident_kib, bar.resident_kib, tolerated(bar.resident_kib)),
            ("growth in KiB", costs.growth_kib, bar.growth_kib, GROWTH_TOLERANCE_KIB),
        ];
        measures
            .into_iter()
            .filter(|(_, measured, _, limit)| measured > limit)
            .map(|(what, measured, bar, _)| format!("{name}: {what}: {measured}, bar {bar}"))
            .collect()
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("bars.json")
}
