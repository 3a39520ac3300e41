//! Makes the pages' texts: a function for each message in `locales`. A mistake there fails the build.

use std::path::Path;
use std::{env, fs};

use typed_fluent::{Source, generate};

/// The language that the others are compared with.
const REFERENCE: &str = "en";

#[expect(clippy::disallowed_methods, reason = "how a build script and Cargo talk")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=locales");
    let mut files = Vec::new();
    for entry in fs::read_dir("locales")? {
        let name = entry?.file_name().into_string().map_err(|_| "a file in locales has an odd name")?;
        let language =
            name.strip_suffix(".ftl").ok_or_else(|| format!("locales/{name} is not a Fluent file"))?;
        let path = format!("shared/locales/{name}");
        files.push((
            language != REFERENCE,
            language.to_owned(),
            path,
            fs::read_to_string(format!("locales/{name}"))?,
        ));
    }
    files.sort();
    let sources: Vec<Source<'_>> =
        files.iter().map(|(_, language, path, text)| Source { language, path, text }).collect();
    let (reference, translations) = sources.split_first().ok_or("there is nothing in locales")?;
    match generate(*reference, translations) {
        Ok(code) => fs::write(Path::new(&env::var("OUT_DIR")?).join("texts.rs"), code)?,
        Err(mistakes) => mistakes.iter().for_each(|mistake| println!("cargo::error={mistake}")),
    }
    Ok(())
}
