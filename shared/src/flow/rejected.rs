//! Why a flow is rejected.

/// Why a state or a flow cookie was rejected. The page does not tell these reasons apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FlowRejected {
    /// This browser has no cookie for the state: the state is another browser's or forged, or cookies are off.
    #[error("this browser has no cookie for the state")]
    NoCookie,
    /// Two cookies with the same name: one may have been planted.
    #[error("two cookies have the name of this flow")]
    RepeatedCookie,
    /// The state is not the hash of the cookie.
    #[error("the state does not commit to the cookie")]
    Mismatch,
    /// The cookie is not in the encoding that we write.
    #[error("the cookie is not in its canonical encoding")]
    NotCanonical,
    /// The cookie's time of issue is in the future.
    #[error("the cookie was issued in the future")]
    FromTheFuture,
}

impl FlowRejected {
    /// The fixed key, for metrics.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::NoCookie => "no_cookie",
            Self::RepeatedCookie => "repeated_cookie",
            Self::Mismatch => "state_mismatch",
            Self::NotCanonical => "cookie_not_canonical",
            Self::FromTheFuture => "cookie_from_the_future",
        }
    }
}
