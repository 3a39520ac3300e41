//! What a claim's input must have.

use serde_json::Value;
use shared::pkce;
use shared::secret::{CodeVerifier, InstallationCode};
use vault::subject::Subject;

/// What the input asks for.
pub(crate) struct ClaimRequest {
    pub(crate) code: InstallationCode,
    pub(crate) verifier: CodeVerifier,
    pub(crate) subject: Subject,
    pub(crate) accept_different_account: bool,
}

impl ClaimRequest {
    /// Reads the input. The error says what it must be.
    pub(crate) fn read(input: &Value) -> Result<Self, &'static str> {
        const CODE: &str = "code must be the code that the return destination got";
        const VERIFIER: &str = "code_verifier must have 43 to 128 letters, digits, '-', '.', '_' or '~'";
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        Ok(Self {
            code: text("code").and_then(|code| InstallationCode::parse(code).ok()).ok_or(CODE)?,
            verifier: text("code_verifier").and_then(pkce::verifier).ok_or(VERIFIER)?,
            subject: Subject::named(input)?.ok_or("subject is missing: your own name for the user")?,
            accept_different_account: match input.get("accept_different_account") {
                None | Some(Value::Null) => false,
                Some(flag) => flag.as_bool().ok_or("accept_different_account must be true or false")?,
            },
        })
    }
}
