//! The languages of the pages, and which of them a person gets: the one that the app names (`ui_locales`), otherwise
//! the one that their browser asks for (`Accept-Language`), otherwise English.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// A language that the pages are written in. Its texts are in `locales`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Spanish.
    Es,
    /// Japanese.
    Ja,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 5] = [Self::En, Self::De, Self::Fr, Self::Es, Self::Ja];

    /// The language tag (BCP 47): two letters.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Es => "es",
            Self::Ja => "ja",
        }
    }

    /// The direction of its script, as HTML writes it. The pages' style holds for both.
    #[must_use]
    pub const fn direction(self) -> &'static str {
        match self {
            Self::En | Self::De | Self::Fr | Self::Es | Self::Ja => "ltr",
        }
    }

    /// The language with exactly this tag.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// The language that serves a language range, as RFC 4647 §3.4 looks it up: `de-CH` and `DE` are German.
    fn of_range(range: &str) -> Option<Self> {
        let primary = range.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The first language of `ui_locales` (OpenID Connect Core §3.1.2.1: tags separated by spaces, the most wanted
    /// first) that we have.
    #[must_use]
    pub fn of_ui_locales(ui_locales: &str) -> Option<Self> {
        ui_locales.split(' ').find_map(Self::of_range)
    }

    /// The most wanted language of `Accept-Language` (RFC 9110 §12.5.4) that we have.
    ///
    /// The crates for this either match whole tags only, so that `de-CH` finds no German, or ignore the weights.
    #[must_use]
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        let values = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        for range in values.flat_map(|value| value.split(',')) {
            let (range, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            let (Some(language), Some(weight)) = (Self::of_range(range.trim()), thousandths(weight)) else {
                continue;
            };
            if weight > best.map_or(0, |(weight, _)| weight) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }
}

/// A weight (RFC 9110 §12.4.2), from `q=0` to `q=1` with at most three decimals.
fn thousandths(weight: &str) -> Option<u16> {
    let (name, value) = weight.trim().split_once('=')?;
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let is_number = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    if !name.eq_ignore_ascii_case("q") || !is_number {
        return None;
    }
    let decimals = format!("{decimals:0<3}").parse().ok()?;
    match (whole, decimals) {
        ("0", decimals) => Some(decimals),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(values: &[&str]) -> Option<Language> {
        let values = values.iter().map(|value| (ACCEPT_LANGUAGE, value.parse().unwrap()));
        Language::accepted(&values.collect())
    }

    #[test]
    fn the_browser_gets_what_it_wants_most_of_what_there_is() {
        let cases: &[(&[&str], Option<Language>)] = &[
            (&[], None),
            (&[""], None),
            (&["de"], Some(Language::De)),
            (&["ja-JP"], Some(Language::Ja)),
            (&["DE-ch-1996"], Some(Language::De)),
            (&["fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5"], Some(Language::Fr)),
            (&["pt-BR,pt;q=0.9,en-US;q=0.8,es;q=0.7"], Some(Language::En)),
            (&["en;q=0.2,es;q=0.3"], Some(Language::Es)),
            (&["en;q=0.2 , es ; q=0.300"], Some(Language::Es)),
            (&["en;Q=0.5,ja;q=0.50"], Some(Language::En)),
            (&["zh-CN", "ja;q=0.1"], Some(Language::Ja)),
            // Not German, and no weight that there is.
            (&["de;q=0"], None),
            (&["de;q=0.000,fr;q=0.001"], Some(Language::Fr)),
            (&["de;q=1.1,fr;q=0.1"], Some(Language::Fr)),
            (&["de;q=0.9999,fr;q=0.1"], Some(Language::Fr)),
            (&["de;q=-1,fr;q=.5,es;q=+1,ja;q=0.1"], Some(Language::Ja)),
            (&["de;level=1,fr;q=0.1"], Some(Language::Fr)),
            (&["*"], None),
            (&["deutsch,d,-,;,,german;q=1,ｄｅ"], None),
        ];
        for (values, expected) in cases {
            assert_eq!(accepted(values), *expected, "{values:?}");
        }
    }

    #[test]
    fn the_app_gets_the_first_of_its_languages_that_there_is() {
        for (ui_locales, expected) in [
            ("", None),
            ("de", Some(Language::De)),
            ("pt-BR pt es-419 en", Some(Language::Es)),
            ("FR-ca", Some(Language::Fr)),
            ("zh  ja", Some(Language::Ja)),
            ("de_DE", None),
            ("de,fr", None),
            ("../de", None),
        ] {
            assert_eq!(Language::of_ui_locales(ui_locales), expected, "{ui_locales}");
        }
    }

    #[test]
    fn every_tag_is_two_letters_and_its_own() {
        for language in Language::ALL {
            assert_eq!(language.tag().len(), 2);
            assert_eq!(Language::of_tag(language.tag()), Some(language));
        }
        assert_eq!((Language::of_tag("DE"), Language::of_tag("de-DE")), (None, None));
    }
}
