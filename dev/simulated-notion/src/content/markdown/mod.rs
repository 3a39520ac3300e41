//! Markdown to blocks and back. The subset of Notion's enhanced Markdown that recipes use: headings, paragraphs (each
//! line is one), lists, to-dos, quotes, code, dividers, tables, images, links, bold, italic, struck, inline code.

mod inline;
mod parse;
mod write;

pub(crate) use parse::{heading_as_title, parse};
pub(crate) use write::{Writable, write};

#[cfg(test)]
mod tests;
