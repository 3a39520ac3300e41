//! A backend: the Rust client with Lambda's Invoke.

use std::cell::Cell;
use std::time::Duration;

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use axum::http::StatusCode;
use futures_util::future::join_all;
use notion_token_client::{CallError, NotAnswered, Person, Token, TokenClient, TokenError};
use serde_json::json;
use simulated_notion::{ACME, ADA, Endpoint, Fault};
use tokio::net::TcpListener;
use vault::http_client::{self, SdkHttpClient};

use crate::harness::{World, ada};
use crate::leaks::Leaks;

pub(crate) fn lambda(endpoint: &str) -> aws_sdk_lambda::Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("backend", "local", None, None, "a test"))
        .http_client(SdkHttpClient(http_client::build().unwrap()))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(endpoint);
    aws_sdk_lambda::Client::from_conf(config.build())
}

fn client(world: &World) -> TokenClient {
    TokenClient::new(lambda(world.stack.aws_url().unwrap()), "token").called("the billing job")
}

fn person() -> Person {
    Person::user(ACME, ADA)
}

async fn installed() -> (World, TokenClient) {
    let world = World::start().await;
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    let client = client(&world);
    (world, client)
}

/// How many answers the functions have given so far.
fn invocations(world: &World) -> usize {
    world.stack.answers().len()
}

/// `GET /v1/users/me`, as a backend sends it.
async fn me(world: &World, token: Token) -> Result<String, CallError<String>> {
    if world.works(token.access_token()).await {
        Ok(token.fingerprint().to_owned())
    } else {
        Err(CallError::Unauthorized)
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_and_cached() {
    let (world, client) = installed().await;
    let before = invocations(&world);
    let first = client.token(&person()).await.unwrap();
    for _ in 0..5 {
        assert_eq!(client.token(&person()).await.unwrap().fingerprint(), first.fingerprint());
        assert_eq!(client.call(&person(), |token| me(&world, token)).await.unwrap(), first.fingerprint());
    }
    assert_eq!(invocations(&world) - before, 1);
    assert_eq!(world.last_line_with("Vended")["caller_says"], "the billing job");
    // Another person's token is separate.
    let grace = Person::user(ACME, simulated_notion::GRACE);
    assert!(matches!(client.token(&grace).await, Err(TokenError::NotInstalled { .. })));
    client.forget(&person());
    client.token(&person()).await.unwrap();
    client.forget(&person());
    let none = client.clone().keep_for(Duration::ZERO);
    none.token(&person()).await.unwrap();
    none.token(&person()).await.unwrap();
    assert_eq!(invocations(&world) - before, 5, "nothing was cached with a lifetime of zero");
    // No output shows a token.
    let shown = format!("{client:?} {first:?} {:?}", client.token(&person()).await);
    assert!(shown.contains(first.fingerprint()) && !shown.contains(first.access_token()), "{shown}");
    Leaks::saw_output(&shown);
}

#[tokio::test]
async fn many_first_callers_make_one_invocation() {
    let (world, client) = installed().await;
    let before = invocations(&world);
    let person = person();
    let all = join_all((0..50).map(|_| client.token(&person))).await;
    assert!(all.into_iter().all(|token| token.is_ok()));
    assert_eq!(invocations(&world) - before, 1);
}

#[tokio::test]
async fn an_expired_token_is_reported_once_and_the_call_runs_again() {
    let (world, client) = installed().await;
    let dead = client.token(&person()).await.unwrap();
    world.expire_access_tokens();
    let before = invocations(&world);
    let live = client.call(&person(), |token| me(&world, token)).await.unwrap();
    assert_ne!(live, dead.fingerprint());
    assert_eq!(invocations(&world) - before, 1);
    // A caller who reports the dead token late gets the cached one.
    assert_eq!(client.refused(&person(), &dead).await.unwrap().fingerprint(), live);
    assert_eq!(client.token(&person()).await.unwrap().fingerprint(), live);
    assert_eq!(invocations(&world) - before, 1);
    assert_eq!(world.notion().count(Endpoint::Token), 2, "one exchange, one refresh");
}

#[tokio::test]
async fn fifty_callers_with_an_expired_token_make_one_refresh_and_one_invocation() {
    let (world, client) = installed().await;
    client.token(&person()).await.unwrap();
    world.expire_access_tokens();
    let before = invocations(&world);
    let person = person();
    let all = join_all((0..50).map(|_| client.call(&person, |token| me(&world, token)))).await;
    let first = all[0].as_ref().unwrap();
    assert!(all.iter().all(|outcome| outcome.as_ref().unwrap() == first), "{all:?}");
    assert_eq!(invocations(&world) - before, 1);
    assert_eq!(world.notion().count(Endpoint::Token), 2);
}

/// A backend spawns its calls, so their futures must be `Send`, however the closure is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_can_be_spawned() {
    let (world, client) = installed().await;
    let calls = (0..8).map(|_| {
        let (client, url) = (client.clone(), world.notion().base_url());
        let http = http_client::build().unwrap();
        tokio::spawn(async move {
            let person = person();
            let outcome = client.call(&person, async |token| {
                let me = http.get(format!("{url}/v1/users/me")).header("notion-version", "2026-03-11");
                let answer = me.bearer_auth(token.access_token()).send().await?;
                if answer.status() == 401 {
                    return Err(CallError::Unauthorized);
                }
                Ok(answer.error_for_status()?.text().await?)
            });
            outcome.await.map_err(|error: CallError<reqwest::Error>| error.to_string())
        })
    });
    for call in join_all(calls).await {
        assert!(call.unwrap().unwrap().contains("\"bot\""));
    }
}

#[tokio::test]
async fn a_second_refusal_is_an_error_and_is_not_retried() {
    let (world, client) = installed().await;
    let before = invocations(&world);
    let runs = Cell::new(0);
    let outcome: Result<(), CallError<String>> = client
        .call(&person(), async |_| {
            runs.set(runs.get() + 1);
            Err(CallError::Unauthorized)
        })
        .await;
    assert!(matches!(outcome, Err(CallError::Unauthorized)), "{outcome:?}");
    assert_eq!((runs.get(), invocations(&world) - before), (2, 2));
    // Another error is the caller's own, and says nothing about the token.
    let outcome: Result<(), _> = client.call(&person(), async |_| Err(CallError::from("403"))).await;
    assert!(matches!(outcome, Err(CallError::Failed("403"))), "{outcome:?}");
    assert_eq!(invocations(&world) - before, 2);
}

#[tokio::test]
async fn a_person_who_has_not_installed_is_sent_to_install() {
    let world = World::start().await;
    let client = client(&world);
    for person in [person(), Person::workspace(ACME)] {
        match client.token(&person).await {
            Err(TokenError::NotInstalled { install_url }) => assert_eq!(install_url, world.url("/install")),
            other => panic!("{other:?}"),
        }
    }
    match client.token(&Person::user("a/b", ADA)).await {
        Err(TokenError::InvalidRequest(message)) => assert!(message.starts_with("workspace_id"), "{message}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_dead_grant_is_reported_and_its_token_is_dropped() {
    let (world, client) = installed().await;
    client.token(&person()).await.unwrap();
    world.notion().revoke_grants_of(ADA, ACME);
    let outcome = client.call(&person(), |token| me(&world, token)).await;
    match outcome {
        Err(CallError::Token(TokenError::NeedsReinstall { install_url })) => {
            assert_eq!(install_url, world.url("/install"));
        }
        other => panic!("{other:?}"),
    }
    let before = invocations(&world);
    assert!(matches!(client.token(&person()).await, Err(TokenError::NeedsReinstall { .. })));
    assert_eq!(invocations(&world) - before, 1, "the function was invoked");
    assert!(world.browser().install_as(|_| {}).await.is_connected());
    client.call(&person(), |token| me(&world, token)).await.unwrap();
}

#[tokio::test]
async fn an_uninstalled_person_is_reported_and_their_token_is_dropped() {
    let (world, client) = installed().await;
    let kept = client.token(&person()).await.unwrap();
    world.ask("uninstall", ada(json!({}))).await;
    // Still cached, but revoked at Notion: the first call notices it.
    assert_eq!(client.token(&person()).await.unwrap().fingerprint(), kept.fingerprint());
    let outcome = client.call(&person(), |token| me(&world, token)).await;
    assert!(matches!(outcome, Err(CallError::Token(TokenError::Removed { .. }))), "{outcome:?}");
    assert!(matches!(client.token(&person()).await, Err(TokenError::Removed { .. })));
}

#[tokio::test]
async fn try_later_reaches_all_waiting_callers() {
    let (world, client) = installed().await;
    let dead = client.token(&person()).await.unwrap();
    let fault = Fault::Status { status: 429, retry_after: Some("120".to_owned()) };
    world.notion().inject(Endpoint::Token, fault, u32::MAX);
    let before = invocations(&world);
    let person = person();
    for outcome in join_all((0..20).map(|_| client.refused(&person, &dead))).await {
        match outcome {
            Err(TokenError::TryLater { retry_after, reason }) => {
                assert!(retry_after >= Duration::from_secs(119), "{retry_after:?}");
                assert_eq!(reason, "come_back_later");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(invocations(&world) - before, 1);
}

/// A UUID in two spellings is one person.
#[tokio::test]
async fn two_spellings_of_a_person_share_one_cache_entry() {
    let (world, client) = installed().await;
    let undashed = Person::user(ACME.replace('-', ""), ADA.to_uppercase());
    let before = invocations(&world);
    client.token(&person()).await.unwrap();
    client.token(&undashed).await.unwrap();
    assert_eq!(invocations(&world) - before, 1);
    client.forget(&undashed);
    client.token(&person()).await.unwrap();
    assert_eq!(invocations(&world) - before, 2);
    assert_eq!(undashed, person());
}

/// The answer to a question from before `forget` is neither cached nor shared with later callers.
#[tokio::test]
async fn an_answer_requested_before_forget_is_not_cached() {
    let (world, client) = installed().await;
    let person = person();
    for someone_asks_again in [false, true] {
        let dead = client.token(&person).await.unwrap();
        let (before, asked) = (invocations(&world), world.notion().count(Endpoint::Token));
        world.notion().inject(Endpoint::Token, Fault::Hold, 1);
        let forgetting = async {
            world.notion().wait_for(Endpoint::Token, asked + 1).await;
            client.forget(&person);
            let later = async {
                if someone_asks_again {
                    client.refused(&person, &dead).await.unwrap();
                }
            };
            tokio::join!(later, async { world.notion().release() });
        };
        let (earlier, ()) = tokio::join!(client.refused(&person, &dead), forgetting);
        assert!(earlier.is_ok());
        assert_eq!(invocations(&world) - before, 1 + usize::from(someone_asks_again));
        client.token(&person).await.unwrap();
        assert_eq!(invocations(&world) - before, 2, "{someone_asks_again}");
        // So that the next round's report is acted on immediately.
        world.clock.advance_secs(3600);
    }
}

#[tokio::test]
async fn refused_but_alive_is_passed_on() {
    let (world, client) = installed().await;
    let person = person();
    let refused: Result<(), CallError<String>> =
        client.call(&person, async |_| Err(CallError::Unauthorized)).await;
    assert!(matches!(refused, Err(CallError::Unauthorized)), "{refused:?}");
    let refused: Result<(), CallError<String>> =
        client.call(&person, async |_| Err(CallError::Unauthorized)).await;
    match refused {
        Err(CallError::Token(TokenError::RefusedButAlive { message })) => {
            assert!(message.contains("Authorization"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    // The cached token is still valid.
    assert!(world.works(client.token(&person).await.unwrap().access_token()).await);
}

/// A refused token is not fetched and cached again when there is no other token at the moment.
#[tokio::test]
async fn a_refused_token_is_not_returned_again_while_notion_is_down() {
    let (world, client) = installed().await;
    let person = person();
    client.token(&person).await.unwrap();
    world.expire_access_tokens();
    let busy = Fault::Status { status: 429, retry_after: Some("30".to_owned()) };
    world.notion().inject(Endpoint::Token, busy, u32::MAX);
    for _ in 0..3 {
        let outcome = client.call(&person, |token| me(&world, token)).await;
        assert!(matches!(outcome, Err(CallError::Token(TokenError::TryLater { .. }))), "{outcome:?}");
    }
    assert_eq!(world.notion().count(Endpoint::UsersMe), 1, "the dead token was tried only once");
    world.notion().clear_faults();
    world.clock.advance_secs(60);
    client.call(&person, |token| me(&world, token)).await.unwrap();
}

#[tokio::test]
async fn a_token_is_not_cached_past_its_expiry() {
    let (world, client) = installed().await;
    let patch = Fault::PatchResponse(json!({"expires_in": 3600}));
    world.notion().inject(Endpoint::Token, patch, 1);
    world.vend(json!({"refresh": true})).await;
    let token = client.token(&person()).await.unwrap();
    // The stack's clock is in 2026. What matters is that the caller learns the time.
    assert_eq!(token.expires_at(), world.vend(json!({})).await["expires_at"].as_u64());
    assert!(token.expires_at().is_some());
}

/// If a caller gives up, the next caller drives the question.
#[tokio::test]
async fn a_caller_who_gives_up_does_not_block_others() {
    let (world, client) = installed().await;
    let person = person();
    {
        let mut given_up = Box::pin(client.token(&person));
        assert!(futures_util::poll!(given_up.as_mut()).is_pending());
        let mut next = Box::pin(client.token(&person));
        assert!(futures_util::poll!(next.as_mut()).is_pending());
        drop(given_up);
        next.await.unwrap();
    }
    client.token(&person).await.unwrap();
    assert!(world.works(client.token(&person).await.unwrap().access_token()).await);
}

/// A Lambda that gives every invocation the same answer.
async fn lambda_that_answers(
    status: StatusCode,
    header: (&'static str, &'static str),
    body: &'static str,
) -> TokenClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new()
        .fallback(move || async move { (status, [header, ("x-amzn-requestid", "the-request")], body) });
    tokio::spawn(async move { axum::serve(listener, router).await });
    TokenClient::new(lambda(&url), "token")
}

#[tokio::test]
async fn errors_of_lambda_are_told_apart_from_answers_of_the_function() {
    let unhandled = ("x-amz-function-error", "Unhandled");
    let client = lambda_that_answers(StatusCode::OK, unhandled, r#"{"errorMessage":"timed out"}"#).await;
    match client.token(&person()).await {
        Err(TokenError::NotAnswered(NotAnswered::FunctionFailed { request_id })) => {
            assert_eq!(request_id.as_deref(), Some("the-request"));
        }
        other => panic!("{other:?}"),
    }
    let throttled = ("x-amzn-errortype", "TooManyRequestsException");
    let client = lambda_that_answers(StatusCode::TOO_MANY_REQUESTS, throttled, "{}").await;
    match client.token(&person()).await {
        Err(TokenError::NotAnswered(NotAnswered::NotReached(error))) => {
            assert!(matches!(*error, aws_sdk_lambda::Error::TooManyRequestsException(_)), "{error:?}");
        }
        other => panic!("{other:?}"),
    }
    let plain = ("content-type", "application/json");
    let client = lambda_that_answers(StatusCode::OK, plain, r#"{"statusCode":200,"body":"ntn_x"}"#).await;
    let error = client.token(&person()).await.unwrap_err();
    assert!(matches!(error, TokenError::NotAnswered(NotAnswered::Unreadable)), "{error:?}");
    // No such function, then no server.
    let world = World::start().await;
    let client = TokenClient::new(lambda(world.stack.aws_url().unwrap()), "nobody");
    match client.token(&person()).await {
        Err(TokenError::NotAnswered(NotAnswered::NotReached(error))) => {
            assert!(matches!(*error, aws_sdk_lambda::Error::ResourceNotFoundException(_)), "{error:?}");
        }
        other => panic!("{other:?}"),
    }
    let nowhere = TokenClient::new(lambda("http://127.0.0.1:1"), "token");
    let error = nowhere.token(&person()).await.unwrap_err();
    assert!(matches!(error, TokenError::NotAnswered(NotAnswered::NotReached(_))), "{error:?}");
}
