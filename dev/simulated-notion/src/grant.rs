//! What a person allowed: authorization codes, and grants with their token pairs.

use serde::{Deserialize, Serialize};

/// A grant as the simulator reports it: one bot, its pages, and the tokens that work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The bot of this authorization.
    pub bot_id: String,
    /// The connection that was allowed.
    pub client_id: String,
    /// The workspace.
    pub workspace_id: String,
    /// The person who allowed it.
    pub person_id: String,
    /// Access tokens that work, oldest first.
    pub access_tokens: Vec<String>,
    /// Refresh tokens that work, oldest first.
    pub refresh_tokens: Vec<String>,
    /// Whether the whole grant is dead: removed by the person, or none of its tokens works.
    pub revoked: bool,
    /// The ids of the pages shared with the connection.
    pub pages: Vec<String>,
    /// The page made from the template, if the person chose to duplicate it.
    pub duplicated_template_id: Option<String>,
}

/// An authorization code and what it is for. The grant begins with the exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authorization {
    pub(crate) code: String,
    pub(crate) client_id: String,
    /// As in the authorization request; `None` if it had none.
    pub(crate) redirect_uri: Option<String>,
    pub(crate) person_id: String,
    pub(crate) workspace_id: String,
    pub(crate) pages: Vec<String>,
    pub(crate) duplicated_template_id: Option<String>,
    pub(crate) issued_at_ms: u64,
    /// The family of the tokens issued for this code, after the exchange.
    pub(crate) family: Option<u64>,
    pub(crate) revoked: bool,
}

/// A grant with its history of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GrantRecord {
    pub(crate) bot_id: String,
    pub(crate) client_id: String,
    pub(crate) workspace_id: String,
    pub(crate) person_id: String,
    pub(crate) pages: Vec<String>,
    pub(crate) duplicated_template_id: Option<String>,
    /// Oldest first. Dead pairs stay, so that their reuse is recognised.
    pub(crate) pairs: Vec<Pair>,
    pub(crate) revoked: bool,
}

/// The tokens of one token response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) issued_at_ms: u64,
    pub(crate) access_alive: bool,
    pub(crate) refresh_alive: bool,
    /// The chain of refreshes of this pair; one chain per exchange.
    pub(crate) family: u64,
    /// When the refresh token was first used.
    #[serde(default)]
    pub(crate) used_at_ms: Option<u64>,
    /// The place of the pair whose refresh token this one replaced.
    #[serde(default)]
    pub(crate) successor_of: Option<usize>,
}

impl GrantRecord {
    /// Kills every token.
    pub(crate) fn revoke(&mut self) {
        self.revoked = true;
        for pair in &mut self.pairs {
            pair.kill();
        }
    }

    /// Kills one chain of refreshes. A grant without working tokens is revoked.
    pub(crate) fn revoke_family(&mut self, family: u64) {
        for pair in self.pairs.iter_mut().filter(|pair| pair.family == family) {
            pair.kill();
        }
        self.settle();
    }

    /// Kills the refresh tokens of a chain but for the newest few that work.
    pub(crate) fn keep_newest(&mut self, family: u64, valid: usize) {
        let chain = self.pairs.iter_mut().rev().filter(|pair| pair.family == family);
        for old in chain.filter(|pair| pair.refresh_alive).skip(valid) {
            old.refresh_alive = false;
        }
    }

    /// Marks the grant as revoked if none of its tokens works.
    pub(crate) fn settle(&mut self) {
        self.revoked |= self.pairs.iter().all(|pair| !pair.access_alive && !pair.refresh_alive);
    }

    /// What is reported of it. The two questions are whether the access token and the refresh token of a pair work.
    pub(crate) fn public(
        &self,
        access_works: impl Fn(&Pair) -> bool,
        refresh_works: impl Fn(&Pair) -> bool,
    ) -> Grant {
        let access_tokens =
            self.pairs.iter().filter(|pair| access_works(pair)).map(|pair| pair.access_token.clone());
        let refresh_tokens = self.pairs.iter().filter(|pair| refresh_works(pair));
        Grant {
            bot_id: self.bot_id.clone(),
            client_id: self.client_id.clone(),
            workspace_id: self.workspace_id.clone(),
            person_id: self.person_id.clone(),
            access_tokens: access_tokens.collect(),
            refresh_tokens: refresh_tokens.filter_map(|pair| pair.refresh_token.clone()).collect(),
            revoked: self.revoked,
            pages: self.pages.clone(),
            duplicated_template_id: self.duplicated_template_id.clone(),
        }
    }
}

impl Pair {
    pub(crate) fn kill(&mut self) {
        self.access_alive = false;
        self.refresh_alive = false;
    }
}
