//! The result of a command, for people and for programs.

use serde_json::{Value, json};
use vault::store::StoreError;

use crate::stack::NoResource;

/// The command was carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// For people.
    pub said: String,
    /// For programs: an object.
    pub json: Value,
    /// Whether something has to be done now.
    pub needs_you: bool,
}

/// The command was not carried out, or not completely.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Something else has to be done first.
    #[error("{0}")]
    Refused(String),
    /// The command line is wrong.
    #[error("{0}")]
    Misused(String),
    /// AWS or the machine failed.
    #[error("{0}")]
    Unknown(String),
}

impl Outcome {
    /// All is well.
    #[must_use]
    pub fn well(said: impl Into<String>, json: Value) -> Self {
        Self { said: said.into(), json, needs_you: false }
    }

    /// All is well unless `needs_you`.
    #[must_use]
    pub fn unless(needs_you: bool, said: impl Into<String>, json: Value) -> Self {
        Self { said: said.into(), json, needs_you }
    }

    /// 0 if all is well, 1 if something has to be done.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.needs_you.into()
    }

    /// Adds the field that says that the command was carried out.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut json = self.json.clone();
        if let Value::Object(fields) = &mut json {
            fields.insert("done".to_owned(), json!(true));
        }
        json
    }
}

impl Failure {
    /// 1 if something has to be done, 2 if the command line is wrong, 3 if AWS failed.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) => 1,
            Self::Misused(_) => 2,
            Self::Unknown(_) => 3,
        }
    }
}

impl From<NoResource> for Failure {
    fn from(error: NoResource) -> Self {
        Self::Refused(format!("{error}; deploy the current template"))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Unknown(error.to_string())
    }
}

/// Makes a foreign text safe for a terminal: it cannot move the cursor or colour the screen.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_drive_the_terminal() {
        assert_eq!(plain("Acme \u{1b}[31m\r\n\u{9b}2J é"), "Acme \u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}2J é");
    }

    #[test]
    fn each_end_has_its_exit_code() {
        let codes = [
            Outcome::well("", json!({})).exit_code(),
            Outcome::unless(true, "", json!({})).exit_code(),
            Failure::Refused(String::new()).exit_code(),
            Failure::Misused(String::new()).exit_code(),
            Failure::Unknown(String::new()).exit_code(),
        ];
        assert_eq!(codes, [0, 1, 1, 2, 3]);
        assert_eq!(Outcome::well("", json!({"rows": 1})).to_json(), json!({"done": true, "rows": 1}));
    }
}
