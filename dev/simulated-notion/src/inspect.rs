//! The rules of introspect, revoke and `GET /v1/users/me`.
//!
//! Sources: Notion's introspect and revoke references; RFC 7662 and RFC 7009 where those say nothing.

use crate::connection::{Connection, UserInformation};
use crate::error::NotionError;
use crate::notion::Notion;
use crate::request::Body;
use crate::settings::{IatUnit, RevokeReach, UnknownIntrospection, UnknownRevocation};

/// An introspection answer (RFC 7662 §2.2), without its `request_id`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Introspection {
    pub(crate) active: bool,
    pub(crate) scope: Option<String>,
    /// In the unit of [`Settings::iat_unit`](crate::Settings).
    pub(crate) iat: Option<u64>,
}

impl Notion {
    /// Answers an introspection request. Another connection's token is unknown, unless the settings say otherwise.
    ///
    /// # Errors
    ///
    /// `invalid_request` if the token is missing, or if it is unknown and the settings ask for this error.
    pub(crate) fn introspect(
        &self,
        connection: &Connection,
        body: &Body,
    ) -> Result<Introspection, NotionError> {
        let token = body.text("token")?.ok_or_else(|| NotionError::undefined("token"))?;
        let refresh = || self.refresh_token(token).filter(|_| self.settings.introspect_accepts_refresh_token);
        let knows = |found: &(usize, usize)| {
            self.settings.introspect_knows_tokens_of_others || self.is_of(connection, *found)
        };
        let found = self.access_token(token).or_else(refresh).filter(knows);
        match (found, self.settings.introspect_of_unknown_token) {
            (Some((grant, pair)), _) => {
                let issued_at_ms = self.memory.grants[grant].pairs[pair].issued_at_ms;
                let iat = match self.settings.iat_unit {
                    IatUnit::Milliseconds => issued_at_ms,
                    IatUnit::Seconds => issued_at_ms / 1000,
                };
                Ok(Introspection {
                    active: true,
                    scope: Some(connection.capabilities.scope()),
                    iat: Some(iat),
                })
            }
            (None, UnknownIntrospection::Inactive) => {
                Ok(Introspection { active: false, scope: None, iat: None })
            }
            (None, UnknownIntrospection::Refused) => Err(NotionError::invalid_request("Invalid token.")), // invented
        }
    }

    /// Answers a revocation request. Another connection's token is unknown.
    ///
    /// # Errors
    ///
    /// `invalid_request` if the token is missing; the error in the settings if it is unknown.
    pub(crate) fn revoke(&mut self, connection: &Connection, body: &Body) -> Result<(), NotionError> {
        let token = body.text("token")?.ok_or_else(|| NotionError::undefined("token"))?;
        let refresh = || self.refresh_token(token).filter(|_| self.settings.revoke_accepts_refresh_token);
        let found = self.access_token(token).or_else(refresh).filter(|found| self.is_of(connection, *found));
        let Some((grant, pair_at)) = found else {
            return match self.settings.revoke_of_unknown_token {
                UnknownRevocation::Ok => Ok(()),
                UnknownRevocation::BadRequest => Err(NotionError::invalid_grant("Invalid token.")), // invented
                UnknownRevocation::Unauthorized => Err(NotionError::invalid_client()),
            };
        };
        let grant = &mut self.memory.grants[grant];
        let pair = &mut grant.pairs[pair_at];
        match self.settings.revoke_reach {
            RevokeReach::AccessToken if pair.access_token == token => pair.access_alive = false,
            RevokeReach::AccessToken => pair.refresh_alive = false,
            RevokeReach::Pair => pair.kill(),
            RevokeReach::Grant => grant.revoke(),
        }
        grant.settle();
        Ok(())
    }

    /// The grant behind an API call with a bearer token.
    ///
    /// # Errors
    ///
    /// 401 `unauthorized` for a token that does not work, 400 `missing_version`, 403 `restricted_resource`
    /// without the user information capability.
    pub(crate) fn me(&self, token: Option<&str>, has_version: bool) -> Result<usize, NotionError> {
        let (grant, _) =
            token.and_then(|token| self.access_token(token)).ok_or_else(NotionError::unauthorized)?;
        if !has_version {
            return Err(NotionError::missing_version());
        }
        let connection = self.connection(&self.memory.grants[grant].client_id);
        let connection = connection.ok_or_else(NotionError::unauthorized)?;
        if connection.capabilities.user_information == UserInformation::None {
            return Err(NotionError::restricted("Insufficient permissions for this endpoint.")); // invented
        }
        Ok(grant)
    }

    fn refresh_token(&self, token: &str) -> Option<(usize, usize)> {
        self.find_pair(|pair| self.refresh_works(pair) && pair.refresh_token.as_deref() == Some(token))
    }

    fn is_of(&self, connection: &Connection, (grant, _): (usize, usize)) -> bool {
        self.memory.grants[grant].client_id == connection.client_id
    }
}
