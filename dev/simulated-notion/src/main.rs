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
    /// Client id of the connection
    #[arg(long, default_value = "463558a3-725e-4f37-b6d3-0889894f68de")]
    client_id: String,
    /// Environment variable with the client secret; if unset or empty, the demo secret of the README
    #[arg(long, value_name = "VAR", default_value = "NOTION_CLIENT_SECRET")]
    client_secret_env: String,
    /// Registered redirect URI; may be given more than once
    #[arg(long, value_name = "URI", default_value = "http://localhost:3000/callback")]
    redirect_uri: Vec<String>,
    /// Name of the connection on the consent page
    #[arg(long, default_value = "Demo connection")]
    name: String,
    /// Offer a template with this title
    #[arg(long, value_name = "TITLE")]
    template: Option<String>,
    /// Keep connections, grants, tokens and content in this file, in the clear
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Draw ids and tokens from this seed instead of the operating system
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main(flavor = "current_thread")]
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program writes to the terminal"
)]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (address, port) = (arguments.address, arguments.port);
    match start(arguments).await {
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
            eprintln!("error: cannot start on {}: {error}", SocketAddr::new(address, port));
            ExitCode::FAILURE
        }
    }
}

async fn start(arguments: Arguments) -> std::io::Result<(Simulator, impl Future<Output = ()>)> {
    let simulator = Simulator::start(options(arguments)?).await?;
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
/// Fails if the certificate or its key cannot be read.
fn options(arguments: Arguments) -> std::io::Result<Options> {
    #[cfg(feature = "tls")]
    let tls = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => {
            Some(simulated_notion::TlsIdentity::from_pem(&read(certificate)?, &read(key)?)?)
        }
        _ => None,
    };
    let secret = secret(&arguments.client_secret_env);
    let connection = Connection {
        name: arguments.name,
        redirect_uris: arguments.redirect_uri,
        template: arguments.template,
        ..Connection::new(&arguments.client_id, &secret, "")
    };
    Ok(Options {
        address: arguments.address,
        port: arguments.port,
        base_url: arguments.base_url,
        #[cfg(feature = "tls")]
        tls,
        seed: arguments.seed,
        state_file: arguments.data,
        connections: vec![connection],
        ..Options::default()
    })
}

/// A file, or an error that names it.
#[cfg(feature = "tls")]
fn read(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    let named =
        |error: std::io::Error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    std::fs::read(path).map_err(named)
}

#[expect(clippy::disallowed_methods, reason = "this program has one variable and no configuration")]
fn secret(variable: &str) -> String {
    let value = std::env::var(variable).unwrap_or_default();
    let value = value.trim();
    if value.is_empty() { DEMO_SECRET.to_owned() } else { value.to_owned() }
}
