//! What each function costs, beside what it may cost.
//!
//! Runs the release binaries behind a Runtime API stand-in, with the dev stack's stand-ins for AWS and Notion over
//! plain HTTP: under callgrind for instructions, without it for connections, requests and memory. It counts and does
//! not measure times, so the results are the same on every machine. See CONTRIBUTING.md.

mod bars;
mod binaries;
mod callgrind;
mod cases;
mod costs;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::bars::Bars;
use crate::binaries::Binaries;
use crate::cases::CASES;
use crate::costs::Costs;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Measures what each function costs, and fails where that is more than 5 % over `bench/bars.json`.
#[derive(Parser)]
struct Cli {
    /// Only this case: see the first column of the table.
    #[arg(long, value_name = "CASE")]
    only: Option<String>,
    /// Keep callgrind's output in this folder, for `callgrind_annotate`.
    #[arg(long, value_name = "FOLDER")]
    profile: Option<PathBuf>,
    /// Take what was measured as the new bars.
    #[arg(long)]
    write: bool,
}

#[tokio::main]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
async fn main() -> ExitCode {
    match Box::pin(run(Cli::parse())).await {
        Ok(over) if over.is_empty() => ExitCode::SUCCESS,
        Ok(over) => {
            println!("\nMore than 5 % over the bar in bench/bars.json:\n{}", over.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns what is over its bar.
#[expect(clippy::print_stdout, reason = "a command's output")]
async fn run(cli: Cli) -> Result<Vec<String>, Error> {
    let binaries = Binaries::build()?;
    let mut bars = Bars::read()?;
    let mut over = Vec::new();
    println!("{}", Costs::header());
    for case in CASES.iter().filter(|case| cli.only.as_ref().is_none_or(|only| only == case.name)) {
        let costs = Box::pin(costs::measure(case, &binaries, cli.profile.as_deref())).await?;
        if cli.write {
            bars.set(case.name, costs);
        }
        println!("{}", costs.row(case.name, bars.of(case.name)));
        over.extend(bars.exceeded(case.name, &costs));
    }
    if cli.write {
        bars.write()?;
    }
    Ok(over)
}
