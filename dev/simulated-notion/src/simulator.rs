//! Starts, drives and watches a simulator from a program.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::address::BaseUrl;
use crate::authorize::{Approval, Redirect};
use crate::beginning::Beginning;
use crate::connection::Connection;
use crate::content::person::Act;
use crate::content::report::Content;
use crate::content::template::Template;
use crate::endpoint::Endpoint;
use crate::error::NotionError;
use crate::grant::Grant;
use crate::limits::{RateCounter, RateScope};
use crate::notion::Memory;
use crate::settings::Settings;
use crate::traffic::{Fault, Injection, Recorded};
use crate::wire::{CountingListener, Cutter};
use crate::workspace::{Workspace, sample_workspaces};
use crate::world::World;

/// How to start a [`Simulator`].
#[derive(Clone)]
pub struct Options {
    /// The address to listen on. Default: 127.0.0.1. Everything here is meant to be reached from this machine alone: the
    /// control page needs no password. Another address is for containers and private networks.
    pub address: IpAddr,
    /// The port; 0 (the default) means any free one.
    pub port: u16,
    /// How apps and browsers reach the simulator, if not by that address and port: `https://notion.test`. Its host may
    /// then open the simulator's own pages, besides `localhost` and IP addresses. Default: none.
    pub base_url: Option<String>,
    /// Serve HTTPS instead of HTTP. Default: none.
    #[cfg(feature = "tls")]
    pub tls: Option<crate::tls::TlsIdentity>,
    /// The switches; all can be changed later.
    pub settings: Settings,
    /// Where ids and tokens are drawn from; `None` (the default) means the operating system. Two simulators with the same
    /// number that receive the same requests in the same order give the same answers.
    pub random_seed: Option<u64>,
    /// The time in Unix milliseconds. Default: the system's. What [`Simulator::advance_clock`] and `POST /control/clock` do
    /// is added to it.
    pub clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Starts with the clock stopped at this time, in Unix milliseconds: it moves only when it is moved. Default: it runs.
    pub clock_stopped_at_ms: Option<u64>,
    /// A JSON file with connections, grants, tokens and content in the clear, loaded at the start if it exists and
    /// written after each change. It does not contain settings or the members of workspaces. Default: none.
    pub state_file: Option<PathBuf>,
    /// Registered at the start; replaces those in the state file with the same client id. Default: none.
    pub connections: Vec<Connection>,
    /// Default: [`sample_workspaces`].
    pub workspaces: Vec<Workspace>,
    /// What the templates of connections contain, by their titles. Default: none, so a duplicated template is an empty
    /// page.
    pub templates: Vec<Template>,
    /// Faults that wait from the start. Default: none.
    pub faults: Vec<Injection>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            base_url: None,
            #[cfg(feature = "tls")]
            tls: None,
            settings: Settings::default(),
            random_seed: None,
            clock: Arc::new(system_time_ms),
            clock_stopped_at_ms: None,
            state_file: None,
            connections: Vec::new(),
            workspaces: sample_workspaces(),
            templates: Vec::new(),
            faults: Vec::new(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the default clock; everything else receives it")]
fn system_time_ms() -> u64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

/// A running simulator. Clones are handles to the same one. It stops when the last is dropped.
#[derive(Clone)]
pub struct Simulator {
    world: Arc<World>,
    server: Arc<Server>,
}

struct Server {
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Simulator {
    /// Binds the address and serves in a task of the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if the port is taken, if the base URL is more or less than an origin, if the state file cannot be read, parsed
    /// or written, or if a template or page has content that Notion would not accept.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        #[cfg(feature = "tls")]
        let (tls, is_tls) = (options.tls.clone(), options.tls.is_some());
        #[cfg(not(feature = "tls"))]
        let is_tls = false;
        let listener = TcpListener::bind((options.address, options.port)).await?;
        let socket = listener.local_addr()?;
        let base_url = BaseUrl::new(options.base_url.as_deref(), socket, is_tls)?;
        let memory = options.state_file.as_deref().map_or(Ok(Memory::default()), Memory::load)?;
        let beginning = Beginning {
            settings: options.settings,
            random_seed: options.random_seed,
            clock: options.clock,
            clock_stopped_at_ms: options.clock_stopped_at_ms,
            connections: options.connections,
            workspaces: options.workspaces,
            templates: options.templates,
            faults: options.faults,
            base_url: base_url.text.clone(),
        };
        let mut notion = beginning.notion(memory)?;
        notion
            .check_templates()
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))?;
        let (stop, stopping) = watch::channel(false);
        let world =
            Arc::new(World::new(notion, beginning, options.state_file, stopping.clone(), (socket, base_url)));
        world.save(&mut world.notion())?;

        let listener = CountingListener { listener, accepted: Arc::clone(&world.accepted) };
        let router = crate::server::router(Arc::clone(&world));
        #[cfg(feature = "tls")]
        let task = match tls {
            Some(identity) => serve(crate::tls::TlsListener::new(listener, identity), router, stopping),
            None => serve(listener, router, stopping),
        };
        #[cfg(not(feature = "tls"))]
        let task = serve(listener, router, stopping);
        Ok(Self { world, server: Arc::new(Server { stop, task: Mutex::new(Some(task)) }) })
    }

    /// `http://127.0.0.1:PORT`, or what [`Options`] say instead, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.world.base_url.text.clone()
    }

    /// Where it listens, with the port that it got.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.world.socket
    }

    /// The current switches.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.world.notion().settings.clone()
    }

    /// Changes switches; the next request sees the change. `change` must not call the simulator.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.world.notion().settings);
    }

    /// Adds a connection. One with the same client id is replaced immediately, including its secret.
    pub fn register(&self, connection: Connection) {
        self.world.change(|notion| notion.register(connection));
    }

    /// Changes a registered connection, as in Notion's portal.
    ///
    /// # Panics
    ///
    /// If there is no such connection.
    pub fn change_connection(&self, client_id: &str, change: impl FnOnce(&mut Connection)) {
        self.world.change(|notion| {
            let known = notion.memory.connections.iter_mut().find(|known| known.client_id == client_id);
            change(known.unwrap_or_else(|| panic!("there is no connection {client_id}")));
        });
    }

    /// Gives a connection a new secret. [`Settings::old_secret_dies_at_once`] decides about the old one.
    ///
    /// # Panics
    ///
    /// Panics if no connection has this client id.
    pub fn rotate_secret(&self, client_id: &str, new_secret: &str) {
        let found = self.world.change(|notion| notion.rotate_secret(client_id, new_secret));
        assert!(found, "no connection has the client id {client_id}");
    }

    /// Queues a fault for the next `times` requests to an endpoint, after those already waiting.
    ///
    /// # Panics
    ///
    /// Panics if it has a status that is not between 200 and 599.
    pub fn inject(&self, endpoint: Endpoint, fault: Fault, times: u32) {
        self.inject_at(Injection::at(endpoint, fault).times(times));
    }

    /// Queues a fault for requests by endpoint, method or path, after those already waiting.
    ///
    /// # Panics
    ///
    /// Panics if it has neither an endpoint nor a path, a path that is not below `/v1/`, or a status that is not between 200
    /// and 599.
    pub fn inject_at(&self, injection: Injection) {
        assert_eq!(injection.problem(), None, "{injection:?}");
        self.world.traffic().inject(injection);
    }

    /// Lets all requests continue that [`Fault::Hold`] holds now.
    pub fn release(&self) {
        self.world.releases.send_modify(|count| *count += 1);
    }

    /// Returns to what [`Options`] said: connections, workspaces, templates, content, switches, faults, log, rate windows and
    /// clock; what was registered and granted since is gone, also from the state file. With
    /// [`Options::random_seed`], ids and tokens start again, so that the same requests get the same answers.
    ///
    /// Requests that are at work finish before it. Those that [`Fault::Hold`] or [`Fault::DelayMs`] keep waiting are cut
    /// and have no effect. The numbers of TCP connections go on.
    ///
    /// # Errors
    ///
    /// Fails if the operating system has no random bytes.
    pub async fn reset(&self) -> std::io::Result<()> {
        self.world.reset().await
    }

    /// Moves the clock forward: codes and tokens expire, rate windows end, what lags appears.
    pub fn advance_clock(&self, by: Duration) {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.world.notion().clock.advance(by_ms);
    }

    /// The time by the simulator's clock, in Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.world.notion().now_ms()
    }

    /// Drops the waiting faults. Requests that are held stay held.
    pub fn clear_faults(&self) {
        self.world.traffic().clear_faults();
    }

    /// Every HTTP request so far, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.world.traffic().log.clone()
    }

    /// How many requests arrived at an endpoint, with any method, answered or not.
    #[must_use]
    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.world.traffic().count(endpoint)
    }

    /// Returns once `count` requests have arrived at an endpoint, including held ones.
    pub async fn wait_for(&self, endpoint: Endpoint, count: usize) {
        let mut arrivals = self.world.arrivals.subscribe();
        while self.count(endpoint) < count {
            if arrivals.changed().await.is_err() {
                return;
            }
        }
    }

    /// How many TCP connections have been accepted.
    #[must_use]
    pub fn connections_accepted(&self) -> u64 {
        self.world.connections_accepted()
    }

    /// Every grant so far, oldest first, including revoked ones.
    #[must_use]
    pub fn grants(&self) -> Vec<Grant> {
        self.world.notion().grants()
    }

    /// Every code, token and client secret ever issued or registered, for searching logs and pages.
    #[must_use]
    pub fn secrets_issued(&self) -> Vec<String> {
        self.world.notion().memory.secrets_issued.clone()
    }

    /// Decides on an authorization request as a person would on the consent page.
    ///
    /// # Errors
    ///
    /// Fails if the request, the person, the workspace or the choice of pages is rejected; also if the app gets an
    /// error that is not the person's decision, such as an unsupported `response_type`.
    pub fn approve(&self, request: Approval) -> Result<Redirect, NotionError> {
        self.world.change(|notion| notion.decide(request)).map_err(NotionError::from)
    }

    /// Kills every grant of a person in a workspace, as if they had removed the connection in Settings.
    pub fn revoke_grants_of(&self, person_id: &str, workspace_id: &str) {
        self.world.change(|notion| notion.revoke_grants_of(person_id, workspace_id));
    }

    /// Everything in a workspace: pages, databases, data sources, rows, views. Empty for an unknown workspace.
    #[must_use]
    pub fn content(&self, workspace_id: &str) -> Content {
        self.world.notion().content(workspace_id)
    }

    /// Moves a page or a database to the trash, as a person would.
    ///
    /// The API still answers it, with `in_trash` (documented); what is changed or made below it gets 400 `validation_error`
    /// (the status and code are *invented*). Search does not find it.
    ///
    /// # Panics
    ///
    /// Panics if there is no such page or database.
    pub fn delete(&self, id: &str) {
        self.act(id, &Act::Delete);
    }

    /// Takes a page or a database out of the trash.
    ///
    /// # Panics
    ///
    /// Panics if there is no such page or database.
    pub fn restore(&self, id: &str) {
        self.act(id, &Act::Restore);
    }

    /// Takes a page or a database, and everything below it, away from all connections: they get 404. A person can share
    /// what is at the top of a workspace again on the consent page.
    ///
    /// # Panics
    ///
    /// Panics if there is no such page or database.
    pub fn unshare(&self, id: &str) {
        self.act(id, &Act::Unshare);
    }

    /// Gives a page or a database another title.
    ///
    /// # Panics
    ///
    /// Panics if there is no such page or database.
    pub fn rename(&self, id: &str, title: &str) {
        self.act(id, &Act::Rename(title.to_owned()));
    }

    fn act(&self, id: &str, act: &Act) {
        let found = self.world.change(|notion| notion.act(id, act));
        assert!(found, "there is no page or database {id}");
    }

    /// What was counted for the rate limits, whether or not there is one: the highest number of requests in one window,
    /// and the refused ones.
    #[must_use]
    pub fn rate_counters(&self) -> BTreeMap<RateScope, RateCounter> {
        self.world.traffic().windows.counters()
    }

    /// Stops accepting, cuts held requests, lets the others finish, and frees the port.
    ///
    /// Other handles can still be used to look at what happened.
    pub async fn stop(self) {
        self.server.stop.send_replace(true);
        let task = self.server.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // Fails only if the runtime is shutting down, which stops the server too.
            let _ = task.await;
        }
    }
}

/// Serves in a task until `stopping` becomes true or is closed.
fn serve<L>(listener: L, router: Router, mut stopping: watch::Receiver<bool>) -> JoinHandle<()>
where
    L: Listener<Addr: std::fmt::Debug>,
    Cutter: for<'a> Connected<IncomingStream<'a, L>>,
{
    let service = router.into_make_service_with_connect_info::<Cutter>();
    let stopped = async move {
        // An error means that every handle was dropped.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let server = axum::serve(listener, service).with_graceful_shutdown(stopped);
    tokio::spawn(async move {
        // axum's server ends only by the shutdown; its result is always `Ok`.
        let _ = server.await;
    })
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reset_waits_for_requests_at_work() {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let at_work = simulator.world.at_work.read().await;
        let too_early = tokio::time::timeout(Duration::ZERO, simulator.reset()).await;
        assert!(too_early.is_err());
        drop(at_work);
        simulator.reset().await.unwrap();
    }
}
