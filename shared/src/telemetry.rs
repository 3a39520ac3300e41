//! What the functions say to the log: JSON, one object a line.
//!
//! Each request ends in one line that is also its metrics (CloudWatch embedded metric format): the field
//! names below are stable. Other lines are `tracing` events. Neither takes anything from a request but what
//! is named here: no query, no header, no body, no name, no token.

use std::fmt;
use std::io;
use std::sync::OnceLock;
use std::time::Instant;

use http::StatusCode;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;

use crate::clock::Clock;
use crate::config::Lookup;

/// The CloudWatch namespace of every metric, unless `METRICS_NAMESPACE` names another: stacks that share an account
/// must not share their alarms.
pub const METRICS_NAMESPACE: &str = "NotionInstall";
static NAMESPACE: OnceLock<String> = OnceLock::new();
/// The target of request lines; never filtered, because the metrics are in them.
const REQUEST_TARGET: &str = "request_line";

/// The funnel, one counter each. Names are stable: alarms and the dashboard use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// A person was sent to Notion.
    Started,
    /// A person pressed Cancel.
    Refused,
    /// Notion gave tokens for a code.
    Exchanged,
    /// Notion refused a code that was too old or used: the person's business, and anyone can cause it.
    CodeRejected,
    /// An exchange failed for any other reason.
    ExchangeFailed,
    /// An installation is in the table.
    Saved,
    /// The table could not take an installation or a refreshed pair in time.
    SaveFailed,
    /// It went to the rescue queue.
    Rescued,
    /// It came out of the rescue queue and is in the table.
    Recovered,
    /// A grant was given back to Notion.
    Revoked,
    /// A grant that Notion issued is neither stored nor given back: somebody must look.
    OrphanedGrant,
    /// A live access token was handed to the backend.
    Vended,
    /// Notion gave a new pair for a refresh token.
    Refreshed,
    /// A refresh failed, and nothing is known of the grant.
    RefreshFailed,
    /// A grant is dead: the person has to install again.
    NeedsReinstall,
    /// A pair was found dead, and one that it had replaced took its place.
    Promoted,
    /// Notion says of a token that was reported as refused that it is alive.
    RefusedButAlive,
    /// An installation was removed, and its tokens are gone.
    Removed,
    /// The sweep asked Notion about an idle installation, and it is alive.
    Verified,
    /// The sweep sealed an installation's tokens anew, with the newest key.
    Rewrapped,
    /// Something that the sweep could not deal with, and left for the next time.
    SweepFailed,
    /// The sweep stopped asking Notion, which did not answer.
    NotionDown,
    /// The sweep found a claim that was cut off while its code was exchanged.
    StuckClaim,
    /// The same browser came again for an outcome that stands.
    Repeated,
    /// A request that was not accepted; also counted by `reason`.
    Rejected,
    /// A handler panicked, or the sweep over one row.
    Panicked,
    /// The function is not set up correctly: a setting, or a secret that only the deployer can put right.
    Misconfigured,
    /// A table or a secret that the function needs could not be reached, and somebody was told to come again.
    Unavailable,
}

impl Metric {
    fn name(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::Refused => "Refused",
            Self::Exchanged => "Exchanged",
            Self::CodeRejected => "CodeRejected",
            Self::ExchangeFailed => "ExchangeFailed",
            Self::Saved => "Saved",
            Self::SaveFailed => "SaveFailed",
            Self::Rescued => "Rescued",
            Self::Revoked => "Revoked",
            Self::OrphanedGrant => "OrphanedGrant",
            Self::Recovered => "Recovered",
            Self::Vended => "Vended",
            Self::Refreshed => "Refreshed",
            Self::RefreshFailed => "RefreshFailed",
            Self::NeedsReinstall => "NeedsReinstall",
            Self::Promoted => "Promoted",
            Self::RefusedButAlive => "RefusedButAlive",
            Self::Removed => "Removed",
            Self::Verified => "Verified",
            Self::Rewrapped => "Rewrapped",
            Self::SweepFailed => "SweepFailed",
            Self::NotionDown => "NotionDown",
            Self::StuckClaim => "StuckClaim",
            Self::Repeated => "Repeated",
            Self::Rejected => "Rejected",
            Self::Panicked => "Panicked",
            Self::Misconfigured => "Misconfigured",
            Self::Unavailable => "Unavailable",
        }
    }

    /// At these one alarm looks for all functions together: they are also written without a dimension.
    const OF_ALL_FUNCTIONS: [Self; 3] = [Self::Panicked, Self::Misconfigured, Self::Unavailable];
}

/// The line that one request leaves behind.
#[derive(Debug)]
pub struct RequestLine {
    function: &'static str,
    began: Instant,
    metrics: Vec<Metric>,
    client_secret_age_days: Option<u64>,
    fields: Map<String, Value>,
}

impl RequestLine {
    /// Begins the line of a request to `function`.
    #[must_use]
    pub fn begin(function: &'static str) -> Self {
        Self {
            function,
            began: Instant::now(),
            metrics: Vec::new(),
            client_secret_age_days: None,
            fields: Map::new(),
        }
    }

    /// Counts one of `metric`.
    pub fn count(&mut self, metric: Metric) {
        self.metrics.push(metric);
    }

    /// Says how old the client secret is that the request uses, in days (`ClientSecretAgeDays`).
    pub fn client_secret_age(&mut self, days: u64) {
        self.client_secret_age_days = Some(days);
    }

    /// How long Notion's tokens were in this process alone, before they were durable (`unsaved_us`).
    pub fn unsaved_for(&mut self, time: std::time::Duration) {
        self.note("unsaved_us", u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// How often each metric was counted so far.
    #[must_use]
    pub fn counted(&self) -> Map<String, Value> {
        let mut counted = Map::new();
        for metric in &self.metrics {
            let before = counted.get(metric.name()).and_then(Value::as_u64).unwrap_or(0);
            counted.insert(metric.name().to_owned(), (before + 1).into());
        }
        counted
    }

    /// Counts a rejection by its fixed reason.
    pub fn reject(&mut self, reason: &'static str) {
        self.count(Metric::Rejected);
        self.note("reason", reason);
    }

    /// Adds a field. `value` must be of ours or an identifier that Notion gave (`request_id`, `bot_id`).
    pub fn note(&mut self, field: &'static str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    /// Writes the line.
    ///
    /// `outcome` is one of the fixed keys of the pages, or the name of a step.
    pub fn end(mut self, clock: &dyn Clock, outcome: &str, status: StatusCode) {
        let duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut definitions = vec![json!({"Name": "DurationMs", "Unit": "Milliseconds"})];
        for (name, count) in self.counted() {
            definitions.push(json!({"Name": name, "Unit": "Count"}));
            self.fields.insert(name, count);
        }
        if let Some(days) = self.client_secret_age_days {
            definitions.push(json!({"Name": "ClientSecretAgeDays", "Unit": "None"}));
            self.fields.insert("ClientSecretAgeDays".to_owned(), days.into());
        }
        self.fields.insert("DurationMs".to_owned(), duration_ms.into());
        self.fields.insert("event".to_owned(), "request".into());
        self.fields.insert("function".to_owned(), self.function.into());
        self.fields.insert("outcome".to_owned(), outcome.into());
        self.fields.insert("status".to_owned(), status.as_u16().into());
        let namespace = NAMESPACE.get().map_or(METRICS_NAMESPACE, String::as_str);
        let mut directives =
            vec![json!({"Namespace": namespace, "Dimensions": [["function"]], "Metrics": definitions})];
        if self.metrics.contains(&Metric::Rejected) {
            // By reason only what is asked for by reason: each combination is a metric to be paid for.
            directives.push(json!({
                "Namespace": namespace,
                "Dimensions": [["function", "reason"]],
                "Metrics": [{"Name": Metric::Rejected.name(), "Unit": "Count"}],
            }));
        }
        let of_all = Metric::OF_ALL_FUNCTIONS.into_iter().filter(|metric| self.metrics.contains(metric));
        let of_all: Vec<Value> =
            of_all.map(|metric| json!({"Name": metric.name(), "Unit": "Count"})).collect();
        if !of_all.is_empty() {
            directives.push(json!({"Namespace": namespace, "Dimensions": [[]], "Metrics": of_all}));
        }
        let timestamp_ms = clock.now_millis().0;
        let metadata = json!({"Timestamp": timestamp_ms, "CloudWatchMetrics": directives});
        self.fields.insert("_aws".to_owned(), metadata);
        let line = Value::Object(self.fields).to_string();
        tracing::info!(target: REQUEST_TARGET, line = line.as_str());
    }
}

/// Starts the log on standard output, at `LOG_LEVEL` (default `INFO`).
///
/// A variable of our own: Lambda's (`ApplicationLogLevel`) drops what is below it, request lines and their metrics
/// included, so the template holds that one at `INFO` or lower.
pub fn init(lookup: &impl Lookup) {
    let level = lookup("LOG_LEVEL").and_then(|text| text.parse().ok()).unwrap_or(Level::INFO);
    let subscriber = tracing_subscriber::registry().with(targets(level)).with(layer(io::stdout));
    // A second start in one process (tests) keeps the first.
    let _already_started = tracing::subscriber::set_global_default(subscriber);
    if let Some(namespace) = lookup("METRICS_NAMESPACE") {
        let _kept = NAMESPACE.set(namespace);
    }
    hook_panics();
}

/// What is logged at `level`: our own crates at that level, all others at warnings whatever it is. At `TRACE` the
/// AWS SDK prints what Secrets Manager answers, secret and all.
#[must_use]
pub fn targets(level: Level) -> Targets {
    ["callback", "install", "shared", "sweep", "token", "uninstall", "vault"]
        .into_iter()
        .fold(Targets::new().with_default(Level::WARN), |targets, ours| targets.with_target(ours, level))
        .with_target(REQUEST_TARGET, Level::INFO)
        // The embedded database of the dev stack warns of every condition that fails.
        .with_target("dynoxide", Level::ERROR)
}

/// The log's format as a layer over any writer: what [`init`] uses, and what the tests read.
pub fn layer<S, W>(writer: W) -> impl tracing_subscriber::Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    let fields = JsonFields::new();
    tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(writer)
        .fmt_fields(fields)
        .event_format(JsonLines)
}

/// A panic's message may hold anything, so only its place is logged. Whether it is one to act on, `entry` knows:
/// `lambda_http` panics on addresses that are no URI, and anyone can send those.
fn hook_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::warn!(place, "a panic was caught");
    }));
}

/// One JSON object a line, with a time and a level (without them Lambda takes any line for `INFO`), and the fields of
/// the spans around it.
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        write!(writer, "{{\"level\":\"{}\",\"timestamp\":\"", metadata.level())?;
        SystemTime.format_time(&mut writer)?;
        writer.write_char('"')?;
        for span in context.event_scope().into_iter().flatten() {
            // `JsonFields` has written them as an object: what stands between its braces goes along.
            if let Some(of_span) = span.extensions().get::<FormattedFields<N>>() {
                write_members(&mut writer, of_span)?;
            }
        }
        if metadata.target() == REQUEST_TARGET {
            let mut line = RequestLineText { writer: &mut writer, written: Ok(()) };
            event.record(&mut line);
            line.written?;
        } else {
            let mut fields = Fields(Map::new());
            event.record(&mut fields);
            fields.0.insert("target".to_owned(), metadata.target().into());
            write_members(&mut writer, &Value::Object(fields.0).to_string())?;
        }
        writer.write_str("}\n")
    }
}

/// Writes `,` and the members of `object`, a JSON object as text.
fn write_members(writer: &mut Writer<'_>, object: &str) -> fmt::Result {
    let members = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
    if members.is_empty() { Ok(()) } else { write!(writer, ",{members}") }
}

/// Passes a request line on as it is.
struct RequestLineText<'a, 'w> {
    writer: &'a mut Writer<'w>,
    written: fmt::Result,
}

impl Visit for RequestLineText<'_, '_> {
    fn record_str(&mut self, _: &Field, line: &str) {
        self.written = write_members(self.writer, line);
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let causes = std::iter::successors(Some(value), |error| error.source());
        let chain: Vec<String> = causes.map(ToString::to_string).collect();
        self.0.insert(field.name().to_owned(), chain.join(": ").into());
    }
}
