//! Live Notion access tokens for a Rust backend, from the token function of a `notion-install` stack.
//!
//! A [`TokenClient`] invokes the function with the [`aws_sdk_lambda::Client`] that you configured, keeps what it answers for
//! a few minutes, and asks for another token when Notion refuses one. Per process one question about a person is under way
//! at a time: whoever has the same one waits for that answer.
//!
//! ```no_run
//! use notion_token_client::{CallError, Person, TokenClient};
//!
//! # async fn example(lambda: aws_sdk_lambda::Client, http: reqwest::Client) -> Result<(), Box<dyn std::error::Error>> {
//! let tokens = TokenClient::new(lambda, "the output TokenFunctionName").called("the billing job");
//! let ada = Person::user("acae0000-0000-4000-8000-0000000000a1", "ada00000-0000-4000-8000-000000000001");
//! let me = tokens
//!     .call(&ada, async |token| {
//!         let me = http.get("https://api.notion.com/v1/users/me").header("notion-version", "2026-03-11");
//!         let answer = me.bearer_auth(token.access_token()).send().await?;
//!         if answer.status() == 401 {
//!             return Err(CallError::Unauthorized);
//!         }
//!         Ok(answer.error_for_status()?.text().await?)
//!     })
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What to configure
//!
//! The function answers within its 25 seconds: while somebody else refreshes, it waits. Give the Lambda client an attempt
//! timeout above that, or none. At the level TRACE the SDK's own crates may log what was answered, tokens included: hold
//! them at `WARN`.

mod answer;
mod cache;
mod error;
mod flight;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::operation::RequestId as _;
use aws_sdk_lambda::primitives::Blob;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use cache::Cache;
pub use error::{CallError, TokenError};
use flight::Flights;

/// How long a token is kept unless you say otherwise: its owner may uninstall, and other processes may have refreshed.
const KEPT_FOR: Duration = Duration::from_mins(5);
const MAX_KEPT_FOR: Duration = Duration::from_mins(15);
/// How many persons' tokens are kept.
const MAX_PERSONS: usize = 10_000;

/// Whose token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Person {
    /// Notion's id of the workspace.
    pub workspace_id: String,
    /// Notion's id of the person; `None` if the workspace owns the installation.
    pub user_id: Option<String>,
}

impl Person {
    /// A person who has installed for themselves.
    #[must_use]
    pub fn user(workspace_id: impl Into<String>, user_id: impl Into<String>) -> Self {
        Self { workspace_id: workspace_id.into(), user_id: Some(user_id.into()) }
    }

    /// A workspace that owns its installation.
    #[must_use]
    pub fn workspace(workspace_id: impl Into<String>) -> Self {
        Self { workspace_id: workspace_id.into(), user_id: None }
    }
}

/// A live access token. Cheap to clone; wiped when the last clone goes.
#[derive(Clone)]
pub struct Token(Arc<Answered>);

struct Answered {
    access_token: SecretString,
    fingerprint: String,
    version: u64,
}

impl Token {
    /// The token itself: for the `Authorization` header and nothing else.
    #[must_use]
    pub fn access_token(&self) -> &str {
        self.0.access_token.expose_secret()
    }

    /// Names the token without giving it away: may be logged.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// How often the installation has changed.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.version
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut token = formatter.debug_struct("Token");
        token.field("fingerprint", &self.fingerprint()).field("version", &self.version());
        token.finish_non_exhaustive()
    }
}

/// Which token is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wish {
    Live,
    /// Another one than the one with this fingerprint, which Notion refused.
    Instead(String),
}

/// Gets tokens. One per process; clones share what is kept.
#[derive(Debug, Clone)]
pub struct TokenClient {
    lambda: aws_sdk_lambda::Client,
    function_name: String,
    caller: Option<String>,
    kept_for: Duration,
    cache: Arc<Mutex<Cache>>,
    flights: Arc<Flights>,
}

impl TokenClient {
    /// Asks the function of this name or ARN: the stack's output `TokenFunctionName`.
    #[must_use]
    pub fn new(lambda: aws_sdk_lambda::Client, function_name: impl Into<String>) -> Self {
        Self {
            lambda,
            function_name: function_name.into(),
            caller: None,
            kept_for: KEPT_FOR,
            cache: Arc::new(Mutex::new(Cache::of(MAX_PERSONS))),
            flights: Arc::default(),
        }
    }

    /// What this backend calls itself in the audit: printable ASCII, at most 256 characters.
    #[must_use]
    pub fn called(mut self, name: impl Into<String>) -> Self {
        self.caller = Some(name.into());
        self
    }

    /// How long a token is kept: by default five minutes, at most fifteen; zero keeps none. What the function says of an
    /// installation that is gone is heard only when it is asked.
    #[must_use]
    pub fn keep_for(mut self, kept_for: Duration) -> Self {
        self.kept_for = kept_for.min(MAX_KEPT_FOR);
        self
    }

    /// A person's token: the one that is kept, else what the function answers.
    ///
    /// # Errors
    ///
    /// [`TokenError`].
    pub async fn token(&self, person: &Person) -> Result<Token, TokenError> {
        self.wished(person, &Wish::Live).await
    }

    /// Another token than this one, which Notion answered with 401 (not 403, not 404: those say nothing about the token).
    /// Where somebody has reported it before, what came of that.
    ///
    /// # Errors
    ///
    /// [`TokenError`].
    pub async fn refused(&self, person: &Person, token: &Token) -> Result<Token, TokenError> {
        self.wished(person, &Wish::Instead(token.fingerprint().to_owned())).await
    }

    /// Runs `call` with a token; if it says [`CallError::Unauthorized`], once more with another one.
    ///
    /// # Errors
    ///
    /// What the call says, and [`CallError::Token`] if there is no token. `Unauthorized` if both were refused.
    pub async fn call<T, E, F>(
        &self,
        person: &Person,
        mut call: impl FnMut(Token) -> F,
    ) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, CallError<E>>>,
    {
        let token = self.token(person).await.map_err(CallError::Token)?;
        match call(token.clone()).await {
            Err(CallError::Unauthorized) => {
                let other = self.refused(person, &token).await.map_err(CallError::Token)?;
                call(other).await
            }
            done => done,
        }
    }

    /// Keeps a person's token no longer, as after uninstalling them.
    pub fn forget(&self, person: &Person) {
        self.cache().remove(person);
    }

    async fn wished(&self, person: &Person, wish: &Wish) -> Result<Token, TokenError> {
        if let Some(token) = self.kept(person, wish) {
            return Ok(token);
        }
        let seat = self.flights.board(person);
        let mut turn = seat.turn().await;
        if let Some(landed) = turn.landed_meanwhile(wish) {
            return landed;
        }
        if let Some(token) = self.kept(person, wish) {
            return Ok(token);
        }
        let outcome = self.ask(person, wish).await;
        self.settle(person, &outcome);
        turn.land(wish, &outcome);
        outcome
    }

    /// A kept token that meets the wish. One that was refused is kept no longer.
    fn kept(&self, person: &Person, wish: &Wish) -> Option<Token> {
        let mut cache = self.cache();
        let token = cache.get(person, Instant::now())?;
        if matches!(wish, Wish::Instead(refused) if token.fingerprint() == refused) {
            cache.remove(person);
            return None;
        }
        Some(token)
    }

    fn settle(&self, person: &Person, outcome: &Result<Token, TokenError>) {
        let now = Instant::now();
        match outcome {
            Ok(token) => self.cache().put(person, token, now, now + self.kept_for),
            Err(
                TokenError::NotInstalled { .. }
                | TokenError::NeedsReinstall { .. }
                | TokenError::Removed { .. },
            ) => self.cache().remove(person),
            // The token that is kept, if one is, is as good as before.
            Err(_) => {}
        }
    }

    async fn ask(&self, person: &Person, wish: &Wish) -> Result<Token, TokenError> {
        let refused = match wish {
            Wish::Live => Value::Null,
            Wish::Instead(fingerprint) => fingerprint.as_str().into(),
        };
        let input = json!({
            "workspace_id": person.workspace_id,
            "user_id": person.user_id,
            "refused_fingerprint": refused,
            "caller": self.caller,
        });
        let asking = self.lambda.invoke().function_name(&self.function_name);
        let answer = asking.payload(Blob::new(input.to_string())).send().await.map_err(not_invoked)?;
        if answer.function_error().is_some() {
            return Err(TokenError::FunctionError { request_id: answer.request_id().map(str::to_owned) });
        }
        answer::read(answer.payload().map(Blob::as_ref).unwrap_or_default(), answer.request_id())
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without the response: what did not come through as an answer may still hold one.
fn not_invoked<E, R>(error: SdkError<E, R>) -> TokenError
where
    E: Into<aws_sdk_lambda::Error>,
    aws_sdk_lambda::Error: From<SdkError<E, R>>,
{
    let error = match error {
        SdkError::ResponseError(_) => return TokenError::Unreadable,
        SdkError::ServiceError(said) => said.into_err().into(),
        not_answered => not_answered.into(),
    };
    TokenError::Invoke(Arc::new(error))
}

/// Compiles what the document shows.
#[cfg(doctest)]
#[doc = include_str!("../../docs/backend.md")]
struct Documented;
