//! The switches as shown on the control page.

use serde_json::{Value, json};

use crate::settings::Settings;

/// A field of [`Settings`], with an explanation and the values to choose from, as JSON.
pub(crate) struct Switch {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Examples for numbers; every value for all others.
    pub(crate) choices: &'static [&'static str],
}

const BOOL: &[&str] = &["false", "true"];

const fn switch(name: &'static str, about: &'static str, choices: &'static [&'static str]) -> Switch {
    Switch { name, about, choices }
}

/// Every switch, in the order of [`Settings`].
pub(crate) const SWITCHES: &[Switch] = &[
    switch(
        "rotation",
        "Refresh tokens before the newest one",
        &[
            r#""strict""#,
            r#"{"grace":{"valid_refresh_tokens":2}}"#,
            r#""family_revocation""#,
            r#""grace_until_used""#,
        ],
    ),
    switch("access_token_survives_refresh", "The old access token works after a refresh", BOOL),
    switch(
        "old_pair_after_reauthorization",
        "The old pair after the same person authorizes again",
        &[r#""survives""#, r#""refresh_token_dies""#, r#""dies""#],
    ),
    switch("bot_id_survives_reauthorization", "bot_id stays the same when a person authorizes again", BOOL),
    switch("code_lifetime_secs", "Seconds that a code works", &["600", "0"]),
    switch("second_use_of_code", "Second use of a code", &[r#""refused""#, r#""revokes_grant""#]),
    switch("error_shape", "Shape of OAuth errors", &[r#""a""#, r#""b""#]),
    switch("require_notion_version", "OAuth endpoints need Notion-Version", BOOL),
    switch("accept_form_bodies", "OAuth endpoints accept form bodies", BOOL),
    switch(
        "revoke_reach",
        "What dies with a revoked access token",
        &[r#""access_token""#, r#""pair""#, r#""grant""#],
    ),
    switch("revoke_accepts_refresh_token", "Revoke accepts refresh tokens", BOOL),
    switch(
        "revoke_of_unknown_token",
        "Revoking an unknown token",
        &[r#""ok""#, r#""bad_request""#, r#""unauthorized""#],
    ),
    switch("revoke_answers_empty_body", "Revoke answers with an empty body", BOOL),
    switch("introspect_accepts_refresh_token", "Introspect knows refresh tokens", BOOL),
    switch("introspect_knows_tokens_of_others", "Introspect calls tokens of other connections active", BOOL),
    switch(
        "introspect_of_unknown_token",
        "Introspecting an unknown token",
        &[r#""inactive""#, r#""refused""#],
    ),
    switch("iat_unit", "Unit of iat", &[r#""milliseconds""#, r#""seconds""#]),
    switch("error_description_on_redirect", "error_description on the redirect", BOOL),
    switch("cancel_carries_state", "Cancel returns the state", BOOL),
    switch("cancel_sends_empty_state", "Cancel sends an empty state= when there was none", BOOL),
    switch("refresh_answers_null", "A refresh answers a null refresh token", BOOL),
    switch(
        "outside_installation_scope",
        "Workspace outside the installation scope",
        &[r#""error_page""#, r#""access_denied""#],
    ),
    switch("code_challenge_breaks_authorize", "code_challenge breaks the authorization request", BOOL),
    switch("old_secret_dies_at_once", "A new client secret invalidates the old one immediately", BOOL),
    switch(
        "access_token_lifetime_secs",
        "Seconds that an access token works; null: forever",
        &["null", "3600"],
    ),
    switch("sends_expires_in", "expires_in, if the lifetime of an access token is limited", BOOL),
    switch(
        "requests_per_minute",
        "Requests of a connection per minute; null: any number",
        &["null", "180", "600"],
    ),
    switch(
        "refresh_token_on_exchange",
        "Refresh token in the answer to an exchange",
        &[r#""by_connection_age""#, r#""issued""#, r#""null""#],
    ),
    switch(
        "owner",
        "Shape of owner",
        &[
            r#""by_capabilities""#,
            r#""full""#,
            r#""without_email""#,
            r#""partial""#,
            r#""without_name""#,
            r#""workspace""#,
            r#""legacy_user_without_type""#,
            r#""legacy_workspace_without_type""#,
        ],
    ),
    switch("email_verified", "email_verified; null leaves it out", &["true", "false", "null"]),
    switch(
        "workspace_icon",
        "workspace_icon",
        &[r#""as_configured""#, r#""emoji""#, r#""url""#, r#""null""#],
    ),
    switch("workspace_name_is_null", "workspace_name is null", BOOL),
    switch("request_id_in_token_response", "request_id in token responses", BOOL),
    switch("extra_fields", "Fields that no client knows", BOOL),
    switch("test_environment", "OAuth endpoints answer 403 test_env_error", BOOL),
    switch(
        "redirect_uri_may_be_omitted",
        "The authorization request may leave out a single redirect_uri",
        BOOL,
    ),
    switch("require_page", "Allow needs at least one page", BOOL),
    switch(
        "workspace_requests_per_minute",
        "Requests in a workspace per minute; null: any number",
        &["null", "180", "600"],
    ),
    switch(
        "rate_limit_counts",
        "What the requests of a connection are counted by",
        &[r#""connection""#, r#""connection_and_workspace""#],
    ),
    switch("search_lag_secs", "Seconds until search finds something new", &["0", "5"]),
    switch("template_lag_secs", "Seconds until the content of a template appears", &["0", "5"]),
    switch("async_task_secs", "Seconds that an asynchronous task takes", &["0", "5"]),
    switch(
        "block_limits",
        "Blocks that connections for selected workspaces may make, by workspace id",
        &["{}", r#"{"acae0000-0000-4000-8000-0000000000a1":100}"#],
    ),
    switch(
        "reinstall_sees_earlier_content",
        "A connection that was removed and installed again sees what it made before",
        BOOL,
    ),
    switch("urls", "Where the addresses of pages point to", &[r#""notion""#, r#""local""#]),
];

impl Settings {
    /// These settings as JSON, with some fields replaced.
    pub(crate) fn with(&self, changes: impl IntoIterator<Item = (String, Value)>) -> Value {
        let mut fields = json!(self);
        if let Value::Object(fields) = &mut fields {
            fields.extend(changes);
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_one_switch_and_every_choice_is_accepted() {
        let settings = Settings::default();
        let fields = serde_json::to_value(&settings).unwrap();
        let mut names: Vec<_> = SWITCHES.iter().map(|switch| switch.name).collect();
        names.sort_unstable();
        let mut fields: Vec<_> = fields.as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(names, fields);
        for switch in SWITCHES {
            for choice in switch.choices {
                let value = serde_json::from_str(choice).unwrap();
                let changed = settings.with([(switch.name.to_owned(), value)]);
                let changed = serde_json::from_value::<Settings>(changed);
                assert!(changed.is_ok(), "{} = {choice}: {changed:?}", switch.name);
            }
        }
    }

    #[test]
    fn the_documentation_names_every_switch_with_its_default() {
        let documentation = include_str!("../docs/switches.md");
        let defaults = serde_json::to_value(Settings::default()).unwrap();
        for switch in SWITCHES {
            let default = defaults[switch.name].to_string();
            let row = format!("| `{}` | `{}` |", switch.name, default.trim_matches('"'));
            assert!(documentation.contains(&row), "missing in docs/switches.md: {row}");
        }
    }
}
