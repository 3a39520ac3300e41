//! The binaries that are measured: the release build, with its symbols kept (profile `measured`).

use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use shared::config::environment;

use crate::Error;
use crate::cases::CASES;

/// What a zip archive of one file adds to its compressed bytes: two headers and the end of the directory.
const ZIP_HEADERS_BYTES: u64 = 30 + 46 + 22 + 2 * "bootstrap".len() as u64;

/// Where they are.
pub(crate) struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// Builds them.
    pub(crate) fn build() -> Result<Self, Error> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--profile", "measured"]).current_dir(&root);
        cargo.args(CASES.iter().flat_map(|case| ["--package", case.function]));
        succeeded(&mut cargo)?;
        let target = environment("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        Ok(Self { folder: target.join("measured") })
    }

    pub(crate) fn path(&self, function: &str) -> PathBuf {
        self.folder.join(function)
    }

    /// The size of the function's package: stripped, as the release profile strips it, and zipped.
    pub(crate) fn zipped_bytes(&self, function: &str) -> Result<u64, Error> {
        let stripped = self.folder.join(format!("{function}.stripped"));
        succeeded(Command::new("strip").arg("-o").args([&stripped, &self.path(function)]))?;
        let mut zipped = DeflateEncoder::new(Vec::new(), Compression::best());
        std::io::copy(&mut std::fs::File::open(stripped)?, &mut zipped)?;
        Ok(u64::try_from(zipped.finish()?.len())? + ZIP_HEADERS_BYTES)
    }
}

fn succeeded(command: &mut Command) -> Result<(), Error> {
    if command.status()?.success() { Ok(()) } else { Err(format!("{command:?} failed").into()) }
}
