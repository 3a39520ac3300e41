//! The authorization code grant at the token endpoint.

use serde_json::json;
use simulated_notion::{
    ACME, ADA, Capabilities, Connection, ErrorShape, GRACE, OwnerShape, ROADMAP, SecondUse, UserInformation,
    WorkspaceIcon,
};

use crate::bench::{Bench, Pair, QUERY, REDIRECT_URI, basic, exchange_body};
use crate::browser::send;

const TOKEN: &str = "/v1/oauth/token";

#[tokio::test]
async fn a_token_response_has_every_field_in_the_order_seen_live() {
    let bench = Bench::start().await;
    let answer = bench.exchange(&bench.code()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    let keys = [
        "access_token",
        "token_type",
        "refresh_token",
        "bot_id",
        "workspace_name",
        "workspace_icon",
        "workspace_id",
        "owner",
        "duplicated_template_id",
        "request_id",
    ];
    let body = answer.json();
    assert_eq!(body.as_object().unwrap().len(), keys.len());
    let places: Vec<_> = keys.iter().map(|key| answer.body.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{}", answer.body);
    assert!(body["access_token"].as_str().unwrap().starts_with("ntn_"));
    assert!(body["refresh_token"].as_str().unwrap().starts_with("nrt_"));
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["workspace_name"], "Acme");
    assert_eq!(body["workspace_id"], ACME);
    assert_eq!(body["duplicated_template_id"], json!(null));
    assert_eq!(body["request_id"], answer.header("x-notion-request-id").unwrap());
    let person = json!({ "email": "ada@example.org", "email_verified": true });
    let user = json!({
        "object": "user",
        "id": ADA,
        "name": "Ada",
        "avatar_url": "https://example.org/ada.png",
        "type": "person",
        "person": person,
    });
    assert_eq!(body["owner"], json!({ "type": "user", "user": user }));
}

#[tokio::test]
async fn the_grant_begins_with_the_exchange() {
    let bench = Bench::start().await;
    let code = bench.code();
    assert!(bench.notion.grants().is_empty());
    let pair = Pair::of(&bench.exchange(&code).await);
    let grants = bench.notion.grants();
    assert_eq!(grants.len(), 1);
    assert_eq!(grants[0].person_id, ADA);
    assert_eq!(grants[0].pages, [ROADMAP]);
    assert_eq!(grants[0].access_tokens.join(" "), pair.access);
    assert!(bench.works(&pair.access).await);
    let issued = bench.notion.secrets_issued();
    for secret in [code, pair.access, pair.refresh, "secret_1".to_owned()] {
        assert!(issued.contains(&secret), "{secret}");
    }
}

#[tokio::test]
async fn a_code_works_once() {
    for (second_use, survives) in [(SecondUse::Refused, true), (SecondUse::RevokesGrant, false)] {
        let bench = Bench::with(|settings| settings.second_use_of_code = second_use).await;
        let code = bench.code();
        let pair = Pair::of(&bench.exchange(&code).await);
        let again = bench.exchange(&code).await;
        assert_eq!(again.status, 400);
        assert_eq!(again.json()["error"], "invalid_grant");
        assert_eq!(again.json()["error_description"], "Invalid code: this code has already been used.");
        assert_eq!(bench.works(&pair.access).await, survives, "{second_use:?}");
    }
}

#[tokio::test]
async fn a_code_dies_after_its_lifetime() {
    let bench = Bench::start().await;
    let (early, late) = (bench.code(), bench.code());
    bench.advance_secs(599);
    assert_eq!(bench.exchange(&early).await.status, 200);
    bench.advance_secs(1);
    assert_eq!(bench.exchange(&late).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_code_dies_when_the_person_removes_the_connection() {
    let bench = Bench::start().await;
    let code = bench.code();
    bench.notion.revoke_grants_of(ADA, ACME);
    let answer = bench.exchange(&code).await;
    assert_eq!(answer.json()["error_description"], "Invalid code: this code has been revoked.");
}

#[tokio::test]
async fn each_broken_body_gets_its_documented_error() {
    let bench = Bench::start().await;
    bench.notion.register(Connection::new("other", "secret_2", REDIRECT_URI));
    let foreign = bench.code_for(&QUERY.replace("client_id=client", "client_id=other"), ADA, ACME, ROADMAP);
    let code = bench.code();
    let undefined =
        |field| format!("body failed validation: body.{field} should be defined, instead was `undefined`.");
    let cases = [
        (json!({}), "invalid_request", undefined("grant_type")),
        (json!({ "grant_type": "authorization_code" }), "invalid_request", undefined("code")),
        (json!({ "grant_type": "refresh_token" }), "invalid_request", undefined("refresh_token")),
        (
            json!({ "grant_type": "authorization_code", "code": 0 }),
            "invalid_request",
            "body failed validation: body.code should be a string, instead was `0`.".to_owned(),
        ),
        (
            json!({ "grant_type": "authorization_code", "code": code }),
            "invalid_request",
            undefined("redirect_uri"),
        ),
        (
            json!({ "grant_type": "authorization_code", "code": code, "redirect_uri": "http://localhost:3000/" }),
            "invalid_grant",
            "Invalid grant: redirect_uri is not the one of the authorization request.".to_owned(),
        ),
        (exchange_body("unknown"), "invalid_grant", "Invalid code.".to_owned()),
        (
            exchange_body(&foreign),
            "invalid_grant",
            "Invalid code: this code was issued to another client.".to_owned(),
        ),
        (
            json!({ "grant_type": "refresh_token", "refresh_token": "nrt_unknown" }),
            "invalid_grant",
            "Invalid refresh token.".to_owned(),
        ),
    ];
    for (body, error, description) in cases {
        let answer = bench.post(TOKEN, &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["error"], error, "{body}");
        assert_eq!(answer.json()["error_description"], description, "{body}");
    }
    let answer = bench.post(TOKEN, &json!({ "grant_type": "password" })).await;
    assert_eq!((answer.status, answer.json()["error"].clone()), (400, json!("unsupported_grant_type")));
    assert_eq!(bench.exchange(&code).await.status, 200, "a rejected request does not spend the code");
}

#[tokio::test]
async fn a_redirect_uri_left_out_of_the_authorization_request_is_not_allowed_in_the_body() {
    let bench = Bench::with(|settings| settings.redirect_uri_may_be_omitted = true).await;
    let code = bench.code_for("client_id=client&response_type=code&owner=user", ADA, ACME, ROADMAP);
    assert_eq!(bench.exchange(&code).await.json()["error"], "invalid_request");
    let body = json!({ "grant_type": "authorization_code", "code": code });
    assert_eq!(bench.post(TOKEN, &body).await.status, 200);
}

#[tokio::test]
async fn only_basic_authenticates_a_client() {
    let bench = Bench::start().await;
    let mut in_body = exchange_body("code");
    in_body["client_id"] = json!("client");
    in_body["client_secret"] = json!("secret_1");
    let body = in_body.to_string();
    let wrong = basic("client", "secret_2");
    let unknown = basic("nobody", "secret_1");
    for authorization in [None, Some("Bearer secret_1"), Some("Basic ???"), Some(&wrong), Some(&unknown)] {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(authorization.map(|value| ("authorization", value)));
        let answer = send(&bench.notion, "POST", TOKEN, &headers, &body).await.unwrap();
        assert_eq!(answer.status, 401, "{authorization:?}");
        let request_id = answer.header("x-notion-request-id").unwrap();
        assert_eq!(answer.json(), json!({ "error": "invalid_client", "request_id": request_id }));
    }
}

#[tokio::test]
async fn errors_have_shape_b_if_asked_for() {
    let bench = Bench::with(|settings| settings.error_shape = ErrorShape::B).await;
    let code = bench.code();
    bench.exchange(&code).await;
    let message = "Invalid code: this code has already been used.";
    let expected = json!({ "object": "error", "status": 400, "code": "invalid_grant", "message": message });
    assert_eq!(bench.exchange(&code).await.json(), expected);
}

#[tokio::test]
async fn text_that_is_not_json_gets_the_envelope() {
    let bench = Bench::start().await;
    let authorization = basic("client", "secret_1");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let answer = send(&bench.notion, "POST", TOKEN, &headers, "{").await.unwrap();
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["code"], "invalid_json");
    assert_eq!(answer.json()["message"], "Error parsing JSON body.");
}

#[tokio::test]
async fn a_form_body_is_accepted_by_switch() {
    for (accept, status) in [(true, 200), (false, 400)] {
        let bench = Bench::with(|settings| settings.accept_form_bodies = accept).await;
        let authorization = basic("client", "secret_1");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ];
        let code = bench.code();
        let fields =
            [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT_URI)];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let answer = send(&bench.notion, "POST", TOKEN, &headers, &body).await.unwrap();
        assert_eq!(answer.status, status, "accept_form_bodies = {accept}");
    }
}

#[tokio::test]
async fn a_missing_version_is_refused_by_switch() {
    let bench = Bench::with(|settings| settings.require_notion_version = true).await;
    let answer = bench.exchange(&bench.code()).await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (400, json!("missing_version")));
}

#[tokio::test]
async fn a_body_over_500_kb_is_refused() {
    let bench = Bench::start().await;
    let answer = bench.post(TOKEN, &json!({ "grant_type": "x".repeat(500_001) })).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn an_old_secret_dies_at_once_or_lives_on() {
    for (dies, status) in [(true, 401), (false, 200)] {
        let bench = Bench::with(|settings| settings.old_secret_dies_at_once = dies).await;
        let code = bench.code();
        bench.notion.rotate_secret("client", "secret_2");
        assert_eq!(bench.exchange(&code).await.status, status, "old_secret_dies_at_once = {dies}");
        let authorization = basic("client", "secret_2");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let body = exchange_body(&bench.code()).to_string();
        assert_eq!(send(&bench.notion, "POST", TOKEN, &headers, &body).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn the_owner_has_the_shape_that_capabilities_or_the_switch_give_it() {
    let full = json!({
        "object": "user",
        "id": GRACE,
        "name": "Grace",
        "avatar_url": null,
        "type": "person",
        "person": { "email": "grace@example.org", "email_verified": true },
    });
    let with = |field: &str, value| {
        let mut user = full.clone();
        user[field] = value;
        user
    };
    let partial = json!({ "object": "user", "id": GRACE });
    let cases = [
        (OwnerShape::Full, UserInformation::None, json!({ "type": "user", "user": full })),
        (
            OwnerShape::ByCapabilities,
            UserInformation::WithoutEmail,
            json!({ "type": "user", "user": with("person", json!({})) }),
        ),
        (OwnerShape::ByCapabilities, UserInformation::None, json!({ "type": "user", "user": partial })),
        (
            OwnerShape::WithoutName,
            UserInformation::WithEmail,
            json!({ "type": "user", "user": with("name", json!(null)) }),
        ),
        (
            OwnerShape::Workspace,
            UserInformation::WithEmail,
            json!({ "type": "workspace", "workspace": true }),
        ),
        (OwnerShape::LegacyUserWithoutType, UserInformation::WithEmail, json!({ "user": full })),
        (OwnerShape::LegacyWorkspaceWithoutType, UserInformation::WithEmail, json!({ "workspace": true })),
    ];
    for (owner, user_information, expected) in cases {
        let bench = Bench::with_options(|options| {
            options.settings.owner = owner;
            options.connections[0].capabilities =
                Capabilities { user_information, ..Capabilities::default() };
        })
        .await;
        let code = bench.code_for(QUERY, GRACE, ACME, ROADMAP);
        assert_eq!(bench.exchange(&code).await.json()["owner"], expected, "{owner:?}, {user_information:?}");
    }
}

#[tokio::test]
async fn optional_fields_vary_by_switch() {
    let bench = Bench::with(|settings| {
        settings.workspace_icon = WorkspaceIcon::Emoji;
        settings.workspace_name_is_null = true;
        settings.request_id_in_token_response = false;
        settings.extra_fields = true;
        settings.email_verified = None;
    })
    .await;
    let body = bench.exchange(&bench.code()).await.json();
    assert_eq!(body["workspace_icon"], "🧪");
    assert_eq!(body["workspace_name"], json!(null));
    assert_eq!(body.get("request_id"), None);
    assert!(body.get("simulated_future_field").is_some());
    assert_eq!(body["owner"]["user"]["person"], json!({ "email": "ada@example.org" }));
}
