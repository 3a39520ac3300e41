//! Unchanged rows of a table, from a scan with the deployer's own permissions, or from the lines of an exported file.
//! Tokens stay sealed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::types::AttributeValue;
use vault::dynamodb_json::from_line;

use crate::aws::{Aws, in_words};
use crate::outcome::Failure;

/// How many lines of a file make a page.
const LINES_PER_PAGE: usize = 100;

/// A row, by attribute name.
pub(crate) type Row = HashMap<String, AttributeValue>;

/// Where the rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file written by `export`.
    File(PathBuf),
    /// A table, such as a restored one.
    Table(String),
}

/// The rows of a source, page by page.
pub(crate) enum Rows<'a> {
    File { lines: Lines<BufReader<File>>, read: usize },
    Table { aws: &'a Aws, name: &'a str, next: Option<Row>, is_over: bool },
}

impl<'a> Rows<'a> {
    pub(crate) fn of(aws: &'a Aws, source: &'a Source) -> Result<Self, Failure> {
        match source {
            Source::File(path) => {
                let file = File::open(path).map_err(|error| unread(path, &error))?;
                Ok(Self::File { lines: BufReader::new(file).lines(), read: 0 })
            }
            Source::Table(name) => Ok(Self::of_table(aws, name)),
        }
    }

    pub(crate) fn of_table(aws: &'a Aws, name: &'a str) -> Self {
        Self::Table { aws, name, next: None, is_over: false }
    }

    /// The next page. What is not a row is an error with the reason. An empty page is the last one.
    pub(crate) async fn page(&mut self) -> Result<Vec<Result<Row, String>>, Failure> {
        match self {
            Self::File { lines, read } => {
                let mut page = Vec::new();
                for line in lines.by_ref().take(LINES_PER_PAGE) {
                    *read += 1;
                    let line = line.map_err(|error| Failure::Unknown(format!("line {read}: {error}")))?;
                    page.push(
                        from_line(&line).ok_or_else(|| format!("line {read} is not a row of an export")),
                    );
                }
                Ok(page)
            }
            Self::Table { aws, name, next, is_over } => {
                // A page may be empty without being the last.
                while !*is_over {
                    let scan = aws.dynamodb.scan().table_name(*name).consistent_read(true);
                    let answer = scan.set_exclusive_start_key(next.take()).send().await;
                    let answer =
                        answer.map_err(|error| Failure::Unknown(format!("{name}: {}", in_words(&error))))?;
                    *next = answer.last_evaluated_key().filter(|key| !key.is_empty()).cloned();
                    *is_over = next.is_none();
                    if !answer.items().is_empty() {
                        return Ok(answer.items().iter().cloned().map(Ok).collect());
                    }
                }
                Ok(Vec::new())
            }
        }
    }
}

fn unread(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Refused(format!("{} cannot be read: {error}", path.display()))
}
