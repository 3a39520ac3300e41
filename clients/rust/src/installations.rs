//! Claiming installs, seeing what is connected, disconnecting.

use std::fmt;

use serde_json::{Map, Value};

use crate::answer::refusal;
use crate::client::TokenClient;
use crate::error::InstallationsError;
use crate::fields::Fields;
use crate::installation::Installation;
use crate::invoke::{NotAnswered, invoke};
use crate::person::{Person, canonical};

/// The functions by name or ARN, as in the stack's outputs.
#[derive(Debug, Clone)]
pub struct Functions {
    /// The output `ClaimFunctionName`.
    pub claim: String,
    /// The output `InstallationsFunctionName`.
    pub installations: String,
    /// The output `UninstallFunctionName`.
    pub uninstall: String,
}

/// Claims installs for this backend's users, lists what is connected, and disconnects.
#[derive(Debug, Clone)]
pub struct InstallationsClient {
    lambda: aws_sdk_lambda::Client,
    functions: Functions,
    caller: Option<String>,
    tokens: Option<TokenClient>,
}

/// What the return destination got, and what the user's session has.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// The `code` that the browser brought.
    pub code: &'a str,
    /// The verifier from the session of the user who is logged in.
    pub verifier: &'a str,
    /// This backend's own name for that user.
    pub subject: &'a str,
    /// Whether to accept another person or workspace than the one that was expected.
    pub accept_different_account: bool,
}

/// Without code and verifier.
impl fmt::Debug for Claim<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Claim");
        shown.field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// A page of installations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The installations.
    pub installations: Vec<Installation>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// What else a disconnect is to observe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disconnect {
    /// Only this generation, so that a late message does not remove a later install. For a person by Notion's ids.
    pub generation: Option<u64>,
    /// If the installation is removed, keep nothing about the person.
    pub forget: bool,
}

/// What a disconnect has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnected {
    /// Whether the installation was removed. Otherwise others are linked to it.
    pub removed: bool,
    /// Whether Notion has revoked its tokens already. Otherwise the stack keeps trying.
    pub revoked: bool,
    /// The generation that was removed or left; 0 if nobody was installed.
    pub generation: u64,
}

impl InstallationsClient {
    /// Invokes these functions.
    #[must_use]
    pub fn new(lambda: aws_sdk_lambda::Client, functions: Functions) -> Self {
        Self { lambda, functions, caller: None, tokens: None }
    }

    /// This backend's name in the audit log: printable ASCII, at most 256 characters.
    #[must_use]
    pub fn called(mut self, name: impl Into<String>) -> Self {
        self.caller = Some(name.into());
        self
    }

    /// Whoever disconnects loses what this client keeps for them. Otherwise call [`TokenClient::forget`] yourself.
    #[must_use]
    pub fn with_tokens(mut self, tokens: &TokenClient) -> Self {
        self.tokens = Some(tokens.clone());
        self
    }

    /// Links an install to one of this backend's users. Safe to repeat: the same claim gets the same answer.
    ///
    /// # Errors
    ///
    /// [`InstallationsError`].
    pub async fn claim(&self, claim: &Claim<'_>) -> Result<Installation, InstallationsError> {
        let mut input = Map::new();
        for (name, text) in
            [("code", claim.code), ("code_verifier", claim.verifier), ("subject", claim.subject)]
        {
            input.insert(name.to_owned(), text.into());
        }
        if claim.accept_different_account {
            input.insert("accept_different_account".to_owned(), true.into());
        }
        let answer = self.ask(&self.functions.claim, input).await?;
        Installation::read(&answer).ok_or(NotAnswered::Unreadable.into())
    }

    /// What a person has connected: a subject, everywhere or in one workspace, or a person by Notion's ids. `after` is
    /// the `next` of the page before.
    ///
    /// # Errors
    ///
    /// [`InstallationsError`].
    pub async fn installations(
        &self,
        person: &Person,
        after: Option<&str>,
    ) -> Result<Page, InstallationsError> {
        self.list(person.input(), after).await
    }

    /// What is connected in a workspace, by whomever.
    ///
    /// # Errors
    ///
    /// [`InstallationsError`].
    pub async fn installations_in(
        &self,
        workspace_id: &str,
        after: Option<&str>,
    ) -> Result<Page, InstallationsError> {
        let workspace_id = Value::from(canonical(workspace_id.to_owned()));
        self.list(Map::from_iter([("workspace_id".to_owned(), workspace_id)]), after).await
    }

    /// Disconnects. For a subject: it is unlinked, and if it was the last one, the grant goes back to Notion. For a
    /// person by Notion's ids: the installation is removed for everybody.
    ///
    /// # Errors
    ///
    /// [`InstallationsError`]; `NotInstalled` if it was done before.
    pub async fn disconnect(&self, person: &Person) -> Result<Disconnected, InstallationsError> {
        self.disconnect_with(person, Disconnect::default()).await
    }

    /// Disconnects, as [`disconnect`](Self::disconnect) does, with options.
    ///
    /// # Errors
    ///
    /// [`InstallationsError`]; also `OtherGeneration`.
    pub async fn disconnect_with(
        &self,
        person: &Person,
        options: Disconnect,
    ) -> Result<Disconnected, InstallationsError> {
        let mut input = person.input();
        if let Some(generation) = options.generation {
            input.insert("generation".to_owned(), generation.into());
        }
        if options.forget {
            input.insert("forget".to_owned(), true.into());
        }
        // Before and after: while it is under way, another call may fetch the token once more.
        self.forget(person);
        let answered = self.ask(&self.functions.uninstall, input).await;
        self.forget(person);
        let answer = answered?;
        let fields = Fields(&answer);
        let disconnected = || {
            Some(Disconnected {
                removed: fields.flag("removed")?,
                revoked: fields.flag("revoked")?,
                generation: fields.number("generation")?,
            })
        };
        disconnected().ok_or(NotAnswered::Unreadable.into())
    }

    fn forget(&self, person: &Person) {
        if let Some(tokens) = &self.tokens {
            tokens.forget(person);
        }
    }

    async fn list(
        &self,
        mut input: Map<String, Value>,
        after: Option<&str>,
    ) -> Result<Page, InstallationsError> {
        if let Some(after) = after {
            input.insert("after".to_owned(), after.into());
        }
        let answer = self.ask(&self.functions.installations, input).await?;
        let fields = Fields(&answer);
        let installations =
            fields.list("installations", Installation::read).ok_or(NotAnswered::Unreadable)?;
        Ok(Page { installations, next: fields.text("next") })
    }

    async fn ask(&self, function_name: &str, input: Map<String, Value>) -> Result<Value, InstallationsError> {
        let answered = invoke(&self.lambda, function_name, input, self.caller.as_deref()).await?;
        if answered.answer.get("error").is_none() {
            return Ok(answered.answer);
        }
        Err(refusal(&answered.answer, answered.request_id).unwrap_or(NotAnswered::Unreadable.into()))
    }
}
