//! The sessions of the app's users, in memory. What an app keeps of a connect belongs here: the verifier never leaves
//! the server, and only the user who began has it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, header};
use shared::random::{Random, attempt};
use shared::secret::CodeVerifier;

/// The users of the app. Anyone may sign in as either.
pub(super) const USERS: [&str; 2] = ["anna", "ben"];
const COOKIE: &str = "__Host-sample_app";
/// How many connects one session may have open. Beyond that, the oldest is dropped.
const MAX_BEGUN: usize = 8;

/// A connect that a user has begun.
#[derive(Clone)]
pub(super) struct Begun {
    pub(super) state: String,
    pub(super) verifier: CodeVerifier,
    /// Whether it is in a window of its own.
    pub(super) in_popup: bool,
}

/// A user who has signed in.
#[derive(Clone, Default)]
pub(super) struct Session {
    pub(super) user: String,
    begun: Vec<Begun>,
    /// The result of the last button.
    said: Option<String>,
}

/// All sessions, by the value of their cookie.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

impl Sessions {
    /// Signs a user in, in a new session. Returns the `Set-Cookie` value: Lax, because Notion sends the browser back by
    /// a cross-site navigation.
    pub(super) fn sign_in(&self, user: &str, random: &dyn Random) -> String {
        let id = attempt(random) + &attempt(random);
        self.lock().insert(id.clone(), Session { user: user.to_owned(), ..Session::default() });
        format!("{COOKIE}={id}; Path=/; Secure; HttpOnly; SameSite=Lax")
    }

    /// The user of a request.
    pub(super) fn user(&self, headers: &HeaderMap) -> Option<String> {
        self.of(headers, |session| session.user.clone())
    }

    /// Remembers a connect.
    pub(super) fn begin(&self, headers: &HeaderMap, begun: Begun) {
        self.of(headers, |session| {
            session.begun.push(begun);
            let surplus = session.begun.len().saturating_sub(MAX_BEGUN);
            session.begun.drain(..surplus);
        });
    }

    /// The connect with this state, if this user began it. It stays, so that a reload of the return page works.
    pub(super) fn begun(&self, headers: &HeaderMap, state: &str) -> Option<Begun> {
        self.of(headers, |session| session.begun.iter().find(|begun| begun.state == state).cloned())?
    }

    /// Keeps what a button said, until the next page.
    pub(super) fn say(&self, headers: &HeaderMap, said: String) {
        self.of(headers, |session| session.said = Some(said));
    }

    pub(super) fn said(&self, headers: &HeaderMap) -> Option<String> {
        self.of(headers, |session| session.said.take())?
    }

    fn of<T>(&self, headers: &HeaderMap, look: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|header| header.to_str().ok());
        let mut pairs =
            cookies.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let id = pairs.find(|(name, _)| *name == COOKIE)?.1.to_owned();
        self.lock().get_mut(&id).map(look)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
