//! A real Chromium installs: two people in two tabs at the same time, a Cancel, a reload, a second install. Then it
//! checks every page, by eye (screenshots go to `target/screenshots`) and with axe-core.
//!
//! Needs `chromium` and `chromedriver` on the path. Without them the test prints a notice; in CI it fails.

mod accessibility;
mod gallery;
mod onboarding;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use dev::stack::{Options, Stack};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::{Capabilities, WindowHandle};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use shared::language::Language;
use shared::pages::Notice;
use simulated_notion::{ACME, ADA, Endpoint, GRACE, ROADMAP};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use accessibility::{Axe, LOOKS};

/// How often to ask the browser for what a click has to lead to; one question takes it some milliseconds.
const MOST_TRIES: usize = 2000;

struct Chromium {
    client: Client,
    _driver: Child,
    profile: PathBuf,
}

impl Chromium {
    /// `None` if this machine has no Chromium, unless this is CI.
    async fn start() -> Option<Self> {
        let spawned = Command::new("chromedriver")
            .arg("--port=0")
            .kill_on_drop(true)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = match spawned {
            Ok(driver) => driver,
            Err(error) => {
                assert!(!in_ci(), "the browser test cannot run: chromedriver: {error}");
                // Directly to the terminal, because the test runner would hide the line.
                let line =
                    "\n*** NOT RUN: the browser test needs chromium and chromedriver on the path ***\n\n";
                std::io::stderr().write_all(line.as_bytes()).unwrap();
                return None;
            }
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if let Some(port) = line.split("started successfully on port ").nth(1) {
                break port.trim_end_matches('.').to_owned();
            }
        };
        let profile =
            std::env::temp_dir().join(format!("notion-install-browser-{port}-{}", std::process::id()));
        let profile_argument = format!("--user-data-dir={}", profile.display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=900,760",
            &profile_argument,
        ];
        let mut capabilities = Capabilities::new();
        capabilities.insert("goog:chromeOptions".to_owned(), json!({"args": arguments}));
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Some(Self { client, _driver: driver, profile })
    }

    async fn stop(self) {
        self.client.close().await.unwrap();
        // The browser may still be writing its profile.
        let _ = std::fs::remove_dir_all(self.profile);
    }

    /// What `attempt` returns, once no page is being left: that aborts a search and takes the elements away.
    async fn settled<T>(&self, attempt: impl AsyncFn() -> Result<T, CmdError>) -> T {
        for _ in 0..MOST_TRIES {
            match attempt().await {
                Err(CmdError::NotW3C(Value::String(said))) if said == "aborted by navigation" => {}
                Err(error) if error.is_stale_element_reference() => {}
                outcome => return outcome.unwrap(),
            }
        }
        panic!("the browser does not stop navigating");
    }

    /// The first element, once it is there.
    async fn find(&self, css: &str) -> Element {
        self.settled(async || self.client.wait().for_element(Locator::Css(css)).await).await
    }

    async fn click(&self, css: &str) {
        self.settled(async || self.client.wait().for_element(Locator::Css(css)).await?.click().await).await;
    }

    /// Without the marks that keep the direction of a name to itself.
    async fn heading(&self) -> String {
        self.text_of("h1").await.replace(['\u{2068}', '\u{2069}'], "")
    }

    async fn text(&self) -> String {
        self.client.find(Locator::Css("body")).await.unwrap().text().await.unwrap()
    }

    async fn screenshot(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name).with_extension("png"), self.client.screenshot().await.unwrap())
            .unwrap();
    }

    /// Signs in at the simulated Notion, up to the consent page.
    async fn sign_in(&self, person: &str) {
        self.click(&format!("#account-{person}-{ACME}")).await;
        self.click("#continue").await;
        self.find("#consent").await;
    }

    async fn allow(&self) {
        let page = self.client.find(Locator::Css(&format!("#page-{ROADMAP}"))).await.unwrap();
        if !page.is_selected().await.unwrap() {
            page.click().await.unwrap();
        }
        self.click("#allow").await;
    }

    /// Allows without an app, so that our own page is the last one.
    async fn allow_and_see(&self) {
        self.allow().await;
        self.find("main.good").await;
    }

    /// Signs in at the sample app.
    async fn sign_in_at_app(&self, stack: &Stack, user: &str) {
        self.client.goto(&format!("{}/app", stack.url())).await.unwrap();
        self.click(&format!("#sign-in-{user}")).await;
        self.find("#user").await;
    }

    /// The text of the first element, once it is there.
    async fn text_of(&self, css: &str) -> String {
        self.settled(async || self.client.wait().for_element(Locator::Css(css)).await?.text().await).await
    }

    /// Waits until the first element says `text`: the page before may have had such an element too.
    async fn see(&self, css: &str, text: &str) {
        let mut seen = String::new();
        for _ in 0..MOST_TRIES {
            seen = self.text_of(css).await;
            if seen.contains(text) {
                return;
            }
        }
        panic!("{css} says {seen:?}, not {text:?}");
    }

    /// Waits until there are as many elements.
    async fn see_count(&self, css: &str, count: usize) {
        let mut seen = 0;
        for _ in 0..MOST_TRIES {
            seen = self.count(css).await;
            if seen == count {
                return;
            }
        }
        panic!("{seen} of {css}, not {count}");
    }

    async fn count(&self, css: &str) -> usize {
        self.settled(async || self.client.find_all(Locator::Css(css)).await).await.len()
    }

    async fn address(&self) -> String {
        self.client.current_url().await.unwrap().to_string()
    }

    /// Checks what a person with a screen reader, with a phone, or with an eye on the address bar relies on.
    async fn assert_page_is_sound(&self, language: Language, case: &str) {
        let script = r"
            const sizes = [document.documentElement.scrollWidth, document.documentElement.clientWidth];
            return {
                language: document.documentElement.lang,
                title: document.title,
                headings: document.querySelectorAll('h1').length,
                mains: document.querySelectorAll('main').length,
                scripts: document.scripts.length,
                overflow: sizes[0] > sizes[1],
                address: location.href,
                // Set by the style, if the policy allows it.
                styled: getComputedStyle(document.querySelector('main')).borderTopWidth,
                unnamed: [...document.querySelectorAll('a, button')].filter(e => !e.textContent.trim()).length,
            };
        ";
        let found = self.client.execute(script, Vec::new()).await.unwrap();
        assert_eq!(found["language"], language.tag(), "{case}");
        assert!(!found["title"].as_str().unwrap().is_empty(), "{case}");
        assert_eq!((&found["headings"], &found["mains"]), (&json!(1), &json!(1)), "{case}");
        assert_eq!((&found["scripts"], &found["unnamed"]), (&json!(0), &json!(0)), "{case}");
        assert_eq!(found["overflow"], false, "{case}");
        assert_eq!(found["styled"], "6px", "{case}: {found}");
        let address = found["address"].as_str().unwrap();
        assert!(!address.contains("code=") && !address.contains("state="), "{case}: {address}");
    }

    async fn emulate(&self, command: &str, parameters: serde_json::Value) {
        let command = Cdp { command: command.to_owned(), parameters };
        self.client.issue_cmd(command).await.unwrap();
    }
}

/// A `DevTools` command of Chromium, which `WebDriver` does not have.
#[derive(Debug)]
struct Cdp {
    command: String,
    parameters: serde_json::Value,
}

impl fantoccini::wd::WebDriverCompatibleCommand for Cdp {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({"cmd": self.command, "params": self.parameters});
        (http::Method::POST, Some(body.to_string()))
    }
}

#[expect(clippy::disallowed_methods, reason = "in CI, which sets this variable, no test may be skipped")]
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some()
}

/// The dev stack's own pages, and those of the simulated Notion on the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dev_stacks_pages_are_accessible_to_everybody() {
    let Some(axe) = Axe::find() else { return };
    let Some(chromium) = Chromium::start().await else { return };
    let stack = Box::pin(Stack::start(Options::default())).await.unwrap();
    let sees = async |page: &str| chromium.assert_accessible(&axe, &LOOKS, false, page).await;
    let open = async |path: &str| chromium.client.goto(&format!("{}{path}", stack.url())).await.unwrap();
    open("/").await;
    sees("start").await;
    open("/app/about").await;
    sees("about the app").await;
    open("/app").await;
    sees("app, signed out").await;
    chromium.sign_in_at_app(&stack, "anna").await;
    sees("app, nothing connected").await;
    chromium.click("#connect").await;
    chromium.find("#sign-in").await;
    sees("Notion's sign-in").await;
    chromium.sign_in(ADA).await;
    sees("Notion's consent").await;
    chromium.allow().await;
    chromium.see("#said", "Connected to Acme as Ada").await;
    sees("app, connected").await;
    open("/").await;
    sees("start, with an installation").await;
    chromium.stop().await;
}

/// The sample app in a real browser: two users connect, one forwards a link to the other, cancels, reloads, uses a
/// window of its own, calls Notion and disconnects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_an_app_connect_with_a_real_browser() {
    let Some(chromium) = Chromium::start().await else { return };
    let stack = Box::pin(Stack::start(Options::default())).await.unwrap();
    let client = &chromium.client;

    // Connect: two clicks at the app, and those at Notion.
    chromium.sign_in_at_app(&stack, "anna").await;
    chromium.screenshot("app-1-nothing").await;
    chromium.click("#connect").await;
    chromium.sign_in(ADA).await;
    chromium.allow().await;
    chromium.see("#said", "Connected to Acme as Ada").await;
    assert!(chromium.address().await.ends_with("/app"), "neither code nor state stays in the address bar");
    chromium.screenshot("app-2-connected").await;
    chromium.click(".call-notion").await;
    chromium.see("#said", "Notion says: you are Ada").await;

    // A reload and Back claim nothing again.
    client.refresh().await.unwrap();
    chromium.see_count(".connection", 1).await;

    // Cancel.
    chromium.click("#connect").await;
    chromium.sign_in(GRACE).await;
    chromium.click("#cancel").await;
    chromium.see("#said", "Not connected (access_denied, refused)").await;
    chromium.see_count(".connection", 1).await;

    // Anna begins, and somebody opens her link in Ben's session: nothing is connected to either.
    let link = {
        let begun = client.execute(
            "const r = await fetch('/app/connect', {redirect: 'manual'}); return r.type",
            Vec::new(),
        );
        assert_eq!(begun.await.unwrap(), "opaqueredirect", "a script does not even see the link");
        client.goto(&format!("{}/app/connect", stack.url())).await.unwrap();
        chromium.find("#sign-in").await;
        chromium.address().await
    };
    chromium.sign_in_at_app(&stack, "ben").await;
    client.goto(&link).await.unwrap();
    chromium.sign_in(GRACE).await;
    chromium.allow().await;
    chromium.see("#problem", "did not begin this connection here").await;
    chromium.screenshot("app-3-forwarded").await;
    chromium.see_count(".connection", 0).await;
    let vended = stack.ask("token", &json!({"workspace_id": ACME, "user_id": GRACE})).await;
    assert_eq!(vended["error"], "unclaimed");

    // Ben connects in a window of its own. Notion's pages and ours cut its opener; it tells the app all the same.
    let app: WindowHandle = client.window().await.unwrap();
    client.goto(&format!("{}/app", stack.url())).await.unwrap();
    chromium.click("#connect-popup").await;
    let popup = loop {
        let windows = client.windows().await.unwrap();
        if let Some(popup) = windows.into_iter().find(|window| *window != app) {
            break popup;
        }
        tokio::task::yield_now().await;
    };
    client.switch_to_window(popup).await.unwrap();
    chromium.sign_in(GRACE).await;
    assert_eq!(client.execute("return window.opener", Vec::new()).await.unwrap(), json!(null));
    chromium.allow().await;
    client.switch_to_window(app).await.unwrap();
    // The app has reloaded by itself.
    chromium.see(".connection h2", "Acme").await;
    while client.windows().await.unwrap().len() > 1 {
        tokio::task::yield_now().await;
    }
    chromium.screenshot("app-4-after-the-popup").await;

    // Both share a Notion account: the first who leaves does not take it from the other.
    chromium.click("#connect").await;
    chromium.sign_in(ADA).await;
    chromium.allow().await;
    chromium.find("#said").await;
    chromium.see_count(".connection", 2).await;
    chromium.sign_in_at_app(&stack, "anna").await;
    chromium.click(".disconnect").await;
    chromium.see("#said", "still uses this Notion account").await;
    chromium.see("#nothing", "Nothing is connected.").await;
    chromium.sign_in_at_app(&stack, "ben").await;
    for left in [1, 0] {
        chromium.click(".disconnect").await;
        chromium.see("#said", "Notion has revoked the access").await;
        chromium.see_count(".connection", left).await;
    }
    // On a phone, in the dark.
    let metrics = json!({"width": 360, "height": 760, "deviceScaleFactor": 1, "mobile": true});
    chromium.emulate("Emulation.setDeviceMetricsOverride", metrics).await;
    let features = json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]});
    chromium.emulate("Emulation.setEmulatedMedia", features).await;
    chromium.click("#connect").await;
    chromium.sign_in(ADA).await;
    chromium.allow().await;
    chromium.find("#said").await;
    let wide = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
    assert_eq!(client.execute(wide, Vec::new()).await.unwrap(), false);
    chromium.screenshot("app-5-phone-dark").await;
    chromium.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_with_a_real_browser_installs() {
    let Some(chromium) = Chromium::start().await else { return };
    let stack = Box::pin(Stack::start(Options::default())).await.unwrap();
    let notion = stack.notion().unwrap();
    let client = &chromium.client;
    let install = format!("{}/install", stack.url());

    // Two people in two tabs, at the same time.
    client.goto(stack.url()).await.unwrap();
    chromium.screenshot("1-start").await;
    let first: WindowHandle = client.window().await.unwrap();
    chromium.click("#install").await;
    chromium.find("#sign-in").await;
    chromium.screenshot("2-sign-in").await;
    let second = client.new_window(true).await.unwrap().handle;
    client.switch_to_window(second.clone()).await.unwrap();
    client.goto(&install).await.unwrap();
    chromium.sign_in(GRACE).await;
    client.switch_to_window(first.clone()).await.unwrap();
    chromium.sign_in(ADA).await;
    chromium.click("#template-duplicate").await;
    chromium.screenshot("3-consent").await;
    chromium.click("#template-select").await;
    client.switch_to_window(second).await.unwrap();
    chromium.allow_and_see().await;
    assert!(chromium.text().await.contains("Grace"));
    client.switch_to_window(first).await.unwrap();
    chromium.allow_and_see().await;
    assert!(chromium.text().await.contains("Ada"));
    chromium.assert_page_is_sound(Language::En, "connected").await;
    chromium.screenshot("4-connected").await;
    assert_eq!(notion.count(Endpoint::Token), 2);

    // A reload and Back repeat nothing.
    client.refresh().await.unwrap();
    assert_eq!(chromium.heading().await, "Sample app is connected to Notion");
    client.back().await.unwrap();
    client.forward().await.unwrap();
    assert_eq!(notion.count(Endpoint::Token), 2);

    // Cancel, then install after all.
    client.goto(&install).await.unwrap();
    chromium.sign_in(ADA).await;
    chromium.click("#cancel").await;
    chromium.find("main.calm").await;
    assert_eq!(chromium.heading().await, "Sample app was not connected");
    chromium.assert_page_is_sound(Language::En, "refused").await;
    chromium.screenshot("5-refused").await;
    chromium.click("a.button").await;
    chromium.sign_in(ADA).await;
    chromium.allow_and_see().await;
    assert_eq!(notion.count(Endpoint::Token), 3);
    client.goto(stack.url()).await.unwrap();
    let rows = client.find_all(Locator::Css(".installation")).await.unwrap();
    assert_eq!(rows.len(), 2, "one row per person");
    chromium.screenshot("6-start-with-installations").await;

    // Every fixed page, where the functions serve it. What each looks like is in the gallery.
    for notice in Notice::ALL {
        let key = notice.key();
        client.goto(&format!("{}/callback?reason={key}", stack.url())).await.unwrap();
        chromium.assert_page_is_sound(Language::En, key).await;
    }
    chromium.stop().await;
}
