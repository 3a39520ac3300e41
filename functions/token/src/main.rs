//! The Lambda function behind `POST /token` and direct invocations.

use shared::clock::SystemClock;
use shared::config::environment;
use shared::direct;
use shared::random::OsRandom;
use token::Token;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    direct::run("token", || Token::read(&environment, SystemClock, OsRandom)).await
}
