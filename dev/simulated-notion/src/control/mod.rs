//! The control of the simulator over HTTP, for tests in any language. `openapi/control.json` describes it.
//!
//! Each POST takes JSON and answers JSON or 204; the forms of the control page get 303. Nothing contains a secret, a code
//! or a token, but for the redirect of an approval and a log that was asked for with secrets.

mod actions;
mod approve;
mod document;
mod exchange;
pub(crate) mod facts;
mod redaction;
mod requests;
mod run;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::dashboard;
use crate::world::World;

/// A method of a path, and what answers it.
struct Route {
    method: MethodFilter,
    path: &'static str,
    answer: Answer,
}

type Answer = fn(MethodFilter) -> MethodRouter<Arc<World>>;

const fn reads(path: &'static str, answer: Answer) -> Route {
    Route { method: MethodFilter::GET, path, answer }
}

const fn acts(path: &'static str, answer: Answer) -> Route {
    Route { method: MethodFilter::POST, path, answer }
}

/// Everything there is, as in `openapi/control.json`.
const ROUTES: &[Route] = &[
    reads("/control", |method| on(method, dashboard::show)),
    reads("/control/openapi.json", |method| on(method, document::show)),
    acts("/control/reset", |method| on(method, run::reset)),
    reads("/control/clock", |method| on(method, run::clock)),
    acts("/control/clock", |method| on(method, run::set_clock)),
    acts("/control/approve", |method| on(method, approve::approve)),
    reads("/control/requests", |method| on(method, requests::list)),
    reads("/control/requests/count", |method| on(method, requests::count)),
    reads("/control/people", |method| on(method, facts::list_people)),
    reads("/control/workspaces", |method| on(method, facts::list_workspaces)),
    reads("/control/connections", |method| on(method, facts::list_connections)),
    acts("/control/connections", |method| on(method, actions::register)),
    acts("/control/secret", |method| on(method, actions::rotate_secret)),
    reads("/control/grants", |method| on(method, facts::list_grants)),
    acts("/control/revoke", |method| on(method, actions::revoke)),
    reads("/control/settings", |method| on(method, facts::show_settings)),
    acts("/control/settings", |method| on(method, actions::settings)),
    reads("/control/faults", |method| on(method, facts::list_faults)),
    acts("/control/faults", |method| on(method, actions::inject)),
    acts("/control/faults/clear", |method| on(method, actions::clear_faults)),
    acts("/control/release", |method| on(method, actions::release)),
    reads("/control/rates", |method| on(method, facts::list_rates)),
    reads("/control/content", |method| on(method, facts::list_content)),
    acts("/control/content", |method| on(method, actions::content)),
];

/// The routes below `/control`.
pub(crate) fn routes() -> Router<Arc<World>> {
    ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, (route.answer)(route.method)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Paths and methods of the document.
    fn documented() -> BTreeSet<(String, String)> {
        let document = serde_json::from_str::<serde_json::Value>(document::TEXT).unwrap();
        let paths = document["paths"].as_object().unwrap().iter();
        paths
            .flat_map(|(path, item)| {
                item.as_object().unwrap().keys().map(|method| (path.clone(), method.clone()))
            })
            .collect()
    }

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let method = |route: &Route| if route.method == MethodFilter::GET { "get" } else { "post" };
        let routes = ROUTES.iter().map(|route| (route.path.to_owned(), method(route).to_owned()));
        let ready = ("/healthz".to_owned(), "get".to_owned());
        assert_eq!(documented(), routes.chain([ready]).collect());
    }

    #[test]
    fn the_documentation_names_every_path() {
        let text = include_str!("../../docs/control.md");
        for (path, method) in documented() {
            let name = format!("`{} {path}", method.to_uppercase());
            assert!(text.contains(&name), "missing in docs/control.md: {name}");
        }
    }
}
