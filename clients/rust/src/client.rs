//! Getting tokens: from the cache, from a request in flight, or from the token function.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::ready;

use crate::answer;
use crate::cache::{Cache, Kept};
use crate::clock::{Clock, SystemClock};
use crate::error::{CallError, TokenError};
use crate::flight::{Flights, Ticket};
use crate::invoke::invoke;
use crate::person::Person;
use crate::token::{Token, Wanted};

/// How long a token is kept by default. Not long: its owner may uninstall, and other processes may refresh it.
const KEPT_FOR: Duration = Duration::from_mins(5);
const MAX_KEPT_FOR: Duration = Duration::from_mins(15);
/// How long before it expires a token is dropped.
const MARGIN: Duration = Duration::from_mins(1);
/// The tokens of how many persons are kept.
const MAX_PERSONS: usize = 10_000;

/// Gets tokens. Create one per process; clones share the cache.
#[derive(Debug, Clone)]
pub struct TokenClient {
    lambda: aws_sdk_lambda::Client,
    function_name: String,
    caller: Option<String>,
    kept_for: Duration,
    cache: Arc<Mutex<Cache>>,
    flights: Arc<Flights>,
    clock: Arc<dyn Clock>,
}

impl TokenClient {
    /// Invokes the function with this name or ARN: the stack's output `TokenFunctionName`.
    #[must_use]
    pub fn new(lambda: aws_sdk_lambda::Client, function_name: impl Into<String>) -> Self {
        Self {
            lambda,
            function_name: function_name.into(),
            caller: None,
            kept_for: KEPT_FOR,
            cache: Arc::new(Mutex::new(Cache::of(MAX_PERSONS))),
            flights: Arc::default(),
            clock: Arc::new(SystemClock::start()),
        }
    }

    /// This backend's name in the audit log: printable ASCII, at most 256 characters.
    #[must_use]
    pub fn called(mut self, name: impl Into<String>) -> Self {
        self.caller = Some(name.into());
        self
    }

    /// How long a token is kept: five minutes by default, at most fifteen. Zero keeps none. A removed installation is
    /// noticed only when the function is asked again.
    #[must_use]
    pub fn keep_for(mut self, kept_for: Duration) -> Self {
        self.kept_for = kept_for.min(MAX_KEPT_FOR);
        self
    }

    /// A person's token, from the cache or from the function.
    ///
    /// # Errors
    ///
    /// [`TokenError`].
    pub async fn token(&self, person: &Person) -> Result<Token, TokenError> {
        self.get(person, &Wanted::Live).await
    }

    /// A token to replace this one, which Notion answered with 401 (not 403 or 404: those say nothing about the
    /// token). If another caller has already reported it, both get the result of that report.
    ///
    /// # Errors
    ///
    /// [`TokenError`].
    pub async fn refused(&self, person: &Person, token: &Token) -> Result<Token, TokenError> {
        self.get(person, &Wanted::OtherThan(token.fingerprint().to_owned())).await
    }

    /// Runs `call` with a token. If it returns [`CallError::Unauthorized`], runs it once more with another token.
    ///
    /// # Errors
    ///
    /// The error of `call`, or [`CallError::Token`] if there is no token. `Unauthorized` if both tokens were refused.
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

    /// Drops a person's token: by a subject alone, their tokens in all workspaces. The answer to a request in flight is
    /// not cached either.
    pub fn forget(&self, person: &Person) {
        self.flights.forget(person);
        self.cache().forget(person);
    }

    #[cfg(test)]
    pub(crate) fn at(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    async fn get(&self, person: &Person, wanted: &Wanted) -> Result<Token, TokenError> {
        let wanted = match self.kept(person, wanted) {
            Some(Kept::Token(token)) => return Ok(token),
            // The token function may still return the refused token.
            Some(Kept::Refused(fingerprint)) if *wanted == Wanted::Live => Wanted::OtherThan(fingerprint),
            Some(Kept::Refused(_)) | None => wanted.clone(),
        };
        let asking = self.flights.join_or_start(person, &wanted, |ticket| {
            // An invocation may have ended since: its token is cached before others can no longer join it.
            if let Some(Kept::Token(token)) = self.kept(person, &wanted) {
                return Box::pin(ready(Ok(token)));
            }
            let (client, person, wanted) = (self.clone(), person.clone(), wanted.clone());
            Box::pin(async move {
                let outcome = client.ask(&person, &wanted).await;
                client.settle(&person, &ticket, &outcome);
                client.flights.finish(&person, &wanted, &ticket);
                outcome
            })
        });
        asking.await
    }

    /// A cached entry that satisfies `wanted`. A refused token is dropped.
    fn kept(&self, person: &Person, wanted: &Wanted) -> Option<Kept> {
        let (mut cache, now) = (self.cache(), self.clock.elapsed());
        let kept = cache.get(person, now);
        match (kept, wanted) {
            (Some(Kept::Token(token)), Wanted::OtherThan(refused)) if token.fingerprint() == refused => {
                cache.refuse(person, refused, now, now + KEPT_FOR);
                Some(Kept::Refused(refused.clone()))
            }
            (kept, _) => kept,
        }
    }

    fn settle(&self, person: &Person, ticket: &Ticket, outcome: &Result<Token, TokenError>) {
        let now = self.clock.elapsed();
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
                | TokenError::Unclaimed
                | TokenError::Ambiguous(_)
                // The refused token is still valid. It is fetched again.
                | TokenError::RefusedButAlive { .. },
            ) => cache.remove(person),
            // A cached token, if there is one, is still valid.
            Err(_) => {}
        }
    }

    /// How long a token is kept. Never until it expires.
    fn keeps(&self, token: &Token) -> Duration {
        let Some(expires_at) = token.expires_at() else { return self.kept_for };
        let left = Duration::from_secs(expires_at).saturating_sub(self.clock.since_epoch());
        self.kept_for.min(left.saturating_sub(MARGIN))
    }

    async fn ask(&self, person: &Person, wanted: &Wanted) -> Result<Token, TokenError> {
        let mut input = person.input();
        if let Wanted::OtherThan(fingerprint) = wanted {
            input.insert("refused_fingerprint".to_owned(), fingerprint.as_str().into());
        }
        let answered = invoke(&self.lambda, &self.function_name, input, self.caller.as_deref()).await?;
        answer::read(&answered.answer, answered.request_id)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
