//! The columns of a board.

use super::cells::{Cell, cell};
use crate::content::node::{Node, Property};
use crate::notion::Notion;

/// A column, with the rows in it.
pub(super) struct Column<'a> {
    pub(super) name: String,
    pub(super) color: String,
    pub(super) rows: Vec<&'a Node>,
}

/// The rows by the values of a property. Options come in their order, also those without a row; rows without a value
/// come first, as in the app.
pub(super) fn columns<'a>(notion: &Notion, property: &Property, rows: &[&'a Node]) -> Vec<Column<'a>> {
    let mut columns =
        vec![Column { name: format!("No {}", property.name), color: "default".to_owned(), rows: Vec::new() }];
    let known: Vec<(String, String)> = match property.kind.as_str() {
        "checkbox" => ["☐", "☑"].map(|name| (name.to_owned(), "default".to_owned())).into(),
        _ => property
            .options()
            .iter()
            .map(|option| {
                let field = |name: &str| option[name].as_str().unwrap_or_default().to_owned();
                (field("name"), field("color"))
            })
            .collect(),
    };
    columns.extend(known.into_iter().map(|(name, color)| Column { name, color, rows: Vec::new() }));
    for row in rows {
        for name in names(&cell(notion, property, row)) {
            let at = match name {
                None => 0,
                Some(name) => columns.iter().skip(1).position(|column| column.name == name).map_or_else(
                    || {
                        columns.push(Column { name, color: "default".to_owned(), rows: Vec::new() });
                        columns.len() - 1
                    },
                    |at| at + 1,
                ),
            };
            columns[at].rows.push(row);
        }
    }
    if columns[0].rows.is_empty() {
        columns.remove(0);
    }
    columns
}

/// The columns of a row: several for a property with several values.
fn names(cell: &Cell) -> Vec<Option<String>> {
    if !cell.chips.is_empty() {
        return cell.chips.iter().map(|chip| Some(chip.name.clone())).collect();
    }
    let text: String = cell.spans.iter().map(|span| span.text.as_str()).collect();
    vec![(!text.is_empty()).then_some(text)]
}
