//! What the page after an installation tells.

use crate::language::Language;

/// The longest name that a page shows, in characters.
pub const MAX_NAME_CHARS: usize = 80;

/// What the page says about an installation. Holds no token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connected {
    /// The workspace's name, if it has one.
    pub workspace_name: Option<String>,
    /// The person's name, or the closest thing to it.
    pub person_name: Option<String>,
    /// Whether Notion duplicated the template into the workspace.
    pub template_duplicated: bool,
    /// How far the workspace is prepared; `None` if nothing is to be prepared.
    pub preparation: Option<Preparation>,
}

/// How far a workspace is prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preparation {
    /// Something is being made. `is_watched`: the page looks again by itself, as it may be a matter of seconds.
    UnderWay {
        /// Whether the page looks again.
        is_watched: bool,
        /// The address of the page to begin at, if it is there already.
        landing_url: Option<String>,
    },
    /// It is prepared.
    Done {
        /// The address of the page to begin at.
        landing_url: Option<String>,
    },
    /// It could not be prepared.
    Failed,
}

impl Connected {
    /// The names of workspace and person as they may be shown, if there are any.
    pub(super) fn names(&self) -> [Option<String>; 2] {
        [&self.workspace_name, &self.person_name]
            .map(|name| name.as_deref().map(display_name).filter(|name| !name.is_empty()))
    }

    pub(super) fn text(&self, language: Language) -> &'static str {
        match &self.preparation {
            None => language.saved_text(),
            Some(Preparation::UnderWay { is_watched: true, .. }) => language.preparing_text(),
            Some(Preparation::UnderWay { .. }) => language.still_preparing_text(),
            Some(Preparation::Done { .. }) => language.prepared_text(),
            Some(Preparation::Failed) => language.not_prepared_text(),
        }
    }

    /// Whether the page looks again by itself.
    pub(super) fn is_watched(&self) -> bool {
        matches!(self.preparation, Some(Preparation::UnderWay { is_watched: true, .. }))
    }
}

impl Preparation {
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::UnderWay { .. } => "pending",
            Self::Done { .. } => "completed",
            Self::Failed => "failed",
        }
    }

    /// The address of the page to begin at, if it can be a link.
    pub(super) fn landing_url(&self) -> Option<&str> {
        let (Self::UnderWay { landing_url, .. } | Self::Done { landing_url }) = self else { return None };
        let url = landing_url.as_deref()?;
        let is_web =
            ["https://", "http://localhost:", "http://127.0.0.1:"].iter().any(|web| url.starts_with(web));
        (is_web && url.bytes().all(|byte| byte.is_ascii_graphic())).then_some(url)
    }
}

/// A name made safe to show: no control or direction characters, at most [`MAX_NAME_CHARS`].
pub(super) fn display_name(name: &str) -> String {
    let directs = |c: char| matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let mut shown: String =
        name.chars().filter(|c| !c.is_control() && !directs(*c)).take(MAX_NAME_CHARS).collect();
    if name.chars().count() > MAX_NAME_CHARS {
        shown.push('…');
    }
    shown.trim().to_owned()
}
