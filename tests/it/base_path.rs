//! A custom domain may serve the API below a base path (an API mapping such as `notion`). The browser sees
//! `/notion/install`; the functions see `/install`, because payload format 2.0 leaves the mapping out of `rawPath`.

use serde_json::{Value, json};
use simulated_notion::{ACME, ADA, Approval, Connection, ROADMAP};
use url::Url;

use crate::harness::{World, event};

const INSTALL_URL: &str = "https://apps.example.com/notion/install";
const REDIRECT_URI: &str = "https://apps.example.com/notion/callback";

/// A browser at the custom domain.
struct Visitor<'a> {
    world: &'a World,
    cookie: String,
}

impl Visitor<'_> {
    /// Opens an address, through the mapping.
    async fn open(&mut self, address: &Url) -> Value {
        let path = address.path().strip_prefix("/notion").expect("the mapping's base path");
        let headers =
            [("accept", "text/html"), ("cookie", self.cookie.as_str()), ("host", "apps.example.com")];
        let headers = if self.cookie.is_empty() { vec![headers[0], headers[2]] } else { headers.to_vec() };
        let mut event = event("GET", path, address.query().unwrap_or_default(), &headers);
        event["requestContext"]["http"]["path"] = address.path().into();
        let stack = &self.world.stack;
        let answer = match path {
            "/install" => self.world.invoke(stack.install(), &event).await,
            "/callback" => self.world.invoke(stack.callback(), &event).await,
            other => panic!("there is no route {other}"),
        };
        if let Some(set) = answer["cookies"][0].as_str().or(answer["headers"]["set-cookie"].as_str()) {
            set.split(';').next().unwrap().clone_into(&mut self.cookie);
            self.world.leaks.secret(self.cookie.split_once('=').unwrap().1);
        }
        answer
    }

    /// Where an answer sends the browser, as the browser resolves it.
    fn follow(address: &Url, answer: &Value) -> Url {
        address.join(answer["headers"]["location"].as_str().unwrap()).unwrap()
    }
}

#[tokio::test]
async fn a_flow_completes_below_a_base_path() {
    let world = World::start_with(|options| {
        options.variables.insert("NOTION_REDIRECT_URI".to_owned(), REDIRECT_URI.to_owned());
    })
    .await;
    let secret = world.stack.secrets_manager().service().current("notion-install/client-secret").unwrap();
    let secret = secret["client_secret"].as_str().unwrap();
    world.notion().register(Connection::new(
        &world.stack.variables()["NOTION_CLIENT_ID"],
        secret,
        REDIRECT_URI,
    ));
    let mut visitor = Visitor { world: &world, cookie: String::new() };

    let install = Url::parse(INSTALL_URL).unwrap();
    let authorize = Visitor::follow(&install, &visitor.open(&install).await);
    world.leaks.secret(authorize.query_pairs().find(|(name, _)| name == "state").unwrap().1.as_ref());
    let approval = Approval {
        authorize_query: authorize.query().unwrap().to_owned(),
        person: ADA.to_owned(),
        workspace: ACME.to_owned(),
        pages: vec![ROADMAP.to_owned()],
        ..Approval::default()
    };
    let callback = Url::parse(&world.notion().approve(approval).unwrap().location).unwrap();
    assert_eq!(callback.path(), "/notion/callback");

    let landed = Visitor::follow(&callback, &visitor.open(&callback).await);
    assert!(landed.as_str().starts_with(&format!("{REDIRECT_URI}?flow=")), "{landed}");
    let page = visitor.open(&landed).await;
    assert_eq!(page["statusCode"], 200);
    assert!(page["body"].as_str().unwrap().contains("is connected to Notion"), "{page}");
    assert_eq!(world.installations().await.len(), 1);

    // So do the ways back to the start: a callback without a state, the button of a page that tells of a failure, and the
    // link that a backend is answered.
    let bare = Url::parse(&format!("{REDIRECT_URI}?code=made-up")).unwrap();
    assert_eq!(Visitor::follow(&bare, &visitor.open(&bare).await), install);
    let failed = Url::parse(&format!("{REDIRECT_URI}?reason=refused")).unwrap();
    let page = visitor.open(&failed).await;
    let button = page["body"].as_str().unwrap().split("class=\"button\" href=\"").nth(1).unwrap();
    assert_eq!(failed.join(button.split('"').next().unwrap()).unwrap(), install);
    let answer = world.ask("token", json!({"workspace_id": ACME, "user_id": null})).await;
    assert_eq!(answer["install_url"], INSTALL_URL);
}
