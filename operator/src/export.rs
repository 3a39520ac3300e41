//! Exports every row of a table to a file.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::Path;

use serde_json::json;

use crate::aws::Aws;
use crate::outcome::{Failure, Outcome};
use crate::rows::Rows;
use crate::stack::Stack;
use vault::dynamodb_json::to_line;

/// Writes the installations, or the rows of `table`, to `path`, one row per line in DynamoDB's JSON. Tokens stay
/// sealed, but the file contains people's names and addresses.
///
/// # Errors
///
/// [`Failure`]; an incomplete file is removed.
pub async fn export(aws: &Aws, stack: &Stack, path: &Path, table: Option<&str>) -> Result<Outcome, Failure> {
    let table = match table {
        Some(table) => table,
        None => stack.resource("InstallationsTable")?,
    };
    let file = private(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::Refused(format!(
            "{} exists, and an export never overwrites a file: name another one",
            path.display()
        )),
        _ => Failure::Refused(format!("{} cannot be written: {error}", path.display())),
    })?;
    match write(aws, table, file, path).await {
        Ok(rows) => {
            let said = format!(
                "{rows} rows of {table} are in {}. Their tokens are sealed; the names of people are not",
                path.display()
            );
            Ok(Outcome::well(said, json!({"rows": rows, "table": table, "file": path})))
        }
        Err(failure) => {
            // An incomplete export must not pass for a complete one.
            let _stays = std::fs::remove_file(path);
            Err(failure)
        }
    }
}

async fn write(aws: &Aws, table: &str, file: File, path: &Path) -> Result<u64, Failure> {
    let failed =
        |error: std::io::Error| Failure::Unknown(format!("{} could not be written: {error}", path.display()));
    let mut source = Rows::of_table(aws, table);
    let mut file = BufWriter::new(file);
    let mut rows = 0;
    loop {
        let page = source.page().await?;
        if page.is_empty() {
            break;
        }
        for row in page.into_iter().flatten() {
            let line = to_line(&row).ok_or_else(|| {
                Failure::Refused(format!(
                    "{table} has an attribute of a type that this release does not know"
                ))
            })?;
            writeln!(file, "{line}").map_err(failed)?;
            rows += 1;
        }
    }
    file.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)?;
    Ok(rows)
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
