//! What the stack tells the app: shows it as it passes, and has the bus tell it again.

use std::time::Duration;

use aws_sdk_eventbridge::primitives::{DateTime, DateTimeFormat};
use aws_sdk_eventbridge::types::ReplayDestination;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use tokio::time::sleep;

use crate::aws::{Aws, in_words};
use crate::functions::{Problem, invoke};
use crate::outcome::{Failure, Outcome, plain};
use crate::stack::Stack;

/// How often to ask for more, in seconds.
const ASK_EVERY_SECS: u64 = 2;

/// A page of the feed.
#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    events: Vec<Value>,
    next: Option<String>,
    #[serde(default)]
    more: bool,
    #[serde(flatten)]
    problem: Problem,
}

/// What to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Also what is kept from before.
    pub since_start: bool,
    /// What comes from now on; otherwise only what is there.
    pub follow: bool,
    /// Whether to print the documents.
    pub in_json: bool,
}

/// Prints events as they pass, one per line. With `follow`, it does not end.
///
/// # Errors
///
/// [`Failure`].
pub async fn tail(
    aws: &Aws,
    stack: &Stack,
    tail: Tail,
    print: &mut (dyn FnMut(&str) + Send),
) -> Result<(), Failure> {
    let (mut after, mut is_past) = (None, true);
    loop {
        let asked = json!({"after": after});
        let page: Page = invoke(aws, stack, "FeedFunction", asked).await?;
        page.problem.check()?;
        for event in page.events.iter().filter(|_| tail.since_start || !is_past) {
            print(&if tail.in_json { event.to_string() } else { line(event) });
        }
        after = page.next.or(after);
        if !page.more {
            if !tail.follow {
                return Ok(());
            }
            is_past = false;
            sleep(Duration::from_secs(ASK_EVERY_SECS)).await;
        }
    }
}

/// An event on one line.
fn line(event: &Value) -> String {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
    let whose = ["/data/installation", "/data/installation_hash", "/data/flow"];
    let whose = whose.into_iter().map(text).find(|text| *text != "-").unwrap_or("-");
    let about = [text("/data/subject"), text("/data/reason")].into_iter().find(|text| *text != "-");
    let about = about.map(|about| format!("  {about}")).unwrap_or_default();
    plain(&format!("{}  {:<28}  {}  {whose}{about}", text("/timestamp"), text("/type"), text("/id")))
}

/// Has EventBridge put archived events on the bus again. They keep their ids.
///
/// # Errors
///
/// [`Failure`].
pub async fn replay(aws: &Aws, stack: &Stack, since: &str, until: Option<&str>) -> Result<Outcome, Failure> {
    let bus = stack.resource("EventBus")?;
    let archive = stack.resource("EventsArchive").map_err(|_| {
        Failure::Refused(
            "the stack keeps no archive (EventsArchiveDays is 0); the feed has the events of the last days"
                .to_owned(),
        )
    })?;
    let (since, now) = (moment(since)?, SystemClock.now().0);
    let until = match until {
        Some(until) => moment(until)?,
        None => DateTime::from_secs(i64::try_from(now).unwrap_or(i64::MAX)),
    };
    if since.secs() >= until.secs() {
        return Err(Failure::Misused("--since must be before --until, which is now by default".to_owned()));
    }
    let failed = |words: String| Failure::Unknown(format!("EventBridge: {words}"));
    let described = aws.eventbridge.describe_archive().archive_name(archive).send().await;
    let described = described.map_err(|error| failed(in_words(&error)))?;
    let target = aws.eventbridge.describe_event_bus().name(bus).send().await;
    let target = target.map_err(|error| failed(in_words(&error)))?;
    let to = ReplayDestination::builder().arn(target.arn().unwrap_or_default()).build();
    let name = format!("notion-install-{now}");
    let start = aws
        .eventbridge
        .start_replay()
        .replay_name(&name)
        .event_source_arn(described.archive_arn().unwrap_or_default())
        .event_start_time(since)
        .event_end_time(until)
        .destination(to.map_err(|error| failed(error.to_string()))?);
    start.send().await.map_err(|error| failed(in_words(&error)))?;
    let state = aws.commands.aws(&format!("events describe-replay --replay-name {name}"));
    let said = format!(
        "Every rule of the bus, the webhook's too, gets the events of that time again, with the same ids. Of the last ten \
         minutes, some may not be in the archive yet. See how far it is: {state}"
    );
    Ok(Outcome::well(said, json!({"replay": name})))
}

fn moment(text: &str) -> Result<DateTime, Failure> {
    DateTime::from_str(text, DateTimeFormat::DateTime)
        .map_err(|_| Failure::Misused(format!("{text} is not a time such as 2026-11-29T05:00:00Z")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_happened_to_whom_and_cannot_drive_the_terminal() {
        let event = json!({
            "id": "evt_1", "type": "installation.claimed", "timestamp": "2026-11-29T05:00:00Z",
            "data": {"installation": "abc", "subject": "user\u{1b}[31m"},
        });
        let said = line(&event);
        assert!(
            said.starts_with("2026-11-29T05:00:00Z  installation.claimed ")
                && said.ends_with("abc  user\u{fffd}[31m")
        );
    }
}
