//! What `/install` is asked for: by an app that sends a person there, or by nobody.

use crate::app_request::{AppRequest, BadAppRequest};
use crate::language::Language;
use crate::query::Query;
use crate::return_destination::ReturnDestinations;

/// The parameter that names the languages of the pages (OpenID Connect Core §3.1.2.1).
pub const UI_LOCALES: &str = "ui_locales";
/// The longest `ui_locales`, in bytes.
pub const MAX_UI_LOCALES_BYTES: usize = 256;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstallRequest {
    /// What an app wants to get back. `None`: the person installs without an app.
    pub app: Option<AppRequest>,
    /// The language of the pages, if one was named that we have.
    pub language: Option<Language>,
}

impl InstallRequest {
    /// Reads the request from a raw query. If no app asks for anything, all parameters but `ui_locales` are ignored.
    ///
    /// # Errors
    ///
    /// [`BadAppRequest`].
    pub fn read(raw_query: &str, destinations: &ReturnDestinations) -> Result<Self, BadAppRequest> {
        if raw_query.is_empty() {
            return Ok(Self::default());
        }
        let query = match Query::parse(raw_query) {
            Ok(query) => query,
            // Somebody's campaign link with an odd escape in it still works.
            Err(_) if !AppRequest::is_named_in(raw_query) => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let language = match query.one(UI_LOCALES)? {
            Some(ui_locales) if ui_locales.len() > MAX_UI_LOCALES_BYTES => {
                return Err(BadAppRequest::UiLocales);
            }
            ui_locales => ui_locales.and_then(Language::of_ui_locales),
        };
        Ok(Self { app: AppRequest::read(&query, destinations)?, language })
    }
}

/// The language that a query names, for a page that says that the rest of it cannot be served.
#[must_use]
pub fn language_of(raw_query: &str) -> Option<Language> {
    Language::of_ui_locales(Query::parse(raw_query).ok()?.one(UI_LOCALES).ok()??)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw_query: &str) -> Result<InstallRequest, BadAppRequest> {
        InstallRequest::read(raw_query, &ReturnDestinations::default())
    }

    #[test]
    fn without_an_app_every_parameter_but_the_language_is_ignored() {
        for raw_query in [
            "",
            "state=chosen&utm_source=mail",
            "utm=%",
            "state=a&state=b",
            "redirect_uri=https://e.example",
            "ui_locales=de&utm=%",
        ] {
            assert_eq!(read(raw_query), Ok(InstallRequest::default()), "{raw_query}");
        }
    }

    #[test]
    fn a_language_that_there_is_is_taken_and_none_is_a_mistake() {
        for (raw_query, expected) in [
            ("ui_locales=ja", Some(Language::Ja)),
            ("utm=x&ui_locales=pt-BR%20es+en", Some(Language::Es)),
            ("ui_locales=", None),
            ("ui_locales=tlh", None),
            ("ui_locales=%3Cscript%3E", None),
        ] {
            let expected = InstallRequest { app: None, language: expected };
            assert_eq!(read(raw_query), Ok(expected), "{raw_query}");
        }
        let longest = format!("ui_locales={}+de", "x".repeat(MAX_UI_LOCALES_BYTES - 3));
        assert_eq!(read(&longest).unwrap().language, Some(Language::De));
    }

    #[test]
    fn a_language_is_named_once_and_briefly() {
        let too_long = format!("ui_locales={}+de", "x".repeat(MAX_UI_LOCALES_BYTES - 2));
        assert_eq!(read(&too_long), Err(BadAppRequest::UiLocales));
        assert_eq!(read("ui_locales=de&ui_locales=de"), Err(BadAppRequest::Repeated(UI_LOCALES)));
    }

    #[test]
    fn a_mistake_is_explained_in_the_language_that_was_named() {
        assert_eq!(language_of("return_to=other&ui_locales=de"), Some(Language::De));
        for raw_query in ["", "ui_locales=%", "ui_locales=de&ui_locales=fr", "return_to=other"] {
            assert_eq!(language_of(raw_query), None, "{raw_query}");
        }
    }
}
