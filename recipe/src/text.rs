//! Texts with placeholders: `{{person.name|there}}`, `{{tasks.url}}`. `\{{` is two braces.

use serde::{Deserialize, Serialize};

use crate::escape;
use crate::limits::{ADDRESS_CHARS, VALUE_CHARS, length};
use crate::values::{Values, short_url};

/// A text, in pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text(pub Vec<Piece>);

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// As it was written.
    Literal(String),
    /// A value.
    Value {
        /// Which one.
        of: Placeholder,
        /// What stands there if there is none.
        otherwise: Option<String>,
        /// How it is written.
        into: Into,
    },
}

/// Where a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Into {
    /// Plain text.
    Plain,
    /// Words in Markdown.
    Markdown,
    /// The address of a link, or of a tag.
    Address,
}

/// What a placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placeholder {
    /// `person.name`
    PersonName,
    /// `person.email`
    PersonEmail,
    /// `workspace.name`
    WorkspaceName,
    /// `app.name`
    AppName,
    /// `RESOURCE.id`
    Id(String),
    /// `RESOURCE.url`
    Url(String),
}

impl Placeholder {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "person.name" => Self::PersonName,
            "person.email" => Self::PersonEmail,
            "workspace.name" => Self::WorkspaceName,
            "app.name" => Self::AppName,
            other => match other.split_once('.')? {
                ("person" | "workspace" | "app", _) => return None,
                (resource, "id") => Self::Id(resource.to_owned()),
                (resource, "url") => Self::Url(resource.to_owned()),
                _ => return None,
            },
        })
    }

    /// Whether there may be no value: Notion does not always say.
    fn may_be_missing(&self) -> bool {
        matches!(self, Self::PersonName | Self::PersonEmail | Self::WorkspaceName)
    }

    /// The resource that it needs.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        match self {
            Self::Id(resource) | Self::Url(resource) => Some(resource),
            _ => None,
        }
    }

    fn value(&self, values: &Values) -> Option<String> {
        match self {
            Self::PersonName => values.person_name.clone(),
            Self::PersonEmail => values.person_email.clone(),
            Self::WorkspaceName => values.workspace_name.clone(),
            Self::AppName => Some(values.app_name.clone()),
            Self::Id(resource) => values.resources.get(resource).map(|resource| resource.id.clone()),
            Self::Url(resource) => values
                .resources
                .get(resource)
                .map(|resource| escape::address(&resource.url).unwrap_or_else(|| short_url(&resource.id))),
        }
    }
}

/// What is wrong with a text, and at which byte.
pub(crate) type TextError = (usize, String);

impl Text {
    /// A text without placeholders.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Self(vec![Piece::Literal(text.to_owned())])
    }

    /// Reads a text that is shown as it is.
    pub(crate) fn plain(source: &str) -> Result<Self, TextError> {
        Self::parse(source, |_before, of| match of {
            Placeholder::Url(_) => {
                Err("an address cannot stand in plain text: use it in a link, in Markdown".to_owned())
            }
            _ => Ok(Into::Plain),
        })
    }

    /// Reads an address.
    pub(crate) fn address(source: &str) -> Result<Self, TextError> {
        Self::parse(source, |before, of| match of {
            Placeholder::Url(_) if before.is_empty() => Ok(Into::Address),
            _ => Err("an address is `{{RESOURCE.url}}` alone, or has no placeholder".to_owned()),
        })
    }

    /// Reads Markdown.
    pub(crate) fn markdown(source: &str) -> Result<Self, TextError> {
        Self::parse(source, |before, of| {
            let is_address = before.ends_with("](") || before.ends_with("](<") || before.ends_with("url=\"");
            match (of, is_address) {
                (Placeholder::Url(_), true) => Ok(Into::Address),
                (Placeholder::Url(_), false) => {
                    Err("an address belongs into a link: `[words]({{RESOURCE.url}})`".to_owned())
                }
                (_, true) => Err("only `{{RESOURCE.url}}` can be an address".to_owned()),
                (_, false) => Ok(Into::Markdown),
            }
        })
    }

    fn parse(
        source: &str,
        into: impl Fn(&str, &Placeholder) -> Result<Into, String>,
    ) -> Result<Self, TextError> {
        let (mut pieces, mut literal, mut at) = (Vec::new(), String::new(), 0);
        while let Some(found) = source[at..].find("{{").map(|found| at + found) {
            if source[..found].ends_with('\\') {
                literal.push_str(&source[at..found - 1]);
                literal.push_str("{{");
                at = found + 2;
                continue;
            }
            literal.push_str(&source[at..found]);
            let inside = &source[found + 2..];
            let end = inside.find("}}").filter(|end| !inside[..*end].contains('\n'));
            let end = end.ok_or((found, "`{{` is not closed; write `\\{{` for two braces".to_owned()))?;
            let (name, otherwise) = match inside[..end].split_once('|') {
                Some((name, otherwise)) => (name.trim(), Some(otherwise.to_owned())),
                None => (inside[..end].trim(), None),
            };
            let of = Placeholder::parse(name).ok_or_else(|| {
                let known = "person.name, person.email, workspace.name, app.name, RESOURCE.id, RESOURCE.url";
                (found, format!("there is no placeholder `{name}`: there are {known}"))
            })?;
            if of.may_be_missing() && otherwise.is_none() {
                return Err((
                    found,
                    format!("Notion does not always say it: write `{{{{{name}|something else}}}}`"),
                ));
            }
            if otherwise.as_ref().is_some_and(|words| length(words) > VALUE_CHARS) {
                return Err((
                    found,
                    format!("what stands there otherwise has at most {VALUE_CHARS} characters"),
                ));
            }
            let into = into(&source[..found], &of).map_err(|message| (found, message))?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Value { of, otherwise, into });
            at = found + 2 + end + 2;
        }
        literal.push_str(&source[at..]);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// The resources that it mentions.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Value { of, .. } => of.resource(),
            Piece::Literal(_) => None,
        })
    }

    /// Filled in.
    #[must_use]
    pub fn fill(&self, values: &Values) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Value { of, otherwise, into } => {
                let value = of.value(values).filter(|value| !escape::plain(value).is_empty());
                let value = value.or_else(|| otherwise.clone()).unwrap_or_default();
                match into {
                    Into::Plain => escape::plain(&value),
                    Into::Markdown => escape::markdown(&value),
                    Into::Address => value,
                }
            }
        });
        pieces.collect()
    }

    /// The most characters that it can have, filled in.
    pub(crate) fn most_chars(&self) -> usize {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Literal(text) => length(text),
            Piece::Value { into: Into::Address, .. } => ADDRESS_CHARS,
            Piece::Value { into: Into::Plain, .. } => VALUE_CHARS,
            Piece::Value { into: Into::Markdown, .. } => VALUE_CHARS * 2,
        });
        pieces.sum()
    }

    /// The most bytes that it can have as JSON, filled in: a character has at most four, or is written as an escape of six.
    pub(crate) fn most_bytes(&self) -> usize {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Literal(text) => text
                .bytes()
                .map(|byte| if byte < 0x20 || byte == b'"' || byte == b'\\' { 2 } else { 1 })
                .sum(),
            Piece::Value { into: Into::Address, .. } => ADDRESS_CHARS,
            Piece::Value { .. } => VALUE_CHARS * 6,
        });
        pieces.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Resource;

    fn values() -> Values {
        let tasks = Resource {
            id: "0123-45".to_owned(),
            url: "https://www.notion.so/Tasks-012345".to_owned(),
            data_source_id: None,
        };
        Values {
            person_name: Some("**Ada**".to_owned()),
            app_name: "Demo".to_owned(),
            resources: [("tasks".to_owned(), tasks)].into(),
            ..Values::default()
        }
    }

    #[test]
    fn a_value_is_written_for_where_it_goes() {
        let plain =
            Text::plain("Hello {{person.name|there}} of {{ workspace.name | your team }}: \\{{x}}").unwrap();
        assert_eq!(plain.fill(&values()), "Hello **Ada** of your team: {{x}}");
        let markdown =
            Text::markdown("# {{person.name|there}}\n[Tasks]({{tasks.url}}) <page url=\"{{tasks.url}}\">")
                .unwrap();
        assert_eq!(
            markdown.fill(&values()),
            "# \\*\\*Ada\\*\\*\n[Tasks](https://www.notion.so/Tasks-012345) <page url=\"https://www.notion.so/Tasks-012345\">"
        );
        assert_eq!(markdown.resources().collect::<Vec<_>>(), ["tasks", "tasks"]);
        assert_eq!(
            Text::address("{{tasks.url}}").unwrap().fill(&values()),
            "https://www.notion.so/Tasks-012345"
        );
    }

    #[test]
    fn an_address_that_is_none_becomes_the_short_form() {
        let mut values = values();
        values.resources.get_mut("tasks").unwrap().url = "javascript:alert(1)".to_owned();
        assert_eq!(Text::address("{{tasks.url}}").unwrap().fill(&values), "https://www.notion.so/012345");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let wrong = [
            ("x {{person.name}}", 2, "does not always say"),
            ("{{person.age|1}}", 0, "no placeholder `person.age`"),
            ("{{nothing}}", 0, "no placeholder"),
            ("ab {{app.name", 3, "not closed"),
            ("{{app.name\n}}", 0, "not closed"),
            ("{{tasks.url}}", 0, "link"),
        ];
        for (source, at, message) in wrong {
            let (offset, said) = Text::markdown(source).unwrap_err();
            assert_eq!(offset, at, "{source}");
            assert!(said.contains(message), "{source}: {said}");
        }
        assert!(Text::markdown("[x]({{app.name}})").is_err());
        assert!(Text::plain("{{tasks.url}}").is_err());
        assert!(Text::address("https://x.example/{{app.name}}").is_err());
    }
}
