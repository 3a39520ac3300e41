//! What a simulator starts with, and what a reset returns to.

use std::collections::HashMap;
use std::io::{Error, ErrorKind};

use crate::clock::{Clock, Source};
use crate::connection::Connection;
use crate::content::template::Template;
use crate::notion::{Memory, Notion};
use crate::random::Random;
use crate::settings::Settings;
use crate::traffic::Injection;
use crate::workspace::Workspace;

/// The part of [`Options`](crate::Options) that is the same for every run.
pub(crate) struct Beginning {
    pub(crate) settings: Settings,
    pub(crate) random_seed: Option<u64>,
    pub(crate) clock: Source,
    pub(crate) clock_stopped_at_ms: Option<u64>,
    pub(crate) connections: Vec<Connection>,
    pub(crate) workspaces: Vec<Workspace>,
    pub(crate) templates: Vec<Template>,
    pub(crate) faults: Vec<Injection>,
    /// The simulator's own address.
    pub(crate) base_url: String,
}

impl Beginning {
    /// Notion with what it remembers, and everything configured that is not there yet.
    ///
    /// # Errors
    ///
    /// Fails if the operating system has no random bytes, or if a page has content that Notion would not accept.
    pub(crate) fn notion(&self, memory: Memory) -> std::io::Result<Notion> {
        let mut notion = Notion {
            settings: self.settings.clone(),
            workspaces: self.workspaces.clone(),
            random: Random::new(self.random_seed, memory.drawn)?,
            memory,
            clock: Clock::new(self.clock.clone(), self.clock_stopped_at_ms),
            templates: self.templates.clone(),
            base_url: self.base_url.clone(),
            found_tokens: HashMap::new(),
        };
        notion.adopt_configured_pages().map_err(|error| Error::new(ErrorKind::InvalidInput, error))?;
        for connection in self.connections.iter().cloned() {
            notion.register(connection);
        }
        Ok(notion)
    }
}
