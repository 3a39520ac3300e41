//! The Lambda function behind `GET /install`.

use install::Install;
use shared::clock::SystemClock;
use shared::config::{Branding, environment};
use shared::entry::{self, Misconfigured};
use shared::pages::Pages;
use shared::random::OsRandom;
use shared::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(&environment);
    match Install::read(&environment, SystemClock, OsRandom) {
        Ok(install) => entry::serve(&install).await,
        Err(error) => {
            tracing::error!(
                alarm = "misconfigured",
                error = &error as &dyn std::error::Error,
                "cannot start"
            );
            let pages = Pages::new(Branding::default());
            entry::serve(&Misconfigured { function: "install", pages, clock: SystemClock }).await
        }
    }
}
