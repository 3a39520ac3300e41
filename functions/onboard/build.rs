//! Reads and checks every recipe of the folder `recipes`, and compiles them into the function. A recipe that Notion would
//! refuse fails the build.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use recipe::Recipe;

fn main() -> ExitCode {
    match compile() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // What a build script writes to standard error is shown when it fails.
            std::io::Write::write_all(&mut std::io::stderr(), message.as_bytes()).ok();
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a build script's settings come from Cargo")]
fn compile() -> Result<(), String> {
    let variable =
        |name: &str| env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("{name} is not set"));
    let recipes = variable("CARGO_MANIFEST_DIR")?.join("../../recipes");
    let mut folders = Vec::new();
    for entry in fs::read_dir(&recipes).map_err(|error| format!("{}: {error}", recipes.display()))? {
        let folder = entry.map_err(|error| error.to_string())?.path();
        if folder.is_dir() {
            folders.push(folder);
        }
    }
    folders.sort();
    rerun_if_changed(&recipes);
    let mut compiled = Vec::new();
    for folder in folders {
        rerun_if_changed(&folder);
        for entry in fs::read_dir(&folder).map_err(|error| error.to_string())? {
            rerun_if_changed(&entry.map_err(|error| error.to_string())?.path());
        }
        compiled.push(Recipe::read(&folder).map_err(|problems| format!("{problems}\n"))?);
    }
    let json = serde_json::to_string(&compiled).map_err(|error| error.to_string())?;
    fs::write(variable("OUT_DIR")?.join("recipes.json"), json).map_err(|error| error.to_string())
}

fn rerun_if_changed(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}
