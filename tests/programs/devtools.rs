//! Owns the browser of a session in the hands of a program: the example of `docs/agents.md` by the
//! public client, and who else is kept from it.

use std::path::Path;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use casting_tests::processes::soon;
use casting_tests::program::Program;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::process::Command;

const MANUAL: &str = include_str!("../../docs/agents.md");

/// What Node does not know by itself, and browsers do: that names below `.localhost` are this
/// machine.
const LOCAL_NAMES: &str = r#"
import dns from "node:dns";
for (const [place, answer] of [[dns, (found, tell) => tell(null, ...found)], [dns.promises, ([found]) => Promise.resolve(found)]]) {
  const { lookup } = place;
  place.lookup = (name, options, tell) => {
    if (!name.endsWith(".localhost")) return lookup(name, options, tell);
    const one = { address: "127.0.0.1", family: 4 };
    const { all } = typeof options === "object" ? options : {};
    return answer(all ? [[one]] : [place === dns ? one.address : one, one.family], tell ?? options);
  };
}
"#;

/// A page with a title and a place to type, on a port of this machine.
async fn page() -> u16 {
    let page = "<!doctype html><title>A page</title><input aria-label='Text'>";
    let router = Router::new().route("/", get(async move || Html(page)));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

async fn json_of(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

/// Gives the image of this name a port for DevTools.
async fn open_port(program: &Program, name: &str) {
    let (_, images) = json_of(program.admin(Method::GET, "images?limit=100")).await;
    let images = images["items"].as_array().expect("images").clone();
    let image = images.iter().find(|image| image["name"] == name);
    let id = image.expect(name)["id"].as_str().expect("an id").to_owned();
    let change = program
        .admin(Method::PATCH, &format!("images/{id}"))
        .json(&json!({"app_devtools_port": 9222}));
    let (status, image) = json_of(change).await;
    assert_eq!(
        (status, &image["app_devtools_port"]),
        (200, &json!(9222)),
        "{image}"
    );
}

/// Claims a session, waits until it is ready, and gives its token and its last status.
async fn claim(program: &Program, key: &str) -> (String, Value) {
    let at = |path: &str| format!("{}{path}", program.url);
    let (_, offer) = json_of(program.http.get(at(&format!("/api/casts/{key}")))).await;
    let claim = program.http.post(at(&format!("/cast/{key}/claims")));
    let (_, claimed) = json_of(claim.json(&json!({"ticket": offer["ticket"]}))).await;
    let text = |name: &str| claimed[name].as_str().expect(name).to_owned();
    let (url, token) = (text("status_url"), text("session_token"));
    let mut status = Value::Null;
    let ready = soon(async || {
        status = json_of(program.http.get(&url).bearer_auth(&token)).await.1;
        status["state"] == "ready"
    });
    assert!(ready.await, "{status}");
    (token, status)
}

/// The example of the manual.
fn example() -> &'static str {
    let (_, rest) = MANUAL.split_once("```js\n").expect("an example");
    rest.split("\n```").next().unwrap_or_default()
}

#[tokio::test]
async fn playwright_drives_the_browser_of_a_session() {
    let tools = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/playwright/node_modules"
    ));
    assert!(
        tools.is_dir(),
        "`npm ci --prefix tests/playwright` installs the client; ./test.sh does"
    );
    let page = page().await;
    let reach = format!("127.0.0.1:{page}");
    let program = Program::start(["--memory", "--port", "0", "--reach", &reach])
        .await
        .expect("starts");
    open_port(&program, "Browser").await;
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("example.mjs"), example()).expect("is written");
    std::fs::write(at("names.mjs"), LOCAL_NAMES).expect("is written");
    std::os::unix::fs::symlink(tools, at("node_modules")).expect("a link");
    let output = Command::new("node")
        .args(["--import", "./names.mjs", "example.mjs"])
        .env("BASE_URL", &program.url)
        .env("LINK", "browser")
        .env("PAGE", format!("http://{reach}/"))
        .current_dir(folder.path())
        .kill_on_drop(true)
        .output();
    let output = output.await.expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    assert_eq!(said, "A page - typed by a program\n", "{errors}");
    let picture = std::fs::read(at("page.png")).expect("a picture");
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 1000);
}

#[tokio::test]
async fn browser_of_a_session_obeys_its_owners_program_alone() {
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    let (_, before) = claim(&program, "browser").await;
    assert_eq!(
        before["devtools_url"],
        Value::Null,
        "off at first: {before}"
    );
    open_port(&program, "Browser").await;
    let (token, status) = claim(&program, "browser").await;
    let way = status["devtools_url"]
        .as_str()
        .expect("DevTools")
        .to_owned();
    let id = status["id"].as_str().expect("an id");
    let post = |url: &str| program.http.post(url);
    let cookie = format!("cast-{id}={token}");
    for (name, request, code) in [
        ("nothing", post(&way), "not-your-session"),
        (
            "the cookie of a page",
            post(&way).header("cookie", &cookie),
            "not-your-session",
        ),
        (
            "the administrator's key",
            post(&way).bearer_auth(&program.key),
            "not-your-session",
        ),
        (
            "a page with the token",
            post(&way)
                .bearer_auth(&token)
                .header("sec-fetch-site", "cross-site"),
            "cross-site",
        ),
    ] {
        let (status, problem) = json_of(request).await;
        assert_eq!(
            (status, &problem["code"]),
            (403, &json!(code)),
            "{name}: {problem}"
        );
    }
    // The session before this one was started without.
    let old = before["id"].as_str().expect("an id");
    let refused = post(&way.replace(id, old)).bearer_auth(&token);
    assert_eq!(json_of(refused).await.0, 403, "another session's token");

    let (status, access) = json_of(post(&way).bearer_auth(&token)).await;
    assert_eq!(status, 200, "{access}");
    let text = |name: &str| access[name].as_str().expect(name).to_owned();
    let (url, bearer) = (text("url"), text("token"));
    let socket = url.replacen("http", "ws", 1);
    assert_eq!(text("websocket_url"), format!("{socket}/browser"));
    let (host, path) = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .expect("a URL");
    let version = format!("{}/{path}/json/version", program.url);
    let ask = || program.http.get(&version).header("host", host);
    let (status, said) = json_of(ask().bearer_auth(&bearer)).await;
    let found = said["webSocketDebuggerUrl"].as_str().unwrap_or_default();
    let is_here = found.starts_with(&format!("{socket}/devtools/browser/"));
    assert!(status == 200 && is_here, "{status} {said}");
    let cookie = format!("cast-session={bearer}");
    for (name, request) in [
        ("nothing", ask()),
        ("the claim's token", ask().bearer_auth(&token)),
        ("the token as a cookie", ask().header("cookie", cookie)),
        (
            "a page",
            ask()
                .bearer_auth(&bearer)
                .header("origin", format!("http://{host}")),
        ),
    ] {
        assert_eq!(json_of(request).await.0, 403, "{name}");
    }
    let end = post(&way.replace("/devtools", "/end")).bearer_auth(&token);
    assert_eq!(
        json_of(end.header("accept", "application/json")).await.0,
        200
    );
    let over = soon(async || json_of(ask().bearer_auth(&bearer)).await.0 == 410);
    assert!(
        over.await,
        "{:?}",
        json_of(ask().bearer_auth(&bearer)).await
    );
    let late = json_of(post(&way).bearer_auth(&token)).await;
    assert_eq!((late.0, &late.1["code"]), (410, &json!("session-ended")));
}
