//! Introspect, revoke, `GET /v1/users/me`, and unknown paths.

use serde_json::json;
use simulated_notion::{
    Capabilities, IatUnit, RevokeReach, UnknownIntrospection, UnknownRevocation, UserInformation,
};

use crate::bench::{Bench, START_MS};
use crate::browser::send;

const INTROSPECT: &str = "/v1/oauth/introspect";
const REVOKE: &str = "/v1/oauth/revoke";

#[tokio::test]
async fn introspection_tells_scope_and_time_in_the_unit_of_the_switch() {
    for (unit, iat) in [(IatUnit::Milliseconds, START_MS), (IatUnit::Seconds, START_MS / 1000)] {
        let bench = Bench::with(|settings| settings.iat_unit = unit).await;
        let pair = bench.pair().await;
        let answer = bench.post(INTROSPECT, &json!({ "token": pair.access })).await;
        let scope = "read_content insert_content update_content";
        let request_id = answer.header("x-notion-request-id").unwrap();
        let expected = json!({ "active": true, "scope": scope, "iat": iat, "request_id": request_id });
        assert_eq!(answer.json(), expected);
    }
}

#[tokio::test]
async fn unknown_and_refresh_tokens_are_inactive_unless_switched() {
    let bench = Bench::start().await;
    let pair = bench.pair().await;
    for token in ["bogus", &pair.refresh] {
        let answer = bench.post(INTROSPECT, &json!({ "token": token })).await;
        assert_eq!((answer.status, answer.json()["active"].clone()), (200, json!(false)), "{token}");
    }
    bench.notion.change_settings(|settings| {
        settings.introspect_accepts_refresh_token = true;
        settings.introspect_of_unknown_token = UnknownIntrospection::Refused;
    });
    assert_eq!(bench.post(INTROSPECT, &json!({ "token": pair.refresh })).await.json()["active"], true);
    assert_eq!(bench.post(INTROSPECT, &json!({ "token": "bogus" })).await.status, 400);
    assert_eq!(bench.post(INTROSPECT, &json!({})).await.json()["error"], "invalid_request");
}

#[tokio::test]
async fn revoking_reaches_as_far_as_the_switch_says() {
    let cases = [
        (RevokeReach::AccessToken, 200, true),
        (RevokeReach::Pair, 400, true),
        (RevokeReach::Grant, 400, false),
    ];
    for (reach, refresh_status, other_pair_works) in cases {
        let bench = Bench::with(|settings| settings.revoke_reach = reach).await;
        let pair = bench.pair().await;
        let other = bench.pair().await;
        let answer = bench.post(REVOKE, &json!({ "token": pair.access })).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["request_id"], answer.header("x-notion-request-id").unwrap());
        assert!(!bench.works(&pair.access).await);
        assert_eq!(bench.works(&other.access).await, other_pair_works, "{reach:?}");
        assert_eq!(bench.refresh(&pair.refresh).await.status, refresh_status, "{reach:?}");
    }
}

#[tokio::test]
async fn a_grant_with_nothing_left_alive_is_revoked() {
    let bench = Bench::with(|settings| settings.revoke_answers_empty_body = true).await;
    let pair = bench.pair().await;
    let answer = bench.post(REVOKE, &json!({ "token": pair.access })).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert!(bench.notion.grants()[0].revoked);
}

#[tokio::test]
async fn revoking_an_unknown_token_answers_as_switched() {
    let cases = [
        (UnknownRevocation::Ok, 200),
        (UnknownRevocation::BadRequest, 400),
        (UnknownRevocation::Unauthorized, 401),
    ];
    for (unknown, status) in cases {
        let bench = Bench::with(|settings| settings.revoke_of_unknown_token = unknown).await;
        let pair = bench.pair().await;
        for token in ["bogus", &pair.refresh] {
            assert_eq!(bench.post(REVOKE, &json!({ "token": token })).await.status, status, "{unknown:?}");
        }
        bench.notion.change_settings(|settings| settings.revoke_accepts_refresh_token = true);
        assert_eq!(bench.post(REVOKE, &json!({ "token": pair.refresh })).await.status, 200);
        assert!(!bench.works(&pair.access).await);
    }
}

#[tokio::test]
async fn me_is_the_bot_of_the_grant() {
    let bench = Bench::start().await;
    let pair = bench.pair().await;
    let authorization = format!("Bearer {}", pair.access);
    let version = ("notion-version", "2026-03-11");
    let me = bench.get("/v1/users/me", &[("authorization", &authorization), version]).await;
    assert_eq!(me.status, 200);
    assert_eq!(me.json()["id"], bench.notion.grants()[0].bot_id.as_str());
    assert_eq!(me.json()["type"], "bot");
    assert_eq!(me.json()["bot"]["owner"]["user"]["name"], "Ada");

    let unversioned = bench.get("/v1/users/me", &[("authorization", &authorization)]).await;
    assert_eq!((unversioned.status, unversioned.json()["code"].clone()), (400, json!("missing_version")));

    let unknown = bench.get("/v1/users/me", &[("authorization", "Bearer ntn_unknown"), version]).await;
    let request_id = unknown.header("x-notion-request-id").unwrap();
    let expected = json!({
        "object": "error",
        "status": 401,
        "code": "unauthorized",
        "message": "API token is invalid.",
        "request_id": request_id,
    });
    assert_eq!((unknown.status, unknown.json()), (401, expected));
}

#[tokio::test]
async fn me_is_forbidden_without_the_user_information_capability() {
    let bench = Bench::with_options(|options| {
        let user_information = UserInformation::None;
        options.connections[0].capabilities = Capabilities { user_information, ..Capabilities::default() };
    })
    .await;
    let authorization = format!("Bearer {}", bench.pair().await.access);
    let headers = [("authorization", authorization.as_str()), ("notion-version", "2026-03-11")];
    let me = bench.get("/v1/users/me", &headers).await;
    assert_eq!((me.status, me.json()["code"].clone()), (403, json!("restricted_resource")));
}

#[tokio::test]
async fn the_test_environment_refuses_every_client() {
    let bench = Bench::with(|settings| settings.test_environment = true).await;
    for path in ["/v1/oauth/token", INTROSPECT, REVOKE] {
        let answer = bench.post(path, &json!({})).await;
        assert_eq!((answer.status, answer.json()["error"].clone()), (403, json!("test_env_error")), "{path}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_get_the_envelope() {
    let bench = Bench::start().await;
    let cases = [
        ("GET", "/v1/nothing", 400, "invalid_request_url"),
        ("GET", "/nothing", 404, "object_not_found"),
        ("GET", "/v1/oauth/token", 405, "invalid_request_url"),
        ("POST", "/v1/users/me", 405, "invalid_request_url"),
    ];
    for (method, path, status, code) in cases {
        let answer = send(&bench.notion, method, path, &[], "").await.unwrap();
        assert_eq!((answer.status, answer.json()["code"].clone()), (status, json!(code)), "{method} {path}");
    }
}

#[tokio::test]
async fn the_index_answers_get_and_head_without_secrets() {
    let bench = Bench::start().await;
    let index = bench.get("/", &[]).await;
    assert_eq!(index.status, 200);
    assert!(index.body.contains("/control") && index.body.contains("Demo connection"));
    assert!(!index.body.contains("secret_1"));
    assert_eq!(send(&bench.notion, "HEAD", "/", &[], "").await.unwrap().status, 200);
}
