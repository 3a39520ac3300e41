//! Imports rows of a backup into the stack's tables: installations, and the ledgers of their onboardings.

use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use vault::store::{Imported, Store, is_forgotten_marker};

use crate::aws::Aws;
use crate::keys::{self, Stored};
use crate::ledgers;
use crate::outcome::{Failure, Outcome, plain};
use crate::rows::{Row, Rows, Source};
use crate::stack::Stack;
use crate::tables::{soon, store};

/// What kind of row is written when. Forgotten people come first: their rows block other rows of the same backup, which
/// was not made at one moment. Ledgers come last, because each belongs to an installation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Forgotten,
    Installations,
    Ledgers,
}

/// Where to write.
struct Target<'a> {
    aws: &'a Aws,
    stack: &'a Stack,
    store: Store,
    ring: Stored,
    overwrite: bool,
}

/// How many rows were written, and why others were not.
#[derive(Default)]
struct Counts {
    written: u64,
    kept_newer: u64,
    forgotten: u64,
    unreadable: Vec<String>,
    ledgers: LedgerCounts,
}

/// The same of ledgers.
#[derive(Default)]
struct LedgerCounts {
    written: u64,
    kept: u64,
    of_nobody: u64,
}

/// Writes the rows of a backup into the stack's tables. No installation is vended before Notion has confirmed it.
///
/// # Errors
///
/// [`Failure`]; it is safe to repeat.
pub async fn import(aws: &Aws, stack: &Stack, source: &Source, overwrite: bool) -> Result<Outcome, Failure> {
    let (store, ring) = (store(aws, stack)?, keys::read(aws, stack).await?);
    let target = Target { aws, stack, store, ring, overwrite };
    let (mut counts, mut has_ledgers) = (Counts::default(), false);
    for turn in [Turn::Forgotten, Turn::Installations, Turn::Ledgers] {
        if turn == Turn::Ledgers && !has_ledgers {
            break;
        }
        let mut rows = Rows::of(aws, source)?;
        loop {
            let page = rows.page().await?;
            if page.is_empty() {
                break;
            }
            for row in page {
                match row {
                    // The pace is that of another stack, or of another time.
                    Ok(row) if ledgers::is_pace(&row) => {}
                    Ok(row) if Turn::of(&row) != turn => has_ledgers |= Turn::of(&row) == Turn::Ledgers,
                    Ok(row) if turn == Turn::Ledgers => {
                        Box::pin(target.write_ledger(row, &mut counts)).await?;
                    }
                    Ok(row) => Box::pin(target.write(row, &mut counts)).await?,
                    Err(reason) if turn == Turn::Installations => counts.unreadable.push(reason),
                    Err(_counted_once) => {}
                }
            }
        }
    }
    Ok(counts.outcome(aws))
}

impl Turn {
    fn of(row: &Row) -> Self {
        match ledgers::key_of(row) {
            Some(_) => Self::Ledgers,
            None if is_forgotten_marker(key_of(row)) => Self::Forgotten,
            None => Self::Installations,
        }
    }
}

impl Target<'_> {
    async fn write(&self, row: Row, counts: &mut Counts) -> Result<(), Failure> {
        let id = key_of(&row).to_owned();
        let now = SystemClock.now_millis();
        match self.store.import(row, &self.ring.ring, self.overwrite, now, soon()).await {
            Ok(Imported::Written) => counts.written += 1,
            Ok(Imported::KeptNewer) => counts.kept_newer += 1,
            Ok(Imported::Forgotten) => counts.forgotten += 1,
            Ok(Imported::Unreadable(reason)) => counts.unreadable.push(format!("{}: {reason}", plain(&id))),
            Err(error) => return Err(counts.cut_off(&error.to_string())),
        }
        Ok(())
    }

    async fn write_ledger(&self, row: Row, counts: &mut Counts) -> Result<(), Failure> {
        let id = ledgers::key_of(&row).unwrap_or_default().to_owned();
        let now = SystemClock.now_millis();
        match ledgers::import(self.aws, self.stack, &self.ring.ring, row, now).await {
            Ok(ledgers::Imported::Written) => counts.ledgers.written += 1,
            Ok(ledgers::Imported::Kept) => counts.ledgers.kept += 1,
            Ok(ledgers::Imported::OfNobody) => counts.ledgers.of_nobody += 1,
            Ok(ledgers::Imported::Unreadable(reason)) => {
                counts.unreadable.push(format!("{}: {reason}", plain(&id)));
            }
            Err(Failure::Unknown(error)) => return Err(counts.cut_off(&error)),
            Err(failure) => return Err(failure),
        }
        Ok(())
    }
}

/// The key of an installation's row; empty if it is none of ours.
fn key_of(row: &Row) -> &str {
    row.get("installation_id").and_then(|id| id.as_s().ok()).map_or("", String::as_str)
}

impl Counts {
    fn cut_off(&self, error: &str) -> Failure {
        Failure::Unknown(format!(
            "{error}, after {} rows were written; it is safe to repeat the import",
            self.written + self.ledgers.written
        ))
    }

    fn outcome(self, aws: &Aws) -> Outcome {
        let Self { written, kept_newer, forgotten, unreadable, ledgers } = self;
        let mut lines = unreadable.clone();
        lines.push(format!(
            "{written} rows written, {kept_newer} not written because the existing row is newer, {forgotten} skipped \
             because the person was forgotten, {} unreadable",
            unreadable.len()
        ));
        let LedgerCounts { written: made, kept, of_nobody } = ledgers;
        if made + kept + of_nobody > 0 {
            lines.push(format!(
                "{made} ledgers of onboardings written, {kept} not written because there is one, {of_nobody} skipped \
                 because the installation is not there or the person was forgotten"
            ));
        }
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
            "ledgers": {"written": made, "kept": kept, "of_nobody": of_nobody},
        });
        Outcome::unless(!unreadable.is_empty(), lines.join("\n"), json)
    }
}
