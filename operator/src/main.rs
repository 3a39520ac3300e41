//! `operator`: the deployer's command line.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks to the terminal")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use operator::aws::{Aws, ConnectError};
use operator::client_secret::{self, Proof};
use operator::doctor;
use operator::report::Report;
use operator::stack::{Stack, StackError};
use serde_json::json;
use shared::config::environment;

/// Looks after a deployed stack. Reads only, but for the two `secret` commands.
///
/// Ends with 0 if all is well, 1 if something has to be done, 2 if it was called wrongly, 3 if it could not look.
#[derive(Debug, Parser)]
#[command(name = "operator", version, disable_help_subcommand = true)]
struct Cli {
    /// The stack's name
    #[arg(long, global = true, value_name = "NAME", default_value = "notion-install-dev")]
    stack: String,
    /// Its Region; else the one of the environment or of the profile
    #[arg(long, global = true, value_name = "REGION")]
    region: Option<String>,
    /// The profile to take credentials from; else the usual chain
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say, step by step, what is right and what to do next; changes nothing
    Doctor,
    /// The client secret in Secrets Manager; read from a prompt, or from standard input, never from an argument
    #[command(subcommand)]
    Secret(SecretCommand),
}

#[derive(Debug, Subcommand)]
enum SecretCommand {
    /// Store the first one
    Set {
        /// Store it even if Notion cannot be asked whether it is right
        #[arg(long)]
        without_proof: bool,
    },
    /// Store the one that comes after it; installs in flight go on with the one before
    Rotate {
        /// Store it even if Notion cannot be asked whether it is right
        #[arg(long)]
        without_proof: bool,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // What stands where no argument belongs may be the secret itself: it is not repeated.
        Err(error) if error.use_stderr() && std::env::args().any(|argument| argument == "secret") => {
            eprintln!(
                "operator: `secret set` and `secret rotate` take no value: the secret is read from a prompt or from \
                 standard input; `operator secret --help` has the options"
            );
            return ExitCode::from(2);
        }
        Err(error) => error.exit(),
    };
    let connected = Aws::connect(&cli.stack, cli.region.clone(), cli.profile.as_deref(), &environment).await;
    match (&cli.command, connected) {
        (Command::Doctor, connected) => Box::pin(doctor(&cli, connected)).await,
        (Command::Secret(_), Err(error)) => failed(&cli, &error.to_string(), 3),
        (Command::Secret(command), Ok(aws)) => Box::pin(secret(&cli, command, &aws)).await,
    }
}

async fn doctor(cli: &Cli, connected: Result<Aws, ConnectError>) -> ExitCode {
    let region = connected.as_ref().map_or("no Region", |aws| aws.commands.region.as_str());
    let mut report = Report::begin(&cli.stack, region, !cli.json);
    match &connected {
        Ok(aws) => Box::pin(doctor::examine(aws, &cli.stack, &mut report)).await,
        Err(error) => report.unknown("region", error.to_string(), "give --region, or set AWS_REGION"),
    }
    if cli.json {
        println!("{:#}", report.to_json());
    } else {
        println!("{}", report.summary());
    }
    ExitCode::from(report.exit_code())
}

async fn secret(cli: &Cli, command: &SecretCommand, aws: &Aws) -> ExitCode {
    let stack = match Stack::read(aws, &cli.stack).await {
        Ok(stack) => stack,
        Err(error @ StackError::Missing { .. }) => return failed(cli, &error.to_string(), 1),
        Err(error) => return failed(cli, &error.to_string(), 3),
    };
    let proof = |without: bool| if without { Proof::IfPossible } else { Proof::Required };
    let done = match command {
        SecretCommand::Set { without_proof } => {
            Box::pin(client_secret::set(aws, &stack, proof(*without_proof))).await
        }
        SecretCommand::Rotate { without_proof } => {
            Box::pin(client_secret::rotate(aws, &stack, proof(*without_proof))).await
        }
    };
    match done {
        Ok(said) => {
            if cli.json {
                println!("{:#}", json!({"done": true, "said": said}));
            } else {
                println!("{said}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => failed(cli, &error.to_string(), if error.is_refusal() { 1 } else { 3 }),
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
