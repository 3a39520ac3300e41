use http::HeaderMap;
use http::header::COOKIE;

use super::*;
use crate::random::OsRandom;

const NOW: UnixSeconds = UnixSeconds(1_795_305_600);

fn connection() -> PublicConnection {
    PublicConnection {
        client_id: "client".to_owned(),
        redirect_uri: "https://app.example/callback".to_owned(),
        base_url: "https://api.notion.com".to_owned(),
    }
}

fn cookies(pairs: &[(&str, &str)]) -> FlowCookies {
    let header = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    FlowCookies::of(&HeaderMap::from_iter([(COOKIE, header.parse().unwrap())]))
}

fn app() -> AppRequest {
    let lookup = |_: &str| Some("app=https://app.example/back".to_owned());
    let destinations = crate::return_destination::ReturnDestinations::read(&lookup).unwrap();
    let raw_query =
        "return_to=app&state=of-the-app&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    InstallRequest::read(raw_query, &destinations).unwrap().app.unwrap()
}

/// What may be asked for: with and without an app and a language.
fn requests() -> [InstallRequest; 4] {
    let all =
        [(None, None), (Some(app()), None), (None, Some(Language::De)), (Some(app()), Some(Language::Ja))];
    all.map(|(app, language)| InstallRequest { app, language })
}

fn issue() -> Flow {
    Flow::issue(&connection(), InstallRequest::default(), NOW, &OsRandom)
}

fn issue_for(app: AppRequest) -> Flow {
    Flow::issue(&connection(), InstallRequest { app: Some(app), language: None }, NOW, &OsRandom)
}

fn verify(flow: &Flow, state: &str, value: &str, now: UnixSeconds) -> Result<Flow, FlowRejected> {
    let state = State::parse(state).unwrap();
    // The cookie has the name that matches the state, as an attacker would arrange it.
    let name = ClaimKey::of(&state).flow_id().cookie_name();
    let planted = cookies(&[(&name, value), (&flow.id().cookie_name(), flow.cookie.expose())]);
    let planted = if name == flow.id().cookie_name() { cookies(&[(&name, value)]) } else { planted };
    Flow::of_state(&connection(), &state, &planted, now)
}

/// Every text that differs from `text` in one bit and is valid in a header.
fn bit_flips(text: &str) -> Vec<String> {
    let flips = (0..text.len()).flat_map(|at| (0..8).map(move |bit| (at, bit)));
    let flipped = flips.map(|(at, bit)| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] ^= 1 << bit;
        bytes
    });
    flipped
        .filter_map(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';'))
        .collect()
}

#[test]
fn a_browser_with_the_cookie_gets_its_flow_back() {
    let flow = issue();
    let found = verify(&flow, flow.state.expose(), flow.cookie.expose(), NOW).unwrap();
    assert_eq!(found.claim_key, flow.claim_key);
    assert_eq!(found.issued_at, NOW);
    assert!(found.is_open(UnixSeconds(NOW.0 + 599), 600));
    assert!(!found.is_open(UnixSeconds(NOW.0 + 600), 600));
    assert!(found.id().as_str().len() == 16 && found.claim_key.as_str().starts_with(found.id().as_str()));
}

#[test]
fn every_bit_flip_of_state_or_cookie_is_refused() {
    for flow in requests().map(|asked| Flow::issue(&connection(), asked, NOW, &OsRandom)) {
        let states = bit_flips(flow.state.expose());
        let values = bit_flips(flow.cookie.expose());
        assert!(states.len() > 200 && values.len() > 250, "{} and {}", states.len(), values.len());
        for state in &states {
            assert!(verify(&flow, state, flow.cookie.expose(), NOW).is_err(), "state: {state}");
        }
        for value in &values {
            assert!(verify(&flow, flow.state.expose(), value, NOW).is_err(), "cookie: {value}");
        }
    }
}

#[test]
fn what_an_app_asked_for_travels_in_the_cookie_and_the_state_commits_to_it() {
    let flow = issue_for(app());
    let found = verify(&flow, flow.state.expose(), flow.cookie.expose(), NOW).unwrap();
    assert_eq!(found.app, Some(app()));
    assert_eq!(found.code_secret(), flow.code_secret());
    assert_ne!(found.code_secret(), issue_for(app()).code_secret());
    let largest = AppRequest {
        return_to: "k".repeat(crate::return_destination::MAX_KEY_BYTES),
        state: Some("s".repeat(crate::app_request::MAX_APP_STATE_BYTES)),
        expect: Some("e".repeat(crate::app_request::MAX_EXPECT_BYTES)),
        ..app()
    };
    let asked = InstallRequest { app: Some(largest.clone()), language: Some(Language::Fr) };
    let flow = Flow::issue(&connection(), asked, NOW, &OsRandom);
    assert!(flow.cookie.expose().len() <= MAX_COOKIE_BYTES, "{}", flow.cookie.expose().len());
    assert_eq!(verify(&flow, flow.state.expose(), flow.cookie.expose(), NOW).unwrap().app, Some(largest));
}

#[test]
fn a_language_travels_in_the_cookie_with_and_without_an_app() {
    for asked in requests() {
        let flow = Flow::issue(&connection(), asked.clone(), NOW, &OsRandom);
        let found = verify(&flow, flow.state.expose(), flow.cookie.expose(), NOW).unwrap();
        assert_eq!((found.app, found.language), (asked.app, asked.language));
    }
}

/// Two sample events of a time before pages had languages: cookie, and state. Whoever is at Notion while the functions
/// are updated comes back with such ones.
#[test]
fn a_cookie_from_before_there_were_languages_still_finishes_its_flow() {
    let connection = PublicConnection {
        client_id: "463558a3-725e-4f37-b6d3-0889894f68de".to_owned(),
        redirect_uri: "http://localhost:3000/callback".to_owned(),
        ..connection()
    };
    let plain = (
        "__Host-notion_install_3bbfa2ee3ab1f964",
        "ASUlJSUlJSUlJSUlJSUlJSUlJSUlJSUlJSUlJSUlJSUlAAAAAGsCMIA",
        "qTMCk6Z1zvAJrS0aRHSRW-WnKUP8EO60BnkaSVcy9Sg",
    );
    let of_an_app = (
        "__Host-notion_install_a816984f9b02580e",
        "AjAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwAAAAAGsCMIAT0x6WGhrY7C8WsQxMmC4Idqh4rW3xRFZu4YlKy3D5wwNhcHAAb2Yt\
         dGhlLWFwcA",
        "BD-thpNhkLiVlV-_sktU-bGzWz45Ngw0W8bOOtuxoG8",
    );
    for ((name, value, state), app) in [(plain, None), (of_an_app, Some(app()))] {
        let state = State::parse(state).unwrap();
        let flow = Flow::of_state(&connection, &state, &cookies(&[(name, value)]), NOW).unwrap();
        assert_eq!((flow.issued_at, &flow.app, flow.language), (NOW, &app, None));
        // One without a language is made the same way today.
        let nonce = [URL_SAFE_NO_PAD.decode(value).unwrap()[1]; 32];
        let asked = InstallRequest { app, language: None };
        assert_eq!(Content { issued_at: NOW, asked }.encode(&nonce), value);
    }
}

#[test]
fn a_cookie_with_half_a_language_or_an_unknown_one_or_of_an_unknown_version_is_refused() {
    let head = |version: u8| [&[version][..], &[7; 32], &NOW.0.to_be_bytes()].concat();
    let with = |version: u8, rest: &[u8]| URL_SAFE_NO_PAD.encode([&head(version), rest].concat());
    assert!(Content::read(&with(3, b"de")).is_ok());
    for odd in [
        with(3, b""),
        with(3, b"d"),
        with(3, b"DE"),
        with(3, b"xx"),
        with(3, b"den"),
        with(3, &[0xff, 0xff]),
        with(4, b"de"),
        with(1, b"de"),
        with(0, b""),
        with(5, b"de"),
    ] {
        assert_eq!(Content::read(&odd).err(), Some(FlowRejected::NotCanonical), "{odd}");
    }
}

#[test]
fn only_the_canonical_encoding_is_accepted() {
    let flow = issue();
    let value = flow.cookie.expose();
    let padded = format!("{value}=");
    let trailing_bits = format!(
        "{}{}",
        &value[..value.len() - 1],
        "ABCDEFGH".chars().find(|c| !value.ends_with(*c)).unwrap()
    );
    let standard = value.replace('-', "+").replace('_', "/");
    let longer = URL_SAFE_NO_PAD.encode([&URL_SAFE_NO_PAD.decode(value).unwrap()[..], b"x"].concat());
    let shorter = &value[..value.len() - 4];
    let mut other_version = URL_SAFE_NO_PAD.decode(value).unwrap();
    other_version[0] = 2;
    let other_version = URL_SAFE_NO_PAD.encode(other_version);
    for odd in [&padded, &trailing_bits, &longer, shorter, &other_version, &"A".repeat(MAX_COOKIE_BYTES + 1)]
    {
        assert_eq!(Content::read(odd).err(), Some(FlowRejected::NotCanonical), "cookie: {odd}");
    }
    if standard != value {
        assert_eq!(Content::read(&standard).err(), Some(FlowRejected::NotCanonical));
    }
    // A state in another alphabet or with padding hashes to another name, for which there is no cookie.
    for odd in [format!("{}=", flow.state.expose()), flow.state.expose().to_lowercase()] {
        let state = State::parse(odd).unwrap();
        let kept = cookies(&[(&flow.id().cookie_name(), value)]);
        assert_eq!(Flow::of_state(&connection(), &state, &kept, NOW).err(), Some(FlowRejected::NoCookie));
    }
}

#[test]
fn a_cookie_from_the_future_is_refused_beyond_the_skew() {
    let flow =
        Flow::issue(&connection(), InstallRequest::default(), NOW.plus_secs(CLOCK_SKEW_SECS), &OsRandom);
    assert!(verify(&flow, flow.state.expose(), flow.cookie.expose(), NOW).is_ok());
    let flow =
        Flow::issue(&connection(), InstallRequest::default(), NOW.plus_secs(CLOCK_SKEW_SECS + 1), &OsRandom);
    let refused = verify(&flow, flow.state.expose(), flow.cookie.expose(), NOW);
    assert_eq!(refused.err(), Some(FlowRejected::FromTheFuture));
}

#[test]
fn a_state_is_good_for_its_own_connection_only() {
    let flow = issue();
    let kept = cookies(&[(&flow.id().cookie_name(), flow.cookie.expose())]);
    for other in [
        PublicConnection { client_id: "client2".to_owned(), ..connection() },
        PublicConnection { redirect_uri: "https://other.example/callback".to_owned(), ..connection() },
        // The same characters, split differently.
        PublicConnection {
            client_id: "clienth".to_owned(),
            redirect_uri: "ttps://app.example/callback".to_owned(),
            ..connection()
        },
    ] {
        assert_eq!(Flow::of_state(&other, &flow.state, &kept, NOW).err(), Some(FlowRejected::Mismatch));
    }
}

#[test]
fn two_cookies_of_one_name_are_refused() {
    let flow = issue();
    let name = flow.id().cookie_name();
    let kept = cookies(&[(&name, flow.cookie.expose()), (&name, flow.cookie.expose())]);
    let refused = Flow::of_state(&connection(), &flow.state, &kept, NOW);
    assert_eq!(refused.err(), Some(FlowRejected::RepeatedCookie));
}

#[test]
fn a_fifth_flow_drops_the_oldest_and_what_is_not_ours() {
    let flows: Vec<Flow> = (0..4)
        .map(|i| Flow::issue(&connection(), InstallRequest::default(), NOW.plus_secs(i), &OsRandom))
        .collect();
    let named: Vec<(String, String)> =
        flows.iter().map(|flow| (flow.id().cookie_name(), flow.cookie.expose().to_owned())).collect();
    let pairs: Vec<(&str, &str)> = named.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(cookies(&pairs[..3]).make_room(), Vec::<String>::new());
    let dropped = cookies(&pairs).make_room();
    assert_eq!(dropped.len(), 1);
    assert!(dropped[0].starts_with(&format!("{}=; Max-Age=0; Path=/; Secure", named[0].0)), "{dropped:?}");
    let junk = "__Host-notion_install_0000000000000000";
    let dropped = cookies(&[(junk, "junk"), pairs[0], ("other", "cookie")]).make_room();
    assert_eq!(dropped.len(), 1);
    assert!(dropped[0].starts_with(junk), "{dropped:?}");
}

#[test]
fn an_outcome_is_remembered_as_long_as_the_cookie_lives() {
    let flow = issue();
    let set_cookie = flow.set_cookie(600);
    let max_age_secs: u64 =
        set_cookie.split("Max-Age=").nth(1).and_then(|rest| rest.split(';').next()).unwrap().parse().unwrap();
    for claimed_at in [NOW, NOW.plus_secs(599), UnixSeconds(NOW.0 - 60)] {
        assert!(flow.forget_at(claimed_at, 600) >= NOW.plus_secs(max_age_secs));
    }
    assert!(max_age_secs >= 600 + REPEAT_WINDOW_SECS);
}

#[test]
fn states_do_not_repeat() {
    let states: std::collections::HashSet<String> =
        (0..10_000).map(|_| issue().state.expose().to_owned()).collect();
    assert_eq!(states.len(), 10_000);
    assert!(states.iter().all(|state| state.len() == 43));
}

#[test]
fn a_flow_cannot_be_printed() {
    let flow = issue();
    let printed = format!("{flow:?}");
    assert!(!printed.contains(flow.cookie.expose()) && !printed.contains(flow.state.expose()), "{printed}");
}
