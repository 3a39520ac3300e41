//! The Lambda function behind `GET /install`.

use install::Install;
use shared::clock::SystemClock;
use shared::config::environment;
use shared::entry::browser;
use shared::random::OsRandom;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    browser::run("install", || Install::read(&environment, SystemClock, OsRandom)).await
}
