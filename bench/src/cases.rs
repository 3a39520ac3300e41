//! What is measured: a function, and the event that it is given each time.

use serde_json::{Value, json};

use crate::Error;
use crate::world::{World, backend, browser, onboarding, subject_of, webhook};

/// One row of the table.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The binary.
    pub(crate) function: &'static str,
    pub(crate) event: Event,
    /// How many warm calls show whether memory grows. Where each needs an approval of its own, fewer.
    pub(crate) many: usize,
}

/// What a function is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// Somebody opens the link to install.
    Install,
    /// Another person each time comes back from Notion, and has never installed before.
    Callback,
    /// An app claims another person's installation each time.
    Claim,
    /// An app asks what one of its users has connected.
    List,
    /// A backend asks for a token that is alive.
    Vend,
    /// An app asks for the token of one of its users.
    VendBySubject,
    /// A backend removes another person's installation each time.
    Uninstall,
    /// The schedule: nothing has to be done.
    Sweep,
    /// Another person has installed each time, and their row's change arrives.
    Publish,
    /// A backend asks what was published.
    Feed,
    /// Another event each time is sent to the app's endpoint.
    Webhook,
    /// A person's workspace is prepared by the first call. After that there is nothing to do, as after most reinstalls.
    Prepared,
    /// Another person's workspace each time is prepared with the whole recipe.
    Prepare,
}

pub(crate) const CASES: [Case; 14] = [
    Case { name: "floor", function: "floor", event: Event::Install, many: 2000 },
    Case { name: "install", function: "install", event: Event::Install, many: 2000 },
    Case { name: "callback", function: "callback", event: Event::Callback, many: 1000 },
    Case { name: "claim", function: "claim", event: Event::Claim, many: 400 },
    Case { name: "installations", function: "installations", event: Event::List, many: 2000 },
    Case { name: "token", function: "token", event: Event::Vend, many: 2000 },
    Case { name: "token by subject", function: "token", event: Event::VendBySubject, many: 2000 },
    Case { name: "uninstall", function: "uninstall", event: Event::Uninstall, many: 400 },
    Case { name: "sweep", function: "sweep", event: Event::Sweep, many: 200 },
    Case { name: "publish", function: "publish", event: Event::Publish, many: 400 },
    Case { name: "feed", function: "feed", event: Event::Feed, many: 2000 },
    Case { name: "webhook", function: "webhook", event: Event::Webhook, many: 1000 },
    Case { name: "onboard", function: "onboard", event: Event::Prepared, many: 1000 },
    Case { name: "onboard a workspace", function: "onboard", event: Event::Prepare, many: 200 },
];

impl Event {
    /// Does what has to have happened before the function is invoked `calls` times.
    pub(crate) async fn prepare(self, world: &World, calls: usize) -> Result<(), Error> {
        let installed = match self {
            Self::Install | Self::Callback | Self::Claim | Self::Sweep | Self::Webhook => 0,
            Self::Feed => {
                world.install(0).await?;
                world.stack.publish_changes().await?;
                return Ok(());
            }
            Self::List | Self::VendBySubject => {
                let claim = world.claim(0).await?;
                let claimed = world.stack.ask("claim", &claim).await;
                return if claimed["error"].is_null() { Ok(()) } else { Err("the claim was refused".into()) };
            }
            Self::Vend | Self::Prepared => 1,
            Self::Uninstall | Self::Publish | Self::Prepare => calls,
        };
        for number in 0..installed {
            world.install(number).await?;
        }
        Ok(())
    }

    /// The event of the call with this number.
    pub(crate) async fn of(self, world: &World, number: usize) -> Result<Value, Error> {
        Ok(match self {
            Self::Install => browser("/install", "", &[]),
            Self::Callback => world.callback(number).await?,
            Self::Claim => world.claim(number).await?,
            Self::List | Self::VendBySubject => json!({"subject": subject_of(0), "caller": "bench"}),
            Self::Vend => backend(0),
            Self::Uninstall => backend(number),
            Self::Sweep => json!({"caller": "the schedule"}),
            Self::Publish => world.change(number).await?,
            Self::Feed => json!({"caller": "bench"}),
            Self::Webhook => webhook(number),
            Self::Prepared => {
                world.must_have_prepared(number.min(1))?;
                onboarding(0)
            }
            Self::Prepare => {
                world.must_have_prepared(number)?;
                world.take_turns_back().await?;
                onboarding(number)
            }
        })
    }

    /// Whether an answer is what the event is for: what fails early would be cheap.
    pub(crate) fn is_answered_by(self, answer: &Value) -> bool {
        let location = answer["headers"]["location"].as_str().unwrap_or_default();
        match self {
            Self::Install => location.contains("/v1/oauth/authorize") || answer["body"] == "hello",
            Self::Callback => location.starts_with("?flow="),
            Self::Claim => answer["subjects"].as_array().is_some_and(|subjects| subjects.len() == 1),
            Self::List => answer["installations"][0]["health"] == "active",
            Self::Vend | Self::VendBySubject => {
                answer["health"] == "active" && answer["access_token"].is_string()
            }
            Self::Uninstall => answer["removed"] == true && answer["revoked"] == true,
            Self::Sweep => answer["complete"] == true,
            Self::Publish | Self::Webhook | Self::Prepared | Self::Prepare => {
                answer["batchItemFailures"] == json!([])
            }
            Self::Feed => answer["events"][0]["type"] == "installation.installed",
        }
    }
}
