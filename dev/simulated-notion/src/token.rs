//! The token endpoint's rules: exchange and refresh.
//!
//! Sources: Notion's authorization guide and token reference; RFC 6749 §4.1.3, §5 and §6. Messages marked
//! *invented* have no source; clients must not depend on them.

use axum::http::StatusCode;

use crate::connection::Connection;
use crate::error::NotionError;
use crate::grant::{Authorization, GrantRecord, Pair};
use crate::notion::Notion;
use crate::request::Body;
use crate::settings::{OldPair, RefreshTokenOnExchange, Rotation, SecondUse};

/// The tokens of the answer, and their grant.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) grant: usize,
    /// Only an exchange sets it; a refresh answers with the value stored in the grant.
    pub(crate) duplicated_template_id: Option<String>,
}

const INVALID_REFRESH_TOKEN: &str = "Invalid refresh token.";

impl Notion {
    /// Answers a token request of an authenticated connection.
    ///
    /// # Errors
    ///
    /// The codes of RFC 6749 §5.2.
    pub(crate) fn token(&mut self, connection: &Connection, body: &Body) -> Result<Issued, NotionError> {
        match body.text("grant_type")? {
            None => Err(NotionError::undefined("grant_type")),
            Some("authorization_code") => self.exchange(connection, body),
            Some("refresh_token") => self.refresh(connection, body),
            Some(_) => Err(NotionError::oauth(StatusCode::BAD_REQUEST, "unsupported_grant_type", None)),
        }
    }

    fn exchange(&mut self, connection: &Connection, body: &Body) -> Result<Issued, NotionError> {
        let code = body.text("code")?.ok_or_else(|| NotionError::undefined("code"))?;
        let redirect_uri = body.text("redirect_uri")?;
        let at = self.memory.authorizations.iter().position(|authorization| authorization.code == code);
        let Some(at) = at else {
            // Without the code, what the body must contain still depends on the connection.
            if redirect_uri.is_none() && connection.redirect_uris.len() > 1 {
                return Err(NotionError::undefined("redirect_uri"));
            }
            return Err(NotionError::invalid_grant("Invalid code.")); // invented
        };
        let authorization = self.memory.authorizations[at].clone();
        if authorization.client_id != connection.client_id {
            // invented
            return Err(NotionError::invalid_grant("Invalid code: this code was issued to another client."));
        }
        check_redirect_uri(connection, &authorization, redirect_uri)?;
        if authorization.revoked {
            return Err(NotionError::invalid_grant("Invalid code: this code has been revoked."));
        }
        if let Some(family) = authorization.family {
            if self.settings.second_use_of_code == SecondUse::RevokesGrant {
                self.revoke_family(family);
            }
            return Err(NotionError::invalid_grant("Invalid code: this code has already been used."));
        }
        let dies_at_ms =
            authorization.issued_at_ms.saturating_add(self.settings.code_lifetime_secs.saturating_mul(1000));
        if self.now_ms() >= dies_at_ms {
            return Err(NotionError::invalid_grant("Invalid code: this code has expired.")); // invented
        }
        Ok(self.begin_grant(connection, at))
    }

    /// Spends the code at `at` and issues tokens for it.
    fn begin_grant(&mut self, connection: &Connection, at: usize) -> Issued {
        self.memory.families += 1;
        let family = self.memory.families;
        self.memory.authorizations[at].family = Some(family);
        let authorization = self.memory.authorizations[at].clone();
        let grant = self.grant_for(&authorization);

        let with_refresh_token = match self.settings.refresh_token_on_exchange {
            RefreshTokenOnExchange::ByConnectionAge => !connection.created_before_2026_06_08,
            RefreshTokenOnExchange::Issued => true,
            RefreshTokenOnExchange::Null => false,
        };
        let now = self.now_ms();
        let pairs = &self.memory.grants[grant].pairs;
        let existing = pairs.iter().rposition(|pair| self.access_works(pair));
        if connection.created_before_2026_06_08
            && let Some(existing) = existing
        {
            let pair = &mut self.memory.grants[grant].pairs[existing];
            // Older connections return the existing token. Its family is now this code's too.
            pair.family = family;
            return Issued {
                access_token: pair.access_token.clone(),
                refresh_token: pair.refresh_token.clone().filter(|_| with_refresh_token),
                grant,
                duplicated_template_id: authorization.duplicated_template_id,
            };
        }
        let pair = Pair {
            access_token: self.issue("ntn_"),
            refresh_token: with_refresh_token.then(|| self.issue("nrt_")),
            issued_at_ms: now,
            access_alive: true,
            refresh_alive: with_refresh_token,
            family,
            used_at_ms: None,
            successor_of: None,
        };
        let issued = Issued {
            access_token: pair.access_token.clone(),
            refresh_token: pair.refresh_token.clone(),
            grant,
            duplicated_template_id: authorization.duplicated_template_id,
        };
        self.memory.grants[grant].pairs.push(pair);
        issued
    }

    /// The grant that the authorization starts or renews, with its pages.
    fn grant_for(&mut self, authorization: &Authorization) -> usize {
        let existing = self.memory.grants.iter().rposition(|grant| {
            !grant.revoked
                && grant.client_id == authorization.client_id
                && grant.person_id == authorization.person_id
                && grant.workspace_id == authorization.workspace_id
        });
        if let Some(at) = existing {
            let old_pair = self.settings.old_pair_after_reauthorization;
            let grant = &mut self.memory.grants[at];
            for pair in &mut grant.pairs {
                pair.access_alive &= old_pair != OldPair::Dies;
                pair.refresh_alive &= old_pair == OldPair::Survives;
            }
            if self.settings.bot_id_survives_reauthorization {
                grant.pages.clone_from(&authorization.pages);
                if authorization.duplicated_template_id.is_some() {
                    grant.duplicated_template_id.clone_from(&authorization.duplicated_template_id);
                }
                return at;
            }
            grant.settle();
        }
        let bot_id = self.random.uuid();
        self.memory.grants.push(GrantRecord {
            bot_id,
            client_id: authorization.client_id.clone(),
            workspace_id: authorization.workspace_id.clone(),
            person_id: authorization.person_id.clone(),
            pages: authorization.pages.clone(),
            duplicated_template_id: authorization.duplicated_template_id.clone(),
            pairs: Vec::new(),
            revoked: false,
        });
        self.memory.grants.len() - 1
    }

    fn refresh(&mut self, connection: &Connection, body: &Body) -> Result<Issued, NotionError> {
        let token = body.text("refresh_token")?.ok_or_else(|| NotionError::undefined("refresh_token"))?;
        let invalid = || NotionError::invalid_grant(INVALID_REFRESH_TOKEN);
        let (grant_at, pair_at) =
            self.find_pair(|pair| pair.refresh_token.as_deref() == Some(token)).ok_or_else(invalid)?;
        let pair = self.memory.grants[grant_at].pairs[pair_at].clone();
        if self.memory.grants[grant_at].client_id != connection.client_id {
            return Err(invalid());
        }
        if !self.refresh_works(&pair) {
            if self.settings.rotation == Rotation::FamilyRevocation {
                self.revoke_family(pair.family);
            }
            return Err(invalid());
        }
        if !self.settings.access_token_survives_refresh {
            self.memory.grants[grant_at].pairs[pair_at].access_alive = false;
        }
        let access_token = self.issue("ntn_");
        let refresh_token = (!self.settings.refresh_answers_null).then(|| self.issue("nrt_"));
        let duplicated_template_id = self.memory.grants[grant_at].duplicated_template_id.clone();
        let issued_at_ms = self.now_ms();
        let rotated = refresh_token.is_some();
        let grant = &mut self.memory.grants[grant_at];
        grant.pairs.push(Pair {
            access_token: access_token.clone(),
            refresh_token: refresh_token.clone(),
            issued_at_ms,
            access_alive: true,
            refresh_alive: rotated,
            family: pair.family,
            used_at_ms: None,
            successor_of: Some(pair_at),
        });
        if rotated {
            grant.pairs[pair_at].used_at_ms.get_or_insert(issued_at_ms);
        }
        match self.settings.rotation {
            Rotation::GraceUntilUsed => {
                if let Some(replaced) = pair.successor_of {
                    grant.pairs[replaced].refresh_alive = false;
                }
            }
            Rotation::Grace { valid_refresh_tokens } if rotated => {
                grant.keep_newest(pair.family, valid_refresh_tokens.max(1));
            }
            _ if rotated => grant.keep_newest(pair.family, 1),
            _ => {}
        }
        Ok(Issued { access_token, refresh_token, grant: grant_at, duplicated_template_id })
    }

    /// Kills every token of one chain of refreshes.
    fn revoke_family(&mut self, family: u64) {
        for grant in &mut self.memory.grants {
            grant.revoke_family(family);
        }
    }
}

/// When the body must, may and must not contain `redirect_uri` (Notion's create-a-token reference).
fn check_redirect_uri(
    connection: &Connection,
    authorization: &Authorization,
    redirect_uri: Option<&str>,
) -> Result<(), NotionError> {
    match (authorization.redirect_uri.as_deref(), redirect_uri) {
        (Some(asked), Some(given)) if asked == given => Ok(()),
        // invented
        (Some(_), Some(_)) => Err(NotionError::invalid_grant(
            "Invalid grant: redirect_uri is not the one of the authorization request.",
        )),
        (Some(_), None) => Err(NotionError::undefined("redirect_uri")),
        (None, None) if connection.redirect_uris.len() > 1 => Err(NotionError::undefined("redirect_uri")),
        (None, None) => Ok(()),
        (None, Some(given)) => Err(NotionError::invalid_request(&format!(
            "body failed validation: body.redirect_uri should be not present, instead was `\"{given}\"`."
        ))),
    }
}
