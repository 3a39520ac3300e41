//! Instructions, as callgrind counts them.
//!
//! Valgrind's processor has no SHA and no AES instructions: hashing counts in software here, which real processors do in
//! hardware. That is the same in every run.

use std::path::Path;

use tokio::process::Command;

use crate::Error;

/// A command that runs `binary` under callgrind, which writes to `output` when the process ends.
pub(crate) fn command(binary: &Path, output: &Path) -> Command {
    let mut command = Command::new("valgrind");
    let out_file = format!("--callgrind-out-file={}", output.display());
    command.args(["--tool=callgrind", "--quiet", &out_file]).arg(binary);
    command
}

/// The instructions in callgrind's output.
pub(crate) fn instructions(output: &Path) -> Result<u64, Error> {
    let text = std::fs::read_to_string(output)?;
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(totals.ok_or("callgrind wrote no totals")?.trim().parse()?)
}
