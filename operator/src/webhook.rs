//! The webhook's secret, and an endpoint that was stopped.

use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use shared::random::OsRandom;
use url::Url;
use vault::store::StoppedEndpoints;
use vault::webhook_keys::WebhookKeys;

use crate::aws::{Aws, in_words};
use crate::outcome::{Failure, Outcome};
use crate::queues::{Queue, move_back};
use crate::secret_version::{Replaced, replace};
use crate::stack::Stack;
use crate::tables::soon;

const NO_WEBHOOK: &str = "the stack sends no webhooks: deploy with WebhookUrl=https://...";

/// What is stored, and its version in Secrets Manager.
struct Stored {
    keys: Result<WebhookKeys, &'static str>,
    version_id: String,
}

impl Stored {
    fn keys(&self) -> Result<WebhookKeys, Failure> {
        self.keys.clone().map_err(|expected| {
            Failure::Refused(format!(
                "the stored value is not {expected}; `webhook rotate --at-once` replaces it"
            ))
        })
    }
}

/// Shows the secret that the app needs, only if `show`. It is the one secret that leaves the stack.
///
/// # Errors
///
/// [`Failure`].
pub async fn secret(aws: &Aws, stack: &Stack, show: bool) -> Result<Outcome, Failure> {
    let keys = read(aws, secret_id(stack)?).await?.keys()?;
    let previous_until = keys.previous_until(SystemClock.now()).map(|until| until.0);
    let both = previous_until.map_or_else(String::new, |_| {
        "\nThe one before signs too, for a day from its rotation: the app may have either.".to_owned()
    });
    if !show {
        let said = format!(
            "There is one. To print it, for the app that receives: {}{both}",
            aws.commands.operator("webhook secret --show")
        );
        return Ok(Outcome::well(said, json!({"previous_until": previous_until})));
    }
    let secret = keys.current().expose();
    Ok(Outcome::well(format!("{secret}{both}"), json!({"secret": secret, "previous_until": previous_until})))
}

/// Makes a new secret. The one before signs too for a day, unless `at_once`: then it is no longer used, as after a leak.
///
/// # Errors
///
/// [`Failure`]. Nothing has changed, unless the error says that this is unknown.
pub async fn rotate(aws: &Aws, stack: &Stack, at_once: bool) -> Result<Outcome, Failure> {
    let (id, now) = (secret_id(stack)?, SystemClock.now());
    let before = read(aws, id).await?;
    // After a leak, or if the stored value is broken, what is stored does not matter.
    let standing = if at_once { None } else { Some(before.keys()?) };
    if standing.as_ref().is_some_and(|keys| keys.previous_until(now).is_some()) {
        return Err(Failure::Refused(
            "the last rotation was less than a day ago, and an app may still have the secret from before it, which \
             another rotation would end. Wait, or add --at-once"
                .to_owned(),
        ));
    }
    let text = standing.map_or_else(|| WebhookKeys::drawn(&OsRandom), |keys| keys.rotated(now, &OsRandom));
    match replace(aws, id, &before.version_id, &text).await {
        Replaced::Yes => {}
        Replaced::No(words) | Replaced::BySomebodyElse(words) => return Err(failed(&words)),
        Replaced::Unknown(words) => {
            return Err(Failure::Unknown(format!(
                "it is unknown whether the secret was replaced ({words}): see `webhook secret`"
            )));
        }
    }
    let next = aws.commands.operator("webhook secret --show");
    let said = if at_once {
        format!(
            "There is a new secret, and the one before is no longer used: within five minutes the app refuses what \
             it does not sign. What it refuses comes again. Now: {next}"
        )
    } else {
        format!(
            "There is a new secret. For a day both sign. Give the app the new one within that day: {next}"
        )
    };
    Ok(Outcome::unless(true, said, json!({"rotated": true, "at_once": at_once})))
}

/// Sends to an endpoint again that was stopped because it answered 410, and everything that was given up with it.
///
/// # Errors
///
/// [`Failure`]; it is safe to repeat.
pub async fn resume(aws: &Aws, stack: &Stack) -> Result<Outcome, Failure> {
    let endpoint = endpoint(stack)?;
    let stopped = stopped(aws, stack)?;
    let since = stopped.since(&endpoint, soon()).await?;
    stopped.resume(&endpoint, soon()).await?;
    let queue = Queue::of(aws, stack.resource("WebhookQueue")?);
    let dead = Queue::of(aws, stack.resource("WebhookDeadLetters")?);
    let given_up = dead.waiting().await?;
    if given_up > 0 {
        move_back(aws, &dead.arn().await?, &queue.arn().await?).await?;
    }
    let was = if since.is_some() {
        "The endpoint was stopped, and is used again"
    } else {
        "The endpoint is in use"
    };
    let said = format!("{was}. {given_up} webhooks that were given up are sent again, within minutes");
    Ok(Outcome::well(said, json!({"was_stopped": since.is_some(), "sent_again": given_up})))
}

/// The endpoint as the function writes it.
pub(crate) fn endpoint(stack: &Stack) -> Result<String, Failure> {
    let url = stack.parameter("WebhookUrl").and_then(|url| Url::parse(url).ok());
    Ok(url.ok_or_else(|| Failure::Refused(NO_WEBHOOK.to_owned()))?.to_string())
}

/// Which endpoints are stopped.
pub(crate) fn stopped(aws: &Aws, stack: &Stack) -> Result<StoppedEndpoints, Failure> {
    let table = stack.resource("EventsTable")?;
    let lookup = |name: &str| (name == "EVENTS_TABLE").then(|| table.to_owned());
    let stopped = StoppedEndpoints::read(&lookup, aws.dynamodb.clone());
    stopped.map_err(|error| Failure::Unknown(error.to_string()))
}

fn secret_id(stack: &Stack) -> Result<&str, Failure> {
    stack.resource("WebhookSecret").map_err(|_| Failure::Refused(NO_WEBHOOK.to_owned()))
}

async fn read(aws: &Aws, id: &str) -> Result<Stored, Failure> {
    let get = aws.secrets_manager.get_secret_value().secret_id(id).version_stage("AWSCURRENT");
    let answer = get.send().await.map_err(|error| failed(&in_words(&error)))?;
    let keys = WebhookKeys::parse(answer.secret_string().unwrap_or_default());
    Ok(Stored { keys, version_id: answer.version_id().unwrap_or_default().to_owned() })
}

fn failed(words: &str) -> Failure {
    Failure::Unknown(format!("Secrets Manager: {words}"))
}
