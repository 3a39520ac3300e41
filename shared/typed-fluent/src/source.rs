//! A language's file, and where something is wrong in it.

/// The file of a language.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The language's tag, such as `en`.
    pub language: &'a str,
    /// The file's path, for error messages.
    pub path: &'a str,
    /// What is in the file.
    pub text: &'a str,
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{path}:{line}: {what}")]
pub struct Mistake {
    /// The file's path.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}
