//! Keeps every log line of the whole process, with the functions logging at TRACE. When a world ends, all its output
//! is searched for its secrets in every common encoding.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;
use shared::telemetry;
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt as _;

/// Each write with its thread: tests run in parallel, each on its own thread.
static LOG: Mutex<Vec<(ThreadId, String)>> = Mutex::new(Vec::new());

fn lock() -> MutexGuard<'static, Vec<(ThreadId, String)>> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

struct ToLog;

impl Write for ToLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock().push((std::thread::current().id(), String::from_utf8_lossy(bytes).into_owned()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The output of one world, and the secrets that its browsers received.
pub(crate) struct Leaks {
    from: usize,
    secrets: Mutex<Vec<String>>,
    answers: Mutex<Vec<String>>,
}

impl Leaks {
    pub(crate) fn watch() -> Self {
        static STARTED: OnceLock<()> = OnceLock::new();
        STARTED.get_or_init(|| {
            let subscriber = tracing_subscriber::registry()
                .with(telemetry::targets(Level::TRACE))
                .with(telemetry::layer(|| ToLog));
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
        let from = lock().len();
        Self { from, secrets: Mutex::default(), answers: Mutex::default() }
    }

    /// A state or a cookie. It may appear in the two redirects of the protocol and in `Set-Cookie`, nowhere else.
    pub(crate) fn secret(&self, secret: &str) {
        self.secrets.lock().unwrap().push(secret.to_owned());
    }

    /// Output of a function that did not pass through the stack's front.
    pub(crate) fn saw_answer(&self, answer: &str) {
        self.answers.lock().unwrap().push(answer.to_owned());
    }

    /// Output of another kind, such as a process's log. It is searched together with the log.
    pub(crate) fn saw_output(output: &str) {
        ToLog.write_all(format!("{output}\n").as_bytes()).unwrap();
    }

    /// What this test has logged since its world started.
    pub(crate) fn log(&self) -> String {
        let own = std::thread::current().id();
        lock()[self.from..]
            .iter()
            .filter(|(thread, _)| *thread == own)
            .map(|(_, text)| text.as_str())
            .collect()
    }

    /// Panics if one of `issued`, or a secret of a browser, is in the log, in an answer or in stored data.
    pub(crate) fn search(&self, issued: &[String], answers: &[String], stored: &[String]) {
        let log: String = lock()[self.from..].iter().map(|(_, text)| text.as_str()).collect();
        let seen = self.secrets.lock().unwrap();
        let own = self.answers.lock().unwrap();
        let pages: Vec<String> =
            answers.iter().chain(own.iter()).map(|answer| without_protocol(answer)).collect();
        let all = issued.iter().chain(seen.iter()).flat_map(|secret| spellings(secret));
        let any_secret =
            AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(all).unwrap();
        if let Some(found) = any_secret.find(&log) {
            let from = log[..found.start()].rfind('\n').map_or(0, |line| line + 1);
            let line: String = log[from..].chars().take(400).collect();
            panic!("a secret is in the log: {line}");
        }
        for output in pages.iter().chain(stored) {
            assert!(!any_secret.is_match(output), "a secret is in an answer or in a store: {output}");
        }
    }
}

/// The answer without the places where the protocols need state, code and cookie: the redirect to Notion, the one to the
/// app, and `Set-Cookie`.
fn without_protocol(answer: &str) -> String {
    let mut answer: Value = serde_json::from_str(answer).unwrap();
    answer["cookies"] = Value::Null;
    let needs_them = |to: &str| to.contains("/v1/oauth/authorize?") || to.contains("/app/back?");
    if answer["headers"]["location"].as_str().is_some_and(needs_them) {
        answer["headers"]["location"] = Value::Null;
    }
    answer.to_string()
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn spellings(secret: &str) -> Vec<String> {
    let hex = hex(secret);
    let bytes = format!("{:?}", secret.as_bytes());
    let mut all = vec![
        secret.to_owned(),
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        shared::query::encode(secret),
        hex.to_uppercase(),
        hex,
        bytes.trim_matches(['[', ']']).to_owned(),
    ];
    // Inside other base64 (Basic credentials, a body): the middle part at each of the three alignments.
    for skip in 1..4 {
        let whole = secret.len().saturating_sub(skip) / 3 * 3;
        if whole >= 12 {
            all.push(STANDARD_NO_PAD.encode(&secret.as_bytes()[skip..skip + whole]));
        }
    }
    all
}

#[test]
fn the_search_finds_a_secret_in_every_spelling() {
    let secret = "ntn_canary-0123456789+/abcdef";
    for (place, text) in [
        ("raw", format!("x{secret}y")),
        ("Basic", STANDARD.encode(format!("client:{secret}"))),
        ("Basic, another alignment", STANDARD.encode(format!("client1:{secret}"))),
        ("Basic, the third alignment", STANDARD.encode(format!("client12:{secret}"))),
        ("percent", shared::query::encode(secret)),
        ("hex", hex(secret)),
        ("debug of bytes", format!("{:?}", format!("a{secret}b").as_bytes())),
    ] {
        assert!(spellings(secret).iter().any(|spelling| text.contains(spelling)), "{place}: {text}");
    }
    let protocol = r#"{"headers":{"location":"https://n/v1/oauth/authorize?state=s3cret"},"cookies":["a=s3cret"],"body":""}"#;
    assert!(!without_protocol(protocol).contains("s3cret"));
    let leak = r#"{"headers":{"location":"?flow=s3cret"},"cookies":[],"body":""}"#;
    assert!(without_protocol(leak).contains("s3cret"));
}

#[test]
fn a_world_that_logs_a_secret_fails() {
    let leaks = Leaks::watch();
    tracing::error!(planted = "canary-that-a-test-plants", "a careless line");
    let found = std::panic::catch_unwind(|| {
        let leaks = Leaks { from: leaks.from, secrets: Mutex::default(), answers: Mutex::default() };
        leaks.search(&["canary-that-a-test-plants".to_owned()], &[], &[]);
    });
    assert!(found.is_err());
}
