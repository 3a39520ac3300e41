//! An app that sends people to us: its side of the flow, as its backend would do it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};
use shared::pkce::{self, CodeChallenge};
use shared::query::{Query, encode};
use shared::random::{self, OsRandom};
use simulated_notion::{Approval, EDSGER, GLOBEX, HANDBOOK};

use crate::harness::{Browser, Page, World};

/// One install that the app has begun: what it keeps in its user's session.
pub(crate) struct Begun {
    pub(crate) verifier: String,
    pub(crate) state: String,
}

/// What the app's return page got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Returned {
    pub(crate) code: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) iss: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) error_description: Option<String>,
}

impl Begun {
    /// Draws a verifier and a state. Neither may ever appear in a log or a store.
    pub(crate) fn new(world: &World) -> Self {
        let begun = Self {
            verifier: URL_SAFE_NO_PAD.encode(random::bytes::<32>(&OsRandom)),
            state: format!("app-state {}", random::attempt(&OsRandom)),
        };
        world.leaks.secret(&begun.verifier);
        world.leaks.secret(&begun.state);
        begun
    }

    pub(crate) fn challenge(&self) -> String {
        CodeChallenge::of(&pkce::verifier(&self.verifier).unwrap()).to_text()
    }

    /// The link to `/install`.
    pub(crate) fn link(&self, world: &World, more: &str) -> String {
        let (challenge, state) = (self.challenge(), encode(&self.state));
        world.url(&format!("/install?return_to=app&code_challenge={challenge}&state={state}{more}"))
    }

    /// The claim of the app's backend for its user `subject`.
    pub(crate) fn claim(&self, returned: &Returned, subject: &str) -> Value {
        json!({
            "code": returned.code,
            "code_verifier": self.verifier,
            "subject": subject,
            "caller": "the app",
        })
    }
}

impl Returned {
    /// Reads the redirect to the app.
    pub(crate) fn read(world: &World, page: &Page) -> Self {
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:?}");
        let (destination, query) = page.location().split_once('?').unwrap();
        assert_eq!(destination, world.url("/app/back"));
        let query = Query::parse(query).unwrap();
        let one = |name: &'static str| query.one(name).unwrap().map(str::to_owned);
        let returned = Self {
            code: one("code"),
            state: one("state"),
            iss: one("iss"),
            error: one("error"),
            error_description: one("error_description"),
        };
        if let Some(code) = &returned.code {
            world.leaks.secret(code);
        }
        returned
    }
}

impl Browser<'_> {
    /// Opens the app's link, and returns the URL to which it redirects.
    pub(crate) async fn begin(&self, begun: &Begun, more: &str) -> String {
        let page = self.get(&begun.link(self.world, more)).await;
        assert_eq!(page.status, StatusCode::FOUND, "{}", page.body);
        let authorize = page.location().to_owned();
        self.world.leaks.secret(authorize.split("state=").nth(1).unwrap());
        authorize
    }

    /// From the app's link back to the app.
    pub(crate) async fn connect(&self, begun: &Begun, change: impl FnOnce(&mut Approval)) -> Returned {
        let authorize = self.begin(begun, "").await;
        let callback = self.allow(&authorize, change);
        let page = self.follow(&callback).await;
        Returned::read(self.world, &page)
    }
}

/// Approves in the other workspace, as Edsger.
pub(crate) fn in_globex(approval: &mut Approval) {
    (approval.workspace, approval.person) = (GLOBEX.to_owned(), EDSGER.to_owned());
    approval.pages = vec![HANDBOOK.to_owned()];
}

impl World {
    /// One user of the app connects, as Ada of Acme unless changed, and the app claims it for `subject`.
    pub(crate) async fn connected(&self, subject: &str, change: impl FnOnce(&mut Approval)) -> Value {
        let begun = Begun::new(self);
        let returned = self.browser().connect(&begun, change).await;
        let claimed = self.ask("claim", begun.claim(&returned, subject)).await;
        assert!(claimed["error"].is_null(), "{claimed}");
        claimed
    }
}
