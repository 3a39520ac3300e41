//! The operator as a process, and the stack that it sees: STS and CloudFormation are answered here, everything else
//! by the dev stack.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::binaries::binary;
use crate::harness::World;
use crate::leaks::Leaks;

/// STS and CloudFormation, as far as needed: one stack whose secret is the dev stack's, and stacks whose status is
/// their name.
async fn cloudformation(variables: HashMap<String, String>) -> String {
    let router = Router::new().fallback(describe).with_state(variables);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// The dev stack's counterparts of the template's resources.
fn resources(variables: &HashMap<String, String>) -> String {
    let dead_letters = format!("{}-dead-letters", variables["RESCUE_QUEUE_URL"]);
    let none = String::new();
    let webhook_url = variables.get("WEBHOOK_URL").unwrap_or(&none);
    let webhook = |value: &'static str| if webhook_url.is_empty() { "" } else { value };
    let of_webhook = |name: &str| if webhook_url.is_empty() { "" } else { variables[name].as_str() };
    let of_recipe = |name: &str| if variables.contains_key("RECIPE") { variables[name].as_str() } else { "" };
    let all = [
        ("ClaimsTable", variables["CLAIMS_TABLE"].as_str()),
        ("ClientSecret", &variables["CLIENT_SECRET_ARN"]),
        ("EventBus", &variables["EVENT_BUS_NAME"]),
        ("EventsArchive", "an-archive"),
        ("EventsTable", &variables["EVENTS_TABLE"]),
        ("FeedFunction", "feed"),
        ("InstallationsTable", &variables["INSTALLATIONS_TABLE"]),
        ("LinksTable", &variables["LINKS_TABLE"]),
        ("OnboardingDeadLetters", of_recipe("ONBOARDING_DEAD_LETTERS_URL")),
        ("OnboardingQueue", of_recipe("ONBOARDING_QUEUE_URL")),
        ("OnboardingTable", &variables["ONBOARDING_TABLE"]),
        ("RescueDeadLetters", &dead_letters),
        ("RescueQueue", &variables["RESCUE_QUEUE_URL"]),
        ("SweepFunction", "sweep"),
        ("TokenFunction", "token"),
        ("TokenKeyRing", &variables["TOKEN_KEY_RING_ARN"]),
        ("UninstallFunction", "uninstall"),
        ("WebhookDeadLetters", of_webhook("WEBHOOK_DEAD_LETTERS_URL")),
        ("WebhookFunction", webhook("webhook")),
        ("WebhookQueue", of_webhook("WEBHOOK_QUEUE_URL")),
        ("WebhookSecret", of_webhook("WEBHOOK_SECRET_ARN")),
    ];
    let all = all.into_iter().filter(|(_, physical)| !physical.is_empty());
    let member = |(logical, physical): (&str, &str)| {
        format!(
            "<member><LogicalResourceId>{logical}</LogicalResourceId><PhysicalResourceId>{physical}\
             </PhysicalResourceId><ResourceType>AWS::Any::Thing</ResourceType><LastUpdatedTimestamp>\
             2026-11-22T00:00:00Z</LastUpdatedTimestamp><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>"
        )
    };
    all.map(member).collect()
}

async fn describe(State(variables): State<HashMap<String, String>>, body: Bytes) -> Response {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let member = |name: &str, key: &str, value: &str| {
        format!("<member><{name}Key>{key}</{name}Key><{name}Value>{value}</{name}Value></member>")
    };
    let stack = form.get("StackName").map(String::as_str).unwrap_or_default();
    let status = if stack == "a-stack" { "CREATE_COMPLETE" } else { stack };
    let is_status = status.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let result = match (form["Action"].as_str(), stack) {
        ("GetCallerIdentity", _) => {
            "<Arn>arn:aws:iam::123456789012:user/deployer</Arn><Account>123456789012</Account>".to_owned()
        }
        ("DescribeStacks", _) if is_status => format!(
            "<Stacks><member><StackName>{stack}</StackName><CreationTime>2026-11-22T00:00:00Z</CreationTime>\
             <StackStatus>{status}</StackStatus><Outputs>{}{}</Outputs><Parameters>{}{}{}{}{}{}{}{}</Parameters></member></Stacks>",
            member("Output", "InstallUrl", "http://localhost:1/install"),
            member("Output", "RedirectUri", &variables["NOTION_REDIRECT_URI"]),
            member("Parameter", "NotionClientId", &variables["NOTION_CLIENT_ID"]),
            member("Parameter", "NotionBaseUrl", &variables["NOTION_BASE_URL"]),
            member("Parameter", "ReturnDestinations", &variables["RETURN_DESTINATIONS"]),
            member("Parameter", "WebhookUrl", variables.get("WEBHOOK_URL").map_or("", String::as_str)),
            member("Parameter", "Recipe", variables.get("RECIPE").map_or("", String::as_str)),
            member("Parameter", "OnboardingCallsPerMinute", "60"),
            member("Parameter", "AppName", &variables["APP_NAME"]),
            member(
                "Parameter",
                "AllowedWorkspaces",
                variables.get("ALLOWED_WORKSPACES").map_or("", String::as_str)
            ),
        ),
        ("ListStackResources", _) if is_status => {
            format!("<StackResourceSummaries>{}</StackResourceSummaries>", resources(&variables))
        }
        (_, name) => {
            let error = format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id {name} \
                 does not exist</Message></Error></ErrorResponse>"
            );
            return (axum::http::StatusCode::BAD_REQUEST, error).into_response();
        }
    };
    let action = &form["Action"];
    let answer = format!(
        "<{action}Response xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><{action}Result>{result}\
         </{action}Result></{action}Response>"
    );
    ([("content-type", "text/xml")], answer).into_response()
}

/// Runs the operator on the stack of `world`, with `input` on standard input.
pub(crate) async fn operator(world: &World, arguments: &[&str], input: &str) -> Output {
    operator_on(world, "a-stack", arguments, input).await
}

pub(crate) async fn operator_on(world: &World, stack: &str, arguments: &[&str], input: &str) -> Output {
    run(world, world.stack.variables().clone(), stack, arguments, input).await
}

/// Runs the operator on a stack with these settings.
pub(crate) async fn operator_on_variables(
    world: &World,
    variables: HashMap<String, String>,
    arguments: &[&str],
    input: &str,
) -> Output {
    run(world, variables, "a-stack", arguments, input).await
}

/// Runs the operator on a stack without an endpoint.
pub(crate) async fn operator_without_webhook(world: &World, arguments: &[&str]) -> Output {
    let mut variables = world.stack.variables().clone();
    variables.remove("WEBHOOK_URL");
    run(world, variables, "a-stack", arguments, "").await
}

/// Runs the operator on a stack that prepares workspaces with the recipe of this name.
pub(crate) async fn operator_with_recipe(world: &World, recipe: &str, arguments: &[&str]) -> Output {
    let mut variables = world.stack.variables().clone();
    variables.insert("RECIPE".to_owned(), recipe.to_owned());
    run(world, variables, "a-stack", arguments, "").await
}

/// Runs the operator without credentials, a Region or a stack.
pub(crate) async fn operator_alone(arguments: &[&str]) -> Output {
    let mut command = Command::new(binary("operator"));
    command.env_clear().current_dir(root()).args(arguments).output().await.unwrap()
}

/// Where the folder of recipes is.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs the operator on a stack with these `ReturnDestinations`.
pub(crate) async fn operator_with(world: &World, destinations: &str, arguments: &[&str]) -> Output {
    let mut variables = world.stack.variables().clone();
    variables.insert("RETURN_DESTINATIONS".to_owned(), destinations.to_owned());
    run(world, variables, "a-stack", arguments, "").await
}

async fn run(
    world: &World,
    variables: HashMap<String, String>,
    stack: &str,
    arguments: &[&str],
    input: &str,
) -> Output {
    let mut child = command(world, variables, stack, arguments).await.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may exit before it has read anything.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    // What was asked for is not a leak.
    if !arguments.contains(&"--show") {
        Leaks::saw_output(&said(&output));
    }
    if !input.trim().is_empty() {
        let said = said(&output);
        assert!(!said.contains(input.trim()), "the secret was printed: {said}");
    }
    output
}

/// The operator on the stack of `world`, ready to be started.
pub(crate) async fn operator_command(world: &World, arguments: &[&str]) -> Command {
    command(world, world.stack.variables().clone(), "a-stack", arguments).await
}

async fn command(
    world: &World,
    variables: HashMap<String, String>,
    stack: &str,
    arguments: &[&str],
) -> Command {
    let stand_in = cloudformation(variables).await;
    let mut command = Command::new(binary("operator"));
    command
        .env_clear()
        .current_dir(root())
        .env("AWS_ACCESS_KEY_ID", "operator")
        .env("AWS_SECRET_ACCESS_KEY", "operator")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", world.stack.aws_url().unwrap())
        .env("AWS_ENDPOINT_URL_CLOUDFORMATION", &stand_in)
        .env("AWS_ENDPOINT_URL_STS", &stand_in)
        .args(["--stack", stack])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub(crate) fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|stream| String::from_utf8_lossy(stream).into_owned()).join("")
}

/// Runs the operator on the stack of `world` with `--json`. Returns its exit code and its answer.
pub(crate) async fn in_json(world: &World, arguments: &[&str]) -> (i32, Value) {
    let arguments: Vec<&str> = ["--json"].into_iter().chain(arguments.iter().copied()).collect();
    let output = operator(world, &arguments, "").await;
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    (output.status.code().unwrap(), json)
}
