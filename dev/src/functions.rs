//! The functions as they run here: the same handlers as on Lambda, each with its own environment.

use std::collections::HashMap;
use std::sync::Arc;

use callback::Callback;
use claim::ClaimInstallation;
use feed::Feed;
use install::Install;
use installations::Installations;
use lambda_http::Context;
use onboard::Onboard;
use publish::Publish;
use recipe::Recipe;
use serde_json::value::RawValue;
use shared::clock::Clock;
use shared::entry::backend::{self, AnswersInJson as _};
use shared::entry::batch::{self, TakesBatches as _};
use shared::entry::browser::{self, AlwaysAnswers as _};
use shared::random::Random;
use sweep::Sweep;
use token::Token;
use uninstall::Uninstall;
use vault::SetUpError;
use webhook::Webhook;

/// The functions.
pub struct Functions {
    /// `GET /install`.
    pub install: Install,
    /// `GET /callback`.
    pub callback: Callback,
    /// `POST /claim`, and direct invocations.
    pub claim: ClaimInstallation,
    /// `GET /installations`, and direct invocations.
    pub installations: Installations,
    /// `POST /token`, and direct invocations.
    pub token: Token,
    /// Direct invocations.
    pub uninstall: Uninstall,
    /// Invoked by the schedule.
    pub sweep: Sweep,
    /// Invoked by the tables' streams.
    pub publish: Publish,
    /// `GET /events`, and direct invocations.
    pub feed: Feed,
    /// Invoked by the queue of webhooks, if there is an endpoint.
    pub webhook: Option<Webhook>,
    /// Invoked by the queue of onboardings, if there is a recipe.
    pub onboard: Option<Onboard>,
}

/// Their names.
pub const NAMES: [&str; 11] = [
    "install",
    "callback",
    "claim",
    "installations",
    "token",
    "uninstall",
    "sweep",
    "publish",
    "feed",
    "webhook",
    "onboard",
];

/// The functions that know the table of ledgers whether there is a recipe or not: they forget people.
const FORGET: [&str; 2] = ["uninstall", "sweep"];

impl Functions {
    /// Sets up the functions with `variables`, and with the recipe that `onboard` carries.
    ///
    /// # Errors
    ///
    /// [`SetUpError`].
    pub fn read(
        variables: &HashMap<String, String>,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
        recipe: Option<&Recipe>,
    ) -> Result<Self, SetUpError> {
        // Each function signs with its own name, just as each has its own role at AWS.
        let of = |function: &'static str| {
            move |name: &str| match name {
                "AWS_ACCESS_KEY_ID" => Some(function.to_owned()),
                "ONBOARDING_TABLE" if recipe.is_none() && !FORGET.contains(&function) => None,
                name => variables.get(name).cloned(),
            }
        };
        let (clock, random) = (|| Arc::clone(clock), || Arc::clone(random));
        Ok(Self {
            install: Install::read(&of("install"), clock(), random())?,
            callback: Callback::read(&of("callback"), clock(), random())?,
            claim: ClaimInstallation::read(&of("claim"), clock(), random())?,
            installations: Installations::read(&of("installations"), clock())?,
            token: Token::read(&of("token"), clock(), random())?,
            uninstall: Uninstall::read(&of("uninstall"), clock(), random())?,
            sweep: Sweep::read(&of("sweep"), clock(), random())?,
            publish: Publish::read(&of("publish"), clock(), random())?,
            feed: Feed::read(&of("feed"), clock())?,
            webhook: variables
                .contains_key("WEBHOOK_URL")
                .then(|| Webhook::read(&of("webhook"), clock(), random()))
                .transpose()?,
            onboard: recipe
                .map(|recipe| Onboard::read(&of("onboard"), recipe.clone(), clock(), random()))
                .transpose()?,
        })
    }

    /// Does what the functions do during INIT.
    pub async fn warm_up(&self) {
        tokio::join!(
            self.callback.warm_up(),
            self.claim.warm_up(),
            self.installations.warm_up(),
            self.token.warm_up(),
            self.uninstall.warm_up(),
            self.publish.warm_up(),
            self.feed.warm_up(),
        );
        if let Some(webhook) = &self.webhook {
            webhook.warm_up().await;
        }
        if let Some(onboard) = &self.onboard {
            onboard.warm_up().await;
        }
    }

    /// Invokes a function by name; `None` if it does not exist.
    pub async fn invoke(&self, name: &str, event: &RawValue, context: Context) -> Option<Box<RawValue>> {
        Some(match name {
            "install" => browser::answer(&self.install, event, context).await,
            "callback" => browser::answer(&self.callback, event, context).await,
            "claim" => backend::answer(&self.claim, event, context).await,
            "installations" => backend::answer(&self.installations, event, context).await,
            "token" => backend::answer(&self.token, event, context).await,
            "uninstall" => backend::answer(&self.uninstall, event, context).await,
            "sweep" => backend::answer(&self.sweep, event, context).await,
            "publish" => batch::answer(&self.publish, event, context).await,
            "feed" => backend::answer(&self.feed, event, context).await,
            "webhook" => batch::answer(self.webhook.as_ref()?, event, context).await,
            "onboard" => batch::answer(self.onboard.as_ref()?, event, context).await,
            _ => return None,
        })
    }
}
