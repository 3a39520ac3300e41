//! Secrets as types that cannot be printed.
//!
//! Each type has a redacted `Debug`, no `Display`, no `PartialEq`, no `Serialize`, and is wiped on drop.

use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

/// The secret is empty. No server issues an empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret is empty")]
pub struct EmptySecret;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Wraps `value`.
            ///
            /// # Errors
            ///
            /// [`EmptySecret`] if `value` is empty.
            pub fn parse(value: impl Into<String>) -> Result<Self, EmptySecret> {
                let value = value.into();
                if value.is_empty() { Err(EmptySecret) } else { Ok(Self(value.into())) }
            }

            /// The raw value. Call it only on the line that sends, seals or hashes it.
            #[must_use]
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }

            /// Whether the two are equal, compared in constant time.
            #[must_use]
            pub fn is_same_as(&self, other: &Self) -> bool {
                self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    };
}

secret! {
    /// The public connection's client secret (RFC 6749 §2.3.1).
    ClientSecret
}
secret! {
    /// An authorization code. Until it is exchanged, it is worth a token pair (RFC 6749 §4.1.2).
    AuthorizationCode
}
secret! {
    /// An opaque access token (at Notion `ntn_…`, older ones `secret_…`).
    AccessToken
}
secret! {
    /// An opaque refresh token (at Notion `nrt_…`).
    RefreshToken
}
secret! {
    /// The `state` of an authorization request (RFC 6749 §4.1.1): a commitment to the flow cookie.
    State
}
secret! {
    /// The value of a flow cookie. It proves that this browser started the flow.
    FlowCookie
}
secret! {
    /// A code verifier (RFC 7636 §4.1): proves that the app that claims an installation has asked for it.
    CodeVerifier
}
secret! {
    /// The code that an app's return page gets, with which its backend claims the installation.
    InstallationCode
}
secret! {
    /// Key material as stored in the ring. Keys are derived from it; it is never used as a key itself.
    KeyMaterial
}
secret! {
    /// A secret that signs webhooks, as the app has it: `whsec_…` (Standard Webhooks).
    WebhookSecret
}
secret! {
    /// The token key ring as stored in Secrets Manager.
    KeyRingText
}

#[cfg(test)]
mod tests {
    use super::*;
    use static_assertions::assert_not_impl_any;

    macro_rules! cannot_be_printed {
        ($($name:ident),*) => {
            $(assert_not_impl_any!($name: std::fmt::Display, serde::Serialize, PartialEq, std::ops::Deref, AsRef<str>);)*

            #[test]
            fn a_secret_is_redacted_and_never_empty() {
                $(
                    let secret = $name::parse("canary").unwrap();
                    assert_eq!(format!("{secret:?} {:#?}", Some(&secret)).matches("canary").count(), 0);
                    assert_eq!(secret.expose(), "canary");
                    assert!(secret.is_same_as(&secret) && !secret.is_same_as(&$name::parse("canarx").unwrap()));
                    assert_eq!($name::parse("").err(), Some(EmptySecret));
                )*
            }
        };
    }

    cannot_be_printed!(
        ClientSecret,
        AuthorizationCode,
        AccessToken,
        RefreshToken,
        State,
        FlowCookie,
        CodeVerifier,
        InstallationCode,
        KeyMaterial,
        WebhookSecret,
        KeyRingText
    );
}
