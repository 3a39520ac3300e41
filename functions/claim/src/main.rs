//! The Lambda function behind `POST /claim` and direct invocations.

use claim::ClaimInstallation;
use shared::clock::SystemClock;
use shared::config::environment;
use shared::entry::backend;
use shared::random::OsRandom;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    backend::run("claim", || ClaimInstallation::read(&environment, SystemClock, OsRandom)).await
}
