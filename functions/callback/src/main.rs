//! The Lambda function behind `GET /callback`.

use callback::Callback;
use shared::clock::SystemClock;
use shared::config::{Branding, environment};
use shared::entry::{self, Misconfigured};
use shared::pages::Pages;
use shared::random::OsRandom;
use shared::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(&environment);
    match Callback::read(&environment, SystemClock, OsRandom) {
        Ok(callback) => {
            callback.warm_up().await;
            entry::serve(&callback).await
        }
        Err(error) => {
            tracing::error!(
                alarm = "misconfigured",
                error = &error as &dyn std::error::Error,
                "cannot start"
            );
            let pages = Pages::new(Branding::default());
            entry::serve(&Misconfigured { function: "callback", pages, clock: SystemClock }).await
        }
    }
}
