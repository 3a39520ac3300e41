//! Starts, drives and watches the whole system from a program.

mod error;
mod template;
mod variables;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use callback::Callback;
use install::Install;
use recipe::Recipe;
use serde_json::{Value, json};
use shared::clock::{Clock, SystemClock};
use shared::config::environment;
use shared::random::{OsRandom, Random, attempt};
use simulated_notion::{Connection, Simulator};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use vault::webhook_keys::WebhookKeys;

use crate::aws::{self, Call, Dynamo, EventBus, Grant, Queue, SecretsManager, Services, Wire, grants_of};
use crate::event_sources::EventSources;
use crate::front;
use crate::functions::{Functions, NAMES};
use crate::inside::{CLIENT_SECRET, Inside, TOKEN_KEY_RING, WEBHOOK_SECRET};
use crate::lambda_api;
use crate::throttle::{Limits, Throttle};

pub use crate::event_sources::DeliveryError;
pub use error::StartError;

/// The name of the real connection's client secret in the stand-in: not [`CLIENT_SECRET`], so that it is never sent to the
/// simulated Notion.
const REAL_CLIENT_SECRET: &str = "notion-install/real-client-secret";
/// The client id of the simulated connection.
pub const SIMULATED_CLIENT_ID: &str = "463558a3-725e-4f37-b6d3-0889894f68de";
/// A function's timeout at AWS, in milliseconds.
pub const FUNCTION_TIMEOUT_MS: u64 = 25_000;

/// Which Notion to use.
#[expect(clippy::large_enum_variant, reason = "there is one in a process")]
#[derive(Clone)]
pub enum NotionSide {
    /// The simulated one, started with the stack. The stack sets its connections, port and file.
    Simulated(simulated_notion::Options),
    /// The real one, with the credentials of a public connection.
    Real {
        /// The OAuth client id.
        client_id: String,
        /// The OAuth client secret.
        client_secret: shared::secret::ClientSecret,
    },
}

/// How to start a [`Stack`].
#[derive(Clone)]
pub struct Options {
    /// The port of the app on localhost; 0 means any free one.
    pub port: u16,
    /// The port of the simulated Notion on 127.0.0.1; 0 means any free one.
    pub notion_port: u16,
    /// The port of the AWS stand-ins on 127.0.0.1; 0 means any free one.
    pub aws_port: u16,
    /// Where data and secrets are kept across restarts, in the clear; `None` means in memory.
    pub data_dir: Option<PathBuf>,
    /// Which Notion.
    pub notion: NotionSide,
    /// The functions' clock.
    pub clock: Arc<dyn Clock>,
    /// The functions' randomness.
    pub random: Arc<dyn Random>,
    /// Variables for the functions. They override those that the stack sets.
    pub variables: HashMap<String, String>,
    /// What people's workspaces are prepared with; `None`: they are not.
    pub recipe: Option<Recipe>,
    /// How long a function has, in milliseconds; `onboard` has more.
    pub function_timeout_ms: u64,
    /// The throttle of `GET /callback` in API Gateway; `None` means none.
    pub callback_limits: Option<Limits>,
    /// Whether to keep every answer of a function, for tests that search them.
    pub keep_answers: bool,
    /// Where to write, when the stack ends, which IAM actions its functions used. By default the file in
    /// `GRANTS_FILE`.
    pub grants_file: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            notion_port: 0,
            aws_port: 0,
            data_dir: None,
            notion: NotionSide::Simulated(simulated_notion::Options::default()),
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            variables: HashMap::new(),
            recipe: None,
            function_timeout_ms: FUNCTION_TIMEOUT_MS,
            callback_limits: None,
            keep_answers: false,
            grants_file: environment("GRANTS_FILE").map(PathBuf::from),
        }
    }
}

/// The running system. Stops when dropped.
pub struct Stack {
    inside: Arc<Inside>,
    event_sources: EventSources,
    tasks: Vec<JoinHandle<()>>,
}

impl Stack {
    /// Starts everything. Returns when it is ready.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let (port, listeners) = listen_on_localhost(options.port).await?;
        let url = format!("http://localhost:{port}");
        let redirect_uri = format!("{url}/callback");
        let file = |name: &str| options.data_dir.as_ref().map(|dir| dir.join(name));
        if let Some(dir) = &options.data_dir {
            std::fs::create_dir_all(dir).map_err(|cause| StartError::Data { dir: dir.clone(), cause })?;
        }

        let streams_file = file("streams.json");
        let secrets = SecretsManager::open(file("secrets.json"), Arc::clone(&options.clock))?;
        generate(&secrets, &*options.random)?;
        let (client_id, client_secret_id, notion) = match options.notion {
            NotionSide::Real { client_id, client_secret } => {
                let value = json!({"client_secret": client_secret.expose()});
                secrets.put(REAL_CLIENT_SECRET, &value)?;
                (client_id, REAL_CLIENT_SECRET, None)
            }
            NotionSide::Simulated(simulator) => {
                let simulator = simulated_notion::Options {
                    port: options.notion_port,
                    state_file: file("notion.json"),
                    ..simulator
                };
                let secret = simulated_client_secret(&secrets, &*options.random)?;
                let notion = start_simulator(simulator, &secret, &redirect_uri).await?;
                (SIMULATED_CLIENT_ID.to_owned(), CLIENT_SECRET, Some(notion))
            }
        };

        let dynamodb = Wire::start(Dynamo::start(file("dynamodb.sqlite").as_deref()).await?).await?;
        let secrets_manager = Wire::start(secrets).await?;
        let queues = Wire::start(Queue::new(Arc::clone(&options.clock))).await?;
        let event_bus = Wire::start(EventBus::new(Arc::clone(&options.clock))).await?;
        let services = Arc::new(Services { dynamodb, secrets_manager, queues, event_bus });
        let aws = match &notion {
            Some(_simulated) => Some(listen_for_aws(options.aws_port).await?),
            // Anyone who reaches the port can read what is stored there, so it must not have a real client secret.
            None => None,
        };
        // Where `onboard` invokes `token`. An address that nobody knows, as those of the other stand-ins.
        let (lambda_port, lambda) = listen_for_aws(0).await?;
        let mut variables = variables::of_functions(&services, &url, &client_id, client_secret_id);
        variables.insert("AWS_ENDPOINT_URL_LAMBDA".to_owned(), format!("http://127.0.0.1:{lambda_port}"));
        if let Some(notion) = &notion {
            variables.insert("NOTION_BASE_URL".to_owned(), notion.base_url());
        }
        variables.extend(options.variables);

        let functions =
            Functions::read(&variables, &options.clock, &options.random, options.recipe.as_ref())?;
        Box::pin(functions.warm_up()).await;
        let inside = Arc::new(Inside {
            functions,
            aws_url: aws.as_ref().map(|(port, _)| format!("http://127.0.0.1:{port}")),
            services,
            notion,
            callback_throttle: options
                .callback_limits
                .map(|limits| Throttle::new(limits, options.clock.now_millis())),
            clock: options.clock,
            random: options.random,
            url,
            variables,
            function_timeout_ms: options.function_timeout_ms,
            data_dir: options.data_dir,
            grants_file: options.grants_file,
            requests: AtomicU64::new(0),
            invocations: Mutex::default(),
            kept_answers: options.keep_answers.then(Mutex::default),
            said: Mutex::default(),
        });
        let event_sources = EventSources::open(Arc::clone(&inside), streams_file)?;
        let router = front::router(Arc::clone(&inside)).map_err(vault::SetUpError::from)?;
        let tasks = listeners
            .into_iter()
            .map(|listener| {
                let serving = axum::serve(listener, router.clone());
                // axum's server runs forever.
                tokio::spawn(async move { drop(serving.await) })
            })
            .chain(
                [lambda]
                    .into_iter()
                    .chain(aws.map(|(_, listener)| listener))
                    .map(|listener| aws::serve(listener, lambda_api::router(Arc::clone(&inside)))),
            )
            .collect();
        Ok(Self { inside, event_sources, tasks })
    }

    /// `http://localhost:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.inside.url
    }

    /// The simulated Notion, unless the real one is used.
    #[must_use]
    pub fn notion(&self) -> Option<&Simulator> {
        self.inside.notion.as_ref()
    }

    /// `http://127.0.0.1:PORT`, where all the AWS stand-ins answer. `None` if the real Notion's secret is among them.
    #[must_use]
    pub fn aws_url(&self) -> Option<&str> {
        self.inside.aws_url.as_deref()
    }

    /// DynamoDB and its wire.
    #[must_use]
    pub fn dynamodb(&self) -> &Wire<Dynamo> {
        &self.inside.services.dynamodb
    }

    /// Secrets Manager and its wire.
    #[must_use]
    pub fn secrets_manager(&self) -> &Wire<SecretsManager> {
        &self.inside.services.secrets_manager
    }

    /// The queues and their wire.
    #[must_use]
    pub fn queues(&self) -> &Wire<Queue> {
        &self.inside.services.queues
    }

    /// How many TCP connections the stand-ins and the simulated Notion have accepted so far.
    #[must_use]
    pub fn connections_accepted(&self) -> u64 {
        let notion = self.notion().map_or(0, Simulator::connections_accepted);
        let (dynamodb, secrets) = (self.dynamodb(), self.secrets_manager());
        let aws = dynamodb.connections_accepted() + secrets.connections_accepted();
        aws + self.queues().connections_accepted() + self.event_bus().connections_accepted() + notion
    }

    /// The bus and its wire.
    #[must_use]
    pub fn event_bus(&self) -> &Wire<EventBus> {
        &self.inside.services.event_bus
    }

    /// Publishes every change of the tables so far, as their streams do. Returns how many are done; what failed is tried
    /// again the next time.
    ///
    /// # Errors
    ///
    /// [`DeliveryError`].
    pub async fn publish_changes(&self) -> Result<usize, DeliveryError> {
        Box::pin(self.event_sources.publish_changes()).await
    }

    /// Sends the webhooks that are due, once each. Returns how many are done.
    pub async fn deliver_webhooks(&self) -> usize {
        Box::pin(self.event_sources.deliver_webhooks()).await
    }

    /// Prepares the workspaces whose turn has come, as far as possible. Returns how many messages are done.
    pub async fn prepare_workspaces(&self) -> usize {
        Box::pin(self.event_sources.prepare_workspaces()).await
    }

    /// The function behind `/install`.
    #[must_use]
    pub fn install(&self) -> &Install {
        &self.inside.functions.install
    }

    /// The function behind `/callback`.
    #[must_use]
    pub fn callback(&self) -> &Callback {
        &self.inside.functions.callback
    }

    /// The functions.
    #[must_use]
    pub fn functions(&self) -> &Functions {
        &self.inside.functions
    }

    /// Invokes a function directly, as our own backend does, and returns its answer.
    pub async fn ask(&self, name: &str, input: &Value) -> Value {
        self.inside.ask(name, input).await
    }

    /// The functions' variables, in place of their environment.
    #[must_use]
    pub fn variables(&self) -> &HashMap<String, String> {
        &self.inside.variables
    }

    /// Which IAM actions the functions have used so far.
    #[must_use]
    pub fn grants(&self) -> BTreeSet<Grant> {
        // Other callers (the operator, a person's command line) use their own permissions.
        let of = |service, mut calls: Vec<Call>| {
            calls.retain(|call| NAMES.contains(&call.caller.as_str()));
            grants_of(service, &calls, &|named| {
                let found = self.inside.variables.iter().find(|(_, value)| *value == named);
                found.map(|(setting, _)| setting.clone())
            })
        };
        let services = &self.inside.services;
        let mut grants = of("dynamodb", services.dynamodb.calls());
        grants.extend(of("secretsmanager", services.secrets_manager.calls()));
        grants.extend(of("sqs", services.queues.calls()));
        grants.extend(of("events", services.event_bus.calls()));
        grants.extend(of("lambda", self.inside.invocations()));
        grants
    }

    /// The token key ring in Secrets Manager.
    #[must_use]
    pub fn key_ring(&self) -> String {
        let ring = self.inside.services.secrets_manager.service().current(TOKEN_KEY_RING);
        ring.map(|ring| ring.to_string()).unwrap_or_default()
    }

    /// The secret with which webhooks are verified: `whsec_…`.
    #[must_use]
    pub fn webhook_secret(&self) -> String {
        self.inside.webhook_secret()
    }

    /// Replaces the webhook secret, as the operator does: the one before signs too for a day.
    ///
    /// # Panics
    ///
    /// If the secret cannot be stored.
    pub fn rotate_webhook_secret(&self) {
        let secrets = self.inside.services.secrets_manager.service();
        let stored = secrets.current(WEBHOOK_SECRET).unwrap_or_default();
        let keys = WebhookKeys::parse(&stored.to_string()).unwrap_or_else(|expected| panic!("{expected}"));
        let rotated = keys.rotated(self.inside.clock.now(), &*self.inside.random);
        let rotated = serde_json::from_str(&rotated).unwrap_or_default();
        secrets.put(WEBHOOK_SECRET, &rotated).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Adds a key to the ring, which seals from now on.
    ///
    /// # Panics
    ///
    /// If the ring cannot be stored.
    pub fn rotate_key_ring(&self, material: &str) {
        let secrets = self.inside.services.secrets_manager.service();
        let mut ring = secrets.current(TOKEN_KEY_RING).unwrap_or_default();
        // Version 1 is derived from the seed.
        let newest = 1 + ring["keys"].as_object().map_or(0, serde_json::Map::len);
        ring["keys"][(newest + 1).to_string()] = material.into();
        secrets.put(TOKEN_KEY_RING, &ring).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Stores a client secret for the simulated connection as the deployer would: the previous one becomes
    /// AWSPREVIOUS.
    ///
    /// # Errors
    ///
    /// If the data folder cannot be written.
    pub fn store_client_secret(&self, secret: &str) -> io::Result<()> {
        self.inside.store_client_secret(secret)
    }

    /// Every answer of a function so far, if answers are kept.
    #[must_use]
    pub fn answers(&self) -> Vec<String> {
        self.inside.answers()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Some(file) = &self.inside.grants_file
            && let Err(error) = aws::append(file, &self.grants())
        {
            tracing::error!(%error, file = %file.display(), "the grants could not be written");
        }
    }
}

/// Generates what CloudFormation generates on AWS, at the first start.
fn generate(secrets: &SecretsManager, random: &dyn Random) -> io::Result<()> {
    if !secrets.has(TOKEN_KEY_RING) {
        let seed: String = (0..3).map(|_| attempt(random)).collect();
        secrets.put(TOKEN_KEY_RING, &json!({"seed": seed}))?;
    }
    if !secrets.has(WEBHOOK_SECRET) {
        let drawn = serde_json::from_str(&WebhookKeys::drawn(random)).unwrap_or_default();
        secrets.put(WEBHOOK_SECRET, &drawn)?;
    }
    Ok(())
}

async fn listen_for_aws(port: u16) -> Result<(u16, TcpListener), StartError> {
    let failed = |cause| StartError::AwsPort { port, cause };
    let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    Ok((port, listener))
}

/// Listens on `port` of localhost, on both its addresses if there are two.
async fn listen_on_localhost(port: u16) -> Result<(u16, Vec<TcpListener>), StartError> {
    let v4 =
        TcpListener::bind(("127.0.0.1", port)).await.map_err(|cause| StartError::Port { port, cause })?;
    let port = v4.local_addr()?.port();
    // Browsers may try `localhost` as ::1 first. Another program that listens there must not get the callback.
    match TcpListener::bind(("::1", port)).await {
        Ok(v6) => Ok((port, vec![v4, v6])),
        Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => Err(StartError::Port { port, cause }),
        Err(_no_such_address) => Ok((port, vec![v4])),
    }
}

/// The client secret of the simulated connection, drawn at the first start.
fn simulated_client_secret(secrets: &SecretsManager, random: &dyn Random) -> io::Result<String> {
    if !secrets.has(CLIENT_SECRET) {
        let secret = format!("secret_{}{}", attempt(random), attempt(random));
        secrets.put(CLIENT_SECRET, &json!({"client_secret": secret}))?;
    }
    let stored = secrets.current(CLIENT_SECRET).unwrap_or_default();
    Ok(stored["client_secret"].as_str().unwrap_or_default().to_owned())
}

async fn start_simulator(
    mut options: simulated_notion::Options,
    secret: &str,
    redirect_uri: &str,
) -> Result<Simulator, StartError> {
    let mut connection = Connection::new(SIMULATED_CLIENT_ID, secret, redirect_uri);
    "Sample app".clone_into(&mut connection.name);
    connection.template = Some(template::TITLE.to_owned());
    options.connections.push(connection);
    if options.templates.is_empty() {
        options.templates.push(template::getting_started());
    }
    let port = options.port;
    Simulator::start(options).await.map_err(|cause| StartError::NotionPort { port, cause })
}
