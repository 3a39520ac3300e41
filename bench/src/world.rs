//! The dev stack with enough people in it, and the events that they cause.

use dev::aws::{INSTALLATIONS_TABLE, ONBOARDING_TABLE, Service as _};
use dev::events::HttpRequest;
use dev::stack::{NotionSide, Options, Stack};
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use shared::pkce::{self, CodeChallenge};
use simulated_notion::{ACME, Approval, Endpoint, Person, ROADMAP, sample_workspaces};
use vault::http_client;
use vault::installation::InstallationId;

use crate::Error;

/// The recipe that is measured.
const RECIPE: &str = "tracker";

/// A running stack.
pub(crate) struct World {
    pub(crate) stack: Stack,
    http: reqwest::Client,
}

impl World {
    /// With `people` in the workspace Acme, none of whom has installed.
    pub(crate) async fn start(people: usize) -> Result<Self, Error> {
        let mut workspaces = sample_workspaces();
        // At least one, who installs for those cases whose calls are all about one.
        let people = people.max(1);
        if let Some(acme) = workspaces.iter_mut().find(|workspace| workspace.id == ACME) {
            let template = acme.people[0].clone();
            acme.people.extend((0..people).map(|number| Person { id: id_of(number), ..template.clone() }));
        }
        let notion = simulated_notion::Options { workspaces, ..simulated_notion::Options::default() };
        let options = Options {
            notion: NotionSide::Simulated(notion),
            variables: [("RECIPE".to_owned(), RECIPE.to_owned())].into(),
            ..Options::default()
        };
        Ok(Self { stack: Box::pin(Stack::start(options)).await?, http: http_client::build()? })
    }

    /// The event of the person with this number who comes back from Notion.
    pub(crate) async fn callback(&self, number: usize) -> Result<Value, Error> {
        self.callback_of(number, "").await
    }

    /// The same, after the person opened `/install` with this query.
    async fn callback_of(&self, number: usize, query: &str) -> Result<Value, Error> {
        let started = self.http.get(format!("{}/install{query}", self.stack.url())).send().await?;
        let header = |name: &str| {
            let value = started.headers().get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned).ok_or_else(|| format!("install answered without {name}"))
        };
        let (authorize, set_cookie) = (header("location")?, header("set-cookie")?);
        let approval = Approval {
            authorize_query: after(&authorize, '?').to_owned(),
            person: id_of(number),
            workspace: ACME.to_owned(),
            pages: vec![ROADMAP.to_owned()],
            ..Approval::default()
        };
        let notion = self.stack.notion().ok_or("the stack has no simulated Notion")?;
        let redirect = notion.approve(approval).map_err(|error| format!("{error:?}"))?;
        let cookie = set_cookie.split(';').next().unwrap_or_default();
        Ok(browser("/callback", after(&redirect.location, '?'), &[("cookie", cookie)]))
    }

    /// Installs for the person with this number, through the stack's own functions.
    pub(crate) async fn install(&self, number: usize) -> Result<(), Error> {
        let landed = self.land(self.callback(number).await?).await?;
        if landed.starts_with("?flow=") {
            Ok(())
        } else {
            Err(format!("{} could not install", id_of(number)).into())
        }
    }

    /// Installs for the person with this number, whom an app has sent. Returns the app's claim for a user of its own.
    pub(crate) async fn claim(&self, number: usize) -> Result<Value, Error> {
        let verifier = format!("{number:043}");
        let challenge = pkce::verifier(&verifier).map(|verifier| CodeChallenge::of(&verifier).to_text());
        let query = format!("?return_to=app&code_challenge={}&state=bench", challenge.unwrap_or_default());
        let landed = self.land(self.callback_of(number, &query).await?).await?;
        let code = after(after(&landed, '?'), '=').split('&').next().unwrap_or_default().to_owned();
        Ok(json!({"code": code, "code_verifier": verifier, "subject": subject_of(number), "caller": "bench"}))
    }

    /// Opens a callback in the browser that it is for. Returns where it redirects to.
    async fn land(&self, event: Value) -> Result<String, Error> {
        let (query, cookie) = (&event["rawQueryString"], &event["cookies"][0]);
        let url = format!("{}/callback?{}", self.stack.url(), query.as_str().unwrap_or_default());
        let request = self.http.get(url).header("cookie", cookie.as_str().unwrap_or_default());
        let answer = request.send().await?;
        let location = answer.headers().get("location").and_then(|to| to.to_str().ok());
        Ok(location.ok_or("the callback redirects nowhere")?.to_owned())
    }

    /// The change of the row of the person with this number, when they installed.
    pub(crate) async fn change(&self, number: usize) -> Result<Value, Error> {
        let changes =
            self.stack.dynamodb().service().changes(INSTALLATIONS_TABLE.0, None, usize::MAX).await?;
        let id = id_of(number);
        let is_theirs = |change: &&Value| {
            let key = change["dynamodb"]["Keys"]["installation_id"]["S"].as_str();
            change["eventName"] == "INSERT" && key.is_some_and(|key| key.ends_with(&id))
        };
        let change = changes.iter().find(is_theirs).ok_or_else(|| format!("{id} has not installed"))?;
        Ok(json!({"Records": [change]}))
    }

    /// Fails unless the workspaces of so many people are prepared: each has a database. A message that comes too early, or
    /// for nobody, would be cheap.
    pub(crate) fn must_have_prepared(&self, people: usize) -> Result<(), Error> {
        let made = self.stack.notion().map_or(0, |notion| notion.count(Endpoint::CreateDatabase));
        if made == people {
            Ok(())
        } else {
            Err(format!("{made} of {people} workspaces are prepared").into())
        }
    }

    /// Lets the next onboarding begin at once: those before it have reserved their time. It bypasses the wire, so it is
    /// not counted.
    pub(crate) async fn take_turns_back(&self) -> Result<(), Error> {
        let (table, key) = ONBOARDING_TABLE;
        let pace = json!({"TableName": table, "Key": {key: {"S": "pace"}}});
        let answer = self.stack.dynamodb().service().answer("DeleteItem", pace.to_string().as_bytes()).await;
        if answer.status == 200 { Ok(()) } else { Err("the turns could not be taken back".into()) }
    }

    /// What has reached the stand-ins so far.
    pub(crate) fn traffic(&self) -> Traffic {
        let (aws, notion) = (&self.stack, self.stack.notion());
        let requests = aws.dynamodb().calls().len()
            + aws.secrets_manager().calls().len()
            + aws.queues().calls().len()
            + aws.event_bus().calls().len()
            + notion.map_or(0, |notion| notion.requests().len());
        Traffic { connections: aws.connections_accepted(), requests }
    }
}

/// Connections and requests.
pub(crate) struct Traffic {
    pub(crate) connections: u64,
    pub(crate) requests: usize,
}

/// An event of a browser.
pub(crate) fn browser(path: &str, query: &str, more: &[(&str, &str)]) -> Value {
    let usual = [
        ("accept", "text/html,application/xhtml+xml"),
        ("accept-language", "en-GB,en;q=0.9"),
        ("host", "localhost:3000"),
        ("sec-fetch-dest", "document"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ];
    let headers = usual.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let request = HttpRequest {
        method: "GET".to_owned(),
        path: path.to_owned(),
        raw_query: query.to_owned(),
        headers: headers.collect(),
        arrived_at_ms: SystemClock.now_millis().0,
        request_id: "bench".to_owned(),
    };
    request.event()
}

/// An event of a backend about the person with this number.
pub(crate) fn backend(number: usize) -> Value {
    json!({"workspace_id": ACME, "user_id": id_of(number), "caller": "bench"})
}

/// An event for the app's endpoint, as the queue delivers it.
pub(crate) fn webhook(number: usize) -> Value {
    let event = json!({
        "id": format!("evt_{number:032x}"),
        "type": "installation.installed",
        "timestamp": "2026-11-22T00:00:00Z",
        "data": {"installation": id_of(number), "generation": 1, "version": 1, "health": "active", "subjects": []},
    });
    message(number, &event)
}

/// An event of the bus as a queue delivers it.
fn message(number: usize, event: &Value) -> Value {
    let now = SystemClock.now_millis().0.to_string();
    json!({"Records": [{
        "messageId": format!("message-{number}"),
        "receiptHandle": format!("receipt-{number}"),
        "body": json!({"source": "notion-install", "detail": event}).to_string(),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": now},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }]})
}

/// The message that the person with this number has installed, as the queue of onboardings delivers it.
pub(crate) fn onboarding(number: usize) -> Value {
    let installation = InstallationId::of_user(ACME, Some(&id_of(number))).to_opaque();
    let event = json!({
        "id": format!("evt_{number:032x}"),
        "type": "installation.installed",
        "timestamp": "2026-11-22T00:00:00Z",
        "data": {"installation": installation, "generation": 1, "version": 1, "health": "active", "subjects": []},
    });
    message(number, &event)
}

/// An app's own name for the person with this number.
pub(crate) fn subject_of(number: usize) -> String {
    format!("user {number}")
}

fn id_of(number: usize) -> String {
    format!("a0000000-0000-4000-8000-{number:012}")
}

fn after(text: &str, separator: char) -> &str {
    text.split_once(separator).map_or("", |(_, rest)| rest)
}
