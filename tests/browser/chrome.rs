//! Owns the browser: chromedriver on a port of its own, windows, screenshots, and the program that
//! they visit.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use casting_identity::web_client;
use casting_tests::engine::Engine;
use casting_tests::processes::soon;
use casting_tests::program::Program;
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::process::{ChildStdin, Command};

/// Starts chromedriver on a port (`$1`) with a folder (`$0`) for its browsers, and ends both with
/// its input: also when a test fails or the suite is killed, which closes the pipe.
const KEEPER: &str = r#"
mkdir "$0"
TMPDIR="$0" chromedriver "--port=$1" >/dev/null 2>&1 &
driver=$!
cat >/dev/null
kill "$driver"
pkill -KILL -f -- "--user-data-dir=$0"
wait
rm -rf "$0"
"#;

/// chromedriver, for as long as it is held.
pub struct Driver {
    /// The input of what keeps it.
    _input: ChildStdin,
    url: String,
}

/// How a window shall be.
#[derive(Clone, Copy)]
pub struct Look {
    pub dark: bool,
    pub phone: bool,
    /// It is touched, and its screen is a phone's in all that pages can know.
    pub touch: bool,
    pub scripting: bool,
    /// Everything that it loads is noted, for `page_audit::check_accessibility`.
    pub watched: bool,
    /// Whether it keeps cookies.
    pub cookies: bool,
}

/// A window whose pages `page_audit` looks at.
pub const WATCHED: Look = Look {
    watched: true,
    ..DESK
};

/// The looks that every page is tried in, with their names.
pub const LOOKS: [(&str, Look); 3] = [
    ("light", WATCHED),
    (
        "dark",
        Look {
            dark: true,
            ..WATCHED
        },
    ),
    (
        "phone",
        Look {
            phone: true,
            ..WATCHED
        },
    ),
];

/// A window on a desk, in daylight.
pub const DESK: Look = Look {
    dark: false,
    phone: false,
    touch: false,
    scripting: true,
    watched: false,
    cookies: true,
};

/// A phone: narrow, dense, touched.
pub const PHONE: Look = Look {
    phone: true,
    touch: true,
    ..DESK
};

impl Driver {
    pub async fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let folder = std::env::temp_dir().join(format!("casting-browser-{port}"));
        let keeper = Command::new("sh")
            .args(["-c", KEEPER])
            .arg(folder)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let input = keeper.expect("a shell").stdin.take().expect("its input");
        let url = format!("http://127.0.0.1:{port}");
        let http = web_client::build(Duration::from_secs(2)).expect("a client");
        assert!(
            soon(async || http.get(format!("{url}/status")).send().await.is_ok()).await,
            "chromedriver answers; on Debian it comes with the package chromium-driver"
        );
        Self { _input: input, url }
    }

    /// A window of a browser with a new profile.
    pub async fn window(&self, look: Look) -> Client {
        let mut arguments = vec![
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-dev-shm-usage",
            // As people's browsers say it: pages start nothing for programs.
            "--disable-blink-features=AutomationControlled",
            "--user-agent=Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/140.0.0.0 Safari/537.36",
        ];
        arguments.extend([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            // Names of a network at home, where no name is a secure context.
            "--host-resolver-rules=MAP *.lan 127.0.0.1",
        ]);
        arguments.push(if look.phone {
            "--window-size=390,844"
        } else {
            "--window-size=1100,800"
        });
        if look.dark {
            arguments.extend([
                "--force-dark-mode",
                "--blink-settings=preferredColorScheme=0",
            ]);
        }
        let [scripting, cookies] = [look.scripting, look.cookies].map(|on| if on { 1 } else { 2 });
        let mut options = json!({"args": arguments, "prefs": {
            "profile.managed_default_content_settings.javascript": scripting,
            "profile.managed_default_content_settings.cookies": cookies,
        }});
        if look.touch {
            options["mobileEmulation"] = json!({
                "deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 2.0, "touch": true, "mobile": true},
                "userAgent": "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) \
                              Chrome/140.0.0.0 Mobile Safari/537.36",
            });
        }
        let capabilities = json!({
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "SEVERE", "performance": if look.watched { "ALL" } else { "OFF" }},
        });
        let capabilities: Map<String, Value> =
            capabilities.as_object().cloned().expect("an object");
        ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&self.url)
            .await
            .expect("a browser")
    }
}

/// The program, with everything in memory.
pub struct CastingProgram(Program);

impl CastingProgram {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The program with these options besides.
    pub async fn with(options: &[&str]) -> Self {
        let usual = ["--memory", "--port", "0", "--reach", "127.0.0.1"];
        let program = Program::start(usual.iter().chain(options)).await;
        Self(program.expect("starts"))
    }

    /// The program with an engine for containers.
    pub async fn with_engine(engine: &Engine) -> Self {
        Self(Program::start_with(engine).await.expect("starts"))
    }

    /// The program at a name that only browsers know (`*.lan`). Its API is asked by its address.
    pub async fn named(host: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port()
            .to_string();
        let public_url = format!("http://{host}:{port}");
        let options = ["--memory", "--port", &port, "--public-url", &public_url];
        let mut program = Program::start(options).await.expect("starts");
        program.url = format!("http://127.0.0.1:{port}");
        Self(program)
    }

    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The administrator's key.
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// The password of the demo user who administers.
    pub fn demo_password(&self) -> &str {
        &self.0.demo_password
    }

    /// How an address answers a program without cookies.
    pub async fn status(&self, url: &str) -> u16 {
        self.0
            .http
            .get(url)
            .send()
            .await
            .expect("an answer")
            .status()
            .as_u16()
    }

    /// A program without cookies claims a session of the link with this key.
    pub async fn claim(&self, key: &str) {
        let (http, url) = (&self.0.http, &self.0.url);
        let described = http.get(format!("{url}/api/casts/{key}")).send().await;
        let described = described.expect("an answer").json::<Value>().await;
        let ticket = json!({"ticket": described.expect("a document")["ticket"]});
        let claims = http.post(format!("{url}/cast/{key}/claims")).json(&ticket);
        let claimed = claims.send().await.expect("an answer");
        assert!(claimed.status().is_success(), "{}", claimed.status());
    }

    /// Asks the admin API.
    pub async fn admin(&self, method: Method, path: &str, body: &Value) -> Value {
        let answer = self
            .0
            .admin(method, path)
            .json(body)
            .send()
            .await
            .expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The id of the image of this name.
    pub async fn image(&self, name: &str) -> String {
        let images = self.admin(Method::GET, "images", &Value::Null).await;
        let found = images["items"]
            .as_array()
            .and_then(|images| images.iter().find(|image| image["name"] == name));
        found
            .and_then(|image| image["id"].as_str())
            .expect("is always there where its packages are")
            .to_owned()
    }

    /// A cast of the demo app without limits, with these fields on top; returns its link.
    pub async fn link(&self, fields: &Value) -> String {
        let mut document = json!({"name": "Test", "image_id": self.image("Demo app").await, "allow_anonymous": true});
        for (name, value) in fields.as_object().expect("an object") {
            document[name] = value.clone();
        }
        self.admin(Method::POST, "casts", &document).await["url"]
            .as_str()
            .expect("a link")
            .to_owned()
    }
}

fn screenshots() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Keeps what the window shows.
pub async fn shoot(window: &Client, name: &str) {
    let picture = window.screenshot().await.expect("a screenshot");
    assert!(picture.len() > 2000, "{name}: an empty picture");
    std::fs::write(screenshots().join(format!("{name}.png")), picture).expect("can be written");
}

/// What the browser complained of, such as a script that the page's policy does not let in; failed
/// loads of refused pages are none.
pub async fn console(window: &Client) -> Vec<String> {
    let of_page = |entry: &Value| entry["source"] != "network";
    let entries = log(window, "browser").await.into_iter().filter(of_page);
    entries
        .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// What a log of the browser has got since it was last read.
pub async fn log(window: &Client, name: &'static str) -> Vec<Value> {
    window
        .issue_cmd(Log(name))
        .await
        .expect("a log")
        .as_array()
        .cloned()
        .unwrap_or_default()
}

/// Asks the browser for something that WebDriver has no words for, by its DevTools.
pub async fn devtools(window: &Client, command: &'static str, parameters: Value) -> Value {
    let asked = DevTools(command, parameters);
    window.issue_cmd(asked).await.expect(command)
}

#[derive(Debug)]
struct DevTools(&'static str, Value);

impl fantoccini::wd::WebDriverCompatibleCommand for DevTools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/goog/cdp/execute"))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({"cmd": self.0, "params": self.1});
        (http::Method::POST, Some(body.to_string()))
    }
}

#[derive(Debug)]
struct Log(&'static str);

impl fantoccini::wd::WebDriverCompatibleCommand for Log {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (
            http::Method::POST,
            Some(json!({"type": self.0}).to_string()),
        )
    }
}

/// The text of the page.
pub async fn text(window: &Client) -> String {
    match window.find(Locator::Css("body")).await {
        Ok(body) => body.text().await.unwrap_or_default(),
        Err(_) => String::new(),
    }
}

/// What a script in the page returns.
pub async fn run(window: &Client, script: &str) -> Value {
    window.execute(script, vec![]).await.expect("runs")
}

/// Whether a script in the page returns true within two minutes.
pub async fn holds(window: &Client, script: &str) -> bool {
    let mut seen = false;
    for _ in 0..4 {
        let asked = async || window.execute(script, vec![]).await.ok() == Some(json!(true));
        seen = seen || soon(asked).await;
    }
    seen
}

/// The element of a page, which may still be loading or on its way to the next page.
pub async fn element(window: &Client, selector: &str) -> Element {
    let mut found = None;
    soon(async || {
        found = window.find(Locator::Css(selector)).await.ok();
        found.is_some()
    })
    .await;
    assert!(found.is_some(), "{selector}: {}", text(window).await);
    found.expect(selector)
}

/// Clicks an element as soon as it is there and nothing covers it.
pub async fn click(window: &Client, selector: &str) {
    click_at(window, Locator::Css(selector), selector).await;
}

/// The same with another way to find it; `name` is what a failure says of it.
pub async fn click_at(window: &Client, at: Locator<'_>, name: &str) {
    let clicked = soon(async || match window.find(at).await {
        Ok(element) => element.click().await.is_ok(),
        Err(_) => false,
    });
    let clicked = clicked.await;
    assert!(clicked, "{name} can be clicked: {}", text(window).await);
}

/// The text of one element; empty while it is not there.
pub async fn text_of(window: &Client, selector: &str) -> String {
    match window.find(Locator::Css(selector)).await {
        Ok(element) => element.text().await.unwrap_or_default(),
        Err(_) => String::new(),
    }
}

/// Puts the tips away and goes on inside the session's app, as soon as the viewer shows it. A streaming server's first start on a machine may take a minute.
pub async fn into_app(window: &Client) {
    let has_app = async || window.find(Locator::Css("#app")).await.is_ok();
    let there = soon(has_app).await || soon(has_app).await;
    assert!(
        there,
        "no viewer; the page at {:?} says: {}",
        window.current_url().await,
        text(window).await
    );
    if let Ok(button) = window.find(Locator::Css("#tips[open] button")).await {
        button.click().await.expect("can be clicked");
    }
    window
        .find(Locator::Css("#app"))
        .await
        .expect("is there")
        .enter_frame()
        .await
        .expect("a frame");
}

/// Waits until the page shows a text.
pub async fn wait_for(window: &Client, selector: &str, wanted: &str) {
    let seen = soon(async || text_of(window, selector).await.contains(wanted)).await;
    assert!(
        seen,
        "{wanted:?} in {selector}; the page at {:?} says: {}",
        window.current_url().await,
        text(window).await
    );
}
