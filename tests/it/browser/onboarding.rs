//! A workspace is prepared while the person looks: after an install without an app, and in the sample app.

use shared::language::Language;
use simulated_notion::{ADA, GRACE, Urls};

use super::Chromium;
use crate::onboarding::{notion, recipe, settle, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_with_a_real_browser_sees_their_workspace_prepared_and_opens_it() {
    let Some(chromium) = Chromium::start().await else { return };
    // The addresses that the simulated Notion gives lead to its own pages.
    let world = world(recipe("tracker"), |options| notion(options).settings.urls = Urls::Local).await;
    let client = &chromium.client;

    // Without an app: our page looks again by itself.
    client.goto(&world.url("/install")).await.unwrap();
    chromium.sign_in(ADA).await;
    chromium.allow_and_see().await;
    chromium.see("main", "Your workspace is being prepared").await;
    chromium.see_count("a.button", 0).await;
    settle(&world).await;
    chromium.see("main", "your workspace is prepared").await;
    chromium.see("a.button", "Open it in Notion").await;
    chromium.assert_page_is_sound(Language::En, "prepared").await;
    chromium.screenshot("onboarding-connected").await;

    // The page, the database in it, and its board.
    chromium.click("a.button").await;
    chromium.see("#title", "Sample app: start here").await;
    chromium.see("#blocks", "Welcome, Ada").await;
    chromium.click("#blocks .child a").await;
    chromium.see("#title", "Tasks").await;
    chromium.click(".tabs a:last-child").await;
    chromium.see(".tabs [aria-current]", "Board").await;
    let columns = [
        ("Not started", "Invite your team"),
        ("In progress", "Look around, Ada"),
        ("Done", "Connect Sample app to Notion"),
    ];
    for (number, (status, task)) in (1..).zip(columns) {
        let column = format!(".board section:nth-child({number})");
        chromium.see(&format!("{column} h3"), status).await;
        chromium.see(&format!("{column} .card"), task).await;
    }
    chromium.see_count(".board section", 3).await;
    chromium.see_count(".board .card", 3).await;
    chromium.screenshot("onboarding-workspace").await;

    // In an app: its page looks again by itself, too, and what it said before stays.
    chromium.sign_in_at_app(&world.stack, "anna").await;
    chromium.click("#connect").await;
    chromium.sign_in(GRACE).await;
    chromium.allow().await;
    chromium.see("#said", "Connected to Acme as Grace").await;
    chromium.see(".preparation", "Preparing your workspace…").await;
    settle(&world).await;
    chromium.see(".preparation .open", "Open in Notion").await;
    chromium.see("#said", "Connected to Acme as Grace").await;
    chromium.screenshot("onboarding-app").await;
    chromium.click(".preparation .open").await;
    chromium.see("#title", "Sample app: start here").await;
    chromium.see("#blocks", "Welcome, Grace").await;

    // The start page has both, with links to what was made.
    client.goto(world.stack.url()).await.unwrap();
    chromium.see_count(".prepared a", 2).await;
    chromium.see(".prepared", "completed").await;
    chromium.click(".installation .workspace").await;
    chromium.see(".sidebar", "Private: Grace").await;
    chromium.stop().await;
}
