//! `cargo run`: the whole system on this machine.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program writes to the terminal"
)]

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use dev::events::{checked_in, default_connection, samples};
use dev::forward;
use dev::stack::{NotionSide, Options, Stack};
use recipe::Recipe;
use shared::clock::{Clock as _, SystemClock};
use shared::config::{PublicConnection, environment, required};
use shared::random::OsRandom;
use shared::secret::ClientSecret;
use shared::telemetry;
use simulated_notion::{Settings, Urls};

/// The recipe with which people's workspaces are prepared by default.
const TRACKER: &str = "tracker";

/// Runs the install flow on this machine: the functions, a simulated Notion, an embedded DynamoDB.
#[derive(Debug, Parser)]
#[command(name = "dev", disable_help_subcommand = true)]
struct Cli {
    /// The app's port on localhost; the simulated Notion takes the next one, the AWS
    /// stand-ins the one after it
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u16).range(1..=65533))]
    port: u16,
    /// Keep data and secrets in this folder (in the clear) instead of in memory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Let functions in containers connect: also listen on this address of this machine (Docker's bridge is
    /// 172.17.0.1)
    #[arg(long, value_name = "ADDRESS", conflicts_with = "real_notion")]
    listen: Option<IpAddr>,
    /// Use the real Notion, with `NOTION_CLIENT_ID` and `NOTION_CLIENT_SECRET` from the environment
    #[arg(long)]
    real_notion: bool,
    /// Prepare people's workspaces with the recipe in this folder instead of `recipes/tracker`
    #[arg(long, value_name = "DIR", conflicts_with = "no_recipe")]
    recipe: Option<PathBuf>,
    /// Prepare nothing
    #[arg(long)]
    no_recipe: bool,
    /// Send webhooks to this address instead of the sample app's (https, or http on this machine), and print the secret
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a fresh sample event, for `sam local invoke -e -`; without CASE, list the cases
    ///
    /// The connection is taken from `NOTION_CLIENT_ID` and `NOTION_REDIRECT_URI` in the environment; by default it is
    /// the dev stack's.
    Event {
        /// Which case
        case: Option<String>,
        /// The authorization code that the event carries
        #[arg(long, default_value = "sample-code")]
        code: String,
        /// Write the checked-in samples to this folder instead
        #[arg(long, value_name = "DIR", conflicts_with_all = ["case", "code"])]
        write: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Some(Command::Event { case, code, write }) => event(cli.port, case.as_deref(), code, write.as_ref()),
        None => Box::pin(run(cli)).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("dev: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<(), String> {
    telemetry::init(&environment);
    let mut options = Options {
        port: cli.port,
        notion_port: cli.port + 1,
        aws_port: cli.port + 2,
        data_dir: cli.data.clone(),
        // What is made can be looked at: its addresses lead to the simulated Notion's own pages.
        notion: NotionSide::Simulated(simulated_notion::Options {
            settings: Settings { urls: Urls::Local, ..Settings::default() },
            ..simulated_notion::Options::default()
        }),
        ..Options::default()
    };
    // The sample app's own.
    for (name, page) in [
        ("APP_LOGO_URL", "logo.svg"),
        ("APP_SUPPORT_URL", "about#support"),
        ("APP_PRIVACY_URL", "about#privacy"),
        ("APP_TERMS_URL", "about#terms"),
    ] {
        options.variables.insert(name.to_owned(), format!("http://localhost:{}/app/{page}", cli.port));
    }
    let settings = [
        "APP_NAME",
        "APP_COLOR",
        "APP_NEXT_URL",
        "APP_LOGO_URL",
        "APP_SUPPORT_URL",
        "APP_PRIVACY_URL",
        "APP_TERMS_URL",
        "ALLOWED_WORKSPACES",
        "CLAIM_WINDOW_MINUTES",
        "RETURN_DESTINATIONS",
        "STATE_TTL_SECS",
    ];
    for name in settings {
        options.variables.extend(environment(name).map(|value| (name.to_owned(), value)));
    }
    options.recipe = recipe(&cli)?;
    let recipe_name = options.recipe.as_ref().map(|recipe| recipe.name.clone());
    if let Some(url) = &cli.webhook_url {
        options.variables.insert("WEBHOOK_URL".to_owned(), url.clone());
    }
    if cli.real_notion {
        let variable =
            |name| required(&environment, name).map_err(|error| format!("{error}: --real-notion needs it"));
        let client_id = variable("NOTION_CLIENT_ID")?;
        let client_secret = variable("NOTION_CLIENT_SECRET")?;
        let client_secret = ClientSecret::parse(client_secret.trim()).map_err(|error| error.to_string())?;
        options.notion = NotionSide::Real { client_id, client_secret };
    }
    let stack = Box::pin(Stack::start(options)).await.map_err(|error| error.to_string())?;
    if let Some(address) = cli.listen {
        for port in cli.port..=cli.port + 2 {
            forward::listen(address, port).await.map_err(|error| {
                format!("cannot listen on {address}:{port} ({error}): is it an address of this machine?")
            })?;
        }
    }
    println!("Open {0}/app and connect, or {0} to see everything.", stack.url());
    match stack.notion() {
        Some(notion) => {
            println!("Notion is simulated: {0} (switches and faults: {0}/control)", notion.base_url());
        }
        None => println!("Notion is real; its connection needs the redirect URI {}/callback", stack.url()),
    }
    if let Some(aws_url) = stack.aws_url() {
        println!(
            "AWS is simulated: {aws_url} (DynamoDB, EventBridge, Secrets Manager, SQS, Lambda's Invoke)"
        );
    }
    if let Some(url) = cli.webhook_url {
        println!("Webhooks go to {url}; WEBHOOK_SECRET={}", stack.webhook_secret());
    }
    if let Some(recipe) = recipe_name {
        println!("Workspaces are prepared with the recipe {recipe}.");
    }
    println!("Press Ctrl-C to stop.");
    tokio::select! {
        ended = tokio::signal::ctrl_c() => ended.map_err(|error| error.to_string()),
        () = sweep_by_schedule(&stack) => Ok(()),
        () = deliver_events(&stack) => Ok(()),
    }
}

/// What people's workspaces are prepared with.
fn recipe(cli: &Cli) -> Result<Option<Recipe>, String> {
    if cli.no_recipe {
        return Ok(None);
    }
    let Some(folder) = &cli.recipe else {
        let named = |name: &str| (name == "RECIPE").then(|| TRACKER.to_owned());
        return onboard::compiled(&named).map(Some).map_err(|error| error.to_string());
    };
    Recipe::read(folder).map(Some).map_err(|problems| problems.to_string())
}

/// Invokes the sweep as the schedule does.
async fn sweep_by_schedule(stack: &Stack) {
    loop {
        tokio::time::sleep(Duration::from_mins(5)).await;
        stack.ask("sweep", &serde_json::json!({})).await;
    }
}

/// Does what AWS does between the services.
async fn deliver_events(stack: &Stack) {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        if let Err(error) = stack.publish_changes().await {
            eprintln!("dev: {error}");
        }
        stack.deliver_webhooks().await;
        stack.prepare_workspaces().await;
    }
}

fn event(port: u16, case: Option<&str>, code: &str, write: Option<&PathBuf>) -> Result<(), String> {
    if let Some(dir) = write {
        for (name, text) in checked_in().map_err(|error| error.to_string())? {
            let file = dir.join(name);
            std::fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        return Ok(());
    }
    let lookup = |name: &str| environment(name).or_else(|| default_connection(port, name));
    let connection = PublicConnection::read(&lookup).map_err(|error| error.to_string())?;
    let samples = samples(&connection, SystemClock.now_millis(), &OsRandom, code);
    let Some(case) = case else {
        for sample in &samples {
            println!("{:<34} {}", sample.name, sample.about);
        }
        return Ok(());
    };
    let sample = samples.iter().find(|sample| sample.name == case);
    let sample =
        sample.ok_or_else(|| format!("there is no event {case}: `cargo run -- event` lists them"))?;
    println!("{:#}", sample.event);
    Ok(())
}
