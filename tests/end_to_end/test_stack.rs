//! Owns the test stack: a local stack of its own for each test, with a clock that the test sets,
//! and clients that call it.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use casting_boot::{SystemClock, SystemEntropy};
use casting_core::deployment::FirstLimits;
use casting_core::event_bus::EventBusArn;
use casting_core::ports::EventBus;
use casting_core::testing::{NOON, SetClock};
use casting_core::ticket::LoginTicket;
use casting_core::time::{Clock, Timestamp};
use casting_core::user::User;
use casting_identity::oidc::OidcSettings;
use casting_identity::web_client;
use casting_local::stack::{Freedom, Stack, StackSettings, TaskKind};
use casting_tests::binaries;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// A local stack and what a test needs to use it.
pub struct TestStack {
    /// The stack itself.
    pub local: Stack,
    pub clock: Arc<SetClock>,
    /// A program that keeps no cookies and follows no redirects.
    pub http: Client,
}

/// Everything about an answer.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response: Response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self {
            status,
            headers,
            text: response.text().await.expect("a body"),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("text"))
            .unwrap_or_default()
    }

    /// The code of the problem document.
    pub fn code(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text
        );
        self.json()["code"].as_str().expect("a code").to_owned()
    }
}

/// The header of a browser that has kept the cookie of a link's page.
pub const KEPT_COOKIE: (&str, &str) = ("cookie", "cast-probe=yes");

/// A client at its own IP address, 192.0.2.n.
#[derive(Clone, Copy)]
pub struct Caller(pub u8);

impl Caller {
    pub fn address(self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, self.0))
    }
}

impl TestStack {
    /// Tasks that are nothing but their rows.
    pub async fn start() -> Self {
        Self::with(NOON, |_| {}).await
    }

    /// The same, of a deployment that begins with these limits.
    pub async fn beginning_with(first_limits: FirstLimits) -> Self {
        Self::with(NOON, |settings| settings.first_limits = first_limits).await
    }

    /// Tasks that are processes. Gates have a clock of their own, so this stack begins at the
    /// machine's time.
    pub async fn with_processes() -> Self {
        Self::with_containers(None).await
    }

    /// The same, and containers in the engine with this socket.
    pub async fn with_containers(engine: Option<PathBuf>) -> Self {
        let tasks = TaskKind::Processes {
            executable: binaries::path("casting"),
            engine,
            freedom: Freedom::default(),
        };
        Self::with(SystemClock.now(), |settings| settings.tasks = tasks).await
    }

    /// Logins at this provider, whose clock is the machine's.
    pub async fn with_login(login: OidcSettings) -> Self {
        let login = Some(login);
        Self::with(SystemClock.now(), |settings| settings.login = login).await
    }

    /// A stack that knows where addresses are, by these files.
    pub async fn with_geo_databases(files: Vec<PathBuf>) -> Self {
        Self::with(NOON, |settings| settings.geo_databases = files).await
    }

    /// A stack that may send events to a bus.
    pub async fn with_event_bus(arn: EventBusArn, bus: Arc<dyn EventBus>) -> Self {
        Self::with(NOON, |settings| settings.event_bus = Some((arn, bus))).await
    }

    async fn with(now: Timestamp, change: impl FnOnce(&mut StackSettings)) -> Self {
        let clock = Arc::new(SetClock::at(now));
        let mut settings = StackSettings {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            data: None,
            reset: false,
            public_url: None,
            session_url: None,
            demo_logins: false,
            open_endpoints: false,
            login: None,
            geo_databases: Vec::new(),
            event_bus: None,
            behind_proxy: true,
            tasks: TaskKind::Simulated,
            starts_per_second: None,
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy::new()),
            sweep_every: None,
            first_limits: FirstLimits::default(),
        };
        change(&mut settings);
        let local = Box::pin(Stack::start(settings)).await.expect("a stack");
        let http = web_client::build(Duration::from_secs(30)).expect("a client");
        Self { local, clock, http }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.local.url))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// The admin API, with the administrator's key.
    pub async fn admin(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self
            .request(method, &format!("/api/admin/{path}"))
            .bearer_auth(&self.local.admin_key);
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::of(request).await
    }

    /// The demo image's id.
    pub async fn image(&self) -> String {
        let images = self.admin(Method::GET, "images", None).await.json();
        let is_demo = |image: &&Value| image["name"] == "Demo app";
        let demo = images["items"]
            .as_array()
            .and_then(|images| images.iter().find(is_demo))
            .expect("the demo image");
        demo["id"].as_str().expect("an id").to_owned()
    }

    /// A cast without limits, with these fields on top; returns the API's document.
    pub async fn cast(&self, fields: &Value) -> Value {
        let mut document =
            json!({"name": "Test", "image_id": self.image().await, "allow_anonymous": true});
        for (name, value) in fields.as_object().expect("an object") {
            document[name] = value.clone();
        }
        let answer = self.admin(Method::POST, "casts", Some(&document)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    /// The status with which another cast with this key is refused.
    pub async fn cast_with_key_is_refused(&self, key: &str) -> u16 {
        let document = json!({"name": "Another", "key": key, "image_id": self.image().await});
        self.admin(Method::POST, "casts", Some(&document))
            .await
            .status
    }

    /// The description of a link for a program at this address.
    pub async fn describe(&self, from: Caller, key: &str, query: &str) -> Answer {
        let request = self.request(Method::GET, &format!("/api/casts/{key}{query}"));
        Answer::of(request.header("x-forwarded-for", from.address().to_string())).await
    }

    /// A program's claim with this document.
    pub async fn claim_with(&self, from: Caller, key: &str, document: &Value) -> Answer {
        let request = self
            .request(Method::POST, &format!("/cast/{key}/claims"))
            .json(document);
        Answer::of(request.header("x-forwarded-for", from.address().to_string())).await
    }

    /// The cookie of this user's login.
    pub fn login(&self, user: &User) -> String {
        let ticket = LoginTicket {
            user: user.clone(),
            expires: self.clock.now().plus_seconds(3600),
        };
        format!("cast-login={}", ticket.sign(&self.local.control_plane.keys))
    }

    /// A program opens a link and claims a session; the refusal may come at either.
    pub async fn claim(&self, from: Caller, key: &str) -> Answer {
        let described = self.describe(from, key, "").await;
        if described.status != 200 {
            return described;
        }
        self.claim_with(from, key, &json!({"ticket": described.json()["ticket"]}))
            .await
    }

    /// What is left of a cast's Sessions Remaining.
    pub async fn remaining(&self, cast: &Value) -> Value {
        let id = cast["id"].as_str().expect("an id");
        self.admin(Method::GET, &format!("casts/{id}"), None)
            .await
            .json()["sessions_remaining"]
            .clone()
    }

    /// Returns once the session's row knows that its task runs: news of tasks comes by itself, a
    /// moment after the claim.
    pub async fn wait_until_running(&self, id: &str) {
        let mut session = Value::Null;
        for _ in 0..200 {
            let path = format!("sessions/{id}");
            session = self.admin(Method::GET, &path, None).await.json();
            if session["task"]["status"] == "running" {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the task does not run: {session}");
    }

    /// Every row of every table that holds money, limits or settings. (Refusals are counted beside
    /// them.)
    pub async fn ledger(&self) -> BTreeMap<String, HashMap<String, AttributeValue>> {
        let store = &self.local.dynamodb;
        let mut rows = BTreeMap::new();
        for (name, schema) in store
            .tables()
            .schemas()
            .filter(|(_, schema)| schema.name != "claims")
        {
            let items = store
                .client()
                .scan()
                .table_name(name)
                .send()
                .await
                .expect("a scan")
                .items
                .unwrap_or_default();
            rows.extend(items.into_iter().map(|item| {
                (
                    format!("{} {:?} {:?}", schema.name, item.get("kind"), item["id"]),
                    item,
                )
            }));
        }
        rows
    }
}
