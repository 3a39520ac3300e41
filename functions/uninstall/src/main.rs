//! The Lambda function that uninstalls.

use shared::clock::SystemClock;
use shared::config::environment;
use shared::entry::backend;
use shared::random::OsRandom;
use uninstall::Uninstall;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    backend::run("uninstall", || Uninstall::read(&environment, SystemClock, OsRandom)).await
}
