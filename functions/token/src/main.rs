//! The Lambda function behind `POST /token` and direct invocations.

use shared::clock::SystemClock;
use shared::config::environment;
use shared::entry::backend;
use shared::random::OsRandom;
use token::Token;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    backend::run("token", || Token::read(&environment, SystemClock, OsRandom)).await
}
