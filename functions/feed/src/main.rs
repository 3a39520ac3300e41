//! The Lambda function behind `GET /events`.

use feed::Feed;
use shared::clock::SystemClock;
use shared::config::environment;
use shared::entry::backend;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    backend::run("feed", || Feed::read(&environment, SystemClock)).await
}
