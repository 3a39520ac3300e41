//! Reading a request field by field, with complaints in the words of Notion's validator:
//! `body failed validation: body.children.length should be ≤ `100`, instead was `101`.` (documented)

use serde_json::{Map, Value};

use crate::error::NotionError;

/// A value of a request, and where it is.
#[derive(Clone)]
pub(crate) struct Input<'a> {
    value: &'a Value,
    path: String,
}

/// Notion counts UTF-16 code units, as JavaScript does (inferred).
pub(crate) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

impl<'a> Input<'a> {
    /// The whole of a request's `body`, or of its `query`.
    pub(crate) fn whole(name: &str, value: &'a Value) -> Self {
        Self { value, path: name.to_owned() }
    }

    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// A field, if it is there. A null counts as there.
    pub(crate) fn field(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name)?;
        Some(Self { value, path: format!("{}.{name}", self.path) })
    }

    /// A field, if it is there and not null.
    pub(crate) fn some(&self, name: &str) -> Option<Self> {
        self.field(name).filter(|field| !field.value.is_null())
    }

    /// # Errors
    ///
    /// `validation_error` if it is not there.
    pub(crate) fn needed(&self, name: &str) -> Result<Self, NotionError> {
        self.field(name).ok_or_else(|| {
            let root = self.root();
            let message = format!(
                "{root} failed validation: {}.{name} should be defined, instead was `undefined`.",
                self.path
            );
            NotionError::validation(&message)
        })
    }

    /// # Errors
    ///
    /// `validation_error` if it is not text.
    pub(crate) fn text(&self) -> Result<&'a str, NotionError> {
        self.value.as_str().ok_or_else(|| self.wrong("a string"))
    }

    /// Text of a field, if it is there and not null.
    ///
    /// # Errors
    ///
    /// `validation_error` if it is something else.
    pub(crate) fn text_of(&self, name: &str) -> Result<Option<&'a str>, NotionError> {
        self.some(name).map(|field| field.text()).transpose()
    }

    /// # Errors
    ///
    /// `validation_error` if it is no boolean.
    pub(crate) fn bool(&self) -> Result<bool, NotionError> {
        self.value.as_bool().ok_or_else(|| self.wrong("a boolean"))
    }

    /// A boolean field; `None` if it is missing or null.
    ///
    /// # Errors
    ///
    /// `validation_error` if it is something else.
    pub(crate) fn bool_of(&self, name: &str) -> Result<Option<bool>, NotionError> {
        self.some(name).map(|field| field.bool()).transpose()
    }

    /// # Errors
    ///
    /// `validation_error` if it is no object.
    pub(crate) fn object(&self) -> Result<&'a Map<String, Value>, NotionError> {
        self.value.as_object().ok_or_else(|| self.wrong("an object"))
    }

    /// The fields of an object.
    ///
    /// # Errors
    ///
    /// `validation_error` if it is no object.
    pub(crate) fn fields(&self) -> Result<Vec<(&'a str, Self)>, NotionError> {
        let fields = self.object()?.iter();
        Ok(fields.map(|(name, value)| (name.as_str(), self.inner(value, &format!(".{name}")))).collect())
    }

    /// The elements of an array, at most `limit`.
    ///
    /// # Errors
    ///
    /// `validation_error` if it is no array, or longer.
    pub(crate) fn array(&self, limit: usize) -> Result<Vec<Self>, NotionError> {
        let elements = self.value.as_array().ok_or_else(|| self.wrong("an array"))?;
        self.at_most("length", elements.len(), limit)?;
        Ok(elements.iter().enumerate().map(|(at, value)| self.inner(value, &format!("[{at}]"))).collect())
    }

    /// Text of at most `limit` characters.
    ///
    /// # Errors
    ///
    /// `validation_error` if it is not text, or longer.
    pub(crate) fn short_text(&self, limit: usize) -> Result<&'a str, NotionError> {
        let text = self.text()?;
        self.at_most("length", length(text), limit)?;
        Ok(text)
    }

    /// # Errors
    ///
    /// `validation_error` if `found` is more than `limit`. `of` is what was measured; empty for the value itself.
    pub(crate) fn at_most(&self, of: &str, found: usize, limit: usize) -> Result<(), NotionError> {
        if found <= limit {
            return Ok(());
        }
        let dot = if of.is_empty() { "" } else { "." };
        Err(self.complaint(&format!("{dot}{of} should be ≤ `{limit}`, instead was `{found}`.")))
    }

    /// # Errors
    ///
    /// `validation_error` if it is none of these words.
    pub(crate) fn one_of(&self, words: &[&str]) -> Result<&'a str, NotionError> {
        let found = self.text()?;
        if words.contains(&found) {
            return Ok(found);
        }
        let words: Vec<_> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
        Err(self.wrong(&words.join(" or ")))
    }

    /// An id, as it is stored.
    ///
    /// # Errors
    ///
    /// `validation_error` if it is no UUID.
    pub(crate) fn id(&self) -> Result<String, NotionError> {
        let id = self.text()?;
        if crate::content::id::is_uuid(id) {
            return Ok(crate::content::id::normal(id));
        }
        Err(self.wrong("a valid uuid"))
    }

    /// # Errors
    ///
    /// `validation_error` if the object has any other field.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), NotionError> {
        match self.fields()?.into_iter().find(|(name, _)| !known.contains(name)) {
            Some((_, field)) => Err(field.wrong("not present")),
            None => Ok(()),
        }
    }

    /// The complaint that this should be something else.
    pub(crate) fn wrong(&self, expected: &str) -> NotionError {
        let found = match self.value {
            Value::Null => "`null`".to_owned(),
            Value::Array(_) => "an array".to_owned(),
            Value::Object(_) => "an object".to_owned(),
            other => format!("`{other}`"),
        };
        self.complaint(&format!(" should be {expected}, instead was {found}."))
    }

    fn complaint(&self, rest: &str) -> NotionError {
        NotionError::validation(&format!("{} failed validation: {}{rest}", self.root(), self.path))
    }

    fn root(&self) -> &str {
        self.path.split(['.', '[']).next().unwrap_or_default()
    }

    fn inner(&self, value: &'a Value, step: &str) -> Self {
        Self { value, path: format!("{}{step}", self.path) }
    }
}
