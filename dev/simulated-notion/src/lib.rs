//! A simulated Notion, for tests and for local development: OAuth, content, and the workspace in a browser.
//!
//! It covers the whole flow of a public connection: authorization request, consent page, exchange, refresh,
//! introspection, revocation and `GET /v1/users/me`; and what it then does with its token: pages, databases, data
//! sources, views, blocks, search. What was made is in [`Simulator::content`]; what people do with it, in
//! [`Simulator::delete`] and its neighbours. Every behaviour that Notion does not document is a switch in
//! [`Settings`]. Everything that can go wrong on the wire is a [`Fault`]. Time and randomness are set in [`Options`],
//! so a run can be repeated exactly. What it starts with can be a seed file: [`Options::from_seed_file`]. Tests in other
//! languages do all of this over HTTP. It listens on 127.0.0.1 unless told
//! otherwise.
//!
//! ```
//! use simulated_notion::{ACME, ADA, Approval, Connection, Endpoint, Fault, Options, ROADMAP, Simulator};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let notion = Simulator::start(Options {
//!     connections: vec![Connection::new("client", "secret", "http://localhost:3000/callback")],
//!     random_seed: Some(1),
//!     ..Options::default()
//! })
//! .await?;
//!
//! // A person allows the app, without a browser.
//! let redirect = notion.approve(Approval {
//!     authorize_query: "client_id=client&redirect_uri=http://localhost:3000/callback\
//!                       &response_type=code&owner=user&state=s"
//!         .to_owned(),
//!     person: ADA.to_owned(),
//!     workspace: ACME.to_owned(),
//!     pages: vec![ROADMAP.to_owned()],
//!     ..Approval::default()
//! })?;
//! assert_eq!(redirect.parameter("state").as_deref(), Some("s"));
//!
//! // The next token request is processed, but its answer gets lost.
//! notion.inject(Endpoint::Token, Fault::LostReply, 1);
//! let token_endpoint = format!("{}/v1/oauth/token", notion.base_url());
//! // … point the app at `token_endpoint`, hand it `redirect.location`, then look at what arrived:
//! assert_eq!(notion.count(Endpoint::Token), 0);
//! # let _ = token_endpoint;
//! # Ok(())
//! # }
//! ```

mod address;
mod api;
mod authorize;
mod beginning;
mod body;
mod clock;
mod connection;
mod consent;
mod content;
mod control;
mod dashboard;
mod endpoint;
mod error;
mod faulty;
mod grant;
mod inspect;
mod limits;
mod notion;
mod pages;
mod random;
mod recorder;
mod request;
mod seed;
mod server;
mod settings;
mod simulator;
mod switches;
#[cfg(feature = "tls")]
mod tls;
mod token;
mod traffic;
pub mod wire;
mod workspace;
mod workspace_view;
mod world;

pub use authorize::{Approval, Redirect};
pub use connection::{Capabilities, Connection, InstallationScope, UserInformation};
pub use content::report::{Content, Item, ItemKind};
pub use content::template::{RowTemplate, Template, TemplateDatabase, TemplateRow};
pub use endpoint::Endpoint;
pub use error::NotionError;
pub use grant::Grant;
pub use limits::{RateCounter, RateScope};
pub use seed::SeedError;
pub use settings::{
    ErrorShape, IatUnit, OldPair, OutsideScope, OwnerShape, RateLimitCounts, RefreshTokenOnExchange,
    RevokeReach, Rotation, SecondUse, Settings, UnknownIntrospection, UnknownRevocation, Urls, WorkspaceIcon,
};
pub use simulator::{Options, Simulator};
#[cfg(feature = "tls")]
pub use tls::TlsIdentity;
pub use traffic::{Fault, Injection, Recorded};
pub use workspace::{
    ACME, ADA, EDSGER, GLOBEX, GRACE, HANDBOOK, MEETING_NOTES, Page, Person, ROADMAP, SALARIES, Workspace,
    sample_workspaces,
};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
