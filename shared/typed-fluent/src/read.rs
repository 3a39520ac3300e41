//! From a Fluent file to its messages.

use std::collections::{BTreeMap, BTreeSet};

use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};

use crate::source::{Mistake, Source};

/// The messages of a language, with the terms filled in.
pub(crate) struct Messages<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) messages: BTreeMap<&'a str, Message<'a>>,
}

pub(crate) struct Message<'a> {
    pub(crate) line: usize,
    pub(crate) pieces: Vec<Piece<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// What stands in a pattern before the terms are filled in.
enum Part<'a> {
    Piece(Piece<'a>),
    Term(&'a str),
}

struct Term<'a> {
    line: usize,
    text: &'a str,
    is_used: bool,
}

impl Message<'_> {
    pub(crate) fn variables(&self) -> BTreeSet<&str> {
        let variables = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(*name),
            Piece::Text(_) => None,
        });
        variables.collect()
    }
}

impl<'a> Messages<'a> {
    /// Reads a file, and notes what is wrong in it.
    pub(crate) fn read(source: Source<'a>, mistakes: &mut BTreeSet<Mistake>) -> Self {
        let mut read = Self { source, messages: BTreeMap::new() };
        let resource = fluent_syntax::parser::parse(source.text).unwrap_or_else(|(resource, errors)| {
            let errors = errors
                .iter()
                .map(|error| read.mistake(line_at(source.text, error.pos.start), error.to_string()));
            mistakes.extend(errors);
            resource
        });
        let (mut terms, mut patterns) = (BTreeMap::new(), Vec::new());
        for entry in &resource.body {
            let (id, attributes) = match entry {
                Entry::Message(message) => (message.id.name, &message.attributes),
                Entry::Term(term) => (term.id.name, &term.attributes),
                // The parser has reported what it could not read.
                Entry::Comment(_)
                | Entry::GroupComment(_)
                | Entry::ResourceComment(_)
                | Entry::Junk { .. } => continue,
            };
            let line = read.line_of(id);
            let mut wrong = |what: String| mistakes.extend([read.mistake(line, what)]);
            if !is_kebab_case(id) {
                wrong(format!("`{id}` must be of lower-case letters, digits and single hyphens"));
            }
            if !attributes.is_empty() {
                wrong(format!("`{id}` has an attribute, which is not supported"));
            }
            match entry {
                Entry::Message(message) => match &message.value {
                    Some(value) => patterns.push((id, line, value)),
                    None => wrong(format!("`{id}` has no text")),
                },
                Entry::Term(term) => match &term.value.elements[..] {
                    [PatternElement::TextElement { value }] => {
                        if terms.insert(id, Term { line, text: value, is_used: false }).is_some() {
                            wrong(format!("the term -{id} is there twice"));
                        }
                    }
                    _ => wrong(format!("the term -{id} must be text alone, on one line")),
                },
                _ => {}
            }
        }
        for (id, line, pattern) in patterns {
            let pieces = read.pieces(id, line, pattern, &mut terms, mistakes);
            if read.messages.insert(id, Message { line, pieces }).is_some() {
                mistakes.insert(read.mistake(line, format!("`{id}` is there twice")));
            }
        }
        for (id, term) in terms.iter().filter(|(_, term)| !term.is_used) {
            mistakes.insert(read.mistake(term.line, format!("the term -{id} is not used")));
        }
        read
    }

    fn pieces(
        &self,
        id: &str,
        line: usize,
        pattern: &Pattern<&'a str>,
        terms: &mut BTreeMap<&'a str, Term<'a>>,
        mistakes: &mut BTreeSet<Mistake>,
    ) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        for element in &pattern.elements {
            let part = match element {
                PatternElement::TextElement { value } if value.contains('\n') => {
                    Err("has more than one line, which is not supported")
                }
                PatternElement::TextElement { value } => Ok(Part::Piece(Piece::Text(value))),
                PatternElement::Placeable { expression } => part(expression),
            };
            match part {
                Ok(Part::Piece(piece)) => pieces.push(piece),
                Ok(Part::Term(name)) => {
                    if let Some(term) = terms.get_mut(name) {
                        term.is_used = true;
                        pieces.push(Piece::Text(term.text));
                    } else {
                        let what = format!("`{id}` has the term -{name}, which is not in this file");
                        mistakes.insert(self.mistake(self.line_of(name), what));
                    }
                }
                Err(what) => mistakes.extend([self.mistake(line, format!("`{id}` {what}"))]),
            }
        }
        pieces
    }

    pub(crate) fn mistake(&self, line: usize, what: String) -> Mistake {
        Mistake { path: self.source.path.to_owned(), line, what }
    }

    /// The line of a part of the file: the parser gives parts without saying where they are.
    fn line_of(&self, part: &str) -> usize {
        line_at(self.source.text, part.as_ptr().addr() - self.source.text.as_ptr().addr())
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn part<'a>(expression: &Expression<&'a str>) -> Result<Part<'a>, &'static str> {
    let Expression::Inline(expression) = expression else {
        return Err("has a selector, which is not supported");
    };
    match expression {
        InlineExpression::VariableReference { id } if is_kebab_case(id.name) => {
            Ok(Part::Piece(Piece::Variable(id.name)))
        }
        InlineExpression::VariableReference { .. } => {
            Err("has a variable that is not of lower-case letters, digits and single hyphens")
        }
        InlineExpression::TermReference { id, attribute: None, arguments: None } => Ok(Part::Term(id.name)),
        InlineExpression::TermReference { .. } => {
            Err("has a term with an argument or an attribute, which is not supported")
        }
        InlineExpression::MessageReference { .. } => {
            Err("has another message in it, which is not supported: make it a term")
        }
        InlineExpression::FunctionReference { .. } => Err("calls a function, which is not supported"),
        InlineExpression::StringLiteral { .. } | InlineExpression::NumberLiteral { .. } => {
            Err("has a literal, which is not supported: write it as text")
        }
        InlineExpression::Placeable { .. } => Err("has braces within braces, which is not supported"),
    }
}

/// Only then do two names never become the same function or parameter.
fn is_kebab_case(name: &str) -> bool {
    name.split('-').all(|word| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}
