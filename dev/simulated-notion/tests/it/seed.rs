//! The seed file.

use serde_json::json;
use simulated_notion::{ItemKind, Options, Simulator};

use crate::bench::{Bench, exchange_body};
use crate::browser::send;
use crate::restart::StateFile;

/// The example of the documentation.
fn example() -> String {
    let text = include_str!("../../docs/control.md");
    text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

const ACME: &str = "acae0000-0000-4000-8000-0000000000a1";

async fn bench(seed: &str) -> Bench {
    let options = Options::from_seed(seed).unwrap();
    Bench::with_options(|bench| *bench = options).await
}

#[tokio::test]
async fn the_documented_example_starts_with_what_it_says() {
    let bench = bench(&example()).await;
    assert_eq!(bench.notion.now_ms(), 1_767_225_600_000);
    assert_eq!(bench.notion.settings().code_lifetime_secs, 60);
    let content = bench.notion.content(ACME);
    let titles: Vec<_> = content.pages.iter().map(|page| page.title.as_str()).collect();
    assert!(titles.contains(&"Roadmap") && titles.contains(&"Salaries"), "{titles:?}");
    let roadmap = content.titled("Roadmap")[0];
    assert!(roadmap.markdown.contains("# Now\n- [ ] Ship it"), "{}", roadmap.markdown);
    let tasks = content.titled("Tasks").into_iter().find(|item| item.kind == ItemKind::Database).unwrap();
    assert_eq!(tasks.parent.as_deref(), Some(roadmap.id.as_str()));
    assert_eq!(content.rows[0].properties["Done"]["checkbox"], true);
    let grace = "62ace000-0000-4000-8000-000000000002";
    assert_eq!(content.titled("Salaries")[0].private_to, [grace]);

    // A person found by e-mail address shares the page with the connection of the file.
    let url = "/v1/oauth/authorize?client_id=463558a3-725e-4f37-b6d3-0889894f68de\
               &redirect_uri=http://localhost:3000/callback&response_type=code&owner=user";
    let decision =
        json!({ "authorize_url": url, "person": "ada@example.org", "pages": [roadmap.id] }).to_string();
    let headers = [("content-type", "application/json")];
    let decided = send(&bench.notion, "POST", "/control/approve", &headers, &decision).await.unwrap();
    let location = decided.json()["location"].as_str().unwrap().to_owned();
    let body = exchange_body(location.split("code=").nth(1).unwrap()).to_string();
    let client = "463558a3-725e-4f37-b6d3-0889894f68de";
    let authorization = crate::bench::basic(client, "secret_demo_not_for_production");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let exchange = async || send(&bench.notion, "POST", "/v1/oauth/token", &headers, &body).await.unwrap();
    assert_eq!((exchange().await.status, exchange().await.status), (429, 429), "the faults of the file");
    assert_eq!(exchange().await.status, 200);
}

#[tokio::test]
async fn ids_that_are_left_out_are_the_same_in_every_run() {
    let all = async |seed: &str| {
        let content = bench(seed).await.notion.content(ACME);
        let ids = content.items().map(|item| (item.title.clone(), item.id.clone()));
        ids.collect::<Vec<_>>()
    };
    let first = all(&example()).await;
    let other_number = example().replace("random_seed = 1", "random_seed = 2");
    assert_eq!(all(&other_number).await, first);
    let another_page = format!(
        "{}\n",
        example().replace("[[templates]]", "[[workspaces.pages]]\ntitle = \"More\"\n[[templates]]")
    );
    let more = all(&another_page).await;
    assert_eq!(more.len(), first.len() + 1);
    assert!(first.iter().all(|known| more.contains(known)), "{first:?} {more:?}");
}

#[tokio::test]
async fn a_reset_returns_to_the_seed() {
    let bench = bench(&example()).await;
    let before = bench.notion.content(ACME);
    let roadmap = before.titled("Roadmap")[0].id.clone();
    bench.notion.rename(&roadmap, "Elsewhere");
    bench.notion.clear_faults();
    bench.notion.reset().await.unwrap();
    assert_eq!(bench.notion.content(ACME), before);
    let faults = bench.get("/control/faults", &[]).await.json();
    assert_eq!(faults["faults"][0]["times"], 2);
}

#[tokio::test]
async fn what_the_state_file_has_goes_before_the_seed() {
    let file = StateFile::new("seeded.json");
    let start = async || {
        let mut options = Options::from_seed(&example()).unwrap();
        file.use_for(&mut options);
        Simulator::start(options).await.unwrap()
    };
    let notion = start().await;
    let roadmap = notion.content(ACME).titled("Roadmap")[0].id.clone();
    notion.rename(&roadmap, "Renamed");
    let content = notion.content(ACME);
    notion.stop().await;
    assert_eq!(start().await.content(ACME), content);
}

#[test]
fn a_mistake_is_named_with_its_line() {
    let ada = "[[people]]\nemail = \"ada@example.org\"\n";
    let workspace = "[[workspaces]]\nname = \"Acme\"\npeople = [\"ada@example.org\"]\n";
    let page = "[[workspaces.pages]]\ntitle = \"A\"\n";
    let connection = "[[connections]]\nclient_id = \"a\"\nclient_secret = \"s3cret_value\"\nredirect_uris = [\"http://a\"]\n";
    let cases = [
        ("\n\nrandom_seed = \"x\"".to_owned(), 3, "invalid type"),
        ("random_seed = 1\nsead = 2".to_owned(), 2, "unknown field `sead`"),
        ("[settings]\nrotation = \"sometimes\"".to_owned(), 2, "unknown variant"),
        ("clock_stopped_at = 2026-01-01T00:00:00".to_owned(), 1, "clock_stopped_at is a time"),
        (format!("{ada}{ada}{workspace}"), 3, "ada@example.org is there twice"),
        (ada.to_owned(), 1, "this person is in no workspace"),
        ("[[people]]\nid = \"7\"\nemail = \"b\"".to_owned(), 1, "7 is not a UUID"),
        (format!("{ada}{}", workspace.replace("[\"ada", "[\"eve")), 5, "there is no person eve@example.org"),
        (format!("{ada}{workspace}{workspace}"), 6, "this workspace is there twice"),
        ("[[workspaces]]\nicon = \"x\"".to_owned(), 1, "a workspace has a name or an id"),
        (format!("{ada}{workspace}{page}{page}"), 8, "this page is there twice"),
        (format!("{ada}{workspace}{page}full_access = [\n \"eve\"]"), 9, "there is no person eve"),
        (format!("{connection}{connection}"), 5, "another connection has this client_id"),
        (connection.replace("[\"http://a\"]", "[]"), 1, "at least one redirect URI"),
        (connection.replace("client_id = \"a\"\n", ""), 1, "missing field `client_id`"),
        (format!("{connection}workspaces = {{ selected = [\"x\"] }}"), 1, "there is no workspace x"),
        ("[[templates]]\ntitle = \"T\"\n[[templates]]\ntitle = \"T\"".to_owned(), 3, "another template"),
        ("[[faults]]\nfault = \"hold\"".to_owned(), 1, "Give an endpoint or a path."),
        ("[[faults]]\nendpoint = \"token\"\nfault = \"hold\"\ntimes = -1".to_owned(), 4, "invalid value"),
        ("[[people]\n".to_owned(), 1, ""),
    ];
    for (seed, line, problem) in cases {
        let error = Options::from_seed(&seed).map(|_| ()).unwrap_err();
        assert_eq!(error.line, Some(line), "{seed}\n{error}");
        assert!(error.problem.contains(problem), "{seed}\n{error}");
        assert!(error.to_string().starts_with(&format!("line {line}: ")), "{error}");
        assert!(!error.to_string().contains("s3cret_value"), "{error}");
    }
    let missing = Options::from_seed_file("no/such/file.toml".as_ref()).map(|_| ()).unwrap_err();
    assert_eq!(missing.line, None);
}

#[tokio::test]
async fn content_that_notion_would_not_accept_stops_the_start() {
    let page = "[[workspaces]]\nname = \"Acme\"\n[[workspaces.pages]]\ntitle = \"Plan\"\n";
    let seed =
        format!("{page}databases = [{{ title = \"D\", properties = {{ A = {{ no_such_type = {{}} }} }} }}]");
    let error = Simulator::start(Options::from_seed(&seed).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(error.to_string().starts_with("the page \"Plan\" cannot be made: "), "{error}");
}
