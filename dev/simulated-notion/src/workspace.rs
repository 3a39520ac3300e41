//! The workspaces people sign in to: their members and pages.

use serde::{Deserialize, Serialize};

use crate::content::template::Template;

/// A workspace with its members and pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// A UUID.
    pub id: String,
    /// Null in some token responses at Notion.
    pub name: Option<String>,
    /// A URL or an emoji.
    pub icon: Option<String>,
    /// The members. The same person (same id) may be in several workspaces.
    pub people: Vec<Person>,
    /// The pages that the picker offers.
    pub pages: Vec<Page>,
}

/// Somebody who can authorize a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// A UUID.
    pub id: String,
    /// Null for people who never set a name.
    pub name: Option<String>,
    /// In token responses only with the capability "user information with e-mail".
    pub email: String,
    /// A URL.
    pub avatar_url: Option<String>,
}

/// A page in a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// A UUID.
    pub id: String,
    /// Shown in the picker.
    pub title: String,
    /// The ids of the people with full access. The picker shows the page only to them; empty means every member.
    pub full_access: Vec<String>,
    /// What is on the page and below it. Its title is not used. Ids of what is below are derived from `id`, so they are the
    /// same in every run.
    #[serde(default)]
    pub content: Template,
}

impl Page {
    /// Whether the picker shows this page to the person.
    #[must_use]
    pub fn is_shown_to(&self, person_id: &str) -> bool {
        self.full_access.is_empty() || self.full_access.iter().any(|id| id == person_id)
    }
}

/// Ada, of the workspaces [`ACME`] and [`GLOBEX`].
pub const ADA: &str = "ada00000-0000-4000-8000-000000000001";
/// Grace, of the workspace [`ACME`].
pub const GRACE: &str = "62ace000-0000-4000-8000-000000000002";
/// Edsger, of the workspace [`GLOBEX`]; has no name and no avatar.
pub const EDSGER: &str = "ed50e600-0000-4000-8000-000000000003";
/// The workspace Acme, of [`ADA`] and [`GRACE`].
pub const ACME: &str = "acae0000-0000-4000-8000-0000000000a1";
/// The workspace Globex, of [`ADA`] and [`EDSGER`].
pub const GLOBEX: &str = "910be000-0000-4000-8000-0000000000a2";
/// A page of [`ACME`] that every member can share.
pub const ROADMAP: &str = "4ead0000-0000-4000-8000-0000000000b1";
/// A page of [`ACME`] that every member can share.
pub const MEETING_NOTES: &str = "3ee10000-0000-4000-8000-0000000000b2";
/// A page of [`ACME`] that only [`GRACE`] can share.
pub const SALARIES: &str = "5a1a0000-0000-4000-8000-0000000000b3";
/// A page of [`GLOBEX`] that every member can share.
pub const HANDBOOK: &str = "4a2d0000-0000-4000-8000-0000000000b4";

/// Two workspaces and three people, one of them in both.
#[must_use]
pub fn sample_workspaces() -> Vec<Workspace> {
    let ada = Person {
        id: ADA.to_owned(),
        name: Some("Ada".to_owned()),
        email: "ada@example.org".to_owned(),
        avatar_url: Some("https://example.org/ada.png".to_owned()),
    };
    let grace = Person {
        id: GRACE.to_owned(),
        name: Some("Grace".to_owned()),
        email: "grace@example.org".to_owned(),
        avatar_url: None,
    };
    let edsger = Person {
        id: EDSGER.to_owned(),
        name: None,
        email: "edsger@example.org".to_owned(),
        avatar_url: None,
    };
    let page = |id: &str, title: &str, full_access: &[&str]| Page {
        id: id.to_owned(),
        title: title.to_owned(),
        full_access: full_access.iter().map(ToString::to_string).collect(),
        content: Template::default(),
    };
    vec![
        Workspace {
            id: ACME.to_owned(),
            name: Some("Acme".to_owned()),
            icon: None,
            people: vec![ada.clone(), grace],
            pages: vec![
                page(ROADMAP, "Roadmap", &[]),
                page(MEETING_NOTES, "Meeting notes", &[]),
                page(SALARIES, "Salaries", &[GRACE]),
            ],
        },
        Workspace {
            id: GLOBEX.to_owned(),
            name: Some("Globex".to_owned()),
            icon: Some("https://example.org/globex.png".to_owned()),
            people: vec![ada, edsger],
            pages: vec![page(HANDBOOK, "Handbook", &[])],
        },
    ]
}
