//! The endpoints by which faults, counts and records are told apart.

use serde::{Deserialize, Serialize};

/// The endpoints of the simulated Notion that a client or browser calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `GET /v1/oauth/authorize`
    Authorize,
    /// `POST /v1/oauth/token`
    Token,
    /// `POST /v1/oauth/introspect`
    Introspect,
    /// `POST /v1/oauth/revoke`
    Revoke,
    /// `GET /v1/users/me`
    UsersMe,
    /// `POST /v1/pages`, rows included
    CreatePage,
    /// `GET /v1/pages/{id}`
    GetPage,
    /// `PATCH /v1/pages/{id}`
    UpdatePage,
    /// `GET` and `PATCH /v1/pages/{id}/markdown`
    PageMarkdown,
    /// `POST /v1/databases`
    CreateDatabase,
    /// `GET /v1/databases/{id}`
    GetDatabase,
    /// `POST /v1/data_sources`
    CreateDataSource,
    /// `GET /v1/data_sources/{id}`
    GetDataSource,
    /// `POST /v1/data_sources/{id}/query`
    QueryDataSource,
    /// `GET /v1/data_sources/{id}/templates`
    ListTemplates,
    /// `POST /v1/views`
    CreateView,
    /// `GET /v1/views`
    ListViews,
    /// `GET /v1/views/{id}`
    GetView,
    /// `GET /v1/blocks/{id}/children`
    BlockChildren,
    /// `PATCH /v1/blocks/{id}/children`
    AppendBlocks,
    /// `POST /v1/search`
    Search,
    /// `GET /v1/users` and `GET /v1/users/{id}`
    Users,
    /// `GET /v1/async_tasks/{id}`
    AsyncTasks,
    /// Every other call with an access token
    OtherContent,
}

impl Endpoint {
    /// Every endpoint, in the order of the control page.
    pub const ALL: &[Self] = &[
        Self::Authorize,
        Self::Token,
        Self::Introspect,
        Self::Revoke,
        Self::UsersMe,
        Self::CreatePage,
        Self::GetPage,
        Self::UpdatePage,
        Self::PageMarkdown,
        Self::CreateDatabase,
        Self::GetDatabase,
        Self::CreateDataSource,
        Self::GetDataSource,
        Self::QueryDataSource,
        Self::ListTemplates,
        Self::CreateView,
        Self::ListViews,
        Self::GetView,
        Self::BlockChildren,
        Self::AppendBlocks,
        Self::Search,
        Self::Users,
        Self::AsyncTasks,
        Self::OtherContent,
    ];

    /// The endpoint of a request. Those of OAuth and `users/me` are found by their path, whatever the method.
    #[must_use]
    pub fn at(method: &str, path: &str) -> Option<Self> {
        let steps: Vec<_> = path.strip_prefix("/v1/")?.split('/').collect();
        Some(match (method, steps.as_slice()) {
            (_, ["oauth", "authorize"]) => Self::Authorize,
            (_, ["oauth", "token"]) => Self::Token,
            (_, ["oauth", "introspect"]) => Self::Introspect,
            (_, ["oauth", "revoke"]) => Self::Revoke,
            (_, ["users", "me"]) => Self::UsersMe,
            ("POST", ["pages"]) => Self::CreatePage,
            ("GET", ["pages", _]) => Self::GetPage,
            ("PATCH", ["pages", _]) => Self::UpdatePage,
            ("GET" | "PATCH", ["pages", _, "markdown"]) => Self::PageMarkdown,
            ("POST", ["databases"]) => Self::CreateDatabase,
            ("GET", ["databases", _]) => Self::GetDatabase,
            ("POST", ["data_sources"]) => Self::CreateDataSource,
            ("GET", ["data_sources", _]) => Self::GetDataSource,
            ("POST", ["data_sources", _, "query"]) => Self::QueryDataSource,
            ("GET", ["data_sources", _, "templates"]) => Self::ListTemplates,
            ("POST", ["views"]) => Self::CreateView,
            ("GET", ["views"]) => Self::ListViews,
            ("GET", ["views", _]) => Self::GetView,
            ("GET", ["blocks", _, "children"]) => Self::BlockChildren,
            ("PATCH", ["blocks", _, "children"]) => Self::AppendBlocks,
            ("POST", ["search"]) => Self::Search,
            ("GET", ["users"] | ["users", _]) => Self::Users,
            ("GET", ["async_tasks", _]) => Self::AsyncTasks,
            (_, ["pages" | "databases" | "data_sources" | "views" | "blocks", ..]) => Self::OtherContent,
            _ => return None,
        })
    }

    /// Whether its errors have the shape of the OAuth endpoints.
    pub(crate) fn is_oauth(self) -> bool {
        matches!(self, Self::Authorize | Self::Token | Self::Introspect | Self::Revoke)
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn the_documentation_names_every_endpoint() {
        let faults = include_str!("../docs/faults.md");
        for endpoint in Endpoint::ALL {
            let name = serde_json::to_value(endpoint).unwrap();
            assert!(
                faults.contains(&format!("`{}`", name.as_str().unwrap())),
                "missing in docs/faults.md: {name}"
            );
        }
    }
}
