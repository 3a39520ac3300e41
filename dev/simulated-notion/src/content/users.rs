//! The people and the bot of a workspace: `GET /v1/users` and `GET /v1/users/{id}`.

use serde_json::{Value, json};

use crate::connection::UserInformation;
use crate::content::access::Caller;
use crate::content::id::normal;
use crate::content::input::Input;
use crate::content::listing::{list, page};
use crate::error::NotionError;
use crate::notion::Notion;
use crate::workspace::Person;

impl Notion {
    /// `GET /v1/users`: the members of the workspace, then the bot.
    ///
    /// # Errors
    ///
    /// 403 `restricted_resource` without the user information capability; 400 `validation_error` for a wrong page size
    /// or cursor.
    pub(crate) fn list_users(&self, caller: &Caller, query: &Input<'_>) -> Result<Value, NotionError> {
        caller.may_see_users()?;
        let people = self.workspace(&caller.workspace_id).map(|workspace| workspace.people.as_slice());
        let people = people.unwrap_or_default().iter().map(|person| person.id.clone());
        let page = page(people.chain([caller.author_id.clone()]).collect(), query)?;
        let users = page.ids.iter().filter_map(|id| self.user(caller, id));
        Ok(list("user", &users.collect::<Vec<_>>(), page.next_cursor.as_ref()))
    }

    /// `GET /v1/users/{id}`
    ///
    /// # Errors
    ///
    /// 403 `restricted_resource` without the capability; 404 `object_not_found` for anybody else.
    pub(crate) fn get_user(&self, caller: &Caller, id: &str) -> Result<Value, NotionError> {
        caller.may_see_users()?;
        let id = normal(id);
        let message = || NotionError::not_found(&format!("Could not find user with ID: {id}."));
        self.user(caller, &id).ok_or_else(message)
    }

    fn user(&self, caller: &Caller, id: &str) -> Option<Value> {
        if id == caller.author_id {
            return Some(json!({
                "object": "user", "id": id, "type": "bot", "name": caller.connection_name, "avatar_url": null,
                "bot": {
                    "owner": { "type": "user", "user": { "object": "user", "id": caller.person_id } },
                    "workspace_id": caller.workspace_id,
                    "workspace_name": self.workspace(&caller.workspace_id)?.name,
                },
            }));
        }
        let (_, Person { name, email, avatar_url, .. }) = self.member(&caller.workspace_id, id)?;
        let has_email = caller.capabilities.user_information == UserInformation::WithEmail;
        let person = if has_email { json!({ "email": email }) } else { json!({}) };
        Some(json!({
            "object": "user", "id": id, "type": "person", "name": name, "avatar_url": avatar_url, "person": person,
        }))
    }
}
