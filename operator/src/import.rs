//! Imports rows of a backup into the stack's table.

use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use vault::store::{Imported, Store, is_forgotten_marker};

use crate::aws::Aws;
use crate::keys::{self, Stored};
use crate::outcome::{Failure, Outcome, plain};
use crate::rows::{Row, Rows, Source};
use crate::stack::Stack;
use crate::tables::{soon, store};

/// How many rows were written, and why others were not.
#[derive(Default)]
struct Counts {
    written: u64,
    kept_newer: u64,
    forgotten: u64,
    unreadable: Vec<String>,
}

/// Writes the rows of a backup into the stack's table. None of them is vended before Notion has confirmed it.
///
/// # Errors
///
/// [`Failure`]; it is safe to repeat.
pub async fn import(aws: &Aws, stack: &Stack, source: &Source, overwrite: bool) -> Result<Outcome, Failure> {
    let (store, ring) = (store(aws, stack)?, keys::read(aws, stack).await?);
    let mut counts = Counts::default();
    // Forgotten people first: their rows block other rows of the same backup, which was not made at one moment.
    for forgotten in [true, false] {
        let mut rows = Rows::of(aws, source)?;
        loop {
            let page = rows.page().await?;
            if page.is_empty() {
                break;
            }
            for row in page {
                match row {
                    Ok(row) if is_forgotten_marker(key_of(&row)) != forgotten => {}
                    Ok(row) => Box::pin(write(&store, &ring, row, overwrite, &mut counts)).await?,
                    Err(reason) if !forgotten => counts.unreadable.push(reason),
                    Err(_counted_later) => {}
                }
            }
        }
    }
    Ok(counts.outcome(aws))
}

async fn write(
    store: &Store,
    ring: &Stored,
    row: Row,
    overwrite: bool,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let id = key_of(&row).to_owned();
    let imported = store.import(row, &ring.ring, overwrite, SystemClock.now_millis(), soon()).await;
    match imported {
        Ok(Imported::Written) => counts.written += 1,
        Ok(Imported::KeptNewer) => counts.kept_newer += 1,
        Ok(Imported::Forgotten) => counts.forgotten += 1,
        Ok(Imported::Unreadable(reason)) => counts.unreadable.push(format!("{}: {reason}", plain(&id))),
        Err(error) => {
            return Err(Failure::Unknown(format!(
                "{error}, after {} rows were written; it is safe to repeat the import",
                counts.written
            )));
        }
    }
    Ok(())
}

/// A row's key; empty if it is not one of ours.
fn key_of(row: &Row) -> &str {
    row.get("installation_id").and_then(|id| id.as_s().ok()).map_or("", String::as_str)
}

impl Counts {
    fn outcome(self, aws: &Aws) -> Outcome {
        let Self { written, kept_newer, forgotten, unreadable } = self;
        let mut lines = unreadable.clone();
        lines.push(format!(
            "{written} rows written, {kept_newer} not written because the existing row is newer, {forgotten} skipped \
             because the person was forgotten, {} unreadable",
            unreadable.len()
        ));
        if written > 0 {
            lines.push(format!(
                "The rows are unverified: the sweep or the next vend asks Notion about them. Next: {}",
                aws.commands.operator("sweep")
            ));
        }
        let json = json!({
            "written": written,
            "kept_newer": kept_newer,
            "forgotten": forgotten,
            "unreadable": unreadable,
        });
        Outcome::unless(!unreadable.is_empty(), lines.join("\n"), json)
    }
}
