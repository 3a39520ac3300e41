//! Whether a request is a person opening a page. `HEAD`, prefetches, frames and scripts must not start anything.

use http::{HeaderMap, Method};

use crate::pages::Notice;

/// Why a request is not a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAVisit {
    /// Any method except `GET`. API Gateway has only `GET` routes, so this is a second check.
    #[error("the method is not GET")]
    Method,
    /// The browser is loading the page in advance (`Sec-Purpose`, older `Purpose` and `X-Moz`).
    #[error("the browser is prefetching")]
    Prefetch,
    /// The browser is loading it into an image, a frame or a script (Fetch Metadata, `Sec-Fetch-Dest`).
    #[error("the browser is not navigating")]
    Embedded,
}

impl NotAVisit {
    /// The fixed key, for metrics.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Prefetch => "prefetch",
            Self::Embedded => "embedded",
        }
    }

    /// The page for it.
    #[must_use]
    pub fn notice(self) -> Notice {
        match self {
            Self::Method => Notice::MethodNotAllowed,
            Self::Prefetch | Self::Embedded => Notice::NotAVisit,
        }
    }
}

/// Checks that the request may come from a person who opened a link.
///
/// Absent headers are accepted: not every client sends them.
///
/// # Errors
///
/// [`NotAVisit`]. Nothing may be started, stored or consumed in that case.
pub fn check(method: &Method, headers: &HeaderMap) -> Result<(), NotAVisit> {
    check_method(method)?;
    check_navigation(headers)
}

/// The part of [`check`] that checks the method.
///
/// # Errors
///
/// [`NotAVisit::Method`].
pub fn check_method(method: &Method) -> Result<(), NotAVisit> {
    if method == Method::GET { Ok(()) } else { Err(NotAVisit::Method) }
}

/// The part of [`check`] that checks the headers.
///
/// # Errors
///
/// [`NotAVisit::Prefetch`] or [`NotAVisit::Embedded`].
pub fn check_navigation(headers: &HeaderMap) -> Result<(), NotAVisit> {
    let says = |name: &str, word: &str| {
        headers.get_all(name).iter().any(|value| value.to_str().is_ok_and(|text| text.contains(word)))
    };
    if ["sec-purpose", "purpose", "x-purpose", "x-moz"].iter().any(|name| says(name, "prefetch"))
        || says("sec-purpose", "prerender")
        || says("purpose", "preview")
        || says("x-purpose", "preview")
    {
        return Err(NotAVisit::Prefetch);
    }
    let navigates = |value: &http::HeaderValue| value == "document";
    if headers.get_all("sec-fetch-dest").iter().all(navigates) { Ok(()) } else { Err(NotAVisit::Embedded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_navigation_is_a_visit() {
        type Case = (&'static str, &'static [(&'static str, &'static str)], Result<(), NotAVisit>);
        let cases: &[Case] = &[
            ("GET", &[], Ok(())),
            ("GET", &[("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate")], Ok(())),
            ("HEAD", &[], Err(NotAVisit::Method)),
            ("POST", &[], Err(NotAVisit::Method)),
            ("POST", &[("x-http-method-override", "GET")], Err(NotAVisit::Method)),
            ("GET", &[("sec-purpose", "prefetch")], Err(NotAVisit::Prefetch)),
            ("GET", &[("sec-purpose", "prefetch;prerender")], Err(NotAVisit::Prefetch)),
            ("GET", &[("purpose", "prefetch")], Err(NotAVisit::Prefetch)),
            ("GET", &[("x-moz", "prefetch")], Err(NotAVisit::Prefetch)),
            ("GET", &[("x-purpose", "preview")], Err(NotAVisit::Prefetch)),
            ("GET", &[("sec-fetch-dest", "image")], Err(NotAVisit::Embedded)),
            ("GET", &[("sec-fetch-dest", "iframe")], Err(NotAVisit::Embedded)),
            ("GET", &[("sec-fetch-dest", "empty")], Err(NotAVisit::Embedded)),
        ];
        for (method, pairs, expected) in cases {
            let headers =
                pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            assert_eq!(check(&method.parse().unwrap(), &headers), *expected, "{method} {pairs:?}");
        }
    }
}
