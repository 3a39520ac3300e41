//! How the pages look, what they call the app, and where their links lead.

use super::{ConfigError, Lookup};

/// The longest URL, in bytes.
const MAX_URL_BYTES: usize = 2048;

/// How the pages look, what they call the app, and where their links lead.
#[derive(Debug, Clone)]
pub struct Branding {
    /// See [`app_name`].
    pub app_name: String,
    /// `APP_COLOR`, default `#2f5d50`: the accent, as `#rrggbb`.
    pub app_color: Color,
    /// `APP_NEXT_URL`, optional: the link on the page after an installation; https, or http on localhost.
    pub next_url: Option<String>,
    /// `APP_LOGO_URL`, optional: the image above the app's name; https, or http on localhost.
    pub logo_url: Option<String>,
    /// `APP_SUPPORT_URL`, optional: where people get help; https, http on localhost, or `mailto:` with an address.
    pub support_url: Option<String>,
    /// `APP_PRIVACY_URL`, optional: the app's privacy policy; https, or http on localhost.
    pub privacy_url: Option<String>,
    /// `APP_TERMS_URL`, optional: the app's terms of use; https, or http on localhost.
    pub terms_url: Option<String>,
}

/// What the app is called: `APP_NAME`, default `This app`.
///
/// # Errors
///
/// [`ConfigError::Invalid`].
pub fn app_name(lookup: &impl Lookup) -> Result<String, ConfigError> {
    let app_name = lookup("APP_NAME").unwrap_or_else(|| "This app".to_owned());
    if app_name.chars().count() > 60 || app_name.chars().any(char::is_control) {
        return Err(ConfigError::Invalid {
            variable: "APP_NAME",
            expected: "at most 60 characters on one line",
        });
    }
    Ok(app_name)
}

/// A colour as `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color {
    red: u8,
    green: u8,
    blue: u8,
}

impl Color {
    /// Reads `#rrggbb`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits =
            text.strip_prefix('#').filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let value = u32::from_str_radix(digits, 16).ok()?;
        let [_, red, green, blue] = value.to_be_bytes();
        Some(Self { red, green, blue })
    }

    /// Black or white, whichever has the higher contrast with this colour (WCAG 2.2, relative luminance).
    #[must_use]
    pub fn readable_text(self) -> &'static str {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let luminance = 0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue);
        if luminance > 0.179 { "#000000" } else { "#ffffff" }
    }
}

impl std::fmt::Display for Color {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl Branding {
    /// Reads `APP_NAME`, `APP_COLOR`, `APP_NEXT_URL`, `APP_LOGO_URL`, `APP_SUPPORT_URL`, `APP_PRIVACY_URL` and
    /// `APP_TERMS_URL`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] naming the variable.
    pub fn read(lookup: &impl Lookup) -> Result<Self, ConfigError> {
        let app_color = Color::parse(lookup("APP_COLOR").as_deref().unwrap_or("#2f5d50"))
            .ok_or(ConfigError::Invalid { variable: "APP_COLOR", expected: "a colour written as #rrggbb" })?;
        Ok(Self {
            app_name: app_name(lookup)?,
            app_color,
            next_url: web_address(lookup, "APP_NEXT_URL")?,
            logo_url: web_address(lookup, "APP_LOGO_URL")?,
            support_url: address(
                lookup,
                "APP_SUPPORT_URL",
                |url| is_web_address(url) || is_mail_address(url),
                "an https:// URL, http://localhost:<port>/…, or mailto:name@example.com, of at most 2048 characters",
            )?,
            privacy_url: web_address(lookup, "APP_PRIVACY_URL")?,
            terms_url: web_address(lookup, "APP_TERMS_URL")?,
        })
    }

    /// The origin of the logo: the only one that a page loads anything from.
    #[must_use]
    pub fn logo_origin(&self) -> Option<&str> {
        origin_of(self.logo_url.as_deref()?)
    }
}

impl Default for Branding {
    /// The look of the pages when nothing is configured, or when the configuration cannot be read.
    fn default() -> Self {
        Self {
            app_name: "This app".to_owned(),
            app_color: Color { red: 0x2f, green: 0x5d, blue: 0x50 },
            next_url: None,
            logo_url: None,
            support_url: None,
            privacy_url: None,
            terms_url: None,
        }
    }
}

fn web_address(lookup: &impl Lookup, variable: &'static str) -> Result<Option<String>, ConfigError> {
    let expected = "an https:// URL, or http://localhost:<port>/…, of at most 2048 characters without spaces, and \
                    without a user name";
    address(lookup, variable, is_web_address, expected)
}

fn address(
    lookup: &impl Lookup,
    variable: &'static str,
    is_address: impl Fn(&str) -> bool,
    expected: &'static str,
) -> Result<Option<String>, ConfigError> {
    match lookup(variable) {
        Some(url) if !is_address(&url) => Err(ConfigError::Invalid { variable, expected }),
        url => Ok(url),
    }
}

fn is_web_address(url: &str) -> bool {
    url.len() <= MAX_URL_BYTES && url.bytes().all(|byte| byte.is_ascii_graphic()) && origin_of(url).is_some()
}

/// The origin of an https URL, or of an http URL on localhost. It has only characters that mean nothing else in a content
/// security policy.
fn origin_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let is_valid = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
        && port
            .is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok());
    let is_safe = scheme == "https" || (scheme == "http" && host == "localhost" && port.is_some());
    (is_valid && is_safe).then(|| &url[..scheme.len() + "://".len() + authority.len()])
}

/// A `mailto:` URL (RFC 6068) with one plain address, without a subject or a text.
fn is_mail_address(url: &str) -> bool {
    let Some((name, host)) = url.strip_prefix("mailto:").and_then(|address| address.split_once('@')) else {
        return false;
    };
    let is_plain = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    url.len() <= MAX_URL_BYTES && is_plain(name, b"._+-") && is_plain(host, b".-")
}
