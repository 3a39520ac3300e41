//! `operator`: the deployer's command line.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program writes to the terminal"
)]

mod cli;

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::Parser as _;
use cli::{
    Cli, Command, EventsCommand, KeysCommand, OnboardCommand, RecipeCommand, SecretCommand, WebhookCommand,
};
use operator::adopt::{self, Wanted};
use operator::aws::{Aws, ConnectError};
use operator::client_secret::{self, Proof};
use operator::events::{self, Tail};
use operator::functions::{self, Revocation};
use operator::installations::{self, Listed, Which};
use operator::outcome::{Failure, Outcome};
use operator::prepare::All;
use operator::preview::Sample;
use operator::report::Report;
use operator::rows::Source;
use operator::stack::{Stack, StackError};
use operator::{doctor, export, import, keys, onboarding, prepare, preview, recipes, rescue, webhook};
use serde_json::json;
use shared::config::environment;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // An unexpected argument may be the secret itself, so it is not repeated.
        Err(error)
            if error.use_stderr() && std::env::args_os().any(|argument| is_about_secrets(&argument)) =>
        {
            eprintln!(
                "operator: no command takes a secret as an argument: `secret set` and `secret rotate` read it from a \
                 prompt or from standard input; see `operator --help`"
            );
            return ExitCode::from(2);
        }
        Err(error) => error.exit(),
    };
    if let Command::Recipe(command) = &cli.command {
        return ended(&cli, recipe(command));
    }
    let connected = Aws::connect(&cli.stack, cli.region.clone(), cli.profile.as_deref(), &environment).await;
    if let Command::Doctor { return_to } = &cli.command {
        return Box::pin(doctor(&cli, return_to.as_deref(), connected)).await;
    }
    let aws = match connected {
        Ok(aws) => aws,
        Err(error) => return failed(&cli, &error.to_string(), 3),
    };
    let stack = match Stack::read(&aws, &cli.stack).await {
        Ok(stack) => stack,
        Err(error @ StackError::Missing { .. }) => return failed(&cli, &error.to_string(), 1),
        Err(error) => return failed(&cli, &error.to_string(), 3),
    };
    if let Command::Events(EventsCommand::Tail { since_start, no_follow }) = &cli.command {
        let tail = Tail { since_start: *since_start, follow: !no_follow, in_json: cli.json };
        let mut print = |line: &str| println!("{line}");
        return match Box::pin(events::tail(&aws, &stack, tail, &mut print)).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failed(&cli, &failure.to_string(), failure.exit_code()),
        };
    }
    if let Some(wanted) = adoption(&cli.command) {
        let mut print = |line: &str| println!("{line}");
        let print: Option<&mut dyn FnMut(&str)> = if cli.json { None } else { Some(&mut print) };
        return ended(&cli, Box::pin(adopt::adopt(&aws, &stack, &wanted, print)).await);
    }
    ended(&cli, Box::pin(carry_out(&cli.command, &aws, &stack)).await)
}

fn adoption(command: &Command) -> Option<Wanted> {
    let Command::Adopt { file, report, calls_per_minute, dry_run, refresh_expired, trust_ids } = command
    else {
        return None;
    };
    Some(Wanted {
        file: file.clone(),
        report: report.clone(),
        calls_per_minute: *calls_per_minute,
        dry_run: *dry_run,
        refresh_expired: *refresh_expired,
        trust_ids: *trust_ids,
    })
}

fn ended(cli: &Cli, result: Result<Outcome, Failure>) -> ExitCode {
    match result {
        Ok(outcome) => {
            if cli.json {
                println!("{:#}", outcome.to_json());
            } else {
                println!("{}", outcome.said);
            }
            ExitCode::from(outcome.exit_code())
        }
        Err(failure) => failed(cli, &failure.to_string(), failure.exit_code()),
    }
}

/// Whether an argument belongs to the secret commands, looks like one of Notion's secrets, or is not even text.
fn is_about_secrets(argument: &OsStr) -> bool {
    const NOTIONS: [&str; 3] = ["secret_", "ntn_", "nrt_"];
    argument
        .to_str()
        .is_none_or(|text| text == "secret" || NOTIONS.iter().any(|prefix| text.starts_with(prefix)))
}

async fn doctor(cli: &Cli, return_to: Option<&str>, connected: Result<Aws, ConnectError>) -> ExitCode {
    let region = connected.as_ref().map_or("no Region", |aws| aws.commands.region.as_str());
    let mut report = Report::begin(&cli.stack, region, !cli.json);
    match &connected {
        Ok(aws) => Box::pin(doctor::examine(aws, &cli.stack, return_to, &mut report)).await,
        Err(error) => report.unknown("region", error.to_string(), "give --region, or set AWS_REGION"),
    }
    if cli.json {
        println!("{:#}", report.to_json());
    } else {
        println!("{}", report.summary());
    }
    ExitCode::from(report.exit_code())
}

/// Without a stack.
fn recipe(command: &RecipeCommand) -> Result<Outcome, Failure> {
    match command {
        RecipeCommand::Check { dir } => Ok(recipes::check(dir)),
        RecipeCommand::Preview { dir, person, email, workspace, app } => {
            let sample = Sample {
                person: person.clone(),
                email: email.clone(),
                workspace: workspace.clone(),
                app: app.clone(),
            };
            preview::preview(dir, &sample)
        }
    }
}

/// Runs any command that needs a stack, except `doctor`.
async fn carry_out(command: &Command, aws: &Aws, stack: &Stack) -> Result<Outcome, Failure> {
    match command {
        // The doctor and the recipes also run without a stack, and the others print as they go.
        Command::Doctor { .. }
        | Command::Recipe(_)
        | Command::Adopt { .. }
        | Command::Events(EventsCommand::Tail { .. }) => {
            Err(Failure::Misused("this command is run separately".to_owned()))
        }
        Command::Secret(command) => Box::pin(secret(command, aws, stack)).await,
        Command::List { workspace, subject } => {
            let which = match (workspace, subject) {
                (Some(workspace), _) => Listed::OfWorkspace(workspace.clone()),
                (None, Some(subject)) => Listed::OfSubject(installations::subject(subject)?),
                (None, None) => Listed::All,
            };
            Box::pin(installations::list(aws, stack, &which)).await
        }
        Command::Show { workspace_id, user_id, bot, subject } => {
            let which = match (workspace_id, user_id, subject) {
                (Some(workspace_id), Some(user_id), _) => {
                    Which::Of(installations::named(workspace_id, user_id)?)
                }
                (.., Some(subject)) => Which::OfSubject(installations::subject(subject)?),
                _ => Which::OfBot(bot.clone().unwrap_or_default()),
            };
            Box::pin(installations::show(aws, stack, &which)).await
        }
        Command::Refresh(person) => {
            Box::pin(functions::refresh(aws, stack, &person.workspace_id, &person.user_id)).await
        }
        Command::Revoke { workspace_id, user_id, subject, forget, generation, yes } => {
            let wanted = Revocation {
                person: workspace_id.clone().zip(user_id.clone()),
                subject: subject.clone(),
                forget: *forget,
                generation: *generation,
                yes: *yes,
            };
            Box::pin(functions::revoke(aws, stack, &wanted)).await
        }
        Command::Sweep => Box::pin(functions::sweep(aws, stack)).await,
        Command::Rescue => Box::pin(rescue::rescue(aws, stack)).await,
        Command::Export { file, table } => Box::pin(export::export(aws, stack, file, table.as_deref())).await,
        Command::Import { backup, overwrite, yes } => {
            if *overwrite && !yes {
                functions::confirm("overwrite newer rows with those of a backup")?;
            }
            let source = match (&backup.file, &backup.table) {
                (Some(file), _) => Source::File(file.clone()),
                (None, table) => Source::Table(table.clone().unwrap_or_default()),
            };
            Box::pin(import::import(aws, stack, &source, *overwrite)).await
        }
        Command::Keys(KeysCommand::Rotate) => Box::pin(keys::rotate(aws, stack)).await,
        Command::Keys(KeysCommand::Progress) => Box::pin(keys::progress(aws, stack)).await,
        Command::Events(EventsCommand::Replay { since, until }) => {
            Box::pin(events::replay(aws, stack, since, until.as_deref())).await
        }
        Command::Webhook(WebhookCommand::Secret { show }) => {
            Box::pin(webhook::secret(aws, stack, *show)).await
        }
        Command::Webhook(WebhookCommand::Rotate { at_once }) => {
            Box::pin(webhook::rotate(aws, stack, *at_once)).await
        }
        Command::Webhook(WebhookCommand::Resume) => Box::pin(webhook::resume(aws, stack)).await,
        Command::Onboard(command) => Box::pin(onboard(command, aws, stack)).await,
    }
}

async fn onboard(command: &OnboardCommand, aws: &Aws, stack: &Stack) -> Result<Outcome, Failure> {
    match command {
        OnboardCommand::Show(person) => {
            let id = installations::named(&person.workspace_id, &person.user_id)?;
            onboarding::show(aws, stack, &id).await
        }
        OnboardCommand::Run { recipe: Some(_), dry_run: false, all: false, .. } => Err(Failure::Misused(
            "--recipe is for --dry-run and --all: what is made is the recipe that is deployed".to_owned(),
        )),
        OnboardCommand::Run { workspace_id, user_id, limit, dry_run, recipe, yes, .. } => {
            let folder = recipe.as_deref();
            let Some((workspace_id, user_id)) = workspace_id.as_ref().zip(user_id.as_ref()) else {
                let all = All { limit: *limit, dry_run: *dry_run, yes: *yes };
                return Box::pin(prepare::all(aws, stack, all, folder)).await;
            };
            let id = installations::named(workspace_id, user_id)?;
            if *dry_run {
                Box::pin(prepare::planned(aws, stack, &id, folder)).await
            } else {
                Box::pin(prepare::one(aws, stack, &id)).await
            }
        }
    }
}

async fn secret(command: &SecretCommand, aws: &Aws, stack: &Stack) -> Result<Outcome, Failure> {
    let proof = |without: bool| if without { Proof::IfPossible } else { Proof::Required };
    let done = match command {
        SecretCommand::Set { without_proof } => client_secret::set(aws, stack, proof(*without_proof)).await,
        SecretCommand::Rotate { without_proof } => {
            client_secret::rotate(aws, stack, proof(*without_proof)).await
        }
    };
    match done {
        Ok(said) => Ok(Outcome::well(said.clone(), json!({"said": said}))),
        Err(error) if error.is_refusal() => Err(Failure::Refused(error.to_string())),
        Err(error) => Err(Failure::Unknown(error.to_string())),
    }
}

fn failed(cli: &Cli, message: &str, exit_code: u8) -> ExitCode {
    if cli.json {
        println!("{:#}", json!({"done": false, "said": message}));
    } else {
        eprintln!("operator: {message}");
    }
    ExitCode::from(exit_code)
}
