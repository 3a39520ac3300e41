//! What strangers can cause: no answer counts as a failure of ours, and no alarm fires.

use std::collections::BTreeSet;

use dev::throttle::Limits;
use http::StatusCode;
use serde_json::{Value, json};
use shared::pages::Notice;
use simulated_notion::{Endpoint, ErrorShape, Fault};

use crate::harness::{World, event};

/// The metrics of which one is enough to fire an alarm of the template.
fn ringing_metrics() -> BTreeSet<String> {
    let template = include_str!("../../template.yaml");
    let alarms = template.split("Type: AWS::CloudWatch::Alarm").skip(1);
    let alarms = alarms.map(|alarm| alarm.split("TreatMissingData").next().unwrap());
    let of = |alarm: &str, name: &str| {
        alarm.split(&format!("{name}: ")).nth(1).map(|rest| rest.lines().next().unwrap().to_owned())
    };
    let ringing: BTreeSet<String> = alarms
        .filter(|alarm| alarm.contains("NotionInstall/") && of(alarm, "Threshold").as_deref() == Some("1"))
        .map(|alarm| of(alarm, "MetricName").unwrap())
        .collect();
    assert!(ringing.contains("ExchangeFailed") && ringing.len() > 5, "{ringing:?}");
    ringing
}

/// Nothing so far fires an alarm.
fn assert_silence(world: &World) {
    let ringing = ringing_metrics();
    for line in world.leaks.log().lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let rung = ringing.iter().find(|metric| !line[metric.as_str()].is_null());
        assert!(line["event"] != "request" || rung.is_none(), "{rung:?} fires an alarm: {line}");
    }
}

#[tokio::test]
async fn no_page_that_a_stranger_opens_counts_as_a_failure() {
    const HEADERS: [&[(&str, &str)]; 10] = [
        &[("accept", "text/html"), ("sec-fetch-dest", "document")],
        &[("accept", "application/json")],
        &[("accept", "*/*"), ("cookie", "__Host-notion_install_0123456789abcdef=AAAA")],
        &[("cookie", "__Host-notion_install_=; ;;=;a=\u{7f}")],
        &[("sec-fetch-dest", "image")],
        &[("sec-purpose", "prefetch")],
        &[("x-http-method-override", "POST"), ("range", "bytes=0-1")],
        &[("host", "elsewhere.example"), ("x-forwarded-host", "elsewhere.example"), ("forwarded", "host=e")],
        &[("content-type", "application/json"), ("content-length", "0"), ("expect", "100-continue")],
        &[("accept", "\u{fffd}"), ("user-agent", "\u{1f4a5}")],
    ];
    let world = World::start().await;
    let reasons = Notice::ALL.map(|notice| format!("reason={}", notice.key()));
    let others = [
        "",
        "reason=",
        "reason=made_up",
        "reason=internal&reason=internal",
        "reason=internal&code=c",
        "flow=",
        "flow=0123456789abcdef",
        "flow=0123456789abcdef&reason=internal",
        "flow=xyz",
        "code=c",
        "code=c&state=s",
        "error=server_error",
        "error=server_error&state=s",
        "error=%00&state=%ff",
        "%",
        "state=s",
    ];
    for query in reasons.iter().map(String::as_str).chain(others) {
        for headers in HEADERS {
            for method in ["GET", "HEAD", "POST", "OPTIONS", "BREW"] {
                let event = event(method, "/callback", query, headers);
                let answer = world.invoke(world.stack.callback(), &event).await;
                let status = answer["statusCode"].as_u64().unwrap();
                assert!((200..500).contains(&status), "{method} ?{query} {headers:?}: {answer}");
            }
        }
    }
    assert_silence(&world);
}

#[tokio::test]
async fn nothing_that_a_stranger_sends_in_their_own_flow_fires_an_alarm() {
    let world = World::start().await;
    let codes = [
        "access_denied",
        "invalid_request",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_response_type",
        "made_up",
    ];
    for error in codes {
        let browser = world.browser();
        let authorize = browser.install().await;
        let state = authorize.split("state=").nth(1).unwrap();
        for query in [format!("error={error}&state={state}"), format!("error={error}")] {
            let page = browser.follow(&world.url(&format!("/callback?{query}"))).await;
            assert!(page.status < StatusCode::INTERNAL_SERVER_ERROR, "{error}: {}", page.status);
            let again = browser.get_with(&page.url, &[("accept", "application/json")]).await;
            assert!(again.status < StatusCode::INTERNAL_SERVER_ERROR, "{error}: {}", again.status);
        }
    }
    assert_silence(&world);
}

/// Notion may reject a malformed code with another error than `invalid_grant`.
#[tokio::test]
async fn no_error_that_a_made_up_code_can_cause_fires_an_alarm() {
    for shape in [ErrorShape::A, ErrorShape::B] {
        let world = World::start().await;
        world.notion().change_settings(|settings| settings.error_shape = shape);
        for code in ["invalid_grant", "invalid_request", "validation_error"] {
            let browser = world.browser();
            let authorize = browser.install().await;
            let state = authorize.split("state=").nth(1).unwrap();
            let message = Some("body failed validation: body.code should be a string".to_owned());
            let fault = Fault::Error { status: 400, code: code.to_owned(), message };
            world.notion().inject(Endpoint::Token, fault, 1);
            let page =
                browser.follow(&world.url(&format!("/callback?code=%3Cmade-up%3E&state={state}"))).await;
            assert_eq!(page.heading(), "Notion did not accept this approval", "{code}");
            assert_eq!(world.last_line_with("CodeRejected")["CodeRejected"], 1, "{code}");
        }
        assert_silence(&world);
    }
    // Our own failures still fire an alarm.
    for (status, code) in [(401, "invalid_client"), (400, "unauthorized_client"), (403, "test_env_error")] {
        let world = World::start().await;
        let browser = world.browser();
        let granted = browser.granted().await;
        let fault = Fault::Error { status, code: code.to_owned(), message: None };
        world.notion().inject(Endpoint::Token, fault, u32::MAX);
        let page = browser.follow(&granted).await;
        assert!(page.status < StatusCode::INTERNAL_SERVER_ERROR, "{code}: a clean page shows a failure");
        assert_eq!(world.last_line_with("ExchangeFailed")["ExchangeFailed"], 1, "{code}");
    }
}

#[tokio::test]
async fn what_is_not_an_authorization_code_never_reaches_notion() {
    let world = World::start().await;
    for code in ["%C3%BC", "%F0%9F%92%A5", "a%E2%80%8Bb"] {
        let browser = world.browser();
        let authorize = browser.install().await;
        let state = authorize.split("state=").nth(1).unwrap();
        let page = browser.follow(&world.url(&format!("/callback?code={code}&state={state}"))).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{code}");
    }
    assert_eq!(world.notion().count(Endpoint::Token), 0, "RFC 6749, appendix A.11");
    assert_silence(&world);
}

/// The default of a parameter of the template.
fn default_of(parameter: &str) -> f64 {
    let template = include_str!("../../template.yaml");
    let parameter = template.split(&format!("  {parameter}:\n")).nth(1).unwrap();
    parameter.split("Default: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap()
}

/// Ten times as many requests as the throttle lets through, for five minutes, against a Notion with the smallest
/// plan's limit. Each minute ends with a break, because a function waits for Notion if the wait fits.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the counts are the result")]
async fn a_flood_of_made_up_codes_does_not_disturb_vends_refreshes_or_the_sweep() {
    const MINUTES: u64 = 5;
    const FLOODED_SECS: u64 = 36;
    let limits = Limits { per_second: default_of("CallbacksPerSecond"), burst: default_of("CallbackBurst") };
    for throttled in [false, true] {
        let world = World::start_with(|options| options.callback_limits = throttled.then_some(limits)).await;
        assert!(world.browser().install_as(|_| {}).await.is_connected());
        world.clock.advance_secs(86_400);
        world.notion().change_settings(|settings| settings.requests_per_minute = Some(180));
        let (mut through, mut held_up) = (0, 0);
        let (mut vends, mut refreshed, mut swept, mut connected) = (0, 0, 0, 0);
        for second in (0..MINUTES).flat_map(|_| 0..FLOODED_SECS) {
            // Ten strangers per second, each with a state of their own.
            for _ in 0..10 {
                let browser = world.browser();
                let authorize = browser.install().await;
                let state = authorize.split("state=").nth(1).unwrap();
                let page = browser.get(&world.url(&format!("/callback?code=made-up&state={state}"))).await;
                match page.status {
                    StatusCode::TOO_MANY_REQUESTS => held_up += 1,
                    _ => through += 1,
                }
            }
            world.clock.advance_secs(1);
            if second % 15 == 10 {
                vends += usize::from(world.vend(json!({})).await["health"] == "active");
                refreshed += usize::from(world.vend(json!({"refresh": true})).await["health"] == "active");
            }
            if second == 30 {
                let run = world.ask("sweep", json!({})).await;
                swept += usize::from(run["NotionDown"].is_null());
                // An honest person, who reloads the page when API Gateway throttles.
                let browser = world.browser();
                let granted = browser.granted().await;
                let mut page = browser.get(&granted).await;
                for _ in 0..30 {
                    let is_over =
                        !matches!(page.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SEE_OTHER);
                    if is_over {
                        break;
                    }
                    world.clock.advance_secs(1);
                    let next = match page.status {
                        StatusCode::SEE_OTHER => world.url(&format!("/callback{}", page.location())),
                        _ => page.url.clone(),
                    };
                    page = browser.get(&next).await;
                }
                connected += usize::from(page.is_connected());
            }
            if second == FLOODED_SECS - 1 {
                world.clock.advance_secs(60 - FLOODED_SECS);
            }
        }
        let exchanges = world.notion().count(Endpoint::Token);
        println!(
            "throttled: {throttled}: {through} of {} callbacks came through, {held_up} were held up; {exchanges} token \
             requests at Notion; {vends} of 10 vends, {refreshed} of 10 refreshes, {swept} of 5 sweeps, {connected} of \
             5 honest installs",
            through + held_up
        );
        assert_eq!(vends, 10, "a stored token is always vended");
        if throttled {
            assert_eq!((refreshed, swept, connected), (10, 5, 5));
            let most = 60.0 * limits.per_second + limits.burst;
            assert!(f64::from(through) <= most * 5.0, "{through}");
        } else {
            assert!(
                refreshed < 10,
                "without the throttle, strangers use up the limit that refreshes need: the test can fail"
            );
        }
    }
}

/// The sweep is for its schedule, the operator and us. Any other input, sent by mistake, starts nothing.
#[tokio::test]
async fn the_sweep_runs_for_its_own_input_only() {
    let world = World::start().await;
    for ours in [json!({}), json!({"caller": "the operator"}), json!({"caller": null})] {
        assert_eq!(world.ask("sweep", ours.clone()).await["complete"], true, "{ours}");
    }
    let mut foreign = vec![
        json!(null),
        json!([]),
        json!("sweep"),
        json!({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}),
        json!({"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}),
        json!({"caller": 7}),
        json!({"workspace_id": "w", "user_id": null}),
    ];
    for (name, text) in dev::events::checked_in().unwrap() {
        if !name.starts_with("sweep") {
            foreign.push(serde_json::from_str(&text).unwrap());
        }
    }
    for event in foreign {
        let answer = world.ask("sweep", event.clone()).await;
        let body = answer["body"].as_str().map_or(answer.clone(), |body| serde_json::from_str(body).unwrap());
        assert_eq!(body["error"], "malformed", "{event}: {answer}");
    }
}
