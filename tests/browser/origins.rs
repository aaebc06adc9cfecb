//! Owns what pages of other origins can do in a session: those of its own app, in the viewer's
//! frame and in a window, and those of another site.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use casting_tests::processes::soon;
use fantoccini::Client;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::chrome::{CastingProgram, DESK, Driver, click, into_app, shoot, text, wait_for};

/// A page without any policy of its own; it has a frame, so that a page which embeds it can be
/// recognised by counting frames.
const PAGE: &str = "<!doctype html><meta charset=utf-8><title>Hostile</title><body><h1>Hostile \
                    page</h1><iframe srcdoc=x></iframe>";

/// A session of an app that serves the hostile page, and its two origins.
struct Attacked {
    window: Client,
    viewer: String,
    app: String,
}

impl Attacked {
    async fn start(driver: &Driver, casting: &CastingProgram) -> Self {
        let command = "printf '%s' \"$PAGE\" > index.html; exec python3 -m http.server $PORT \
                       --bind 127.0.0.1";
        let image = json!({
            "name": "Hostile page", "container_image": "local/hostile-page", "command": ["sh", "-c", command],
            "environment": {"PAGE": PAGE}, "cpu": 256, "memory": 512, "view_only": "requests",
        });
        let image = casting.admin(Method::POST, "images", &image).await;
        let fields = json!({"image_id": image["id"], "enable_sharing": true, "allow_anonymous_viewers": true, "disable_tips": true});
        let window = driver.window(DESK).await;
        let link = casting.link(&fields).await;
        window.goto(&link).await.expect("opens");
        click(&window, "#panel > summary").await;
        click(&window, "#stop > button").await;
        wait_for(&window, "#begin", "No one else sees this session.").await;
        into_app(&window).await;
        wait_for(&window, "h1", "Hostile page").await;
        let viewer = window.current_url().await.expect("an address");
        let app = window.execute("return location.origin", vec![]).await;
        let app = app.expect("an origin").as_str().expect("text").to_owned();
        Self {
            window,
            viewer: viewer.origin().ascii_serialization(),
            app,
        }
    }

    /// What came of the attempts of the page that this window or frame shows.
    async fn attempts(&self, window: &Client, only: Option<&[&str]>) -> Map<String, Value> {
        let told = window
            .execute_async(
                include_str!("hostile.js"),
                vec![json!(self.viewer), json!(self.app), json!(only)],
            )
            .await
            .expect("it ends");
        told.as_object().cloned().expect("outcomes")
    }

    /// All attempts of this page are refused, and nothing has come of any.
    async fn withstands(&self, window: &Client, name: &str, attempts: usize) {
        let outcomes = self.attempts(window, None).await;
        assert_eq!(outcomes.len(), attempts, "{name}: {outcomes:?}");
        for (attempt, outcome) in &outcomes {
            let refused = outcome
                .as_str()
                .is_some_and(|said| said.starts_with("refused"));
            assert!(refused, "{name}: {attempt}: {outcome}");
        }
        let owner = &self.window;
        owner
            .goto(&format!("{}/", self.viewer))
            .await
            .expect("opens");
        click(owner, "#panel > summary").await;
        wait_for(owner, "#connection", "Good").await;
        wait_for(owner, "#begin", "No one else sees this session.").await;
    }

    /// The viewer's own page can do what the others could not, by the same script.
    async fn obeys_its_own_page(self) {
        let own = [
            "read how it stands",
            "read the page",
            "share it",
            "share it by a form",
            "listen to events",
            "frame the page",
            "open the page in a window",
            "run its script",
        ];
        let owner = &self.window;
        owner
            .goto(&format!("{}/", self.viewer))
            .await
            .expect("opens");
        click(owner, "#panel > summary").await;
        let outcomes = self.attempts(owner, Some(&own)).await;
        for attempt in own {
            let got = outcomes[attempt]
                .as_str()
                .is_some_and(|said| said.starts_with("got"));
            assert!(got, "{attempt}: {}", outcomes[attempt]);
        }
        wait_for(&self.window, "#stop", "Anyone with this link can watch").await;
        self.window.close().await.expect("closes");
    }
}

#[tokio::test]
async fn a_page_of_the_app_cannot_act_as_the_owner() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let attacked = Attacked::start(&driver, &casting).await;
    let window = &attacked.window;
    assert_ne!(attacked.viewer, attacked.app);
    attacked
        .withstands(window, "in the viewer's frame", 34)
        .await;
    shoot(window, "withstood-a-hostile-app").await;
    window
        .goto(&format!("{}/", attacked.app))
        .await
        .expect("opens");
    wait_for(window, "h1", "Hostile page").await;
    attacked.withstands(window, "in a window", 34).await;
    attacked.obeys_its_own_page().await;
}

#[tokio::test]
async fn a_page_of_another_site_cannot_act_in_a_session() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let attacked = Attacked::start(&driver, &casting).await;
    let window = &attacked.window;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let site = format!("http://{}/", listener.local_addr().expect("an address"));
    let router = Router::new().route("/", get(|| async { Html(PAGE) }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    window.goto(&site).await.expect("opens");
    attacked.withstands(window, "another site", 39).await;
    // A form that takes the whole window along.
    for (name, origin, path) in [
        ("the viewer", &attacked.viewer, "/.cast/end"),
        ("the app", &attacked.app, "/"),
    ] {
        window.goto(&site).await.expect("opens");
        let send = "const form = document.createElement('form'); form.method = 'post'; form.action = arguments[0]; \
            document.body.append(form); form.submit()";
        let to = vec![json!(format!("{origin}{path}"))];
        window.execute(send, to).await.expect("sends");
        wait_for(window, "h1", "This session is not open to you").await;
        assert!(!text(window).await.contains("Hostile"), "{name}");
    }
    attacked.obeys_its_own_page().await;
}

/// Serves its folder with the two headers that a browser isolates a page for.
const ISOLATED: &str = "
import http.server, os
class Handler(http.server.SimpleHTTPRequestHandler):
    def end_headers(self):
        self.send_header('Cross-Origin-Opener-Policy', 'same-origin')
        self.send_header('Cross-Origin-Embedder-Policy', 'require-corp')
        super().end_headers()
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";

#[tokio::test]
async fn an_isolated_app_is_isolated_in_the_viewer() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let page = "<!doctype html><meta charset=utf-8><h1></h1>\
        <script>document.querySelector('h1').textContent = `isolated: ${crossOriginIsolated}`</script>";
    let command = "printf '%s' \"$PAGE\" > index.html; exec python3 -c \"$SERVER\"";
    let image = json!({
        "name": "Isolated page", "container_image": "local/isolated-page", "command": ["sh", "-c", command],
        "environment": {"PAGE": page, "SERVER": ISOLATED}, "cpu": 256, "memory": 512,
    });
    let image = casting.admin(Method::POST, "images", &image).await;
    let fields = json!({"image_id": image["id"], "disable_tips": true});
    let window = driver.window(DESK).await;
    window
        .goto(&casting.link(&fields).await)
        .await
        .expect("opens");
    let isolated = soon(async || {
        let own = window.execute("return crossOriginIsolated", vec![]).await;
        own.is_ok_and(|own| own == true)
    });
    assert!(isolated.await, "the viewer: {}", text(&window).await);
    into_app(&window).await;
    wait_for(&window, "h1", "isolated: true").await;
    shoot(&window, "isolated-app").await;
    window.close().await.expect("closes");
}
