//! Webhooks over HTTP: what an endpoint gets, and what becomes of what it does not take.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use dev::aws::{Fault, Reply};
use serde_json::{Value, json};
use shared::clock::SystemClock;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::harness::World;

const HOUR: u64 = 3600;

/// What an endpoint answers.
#[derive(Clone)]
enum Answer {
    Status(u16),
    RetryAfter(u16, String),
    Redirect(String),
    /// It closes the connection without a word.
    HangUp,
    /// It never answers.
    Hang,
    /// Headers at once, then megabytes.
    Flood(usize),
}

/// A request that arrived.
#[derive(Clone)]
struct Got {
    headers: HeaderMap,
    body: Bytes,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// An endpoint of an app. Answers what it is told to, then 204.
struct Endpoint {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    got: Mutex<Vec<Got>>,
    answers: Mutex<VecDeque<Answer>>,
}

impl Endpoint {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/hooks", listener.local_addr().unwrap().port());
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, task }
    }

    fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.answers.lock().unwrap().extend(answers);
    }

    fn got(&self) -> Vec<Got> {
        self.shared.got.lock().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.shared.got.lock().unwrap().len()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    shared.got.lock().unwrap().push(Got { headers, body });
    let answer = shared.answers.lock().unwrap().pop_front().unwrap_or(Answer::Status(204));
    match answer {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::RetryAfter(status, after) => {
            (StatusCode::from_u16(status).unwrap(), [("retry-after", after)]).into_response()
        }
        Answer::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response(),
        Answer::Hang => std::future::pending().await,
        Answer::HangUp => panic!("the endpoint hangs up"),
        Answer::Flood(bytes) => (StatusCode::OK, vec![b'x'; bytes]).into_response(),
    }
}

impl World {
    /// A world whose webhooks go to `endpoint`.
    async fn with_endpoint(endpoint: &Endpoint) -> Self {
        let url = endpoint.url.clone();
        Self::start_with(|options| {
            options.variables.insert("WEBHOOK_URL".to_owned(), url);
        })
        .await
    }

    /// One event: somebody installed.
    async fn one_event(&self) -> Value {
        self.browser().install_as(|_| {}).await;
        self.publish().await;
        self.feed().await.pop().unwrap()
    }

    fn waiting(&self) -> usize {
        self.stack.queues().service().webhooks().len()
    }

    fn given_up(&self) -> usize {
        self.stack.queues().service().webhook_dead_letters().len()
    }
}

#[tokio::test]
async fn the_official_library_verifies_every_delivery_and_nothing_else() {
    let endpoint = Endpoint::start().await;
    let url = endpoint.url.clone();
    let world = World::start_with(|options| {
        options.variables.insert("WEBHOOK_URL".to_owned(), url);
        // The library compares with the time of day.
        options.clock = Arc::new(SystemClock);
    })
    .await;
    world.connected("user 1", |_| {}).await;
    world.ask("uninstall", json!({"subject": "user 1"})).await;
    world.publish().await;
    assert_eq!(world.stack.deliver_webhooks().await, 3);
    let library = Webhook::new(&world.stack.webhook_secret()).unwrap();
    let events = world.feed().await;
    let got = endpoint.got();
    assert_eq!(got.len(), events.len());
    for got in &got {
        library.verify(&got.body, &got.headers).unwrap();
        let event = got.event();
        assert!(events.contains(&event), "{event}");
        assert_eq!(got.header("webhook-id"), event["id"].as_str().unwrap());
        assert_eq!(got.header("content-type"), "application/json");
        let names: Vec<&str> = got.headers.keys().map(axum::http::HeaderName::as_str).collect();
        assert!(!names.contains(&"authorization") && !names.contains(&"cookie"), "{names:?}");
        // A flipped bit, anywhere.
        for at in 0..got.body.len() {
            let mut flipped = got.body.to_vec();
            flipped[at] ^= 1;
            assert!(library.verify(&flipped, &got.headers).is_err(), "byte {at}");
        }
        for (name, value) in
            [("webhook-id", "evt_x"), ("webhook-timestamp", "1"), ("webhook-signature", "v1,AAAA")]
        {
            let mut headers = got.headers.clone();
            headers.insert(name, value.parse().unwrap());
            assert!(library.verify(&got.body, &headers).is_err(), "{name}");
        }
        let other = Webhook::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert!(other.verify(&got.body, &got.headers).is_err(), "another secret");
    }
    // Signed by a clock of last week.
    let endpoint = Endpoint::start().await;
    let world = World::with_endpoint(&endpoint).await;
    world.one_event().await;
    assert_eq!(world.stack.deliver_webhooks().await, 1);
    let library = Webhook::new(&world.stack.webhook_secret()).unwrap();
    let got = &endpoint.got()[0];
    let refused = library.verify(&got.body, &got.headers);
    assert!(matches!(refused, Err(standardwebhooks::WebhookError::TimestampTooOldError)), "{refused:?}");
}

/// What becomes of an event, by what the endpoint answers: after how many seconds it comes again (`None`: never), and
/// whether it is done or given up.
#[tokio::test]
async fn what_becomes_of_an_event_follows_from_the_answer() {
    let retry_after = |status, after: &str| Answer::RetryAfter(status, after.to_owned());
    let elsewhere = Endpoint::start().await;
    for (answer, again_after) in [
        (Answer::Status(200), None),
        (Answer::Status(204), None),
        (Answer::Flood(10 * 1024 * 1024), None),
        (Answer::Status(400), Some(5)),
        (Answer::Status(401), Some(5)),
        (Answer::Status(404), Some(5)),
        (Answer::Status(429), Some(5)),
        (retry_after(429, "60"), Some(60)),
        (retry_after(503, "120"), Some(120)),
        (retry_after(429, "Sun, 22 Nov 2026 01:00:00 GMT"), Some(HOUR - 60)),
        (retry_after(429, "1000000"), Some(12 * HOUR - 300)),
        (retry_after(429, "soon"), Some(5)),
        (Answer::Status(500), Some(5)),
        (Answer::Status(301), Some(5)),
        (Answer::Redirect(elsewhere.url.clone()), Some(5)),
        (Answer::Redirect("http://169.254.169.254/latest/meta-data/".to_owned()), Some(5)),
        (Answer::HangUp, Some(5)),
    ] {
        let endpoint = Endpoint::start().await;
        let world = World::with_endpoint(&endpoint).await;
        let event = world.one_event().await;
        endpoint.answers([answer]);
        let done = world.stack.deliver_webhooks().await;
        assert_eq!(endpoint.count(), 1);
        let Some(secs) = again_after else {
            assert_eq!((done, world.waiting(), world.given_up()), (1, 0, 0));
            continue;
        };
        assert_eq!((done, world.waiting(), world.given_up()), (0, 1, 0));
        // Not sooner.
        world.clock.advance_secs(secs - 1);
        world.stack.deliver_webhooks().await;
        assert_eq!(endpoint.count(), 1, "{secs}");
        // A tenth later at most, and what the frozen clock has moved by being asked.
        world.clock.advance_secs(secs / 10 + 2);
        if secs > 1800 {
            world.clock.advance_secs(60);
        }
        assert_eq!(world.stack.deliver_webhooks().await, 1, "{secs}");
        let got = endpoint.got();
        assert_eq!((got.len(), world.waiting()), (2, 0));
        assert_eq!(got[0].body, got[1].body);
        assert_eq!(got[1].event(), event);
        assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
        // Each attempt is signed anew.
        assert_ne!(got[0].header("webhook-timestamp"), got[1].header("webhook-timestamp"));
        assert_ne!(got[0].header("webhook-signature"), got[1].header("webhook-signature"));
    }
    assert_eq!(elsewhere.count(), 0, "redirects are not followed");
}

/// Time stands still and is then moved on, so that nobody waits for fifteen seconds.
#[tokio::test]
async fn an_endpoint_that_hangs_is_left_after_fifteen_seconds() {
    let endpoint = Endpoint::start().await;
    let world = World::with_endpoint(&endpoint).await;
    world.one_event().await;
    endpoint.answers([Answer::Hang]);
    let delivering = world.stack.deliver_webhooks();
    let waiting = async {
        while endpoint.count() == 0 {
            tokio::task::yield_now().await;
        }
        tokio::time::pause();
        tokio::time::advance(Duration::from_millis(14_900)).await;
        tokio::task::yield_now().await;
        assert_eq!(world.stack.queues().service().webhooks().len(), 1);
        tokio::time::advance(Duration::from_millis(200)).await;
        tokio::time::resume();
    };
    assert_eq!(tokio::join!(delivering, waiting).0, 0);
    assert_eq!((endpoint.count(), world.waiting(), world.given_up()), (1, 1, 0));
    let log = world.leaks.log();
    assert!(log.contains(r#""why":"timeout""#), "{log}");
    world.clock.advance_secs(6);
    assert_eq!(world.stack.deliver_webhooks().await, 1);
}

#[tokio::test]
async fn an_endpoint_that_is_down_for_an_hour_gets_everything_after_it() {
    let endpoint = Endpoint::start().await;
    let world = World::with_endpoint(&endpoint).await;
    world.connected("user 1", |_| {}).await;
    world.ask("uninstall", json!({"subject": "user 1"})).await;
    world.publish().await;
    let events = world.feed().await;
    endpoint.answers(vec![Answer::Status(503); 1000]);
    for _ in 0..60 {
        world.stack.deliver_webhooks().await;
        world.clock.advance_secs(60);
    }
    let tries = endpoint.count();
    assert!((9..=12).contains(&tries), "{tries} tries of 3 events in an hour");
    assert_eq!((world.waiting(), world.given_up()), (3, 0));
    endpoint.shared.answers.lock().unwrap().clear();
    world.clock.advance_secs(2 * HOUR + HOUR);
    assert_eq!(world.stack.deliver_webhooks().await, 3);
    for event in &events {
        assert!(endpoint.got()[tries..].iter().any(|got| got.event() == *event), "{event}");
    }
    let late = world.last_line_with("Delivered");
    assert_eq!(late["Delivered"], 3, "{late}");
}

#[tokio::test]
async fn what_is_not_taken_for_three_days_is_given_up_once_and_can_be_sent_again() {
    let endpoint = Endpoint::start().await;
    let world = World::with_endpoint(&endpoint).await;
    let event = world.one_event().await;
    endpoint.answers(vec![Answer::Status(500); 1000]);
    let mut hours = 0;
    while world.given_up() == 0 {
        world.stack.deliver_webhooks().await;
        world.clock.advance_secs(HOUR / 4);
        hours += 1;
        assert!(hours < 4 * 24 * 4, "it is never given up");
    }
    assert!((72 * 4..=81 * 4).contains(&hours), "{hours} quarters of an hour");
    assert_eq!((world.waiting(), world.given_up()), (0, 1));
    assert!((10..=13).contains(&endpoint.count()), "{} attempts", endpoint.count());
    let log = world.leaks.log();
    assert!(log.contains(r#""alarm":"webhook_given_up""#), "{log}");
    let envelope: Value =
        serde_json::from_str(&world.stack.queues().service().webhook_dead_letters()[0]).unwrap();
    assert_eq!(envelope["detail"], event);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_gets_nothing_more_and_nothing_is_lost() {
    let endpoint = Endpoint::start().await;
    let world = World::with_endpoint(&endpoint).await;
    world.one_event().await;
    endpoint.answers([Answer::Status(410)]);
    assert_eq!(world.stack.deliver_webhooks().await, 1);
    assert_eq!((world.waiting(), world.given_up()), (0, 1));
    let log = world.leaks.log();
    assert!(log.contains(r#""alarm":"webhook_gone""#), "{log}");
    assert_eq!(world.last_line_with("EndpointGone")["EndpointGone"], 1);
    // What follows is not sent, and still counted.
    world.browser().install_as(crate::app::in_globex).await;
    world.publish().await;
    world.stack.deliver_webhooks().await;
    assert_eq!(endpoint.count(), 1);
    assert_eq!((world.waiting(), world.given_up()), (0, 2));
    let line = world.last_line_with("DeliveryGivenUp");
    assert_eq!(line["EndpointGone"], 1, "{line}");
    // All that the function reads or writes of the table is its own: the role allows no other key.
    let calls = world.stack.dynamodb().calls().into_iter().filter(|call| call.caller == "webhook");
    let keys: Vec<String> = calls
        .map(|call| {
            let body: Value = serde_json::from_str(&call.body).unwrap();
            let key = body["Key"]["event_id"]["S"].as_str().or(body["Item"]["event_id"]["S"].as_str());
            key.unwrap_or_else(|| panic!("{}: {body}", call.operation)).to_owned()
        })
        .collect();
    assert!(keys.len() > 2 && keys.iter().all(|key| key.starts_with("webhook/")), "{keys:?}");
}

#[tokio::test]
async fn a_rotation_loses_no_delivery() {
    let endpoint = Endpoint::start().await;
    let url = endpoint.url.clone();
    let world = World::start_with(|options| {
        options.variables.insert("WEBHOOK_URL".to_owned(), url);
        options.clock = Arc::new(SystemClock);
    })
    .await;
    let old = Webhook::new(&world.stack.webhook_secret()).unwrap();
    world.one_event().await;
    world.stack.deliver_webhooks().await;
    world.stack.rotate_webhook_secret();
    let new = Webhook::new(&world.stack.webhook_secret()).unwrap();
    // The function still has the old one in its cache: what it signs, an app with either has to take. An app gets the
    // new one only from somebody who has seen it, so the cache's minutes come first.
    let fresh = webhook::Webhook::read(
        &|name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some("webhook".to_owned()),
            name => world.stack.variables().get(name).cloned(),
        },
        SystemClock,
        shared::random::OsRandom,
    );
    let fresh = fresh.unwrap();
    world.browser().install_as(crate::app::in_globex).await;
    world.publish().await;
    let message = world.stack.queues().service().webhooks().pop().unwrap();
    let now = shared::clock::Clock::now_millis(&SystemClock).0;
    let event = json!({"Records": [{
        "messageId": "m", "receiptHandle": "r", "body": message, "eventSource": "aws:sqs",
        "attributes": {"SentTimestamp": now.to_string(), "ApproximateReceiveCount": "1"},
    }]});
    let event = serde_json::value::to_raw_value(&event).unwrap();
    shared::entry::batch::answer(&fresh, &event, lambda_http::Context::default()).await;
    let got = endpoint.got().pop().unwrap();
    assert_eq!(got.header("webhook-signature").split(' ').count(), 2);
    old.verify(&got.body, &got.headers).unwrap();
    new.verify(&got.body, &got.headers).unwrap();
    old.verify(&endpoint.got()[0].body, &endpoint.got()[0].headers).unwrap();
}

#[tokio::test]
async fn a_failure_of_our_own_uses_up_no_try_and_reaches_nobody() {
    let endpoint = Endpoint::start().await;
    let world = World::with_endpoint(&endpoint).await;
    world.one_event().await;
    let denied = || Fault::Answer(Reply::error(400, "AccessDeniedException"));
    world.stack.dynamodb().inject("GetItem", denied(), 1);
    assert_eq!(world.stack.deliver_webhooks().await, 0);
    assert_eq!((endpoint.count(), world.waiting()), (0, 1));
    // SQS delivers it again after its own time.
    world.clock.advance_secs(181);
    assert_eq!(world.stack.deliver_webhooks().await, 1);
    assert_eq!(endpoint.count(), 1);

    // Given up, but the dead letters do not take it: it stays in the queue.
    world.browser().install_as(crate::app::in_globex).await;
    world.publish().await;
    endpoint.answers([Answer::Status(410)]);
    world.stack.queues().inject("SendMessage", denied(), 1);
    assert_eq!(world.stack.deliver_webhooks().await, 0);
    assert_eq!((world.waiting(), world.given_up()), (1, 0));
    world.clock.advance_secs(181);
    assert_eq!(world.stack.deliver_webhooks().await, 1);
    assert_eq!((world.waiting(), world.given_up()), (0, 1));
}

#[tokio::test]
async fn a_message_that_is_no_event_is_put_aside_and_holds_up_nothing() {
    let endpoint = Endpoint::start().await;
    let world = World::with_endpoint(&endpoint).await;
    let record = |id: &str, body: &str| {
        json!({
            "messageId": id, "receiptHandle": id, "body": body, "eventSource": "aws:sqs",
            "attributes": {"SentTimestamp": "1795305600000", "ApproximateReceiveCount": "1"},
        })
    };
    let good = json!({"detail": {"id": format!("evt_{:032x}", 7), "type": "x", "data": {}}}).to_string();
    let records =
        [record("a", "not JSON"), record("b", r#"{"detail": {"id": "evt_1\r\nx: y"}}"#), record("c", &good)];
    let answer = world.ask("webhook", json!({"Records": records})).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!((endpoint.count(), world.given_up()), (1, 2));
    let log = world.leaks.log();
    assert!(log.contains(r#""alarm":"webhook_given_up""#), "{log}");
}

/// The sample app verifies what arrives with the official library, and shows it.
#[tokio::test]
async fn the_sample_app_hears_of_its_users_installations() {
    let world = World::start_with(|options| options.clock = Arc::new(SystemClock)).await;
    world.connected("anna", |_| {}).await;
    world.publish().await;
    assert_eq!(world.stack.deliver_webhooks().await, 2);
    assert_eq!(world.waiting(), 0);
    let page = world.browser().get(&world.url("/app")).await.body;
    assert!(page.contains("installation.claimed") && page.contains("· anna"), "{page}");
    let start = world.browser().get(&world.url("/")).await.body;
    assert!(start.contains("installation.claimed") && start.contains("/app/webhook"), "{start}");
    // Unsigned.
    let forged = vault::http_client::build().unwrap().post(world.url("/app/webhook")).body("{}").send().await;
    assert_eq!(forged.unwrap().status(), 401);
}
