//! Runs a simulated Notion until it is interrupted.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use simulated_notion::{Connection, Options, SeedError, Simulator};

/// Used when no secret is given. Not a secret: it is printed here and in the README.
const DEMO_SECRET: &str = "secret_demo_not_for_production";

/// A simulated Notion on 127.0.0.1.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Port on 127.0.0.1; 0 means any free one
    #[arg(long, default_value_t = 3001)]
    port: u16,
    /// Start with what this TOML file says: connections, people, workspaces, pages, templates, switches, faults
    #[arg(long, value_name = "FILE")]
    seed_file: Option<PathBuf>,
    /// Client id of the connection
    #[arg(long, conflicts_with = "seed_file", default_value = "463558a3-725e-4f37-b6d3-0889894f68de")]
    client_id: String,
    /// Environment variable with the client secret; if unset or empty, the demo secret of the README
    #[arg(long, conflicts_with = "seed_file", value_name = "VAR", default_value = "NOTION_CLIENT_SECRET")]
    client_secret_env: String,
    /// Registered redirect URI; may be given more than once
    #[arg(
        long,
        conflicts_with = "seed_file",
        value_name = "URI",
        default_value = "http://localhost:3000/callback"
    )]
    redirect_uri: Vec<String>,
    /// Name of the connection on the consent page
    #[arg(long, conflicts_with = "seed_file", default_value = "Demo connection")]
    name: String,
    /// Offer a template with this title
    #[arg(long, conflicts_with = "seed_file", value_name = "TITLE")]
    template: Option<String>,
    /// Keep connections, grants, tokens and content in this file, in the clear
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Draw ids and tokens from this number, so that a run can be repeated exactly
    #[arg(long, value_name = "NUMBER")]
    random_seed: Option<u64>,
}

#[tokio::main(flavor = "current_thread")]
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program writes to the terminal"
)]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let port = arguments.port;
    let options = match options(&arguments) {
        Ok(options) => options,
        Err(error) => {
            let file = arguments.seed_file.unwrap_or_default();
            eprintln!("error: cannot use the seed file {}: {error}", file.display());
            return ExitCode::FAILURE;
        }
    };
    match Simulator::start(options).await {
        Ok(simulator) => {
            println!("Simulated Notion: {0}\nControl page:     {0}/control", simulator.base_url());
            std::future::pending::<()>().await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: cannot start on 127.0.0.1:{port}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(arguments: &Arguments) -> Result<Options, SeedError> {
    let mut options = match &arguments.seed_file {
        Some(file) => Options::from_seed_file(file)?,
        None => Options::default(),
    };
    if options.connections.is_empty() {
        options.connections.push(Connection {
            name: arguments.name.clone(),
            redirect_uris: arguments.redirect_uri.clone(),
            template: arguments.template.clone(),
            ..Connection::new(&arguments.client_id, &secret(&arguments.client_secret_env), "")
        });
    }
    options.port = arguments.port;
    options.state_file.clone_from(&arguments.data);
    options.random_seed = arguments.random_seed.or(options.random_seed);
    Ok(options)
}

#[expect(clippy::disallowed_methods, reason = "this program has one variable and no configuration")]
fn secret(variable: &str) -> String {
    let value = std::env::var(variable).unwrap_or_default();
    let value = value.trim();
    if value.is_empty() { DEMO_SECRET.to_owned() } else { value.to_owned() }
}
