//! The token response as Notion sends it (§1.5 of the reference): read leniently, believed strictly.
//!
//! Unknown fields are ignored, an optional field of an odd type counts as absent. What we cannot do without
//! (token, type, workspace, owner) has to be there, or the grant goes back.

use serde_json::Value;

use super::error::{NotionAnswer, TokenError, identifier};
use crate::installation::{Grant, Owner, Renewed};
use crate::secret::{AccessToken, RefreshToken};

/// Reads a successful answer.
pub(super) fn grant(answer: &NotionAnswer, body: &[u8]) -> Result<Grant, TokenError> {
    let unknown = || TokenError::OutcomeUnknown(Some(answer.clone()));
    let json: Value = serde_json::from_slice(body).map_err(|_| unknown())?;
    let access_token = text(&json, "/access_token").and_then(|token| AccessToken::parse(token).ok());
    let access_token = access_token.ok_or_else(unknown)?;
    match read(&json, access_token.clone(), answer) {
        Ok(grant) => Ok(grant),
        Err(field) => Err(TokenError::Unusable { field, access_token, answer: answer.clone() }),
    }
}

/// Reads a successful answer to a refresh. Workspace and owner are known: where Notion names them, they must be the ones
/// that the grant was for, and nothing else is asked of the answer but a token.
pub(super) fn renewed(answer: &NotionAnswer, body: &[u8]) -> Result<Renewed, TokenError> {
    let unknown = || TokenError::OutcomeUnknown(Some(answer.clone()));
    let json: Value = serde_json::from_slice(body).map_err(|_| unknown())?;
    let access_token = text(&json, "/access_token").and_then(|token| AccessToken::parse(token).ok());
    Ok(Renewed {
        access_token: access_token.ok_or_else(unknown)?,
        refresh_token: text(&json, "/refresh_token").and_then(|token| RefreshToken::parse(token).ok()),
        bot_id: id(&json, "/bot_id"),
        workspace_id: id(&json, "/workspace_id"),
        user_id: id(&json, "/owner/user/id"),
        answer: answer.clone(),
    })
}

/// Reads a successful introspection (RFC 7662 §2.2); without a plain `active` nothing is known.
pub(super) fn is_active(answer: &NotionAnswer, body: &[u8]) -> Result<bool, TokenError> {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let active = json.as_ref().and_then(|json| json.get("active")).and_then(Value::as_bool);
    active.ok_or_else(|| TokenError::OutcomeUnknown(Some(answer.clone())))
}

fn read(json: &Value, access_token: AccessToken, answer: &NotionAnswer) -> Result<Grant, &'static str> {
    let is_bearer = |kind: &str| kind.eq_ignore_ascii_case("bearer");
    if !text(json, "/token_type").is_some_and(|kind| is_bearer(&kind)) {
        return Err("token_type");
    }
    Ok(Grant {
        access_token,
        refresh_token: text(json, "/refresh_token").and_then(|token| RefreshToken::parse(token).ok()),
        bot_id: id(json, "/bot_id").ok_or("bot_id")?,
        workspace_id: id(json, "/workspace_id").ok_or("workspace_id")?,
        workspace_name: text(json, "/workspace_name"),
        workspace_icon: text(json, "/workspace_icon"),
        owner: owner(json).ok_or("owner")?,
        duplicated_template_id: text(json, "/duplicated_template_id"),
        request_id: answer
            .request_id
            .clone()
            .or_else(|| text(json, "/request_id").as_deref().and_then(identifier)),
    })
}

/// A full user, a partial one, or the workspace; older answers leave `type` out.
fn owner(json: &Value) -> Option<Owner> {
    if let Some(user_id) = id(json, "/owner/user/id") {
        return Some(Owner::User {
            user_id,
            name: text(json, "/owner/user/name"),
            email: text(json, "/owner/user/person/email"),
            email_verified: json.pointer("/owner/user/person/email_verified").and_then(Value::as_bool),
            avatar_url: text(json, "/owner/user/avatar_url"),
        });
    }
    (json.pointer("/owner/workspace") == Some(&Value::Bool(true))).then_some(Owner::Workspace)
}

fn text(json: &Value, pointer: &str) -> Option<String> {
    json.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// An id becomes part of a key: nothing in it may look like a separator.
fn id(json: &Value, pointer: &str) -> Option<String> {
    json.pointer(pointer).and_then(Value::as_str).and_then(identifier)
}
