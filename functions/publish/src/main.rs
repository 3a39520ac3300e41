//! The Lambda function that the tables' streams invoke.

use publish::Publish;
use shared::clock::SystemClock;
use shared::config::environment;
use shared::entry::batch;
use shared::random::OsRandom;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    batch::run("publish", || Publish::read(&environment, SystemClock, OsRandom)).await
}
