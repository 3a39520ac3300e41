//! Starting, driving and watching the whole system from a program.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use callback::{Callback, SetUpError};
use install::Install;
use serde_json::json;
use shared::clock::{Clock, SystemClock};
use shared::entry::AlwaysAnswers as _;
use shared::random::{OsRandom, Random, attempt};
use simulated_notion::{Connection, Simulator};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::aws::{CLAIMS_TABLE, Dynamo, DynamoError, INSTALLATIONS_TABLE, Queue, SecretsManager, Wire};
use crate::front;

/// The secrets' names in the stand-in.
const CLIENT_SECRET: &str = "notion-install/client-secret";
/// Apart from the simulated connection's, so that it never reaches the simulated Notion.
const REAL_CLIENT_SECRET: &str = "notion-install/real-client-secret";
const TOKEN_KEY_RING: &str = "notion-install/token-key-ring";
/// The client id that the simulated Notion knows.
pub const SIMULATED_CLIENT_ID: &str = "463558a3-725e-4f37-b6d3-0889894f68de";
/// A function's time at AWS, in milliseconds.
pub const FUNCTION_TIMEOUT_MS: u64 = 25_000;

/// Which Notion to talk to.
#[derive(Clone)]
pub enum NotionSide {
    /// The simulated one, started with the stack. Its connections, port and file are set by the stack.
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
    /// Where data and secrets lie across restarts, in the clear; `None` means in memory.
    pub data_dir: Option<PathBuf>,
    /// Which Notion.
    pub notion: NotionSide,
    /// The functions' clock.
    pub clock: Arc<dyn Clock>,
    /// The functions' randomness.
    pub random: Arc<dyn Random>,
    /// Variables of the functions, over those that the stack sets.
    pub variables: HashMap<String, String>,
    /// How long a function has, in milliseconds.
    pub function_timeout_ms: u64,
    /// Whether to keep every answer of a function, for tests that search them.
    pub keep_answers: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            notion_port: 0,
            data_dir: None,
            notion: NotionSide::Simulated(simulated_notion::Options::default()),
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            variables: HashMap::new(),
            function_timeout_ms: FUNCTION_TIMEOUT_MS,
            keep_answers: false,
        }
    }
}

/// Why the stack did not start: one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The app's port.
    #[error("port {port} cannot be had on localhost ({cause}): choose another with --port N")]
    Port {
        /// The port.
        port: u16,
        /// Why.
        cause: io::Error,
    },
    /// The simulated Notion's port.
    #[error(
        "port {port} for the simulated Notion cannot be had ({cause}): choose another with --port N (Notion takes N+1)"
    )]
    NotionPort {
        /// The port.
        port: u16,
        /// Why.
        cause: io::Error,
    },
    /// The data folder.
    #[error("the data folder {} cannot be used ({cause}): choose another with --data DIR", dir.display())]
    Data {
        /// The folder.
        dir: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The embedded database.
    #[error(transparent)]
    Dynamo(#[from] DynamoError),
    /// A function's settings.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
    /// Anything else of the system's.
    #[error("the stack cannot start: {0}")]
    Io(#[from] io::Error),
}

/// The running system. Stops when dropped.
pub struct Stack {
    inside: Arc<Inside>,
    tasks: Vec<JoinHandle<()>>,
}

/// What runs.
pub(crate) struct Inside {
    pub(crate) install: Install,
    pub(crate) callback: Callback,
    pub(crate) dynamodb: Wire<Dynamo>,
    pub(crate) secrets_manager: Wire<SecretsManager>,
    pub(crate) rescue_queue: Wire<Queue>,
    pub(crate) notion: Option<Simulator>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) url: String,
    pub(crate) variables: HashMap<String, String>,
    pub(crate) function_timeout_ms: u64,
    pub(crate) data_dir: Option<PathBuf>,
    requests: AtomicU64,
    answers: Option<Mutex<Vec<String>>>,
}

impl Inside {
    pub(crate) fn next_request_id(&self) -> String {
        format!("local-{}", self.requests.fetch_add(1, Ordering::SeqCst) + 1)
    }

    pub(crate) fn store_client_secret(&self, secret: &str) -> io::Result<()> {
        self.secrets_manager.service().put(CLIENT_SECRET, &json!({"client_secret": secret}))
    }

    pub(crate) fn keep_answer(&self, answer: &str) {
        if let Some(answers) = &self.answers {
            answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer.to_owned());
        }
    }
}

impl Stack {
    /// Starts everything; returns when it can be used.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let listener = TcpListener::bind(("127.0.0.1", options.port))
            .await
            .map_err(|cause| StartError::Port { port: options.port, cause })?;
        let port = listener.local_addr()?.port();
        // Browsers may try `localhost` as ::1 first: whoever listens there must not get the callback.
        let listener_v6 = match TcpListener::bind(("::1", port)).await {
            Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => {
                return Err(StartError::Port { port, cause });
            }
            bound => bound.ok(),
        };
        let url = format!("http://localhost:{port}");
        let redirect_uri = format!("{url}/callback");
        let file = |name: &str| options.data_dir.as_ref().map(|dir| dir.join(name));
        if let Some(dir) = &options.data_dir {
            std::fs::create_dir_all(dir).map_err(|cause| StartError::Data { dir: dir.clone(), cause })?;
        }

        let secrets = SecretsManager::open(file("secrets.json"))?;
        if !secrets.has(TOKEN_KEY_RING) {
            let seed: String = (0..3).map(|_| attempt(&*options.random)).collect();
            secrets.put(TOKEN_KEY_RING, &json!({"seed": seed}))?;
        }
        let (client_id, client_secret_id, notion) = match options.notion {
            NotionSide::Real { client_id, client_secret } => {
                secrets.put(REAL_CLIENT_SECRET, &json!({"client_secret": client_secret.expose()}))?;
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
        let rescue_queue = Wire::start(Queue::default()).await?;
        let mut variables: HashMap<String, String> = [
            ("APP_NAME", "Sample app"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("CLAIMS_TABLE", CLAIMS_TABLE.0),
            ("CLIENT_SECRET_ARN", client_secret_id),
            ("INSTALLATIONS_TABLE", INSTALLATIONS_TABLE.0),
            ("NOTION_CLIENT_ID", &client_id),
            ("NOTION_REDIRECT_URI", &redirect_uri),
            ("RESCUE_QUEUE_URL", &format!("{}/123456789012/rescue", rescue_queue.base_url())),
            ("TOKEN_KEY_RING_ARN", TOKEN_KEY_RING),
            ("AWS_ENDPOINT_URL_DYNAMODB", &dynamodb.base_url()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &secrets_manager.base_url()),
            ("AWS_ENDPOINT_URL_SQS", &rescue_queue.base_url()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        if let Some(notion) = &notion {
            variables.insert("NOTION_BASE_URL".to_owned(), notion.base_url());
        }
        variables.extend(options.variables);

        let lookup = |name: &str| variables.get(name).cloned();
        let install = Install::read(&lookup, Arc::clone(&options.clock), Arc::clone(&options.random))
            .map_err(SetUpError::from)?;
        let callback = Callback::read(&lookup, Arc::clone(&options.clock), Arc::clone(&options.random))?;
        callback.warm_up().await;
        let inside = Arc::new(Inside {
            install,
            callback,
            dynamodb,
            secrets_manager,
            rescue_queue,
            notion,
            clock: options.clock,
            url,
            variables,
            function_timeout_ms: options.function_timeout_ms,
            data_dir: options.data_dir,
            requests: AtomicU64::new(0),
            answers: options.keep_answers.then(Mutex::default),
        });
        let router = front::router(Arc::clone(&inside));
        let tasks = std::iter::once(listener)
            .chain(listener_v6)
            .map(|listener| {
                let serving = axum::serve(listener, router.clone());
                // axum's server goes on for ever.
                tokio::spawn(async move { drop(serving.await) })
            })
            .collect();
        Ok(Self { inside, tasks })
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

    /// DynamoDB and its wire.
    #[must_use]
    pub fn dynamodb(&self) -> &Wire<Dynamo> {
        &self.inside.dynamodb
    }

    /// Secrets Manager and its wire.
    #[must_use]
    pub fn secrets_manager(&self) -> &Wire<SecretsManager> {
        &self.inside.secrets_manager
    }

    /// The rescue queue and its wire.
    #[must_use]
    pub fn rescue_queue(&self) -> &Wire<Queue> {
        &self.inside.rescue_queue
    }

    /// The function behind `/install`.
    #[must_use]
    pub fn install(&self) -> &Install {
        &self.inside.install
    }

    /// The function behind `/callback`.
    #[must_use]
    pub fn callback(&self) -> &Callback {
        &self.inside.callback
    }

    /// The functions' variables: what their environment would be.
    #[must_use]
    pub fn variables(&self) -> &HashMap<String, String> {
        &self.inside.variables
    }

    /// The token key ring, as Secrets Manager has it.
    #[must_use]
    pub fn key_ring(&self) -> String {
        let ring = self.inside.secrets_manager.service().current(TOKEN_KEY_RING);
        ring.map(|ring| ring.to_string()).unwrap_or_default()
    }

    /// Stores a client secret for the simulated connection as the deployer would: the one before becomes AWSPREVIOUS.
    ///
    /// # Errors
    ///
    /// If the data folder cannot be written.
    pub fn store_client_secret(&self, secret: &str) -> io::Result<()> {
        self.inside.store_client_secret(secret)
    }

    /// Every answer of a function so far, if they are kept.
    #[must_use]
    pub fn answers(&self) -> Vec<String> {
        let answers = self.inside.answers.as_ref();
        answers.map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap_or_default()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
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
    connection.template = Some("Getting started".to_owned());
    options.connections.push(connection);
    let port = options.port;
    Simulator::start(options).await.map_err(|cause| StartError::NotionPort { port, cause })
}
