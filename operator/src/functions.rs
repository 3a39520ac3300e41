//! What the functions do for the deployer: refresh, revoke, sweep.

use std::io::{IsTerminal as _, Write as _};

use aws_sdk_lambda::primitives::Blob;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::aws::{Aws, in_words};
use crate::installations::{input, named, subject};
use crate::outcome::{Failure, Outcome, plain};
use crate::stack::Stack;

/// The operator's name in the functions' audit log.
const CALLER: &str = "operator";

/// The answer of the token and the uninstall function. The access token is not parsed.
#[derive(Debug, Deserialize)]
struct Answer {
    fingerprint: Option<String>,
    version: Option<u64>,
    generation: Option<u64>,
    health: Option<String>,
    removed: Option<bool>,
    revoked: Option<bool>,
    #[serde(flatten)]
    problem: Problem,
}

/// Why a function did not do it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    error: Option<String>,
    message: String,
    reason: Option<String>,
    retry_after_secs: Option<u64>,
    install_url: Option<String>,
}

/// Which installation is removed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Notion's ids of the workspace and of the person; `-` if the workspace owns it.
    pub person: Option<(String, String)>,
    /// Only for this user of the app.
    pub subject: Option<String>,
    /// Whether nothing about the person is kept.
    pub forget: bool,
    /// Only this generation.
    pub generation: Option<u64>,
    /// Whether to skip the confirmation.
    pub yes: bool,
}

/// Has an installation's pair refreshed. The new access token stays in the table.
///
/// # Errors
///
/// [`Failure`].
pub async fn refresh(
    aws: &Aws,
    stack: &Stack,
    workspace_id: &str,
    user_id: &str,
) -> Result<Outcome, Failure> {
    named(workspace_id, user_id)?;
    let mut asked = input(workspace_id, user_id);
    asked["refresh"] = true.into();
    let answer: Answer = invoke(aws, stack, "TokenFunction", asked).await?;
    answer.problem.check()?;
    let health = answer.health.unwrap_or_default();
    let (version, fingerprint) = (answer.version.unwrap_or(0), answer.fingerprint.unwrap_or_default());
    let said = format!("Refreshed: {health}, version {version}, fingerprint {fingerprint}");
    let json = json!({
        "health": health,
        "version": version,
        "generation": answer.generation,
        "fingerprint": fingerprint,
    });
    Ok(Outcome::well(said, json))
}

/// What came of having an installation refreshed whose tokens may be dead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Revived {
    /// It has a new pair.
    Alive,
    /// Its grant is dead, and the row says so.
    Dead,
    /// That is not known yet. What the function said.
    NotYet(String),
}

/// Has an installation refreshed whose tokens may be dead.
pub(crate) async fn revive(aws: &Aws, stack: &Stack, mut asked: Value) -> Result<Revived, Failure> {
    asked["refresh"] = true.into();
    let answer: Answer = invoke(aws, stack, "TokenFunction", asked).await?;
    if answer.problem.error.as_deref() == Some("needs_reinstall") {
        return Ok(Revived::Dead);
    }
    match answer.problem.check() {
        Ok(()) => Ok(Revived::Alive),
        Err(Failure::Unknown(said)) => Ok(Revived::NotYet(said)),
        Err(failure) => Err(failure),
    }
}

/// Revokes a person's grant at Notion and deletes its tokens, after confirmation.
///
/// # Errors
///
/// [`Failure`].
pub async fn revoke(aws: &Aws, stack: &Stack, wanted: &Revocation) -> Result<Outcome, Failure> {
    let (mut asked, mut whom) = (json!({}), String::new());
    if let Some((workspace_id, user_id)) = &wanted.person {
        whom = plain(named(workspace_id, user_id)?.as_str());
        asked = input(workspace_id, user_id);
    }
    if let Some(name) = &wanted.subject {
        asked["subject"] = subject(name)?.as_str().into();
        whom = [plain(name), whom].join(" ");
    }
    if !wanted.yes {
        let wish = if wanted.forget { "remove and forget" } else { "remove" };
        confirm(&format!("{wish} {whom}"))?;
    }
    asked["forget"] = wanted.forget.into();
    asked["generation"] = wanted.generation.into();
    let answer: Answer = invoke(aws, stack, "UninstallFunction", asked).await?;
    if answer.problem.error.as_deref() == Some("other_generation") {
        let standing = answer.generation.unwrap_or(0);
        return Err(Failure::Refused(format!(
            "nothing was removed: the installation now has generation {standing}"
        )));
    }
    answer.problem.check()?;
    if answer.generation == Some(0) {
        return Err(Failure::Refused(format!(
            "there was no installation for these ids ({whom}), in the order workspace, person; see `operator list`. If \
             an install of this person is in progress, its grant will be revoked"
        )));
    }
    if answer.removed == Some(false) {
        let said =
            "Disconnected; the installation stays, because others are linked to it: see `operator list`";
        let json = json!({"removed": false, "revoked": false, "generation": answer.generation});
        return Ok(Outcome::well(said.to_owned(), json));
    }
    let revoked = answer.revoked.unwrap_or(false);
    let said = if revoked {
        "Removed; its tokens are revoked at Notion"
    } else {
        "Removed; nothing is vended any more. Its tokens are not revoked at Notion yet; the sweep keeps trying"
    };
    let json = json!({"removed": true, "revoked": revoked, "generation": answer.generation});
    Ok(Outcome::well(said, json))
}

/// Asks in the terminal before something irreversible.
///
/// # Errors
///
/// [`Failure`], unless somebody types yes.
pub fn confirm(wish: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Misused("there is no terminal to ask in: add --yes".to_owned()));
    }
    let unread = |error: std::io::Error| Failure::Unknown(format!("your answer could not be read: {error}"));
    let mut terminal = std::io::stderr();
    write!(terminal, "This cannot be undone. Type yes to {wish}: ").map_err(unread)?;
    terminal.flush().map_err(unread)?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed).map_err(unread)?;
    if typed.trim() == "yes" { Ok(()) } else { Err(Failure::Refused("nothing was done".to_owned())) }
}

/// Runs the sweep once, and says what it did.
///
/// # Errors
///
/// [`Failure`].
pub async fn sweep(aws: &Aws, stack: &Stack) -> Result<Outcome, Failure> {
    let mut summary: Map<String, Value> = invoke(aws, stack, "SweepFunction", json!({})).await?;
    let problem: Problem = serde_json::from_value(summary.clone().into()).unwrap_or_default();
    problem.check()?;
    let complete = summary.remove("complete").unwrap_or(Value::Bool(false));
    let counted: Vec<String> = summary.iter().map(|(what, times)| format!("{what} {times}")).collect();
    let left = summary.contains_key("SweepFailed");
    let mut said = format!(
        "Swept: {}",
        if counted.is_empty() { "there was nothing to do".to_owned() } else { counted.join(", ") }
    );
    if complete != true {
        said.push_str(". It did not finish: the next run, in five minutes, continues");
    }
    if left {
        said = format!(
            "{said}. Something could not be done: docs/runbook.md, \"SweepFailed\"; {}",
            aws.commands.log("SweepFunction")
        );
    }
    Ok(Outcome::unless(left, said, json!({"counted": summary, "complete": complete})))
}

impl Problem {
    pub(crate) fn check(self) -> Result<(), Failure> {
        let Some(error) = self.error else { return Ok(()) };
        let mut said = format!("{error}: {}", self.message);
        if let Some(reason) = self.reason {
            said = format!("{said} ({reason})");
        }
        if let Some(secs) = self.retry_after_secs {
            said = format!("{said}; try again in {secs} seconds");
        }
        if let Some(install_url) = self.install_url {
            said = format!("{said}: {install_url}");
        }
        Err(match error.as_str() {
            "try_later" | "internal" => Failure::Unknown(said),
            "malformed" => Failure::Misused(said),
            _ => Failure::Refused(said),
        })
    }
}

/// Invokes a function, once.
pub(crate) async fn invoke<T: DeserializeOwned>(
    aws: &Aws,
    stack: &Stack,
    function: &'static str,
    mut asked: Value,
) -> Result<T, Failure> {
    asked["caller"] = CALLER.into();
    let name = stack.resource(function)?;
    let answer = aws.lambda.invoke().function_name(name).payload(Blob::new(asked.to_string())).send().await;
    let answer = answer.map_err(|error| {
        let words = in_words(&error);
        let unknown = if error.as_service_error().is_some() { "" } else { "; it may still have been done" };
        Failure::Unknown(format!("{function} was not invoked, or did not answer: {words}{unknown}"))
    })?;
    let log = aws.commands.log(function);
    if let Some(kind) = answer.function_error() {
        return Err(Failure::Unknown(format!("{function} was cut off ({kind}): {log}")));
    }
    let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
    // The content of an unreadable answer is not repeated: it may be a token.
    serde_json::from_slice(payload)
        .map_err(|_| Failure::Unknown(format!("{function} gave an unexpected answer: {log}")))
}
