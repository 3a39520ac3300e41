//! The style of the pages, and what a browser may load for them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use crate::config::Branding;

/// For responses without a page.
pub(super) const POLICY: &str =
    "default-src 'none'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'";

/// The style with the app's colours, and the policy that allows it by its hash, and the app's logo by its origin.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) css: String,
    pub(super) content_security_policy: HeaderValue,
}

impl Look {
    pub(super) fn of(branding: &Branding) -> Self {
        let css = include_str!("../../templates/style.css")
            .replace("--accent: #2f5d50", &format!("--accent: {}", branding.app_color))
            .replace("--on-accent: #ffffff", &format!("--on-accent: {}", branding.app_color.readable_text()));
        let hash = STANDARD.encode(Sha256::digest(&css));
        let images = branding.logo_origin().map_or_else(String::new, |origin| format!("; img-src {origin}"));
        #[expect(clippy::expect_used, reason = "fixed text, base64 and an origin make a valid header value")]
        let content_security_policy =
            HeaderValue::try_from(format!("{POLICY}; style-src 'sha256-{hash}'{images}"))
                .expect("a header value");
        Self { css, content_security_policy }
    }
}
