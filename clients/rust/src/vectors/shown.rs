//! What came, in the words of the vectors.

use std::error::Error;
use std::fmt::Debug;

use serde_json::{Value, json};

use crate::error::{InstallationsError, TokenError};
use crate::event::{Event, EventData};
use crate::installation::Installation;
use crate::invoke::NotAnswered;
use crate::onboarding::{Onboarding, Resource};
use crate::token::Token;
use crate::webhook::InvalidWebhook;

/// The tokens, codes and verifiers of the vectors begin like this.
const SECRETS: [&str; 3] = ["ntn_", "nic_", "dBjftJeZ4CVP"];

/// What a program may print shows no secret.
fn assert_discreet(shown: impl Debug) {
    let shown = format!("{shown:?}");
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{shown}");
    }
}

fn assert_error_is_discreet(error: &dyn Error) {
    let mut said = Some(error);
    while let Some(error) = said {
        assert_discreet((error, error.to_string()));
        said = error.source();
    }
}

pub(super) fn outcome(outcome: Result<Value, &InstallationsError>) -> Value {
    match outcome {
        Ok(result) => json!({"result": result}),
        Err(error) => json!({"error": installations_error(error)}),
    }
}

pub(super) fn token_outcome(outcome: &Result<Token, TokenError>) -> Value {
    assert_discreet(outcome);
    match outcome {
        Ok(token) => json!({"result": {
            "access_token": token.access_token(),
            "fingerprint": token.fingerprint(),
            "version": token.version(),
            "generation": token.generation(),
            "expires_at": token.expires_at(),
        }}),
        Err(error) => json!({"error": token_error(error)}),
    }
}

pub(super) fn token_error(error: &TokenError) -> Value {
    use TokenError as Error;
    assert_error_is_discreet(error);
    match error {
        Error::NotInstalled { install_url } => json!({"name": "NotInstalled", "install_url": install_url}),
        Error::NeedsReinstall { install_url } => {
            json!({"name": "NeedsReinstall", "install_url": install_url})
        }
        Error::Removed { install_url } => json!({"name": "Removed", "install_url": install_url}),
        Error::Unclaimed => json!({"name": "Unclaimed"}),
        Error::Ambiguous(several) => ambiguous(several),
        Error::RefusedButAlive { message } => json!({"name": "RefusedButAlive", "message": message}),
        Error::TryLater { retry_after, reason } => {
            json!({"name": "TryLater", "retry_after_secs": retry_after.as_secs(), "reason": reason})
        }
        Error::InvalidRequest(message) => json!({"name": "InvalidRequest", "message": message}),
        Error::Misconfigured => json!({"name": "Misconfigured"}),
        Error::NotAnswered(error) => not_answered(error),
    }
}

fn installations_error(error: &InstallationsError) -> Value {
    use InstallationsError as Error;
    assert_error_is_discreet(error);
    match error {
        Error::InvalidGrant => json!({"name": "InvalidGrant"}),
        Error::DifferentAccount { expected, actual } => json!({
            "name": "DifferentAccount",
            "expected": expected.as_deref().map(installation),
            "actual": installation(actual),
        }),
        Error::NotConnected { error, reason } => {
            json!({"name": "NotConnected", "error": error, "reason": reason})
        }
        Error::TooManySubjects => json!({"name": "TooManySubjects"}),
        Error::NeedsReinstall { install_url } => {
            json!({"name": "NeedsReinstall", "install_url": install_url})
        }
        Error::Removed { install_url } => json!({"name": "Removed", "install_url": install_url}),
        Error::NotInstalled => json!({"name": "NotInstalled", "install_url": null}),
        Error::Ambiguous(several) => ambiguous(several),
        Error::OtherGeneration { generation } => json!({"name": "OtherGeneration", "generation": generation}),
        Error::TryLater { retry_after, reason } => {
            json!({"name": "TryLater", "retry_after_secs": retry_after.as_secs(), "reason": reason})
        }
        Error::InvalidRequest(message) => json!({"name": "InvalidRequest", "message": message}),
        Error::Misconfigured => json!({"name": "Misconfigured"}),
        Error::NotAnswered(error) => not_answered(error),
    }
}

fn not_answered(error: &NotAnswered) -> Value {
    match error {
        NotAnswered::NotReached(_) => json!({"name": "NotReached"}),
        NotAnswered::FunctionFailed { request_id } => {
            json!({"name": "FunctionFailed", "request_id": request_id})
        }
        NotAnswered::Unreadable => json!({"name": "Unreadable"}),
    }
}

fn ambiguous(several: &[Installation]) -> Value {
    let several: Vec<Value> = several.iter().map(installation).collect();
    json!({"name": "Ambiguous", "installations": several})
}

pub(super) fn installation(installation: &Installation) -> Value {
    json!({
        "installation": installation.id,
        "workspace_id": installation.workspace_id,
        "workspace_name": installation.workspace_name,
        "workspace_icon": installation.workspace_icon,
        "user_id": installation.user_id,
        "user_name": installation.user_name,
        "user_email": installation.user_email,
        "user_email_verified": installation.user_email_verified,
        "user_avatar_url": installation.user_avatar_url,
        "bot_id": installation.bot_id,
        "duplicated_template_id": installation.duplicated_template_id,
        "generation": installation.generation,
        "health": installation.health,
        "installed_at": installation.installed_at,
        "subjects": installation.subjects,
        "version": installation.version,
        "onboarding": installation.onboarding.as_ref().map(onboarding),
    })
}

fn onboarding(onboarding: &Onboarding) -> Value {
    json!({
        "status": onboarding.status,
        "recipe": onboarding.recipe,
        "recipe_version": onboarding.recipe_version,
        "landing_url": onboarding.landing_url,
        "resources": onboarding.resources.iter().map(resource).collect::<Vec<_>>(),
        "step": onboarding.step,
        "reason": onboarding.reason,
        "capability": onboarding.capability,
    })
}

fn resource(resource: &Resource) -> Value {
    json!({
        "resource_id": resource.resource_id,
        "type": resource.kind,
        "state": resource.state,
        "id": resource.id,
        "url": resource.url,
        "why": resource.why,
    })
}

pub(super) fn event(event: &Event) -> Value {
    let (kind, data) = match &event.data {
        EventData::Installation(data) => (
            "installation",
            json!({
                "installation": data.installation,
                "workspace_id": data.workspace_id,
                "user_id": data.user_id,
                "bot_id": data.bot_id,
                "generation": data.generation,
                "version": data.version,
                "health": data.health,
                "previous_health": data.previous_health,
                "subjects": data.subjects,
                "subject": data.subject,
                "duplicated_template_id": data.duplicated_template_id,
                "workspace_name": data.workspace_name,
                "user_name": data.user_name,
                "user_email": data.user_email,
            }),
        ),
        EventData::Forgotten(data) => (
            "forgotten",
            json!({
                "installation_hash": data.installation_hash,
                "generation": data.generation,
                "version": data.version,
            }),
        ),
        EventData::Install(data) => ("install", json!({"flow": data.flow, "reason": data.reason})),
        EventData::Onboarding(data) => {
            let mut shown = onboarding(&data.onboarding);
            shown["installation"] = data.installation.as_str().into();
            shown["workspace_id"] = data.workspace_id.as_str().into();
            shown["user_id"] = data.user_id.as_deref().into();
            shown["generation"] = data.generation.into();
            shown["onboarding_version"] = data.onboarding_version.into();
            ("onboarding", shown)
        }
        EventData::Unknown(data) => ("unknown", data.clone()),
    };
    json!({
        "kind": kind,
        "id": event.id,
        "type": event.event_type,
        "timestamp": event.timestamp,
        "data": data,
    })
}

pub(super) fn reason(error: InvalidWebhook) -> &'static str {
    match error {
        InvalidWebhook::MissingHeader(_) => "missing_header",
        InvalidWebhook::InvalidTimestamp => "invalid_timestamp",
        InvalidWebhook::TooOld => "too_old",
        InvalidWebhook::TooNew => "too_new",
        InvalidWebhook::BadSignature => "bad_signature",
        InvalidWebhook::NotAnEvent => "not_an_event",
    }
}
