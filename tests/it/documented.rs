//! Two programs in docs/backend.md, run as they are printed there: the one in Rust, and the plain one in Python.
//! `tests/third_party/backend_clients.py` runs the other two, with what they need from elsewhere.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;

use http::StatusCode;
use simulated_notion::{ACME, ADA};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use vault::http_client;

use crate::browser::in_ci;
use crate::client::lambda;
use crate::harness::World;
use crate::leaks::Leaks;

include!("documented_app.rs");

const DOCUMENT: &str = include_str!("../../docs/backend.md");

fn block(language: &str) -> &'static str {
    DOCUMENT.split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap()
}

#[test]
fn the_rust_that_is_run_is_the_rust_of_the_document() {
    assert_eq!(block("rust,no_run"), include_str!("documented_app.rs"));
}

#[tokio::test]
async fn the_rust_of_the_document_connects_calls_notion_and_disconnects() {
    let world = World::start().await;
    let lambda = lambda(world.stack.aws_url().unwrap());
    let http = http_client::build().unwrap();
    let webhooks = WebhookVerifier::new([world.stack.webhook_secret()]).unwrap();
    let notion = MyApp::new(lambda, &world.url("/install"), webhooks, http, &world.notion().base_url());
    let (browser, begun) = (world.browser(), notion.connect().unwrap());
    let authorize = browser.get(&begun.url).await;
    let back = browser.follow(&browser.allow(authorize.location(), |_| {})).await;
    let query = url::form_urlencoded::parse(back.location().split_once('?').unwrap().1.as_bytes());
    let query: Vec<(String, String)> = query.into_owned().collect();
    let other = notion.connect().unwrap();
    let forged = notion.back(&other, "anna", &query).await;
    assert!(matches!(forged, Err(InstallationsError::InvalidGrant)));
    let of_another_session = Begun { state: begun.state.clone(), ..other };
    let of_another_session = notion.back(&of_another_session, "ben", &query).await;
    assert!(matches!(of_another_session, Err(InstallationsError::InvalidGrant)));
    let installation = notion.back(&begun, "anna", &query).await.unwrap();
    assert_eq!((installation.workspace_id.as_str(), installation.user_id.as_deref()), (ACME, Some(ADA)));
    assert_eq!(notion.back(&begun, "anna", &query).await.unwrap(), installation);
    assert_eq!(notion.settings("anna").await.unwrap()[0].id, installation.id);
    assert!(notion.me("anna").await.unwrap().contains(ADA));
    world.expire_access_tokens();
    assert!(notion.me("anna").await.unwrap().contains(ADA), "a refused token is replaced");
    notion.disconnect("anna").await.unwrap();
    notion.disconnect("anna").await.unwrap();
    assert!(matches!(notion.me("anna").await, Err(CallError::Token(_))));
    assert_eq!(notion.settings("anna").await.unwrap(), []);
    // Whoever presses Cancel comes back too.
    let refused = notion.connect().unwrap();
    let authorize = browser.get(&refused.url).await;
    let back = browser.follow(&browser.allow(authorize.location(), |approval| approval.cancel = true)).await;
    let query = url::form_urlencoded::parse(back.location().split_once('?').unwrap().1.as_bytes());
    let came = notion.back(&refused, "anna", &query.into_owned().collect::<Vec<_>>()).await;
    assert!(matches!(came, Err(InstallationsError::NotConnected { reason, .. }) if reason == "refused"));
    let unsigned = notion.webhook(&http::HeaderMap::new(), b"{}");
    assert!(matches!(unsigned, Err(InvalidWebhook::MissingHeader(_))));
}

/// The Python app, running. Ends when dropped.
struct PythonApp {
    url: String,
    _child: Child,
    folder: PathBuf,
    http: reqwest::Client,
    cookie: Mutex<String>,
}

impl PythonApp {
    /// `None` if this machine has no Python, unless this is CI.
    async fn start(world: &World, port: u16, more: &[(&str, &str)]) -> Option<Self> {
        let folder =
            std::env::temp_dir().join(format!("notion-install-python-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("notion_app.py");
        std::fs::write(&file, block("python")).unwrap();
        let started = Command::new("python3")
            .args(["-I", "-W", "error"])
            .arg(&file)
            .env_remove("AWS_SESSION_TOKEN")
            .env("no_proxy", "*")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "backend")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("STACK_URL", world.stack.url())
            .env("NOTION_URL", world.notion().base_url())
            .env("PORT", port.to_string())
            .envs(more.iter().copied())
            .kill_on_drop(true)
            .stdout(Stdio::piped())
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => {
                assert!(!in_ci(), "docs/backend.md cannot be tested: python3: {error}");
                // Directly to the terminal, because the test runner would hide the line.
                let line = "\n*** NOT RUN: the test of docs/backend.md needs python3 on the path ***\n\n";
                std::io::stderr().write_all(line.as_bytes()).unwrap();
                return None;
            }
        };
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next_line().await.unwrap().unwrap();
        let http = http_client::build().unwrap();
        Some(Self { url, _child: child, folder, http, cookie: Mutex::default() })
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (StatusCode, String, String) {
        let cookie = self.cookie.lock().unwrap().clone();
        let answer = request.header("cookie", cookie).send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        if let Some(cookie) = header("set-cookie") {
            cookie.split(';').next().unwrap().clone_into(&mut self.cookie.lock().unwrap());
        }
        let (status, location) = (answer.status(), header("location").unwrap_or_default());
        let said = answer.text().await.unwrap();
        Leaks::saw_output(&said);
        (status, location, said)
    }

    async fn get(&self, path: &str) -> (StatusCode, String, String) {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        self.send(self.http.get(url)).await
    }

    /// From the button to the URL with which the browser comes back.
    async fn connect(&self, world: &World) -> String {
        let (status, link, _) = self.get("/connect").await;
        assert_eq!(status, StatusCode::FOUND);
        let browser = world.browser();
        let authorize = browser.get(&link).await;
        browser.follow(&browser.allow(authorize.location(), |_| {})).await.location().to_owned()
    }
}

impl Drop for PythonApp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn the_python_of_the_document_connects_calls_notion_and_disconnects() {
    let port = free_port();
    let world = World::start_with(|options| {
        let destination = format!("app=http://localhost:{port}/back");
        options.variables.insert("RETURN_DESTINATIONS".to_owned(), destination);
    })
    .await;
    // With the credentials of a role.
    let Some(app) = PythonApp::start(&world, port, &[("AWS_SESSION_TOKEN", "of/a+role==")]).await else {
        return;
    };
    let text = |answer: (StatusCode, String, String)| (answer.0.as_u16(), answer.2);
    assert_eq!(app.get("/connect").await.0, StatusCode::UNAUTHORIZED);
    app.get("/login?user=anna").await;
    assert_eq!(text(app.get("/settings").await), (200, "Connected: nothing".to_owned()));
    let back = app.connect(&world).await;
    // In the session of another user, who has not begun it.
    let anna = app.cookie.lock().unwrap().clone();
    app.get("/login?user=ben").await;
    assert_eq!(app.get(&back).await.0, StatusCode::BAD_REQUEST);
    *app.cookie.lock().unwrap() = anna;
    let connected = text(app.get(&back).await);
    assert!(connected.0 == 200 && connected.1.starts_with("Connected to Acme as"), "{connected:?}");
    let claim = world.last_line_with("Claimed");
    assert_eq!(claim["caller_arn"], "arn:aws:iam::123456789012:user/backend");
    assert_eq!((claim["caller_says"].as_str(), claim["subject"].as_str()), (Some("my app"), Some("anna")));
    assert_eq!(text(app.get("/settings").await), (200, "Connected: Acme".to_owned()));
    assert_eq!(text(app.get("/me").await), (200, format!("Notion says: {ADA}")));
    world.expire_access_tokens();
    assert_eq!(
        text(app.get("/me").await),
        (200, format!("Notion says: {ADA}")),
        "a refused token is replaced"
    );
    for _ in 0..2 {
        assert_eq!(app.send(app.http.post(format!("{}/disconnect", app.url))).await.0, StatusCode::OK);
    }
    let gone = text(app.get("/me").await);
    assert_eq!(gone, (404, "not_installed".to_owned()));
}

#[tokio::test]
async fn the_python_of_the_document_with_another_key_connects_nobody() {
    let port = free_port();
    let world = World::start_with(|options| {
        let destination = format!("app=http://localhost:{port}/back");
        options.variables.insert("RETURN_DESTINATIONS".to_owned(), destination);
    })
    .await;
    let Some(app) = PythonApp::start(&world, port, &[("AWS_SECRET_ACCESS_KEY", "another")]).await else {
        return;
    };
    app.get("/login?user=anna").await;
    let back = app.connect(&world).await;
    assert_eq!(app.get(&back).await.0, StatusCode::FORBIDDEN);
    assert_eq!(world.links().await, []);
}
