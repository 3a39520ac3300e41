//! The authorization request and the consent page, as a browser or curl sees them.

use serde_json::json;
use simulated_notion::{
    ACME, ADA, Approval, Connection, GLOBEX, GRACE, HANDBOOK, InstallationScope, MEETING_NOTES, OutsideScope,
    ROADMAP, SALARIES,
};

use crate::bench::{Bench, QUERY, REDIRECT_URI, connection};
use crate::browser::{Answer, send, submit};

/// A form as a person would submit it.
async fn decide(bench: &Bench, fields: &[(&str, &str)]) -> Answer {
    let request: Vec<_> = form_urlencoded::parse(QUERY.as_bytes()).collect();
    let mut form: Vec<_> = request.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    form.extend(fields);
    submit(&bench.notion, "/install-integration", &form).await
}

#[tokio::test]
async fn authorize_redirects_to_the_consent_page_with_the_same_query() {
    let bench = Bench::start().await;
    let path = format!("/v1/oauth/authorize?{QUERY}");
    for method in ["GET", "HEAD"] {
        let answer = send(&bench.notion, method, &path, &[], "").await.unwrap();
        assert_eq!(answer.status, 302, "{method}");
        assert_eq!(answer.location(), format!("/install-integration?{QUERY}"), "{method}");
    }
    assert!(bench.notion.grants().is_empty());
}

#[tokio::test]
async fn an_unknown_client_or_redirect_uri_gets_a_page_and_no_redirect() {
    let bench = Bench::start().await;
    let client = "Missing or incomplete Client ID";
    let redirect_uri = "Missing or invalid redirect_uri";
    let cases = [
        (QUERY.replace("client_id=client", "client_id=nobody"), client),
        (QUERY.replace("client_id=client&", ""), client),
        (QUERY.replace("callback", "callback%2F"), redirect_uri),
        (QUERY.replace("localhost", "127.0.0.1"), redirect_uri),
        ("client_id=client&response_type=code&owner=user".to_owned(), redirect_uri),
    ];
    for (query, explanation) in cases {
        for path in ["/v1/oauth/authorize", "/install-integration"] {
            let answer = bench.get(&format!("{path}?{query}"), &[]).await;
            assert_eq!((answer.status, answer.header("location")), (400, None), "{query}");
            assert!(answer.body.contains("Something went wrong"), "{query}");
            assert!(answer.body.contains(explanation), "{query}");
        }
    }
}

#[tokio::test]
async fn a_malformed_query_gets_json() {
    let bench = Bench::start().await;
    let string = "should be a string or `undefined`";
    let cases = [
        (
            QUERY.replace("client_id=client", "client_id=0"),
            format!("query failed validation: query.client_id {string}, instead was `0`."),
        ),
        (
            format!("{QUERY}&state=again"),
            format!("query failed validation: query.state {string}, instead was an array."),
        ),
    ];
    for (query, description) in cases {
        let answer = bench.get(&format!("/v1/oauth/authorize?{query}"), &[]).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.json()["error"], "invalid_request", "{query}");
        assert_eq!(answer.json()["error_description"], description.as_str(), "{query}");
    }
}

#[tokio::test]
async fn a_missing_or_unsupported_parameter_is_told_to_the_app() {
    let bench = Bench::start().await;
    let cases = [
        (QUERY.replace("response_type=code", "response_type=token"), "unsupported_response_type"),
        (QUERY.replace("&response_type=code", ""), "invalid_request"),
        (QUERY.replace("&owner=user", ""), "invalid_request"),
    ];
    for (query, error) in cases {
        let answer = bench.get(&format!("/v1/oauth/authorize?{query}"), &[]).await;
        let expected = format!("{REDIRECT_URI}?error={error}&state=s+%26");
        assert_eq!((answer.status, answer.location()), (302, expected.as_str()), "{query}");
    }
}

#[tokio::test]
async fn a_code_challenge_is_ignored_unless_switched() {
    let bench = Bench::start().await;
    let path = format!("/v1/oauth/authorize?{QUERY}&code_challenge=c&code_challenge_method=S256");
    assert_eq!(bench.get(&path, &[]).await.status, 302);
    bench.notion.change_settings(|settings| settings.code_challenge_breaks_authorize = true);
    assert_eq!(bench.get(&path, &[]).await.json()["error"], "invalid_request");
}

#[tokio::test]
async fn a_person_signs_in_then_picks_pages_then_allows() {
    let bench = Bench::start().await;
    let sign_in = bench.get(&format!("/install-integration?{QUERY}"), &[]).await;
    let account = format!("value=\"{GRACE}/{ACME}\"");
    assert!(sign_in.body.contains(&account), "{}", sign_in.body);

    let consent = bench.get(&format!("/install-integration?{QUERY}&account={GRACE}%2F{ACME}"), &[]).await;
    assert_eq!(consent.status, 200);
    for text in ["(<span id=\"redirect-host\">localhost:3000</span>)", "Grace", "Roadmap", "Salaries"] {
        assert!(consent.body.contains(text), "{text}: {}", consent.body);
    }
    let policy = consent.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("form-action"), "{policy}");

    let allowed =
        decide(&bench, &[("person", GRACE), ("page", ROADMAP), ("page", SALARIES), ("decision", "allow")]);
    let allowed = allowed.await;
    assert_eq!(allowed.status, 303);
    let (code, state) = allowed.location().strip_prefix(REDIRECT_URI).unwrap().split_once('&').unwrap();
    assert_eq!(state, "state=s+%26");
    assert_eq!(bench.exchange(code.strip_prefix("?code=").unwrap()).await.status, 200);
    assert_eq!(bench.notion.grants()[0].pages, [ROADMAP, SALARIES]);
}

#[tokio::test]
async fn one_post_to_the_redirect_target_is_enough() {
    let bench = Bench::start().await;
    let target = bench.get(&format!("/v1/oauth/authorize?{QUERY}"), &[]).await;
    let form = [("person", ADA), ("workspace", ACME), ("page", ROADMAP), ("decision", "allow")];
    let allowed = submit(&bench.notion, target.location(), &form).await;
    assert!(allowed.location().starts_with("http://localhost:3000/callback?code="), "{allowed:?}");
}

#[tokio::test]
async fn a_choice_that_cannot_be_allowed_is_asked_again() {
    let bench = Bench::start().await;
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[("person", ADA), ("workspace", ACME)], "Select at least one page to continue"),
        (&[("person", ADA), ("workspace", ACME), ("page", SALARIES)], "Select only pages from the list"),
        (&[("person", GRACE), ("workspace", GLOBEX), ("page", HANDBOOK)], "a member of the workspace"),
        (&[("person", ADA), ("page", ROADMAP)], "a member of the workspace"),
    ];
    for (choice, text) in cases {
        let answer = decide(&bench, &[choice, &[("decision", "allow")]].concat()).await;
        assert_eq!(answer.status, 422, "{choice:?}");
        assert!(answer.body.contains("role=\"alert\"") && answer.body.contains(text), "{choice:?}");
    }
    bench.notion.change_settings(|settings| settings.require_page = false);
    assert_eq!(decide(&bench, &[("person", GRACE), ("decision", "allow")]).await.status, 303);
    assert_eq!(decide(&bench, &[("person", GRACE)]).await.status, 400, "no decision");
}

#[tokio::test]
async fn cancel_is_told_to_the_app_with_or_without_state() {
    let stateless = QUERY.split("&state").next().unwrap();
    let cases = [
        (QUERY, true, true, "?error=access_denied&state=s+%26"),
        (QUERY, false, true, "?error=access_denied"),
        (stateless, true, true, "?error=access_denied&state="),
        (stateless, true, false, "?error=access_denied"),
    ];
    for (query, carries_state, sends_empty_state, expected) in cases {
        let bench = Bench::with(|settings| {
            settings.cancel_carries_state = carries_state;
            settings.cancel_sends_empty_state = sends_empty_state;
        })
        .await;
        let path = format!("/install-integration?{query}");
        let answer = submit(&bench.notion, &path, &[("decision", "cancel")]).await;
        assert_eq!(answer.location(), format!("{REDIRECT_URI}{expected}"), "{query}");
    }
}

#[tokio::test]
async fn an_error_on_the_redirect_is_described_by_switch() {
    let bench = Bench::with(|settings| settings.error_description_on_redirect = true).await;
    let answer = decide(&bench, &[("decision", "cancel")]).await;
    assert!(answer.location().contains("error_description=The+user+cancelled."), "{answer:?}");
}

#[tokio::test]
async fn a_redirect_uri_keeps_the_query_it_has() {
    let bench = Bench::start().await;
    let redirect_uri = "http://localhost:3000/callback?tenant=1";
    bench.notion.register(Connection::new("client", "secret_1", redirect_uri));
    let redirect = bench.notion.approve(Approval {
        authorize_query: "client_id=client&redirect_uri=http://localhost:3000/callback?tenant%3D1\
                          &response_type=code&owner=user"
            .to_owned(),
        cancel: true,
        ..Approval::default()
    });
    assert_eq!(redirect.unwrap().location, format!("{redirect_uri}&error=access_denied&state="));
}

#[tokio::test]
async fn the_template_can_be_duplicated_instead_of_selecting_pages() {
    let bench = Bench::start().await;
    let template = Some("Starter kit".to_owned());
    bench.notion.register(Connection { template, ..connection() });
    let page = bench.get(&format!("/install-integration?{QUERY}&person={GRACE}"), &[]).await;
    assert!(page.body.contains("Starter kit"), "{}", page.body);
    let allowed =
        decide(&bench, &[("person", GRACE), ("template", "duplicate"), ("decision", "allow")]).await;
    let code = allowed.location().split(['=', '&']).nth(1).unwrap();
    let body = bench.exchange(code).await.json();
    let id = body["duplicated_template_id"].as_str().unwrap();
    assert_eq!(bench.notion.grants()[0].pages, [id]);
    assert_eq!(bench.notion.grants()[0].duplicated_template_id.as_deref(), Some(id));
}

#[tokio::test]
async fn the_picker_remembers_shared_pages() {
    let bench = Bench::start().await;
    bench.exchange(&bench.code_for(QUERY, ADA, ACME, MEETING_NOTES)).await;
    let page = bench.get(&format!("/install-integration?{QUERY}&account={ADA}/{ACME}"), &[]).await;
    assert!(page.body.contains(&format!("id=\"page-{MEETING_NOTES}\" checked")), "{}", page.body);
    assert!(!page.body.contains(&format!("id=\"page-{ROADMAP}\" checked")));
    assert!(!page.body.contains("Salaries"), "Ada does not have full access to it");
}

#[tokio::test]
async fn a_workspace_outside_the_installation_scope_is_refused_as_switched() {
    let bench = Bench::start().await;
    let workspaces = InstallationScope::Selected(vec![ACME.to_owned()]);
    bench.notion.register(Connection { workspaces, ..connection() });
    let form = [("person", ADA), ("workspace", GLOBEX), ("page", HANDBOOK), ("decision", "allow")];
    let refused = decide(&bench, &form).await;
    assert_eq!((refused.status, refused.header("location")), (400, None));
    bench.notion.change_settings(|settings| settings.outside_installation_scope = OutsideScope::AccessDenied);
    let expected = format!("{REDIRECT_URI}?error=access_denied&state=s+%26");
    assert_eq!(decide(&bench, &form).await.location(), expected);
}

#[tokio::test]
async fn two_tabs_can_be_two_people() {
    let bench = Bench::start().await;
    let page = |person: &str| format!("/install-integration?{QUERY}&account={person}/{ACME}");
    let (ada_page, grace_page) = (page(ADA), page(GRACE));
    let (ada, grace) = tokio::join!(bench.get(&ada_page, &[]), bench.get(&grace_page, &[]));
    for answer in [&ada, &grace] {
        assert_eq!(answer.header("set-cookie"), None);
    }
    let ada = [("person", ADA), ("workspace", ACME), ("page", ROADMAP), ("decision", "allow")];
    let grace = [("person", GRACE), ("workspace", ACME), ("page", ROADMAP), ("decision", "allow")];
    let (ada, grace) = tokio::join!(decide(&bench, &ada), decide(&bench, &grace));
    for (answer, name) in [(ada, "Ada"), (grace, "Grace")] {
        let code = answer.location().split(['=', '&']).nth(1).unwrap().to_owned();
        assert_eq!(bench.exchange(&code).await.json()["owner"]["user"]["name"], json!(name));
    }
}

#[tokio::test]
async fn what_people_type_is_escaped() {
    let bench = Bench::start().await;
    let state = "%3Cscript%3E%22";
    let path = format!("/install-integration?{}&account={ADA}/{ACME}", QUERY.replace("s%20%26", state));
    let page = bench.get(&path, &[]).await;
    assert!(!page.body.contains("<script"), "{}", page.body);
}
