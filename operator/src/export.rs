//! Exports every row of a table to a file, and of the stack's own table its ledgers of onboardings too.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::Path;

use serde_json::json;

use crate::aws::Aws;
use crate::ledgers::is_pace;
use crate::outcome::{Failure, Outcome};
use crate::rows::Rows;
use crate::stack::Stack;
use vault::dynamodb_json::to_line;

/// Writes the installations and the ledgers of their onboardings, or the rows of `table`, to `path`, one row per line in
/// DynamoDB's JSON. Tokens stay sealed, but the file contains people's names and addresses.
///
/// # Errors
///
/// [`Failure`]; an incomplete file is removed.
pub async fn export(aws: &Aws, stack: &Stack, path: &Path, table: Option<&str>) -> Result<Outcome, Failure> {
    let (table, ledgers) = match table {
        Some(table) => (table, None),
        // A stack of before there were onboardings has no ledgers.
        None => (stack.resource("InstallationsTable")?, stack.resource("OnboardingTable").ok()),
    };
    let file = private(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::Refused(format!(
            "{} exists, and an export never overwrites a file: name another one",
            path.display()
        )),
        _ => Failure::Refused(format!("{} cannot be written: {error}", path.display())),
    })?;
    match write(aws, table, ledgers, file, path).await {
        Ok([rows, ledgers]) => {
            let and =
                if ledgers > 0 { format!(" and {ledgers} ledgers of onboardings") } else { String::new() };
            let said = format!(
                "{rows} rows of {table}{and} are in {}. Their tokens are sealed; the names of people are not",
                path.display()
            );
            let json = json!({"rows": rows, "ledgers": ledgers, "table": table, "file": path});
            Ok(Outcome::well(said, json))
        }
        Err(failure) => {
            // An incomplete export must not pass for a complete one.
            let _stays = std::fs::remove_file(path);
            Err(failure)
        }
    }
}

/// Writes the rows of `table`, then the ledgers: so none of them is older than its row. Returns how many there are.
async fn write(
    aws: &Aws,
    table: &str,
    ledgers: Option<&str>,
    file: File,
    path: &Path,
) -> Result<[u64; 2], Failure> {
    let failed =
        |error: std::io::Error| Failure::Unknown(format!("{} could not be written: {error}", path.display()));
    let mut file = BufWriter::new(file);
    let mut counts = [0, 0];
    for (count, table) in counts.iter_mut().zip([Some(table), ledgers]) {
        let Some(table) = table else { continue };
        let mut source = Rows::of_table(aws, table);
        loop {
            let page = source.page().await?;
            if page.is_empty() {
                break;
            }
            for row in page.into_iter().flatten().filter(|row| !is_pace(row)) {
                let line = to_line(&row).ok_or_else(|| {
                    Failure::Refused(format!(
                        "{table} has an attribute of a type that this release does not know"
                    ))
                })?;
                writeln!(file, "{line}").map_err(failed)?;
                *count += 1;
            }
        }
    }
    file.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)?;
    Ok(counts)
}

/// Creates a file that only its owner can read, from the first byte on.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn an_export_is_private_and_overwrites_nothing() {
        use std::os::unix::fs::PermissionsExt as _;
        let path = std::env::temp_dir().join(format!("operator-export-{}", std::process::id()));
        let file = private(&path).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(private(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        std::fs::remove_file(&path).unwrap();
    }
}
