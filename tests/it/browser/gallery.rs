//! Every page in every language, as a browser shows it: the answers of `shared::pages`, with all their headers.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::get;
use http::{HeaderMap, Response, StatusCode, header};
use serde_json::json;
use shared::app_request::BadAppRequest;
use shared::config::Branding;
use shared::language::Language;
use shared::pages::{Connected, Notice, Pages, Preparation, Visitor};
use tokio::net::TcpListener;

use super::Chromium;
use super::accessibility::{Axe, LOOKS};

const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="144" height="48"><rect width="144" height="48" fill="#26418f"/></svg>"##;

/// The pages by name. Names from Notion are as people write them.
fn pages(pages: &Pages, language: Language) -> BTreeMap<String, lambda_http::Response<lambda_http::Body>> {
    let headers = HeaderMap::new();
    let visitor = Visitor { headers: &headers, named: Some(language) };
    let landing_url = || Some("https://www.notion.so/0123456789abcdef0123456789abcdef".to_owned());
    let connected = |preparation| Connected {
        workspace_name: Some("شركة المستقبل (Acme) \u{2014} Produktentwicklung und Forschung".to_owned()),
        person_name: Some("山田 花子".to_owned()),
        template_duplicated: true,
        preparation,
    };
    let mut all: BTreeMap<_, _> =
        Notice::ALL.map(|notice| (notice.key().to_owned(), pages.notice(notice, visitor))).into();
    let more = [
        ("bad_request", pages.bad_app_request(BadAppRequest::UnknownReturnTo, visitor)),
        ("connected_unnamed", pages.connected(&Connected::default(), visitor)),
        ("connected", pages.connected(&connected(None), visitor)),
        (
            "preparing",
            pages.connected(
                &connected(Some(Preparation::UnderWay { is_watched: true, landing_url: None })),
                visitor,
            ),
        ),
        (
            "still_preparing",
            pages.connected(
                &connected(Some(Preparation::UnderWay { is_watched: false, landing_url: landing_url() })),
                visitor,
            ),
        ),
        (
            "prepared",
            pages.connected(&connected(Some(Preparation::Done { landing_url: landing_url() })), visitor),
        ),
        ("not_prepared", pages.connected(&connected(Some(Preparation::Failed)), visitor)),
    ];
    all.extend(more.map(|(name, page)| (name.to_owned(), page)));
    all
}

/// The pages that reload by themselves.
const WAITING: [&str; 2] = ["in_progress", "preparing"];

/// Serves the gallery, and returns its URL.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let logo = async || ([(header::CONTENT_TYPE, "image/svg+xml")], LOGO);
    let router = Router::new()
        .route("/logo.svg", get(logo))
        .route("/{brand}/{language}/{page}", get(show))
        .with_state(url.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn show(
    State(url): State<String>,
    Path((brand, language, page)): Path<(String, String, String)>,
) -> impl IntoResponse {
    let (name, _) = BRANDS.iter().find(|(name, _)| *name == brand).unwrap();
    let address = |path: &str| Some(format!("{url}/{path}"));
    let branding = match *name {
        "plain" => Branding { app_name: "Acme Planner".to_owned(), ..Branding::default() },
        _ => Branding {
            app_name: "משרד התכנון של Acme".to_owned(),
            next_url: address("next"),
            logo_url: address("logo.svg"),
            support_url: Some("mailto:help@app.example".to_owned()),
            privacy_url: address("privacy"),
            terms_url: address("terms"),
            ..Branding::default()
        },
    };
    let language = Language::of_tag(&language).unwrap();
    let page = pages(&Pages::new(branding), language).remove(&page).unwrap();
    let (parts, body) = page.into_parts();
    let lambda_http::Body::Text(html) = body else { panic!("a page without a text") };
    // Nobody has to hurry in here.
    let html =
        html.replace("http-equiv=\"refresh\" content=\"2\"", "http-equiv=\"refresh\" content=\"3600\"");
    // The pages say that they are for errors; the gallery is not one.
    let mut response = Response::new(axum::body::Body::from(html));
    *response.status_mut() = StatusCode::OK;
    *response.headers_mut() = parts.headers;
    response
}

/// What the deployer has set, and how many buttons the page after an install has then.
const BRANDS: [(&str, usize); 2] = [("plain", 0), ("full", 1)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_every_language_is_accessible_to_everybody() {
    let Some(axe) = Axe::find() else { return };
    let Some(chromium) = Chromium::start().await else { return };
    let url = serve().await;
    let names: Vec<String> = pages(&Pages::new(Branding::default()), Language::En).into_keys().collect();
    assert_eq!(names.len(), Notice::ALL.len() + 7);
    for language in Language::ALL {
        for (brand, buttons) in BRANDS {
            for name in &names {
                let case = format!("{} {brand} {name}", language.tag());
                let address = format!("{url}/{brand}/{}/{name}", language.tag());
                chromium.client.goto(&address).await.unwrap();
                let waits = WAITING.contains(&name.as_str());
                chromium.assert_accessible(&axe, &LOOKS, waits, &case).await;
                chromium.assert_page_is_sound(language, &case).await;
                if brand == "full" {
                    // The policy allows the logo.
                    let logo = "const logo = document.querySelector('.logo'); return [logo.naturalWidth, logo.clientHeight]";
                    let size = chromium.client.execute(logo, Vec::new()).await.unwrap();
                    assert_eq!(size, json!([144, 48]), "{case}");
                }
                if name == "connected" {
                    assert_eq!(chromium.count("a.button").await, buttons, "{case}");
                }
                for look in [LOOKS[0], LOOKS[3]] {
                    chromium.look(look).await;
                    chromium
                        .screenshot(&format!("pages-{}-{brand}-{}-{name}", language.tag(), look.name))
                        .await;
                }
            }
        }
    }
    chromium.stop().await;
}

/// None of our languages is written from right to left yet. The style is ready for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_from_right_to_left_is_the_mirror_image() {
    let Some(chromium) = Chromium::start().await else { return };
    let url = serve().await;
    for look in LOOKS {
        chromium.look(look).await;
        chromium.client.goto(&format!("{url}/full/en/prepared")).await.unwrap();
        let edges = "
            const edges = direction => {
                document.documentElement.dir = direction;
                const main = document.querySelector('main').getBoundingClientRect();
                const gap = e => { const r = e.getBoundingClientRect(); return [r.left - main.left, main.right - r.right]; };
                return ['.logo', 'dt', 'a.button'].map(css => gap(document.querySelector(css)).map(Math.round));
            };
            const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
            return [edges('ltr'), edges('rtl'), wide];
        ";
        let found = chromium.client.execute(edges, Vec::new()).await.unwrap();
        let mirrored: Vec<_> =
            found[0].as_array().unwrap().iter().map(|gap| json!([gap[1], gap[0]])).collect();
        assert_eq!(found[1], json!(mirrored), "{}: {found}", look.name);
        assert_eq!(found[2], false, "{}", look.name);
        chromium.screenshot(&format!("pages-mirrored-{}", look.name)).await;
    }
    chromium.stop().await;
}

/// The policy allows the logo's origin, and no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_the_logo_is_loaded() {
    let Some(chromium) = Chromium::start().await else { return };
    let (url, elsewhere) = (serve().await, serve().await);
    let load = "
        const [address, done] = arguments;
        const image = new Image();
        image.onload = () => done('loaded');
        image.onerror = () => done('refused');
        image.src = address;
    ";
    for (brand, address, expected) in [
        ("full", format!("{url}/logo.svg?again"), "loaded"),
        ("full", format!("{elsewhere}/logo.svg"), "refused"),
        ("plain", format!("{url}/logo.svg"), "refused"),
    ] {
        chromium.client.goto(&format!("{url}/{brand}/en/expired")).await.unwrap();
        let outcome = chromium.client.execute_async(load, vec![json!(address)]).await.unwrap();
        assert_eq!(outcome, expected, "{brand}: {address}");
    }
    chromium.stop().await;
}
