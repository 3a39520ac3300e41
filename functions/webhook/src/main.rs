//! The Lambda function that the queue of webhooks invokes.

use shared::clock::SystemClock;
use shared::config::environment;
use shared::entry::batch;
use shared::random::OsRandom;
use webhook::Webhook;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    batch::run("webhook", || Webhook::read(&environment, SystemClock, OsRandom)).await
}
