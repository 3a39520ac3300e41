//! A world to test in: the dev stack with a stopped clock, and browsers.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::AttributeValue;
use dev::aws::{CLAIMS_TABLE, INSTALLATIONS_TABLE, LINKS_TABLE};
use dev::events::HttpRequest;
use dev::stack::{NotionSide, Options, Stack};
use http::{HeaderMap, StatusCode};
use lambda_http::Context;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use shared::clock::{Clock, UnixMillis};
use shared::entry::browser::{AlwaysAnswers, answer};
use simulated_notion::{ACME, ADA, Approval, ROADMAP, Simulator};
use vault::http_client;
use vault::seal::{KeyRing, Sealed};

use crate::leaks::Leaks;

/// 2026-11-22 00:00:00 UTC.
pub(crate) const START: UnixMillis = UnixMillis(1_795_305_600_000);

/// Stands still unless advanced. In microseconds.
pub(crate) struct FrozenClock {
    now_us: AtomicU64,
    step_us: AtomicU64,
}

impl FrozenClock {
    fn at(moment: UnixMillis) -> Self {
        Self { now_us: AtomicU64::new(moment.0 * 1000), step_us: AtomicU64::new(1000) }
    }

    pub(crate) fn advance_secs(&self, secs: u64) {
        self.now_us.fetch_add(secs * 1_000_000, Ordering::SeqCst);
    }

    /// For a thousand concurrent callers: their calls to the clock must not use up their time.
    pub(crate) fn hardly_move(&self) {
        self.step_us.store(1, Ordering::SeqCst);
    }
}

impl Clock for FrozenClock {
    /// Each call is one millisecond later, so that exchanges have an order.
    fn now_millis(&self) -> UnixMillis {
        UnixMillis(self.now_us.fetch_add(self.step_us.load(Ordering::SeqCst), Ordering::SeqCst) / 1000)
    }
}

pub(crate) type Row = HashMap<String, AttributeValue>;

/// The running system. When it is dropped, all its output is searched for its secrets.
pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) clock: Arc<FrozenClock>,
    /// The functions' clock: the frozen one, unless a test sets another.
    functions_clock: Arc<dyn Clock>,
    http: reqwest::Client,
    pub(crate) leaks: Leaks,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        let leaks = Leaks::watch();
        let clock = Arc::new(FrozenClock::at(START));
        let notion_clock = Arc::clone(&clock);
        let mut options = Options {
            notion: NotionSide::Simulated(simulated_notion::Options {
                clock: Arc::new(move || notion_clock.now_millis().0),
                ..simulated_notion::Options::default()
            }),
            clock: Arc::<FrozenClock>::clone(&clock),
            keep_answers: true,
            ..Options::default()
        };
        change(&mut options);
        let functions_clock = Arc::clone(&options.clock);
        let stack = Box::pin(Stack::start(options)).await.unwrap();
        Self { stack, clock, functions_clock, http: http_client::build().unwrap(), leaks }
    }

    pub(crate) fn notion(&self) -> &Simulator {
        self.stack.notion().unwrap()
    }

    /// Stores a client secret as the deployer would. It must not appear in any output either.
    pub(crate) fn store_client_secret(&self, secret: &str) {
        self.stack.store_client_secret(secret).unwrap();
        self.leaks.secret(secret);
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { world: self, http: self.http.clone(), jar: Mutex::default() }
    }

    /// The clock's time, without advancing it.
    pub(crate) fn clock_ms(&self) -> u64 {
        self.clock.now_us.load(Ordering::SeqCst) / 1000
    }

    pub(crate) fn url(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.stack.url())
    }

    /// The answer of a function that our own backend calls.
    pub(crate) async fn ask(&self, function: &str, input: Value) -> Value {
        self.stack.ask(function, &input).await
    }

    /// Asks for Ada's token, with more input fields.
    pub(crate) async fn vend(&self, more: Value) -> Value {
        self.ask("token", ada(more)).await
    }

    /// Whether Notion's API accepts an access token.
    pub(crate) async fn works(&self, access_token: &str) -> bool {
        let me = self.http.get(format!("{}/v1/users/me", self.notion().base_url()));
        let asked = me.bearer_auth(access_token).header("notion-version", "2026-03-11").send().await;
        asked.unwrap().status() == StatusCode::OK
    }

    /// Makes all access tokens that Notion has issued expire. Refresh tokens stay alive.
    pub(crate) fn expire_access_tokens(&self) {
        self.notion().change_settings(|settings| settings.access_token_lifetime_secs = Some(3600));
        self.clock.advance_secs(3601);
    }

    /// The only row, of a person who installed once.
    pub(crate) async fn row(&self) -> Row {
        let mut rows = self.installations().await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    /// Changes a row directly in the database, as none of our programs would.
    pub(crate) async fn tamper(&self, id: &str, expression: &str, values: &[(&str, AttributeValue)]) {
        let client = self.stack.dynamodb().service().client();
        let mut update = client
            .update_item()
            .table_name(INSTALLATIONS_TABLE.0)
            .key("installation_id", AttributeValue::S(id.to_owned()))
            .update_expression(expression);
        for (name, value) in values {
            update = update.expression_attribute_values(*name, value.clone());
        }
        update.send().await.unwrap();
    }

    /// The rows of the installations table.
    pub(crate) async fn installations(&self) -> Vec<Row> {
        self.rows(INSTALLATIONS_TABLE.0).await
    }

    /// The rows of the table of links, as subject and installation.
    pub(crate) async fn links(&self) -> Vec<(String, String)> {
        let text = |row: &Row, name: &str| row[name].as_s().unwrap().clone();
        let rows = self.rows(LINKS_TABLE.0).await;
        let mut links: Vec<_> =
            rows.iter().map(|row| (text(row, "subject"), text(row, "installation_id"))).collect();
        links.sort_unstable();
        links
    }

    /// The rows of the claims table.
    pub(crate) async fn claims(&self) -> Vec<Row> {
        self.rows(CLAIMS_TABLE.0).await
    }

    async fn rows(&self, table: &str) -> Vec<Row> {
        let client = self.stack.dynamodb().service().client();
        client.scan().table_name(table).send().await.unwrap().items().to_vec()
    }

    /// The access token of a row's current pair.
    pub(crate) fn open_access(&self, row: &Row) -> String {
        let pair = row["pair"].as_l().unwrap()[0].as_m().unwrap();
        let sealed = Sealed::from_bytes(pair["access"].as_b().unwrap().as_ref().to_vec());
        let ring = KeyRing::parse(&self.stack.key_ring()).unwrap();
        let token = ring.open_access(row["installation_id"].as_s().unwrap(), &sealed).unwrap();
        token.expose().to_owned()
    }

    /// The refresh token of a row's current pair.
    pub(crate) fn open_refresh(&self, row: &Row) -> Option<String> {
        self.refresh_tokens(row, "pair").pop()
    }

    /// Every refresh token in a row, of the current pair and of the superseded ones.
    pub(crate) fn open_all(&self, row: &Row) -> Vec<String> {
        [self.refresh_tokens(row, "pair"), self.refresh_tokens(row, "superseded")].concat()
    }

    fn refresh_tokens(&self, row: &Row, list: &str) -> Vec<String> {
        let ring = KeyRing::parse(&self.stack.key_ring()).unwrap();
        let id = row["installation_id"].as_s().unwrap();
        let pairs = row.get(list).map(|list| list.as_l().unwrap().as_slice()).unwrap_or_default();
        let sealed = pairs.iter().filter_map(|pair| pair.as_m().unwrap().get("refresh"));
        sealed
            .map(|sealed| Sealed::from_bytes(sealed.as_b().unwrap().as_ref().to_vec()))
            .map(|sealed| ring.open_refresh(id, &sealed).unwrap().expose().to_owned())
            .collect()
    }

    /// Invokes a function as Lambda would, bypassing the front: for requests that API Gateway might let through.
    pub(crate) async fn invoke(&self, function: &impl AlwaysAnswers, event: &Value) -> Value {
        let mut context = Context::default();
        context.deadline = self.functions_clock.now_millis().0 + 25_000;
        let answer = answer(function, &to_raw_value(event).unwrap(), context).await;
        self.leaks.saw_answer(answer.get());
        serde_json::from_str(answer.get()).unwrap()
    }

    /// The last request line of this test that has `field`.
    pub(crate) fn last_line_with(&self, field: &str) -> Value {
        let log = self.leaks.log();
        let mut lines = log.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| !line[field].is_null()).unwrap_or_else(|| panic!("no line has {field}: {log}"))
    }

    /// The operations that DynamoDB received, in order.
    pub(crate) fn dynamodb_operations(&self) -> Vec<String> {
        self.stack.dynamodb().calls().into_iter().map(|call| call.operation).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut secrets = self.notion().secrets_issued();
        let ring: Value = serde_json::from_str(&self.stack.key_ring()).unwrap();
        let keys = ring["keys"].as_object().into_iter().flat_map(|keys| keys.values());
        let materials = [&ring["seed"]].into_iter().chain(keys);
        secrets.extend(materials.map(|material| material.as_str().unwrap().to_owned()));
        secrets.push(self.stack.webhook_secret().trim_start_matches("whsec_").to_owned());
        // Writes to the tables, to the queues and to the bus are output too.
        let stored = self.stack.dynamodb().calls().into_iter().chain(self.stack.queues().calls());
        let stored = stored.chain(self.stack.event_bus().calls());
        let stored: Vec<String> = stored.map(|call| call.body).collect();
        self.leaks.search(&secrets, &self.stack.answers(), &stored);
    }
}

/// A browser with its own cookie jar.
pub(crate) struct Browser<'a> {
    pub(crate) world: &'a World,
    http: reqwest::Client,
    pub(crate) jar: Mutex<BTreeMap<String, String>>,
}

/// A browser's answer.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) url: String,
    /// As a person reads it: without the marks that keep the direction of a name to itself.
    heading: String,
}

impl Page {
    pub(crate) fn location(&self) -> &str {
        self.headers.get("location").map_or("", |value| value.to_str().unwrap())
    }

    /// The page's heading.
    pub(crate) fn heading(&self) -> &str {
        &self.heading
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.status == StatusCode::OK && self.heading() == "Sample app is connected to Notion"
    }
}

impl Browser<'_> {
    /// Sends one request. Cookies are sent and stored.
    pub(crate) async fn get(&self, url: &str) -> Page {
        self.get_with(url, &[("accept", "text/html"), ("sec-fetch-dest", "document")]).await
    }

    pub(crate) async fn get_with(&self, url: &str, headers: &[(&str, &str)]) -> Page {
        let cookie = self.cookie();
        let mut request = self.http.get(url);
        if !cookie.is_empty() {
            request = request.header("cookie", cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        for set_cookie in headers.get_all("set-cookie") {
            self.keep(set_cookie.to_str().unwrap());
        }
        let body = response.text().await.unwrap();
        let heading = body.split("<h1>").nth(1).and_then(|rest| rest.split("</h1>").next());
        let heading = heading.unwrap_or("").replace(['\u{2068}', '\u{2069}'], "");
        Page { status, headers, body, url: url.to_owned(), heading }
    }

    pub(crate) fn cookie(&self) -> String {
        let jar = self.jar.lock().unwrap();
        jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// As a browser handles `__Host-` cookies: they are rejected unless they have all required attributes.
    fn keep(&self, set_cookie: &str) {
        let mut parts = set_cookie.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let attributes: Vec<&str> = parts.collect();
        for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
            assert!(attributes.contains(&attribute), "{name} has no {attribute}");
        }
        assert!(name.starts_with("__Host-") && !set_cookie.contains("Domain"), "{name}");
        let mut jar = self.jar.lock().unwrap();
        if attributes.contains(&"Max-Age=0") {
            jar.remove(name);
        } else {
            self.world.leaks.secret(value);
            jar.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Opens `/install`, and returns the URL to which it redirects.
    pub(crate) async fn install(&self) -> String {
        let page = self.get(&self.world.url("/install")).await;
        assert_eq!(page.status, StatusCode::FOUND);
        let authorize = page.location().to_owned();
        self.world.leaks.secret(authorize.split("state=").nth(1).unwrap());
        authorize
    }

    /// Allows at Notion, by default as Ada of Acme, and returns the URL to which Notion redirects.
    pub(crate) fn allow(&self, authorize: &str, change: impl FnOnce(&mut Approval)) -> String {
        let mut approval = Approval {
            authorize_query: authorize.split_once('?').unwrap().1.to_owned(),
            person: ADA.to_owned(),
            workspace: ACME.to_owned(),
            pages: vec![ROADMAP.to_owned()],
            ..Approval::default()
        };
        change(&mut approval);
        self.world.notion().approve(approval).unwrap().location
    }

    /// From `/install` to the URL to which Notion redirects after Ada allowed.
    pub(crate) async fn granted(&self) -> String {
        let authorize = self.install().await;
        self.allow(&authorize, |_| {})
    }

    /// Follows the app's redirects, and pages that reload themselves, to the end.
    pub(crate) async fn follow(&self, url: &str) -> Page {
        let mut url = url.to_owned();
        for _ in 0..200 {
            let page = self.get(&url).await;
            match page.status {
                // Back to the app that asked.
                StatusCode::SEE_OTHER if page.location().starts_with("http") => return page,
                StatusCode::SEE_OTHER => {
                    assert!(page.location().starts_with('?'), "{}", page.location());
                    url = self.world.url(&format!("/callback{}", page.location()));
                }
                StatusCode::ACCEPTED if page.body.contains("http-equiv=\"refresh\"") => {
                    tokio::task::yield_now().await;
                }
                _ => return page,
            }
        }
        panic!("no end at {url}");
    }

    /// The whole flow, from `/install` to the last page.
    pub(crate) async fn install_as(&self, change: impl FnOnce(&mut Approval)) -> Page {
        let authorize = self.install().await;
        let callback = self.allow(&authorize, change);
        self.follow(&callback).await
    }
}

/// An event for `path` as a browser would cause it.
pub(crate) fn event(method: &str, path: &str, raw_query: &str, headers: &[(&str, &str)]) -> Value {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        raw_query: raw_query.to_owned(),
        headers,
        arrived_at_ms: START.0,
        request_id: "test".to_owned(),
    }
    .event()
}

/// Ada of Acme as the input of a caller, with `more` fields.
pub(crate) fn ada(more: Value) -> Value {
    person(ADA, ACME, more)
}

/// A person in a workspace as the input of a caller, with `more` fields.
pub(crate) fn person(user_id: &str, workspace_id: &str, more: Value) -> Value {
    let mut input = json!({"workspace_id": workspace_id, "user_id": user_id});
    if let (Some(input), Value::Object(more)) = (input.as_object_mut(), more) {
        input.extend(more);
    }
    input
}

/// Whether another process is refreshing the row's pair, or was cut off while it did.
pub(crate) fn has_lease(row: &Row) -> bool {
    let pair = row.get("pair").and_then(|pair| pair.as_l().unwrap().first());
    pair.is_some_and(|pair| pair.as_m().unwrap().contains_key("lease"))
}

pub(crate) fn string<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name).map(|value| value.as_s().unwrap().as_str())
}

pub(crate) fn number(row: &Row, name: &str) -> u64 {
    row[name].as_n().unwrap().parse().unwrap()
}
