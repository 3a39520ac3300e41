//! The schema of a data source: the properties that a request configures, and what an answer says of them (SDK).

use serde_json::{Map, Value, json};

use crate::content::input::Input;
use crate::content::node::{DataSource, Property};
use crate::error::NotionError;
use crate::random::Random;

/// Every kind of property (SDK).
pub(crate) const KINDS: &[&str] = &[
    "title",
    "rich_text",
    "number",
    "select",
    "multi_select",
    "status",
    "date",
    "people",
    "files",
    "checkbox",
    "url",
    "email",
    "phone_number",
    "formula",
    "relation",
    "rollup",
    "unique_id",
    "created_time",
    "created_by",
    "last_edited_time",
    "last_edited_by",
    "button",
    "place",
    "verification",
    "location",
    "last_visited_time",
];

const COLORS: &[&str] =
    &["default", "gray", "brown", "orange", "yellow", "green", "blue", "purple", "pink", "red"];

/// Options of one property.
const OPTIONS_LIMIT: usize = 100;
/// Characters in the name of an option.
const OPTION_NAME_LIMIT: usize = 100;

/// What a schema needs to know from outside.
pub(crate) trait Surroundings {
    fn random(&mut self) -> &mut Random;

    /// The database of a data source that a relation may point to.
    ///
    /// # Errors
    ///
    /// `object_not_found` if the caller does not see it.
    fn relation_target(&self, data_source_id: &str) -> Result<String, NotionError>;
}

/// The schema of a new data source: exactly one title, first; the others in the order of the request.
///
/// # Errors
///
/// `validation_error` if a property has no known kind or a wrong configuration, or if there is not exactly one title;
/// `object_not_found` for a relation to something that the caller does not see.
pub(crate) fn read(
    properties: Option<&Input<'_>>,
    around: &mut impl Surroundings,
) -> Result<Vec<Property>, NotionError> {
    let Some(properties) = properties else {
        return Ok(vec![title("Name")]); // invented: the name that a new database has in the app
    };
    let mut schema = Vec::new();
    for (name, config) in properties.fields()? {
        schema.push(property(name, &config, around)?);
    }
    let titles = schema.iter().filter(|property| property.kind == "title").count();
    if titles != 1 {
        let path = properties.path();
        // invented
        let message = format!(
            "body failed validation: {path} should have exactly one property of type title, instead had `{titles}`."
        );
        return Err(NotionError::validation(&message));
    }
    schema.sort_by_key(|property| property.kind != "title");
    Ok(schema)
}

/// A title property.
pub(crate) fn title(name: &str) -> Property {
    Property {
        id: "title".to_owned(),
        name: name.to_owned(),
        kind: "title".to_owned(),
        description: None,
        config: json!({}),
    }
}

/// One property of a request.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn property(
    name: &str,
    given: &Input<'_>,
    around: &mut impl Surroundings,
) -> Result<Property, NotionError> {
    let kind = kind(given)?;
    let config = given.needed(kind)?;
    config.object()?;
    let config = config_of(kind, &config, &[], around)?;
    let id = if kind == "title" { "title".to_owned() } else { around.random().word() };
    let description = given.text_of("description")?.map(str::to_owned);
    Ok(Property { id, name: name.to_owned(), kind: kind.to_owned(), description, config })
}

/// A property with a new configuration; options that are named again keep their ids.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn changed(
    old: &Property,
    given: &Input<'_>,
    around: &mut impl Surroundings,
) -> Result<Property, NotionError> {
    let mut new = old.clone();
    if let Some(name) = given.text_of("name")? {
        name.clone_into(&mut new.name);
    }
    if let Some(description) = given.field("description") {
        new.description = description.value().as_str().map(str::to_owned);
    }
    let has_config = given.object()?.keys().any(|key| KINDS.contains(&key.as_str()));
    if has_config {
        kind(given)?.clone_into(&mut new.kind);
        let kept = if new.kind == old.kind { old.options() } else { &[] };
        new.config = config_of(&new.kind, &given.needed(&new.kind)?, kept, around)?;
    }
    Ok(new)
}

fn kind<'a>(given: &Input<'a>) -> Result<&'a str, NotionError> {
    let mut named = given.object()?.keys().map(String::as_str).filter(|key| KINDS.contains(key));
    match (named.next(), named.next()) {
        (Some(kind), None) => match given.some("type") {
            Some(said) if said.text()? != kind => Err(said.wrong(&format!("`\"{kind}\"`"))),
            _ => Ok(kind),
        },
        // invented
        _ => Err(given.wrong(&format!("an object with one of `{}`", KINDS.join("`, `")))),
    }
}

fn config_of(
    kind: &str,
    config: &Input<'_>,
    kept: &[Value],
    around: &mut impl Surroundings,
) -> Result<Value, NotionError> {
    Ok(match kind {
        "number" => json!({ "format": config.text_of("format")?.unwrap_or("number") }),
        "select" | "multi_select" => json!({ "options": options(config, kept, around)? }),
        "status" => status(config, kept, around)?,
        "formula" => json!({ "expression": config.text_of("expression")?.unwrap_or_default() }),
        "unique_id" => json!({ "prefix": config.text_of("prefix")? }),
        "relation" => relation(config, around)?,
        "rollup" => config.value().clone(),
        _ => json!({}),
    })
}

fn relation(config: &Input<'_>, around: &mut impl Surroundings) -> Result<Value, NotionError> {
    let target = config.needed("data_source_id")?.id()?;
    let database = around.relation_target(&target)?;
    let kind = if config.some("dual_property").is_some() { "dual_property" } else { "single_property" };
    let mut relation = json!({ "data_source_id": target, "database_id": database, "type": kind });
    relation[kind] = config.some(kind).map_or_else(|| json!({}), |kind| kind.value().clone());
    Ok(relation)
}

fn options(
    config: &Input<'_>,
    kept: &[Value],
    around: &mut impl Surroundings,
) -> Result<Vec<Value>, NotionError> {
    let Some(given) = config.some("options") else { return Ok(kept.to_vec()) };
    let mut options: Vec<Value> = Vec::new();
    for option in given.array(OPTIONS_LIMIT)? {
        let old = kept.iter().find(|old| {
            ["id", "name"]
                .iter()
                .any(|field| option.field(field).is_some_and(|value| *value.value() == old[*field]))
        });
        let name = match option.some("name") {
            Some(name) => option_name(&name)?.to_owned(),
            None => match old {
                Some(old) => old["name"].as_str().unwrap_or_default().to_owned(),
                None => return Err(option.needed("name").err().unwrap_or_else(|| option.wrong("an option"))),
            },
        };
        if options.iter().any(|known| known["name"] == name.as_str()) {
            return Err(option.wrong("an option with a name of its own")); // invented
        }
        let color = match option.some("color") {
            Some(color) => color.one_of(COLORS)?.to_owned(),
            None => old.and_then(|old| old["color"].as_str()).unwrap_or("default").to_owned(),
        };
        let id = old.and_then(|old| old["id"].as_str()).map(str::to_owned);
        let id = id.unwrap_or_else(|| around.random().uuid());
        let description = option.text_of("description")?;
        options.push(json!({ "id": id, "name": name, "color": color, "description": description }));
    }
    Ok(options)
}

/// The name of an option. Notion allows no comma in it, because it writes several options with commas between them.
///
/// # Errors
///
/// `validation_error` if it is empty, has a comma, or is too long.
pub(crate) fn option_name<'a>(name: &Input<'a>) -> Result<&'a str, NotionError> {
    let text = name.short_text(OPTION_NAME_LIMIT)?;
    if text.contains(',') {
        return Err(NotionError::validation(&format!("Invalid select option, commas not allowed: {text}")));
    }
    if text.is_empty() { Err(name.wrong("not empty")) } else { Ok(text) }
}

/// A status property. Without options it has the three of a new one in the app. Which group an option of a request
/// belongs to is *invented*: the first to do, the last complete, those between in progress.
fn status(config: &Input<'_>, kept: &[Value], around: &mut impl Surroundings) -> Result<Value, NotionError> {
    let mut options = options(config, kept, around)?;
    if options.is_empty() {
        for (name, color) in [("Not started", "default"), ("In progress", "blue"), ("Done", "green")] {
            let id = around.random().uuid();
            options.push(json!({ "id": id, "name": name, "color": color, "description": null }));
        }
    }
    let last = options.len() - 1;
    let mut members = [Vec::new(), Vec::new(), Vec::new()];
    for (at, option) in options.iter().enumerate() {
        let group = if at == last && at > 0 { 2 } else { usize::from(at > 0) };
        members[group].push(option["id"].clone());
    }
    let mut groups = Vec::new();
    for ((name, color), members) in
        [("To-do", "gray"), ("In progress", "blue"), ("Complete", "green")].into_iter().zip(members)
    {
        let id = around.random().uuid();
        groups.push(json!({ "id": id, "name": name, "color": color, "option_ids": members }));
    }
    Ok(json!({ "options": options, "groups": groups }))
}

/// The schema of an answer, by name.
pub(crate) fn answer(source: &DataSource) -> Value {
    let properties = source.schema.iter().map(|property| {
        let mut answer = Map::new();
        answer.insert("id".to_owned(), property.id.as_str().into());
        answer.insert("name".to_owned(), property.name.as_str().into());
        answer.insert("description".to_owned(), property.description.as_deref().into());
        answer.insert("type".to_owned(), property.kind.as_str().into());
        answer.insert(property.kind.clone(), property.config.clone());
        (property.name.clone(), Value::Object(answer))
    });
    Value::Object(properties.collect())
}
