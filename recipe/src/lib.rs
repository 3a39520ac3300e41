//! Recipes: what a person's workspace is prepared with after they installed.
//!
//! A recipe is a folder with a `recipe.toml` and Markdown files. It lists, in order, pages, databases, views and rows.
//! [`Recipe::read`] reads and checks it: a recipe that Notion would refuse is refused here, with file and line. The
//! function `onboard` carries its recipes compiled (as JSON), so that nothing is read or checked where it runs.
//!
//! The words are those of Notion's own "Notion as Code": a stable `resource_id` names what is made, `properties`
//! describe it, Markdown is its `content`. [`Step::request`] turns a step into the body that Notion takes.
//!
//! `docs/onboarding.md` is the format's reference. The limits are those of the Notion API (2026-03-11).

mod check;
mod escape;
mod file;
mod limits;
mod problem;
mod recipe;
mod request;
mod step;
mod text;
mod values;

pub use problem::{Problem, Problems};
pub use recipe::Recipe;
pub use request::{Call, NotReady, Request};
pub use step::{Kind, Make, Parent, Presence, Property, Step};
pub use text::Text;
pub use values::{Resource, Values, short_url};
