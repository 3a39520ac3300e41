//! The binaries that are measured: as cargo builds them for release, or as `sam build` has.

use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::Error;

/// What a zip archive of one file adds to its compressed bytes: two headers and the end of the directory.
const ZIP_HEADERS_BYTES: u64 = 30 + 46 + 22 + 2 * "bootstrap".len() as u64;

/// Where they are.
pub(crate) struct Binaries {
    /// `target/release`: the floor is never part of what `sam build` builds.
    cargo: PathBuf,
    sam: Option<PathBuf>,
}

impl Binaries {
    /// Builds what is missing.
    pub(crate) fn find(sam: Option<&Path>) -> Result<Self, Error> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let packages: &[&str] = match sam {
            Some(_) => &["floor"],
            None => &["floor", "install", "callback", "token", "uninstall", "sweep"],
        };
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--release", "--locked"]).current_dir(&root);
        build.args(packages.iter().flat_map(|package| ["--package", package]));
        if !build.status()?.success() {
            return Err("the binaries could not be built".into());
        }
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        Ok(Self { cargo: target.join("release"), sam: sam.map(Path::to_owned) })
    }

    pub(crate) fn path(&self, function: &str) -> PathBuf {
        match &self.sam {
            Some(sam) if function != "floor" => {
                // `install` is InstallFunction in the template.
                let (first, rest) = function.split_at(1);
                sam.join(format!("{}{rest}Function", first.to_uppercase())).join("bootstrap")
            }
            _ => self.cargo.join(function),
        }
    }

    /// The size of the function's package.
    pub(crate) fn zipped_bytes(&self, function: &str) -> Result<u64, Error> {
        let mut zipped = DeflateEncoder::new(Vec::new(), Compression::best());
        std::io::copy(&mut std::fs::File::open(self.path(function))?, &mut zipped)?;
        Ok(u64::try_from(zipped.finish()?.len())? + ZIP_HEADERS_BYTES)
    }
}
