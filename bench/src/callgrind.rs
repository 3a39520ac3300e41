//! Instructions, as callgrind counts them.
//!
//! Valgrind's processor has no SHA instructions, so SHA-256 runs in software under callgrind. Real processors have
//! them, so those instructions are counted apart.

use std::collections::HashSet;
use std::path::Path;

use tokio::process::Command;

use crate::Error;

/// SHA-256 in software: the compression of one block.
const SHA_256: &str = "sha2::sha256::compress256";

/// What a process has executed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Instructions {
    /// Without SHA-256.
    pub(crate) counted: u64,
    /// SHA-256 in software.
    pub(crate) sha_256: u64,
}

/// A command that runs `binary` under callgrind, which writes to `output` when the process ends.
pub(crate) fn command(binary: &Path, output: &Path) -> Command {
    let mut command = Command::new("valgrind");
    let out_file = format!("--callgrind-out-file={}", output.display());
    command.args(["--tool=callgrind", "--quiet", &out_file]).arg(binary);
    command
}

/// The instructions in callgrind's output.
pub(crate) fn instructions(output: &Path) -> Result<Instructions, Error> {
    read(&std::fs::read_to_string(output)?)
}

/// Reads callgrind's format. The lines after `fn=` are those of that function, each with its cost at the end. `cfn=`
/// names a callee, whose cost is on the line after `calls=`. A name is written once, and later only its number.
fn read(text: &str) -> Result<Instructions, Error> {
    let (mut sha_256_numbers, mut in_sha_256, mut is_of_callee) = (HashSet::new(), false, false);
    let (mut total, mut sha_256) = (0, 0);
    for line in text.lines() {
        if let Some(function) = line.strip_prefix("fn=").or_else(|| line.strip_prefix("cfn=")) {
            let (number, name) = function.split_once(' ').unwrap_or((function, ""));
            if name == SHA_256 {
                sha_256_numbers.insert(number);
            }
            if line.starts_with("fn=") {
                in_sha_256 = sha_256_numbers.contains(number);
            }
        } else if line.starts_with("calls=") {
            is_of_callee = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            let cost: u64 = line.split(' ').nth(1).and_then(|cost| cost.parse().ok()).unwrap_or(0);
            if !std::mem::take(&mut is_of_callee) {
                total += cost;
                sha_256 += if in_sha_256 { cost } else { 0 };
            }
        }
    }
    let written =
        text.lines().find_map(|line| line.strip_prefix("totals: ")).and_then(|total| total.parse().ok());
    if written != Some(total) {
        return Err(
            format!("callgrind's output was not understood: {total} of {written:?} instructions").into()
        );
    }
    Ok(Instructions { counted: total - sha_256, sha_256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha_256_is_counted_apart_and_a_callee_once() {
        let text = "events: Ir\nfn=(1) main\n1 10\ncfn=(2) sha2::sha256::compress256\ncalls=1 5\n+1 7\n* 3\n\nfn=(2)\n5 7\n\
                    totals: 20\n";
        assert_eq!(read(text).unwrap(), Instructions { counted: 13, sha_256: 7 });
        assert!(read(&text.replace("totals: 20", "totals: 21")).is_err());
    }
}
