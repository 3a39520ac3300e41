//! What the functions find in place of their environment.

use std::collections::HashMap;

use crate::aws::{
    CLAIMS_TABLE, EVENT_BUS, EVENTS_TABLE, INSTALLATIONS_TABLE, LINKS_TABLE, ONBOARDING_TABLE, Services,
};
use crate::inside::{TOKEN_KEY_RING, WEBHOOK_SECRET};

/// Where the sample app takes its webhooks.
const SAMPLE_ENDPOINT: &str = "/app/webhook";

/// The functions' variables, in place of what the template sets.
pub(super) fn of_functions(
    services: &Services,
    url: &str,
    client_id: &str,
    client_secret_id: &str,
) -> HashMap<String, String> {
    let Services { dynamodb, secrets_manager, queues, event_bus } = services;
    let queue_url = |name: &str| format!("{}/123456789012/{name}", queues.base_url());
    [
        ("APP_NAME", "Sample app"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("CLAIMS_TABLE", CLAIMS_TABLE.0),
        ("CLIENT_SECRET_ARN", client_secret_id),
        ("EVENT_BUS_NAME", EVENT_BUS),
        ("EVENTS_TABLE", EVENTS_TABLE.0),
        ("INSTALLATIONS_TABLE", INSTALLATIONS_TABLE.0),
        ("LINKS_TABLE", LINKS_TABLE.0),
        ("ONBOARDING_DEAD_LETTERS_URL", &queue_url("onboarding-dead-letters")),
        ("ONBOARDING_QUEUE_URL", &queue_url("onboarding")),
        ("ONBOARDING_TABLE", ONBOARDING_TABLE.0),
        ("NOTION_CLIENT_ID", client_id),
        ("NOTION_REDIRECT_URI", &format!("{url}/callback")),
        ("RESCUE_DEAD_LETTERS_URL", &queue_url("rescue-dead-letters")),
        ("RESCUE_QUEUE_URL", &queue_url("rescue")),
        ("RETURN_DESTINATIONS", &format!("app={url}/app/back")),
        // A person is waiting after pressing a button.
        ("SWEEP_PACE_MS", "0"),
        ("TOKEN_FUNCTION_NAME", "token"),
        ("TOKEN_KEY_RING_ARN", TOKEN_KEY_RING),
        ("WEBHOOK_DEAD_LETTERS_URL", &queue_url("webhook-dead-letters")),
        ("WEBHOOK_QUEUE_URL", &queue_url("webhook")),
        ("WEBHOOK_SECRET_ARN", WEBHOOK_SECRET),
        ("WEBHOOK_URL", &format!("{url}{SAMPLE_ENDPOINT}")),
        ("AWS_ENDPOINT_URL_DYNAMODB", &dynamodb.base_url()),
        ("AWS_ENDPOINT_URL_EVENTBRIDGE", &event_bus.base_url()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &secrets_manager.base_url()),
        ("AWS_ENDPOINT_URL_SQS", &queues.base_url()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}
