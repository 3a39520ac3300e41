//! The log itself: what is written to it, and in which form.

use std::fmt;
use std::io;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;

use super::request_line::{NAMESPACE, REQUEST_TARGET};
use crate::config::Lookup;

/// Starts the log on standard output, at `LOG_LEVEL` (default `INFO`).
///
/// This is our own variable. Lambda's `ApplicationLogLevel` drops all lines below it, including request lines and
/// their metrics, so the template keeps that one at `INFO` or lower.
pub fn init(lookup: &impl Lookup) {
    let level = lookup("LOG_LEVEL").and_then(|text| text.parse().ok()).unwrap_or(Level::INFO);
    let subscriber = tracing_subscriber::registry().with(targets(level)).with(layer(io::stdout));
    // If it is started twice in one process (in tests), the first one stays.
    let _already_started = tracing::subscriber::set_global_default(subscriber);
    if let Some(namespace) = lookup("METRICS_NAMESPACE") {
        let _kept = NAMESPACE.set(namespace);
    }
    hook_panics();
}

/// What is logged: our own crates at `level`, all others at `WARN`. At `TRACE`, the AWS SDK prints the answers of
/// Secrets Manager, including the secrets.
#[must_use]
pub fn targets(level: Level) -> Targets {
    ["callback", "claim", "install", "installations", "shared", "sweep", "token", "uninstall", "vault"]
        .into_iter()
        .fold(Targets::new().with_default(Level::WARN), |targets, ours| targets.with_target(ours, level))
        .with_target(REQUEST_TARGET, Level::INFO)
        // The dev stack's embedded database logs a warning for every condition that fails.
        .with_target("dynoxide", Level::ERROR)
}

/// The log format as a layer over any writer. [`init`] uses it, and the tests read it.
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

/// The message of a panic may contain anything, so only its location is logged. `entry` decides whether to raise an
/// alarm: `lambda_http` panics on addresses that are not URIs, and anyone can send those.
fn hook_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::warn!(place, "a panic was caught");
    }));
}

/// One JSON object per line, with the time and the level (without them, Lambda takes every line as `INFO`) and the
/// fields of the enclosing spans.
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
            // `JsonFields` has formatted them as an object. Its members are copied.
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

/// Writes a request line unchanged.
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
