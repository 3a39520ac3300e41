//! Where people go back to after an install: the app's own pages.

use reqwest::header::LOCATION;
use shared::return_destination::{ReturnDestinations, with_parameters};
use url::Url;

use super::address::{chain, get};
use crate::aws::Aws;
use crate::report::Report;
use crate::stack::Stack;

const STEP: &str = "return destinations";

/// Each destination answers, and does not redirect to another site. Opened as after a Cancel, which changes nothing.
pub(super) async fn destinations(aws: &Aws, stack: &Stack, report: &mut Report) {
    let Some(destinations) = read(stack, report) else { return };
    for (key, url) in destinations.iter() {
        let opened = with_parameters(
            url,
            &[("error", "access_denied"), ("error_description", "refused"), ("state", "of-the-doctor")],
        );
        match open(aws, url, &opened, report).await {
            Some(status) if status < 500 => report.ok(STEP, format!("{key}: {url} answers {status}")),
            Some(status) => {
                let cure = "look at your app's log: people come back here after an install";
                report.problem(STEP, format!("{key}: {url} answers {status}"), cure);
            }
            None => {}
        }
    }
}

/// Walks the way back with a code that nobody issued: the app has to refuse it.
pub(super) async fn refuses_a_made_up_code(aws: &Aws, stack: &Stack, key: &str, report: &mut Report) {
    const STEP: &str = "return page";
    let Some(destinations) = read(stack, report) else { return };
    let Some(url) = destinations.url(key) else {
        let known: Vec<&str> = destinations.iter().map(|(key, _)| key).collect();
        let found = format!("{key} is not a return destination; there are: {}", known.join(", "));
        return report.problem(STEP, found, aws.commands.deploy());
    };
    let issuer = stack.output("InstallUrl").and_then(|url| url.strip_suffix("/install")).unwrap_or_default();
    let made_up = [("code", "a-code-that-nobody-issued"), ("state", "of-nobodys-session"), ("iss", issuer)];
    match open(aws, url, &with_parameters(url, &made_up), report).await {
        Some(status) if (400..500).contains(&status) => {
            report.ok(STEP, format!("{url} refuses a code that nobody issued ({status})"));
        }
        Some(status) if (300..400).contains(&status) => {
            let found = format!("{url} redirects a code that nobody issued ({status})");
            report.warning(
                STEP,
                found,
                "fine if that page asks for a login or says that nothing was connected",
            );
        }
        Some(status) => {
            let found = format!("{url} answers {status} to a code that nobody issued");
            let cure = "the page must compare `state` with the user's session before it claims, and refuse with 400: \
                        docs/backend.md";
            report.problem(STEP, found, cure);
        }
        None => {}
    }
}

fn read(stack: &Stack, report: &mut Report) -> Option<ReturnDestinations> {
    let parameter = stack.parameter("ReturnDestinations")?;
    match ReturnDestinations::read(&|_: &str| Some(parameter.to_owned())) {
        Ok(destinations) => Some(destinations),
        Err(error) => {
            report.problem(STEP, error.to_string(), "correct the parameter ReturnDestinations, and deploy");
            None
        }
    }
}

/// The status of the page. `None` if it cannot be reached or leads elsewhere, which is reported.
async fn open(aws: &Aws, url: &str, opened: &str, report: &mut Report) -> Option<u16> {
    let answer = match get(aws, opened).await {
        Ok(answer) => answer,
        Err(error) => {
            let found = format!("{url} cannot be reached: {}", chain(&error.without_url()));
            report.problem(STEP, found, "people who come back from Notion end here: is your app running?");
            return None;
        }
    };
    let target = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let target = target.and_then(|target| Url::parse(url).ok()?.join(target).ok());
    let is_elsewhere = |target: &Url| Url::parse(url).is_ok_and(|url| url.origin() != target.origin());
    if let Some(target) = target.filter(|_| answer.status().is_redirection()).filter(is_elsewhere) {
        let found = format!("{url} redirects to {}", target.origin().ascii_serialization());
        report.warning(
            STEP,
            found,
            "name the final address in ReturnDestinations: a code must not travel further",
        );
        return None;
    }
    Some(answer.status().as_u16())
}
