//! The Lambda function that a schedule invokes.

use shared::clock::SystemClock;
use shared::config::environment;
use shared::entry::backend;
use shared::random::OsRandom;
use sweep::Sweep;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    backend::run("sweep", || Sweep::read(&environment, SystemClock, OsRandom)).await
}
