//! The Lambda function that the queue of onboardings invokes.

use onboard::{Onboard, compiled};
use shared::clock::SystemClock;
use shared::config::environment;
use shared::entry::batch;
use shared::random::OsRandom;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    batch::run("onboard", || {
        let recipe = compiled(&environment)?;
        Onboard::read(&environment, recipe, SystemClock, OsRandom)
    })
    .await
}
