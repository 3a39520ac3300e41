//! The app's routes. `/app/back` is the return destination `app` of the dev stack.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Form, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::install_request::MAX_UI_LOCALES_BYTES;
use shared::pkce::{self, CodeChallenge};
use shared::query::{Query, encode};
use shared::random::{attempt, bytes};

use super::backend::Backend;
use super::page::{AppPage, Connection, ConnectionsList, PopupPage, connected, render};
use super::sessions::{Begun, Sessions, USERS};
use super::webhooks::Arrivals;
use crate::front::OwnForm;
use crate::inside::Inside;

/// The app's state.
struct App {
    inside: Arc<Inside>,
    sessions: Sessions,
    backend: Backend,
    arrivals: Arrivals,
}

/// The app's routes.
pub(crate) fn router(inside: Arc<Inside>, http: reqwest::Client) -> Router<Arc<Inside>> {
    let notion_url = inside.notion.as_ref().map(simulated_notion::Simulator::base_url);
    let backend = Backend {
        http,
        stack_url: inside.url.clone(),
        notion_url: notion_url.unwrap_or_else(|| shared::config::NOTION_BASE_URL.to_owned()),
    };
    let app = Arc::new(App { inside, sessions: Sessions::default(), backend, arrivals: Arrivals::default() });
    Router::new()
        .route("/app", get(home))
        .route("/app/about", get(about))
        .route("/app/logo.svg", get(logo))
        .route("/app/connections", get(connections))
        .route("/app/sign-in", post(sign_in))
        .route("/app/connect", get(connect))
        .route("/app/back", get(back))
        .route("/app/call-notion", post(call_notion))
        .route("/app/disconnect", post(disconnect))
        .route("/app/webhook", post(webhook))
        .with_state(app)
}

async fn home(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    app.page(&headers, StatusCode::OK, None).await
}

/// What the links at the foot of the stack's pages lead to.
async fn about() -> Html<&'static str> {
    Html(include_str!("../../templates/app_about.html"))
}

async fn logo() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml")], include_str!("../../templates/app_logo.svg"))
}

/// The list of connections on the page.
async fn connections(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let Some(user) = app.sessions.user(&headers) else { return StatusCode::FORBIDDEN.into_response() };
    page(StatusCode::OK, render(&ConnectionsList { connections: app.connections(&user).await }))
}

#[derive(serde::Deserialize)]
struct SignIn {
    user: String,
}

async fn sign_in(State(app): State<Arc<App>>, headers: HeaderMap, Form(form): Form<SignIn>) -> Response {
    if !app.is_own_form(&headers) || !USERS.contains(&form.user.as_str()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let cookie = app.sessions.sign_in(&form.user, &*app.inside.random);
    let mut response = Redirect::to("/app").into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Begins a connect: draws a verifier, keeps it in the user's session, and sends the browser to `/install`.
async fn connect(State(app): State<Arc<App>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    if app.sessions.user(&headers).is_none() {
        return Redirect::to("/app").into_response();
    }
    let random = &*app.inside.random;
    let Some(verifier) = pkce::verifier(&URL_SAFE_NO_PAD.encode(bytes::<32>(random))) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let query = Query::parse(&query.unwrap_or_default()).ok();
    let asked = |name: &'static str| query.as_ref().and_then(|query| query.one(name).ok().flatten());
    let (challenge, state) = (CodeChallenge::of(&verifier).to_text(), attempt(random));
    let mut link = format!("/install?return_to=app&code_challenge={challenge}&state={}", encode(&state));
    if let Some(installation) = asked("expect") {
        link = format!("{link}&expect={}", encode(installation));
    }
    // An app that has the user's language in a setting names that one.
    if let Some(languages) = ui_locales(&headers) {
        link = format!("{link}&ui_locales={}", encode(&languages));
    }
    app.sessions.begin(&headers, Begun { state, verifier, in_popup: asked("popup").is_some() });
    Redirect::to(&link).into_response()
}

/// The browser's languages as `ui_locales` (OpenID Connect Core §3.1.2.1), in the order in which it lists them.
fn ui_locales(headers: &HeaderMap) -> Option<String> {
    let ranges = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?.split(',');
    let tags = ranges.filter_map(|range| range.split(';').next()).map(str::trim).filter(|tag| *tag != "*");
    let tags = tags.collect::<Vec<_>>().join(" ");
    (1..=MAX_UI_LOCALES_BYTES).contains(&tags.len()).then_some(tags)
}

/// The browser comes back. The app claims for the user who is logged in, with the verifier from their session.
async fn back(State(app): State<Arc<App>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let refuse = async |text: &str| app.page(&headers, StatusCode::BAD_REQUEST, Some(text.to_owned())).await;
    let Ok(query) = Query::parse(&query.unwrap_or_default()) else {
        return refuse("The address is not complete.").await;
    };
    let one = |name: &'static str| query.one(name).ok().flatten();
    if one("iss") != Some(app.inside.url.as_str()) {
        return refuse("This answer is from somewhere else.").await;
    }
    let user = app.sessions.user(&headers);
    let begun = one("state").and_then(|state| app.sessions.begun(&headers, state));
    let (Some(user), Some(begun)) = (user, begun) else {
        return refuse("You did not begin this connection here, so nothing was connected.").await;
    };
    let said = match (one("code"), one("error")) {
        (Some(code), None) => {
            let claimed = app.backend.claim(&*app.inside.clock, code, &begun.verifier, &user).await;
            match claimed.problem() {
                None => connected(&claimed.body),
                Some(problem) => return refuse(&problem).await,
            }
        }
        (None, Some(error)) => {
            format!("Not connected ({error}, {})", one("error_description").unwrap_or_default())
        }
        _ => return refuse("The address is not complete.").await,
    };
    if begun.in_popup {
        return page(StatusCode::OK, render(&PopupPage { said }));
    }
    app.sessions.say(&headers, said);
    // Neither code nor state stays in the address bar.
    Redirect::to("/app").into_response()
}

/// The connection that a button belongs to.
#[derive(serde::Deserialize)]
struct Chosen {
    workspace_id: String,
    #[serde(default)]
    user_id: String,
}

impl Chosen {
    fn named(&self) -> [(&'static str, String); 2] {
        [("workspace_id", self.workspace_id.clone()), ("user_id", self.user_id.clone())]
    }
}

async fn call_notion(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Form(chosen): Form<Chosen>,
) -> Response {
    app.press(&headers, async |user: &str| {
        let me = app.backend.me(&*app.inside.clock, user, &chosen.named()).await;
        let owner = &me.body["bot"]["owner"]["user"];
        let name = owner["name"].as_str().or(owner["id"].as_str()).unwrap_or("somebody");
        match me.problem() {
            None => format!("Notion says: you are {name}"),
            Some(problem) => problem,
        }
    })
    .await
}

async fn disconnect(State(app): State<Arc<App>>, headers: HeaderMap, Form(chosen): Form<Chosen>) -> Response {
    app.press(&headers, async |user: &str| {
        let done = app.backend.disconnect(&*app.inside.clock, user, &chosen.named()).await;
        match (done.problem(), done.body["removed"].as_bool()) {
            (Some(problem), _) => problem,
            (None, Some(true)) => "Disconnected; Notion has revoked the access".to_owned(),
            (None, _) => "Disconnected; somebody else here still uses this Notion account".to_owned(),
        }
    })
    .await
}

/// Receives the webhooks of the stack.
async fn webhook(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    app.arrivals.take(&app.inside.webhook_secret(), &headers, &body)
}

impl App {
    fn is_own_form(&self, headers: &HeaderMap) -> bool {
        OwnForm::is_sent_by(headers, &self.inside.url)
    }

    /// Does what a button is for, for the user who pressed it.
    async fn press(&self, headers: &HeaderMap, act: impl AsyncFnOnce(&str) -> String) -> Response {
        match self.sessions.user(headers) {
            Some(user) if self.is_own_form(headers) => self.sessions.say(headers, act(&user).await),
            _ => return StatusCode::FORBIDDEN.into_response(),
        }
        Redirect::to("/app").into_response()
    }

    async fn connections(&self, user: &str) -> Vec<Connection> {
        let listed = self.backend.installations(&*self.inside.clock, user).await.body;
        listed["installations"].as_array().into_iter().flatten().map(Connection::of).collect()
    }

    async fn page(&self, headers: &HeaderMap, status: StatusCode, problem: Option<String>) -> Response {
        let user = self.sessions.user(headers);
        let connections = match &user {
            Some(user) => self.connections(user).await,
            None => Vec::new(),
        };
        let app_page = AppPage {
            user,
            users: &USERS,
            said: self.sessions.said(headers),
            problem,
            connections,
            arrived: self.arrivals.all(),
        };
        page(status, render(&app_page))
    }
}

fn page(status: StatusCode, html: String) -> Response {
    // With `no-referrer`, browsers send forms with the origin `null`.
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::REFERRER_POLICY, "same-origin")];
    (status, headers, Html(html)).into_response()
}
