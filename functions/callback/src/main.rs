//! The Lambda function behind `GET /callback`.

use callback::Callback;
use shared::clock::SystemClock;
use shared::config::environment;
use shared::entry::browser;
use shared::random::OsRandom;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    browser::run("callback", || Callback::read(&environment, SystemClock, OsRandom)).await
}
