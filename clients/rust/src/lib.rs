//! What a Rust backend needs of a `notion-install` stack: to connect its users to Notion, and to call Notion for them.
//!
//! [`begin()`] makes the install URL of a user, with a verifier that stays in their session. When they come back, an
//! [`InstallationsClient`] claims the installation with it, lists what a user has, and disconnects them. A
//! [`WebhookVerifier`] reads the events that the stack sends.
//!
//! A [`TokenClient`] invokes the function with the [`aws_sdk_lambda::Client`] that you configured, keeps its answers
//! for a few minutes, and asks for another token when Notion refuses one. Per process, one question about a person is
//! in flight at a time. Callers with the same question share its answer.
//!
//! ```no_run
//! use notion_token_client::{CallError, Person, TokenClient};
//!
//! # async fn example(lambda: aws_sdk_lambda::Client, http: reqwest::Client) -> Result<(), Box<dyn std::error::Error>> {
//! let tokens = TokenClient::new(lambda, "the output TokenFunctionName").called("the billing job");
//! let ada = Person::subject("the user's id in your database");
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
//! The function answers within its 25 seconds; while another process refreshes, it waits. Give the Lambda client an
//! attempt timeout above that, or none. Disable its stalled-stream protection
//! (`StalledStreamProtectionConfig::disabled()`): it takes a few quiet seconds for a dead connection, and it is on by
//! default, even with an HTTP client of your own. At the level TRACE, the SDK's own crates may log answers, including
//! tokens: keep them at `WARN`.

mod answer;
mod begin;
mod cache;
mod client;
mod clock;
mod error;
mod event;
mod fields;
mod flight;
mod installation;
mod installations;
mod invoke;
mod onboarding;
mod person;
mod token;
#[cfg(test)]
mod vectors;
mod webhook;

pub use begin::{Begun, NoRandomness, begin};
pub use client::TokenClient;
pub use error::{CallError, InstallationsError, TokenError};
pub use event::{Event, EventData, ForgottenEvent, InstallEvent, InstallationEvent, OnboardingEvent};
pub use installation::Installation;
pub use installations::{Claim, Disconnect, Disconnected, Functions, InstallationsClient, Page};
pub use invoke::NotAnswered;
pub use onboarding::{Onboarding, Resource};
pub use person::Person;
pub use token::Token;
pub use webhook::{InvalidSecret, InvalidWebhook, WebhookVerifier};

/// Compiles the examples in the document.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/backend.md")]
struct Documented;
