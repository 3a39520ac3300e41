//! Runs a simulated Notion until it is interrupted.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use simulated_notion::{Connection, Options, Simulator};

/// Used when no secret is given. Not a secret: it is printed here and in the README.
const DEMO_SECRET: &str = "secret_demo_not_for_production";

/// A simulated Notion, on 127.0.0.1 unless told otherwise.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Port; 0 means any free one
    #[arg(long, default_value_t = 3001)]
    port: u16,
    /// Address to listen on, as 0.0.0.0 in a container. Whoever reaches it controls it, without a password
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
    /// How apps and browsers reach it, if not by that address and port
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Serve HTTPS with the certificate in this PEM file
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of that certificate, PEM
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
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
    let socket = SocketAddr::new(arguments.address, arguments.port);
    let started = match options(&arguments) {
        Ok(options) => start(options).await.map_err(|error| format!("cannot start on {socket}: {error}")),
        Err(problem) => Err(problem),
    };
    match started {
        Ok((simulator, ended)) => {
            println!(
                "Simulated Notion: {0}\nControl page:     {0}/control\nListening on:     {1}",
                simulator.base_url(),
                simulator.address()
            );
            ended.await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn start(options: Options) -> std::io::Result<(Simulator, impl Future<Output = ()>)> {
    let simulator = Simulator::start(options).await?;
    Ok((simulator, signals_to_end()?))
}

/// Ctrl-C or, on Unix, SIGTERM: process 1 of a container ends at neither unless it handles it. Whoever waits for this is
/// notified of signals since this call, not since the wait.
#[cfg(unix)]
fn signals_to_end() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn signals_to_end() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Fails where there is no console, and then nobody can press Ctrl-C.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// # Errors
///
/// Says which file cannot be used, and why.
fn options(arguments: &Arguments) -> Result<Options, String> {
    let mut options = match &arguments.seed_file {
        Some(file) => Options::from_seed_file(file)
            .map_err(|error| format!("cannot use the seed file {}: {error}", file.display()))?,
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
    options.address = arguments.address;
    options.port = arguments.port;
    options.base_url.clone_from(&arguments.base_url);
    options.state_file.clone_from(&arguments.data);
    options.random_seed = arguments.random_seed.or(options.random_seed);
    #[cfg(feature = "tls")]
    if let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) {
        let identity = simulated_notion::TlsIdentity::from_pem(&read(certificate)?, &read(key)?);
        let named = |error| format!("cannot use {} with {}: {error}", certificate.display(), key.display());
        options.tls = Some(identity.map_err(named)?);
    }
    Ok(options)
}

#[cfg(feature = "tls")]
fn read(path: &std::path::Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "this program has one variable and no configuration")]
fn secret(variable: &str) -> String {
    let value = std::env::var(variable).unwrap_or_default();
    let value = value.trim();
    if value.is_empty() { DEMO_SECRET.to_owned() } else { value.to_owned() }
}
