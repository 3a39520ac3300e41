//! The endpoints of the content API: what they read from a request, and how they answer.

use std::future::{Ready, ready};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, patch, post};
use serde_json::{Map, Value};

use crate::content::access::Caller;
use crate::content::id::{is_uuid, normal};
use crate::content::input::Input;
use crate::error::NotionError;
use crate::notion::Notion;
use crate::world::World;

/// Their routes, without `GET /v1/users/me`.
pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/v1/pages", post(on(|notion, caller, call| notion.create_page(caller, &call.body()))))
        .route(
            "/v1/pages/{id}",
            get(on(|notion, caller, call| notion.get_page(caller, call.id(notion)?)))
                .patch(on(|notion, caller, call| notion.update_page(caller, call.id(notion)?, &call.body()))),
        )
        .route(
            "/v1/pages/{id}/markdown",
            get(on(|notion, caller, call| notion.get_page_markdown(caller, call.id(notion)?))).patch(on(
                |notion, caller, call| notion.update_page_markdown(caller, call.id(notion)?, &call.body()),
            )),
        )
        .route("/v1/databases", post(on(|notion, caller, call| notion.create_database(caller, &call.body()))))
        .route(
            "/v1/databases/{id}",
            get(on(|notion, caller, call| notion.get_database(caller, call.id(notion)?))).patch(on(
                |notion, caller, call| notion.update_database(caller, call.id(notion)?, &call.body()),
            )),
        )
        .route(
            "/v1/data_sources",
            post(on(|notion, caller, call| notion.create_data_source(caller, &call.body()))),
        )
        .route(
            "/v1/data_sources/{id}",
            get(on(|notion, caller, call| notion.get_data_source(caller, call.id(notion)?))).patch(on(
                |notion, caller, call| notion.update_data_source(caller, call.id(notion)?, &call.body()),
            )),
        )
        .route(
            "/v1/data_sources/{id}/query",
            post(on(|notion, caller, call| notion.query_data_source(caller, call.id(notion)?, &call.body()))),
        )
        .route(
            "/v1/data_sources/{id}/templates",
            get(on(|notion, caller, call| notion.list_templates(caller, call.id(notion)?, &call.query()))),
        )
        .route(
            "/v1/views",
            post(on(|notion, caller, call| notion.create_view(caller, &call.body())))
                .get(on(|notion, caller, call| notion.list_views(caller, &call.query()))),
        )
        .route(
            "/v1/views/{id}",
            get(on(|notion, caller, call| notion.get_view(caller, call.id(notion)?)))
                .patch(on(|notion, caller, call| notion.update_view(caller, call.id(notion)?, &call.body())))
                .delete(on(|notion, caller, call| notion.delete_view(caller, call.id(notion)?))),
        )
        .merge(blocks_search_and_users())
}

fn blocks_search_and_users() -> Router<Arc<World>> {
    Router::new()
        .route(
            "/v1/blocks/{id}",
            get(on(|notion, caller, call| notion.get_block(caller, call.id(notion)?)))
                .patch(on(|notion, caller, call| notion.update_block(caller, call.id(notion)?, &call.body())))
                .delete(on(|notion, caller, call| notion.delete_block(caller, call.id(notion)?))),
        )
        .route(
            "/v1/blocks/{id}/children",
            patch(on(|notion, caller, call| notion.append_blocks(caller, call.id(notion)?, &call.body())))
                .get(on(|notion, caller, call| {
                    notion.block_children(caller, call.id(notion)?, &call.query())
                })),
        )
        .route("/v1/search", post(on(|notion, caller, call| notion.search(caller, &call.body()))))
        .route("/v1/users", get(on(|notion, caller, call| notion.list_users(caller, &call.query()))))
        .route("/v1/users/{id}", get(on(|notion, caller, call| notion.get_user(caller, call.id(notion)?))))
        .route(
            "/v1/async_tasks/{id}",
            get(on(|notion, caller, call| notion.get_async_task(caller, call.id(notion)?))),
        )
}

type Action = fn(&mut Notion, &Caller, &Call) -> Result<Value, NotionError>;

/// A handler: identifies the bot, acts, and answers with a `request_id`.
fn on(action: Action) -> impl Fn(State<Arc<World>>, RawCall) -> Ready<Response> + Clone {
    move |State(world), raw| {
        ready(world.answer_with(|notion, request_id| {
            let caller = notion.caller(&raw.headers)?;
            let call = raw.parse()?;
            let mut answer = action(notion, &caller, &call)?;
            let is_accepted = !raw.is_get && answer["object"] == "async_task";
            let status = if is_accepted { StatusCode::ACCEPTED } else { StatusCode::OK };
            answer["request_id"] = request_id.into();
            Ok((status, answer.to_string()))
        }))
    }
}

/// A request before anything in it is checked.
struct RawCall {
    is_get: bool,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

impl FromRequest<Arc<World>> for RawCall {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, state: &Arc<World>) -> Result<Self, Self::Rejection> {
        let (is_get, headers) = (request.method().is_safe(), request.headers().clone());
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        // The body is in memory already, so reading it cannot fail.
        let body = Bytes::from_request(request, state).await.unwrap_or_default();
        Ok(Self { is_get, path, query, headers, body })
    }
}

impl RawCall {
    fn parse(&self) -> Result<Call, NotionError> {
        let id = self.path.split('/').nth(3).unwrap_or_default().to_owned();
        let pairs = form_urlencoded::parse(self.query.as_bytes());
        let query: Map<_, _> =
            pairs.map(|(name, value)| (name.into_owned(), Value::from(value.as_ref()))).collect();
        let body = match serde_json::from_slice(&self.body) {
            _ if self.is_get || self.body.is_empty() => Value::Object(Map::new()),
            Ok(body) => body,
            Err(_) => {
                return Err(NotionError::api(
                    StatusCode::BAD_REQUEST,
                    "invalid_json",
                    Some("Error parsing JSON body."),
                ));
            }
        };
        if !body.is_object() {
            return Err(Input::whole("body", &body).wrong("an object"));
        }
        Ok(Call { id, query: Value::Object(query), body })
    }
}

/// What a request asks for.
struct Call {
    id: String,
    query: Value,
    body: Value,
}

impl Call {
    /// The id in the path: a UUID, or that of a page configured with another one.
    ///
    /// # Errors
    ///
    /// 400 `validation_error` if it is no id.
    fn id(&self, notion: &Notion) -> Result<&str, NotionError> {
        let is_known = is_uuid(&self.id) || notion.memory.content.get(&normal(&self.id)).is_some();
        if is_known {
            return Ok(&self.id);
        }
        Err(NotionError::validation(&format!(
            "path failed validation: path.id should be a valid uuid, instead was `\"{}\"`.",
            self.id
        )))
    }

    fn query(&self) -> Input<'_> {
        Input::whole("query", &self.query)
    }

    fn body(&self) -> Input<'_> {
        Input::whole("body", &self.body)
    }
}
