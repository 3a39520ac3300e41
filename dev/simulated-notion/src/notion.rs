//! The state of the simulated Notion: connections, grants, codes. It has no HTTP and does not wait. The rules of each
//! endpoint are in [`crate::authorize`], [`crate::token`] and [`crate::inspect`].

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::connection::Connection;
use crate::content::store::Store;
use crate::content::template::Template;
use crate::grant::{Authorization, Grant, GrantRecord, Pair};
use crate::random::Random;
use crate::settings::{Rotation, Settings};
use crate::workspace::{Person, Workspace};

/// How long [`Rotation::GraceUntilUsed`] lets a used refresh token work: 30 days from its first use.
const GRACE_UNTIL_USED_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// The state machine behind every endpoint.
pub(crate) struct Notion {
    pub(crate) settings: Settings,
    pub(crate) workspaces: Vec<Workspace>,
    pub(crate) memory: Memory,
    pub(crate) random: Random,
    pub(crate) clock: Clock,
    /// What the templates of connections contain.
    pub(crate) templates: Vec<Template>,
    /// The simulator's own address.
    pub(crate) base_url: String,
    /// Where an access token was found before: grants and pairs keep their places.
    pub(crate) found_tokens: HashMap<String, (usize, usize)>,
}

/// What survives a restart: the content of the state file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Memory {
    pub(crate) connections: Vec<Connection>,
    /// Replaced secrets that still work, by client id.
    pub(crate) old_secrets: BTreeMap<String, Vec<String>>,
    pub(crate) authorizations: Vec<Authorization>,
    pub(crate) grants: Vec<GrantRecord>,
    /// Pages, databases and everything in them.
    pub(crate) content: Store,
    pub(crate) secrets_issued: Vec<String>,
    /// Position in the stream of random bytes.
    pub(crate) drawn: u64,
    /// Number of the last family of refresh tokens.
    pub(crate) families: u64,
}

impl Memory {
    /// Reads the state file. If it does not exist, the state is empty.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or was not written by this version.
    pub(crate) fn load(path: &Path) -> std::io::Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                std::io::Error::new(
                    std::io::ErrorKind::InvalidData,
                    format!("{} is not a state file of this version: {error}", path.display()),
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Replaces the state file in one step, so that a crash leaves the old one or the new one.
    ///
    /// # Errors
    ///
    /// Fails if the directory is missing or not writable.
    pub(crate) fn save(&self, path: &Path) -> std::io::Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&beside)?.write_all(&serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(&beside, path)
    }
}

impl Notion {
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    pub(crate) fn register(&mut self, connection: Connection) {
        self.remember_secret(&connection.client_secret);
        self.memory.old_secrets.remove(&connection.client_id);
        match self.memory.connections.iter_mut().find(|known| known.client_id == connection.client_id) {
            Some(known) => *known = connection,
            None => self.memory.connections.push(connection),
        }
    }

    /// Returns `false` if there is no such connection.
    pub(crate) fn rotate_secret(&mut self, client_id: &str, new_secret: &str) -> bool {
        let Some(connection) = self.memory.connections.iter_mut().find(|c| c.client_id == client_id) else {
            return false;
        };
        let old = std::mem::replace(&mut connection.client_secret, new_secret.to_owned());
        let old_secrets = self.memory.old_secrets.entry(client_id.to_owned()).or_default();
        if self.settings.old_secret_dies_at_once {
            old_secrets.clear();
        } else {
            old_secrets.push(old);
        }
        self.remember_secret(new_secret);
        true
    }

    fn remember_secret(&mut self, secret: &str) {
        if !self.memory.secrets_issued.iter().any(|known| known == secret) {
            self.memory.secrets_issued.push(secret.to_owned());
        }
    }

    pub(crate) fn connection(&self, client_id: &str) -> Option<&Connection> {
        self.memory.connections.iter().find(|connection| connection.client_id == client_id)
    }

    /// Whether this is the connection's secret, or an older one that still works.
    pub(crate) fn accepts_secret(&self, connection: &Connection, secret: &str) -> bool {
        let old = self.memory.old_secrets.get(&connection.client_id);
        connection.client_secret == secret || old.is_some_and(|old| old.iter().any(|known| known == secret))
    }

    pub(crate) fn workspace(&self, id: &str) -> Option<&Workspace> {
        self.workspaces.iter().find(|workspace| workspace.id == id)
    }

    /// The id of the person with this id or e-mail address.
    pub(crate) fn person_named(&self, name: &str) -> Option<String> {
        let mut people = self.workspaces.iter().flat_map(|workspace| &workspace.people);
        let person = people.find(|person| person.id == name || person.email == name)?;
        Some(person.id.clone())
    }

    /// The ids of the workspaces that a person is in.
    pub(crate) fn homes_of(&self, person_id: &str) -> Vec<&str> {
        let homes = self.workspaces.iter();
        homes
            .filter(|workspace| workspace.people.iter().any(|person| person.id == person_id))
            .map(|workspace| workspace.id.as_str())
            .collect()
    }

    pub(crate) fn member(&self, workspace_id: &str, person_id: &str) -> Option<(&Workspace, &Person)> {
        let workspace = self.workspace(workspace_id)?;
        let person = workspace.people.iter().find(|person| person.id == person_id)?;
        Some((workspace, person))
    }

    /// The grant and pair of an access token, whether or not it still works.
    pub(crate) fn pair_of_access_token(&mut self, token: &str) -> Option<(usize, usize)> {
        if let Some(found) = self.found_tokens.get(token) {
            return Some(*found);
        }
        let found = self.find_pair(|pair| pair.access_token == token)?;
        self.found_tokens.insert(token.to_owned(), found);
        Some(found)
    }

    /// The newest grant of this person to this connection in this workspace that is not revoked.
    pub(crate) fn grant_of(
        &self,
        client_id: &str,
        person_id: &str,
        workspace_id: &str,
    ) -> Option<&GrantRecord> {
        let grants = self.memory.grants.iter().rev();
        grants.filter(|grant| !grant.revoked).find(|grant| {
            grant.client_id == client_id && grant.person_id == person_id && grant.workspace_id == workspace_id
        })
    }

    /// The grant and pair that an access token belongs to, if the token works.
    pub(crate) fn access_token(&self, token: &str) -> Option<(usize, usize)> {
        self.find_pair(|pair| pair.access_token == token).filter(|(grant, pair)| {
            let pair = &self.memory.grants[*grant].pairs[*pair];
            self.access_works(pair)
        })
    }

    pub(crate) fn find_pair(&self, wanted: impl Fn(&Pair) -> bool) -> Option<(usize, usize)> {
        let grants = self.memory.grants.iter().enumerate();
        grants
            .flat_map(|(at, grant)| grant.pairs.iter().enumerate().map(move |(n, pair)| (at, n, pair)))
            .find_map(|(grant, pair_at, pair)| wanted(pair).then_some((grant, pair_at)))
    }

    /// Whether the access token of a pair was neither killed nor has expired.
    pub(crate) fn access_works(&self, pair: &Pair) -> bool {
        let has_expired = self
            .settings
            .access_token_lifetime_secs
            .is_some_and(|secs| self.now_ms() >= pair.issued_at_ms.saturating_add(secs.saturating_mul(1000)));
        pair.access_alive && !has_expired
    }

    /// Whether the refresh token of a pair was neither killed nor used too long ago.
    pub(crate) fn refresh_works(&self, pair: &Pair) -> bool {
        let is_over = self.settings.rotation == Rotation::GraceUntilUsed
            && pair.used_at_ms.is_some_and(|used| self.now_ms() >= used.saturating_add(GRACE_UNTIL_USED_MS));
        pair.refresh_alive && !is_over
    }

    /// As if the person had removed every connection in Settings → Connections. Outstanding codes die too.
    pub(crate) fn revoke_grants_of(&mut self, person_id: &str, workspace_id: &str) {
        for grant in &mut self.memory.grants {
            if grant.person_id == person_id && grant.workspace_id == workspace_id {
                grant.revoke();
            }
        }
        for authorization in &mut self.memory.authorizations {
            if authorization.person_id == person_id && authorization.workspace_id == workspace_id {
                authorization.revoked = true;
            }
        }
    }

    pub(crate) fn grants(&self) -> Vec<Grant> {
        let grants = self.memory.grants.iter();
        grants
            .map(|grant| grant.public(|pair| self.access_works(pair), |pair| self.refresh_works(pair)))
            .collect()
    }

    /// Draws a new token and records it as issued.
    pub(crate) fn issue(&mut self, prefix: &str) -> String {
        let token = self.random.token(prefix);
        self.memory.secrets_issued.push(token.clone());
        token
    }
}
