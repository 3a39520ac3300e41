//! The Lambda function behind `GET /installations` and direct invocations.

use installations::Installations;
use shared::clock::SystemClock;
use shared::config::environment;
use shared::entry::backend;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    backend::run("installations", || Installations::read(&environment, SystemClock)).await
}
