//! `GET /v1/oauth/authorize` and the consent page behind it.
//!
//! The person is part of each form, not of a cookie: two tabs of one browser can be two people.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::authorize::{Approval, AuthorizationRequest, Refusal};
use crate::notion::Notion;
use crate::pages::{page, problem, redirect};
use crate::workspace::{Page, Person, Workspace};
use crate::world::World;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    request: &'a AuthorizationRequest,
    hidden: &'a [(String, String)],
    accounts: Vec<Account>,
    problem: Option<&'a str>,
}

/// A person in a workspace.
struct Account {
    workspace: Workspace,
    person: Person,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'a> {
    request: &'a AuthorizationRequest,
    hidden: &'a [(String, String)],
    workspace: &'a Workspace,
    person: &'a Person,
    capabilities: Vec<&'static str>,
    pages: Vec<Choice>,
    duplicate: bool,
    problem: Option<&'a str>,
}

/// A page in the picker.
struct Choice {
    page: Page,
    is_selected: bool,
}

/// The content of a form or a URL of the consent page.
#[derive(Default)]
struct Form {
    /// The fields of the authorization request.
    request: Vec<(String, String)>,
    person: String,
    workspace: String,
    /// `None` before the first choice.
    pages: Option<Vec<String>>,
    duplicate: bool,
    decision: String,
}

impl Form {
    fn parse(sources: &[&[u8]]) -> Self {
        let mut form = Self::default();
        for (name, value) in sources.iter().flat_map(|source| form_urlencoded::parse(source)) {
            let value = value.into_owned();
            match name.as_ref() {
                "account" => {
                    if let Some((person, workspace)) = value.split_once('/') {
                        form.person = person.to_owned();
                        form.workspace = workspace.to_owned();
                    }
                }
                "person" => form.person = value,
                "workspace" => form.workspace = value,
                "page" => form.pages.get_or_insert_default().push(value),
                "template" => form.duplicate = value == "duplicate",
                "decision" => form.decision = value,
                _ => form.request.push((name.into_owned(), value)),
            }
        }
        form
    }

    /// The authorization request as a query.
    fn query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.request).finish()
    }

    /// A person with only one workspace need not name it.
    fn complete(&mut self, notion: &Notion) {
        if let (true, [only]) = (self.workspace.is_empty(), notion.homes_of(&self.person).as_slice()) {
            self.workspace = (*only).to_owned();
        }
    }
}

/// Checks the request and redirects to the consent page with the same query, as Notion does.
pub(crate) async fn authorize(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let checked = world.notion().authorization_request(&query);
    match checked {
        Ok(_) => redirect(StatusCode::FOUND, &format!("/install-integration?{query}")),
        Err(refusal) => refused(&world, refusal),
    }
}

/// Asks who the person is, then what they allow.
pub(crate) async fn show(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    let mut form = Form::parse(&[query.unwrap_or_default().as_bytes()]);
    let rendered = {
        let notion = world.notion();
        form.complete(&notion);
        render(&notion, &form, None)
    };
    rendered.unwrap_or_else(|refusal| refused(&world, refusal))
}

/// Handles the decision. The authorization request may be in the form or in the query of the form's URL.
pub(crate) async fn decide(
    State(world): State<Arc<World>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let mut form = Form::parse(&[query.unwrap_or_default().as_bytes(), &body]);
    if !matches!(form.decision.as_str(), "allow" | "cancel") {
        return problem(StatusCode::BAD_REQUEST, "The decision must be allow or cancel.");
    }
    let decided = world.change(|notion| {
        form.complete(notion);
        notion.decide(Approval {
            authorize_query: form.query(),
            person: form.person.clone(),
            workspace: form.workspace.clone(),
            pages: form.pages.clone().unwrap_or_default(),
            duplicate_template: form.duplicate,
            cancel: form.decision == "cancel",
        })
    });
    match decided {
        Ok(decision) => redirect(StatusCode::SEE_OTHER, &decision.location),
        Err(Refusal::Consent(text)) => {
            form.pages.get_or_insert_default();
            let rendered = render(&world.notion(), &form, Some(text));
            rendered.unwrap_or_else(|refusal| refused(&world, refusal))
        }
        Err(refusal) => refused(&world, refusal),
    }
}

/// The page that fits what is known: sign-in without a person, consent with one.
fn render(notion: &Notion, form: &Form, problem: Option<&str>) -> Result<Response, Refusal> {
    let request = &notion.authorization_request(&form.query())?;
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let hidden = form.request.as_slice();
    let Some((workspace, person)) = notion.member(&form.workspace, &form.person) else {
        let account = |workspace: &Workspace, person: &Person| Account {
            workspace: workspace.clone(),
            person: person.clone(),
        };
        let members = notion
            .workspaces
            .iter()
            .flat_map(|workspace| workspace.people.iter().map(move |person| account(workspace, person)));
        return Ok(page(status, &SignIn { request, hidden, accounts: members.collect(), problem }));
    };
    notion.check_installation_scope(request, &workspace.id)?;
    let shared = notion.grant_of(&request.connection.client_id, &person.id, &workspace.id);
    let shared = shared.map(|grant| grant.pages.as_slice()).unwrap_or_default();
    let selected = form.pages.as_deref().unwrap_or(shared);
    let choice = |page: Page| Choice { is_selected: selected.contains(&page.id), page };
    let consent = Consent {
        request,
        hidden,
        workspace,
        person,
        capabilities: request.connection.capabilities.sentences(),
        pages: notion.pages_shown(&workspace.id, &person.id).into_iter().map(choice).collect(),
        duplicate: form.duplicate,
        problem,
    };
    Ok(page(status, &consent))
}

fn refused(world: &World, refusal: Refusal) -> Response {
    match refusal {
        Refusal::Query(error) => world.refuse(error),
        Refusal::Page(text) | Refusal::Consent(text) => problem(StatusCode::BAD_REQUEST, text),
        Refusal::Redirect(to) => redirect(StatusCode::FOUND, &to.location),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_own_fields_never_reach_the_authorization_request() {
        for name in ["account", "person", "workspace", "page", "template", "decision"] {
            let form = Form::parse(&[format!("client_id=c&{name}=x").as_bytes()]);
            assert_eq!(form.query(), "client_id=c", "field: {name}");
        }
    }
}
