//! The costs of one case, measured.

use std::path::{Path, PathBuf};

use dev::runtime_api::Function;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::config::environment;
use tokio::process::Command;

use crate::Error;
use crate::binaries::Binaries;
use crate::callgrind::{self, Instructions};
use crate::cases::Case;
use crate::world::World;

/// How many warm calls the instructions of one are the average of.
const WARM_CALLS: u64 = 10;
/// After how many warm calls memory is looked at first.
const SETTLED_CALLS: usize = 100;

/// What a function costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Costs {
    /// From the start of the process to its first question for an event. All instructions are without SHA-256.
    pub(crate) init_instructions: u64,
    /// The first call.
    pub(crate) first_instructions: u64,
    /// A later call, on average.
    pub(crate) warm_instructions: u64,
    /// SHA-256 in a later call, in software.
    pub(crate) warm_sha_256_instructions: u64,
    /// Connections that INIT opens.
    pub(crate) init_connections: u64,
    /// Connections that the calls open.
    pub(crate) call_connections: u64,
    /// Requests that INIT sends.
    pub(crate) init_requests: usize,
    /// Requests of one warm call.
    pub(crate) warm_requests: usize,
    /// The package.
    pub(crate) zipped_bytes: u64,
    /// The most memory that the process held (`VmHWM`), after many calls.
    pub(crate) resident_kib: u64,
    /// How much more that is than after the first hundred calls.
    pub(crate) growth_kib: u64,
}

impl Costs {
    pub(crate) fn header() -> String {
        "| case | instructions: INIT | first | warm | SHA-256 | connections: INIT, calls | requests: INIT, warm | zip MiB | \
         resident MiB | growth KiB |\n|---|---|---|---|---|---|---|---|---|---|"
            .to_owned()
    }

    /// A row of the table; each measure with its bar, where there is one.
    pub(crate) fn row(&self, name: &str, bar: Option<&Self>) -> String {
        let cell = |show: &dyn Fn(&Self) -> String| match bar {
            Some(bar) => format!("{} ({})", show(self), show(bar)),
            None => show(self),
        };
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let millions = |value: u64| format!("{:.3} M", value as f64 / 1e6);
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let mib = |bytes: u64| format!("{:.2}", bytes as f64 / 1_048_576.0);
        let cells = [
            name.to_owned(),
            cell(&|costs| millions(costs.init_instructions)),
            cell(&|costs| millions(costs.first_instructions)),
            cell(&|costs| millions(costs.warm_instructions)),
            millions(self.warm_sha_256_instructions),
            cell(&|costs| format!("{}, {}", costs.init_connections, costs.call_connections)),
            cell(&|costs| format!("{}, {}", costs.init_requests, costs.warm_requests)),
            cell(&|costs| mib(costs.zipped_bytes)),
            cell(&|costs| mib(costs.resident_kib * 1024)),
            cell(&|costs| costs.growth_kib.to_string()),
        ];
        format!("| {} |", cells.join(" | "))
    }
}

/// Measures `case`.
pub(crate) async fn measure(
    case: &Case,
    binaries: &Binaries,
    profile: Option<&Path>,
) -> Result<Costs, Error> {
    let init = instructions_of(case, binaries, profile, 0).await?;
    let one = instructions_of(case, binaries, profile, 1).await?;
    let many = instructions_of(case, binaries, profile, 1 + WARM_CALLS).await?;
    let counted = Costs {
        init_instructions: init.counted,
        first_instructions: one.counted.saturating_sub(init.counted),
        warm_instructions: many.counted.saturating_sub(one.counted) / WARM_CALLS,
        warm_sha_256_instructions: many.sha_256.saturating_sub(one.sha_256) / WARM_CALLS,
        zipped_bytes: binaries.zipped_bytes(case.function)?,
        ..Costs::default()
    };
    Box::pin(native(case, binaries, counted)).await
}

/// How many instructions the process needs for INIT and `calls` calls.
async fn instructions_of(
    case: &Case,
    binaries: &Binaries,
    profile: Option<&Path>,
    calls: u64,
) -> Result<Instructions, Error> {
    let temporary = std::env::temp_dir();
    let name = format!("callgrind-{}-{calls}-{}.out", case.name, std::process::id());
    let output = profile.unwrap_or(&temporary).join(name);
    let calls = usize::try_from(calls)?;
    let world = World::start(calls).await?;
    case.event.prepare(&world, calls).await?;
    let command = callgrind::command(&binaries.path(case.function), &output);
    let mut function = start(case, command, &world).await?;
    for number in 0..calls {
        call(case, &function, &world, number).await?;
    }
    function.done_with(calls as u64).await?;
    terminate(&mut function).await?;
    let counted = callgrind::instructions(&output);
    if profile.is_none() {
        std::fs::remove_file(&output)?;
    }
    counted
}

/// Connections, requests and memory, without callgrind.
async fn native(case: &Case, binaries: &Binaries, counted: Costs) -> Result<Costs, Error> {
    let calls = case.many;
    let world = World::start(calls).await?;
    case.event.prepare(&world, calls).await?;
    let before = world.traffic();
    let mut function = start(case, Command::new(binaries.path(case.function)), &world).await?;
    function.done_with(0).await?;
    let init = world.traffic();
    call(case, &function, &world, 0).await?;
    // To make an event, another function may have to run.
    let event = case.event.of(&world, 1).await?;
    let first = world.traffic();
    invoke(case, &function, event).await?;
    let second = world.traffic();
    let mut settled_kib = 0;
    for number in 2..calls {
        call(case, &function, &world, number).await?;
        if number == SETTLED_CALLS {
            settled_kib = resident_kib(&function)?;
        }
    }
    let all = world.traffic();
    let resident_kib = resident_kib(&function)?;
    terminate(&mut function).await?;
    Ok(Costs {
        init_connections: init.connections - before.connections,
        init_requests: init.requests - before.requests,
        call_connections: all.connections - init.connections,
        warm_requests: second.requests - first.requests,
        resident_kib,
        growth_kib: resident_kib - settled_kib,
        ..counted
    })
}

async fn start(case: &Case, command: Command, world: &World) -> Result<Function, Error> {
    let mut variables = world.stack.variables().clone();
    // As the template sets it: without a recipe, only those that forget people know the table of ledgers.
    if !["onboard", "uninstall", "sweep"].contains(&case.function) {
        variables.remove("ONBOARDING_TABLE");
    }
    // Valgrind is looked for on the path.
    variables.extend(environment("PATH").map(|path| ("PATH".to_owned(), path)));
    Ok(Function::start(command, case.function, &variables).await?)
}

/// Invokes the function once, for the call with this number.
async fn call(case: &Case, function: &Function, world: &World, number: usize) -> Result<(), Error> {
    invoke(case, function, case.event.of(world, number).await?).await
}

async fn invoke(case: &Case, function: &Function, event: Value) -> Result<(), Error> {
    let answer = function.answer(event).await?;
    if case.event.is_answered_by(&answer) {
        return Ok(());
    }
    // The status, and not the answer: that may hold a token.
    Err(format!(
        "{}: an event was not answered as it should be: {} {}",
        case.name, answer["statusCode"], answer["error"]
    )
    .into())
}

/// Ends the process, so that callgrind writes what it has counted.
async fn terminate(function: &mut Function) -> Result<(), Error> {
    let process_id = function.process_id().ok_or("the function has ended")?.to_string();
    Command::new("kill").args(["-TERM", &process_id]).status().await?;
    function.ended().await?;
    Ok(())
}

/// The most memory that the process has held so far.
fn resident_kib(function: &Function) -> Result<u64, Error> {
    let process_id = function.process_id().ok_or("the function has ended")?;
    let status = std::fs::read_to_string(PathBuf::from(format!("/proc/{process_id}/status")))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.ok_or("the system does not say how much memory a process has held")?.parse()?)
}
