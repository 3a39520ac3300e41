//! What a backend is told about an installation: everything that Notion said, but no token.

use serde_json::{Value, json};

use crate::store::Installation;
use crate::subject::Subject;

/// The facts of an installation, as JSON.
#[must_use]
pub fn facts(row: &Installation) -> Value {
    let subjects: Vec<&str> = row.subjects.iter().map(Subject::as_str).collect();
    json!({
        "installation": row.id.to_opaque(),
        "workspace_id": row.workspace_id,
        "workspace_name": row.workspace_name,
        "workspace_icon": row.workspace_icon,
        "user_id": row.owner_user_id,
        "user_name": row.owner_name,
        "user_email": row.owner_email,
        "user_email_verified": row.owner_email_verified,
        "user_avatar_url": row.owner_avatar_url,
        "bot_id": row.bot_id,
        "duplicated_template_id": row.duplicated_template_id,
        "generation": row.generation,
        "health": row.health_key(),
        "installed_at": row.installed_at_ms.map(|at_ms| at_ms / 1000),
        "subjects": subjects,
    })
}
