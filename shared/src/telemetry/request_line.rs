//! The line that a request leaves in the log, which is also its metrics.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Instant;

use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::metric::{Measure, Metric};
use crate::clock::Clock;

/// The CloudWatch namespace of every metric, unless `METRICS_NAMESPACE` sets another: stacks in one account must not
/// share alarms.
pub const METRICS_NAMESPACE: &str = "NotionInstall";
pub(super) static NAMESPACE: OnceLock<String> = OnceLock::new();
/// The target of request lines. Never filtered, because they carry the metrics.
pub(super) const REQUEST_TARGET: &str = "request_line";

/// The log line of one request.
#[derive(Debug)]
pub struct RequestLine {
    function: &'static str,
    began: Instant,
    counts: BTreeMap<Metric, u64>,
    measures: BTreeMap<Measure, u64>,
    fields: BTreeMap<&'static str, Value>,
}

impl RequestLine {
    /// Starts the line of a request to `function`.
    #[must_use]
    pub fn begin(function: &'static str) -> Self {
        Self {
            function,
            began: Instant::now(),
            counts: BTreeMap::new(),
            measures: BTreeMap::new(),
            fields: BTreeMap::new(),
        }
    }

    /// Adds 1 to `metric`.
    pub fn count(&mut self, metric: Metric) {
        *self.counts.entry(metric).or_default() += 1;
    }

    /// Records what was measured.
    pub fn measure(&mut self, measure: Measure, value: u64) {
        self.measures.insert(measure, value);
    }

    /// Records how long Notion's tokens were only in this process's memory, before they were durable (`unsaved_us`).
    pub fn unsaved_for(&mut self, time: std::time::Duration) {
        self.note("unsaved_us", u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// How often each metric has been counted so far.
    #[must_use]
    pub fn counted(&self) -> &BTreeMap<Metric, u64> {
        &self.counts
    }

    /// Counts a rejection under its fixed reason.
    pub fn reject(&mut self, reason: &'static str) {
        self.count(Metric::Rejected);
        self.note("reason", reason);
    }

    /// Sets a field. `value` must be our own or an identifier from Notion (`request_id`, `bot_id`).
    pub fn note(&mut self, field: &'static str, value: impl Into<Value>) {
        self.fields.insert(field, value.into());
    }

    /// Writes the line.
    ///
    /// `outcome` is one of the fixed keys of the pages, or the name of a step.
    pub fn end(mut self, clock: &dyn Clock, outcome: &str, status: StatusCode) {
        let duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.note("DurationMs", duration_ms);
        self.note("event", "request");
        self.note("function", self.function);
        self.note("outcome", outcome);
        self.note("status", status.as_u16());
        let line = Line {
            metadata: Metadata { timestamp: clock.now_millis().0, directives: self.directives() },
            counts: &self.counts,
            measures: &self.measures,
            fields: &self.fields,
        };
        match serde_json::to_string(&line) {
            Ok(line) => tracing::info!(target: REQUEST_TARGET, line = line.as_str()),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "a request line could not be written");
            }
        }
    }

    /// Which of the line's fields are metrics, and by which dimensions.
    fn directives(&self) -> Vec<Directive> {
        let count = |metric: &Metric| Definition { name: Name::Count(*metric), unit: "Count" };
        let measured = |measure: &Measure| Definition { name: Name::Measure(*measure), unit: measure.unit() };
        let mut definitions = vec![Definition { name: Name::Other("DurationMs"), unit: "Milliseconds" }];
        definitions.extend(self.counts.keys().map(count));
        definitions.extend(self.measures.keys().map(measured));
        let mut directives = vec![Directive::of(&["function"], definitions)];
        if self.counts.contains_key(&Metric::Rejected) {
            // Only this metric is split by reason: each combination is billed as a metric of its own.
            directives.push(Directive::of(&["function", "reason"], vec![count(&Metric::Rejected)]));
        }
        let of_all = Metric::OF_ALL_FUNCTIONS.iter().filter(|metric| self.counts.contains_key(metric));
        let of_all: Vec<Definition> = of_all.map(count).collect();
        if !of_all.is_empty() {
            directives.push(Directive::of(&[], of_all));
        }
        directives
    }
}

/// A line as it is written: CloudWatch's embedded metric format.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "_aws")]
    metadata: Metadata,
    #[serde(flatten)]
    counts: &'a BTreeMap<Metric, u64>,
    #[serde(flatten)]
    measures: &'a BTreeMap<Measure, u64>,
    #[serde(flatten)]
    fields: &'a BTreeMap<&'static str, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    /// In milliseconds since the epoch.
    timestamp: u64,
    #[serde(rename = "CloudWatchMetrics")]
    directives: Vec<Directive>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    /// One set of dimensions.
    dimensions: [&'static [&'static str]; 1],
    metrics: Vec<Definition>,
}

impl Directive {
    fn of(dimensions: &'static [&'static str], metrics: Vec<Definition>) -> Self {
        Self {
            namespace: NAMESPACE.get().map_or(METRICS_NAMESPACE, String::as_str),
            dimensions: [dimensions],
            metrics,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: Name,
    unit: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Name {
    Count(Metric),
    Measure(Measure),
    Other(&'static str),
}
