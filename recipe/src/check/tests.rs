use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A recipe's folder, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("recipe-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (name, content) in files {
            std::fs::write(folder.join(name), content).unwrap();
        }
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_over = std::fs::remove_dir_all(&self.0);
    }
}

const PAGE: &str = "[[resource]]\nresource_id = \"home\"\ntype = \"page\"\ntitle = \"Home\"\n";
const DATABASE: &str = "[[resource]]\nresource_id = \"tasks\"\ntype = \"database\"\ntitle = \"Tasks\"\n\
                        properties = [{ name = \"Task\", type = \"title\" }, { name = \"Status\", type = \"status\", \
                        options = [\"To do\", \"Done\"] }, { name = \"Due\", type = \"date\" }, { name = \"Who\", type = \"people\" }]\n";

fn read(files: &[(&str, &str)]) -> Result<Recipe, Problems> {
    Recipe::read(&Folder::with(files).0)
}

fn wrong(toml: &str) -> Vec<(usize, String)> {
    let problems = read(&[("recipe.toml", toml)]).expect_err(toml).0;
    problems.into_iter().map(|problem| (problem.line, problem.message)).collect()
}

#[test]
fn the_recipes_of_this_repository_are_right() {
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(recipes).unwrap() {
        let folder = entry.unwrap().path();
        let recipe = Recipe::read(&folder).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(recipe.landing.is_some(), "{folder:?}");
        let compiled = serde_json::to_string(&recipe).unwrap();
        assert_eq!(serde_json::from_str::<Recipe>(&compiled).unwrap(), recipe);
        names.push(recipe.name);
    }
    names.sort();
    assert_eq!(names, ["template", "tracker"]);
}

#[test]
fn the_version_changes_with_the_content_and_not_with_the_format() {
    let version =
        |toml: &str, content: &str| read(&[("recipe.toml", toml), ("a.md", content)]).unwrap().version;
    let toml = format!("{PAGE}content = \"a.md\"\n");
    let formatted = toml.replace('\n', "   # a comment\n");
    // The folder's name is part of the recipe, and differs here. So the steps are compared.
    let steps = |toml: &str, content: &str| read(&[("recipe.toml", toml), ("a.md", content)]).unwrap().steps;
    assert_eq!(steps(&toml, "a"), steps(&formatted, "a"));
    assert_ne!(steps(&toml, "a"), steps(&toml, "b"));
    assert_eq!(version(&toml, "a").len(), 16);
}

#[test]
fn a_mistake_is_said_with_its_line_and_what_to_do() {
    let row = |properties: &str| {
        format!(
            "{DATABASE}[[resource]]\nresource_id = \"r\"\ntype = \"row\"\ndatabase = \"tasks\"\nproperties = {properties}\n"
        )
    };
    let view = |rest: &str| {
        format!(
            "{DATABASE}[[resource]]\nresource_id = \"v\"\ntype = \"view\"\ndatabase = \"tasks\"\nname = \"V\"\n{rest}\n"
        )
    };
    let long = "x".repeat(2001);
    let cases = [
        (String::new(), 1, "at least one"),
        ("landing = \"x\"\n".to_owned() + PAGE, 1, "no page and no database"),
        ("[[resource]\n".to_owned(), 1, ""),
        (PAGE.replace("title", "tittle"), 4, "unknown field `tittle`"),
        (PAGE.replace("\"page\"", "\"pages\""), 3, "no type `pages`"),
        (PAGE.replace("\"home\"", "\"Home\""), 2, "lower-case"),
        (PAGE.replace("\"home\"", "\"app\""), 2, "placeholder"),
        (PAGE.to_owned() + PAGE, 6, "earlier resource's"),
        (PAGE.to_owned() + "parent = \"nobody\"\n", 5, "no `nobody` before"),
        (DATABASE.to_owned() + PAGE + "parent = \"tasks\"\n", 10, "no page"),
        (PAGE.to_owned() + "icon = \"house\"\n", 5, "emoji"),
        (PAGE.to_owned() + "cover = \"http://x.example/a.png\"\n", 5, "https://"),
        (PAGE.to_owned() + "inline = true\n", 5, "has no `inline`"),
        (PAGE.to_owned() + "content = \"../a.md\"\n", 5, "name of a file"),
        (PAGE.to_owned() + "content = \"none.md\"\n", 5, "cannot be read"),
        (PAGE.replace("Home", &long), 4, "up to 2001"),
        (PAGE.replace("Home", "{{person.name}}"), 4, "does not always say"),
        (DATABASE.replace("\"title\" }", "\"rich_text\" }"), 5, "exactly one"),
        (DATABASE.replace("\"date\"", "\"days\""), 5, "no type `days`"),
        (DATABASE.replace("\"Due\"", "\"Task\""), 5, "two properties"),
        (DATABASE.replace("\"To do\"", "\"a,b\""), 5, "comma"),
        (DATABASE.replace("\"To do\"", "{ name = \"x\", color = \"mauve\" }"), 5, "colours"),
        (row("{ Status = \"Done\" }"), 10, "title"),
        (row("{ Task = \"a\", Status = \"Later\" }"), 10, "no option `Later`; there are: To do, Done"),
        (row("{ Task = \"a\", Stat = \"Done\" }"), 10, "no property `Stat`"),
        (row("{ Task = \"a\", Due = \"tomorrow\" }"), 10, "a day is"),
        (row("{ Task = \"a\", Due = \"2026-02-30\" }"), 10, "a day is"),
        (row("{ Task = \"a\", Who = \"Ada\" }"), 10, "{{person}}"),
        (row("{ Task = \"{{tasks.url}}\" }"), 10, "plain text"),
        (view("view = \"board\""), 11, "a board has a `group_by`"),
        (view("view = \"board\"\ngroup_by = \"Due\""), 12, "`Due` is a date"),
        (view("view = \"calendar\""), 11, "`date`"),
        (
            view("view = \"table\"\nfilter = { property = \"Stage\", select = { equals = \"x\" } }"),
            12,
            "no property `Stage`",
        ),
        (view("view = \"chart\""), 11, "no view `chart`"),
    ];
    for (toml, line, message) in cases {
        let said = wrong(&toml);
        assert!(
            said.iter().any(|(at, text)| *at == line && text.contains(message)),
            "expected line {line} {message:?} of\n{toml}\nbut got {said:?}"
        );
    }
}

#[test]
fn mistakes_in_markdown_are_said_with_their_file() {
    let toml = format!("{PAGE}content = \"a.md\"\n");
    let cases = [
        ("a\n\nHello {{person.name}}".to_owned(), 3, "does not always say"),
        ("a\n`{{app.name}}`".to_owned(), 2, "code"),
        ("```\nx\n{{app.name}}\n```\n".to_owned(), 3, "code"),
        ("a\n[x]({{tasks.url}})".to_owned(), 2, "no `tasks` before"),
        (format!("a\n\n{}", "x".repeat(2001)), 3, "2000 characters in a block"),
        ("- a\n".repeat(1001), 1, "1000 blocks"),
    ];
    for (markdown, line, message) in cases {
        let problems = read(&[("recipe.toml", &toml), ("a.md", &markdown)]).expect_err(message).0;
        assert!(
            problems.iter().any(|problem| problem.file.ends_with("a.md")
                && problem.line == line
                && problem.message.contains(message)),
            "{message}: {problems:?}"
        );
    }
    let large = "abc de\n\n".repeat(900);
    assert!(read(&[("recipe.toml", &toml), ("a.md", &large)]).is_ok());
}

#[test]
fn a_request_with_the_longest_values_still_fits() {
    let paragraph = format!("{}{{{{app.name}}}}\n\n", "y".repeat(600));
    let toml = format!("{PAGE}content = \"a.md\"\n");
    let problems = read(&[("recipe.toml", &toml), ("a.md", &paragraph.repeat(400))]).unwrap_err().0;
    assert!(problems[0].message.contains("500000"), "{problems:?}");
}
