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
//! timeout above that, or none, and switch its stalled-stream protection off, which takes a quiet wait of some seconds for a
//! dead connection (`StalledStreamProtectionConfig::disabled()`; it is on by default, also with an HTTP client of your own). At
//! the level TRACE the SDK's own crates may log what was answered, tokens included: hold
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
use cache::{Cache, Kept};
pub use error::{CallError, TokenError};
use flight::{Flights, Ticket};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

/// How long a token is kept unless you say otherwise: its owner may uninstall, and other processes may have refreshed.
const KEPT_FOR: Duration = Duration::from_mins(5);
const MAX_KEPT_FOR: Duration = Duration::from_mins(15);
/// How long before its end a token is kept no longer.
const MARGIN: Duration = Duration::from_mins(1);
/// How many persons' tokens are kept.
const MAX_PERSONS: usize = 10_000;

/// Whose token. One UUID is one id, with dashes or without, in whichever case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Person {
    workspace_id: String,
    user_id: Option<String>,
}

impl Person {
    /// A person who has installed for themselves.
    #[must_use]
    pub fn user(workspace_id: impl Into<String>, user_id: impl Into<String>) -> Self {
        Self { workspace_id: canonical(workspace_id.into()), user_id: Some(canonical(user_id.into())) }
    }

    /// A workspace that owns its installation.
    #[must_use]
    pub fn workspace(workspace_id: impl Into<String>) -> Self {
        Self { workspace_id: canonical(workspace_id.into()), user_id: None }
    }

    /// Notion's id of the workspace.
    #[must_use]
    pub fn workspace_id(&self) -> &str {
        &self.workspace_id
    }

    /// Notion's id of the person; none if the workspace owns the installation.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }
}

/// An id in the spelling that the token function uses, if it is a UUID; else as it is.
fn canonical(id: String) -> String {
    let digits: String = id.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return id;
    }
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// A live access token. Cheap to clone; wiped when the last clone goes.
#[derive(Clone)]
pub struct Token(Arc<Answered>);

struct Answered {
    access_token: SecretString,
    fingerprint: String,
    version: u64,
    expires_at: Option<u64>,
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

    /// When the token ends, in seconds since the epoch, where Notion said so. It says so of none today.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.0.expires_at
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Wish {
    Live,
    /// Another one than the one with this fingerprint, which Notion refused.
    OtherThan(String),
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
        self.wished(person, &Wish::OtherThan(token.fingerprint().to_owned())).await
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

    /// Keeps a person's token no longer, as after uninstalling them. An answer that is still under way is not kept either.
    pub fn forget(&self, person: &Person) {
        self.flights.forget(person);
        self.cache().remove(person);
    }

    async fn wished(&self, person: &Person, wish: &Wish) -> Result<Token, TokenError> {
        let wish = match self.kept(person, wish) {
            Some(Kept::Token(token)) => return Ok(token),
            // The token function may still have the one that was refused.
            Some(Kept::Refused(fingerprint)) if *wish == Wish::Live => Wish::OtherThan(fingerprint),
            Some(Kept::Refused(_)) | None => wish.clone(),
        };
        let asking = self.flights.board(person, &wish, |ticket| {
            let (client, person, wish) = (self.clone(), person.clone(), wish.clone());
            Box::pin(async move {
                let outcome = client.ask(&person, &wish).await;
                client.settle(&person, &ticket, &outcome);
                client.flights.land(&person, &wish, &ticket);
                outcome
            })
        });
        asking.await
    }

    /// What is known that meets the wish. A token that was refused is kept no longer.
    fn kept(&self, person: &Person, wish: &Wish) -> Option<Kept> {
        let (mut cache, now) = (self.cache(), Instant::now());
        let kept = cache.get(person, now);
        match (kept, wish) {
            (Some(Kept::Token(token)), Wish::OtherThan(refused)) if token.fingerprint() == refused => {
                cache.refuse(person, refused, now, now + KEPT_FOR);
                Some(Kept::Refused(refused.clone()))
            }
            (kept, _) => kept,
        }
    }

    fn settle(&self, person: &Person, ticket: &Ticket, outcome: &Result<Token, TokenError>) {
        let now = Instant::now();
        let mut cache = self.cache();
        if ticket.is_void() {
            return;
        }
        match outcome {
            Ok(token) => cache.put(person, token, now, now + self.keeps(token)),
            Err(
                TokenError::NotInstalled { .. }
                | TokenError::NeedsReinstall { .. }
                | TokenError::Removed { .. }
                // The one that was refused is as good as before: it is fetched again.
                | TokenError::RefusedButAlive { .. },
            ) => cache.remove(person),
            // The token that is kept, if one is, is as good as before.
            Err(_) => {}
        }
    }

    /// For how long a token is kept: never up to its end.
    fn keeps(&self, token: &Token) -> Duration {
        let Some(expires_at) = token.expires_at() else { return self.kept_for };
        #[expect(clippy::disallowed_methods, reason = "a backend's own crate: it has no clock of ours")]
        let since_epoch =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_secs(expires_at).saturating_sub(since_epoch);
        self.kept_for.min(left.saturating_sub(MARGIN))
    }

    async fn ask(&self, person: &Person, wish: &Wish) -> Result<Token, TokenError> {
        let refused = match wish {
            Wish::Live => Value::Null,
            Wish::OtherThan(fingerprint) => fingerprint.as_str().into(),
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
