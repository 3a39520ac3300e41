//! Whom an answer is for.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::install_request::UI_LOCALES;
use crate::language::Language;

/// Whom an answer is for: what their browser accepts, and the language that the app or a link named for them.
#[derive(Debug, Clone, Copy)]
pub struct Visitor<'a> {
    /// The headers of the request.
    pub headers: &'a HeaderMap,
    /// The language that was named, which comes before those that the browser accepts.
    pub named: Option<Language>,
}

impl<'a> Visitor<'a> {
    /// A visitor for whom nobody has named a language.
    #[must_use]
    pub fn of(headers: &'a HeaderMap) -> Self {
        Self { headers, named: None }
    }

    /// The language that a page is shown in.
    pub(super) fn language(self) -> Language {
        self.named.or_else(|| Language::accepted(self.headers)).unwrap_or_default()
    }

    /// The address where a person starts over, relative to `/callback`. It takes a language that was named along.
    pub(super) fn install_url(self) -> String {
        self.named.map_or_else(
            || "install".to_owned(),
            |language| format!("install?{UI_LOCALES}={}", language.tag()),
        )
    }

    /// Whether the client asks for JSON instead of a page.
    pub(super) fn wants_json(self) -> bool {
        let accepts = |media_type: &str| {
            self.headers.get_all(ACCEPT).iter().any(|value| {
                value.to_str().is_ok_and(|text| {
                    text.split(',')
                        .any(|range| range.split(';').next().is_some_and(|t| t.trim() == media_type))
                })
            })
        };
        (accepts("application/json") || accepts("application/problem+json")) && !accepts("text/html")
    }
}
