//! One event per case of the flow. The checked-in ones (`events/*.json`) have a fixed time, so those with a state
//! have expired. `cargo run -- event CASE` prints a fresh one.

use std::sync::atomic::{AtomicU8, Ordering};

use shared::clock::{UnixMillis, UnixSeconds};
use shared::config::{ConfigError, PublicConnection};
use shared::flow::Flow;
use shared::install_request::InstallRequest;
use shared::query::encode;
use shared::random::Random;
use shared::return_destination::ReturnDestinations;

use super::sample::Sample;
use super::{HttpRequest, backend, batches, queues};
use crate::stack::SIMULATED_CLIENT_ID;

/// The time of the checked-in samples: 2026-11-22 00:00:00 UTC.
const SAMPLE_TIME: UnixMillis = UnixMillis(1_795_305_600_000);
const SAMPLE_PORT: u16 = 3000;
/// The code in the samples, unless another is given. Notion never issued it.
const SAMPLE_CODE: &str = "sample-code";

/// What an app asks for. The challenge is the example of RFC 7636, appendix B.
const SAMPLE_APP: &str =
    "return_to=app&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&state=of-the-app";

struct Case {
    name: &'static str,
    about: &'static str,
    outcome: &'static str,
    make: fn(&mut Visit),
}

/// A request under construction, and the flow that it may belong to.
struct Visit {
    request: HttpRequest,
    flow: Flow,
    other_flow: Flow,
    future_flow: Flow,
    app_flow: Flow,
    code: String,
}

const CASES: &[Case] = &[
    Case { name: "install", about: "a person opens the install URL", outcome: "started", make: |_| {} },
    Case {
        name: "install-two-tabs",
        about: "a second tab: the first flow's cookie is there",
        outcome: "started",
        make: |visit| visit.keep(&visit.other_flow.clone()),
    },
    Case {
        name: "install-state-in-link",
        about: "a state in the link (session fixation): ignored",
        outcome: "started",
        make: |visit| visit.request.raw_query = "state=chosen-by-somebody-else".into(),
    },
    Case {
        name: "install-app",
        about: "an app sends the person, and wants them back",
        outcome: "started",
        make: |visit| visit.request.raw_query = format!("{SAMPLE_APP}&code_challenge_method=S256"),
    },
    Case {
        name: "install-app-unknown",
        about: "the app names a URL instead of the key of a return destination",
        outcome: "unknown_return_to",
        make: |visit| visit.request.raw_query = SAMPLE_APP.replace("=app&", "=https://evil.example&"),
    },
    Case {
        name: "install-app-no-challenge",
        about: "the app forgot the code challenge",
        outcome: "no_code_challenge",
        make: |visit| visit.request.raw_query = "return_to=app&state=of-the-app".into(),
    },
    Case {
        name: "install-app-plain",
        about: "the code challenge method plain: not accepted",
        outcome: "bad_code_challenge_method",
        make: |visit| visit.request.raw_query = format!("{SAMPLE_APP}&code_challenge_method=plain"),
    },
    Case {
        name: "install-head",
        about: "a link checker: starts nothing",
        outcome: "method_not_allowed",
        make: |visit| visit.request.method = "HEAD".into(),
    },
    Case {
        name: "install-prefetch",
        about: "the browser loads in advance: starts nothing",
        outcome: "not_a_visit",
        make: |visit| visit.header("sec-purpose", "prefetch"),
    },
    Case {
        name: "callback",
        about: "granted: code and state, with the cookie that the state commits to",
        outcome: "to_flow",
        make: Visit::granted,
    },
    Case {
        name: "callback-refused",
        about: "the person pressed Cancel",
        outcome: "to_flow",
        make: |visit| visit.refused("access_denied"),
    },
    Case {
        name: "callback-app-refused",
        about: "the person pressed Cancel, and an app wants them back",
        outcome: "refused",
        make: |visit| {
            visit.flow = visit.app_flow.clone();
            visit.refused("access_denied");
        },
    },
    Case {
        name: "callback-refused-empty-state",
        about: "Cancel on an authorization request that had no state",
        outcome: "refused",
        make: |visit| visit.request.raw_query = "error=access_denied&state=".into(),
    },
    Case {
        name: "callback-server-error",
        about: "server_error (RFC 6749 §4.1.2.1)",
        outcome: "to_flow",
        make: |visit| visit.refused("server_error"),
    },
    Case {
        name: "callback-temporarily-unavailable",
        about: "temporarily_unavailable (RFC 6749 §4.1.2.1)",
        outcome: "to_flow",
        make: |visit| visit.refused("temporarily_unavailable"),
    },
    Case {
        name: "callback-invalid-request",
        about: "invalid_request (RFC 6749 §4.1.2.1)",
        outcome: "to_flow",
        make: |visit| visit.refused("invalid_request"),
    },
    Case {
        name: "callback-unauthorized-client",
        about: "unauthorized_client (RFC 6749 §4.1.2.1)",
        outcome: "to_flow",
        make: |visit| visit.refused("unauthorized_client"),
    },
    Case {
        name: "callback-unsupported-response-type",
        about: "unsupported_response_type (RFC 6749 §4.1.2.1)",
        outcome: "to_flow",
        make: |visit| visit.refused("unsupported_response_type"),
    },
    Case {
        name: "callback-invalid-scope",
        about: "invalid_scope (RFC 6749 §4.1.2.1)",
        outcome: "to_flow",
        make: |visit| visit.refused("invalid_scope"),
    },
    Case {
        name: "callback-unknown-error",
        about: "an error code that is in no RFC, with markup in its description",
        outcome: "to_flow",
        make: |visit| {
            visit.refused("surprise");
            visit.request.raw_query.push_str("&error_description=%3Cscript%3Ealert(1)%3C%2Fscript%3E");
        },
    },
    Case {
        name: "callback-no-state",
        about: "a code without a state, as from the ready-made link in Notion's portal: starts over",
        outcome: "start_over",
        make: |visit| visit.request.raw_query = format!("code={}", visit.code),
    },
    Case {
        name: "callback-foreign-state",
        about: "another browser's state: this one has no cookie for it",
        outcome: "state_rejected",
        make: |visit| {
            visit.keep(&visit.other_flow.clone());
            visit.answer(&visit.flow.clone());
        },
    },
    Case {
        name: "callback-forged-state",
        about: "a state with one character changed, with the cookie of the real one",
        outcome: "state_rejected",
        make: |visit| {
            visit.granted();
            let state = visit.flow.state.expose().to_owned();
            let forged = if state.starts_with('A') { "B" } else { "A" };
            visit.request.raw_query =
                visit.request.raw_query.replace(&state, &format!("{forged}{}", &state[1..]));
        },
    },
    Case {
        name: "callback-future-cookie",
        about: "a cookie whose time of issue is an hour from now",
        outcome: "state_rejected",
        make: |visit| {
            let flow = visit.future_flow.clone();
            visit.keep(&flow);
            visit.answer(&flow);
        },
    },
    Case {
        name: "callback-cookie-twice",
        about: "two cookies with the flow's name: one was planted",
        outcome: "state_rejected",
        make: |visit| {
            visit.granted();
            visit.keep(&visit.flow.clone());
        },
    },
    Case {
        name: "callback-code-twice",
        about: "two codes in the query",
        outcome: "malformed",
        make: |visit| {
            visit.granted();
            visit.request.raw_query.push_str("&code=another");
        },
    },
    Case {
        name: "callback-state-twice",
        about: "two states in the query",
        outcome: "malformed",
        make: |visit| {
            visit.granted();
            visit.request.raw_query.push_str("&state=another");
        },
    },
    Case {
        name: "callback-code-and-error",
        about: "both a code and an error",
        outcome: "malformed",
        make: |visit| {
            visit.granted();
            visit.request.raw_query.push_str("&error=access_denied");
        },
    },
    Case {
        name: "callback-bad-encoding",
        about: "invalid percent-encoding",
        outcome: "malformed",
        make: |visit| {
            visit.granted();
            visit.request.raw_query.push_str("&x=%zz");
        },
    },
    Case {
        name: "callback-oversize",
        about: "a query of more than 4 KiB",
        outcome: "malformed",
        make: |visit| {
            visit.granted();
            visit.request.raw_query.push_str("&x=");
            visit.request.raw_query.push_str(&"a".repeat(4096));
        },
    },
    Case { name: "callback-bare", about: "the address without a query", outcome: "malformed", make: |_| {} },
    Case {
        name: "callback-head",
        about: "a link checker: consumes nothing",
        outcome: "method_not_allowed",
        make: |visit| {
            visit.granted();
            visit.request.method = "HEAD".into();
        },
    },
    Case {
        name: "callback-prefetch",
        about: "the browser loads in advance: consumes nothing",
        outcome: "not_a_visit",
        make: |visit| {
            visit.granted();
            visit.header("sec-purpose", "prefetch;prerender");
        },
    },
    Case {
        name: "callback-framed",
        about: "inside a frame: consumes nothing",
        outcome: "not_a_visit",
        make: |visit| {
            visit.granted();
            visit.request.headers.retain(|(name, _)| name != "sec-fetch-dest");
            visit.header("sec-fetch-dest", "iframe");
        },
    },
    Case {
        name: "callback-flow-page",
        about: "the clean page of a flow that was never claimed",
        outcome: "expired",
        make: |visit| {
            visit.keep(&visit.flow.clone());
            visit.request.raw_query = format!("flow={}", visit.flow.id().as_str());
        },
    },
    Case {
        name: "callback-foreign-flow-page",
        about: "the clean page of another browser's flow",
        outcome: "state_rejected",
        make: |visit| visit.request.raw_query = format!("flow={}", visit.flow.id().as_str()),
    },
    Case {
        name: "callback-reason-page",
        about: "a clean page with a fixed reason",
        outcome: "refused",
        make: |visit| visit.request.raw_query = "reason=refused".into(),
    },
    Case {
        name: "callback-reason-page-json",
        about: "the same for a client that asks for JSON (RFC 9457)",
        outcome: "expired",
        make: |visit| {
            visit.request.raw_query = "reason=expired".into();
            visit.request.headers.retain(|(name, _)| name != "accept");
            visit.header("accept", "application/json");
        },
    },
    Case {
        name: "install-language",
        about: "a link or an app names the languages of the pages, and there is one of them",
        outcome: "started",
        make: |visit| visit.request.raw_query = "ui_locales=pt-BR+es-419+en".into(),
    },
    Case {
        name: "install-language-unknown",
        about: "there is none of the languages that are named: ignored",
        outcome: "started",
        make: |visit| visit.request.raw_query = "ui_locales=tlh".into(),
    },
    Case {
        name: "install-language-too-long",
        about: "a list of languages that is too long",
        outcome: "bad_ui_locales",
        make: |visit| visit.request.raw_query = format!("ui_locales=de{}", "+tlh".repeat(64)),
    },
    Case {
        name: "callback-reason-page-accept-language",
        about: "a clean page in the language that the browser asks for",
        outcome: "refused",
        make: |visit| {
            visit.request.raw_query = "reason=refused".into();
            visit.request.headers.retain(|(name, _)| name != "accept-language");
            visit.header("accept-language", "de-CH, de;q=0.9, en;q=0.8");
        },
    },
    Case {
        name: "callback-reason-page-language",
        about: "a clean page in the language that was named at /install",
        outcome: "refused",
        make: |visit| visit.request.raw_query = "reason=refused&ui_locales=ja".into(),
    },
];

impl Visit {
    fn header(&mut self, name: &str, value: &str) {
        self.request.headers.push((name.to_owned(), value.to_owned()));
    }

    fn keep(&mut self, flow: &Flow) {
        let set_cookie = flow.set_cookie(600);
        self.header("cookie", set_cookie.split(';').next().unwrap_or_default());
    }

    fn answer(&mut self, flow: &Flow) {
        self.request.raw_query = format!("code={}&state={}", self.code, encode(flow.state.expose()));
    }

    fn granted(&mut self) {
        let flow = self.flow.clone();
        self.keep(&flow);
        self.answer(&flow);
    }

    fn refused(&mut self, error: &str) {
        self.keep(&self.flow.clone());
        self.request.raw_query = format!("error={error}&state={}", encode(self.flow.state.expose()));
    }
}

/// Every sample for `connection` with the time `now`. `code` is the authorization code in those that were granted.
#[must_use]
pub fn samples(
    connection: &PublicConnection,
    now: UnixMillis,
    random: &dyn Random,
    code: &str,
) -> Vec<Sample> {
    let host = connection.redirect_uri.split('/').nth(2).unwrap_or_default();
    let sample = |case: &Case| {
        let issue = |at: UnixSeconds| Flow::issue(connection, InstallRequest::default(), at, random);
        let headers = [
            ("host", host),
            ("accept", "text/html,application/xhtml+xml"),
            ("accept-language", "en"),
            ("sec-fetch-dest", "document"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-site", "cross-site"),
            (
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36",
            ),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-proto", "https"),
        ];
        let path = if case.name.starts_with("install") { "/install" } else { "/callback" };
        let mut visit = Visit {
            request: HttpRequest {
                method: "GET".to_owned(),
                path: path.to_owned(),
                raw_query: String::new(),
                headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
                arrived_at_ms: now.0,
                request_id: "sample-request".to_owned(),
            },
            flow: issue(now.seconds()),
            other_flow: issue(now.seconds()),
            future_flow: issue(now.seconds().plus_secs(3600)),
            app_flow: Flow::issue(connection, app_request(), now.seconds(), random),
            code: encode(code),
        };
        (case.make)(&mut visit);
        Sample { name: case.name, about: case.about, outcome: case.outcome, event: visit.request.event() }
    };
    let of_aws = backend::samples(now.0).into_iter().chain(batches::samples(now.0));
    CASES.iter().map(sample).chain(of_aws).chain(queues::samples(now.0)).collect()
}

fn app_request() -> InstallRequest {
    let lookup = |_: &str| Some("app=https://app.example/back".to_owned());
    let destinations = ReturnDestinations::read(&lookup).unwrap_or_default();
    InstallRequest::read(SAMPLE_APP, &destinations).unwrap_or_default()
}

/// The connection of the dev stack on `port`, as variables. The samples use it unless the environment sets another.
#[must_use]
pub fn default_connection(port: u16, variable: &str) -> Option<String> {
    match variable {
        "NOTION_CLIENT_ID" => Some(SIMULATED_CLIENT_ID.to_owned()),
        "NOTION_REDIRECT_URI" => Some(format!("http://localhost:{port}/callback")),
        _ => None,
    }
}

/// The checked-in samples: file names and contents, the same each time.
///
/// # Errors
///
/// Only those of [`PublicConnection::read`].
pub fn checked_in() -> Result<Vec<(String, String)>, ConfigError> {
    /// Different bytes on each call, the same ones in each run. Only for samples.
    struct Repeatable(AtomicU8);

    impl Random for Repeatable {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    let connection = PublicConnection::read(&|name: &str| default_connection(SAMPLE_PORT, name))?;
    let samples = samples(&connection, SAMPLE_TIME, &Repeatable(AtomicU8::new(1)), SAMPLE_CODE);
    Ok(samples
        .iter()
        .map(|sample| (format!("{}.json", sample.name), format!("{:#}\n", sample.event)))
        .collect())
}
