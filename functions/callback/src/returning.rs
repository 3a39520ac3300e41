//! Back to the app that asked for the install: the authorization response that we send it (RFC 6749 §4.1.2, RFC 9207).

use shared::app_request::AppRequest;
use shared::flow::Flow;
use shared::pages::Notice;
use shared::return_destination::with_parameters;
use vault::code::code_of;
use vault::store::Led;

use crate::Callback;
use crate::outcome::Answer;

impl Callback {
    /// Whether a flow can end where its app wants it to: the destination may have been removed since it began.
    pub(crate) fn can_return(&self, flow: &Flow) -> bool {
        flow.app.as_ref().is_none_or(|app| self.destinations.url(&app.return_to).is_some())
    }

    /// The answer once a flow led to an installation: to the app with a code, otherwise to the flow's page.
    pub(crate) fn connected(&self, flow: &Flow, led: &Led) -> Answer {
        let (Some(app), Some(sealed_key)) = (&flow.app, &led.installation) else {
            return Answer::Flow(flow.id());
        };
        let code = code_of(flow, sealed_key);
        self.to_app(app, &[("code", code.expose())], "returned").unwrap_or_else(|| Answer::Flow(flow.id()))
    }

    /// The answer once a flow ended in another way: to the app with an error, otherwise as `in_plain_mode`.
    pub(crate) fn ended(&self, flow: &Flow, notice: Notice, in_plain_mode: Answer) -> Answer {
        let (Some(app), Some(error)) = (&flow.app, error_of(notice)) else { return in_plain_mode };
        let parameters = [("error", error), ("error_description", notice.key())];
        self.to_app(app, &parameters, notice.key()).unwrap_or(in_plain_mode)
    }

    fn to_app(&self, app: &AppRequest, parameters: &[(&str, &str)], key: &'static str) -> Option<Answer> {
        let destination = self.destinations.url(&app.return_to)?;
        let install_url = self.vault.connection.install_url();
        let mut parameters = parameters.to_vec();
        if let Some(state) = &app.state {
            parameters.push(("state", state));
        }
        parameters.push(("iss", origin_of(&install_url)));
        Some(Answer::ToApp { location: with_parameters(destination, &parameters), key })
    }
}

/// The issuer: the origin of the install URL.
fn origin_of(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find('/').map_or(url.len(), |at| authority + at);
    &url[..end]
}

/// The error code of RFC 6749 §4.1.2.1 for an outcome. `None` if the flow is not over yet.
fn error_of(notice: Notice) -> Option<&'static str> {
    Some(match notice {
        Notice::Refused | Notice::NotAllowed | Notice::RemovedMeanwhile => "access_denied",
        Notice::Misconfigured | Notice::Internal => "server_error",
        Notice::OutcomeUnknown
        | Notice::Expired
        | Notice::CodeRejected
        | Notice::Unavailable
        | Notice::Rescued
        | Notice::NotSaved => "temporarily_unavailable",
        Notice::InProgress
        | Notice::Malformed
        | Notice::StateRejected
        | Notice::StatusUnavailable
        | Notice::NotAVisit
        | Notice::MethodNotAllowed => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_is_an_origin() {
        for (url, origin) in [
            ("https://connect.example.com/install", "https://connect.example.com"),
            ("https://a.example/prod/install", "https://a.example"),
            ("http://localhost:3000/install", "http://localhost:3000"),
        ] {
            assert_eq!(origin_of(url), origin);
        }
    }
}
