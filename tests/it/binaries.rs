//! The real binaries, built with the same profile as these tests.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use dev::runtime_api::Function;

/// Starts the function `name` with the Runtime API stand-in, at the most verbose log level.
pub(crate) async fn start(name: &str, variables: &HashMap<String, String>) -> Function {
    let mut variables = variables.clone();
    variables.insert("LOG_LEVEL".to_owned(), "TRACE".to_owned());
    Function::start(tokio::process::Command::new(binary(name)), name, &variables).await.unwrap()
}

/// The path of a binary. It is built here with the profile of these tests, because cargo does not build the binaries
/// of another package.
pub(crate) fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        // …/target/PROFILE/deps/it-HASH
        let tests = std::env::current_exe().unwrap();
        let folder = tests.ancestors().nth(2).unwrap().to_owned();
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--workspace", "--bins"])
            .env("CARGO_TARGET_DIR", folder.parent().unwrap());
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
        assert!(built.success(), "the functions' binaries could not be built");
        folder
    });
    folder.join(name)
}
