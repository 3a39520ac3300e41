//! Orders the onboarding of one installation or of all, or says what an order would do.

use std::path::Path;

use recipe::Recipe;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use vault::installation::InstallationId;
use vault::onboarding::order;
use vault::store::{Health, Installation, Store, StoreError, is_forgotten_marker};

use crate::aws::{Aws, in_words};
use crate::functions::confirm;
use crate::onboarding::state_name;
use crate::outcome::{Failure, Outcome, plain};
use crate::plan::{self, Planned};
use crate::recipes;
use crate::rows::Rows;
use crate::stack::Stack;
use crate::tables::{soon, store};

const NO_RECIPE: &str = "the stack prepares no workspaces: deploy with Recipe=NAME";
/// The pace of a stack without the parameter, in requests a minute.
const CALLS_PER_MINUTE: u64 = 60;

/// Whom to prepare of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct All {
    /// At most so many.
    pub limit: Option<usize>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Do not ask first.
    pub yes: bool,
}

/// Orders the onboarding of an installation: it begins, or goes on, also if it has stopped for good.
///
/// # Errors
///
/// [`Failure`]; it is safe to repeat.
pub async fn one(aws: &Aws, stack: &Stack, id: &InstallationId) -> Result<Outcome, Failure> {
    let queue = queue(stack)?;
    active(&store(aws, stack)?, stack, id).await?;
    send(aws, queue, &order(id, true)).await?;
    let (workspace_id, user_id) = id.parts();
    let show = format!("onboard show {workspace_id} {}", user_id.unwrap_or("-"));
    let said = format!(
        "The order is in the queue; what is made already is not made again. See how far it is: {}",
        aws.commands.operator(&plain(&show))
    );
    Ok(Outcome::well(said, json!({"installation_id": id.as_str(), "ordered": 1})))
}

/// Says what an order would do, with the recipe in `folder`; by default with the stack's, in the current directory.
///
/// # Errors
///
/// [`Failure`].
pub async fn planned(
    aws: &Aws,
    stack: &Stack,
    id: &InstallationId,
    folder: Option<&Path>,
) -> Result<Outcome, Failure> {
    let recipe = recipe(stack, folder)?;
    let store = store(aws, stack)?;
    let row = active(&store, stack, id).await?;
    let ledger = store.read_ledger(id, soon()).await?;
    let app_name = stack.parameter("AppName").unwrap_or("This app");
    let values = plan::values(&row, ledger.as_ref(), app_name, SystemClock.now_millis());
    let steps = plan::plan(&recipe, ledger.as_ref(), &values, row.duplicated_template_id.is_some());
    let open = steps.iter().filter(|step| step.is_open && step.without.is_none()).count();
    let before = ledger.as_ref().map_or_else(
        || "nothing was begun".to_owned(),
        |ledger| format!("it is {}, with {} {}", ledger.status.key(), ledger.recipe, ledger.recipe_version),
    );
    let mut lines = vec![plain(&format!(
        "{} with {} {}: {open} of {} steps are to do; {before}",
        id.as_str(),
        recipe.name,
        recipe.version,
        steps.len()
    ))];
    lines.extend(steps.iter().map(in_lines));
    let json = json!({
        "installation_id": id.as_str(),
        "recipe": recipe.name,
        "recipe_version": recipe.version,
        "to_do": open,
        "steps": steps.iter().map(in_json).collect::<Vec<Value>>(),
    });
    Ok(Outcome::well(lines.join("\n"), json))
}

/// Orders the onboarding of every active installation about which there is something to do. Those of whom nothing is
/// known come first.
///
/// # Errors
///
/// [`Failure`]; it is safe to repeat.
pub async fn all(aws: &Aws, stack: &Stack, wanted: All, folder: Option<&Path>) -> Result<Outcome, Failure> {
    let queue = queue(stack)?;
    let recipe = recipe(stack, folder)?;
    let (mut found, unreadable) = Box::pin(open(aws, stack, &recipe)).await?;
    found.sort_by_key(|(urgency, ..)| *urgency);
    let left = found.len().saturating_sub(wanted.limit.unwrap_or(usize::MAX));
    found.truncate(found.len() - left);
    let pace = stack.parameter("OnboardingCallsPerMinute").and_then(|text| text.parse().ok());
    let pace = pace.filter(|pace| *pace > 0).unwrap_or(CALLS_PER_MINUTE);
    let requests: u64 = found.iter().map(|(_, _, requests)| requests).sum();
    let minutes = requests.div_ceil(pace);
    let many = found.len();
    if !wanted.dry_run && !wanted.yes && many > 0 {
        confirm(&format!("prepare the workspaces of {many} installations (about {minutes} minutes)"))?;
    }
    if !wanted.dry_run {
        for (sent, (_, id, _)) in found.iter().enumerate() {
            send(aws, queue, &order(id, false)).await.map_err(|failure| {
                Failure::Unknown(format!(
                    "{failure}, after {sent} orders were sent; it is safe to repeat the command"
                ))
            })?;
        }
    }
    let mut lines: Vec<String> = unreadable.iter().map(|said| plain(said)).collect();
    lines.push(format!(
        "{many} orders {}: up to {requests} requests at {pace} a minute, about {minutes} minutes",
        if wanted.dry_run { "would be sent" } else { "are in the queue" }
    ));
    if left > 0 {
        lines.push(format!("{left} more are left by --limit: repeat the command when these are done"));
    }
    let json = json!({
        "ordered": if wanted.dry_run { 0 } else { many },
        "to_order": many,
        "left": left,
        "requests": requests,
        "calls_per_minute": pace,
        "minutes": minutes,
        "unreadable": unreadable,
    });
    Ok(Outcome::unless(!unreadable.is_empty(), lines.join("\n"), json))
}

/// An installation about which there is something to do: how urgent that is, and the requests that it takes.
type Open = (u8, InstallationId, u64);

/// The active installations about which there is something to do, and the rows that cannot be read.
async fn open(aws: &Aws, stack: &Stack, recipe: &Recipe) -> Result<(Vec<Open>, Vec<String>), Failure> {
    let (store, client_id) = (store(aws, stack)?, client_id(stack)?);
    let mut rows = Rows::of_table(aws, stack.resource("InstallationsTable")?);
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    loop {
        let page = rows.page().await?;
        if page.is_empty() {
            return Ok((found, unreadable));
        }
        for row in page.into_iter().flatten() {
            let key = row.get("installation_id").and_then(|id| id.as_s().ok()).map_or("", String::as_str);
            if is_forgotten_marker(key) {
                continue;
            }
            let id = InstallationId::of_row(key);
            let read = async {
                let row = store.read_installation(&id, soon()).await?;
                let Some(row) = row.filter(|row| refusal(row, &client_id).is_none()) else { return Ok(None) };
                let ledger = store.read_ledger(&id, soon()).await?;
                let urgency = plan::urgency(recipe, &row, ledger.as_ref());
                Ok(urgency.map(|urgency| (urgency, plan::reserved(recipe, ledger.as_ref()))))
            };
            match Box::pin(read).await {
                Ok(None) => {}
                Ok(Some((urgency, requests))) => found.push((urgency, id, requests)),
                Err(error @ StoreError::Row(_)) => {
                    unreadable.push(format!("{}: {error}", id.as_str()));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The installation, if its workspace may be prepared.
async fn active(store: &Store, stack: &Stack, id: &InstallationId) -> Result<Installation, Failure> {
    let whom = plain(id.as_str());
    let row = store.read_installation(id, soon()).await?;
    let row = row.ok_or_else(|| Failure::Refused(format!("there is no installation of {whom}")))?;
    match refusal(&row, &client_id(stack)?) {
        None => Ok(row),
        Some(why) => Err(Failure::Refused(format!("nothing is prepared for {whom}: {why}"))),
    }
}

/// Why a workspace is not prepared, if it is not.
fn refusal(row: &Installation, client_id: &str) -> Option<&'static str> {
    match row.health {
        Health::Removed => Some("it is removed; it is prepared when the person installs again"),
        Health::NeedsReinstall => Some("its grant is dead; it is prepared when the person installs again"),
        _ if row.is_unclaimed() => Some("it is unclaimed; it is prepared when your app claims it"),
        _ if row.client_id != client_id => Some("it belongs to another connection than this stack"),
        Health::Active | Health::Unverified => None,
    }
}

fn client_id(stack: &Stack) -> Result<String, Failure> {
    let connection = stack.connection();
    connection.map(|connection| connection.client_id).map_err(|error| Failure::Refused(error.to_string()))
}

/// The recipe in `folder`, or the stack's in the current directory.
fn recipe(stack: &Stack, folder: Option<&Path>) -> Result<Recipe, Failure> {
    let name = stack.parameter("Recipe");
    match (folder, name) {
        (Some(folder), _) => recipes::read(folder),
        (None, Some(name)) => recipes::read(&Path::new("recipes").join(name)).map_err(|failure| {
            Failure::Refused(format!("{failure}\nname the folder of the stack's recipe with --recipe"))
        }),
        (None, None) => Err(Failure::Refused(NO_RECIPE.to_owned())),
    }
}

fn queue(stack: &Stack) -> Result<&str, Failure> {
    stack.resource("OnboardingQueue").map_err(|_| Failure::Refused(NO_RECIPE.to_owned()))
}

async fn send(aws: &Aws, queue: &str, order: &Value) -> Result<(), Failure> {
    let sent = aws.sqs.send_message().queue_url(queue).message_body(order.to_string()).send().await;
    sent.map(|_| ()).map_err(|error| Failure::Unknown(format!("SQS: {}", in_words(&error))))
}

/// A step on one line, and the request that would be sent.
fn in_lines(step: &Planned) -> String {
    let state = step.state.map_or("new", state_name);
    let to_do = match (step.is_open, &step.without, &step.request) {
        (false, ..) => String::new(),
        (true, Some(without), _) => format!("left out: {without}"),
        (true, None, None) => "looked for in the template".to_owned(),
        (true, None, Some(request)) if state == "intended" => {
            format!("looked for, and if it is not there: POST /v1/{}s\n{request:#}", step.kind)
        }
        (true, None, Some(request)) => format!("POST /v1/{}s\n{request:#}", step.kind),
    };
    format!("{state:<9} {:<8} {:<20} {to_do}", step.kind, step.resource_id).trim_end().to_owned()
}

fn in_json(step: &Planned) -> Value {
    json!({
        "resource_id": step.resource_id,
        "type": step.kind,
        "state": step.state.map(state_name),
        "to_do": step.is_open && step.without.is_none(),
        "why": step.without,
        "request": step.request,
    })
}
