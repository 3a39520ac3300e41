//! Work that Notion does after its answer: `GET /v1/async_tasks/{id}`.

use serde_json::{Value, json};

use crate::content::access::Caller;
use crate::content::store::Task;
use crate::content::time::to_the_minute;
use crate::error::NotionError;
use crate::notion::Notion;

impl Notion {
    /// `GET /v1/async_tasks/{id}`
    ///
    /// # Errors
    ///
    /// 404 `object_not_found` for the task of another bot.
    pub(crate) fn get_async_task(&self, caller: &Caller, id: &str) -> Result<Value, NotionError> {
        let id = crate::content::id::normal(id);
        let task = self.memory.content.tasks.get(&id).filter(|task| task.bot_id == caller.author_id);
        // invented
        let task =
            task.ok_or_else(|| NotionError::not_found(&format!("Could not find async task with ID: {id}.")))?;
        if self.now_ms() < task.done_at_ms {
            return Ok(self.task_object(&id, task, "running"));
        }
        let mut answer = self.task_object(&id, task, "succeeded");
        if let Value::Object(fields) = &mut answer {
            fields.remove("poll_after_seconds");
        }
        answer["result"] = json!({ "object": "page", "id": task.page_id }); // invented: only its type is documented
        Ok(answer)
    }

    /// The task as an answer has it (SDK).
    pub(crate) fn task_object(&self, id: &str, task: &Task, status: &str) -> Value {
        json!({
            "object": "async_task",
            "id": id,
            "status_url": format!("{}/v1/async_tasks/{id}", self.base_url),
            "created_time": to_the_minute(task.created_at_ms),
            "operation": { "surface": "rest", "name": task.operation },
            "status": status,
            "poll_after_seconds": 1,
        })
    }
}
