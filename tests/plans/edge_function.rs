//! The edge in AWS, run under Node, and the Rust edge, by the same tables: both must mean the same.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use casting_core::ids::{Nonce, SessionId};
use casting_core::keys::{Keyring, SessionKeys};
use casting_core::session_origin::SessionOrigin;
use casting_core::testing::{NOON, SeededEntropy, SetClock};
use casting_core::ticket::{
    EntryTicket, GoTicket, OwnerTicket, Role, SessionTicket, Watcher, WatcherKind,
};
use casting_gate::edge::EdgeSettings;
use casting_gate::places::Places;
use casting_gate::session_host::SessionHost;
use serde_json::{Value, json};

const FUNCTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/edge/router.js");
const WAY_BACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/edge/return.js");
const HARNESS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/edge_function.mjs");
const KEY: [u8; 32] = [5; 32];
const NEXT_KEY: [u8; 32] = [6; 32];
const CONTROL: &str = "https://cast.example.com";
const NAMES: &str = "{session}.cast.example.com";
const PATHS: &str = "/s/{session}";
const GATE: &str = "192.0.2.7";
const GATE_PORT: u16 = 18_080;

fn app_host(n: u8) -> String {
    format!("app-{}.cast.example.com", session(n))
}

fn session(n: u8) -> SessionId {
    SessionId::from_bytes([n; 16])
}

fn owner(n: u8) -> SessionTicket {
    SessionTicket {
        session: session(n),
        role: Role::Owner,
        watcher: None,
        origin: Some(SessionOrigin::Viewer),
        host: GATE.into(),
        port: GATE_PORT,
        expires: NOON.plus_seconds(60),
    }
}

fn watcher() -> SessionTicket {
    SessionTicket {
        role: Role::Viewer,
        watcher: Some(Watcher {
            id: "1".into(),
            name: "Ada Łovelace \"quoted\" \u{2028}".into(),
            round: 1,
            kind: WatcherKind::Guest,
        }),
        ..owner(1)
    }
}

/// The same ticket for another origin; `None`: as the release before made them.
fn at(origin: Option<SessionOrigin>, ticket: SessionTicket) -> SessionTicket {
    SessionTicket { origin, ..ticket }
}

const APP: Option<SessionOrigin> = Some(SessionOrigin::App);
const DEVTOOLS: Option<SessionOrigin> = Some(SessionOrigin::Devtools);
const SHARED: Option<SessionOrigin> = Some(SessionOrigin::Shared);

fn sign(key: &[u8; 32], ticket: &SessionTicket) -> String {
    ticket.sign(Keyring::new(key).sessions().named(""))
}

/// What stands in an address that is good for half a minute.
fn entry(key: &[u8; 32], ticket: &SessionTicket) -> String {
    let entry = EntryTicket {
        ticket: ticket.clone(),
        nonce: Nonce::from_bytes([7; 16]),
        expires: NOON.plus_seconds(30),
    };
    entry.sign(Keyring::new(key).sessions().named(""))
}

/// A request, and what must come of it.
#[derive(Clone)]
struct Case {
    name: &'static str,
    keys: String,
    template: &'static str,
    host: String,
    method: &'static str,
    uri: String,
    cookies: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, &'static str)>,
    /// Seconds since noon.
    after: u64,
    wanted: Wanted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Passed,
    Answered(u16),
}

const STRANGER: Wanted = Wanted::Answered(403);
const USED: Wanted = Wanted::Answered(410);
const ENDED: Wanted = Wanted::Answered(410);

/// A request of session 1's visitor, with this cookie.
fn asks(name: &'static str, uri: &str, cookie: &str, wanted: Wanted) -> Case {
    let cookie = (!cookie.is_empty()).then(|| ("__Host-cast-session", cookie.to_owned()));
    Case {
        name,
        keys: Keyring::edge_key(&KEY),
        template: NAMES,
        host: format!("{}.cast.example.com", session(1)),
        method: "GET",
        uri: uri.to_owned(),
        cookies: cookie.into_iter().collect(),
        headers: Vec::new(),
        after: 0,
        wanted,
    }
}

fn enters(name: &'static str, entry: &str, wanted: Wanted) -> Case {
    asks(name, &format!("/.cast/enter?ticket={entry}"), "", wanted)
}

/// What came of a request, as both edges can say it.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Answered {
        status: u16,
        location: Option<String>,
    },
    Passed {
        gate: String,
        uri: String,
        headers: BTreeMap<String, String>,
    },
}

impl Outcome {
    fn header(&self, name: &str) -> Option<&str> {
        match self {
            Self::Passed { headers, .. } => headers.get(name).map(String::as_str),
            Self::Answered { .. } => None,
        }
    }

    /// Where this leads, with the entry ticket opened and taken out: its nonce is another each
    /// time.
    fn led_to_app(&self) -> Option<(String, EntryTicket)> {
        let Self::Answered { location, .. } = self else {
            return None;
        };
        let (before, rest) = location.as_deref()?.split_once("ticket=")?;
        let (ticket, after) = rest.split_at(rest.find('&').unwrap_or(rest.len()));
        let keys = Keyring::new(&KEY);
        let (entry, _) = EntryTicket::open(ticket, keys.sessions(), NOON).expect("an entry ticket");
        Some((format!("{before}{after}"), entry))
    }

    fn without_nonce(&self) -> (Option<(String, EntryTicket)>, Option<&Self>) {
        let led = self.led_to_app().map(|(to, entry)| {
            let nonce = Nonce::from_bytes([0; 16]);
            (to, EntryTicket { nonce, ..entry })
        });
        let whole = led.is_none().then_some(self);
        (led, whole)
    }

    fn wanted(&self) -> Wanted {
        match self {
            Self::Answered { status, .. } => Wanted::Answered(*status),
            Self::Passed { .. } => Wanted::Passed,
        }
    }
}

/// Headers that both edges decide on; what else travels is the business of what carries them.
fn is_decided(name: &str) -> bool {
    name.starts_with("x-") || ["forwarded", "accept", "authorization"].contains(&name)
}

/// The status of the page of the control plane that this address shows in place of the edge's own.
fn said_by_control_plane(location: &str) -> Option<u16> {
    let path = location.strip_prefix(CONTROL)?;
    let (page, notice) = path.split_once("?notice=").unwrap_or((path, ""));
    let is_sessions = [1, 2]
        .into_iter()
        .any(|n| page == format!("/session/{}", session(n)));
    match (page, notice) {
        ("/error/not-found", "") => Some(404),
        (_, "not-yours") if is_sessions => Some(403),
        (_, "used" | "ended") if is_sessions => Some(410),
        _ => panic!("there is no such page: {location}"),
    }
}

impl Case {
    /// The same as a browser asks for a page.
    fn of_page(&self, header: (&'static str, &'static str)) -> Self {
        let mut case = self.clone();
        case.headers.push(header);
        case
    }

    /// The same at the app's host.
    fn of_app(self) -> Self {
        Self {
            host: app_host(1),
            ..self
        }
    }

    /// The same below a path.
    fn of_path(self) -> Self {
        let kept = self
            .cookies
            .into_iter()
            .map(|(_, ticket)| ("cast-session", ticket));
        Self {
            template: PATHS,
            host: "d1.cloudfront.net".into(),
            uri: format!("/s/{}{}", session(1), self.uri),
            cookies: kept.collect(),
            ..self
        }
    }

    fn query(&self) -> Vec<(String, String)> {
        let query = self.uri.split_once('?').map_or("", |(_, query)| query);
        url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect()
    }

    /// As CloudFront hands it to the function.
    fn for_function(&self) -> Value {
        let several = |pairs: Vec<(String, String)>| {
            let mut map = serde_json::Map::new();
            for (name, value) in pairs {
                let one = json!({ "value": value });
                match map.get_mut(&name) {
                    None => {
                        map.insert(name, one);
                    }
                    Some(known) => {
                        if known["multiValue"].is_null() {
                            known["multiValue"] = json!([{ "value": known["value"] }]);
                        }
                        if let Some(all) = known["multiValue"].as_array_mut() {
                            all.push(one);
                        }
                    }
                }
            }
            Value::Object(map)
        };
        let cookies = self
            .cookies
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let mut headers = json!({ "host": { "value": self.host } });
        for (name, value) in &self.headers {
            headers[*name] = json!({ "value": value });
        }
        let path = self.uri.split('?').next();
        json!({
            "store": {"keys": self.keys, "session-host": self.template, "control-url": CONTROL,
                "gate-host": "ec2-{address}.eu-central-1.compute.amazonaws.com"},
            "now": NOON.plus_seconds(self.after).millis(),
            "request": {"method": self.method, "uri": path, "cookies": several(cookies),
                "querystring": several(self.query()), "headers": headers},
        })
    }

    fn by_function(seen: &Value) -> Outcome {
        let answer = &seen["answer"];
        if let Some(status) = answer["statusCode"].as_u64() {
            assert_eq!(seen["origin"], Value::Null, "an answer goes nowhere");
            let https_only = &answer["headers"]["strict-transport-security"]["value"];
            assert_eq!(https_only, "max-age=31536000", "{answer}");
            let location = answer["headers"]["location"]["value"].as_str();
            // Where a page is led is what the Rust edge says itself.
            let said = location.and_then(said_by_control_plane);
            return Outcome::Answered {
                status: said.unwrap_or(u16::try_from(status).expect("a status")),
                location: location.filter(|_| said.is_none()).map(str::to_owned),
            };
        }
        let origin = &seen["origin"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let host = text(&origin["domainName"]);
        let address = host
            .strip_prefix("ec2-")
            .and_then(|rest| rest.split_once('.'))
            .map(|(address, _)| address.replace('-', "."));
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in answer["headers"].as_object().into_iter().flatten() {
            headers.insert(name.clone(), text(&value["value"]));
        }
        for (name, value) in origin["customHeaders"].as_object().into_iter().flatten() {
            headers.insert(name.clone(), text(value));
        }
        assert_eq!(origin["hostHeader"], json!(headers["host"]), "{seen}");
        headers.retain(|name, _| is_decided(name));
        let query: Vec<String> = answer["querystring"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name}={}", text(&value["value"])))
            .collect();
        let query = match query.join("&") {
            query if query.is_empty() => query,
            query => format!("?{query}"),
        };
        Outcome::Passed {
            gate: format!(
                "{}:{}",
                address.unwrap_or(host),
                origin["customOriginConfig"]["port"]
            ),
            uri: format!("{}{query}", text(&answer["uri"])),
            headers,
        }
    }

    fn rust_edge(&self) -> EdgeSettings {
        let clock = SetClock::at(NOON.plus_seconds(self.after));
        EdgeSettings {
            keys: SessionKeys::parse(&self.keys).expect("keys"),
            session_host: SessionHost::parse(self.template).expect("a template"),
            places: Places::default(),
            control_url: Some(CONTROL.parse().expect("a URL")),
            secure_cookies: true,
            clock: Arc::new(clock),
            entropy: Arc::new(SeededEntropy::new(self.after)),
        }
    }

    fn for_rust(&self) -> http::Request<()> {
        let mut request = http::Request::builder()
            .method(self.method)
            .uri(&self.uri)
            .header("host", &self.host)
            .body(())
            .expect("a request");
        let headers = request.headers_mut();
        for (name, value) in &self.headers {
            headers.insert(*name, value.parse().expect("a value"));
        }
        for (name, value) in &self.cookies {
            let cookie = format!("{name}={value}").parse().expect("a value");
            headers.append("cookie", cookie);
        }
        request
    }

    fn by_rust(&self) -> Outcome {
        match self.rust_edge().decide_on(self.for_rust()) {
            Ok(onward) => Outcome::Passed {
                gate: onward.gate.authority().to_owned(),
                uri: onward.parts.uri.to_string(),
                headers: onward
                    .parts
                    .headers
                    .iter()
                    .filter(|(name, _)| is_decided(name.as_str()))
                    .map(|(name, value)| {
                        (name.to_string(), value.to_str().expect("text").to_owned())
                    })
                    .collect(),
            },
            Err(reply) => Outcome::Answered {
                status: reply.status().as_u16(),
                location: reply
                    .headers()
                    .get("location")
                    .map(|value| value.to_str().expect("text").to_owned()),
            },
        }
    }
}

/// Puts all cases to both edges, and gives what came of each.
///
/// Each is put as a program's request, and as a page's: the function answers the latter by a page of
/// the control plane.
fn by_both(cases: &[Case]) -> Vec<Outcome> {
    let pages: Vec<Case> = cases
        .iter()
        .map(|case| case.of_page(("accept", "text/html,*/*;q=0.8")))
        .collect();
    by_both_as(&pages);
    by_both_as(cases)
}

fn by_both_as(cases: &[Case]) -> Vec<Outcome> {
    let asked: Vec<Value> = cases.iter().map(Case::for_function).collect();
    let seen = run_function(FUNCTION, &asked);
    let outcomes: Vec<Outcome> = cases.iter().map(Case::by_rust).collect();
    for ((case, seen), outcome) in cases.iter().zip(&seen).zip(&outcomes) {
        let name = case.name;
        assert!(seen["answer"]["failed"].is_null(), "{name}: {seen}");
        let by_function = Case::by_function(seen);
        assert_eq!(
            by_function.without_nonce(),
            outcome.without_nonce(),
            "{name}: the two differ"
        );
        assert_eq!(outcome.wanted(), case.wanted, "{name}");
    }
    outcomes
}

fn run_function(function: &str, cases: &[Value]) -> Vec<Value> {
    let mut node = Command::new("node")
        .args([HARNESS, function])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node; test.sh installs it");
    node.stdin
        .take()
        .expect("its input")
        .write_all(json!(cases).to_string().as_bytes())
        .expect("written");
    let output = node.wait_with_output().expect("ends");
    serde_json::from_slice(&output.stdout).expect("what the function answered")
}

#[test]
fn both_edges_accept_only_valid_tickets() {
    let both = format!(
        "{},{}",
        Keyring::edge_key(&NEXT_KEY),
        Keyring::edge_key(&KEY)
    );
    let good = sign(&KEY, &owner(1));
    let (body, signature) = good.rsplit_once('.').expect("has dots");
    let page_owner = OwnerTicket {
        session: session(1),
        expires: NOON.plus_seconds(60),
    };
    let secret = Keyring::new(&KEY).sessions().secret(&session(1));
    // What a task ever holds: its gate's secret, and what that signs.
    let order = GoTicket {
        session: session(1),
        url: "https://a.example".into(),
        at: NOON,
        expires: NOON.plus_seconds(60),
    };
    let later = |after, case: Case| Case { after, ..case };
    let cases = [
        asks("a good ticket", "/a?b=c", &good, Wanted::Passed),
        asks("a watcher's", "/a", &sign(&KEY, &watcher()), Wanted::Passed),
        later(59, asks("just in time", "/a", &good, Wanted::Passed)),
        Case {
            cookies: vec![("cast-session", "x".into()), ("cast-session", good.clone())],
            ..asks("planted cookies beside it", "/a", "", Wanted::Passed)
        },
        Case {
            keys: both,
            ..asks("from before a change of keys", "/a", &good, Wanted::Passed)
        },
        later(60, asks("expired", "/a", &good, STRANGER)),
        asks("none", "/a", "", STRANGER),
        asks("another session's", "/a", &sign(&KEY, &owner(2)), STRANGER),
        asks(
            "another deployment's",
            "/a",
            &sign(&NEXT_KEY, &owner(1)),
            STRANGER,
        ),
        asks("an entry ticket", "/a", &entry(&KEY, &owner(1)), STRANGER),
        asks(
            "of another kind",
            "/a",
            &page_owner.sign(&Keyring::new(&KEY)),
            STRANGER,
        ),
        asks(
            "signed in the session",
            "/a",
            &order.sign(&secret),
            STRANGER,
        ),
        asks("cut", "/a", &good[..good.len() - 1], STRANGER),
        asks("without a signature", "/a", &format!("{body}."), STRANGER),
        asks(
            "with more dots",
            "/a",
            &format!("{body}.{signature}.x"),
            STRANGER,
        ),
        asks("altered", "/a", &good.replacen("v1.e", "v1.f", 1), STRANGER),
        asks(
            "huge",
            "/a",
            &format!("v1.{}.x", "A".repeat(100_000)),
            STRANGER,
        ),
        asks(
            "below our own path",
            "/.cast/anything",
            &good,
            Wanted::Passed,
        ),
    ];
    let outcomes = by_both(&cases);
    for (case, outcome) in cases.iter().zip(&outcomes) {
        let name = case.name;
        if case.wanted != Wanted::Passed {
            let refused = Outcome::Answered {
                status: 403,
                location: None,
            };
            assert_eq!(*outcome, refused, "{name}");
            continue;
        }
        let told = outcome.header("x-cast-edge-visitor").unwrap_or_default();
        let proof = secret.edge_proof([told, "", ""]);
        assert_eq!(outcome.header("x-cast-edge-proof"), Some(&*proof), "{name}");
        let ticket = SessionTicket::read_payload(told, &session(1), NOON);
        assert_eq!(ticket.expect("a ticket").session, session(1), "{name}");
        for none in ["x-cast-edge-entry", "x-cast-edge-cookie"] {
            assert_eq!(outcome.header(none), None, "{name}: {none}");
        }
    }
}

#[test]
fn both_edges_accept_only_possible_gate_addresses() {
    let rows = [
        ("a public address", "192.0.2.7", GATE_PORT, true),
        ("a private address", "10.0.0.7", GATE_PORT, true),
        ("another port", "192.0.2.7", 18_081, false),
        ("the port of the web", "192.0.2.7", 80, false),
        ("loopback", "127.0.0.1", GATE_PORT, false),
        ("more of loopback", "127.99.0.1", GATE_PORT, false),
        ("loopback in eight", "0177.0.0.1", GATE_PORT, false),
        ("loopback in one", "2130706433", GATE_PORT, false),
        ("loopback, shortened", "127.1", GATE_PORT, false),
        ("this network", "0.0.0.0", GATE_PORT, false),
        ("metadata", "169.254.169.254", GATE_PORT, false),
        ("metadata of tasks", "169.254.170.2", GATE_PORT, false),
        ("a platform's services", "168.63.129.16", GATE_PORT, false),
        ("multicast", "224.0.0.1", GATE_PORT, false),
        ("broadcast", "255.255.255.255", GATE_PORT, false),
        ("no address", "192.0.2.256", GATE_PORT, false),
        ("a name", "gate.internal", GATE_PORT, false),
        ("a name of this machine", "localhost", GATE_PORT, false),
        ("loopback by IPv6", "::1", GATE_PORT, false),
        ("metadata by IPv6", "fd00:ec2::254", GATE_PORT, false),
        ("loopback, mapped", "::ffff:127.0.0.1", GATE_PORT, false),
        ("nothing", "", GATE_PORT, false),
    ];
    let mut cases = Vec::new();
    for (name, host, port, wanted) in rows {
        let ticket = SessionTicket {
            host: host.into(),
            port,
            ..owner(1)
        };
        let wanted = if wanted { Wanted::Passed } else { ENDED };
        cases.push(asks(name, "/a", &sign(&KEY, &ticket), wanted));
        cases.push(enters(name, &entry(&KEY, &ticket), wanted));
    }
    for (case, outcome) in cases.iter().zip(by_both(&cases)) {
        if let Outcome::Passed { gate, .. } = outcome {
            assert!(gate.ends_with(":18080"), "{}: {gate}", case.name);
        }
    }
}

#[test]
fn both_edges_exchange_an_entry_ticket_for_a_cookie() {
    let kept = sign(&KEY, &owner(1));
    let good = entry(&KEY, &owner(1));
    let watching = sign(&KEY, &watcher());
    let both = format!("/.cast/enter?ticket={good}");
    let later = |after, case: Case| Case { after, ..case };
    let ends_before = EntryTicket {
        ticket: SessionTicket {
            expires: NOON.plus_seconds(10),
            ..owner(1)
        },
        nonce: Nonce::from_bytes([7; 16]),
        expires: NOON.plus_seconds(30),
    };
    let ends_before = ends_before.sign(Keyring::new(&KEY).sessions().named(""));
    let cases = [
        later(10, enters("a good one", &good, Wanted::Passed)),
        later(29, enters("in the last second", &good, Wanted::Passed)),
        enters("a watcher's", &entry(&KEY, &watcher()), Wanted::Passed),
        asks(
            "with an order",
            &format!("{both}&go=v1.abc_-.def"),
            "",
            Wanted::Passed,
        ),
        asks(
            "with more",
            &format!("{both}&go=x%26next%3D//evil.example&x=1"),
            "",
            Wanted::Passed,
        ),
        Case {
            cookies: vec![("__Host-cast-session", kept.clone())],
            ..enters(
                "an owner who watches",
                &entry(&KEY, &watcher()),
                Wanted::Passed,
            )
        },
        Case {
            cookies: vec![("__Host-cast-session", watching.clone())],
            ..enters("a watcher again", &entry(&KEY, &watcher()), Wanted::Passed)
        },
        Case {
            cookies: vec![("__Host-cast-session", watching)],
            ..enters("a watcher who owns it", &good, Wanted::Passed)
        },
        later(30, enters("too late", &good, USED)),
        later(10, enters("after the session's end", &ends_before, USED)),
        enters("another session's", &entry(&KEY, &owner(2)), STRANGER),
        enters(
            "another deployment's",
            &entry(&NEXT_KEY, &owner(1)),
            STRANGER,
        ),
        enters("what a cookie holds", &kept, STRANGER),
        enters("altered", &format!("{good}A"), STRANGER),
        enters("nonsense", "nonsense", STRANGER),
        enters("twice", &format!("{good}&ticket={good}"), STRANGER),
        enters("two orders", &format!("{good}&go=a&go=b"), STRANGER),
        asks("without a ticket", "/.cast/enter", "", STRANGER),
        Case {
            method: "POST",
            ..enters("by POST", &good, STRANGER)
        },
        Case {
            method: "HEAD",
            ..enters("by HEAD", &good, STRANGER)
        },
    ];
    let outcomes = by_both(&cases);
    let flags = "Path=/; Max-Age=50; HttpOnly; SameSite=Lax; Secure";
    let cookie = format!("__Host-cast-session={kept}; {flags}");
    assert_eq!(outcomes[0].header("x-cast-edge-cookie"), Some(&*cookie));
    let nonce = Nonce::from_bytes([7; 16]);
    let told = format!("{}.{}", nonce.as_str(), NOON.plus_seconds(30).millis());
    let secret = Keyring::new(&KEY).sessions().secret(&session(1));
    for (case, outcome) in cases.iter().zip(&outcomes) {
        let name = case.name;
        let Outcome::Passed { uri, .. } = outcome else {
            continue;
        };
        let order = if name == "with an order" {
            "?go=v1.abc_-.def"
        } else {
            ""
        };
        assert_eq!(*uri, format!("/.cast/enter{order}"), "{name}");
        assert_eq!(outcome.header("x-cast-edge-entry"), Some(&*told), "{name}");
        let gives = outcome.header("x-cast-edge-cookie").unwrap_or_default();
        assert_eq!(gives.is_empty(), name == "an owner who watches", "{name}");
        let visitor = outcome.header("x-cast-edge-visitor").unwrap_or_default();
        let proof = secret.edge_proof([visitor, &told, gives]);
        assert_eq!(outcome.header("x-cast-edge-proof"), Some(&*proof), "{name}");
    }
}

#[test]
fn both_edges_take_each_ticket_at_its_own_origin_alone() {
    use Wanted::Passed;
    let origins = [Some(SessionOrigin::Viewer), APP, SHARED, None, DEVTOOLS];
    let mut cases = Vec::new();
    for (role, ticket) in [("owner", owner(1)), ("watcher", watcher())] {
        for (n, [viewer, app, path]) in [
            [Passed, STRANGER, STRANGER],
            [STRANGER, Passed, STRANGER],
            [STRANGER, STRANGER, Passed],
            // The release before: its gates frame what is on the origin where they are entered.
            [Passed, STRANGER, Passed],
            [STRANGER, STRANGER, STRANGER],
        ]
        .into_iter()
        .enumerate()
        {
            let ticket = at(origins[n], ticket.clone());
            let (kept, passing) = (sign(&KEY, &ticket), entry(&KEY, &ticket));
            cases.extend([
                asks(role, "/a", &kept, viewer),
                enters(role, &passing, viewer),
                asks(role, "/a", &kept, app).of_app(),
                enters(role, &passing, app).of_app(),
                asks(role, "/a", &kept, path).of_path(),
                enters(role, &passing, path).of_path(),
            ]);
        }
    }
    let other = sign(&KEY, &at(APP, owner(2)));
    let entering = entry(&KEY, &at(APP, owner(2)));
    cases.extend([
        asks("another session's", "/a", &other, STRANGER).of_app(),
        enters("another session's", &entering, STRANGER).of_app(),
        Case {
            cookies: vec![
                ("__Host-cast-session", sign(&KEY, &owner(1))),
                ("cast-session", sign(&KEY, &at(APP, watcher()))),
            ],
            ..asks("planted beside", "/a", "", Passed)
        }
        .of_app(),
    ]);
    for (case, outcome) in cases.iter().zip(by_both(&cases)) {
        let Some(told) = outcome.header("x-cast-edge-visitor") else {
            continue;
        };
        let ticket = SessionTicket::read_payload(told, &session(1), NOON).expect("a ticket");
        let is_app = case.host == app_host(1);
        assert_eq!(ticket.origin == APP, is_app, "{}", case.name);
        assert_eq!(outcome.header("x-forwarded-host"), Some(&*case.host));
    }
}

#[test]
fn both_edges_take_tickets_for_devtools_as_bearer_tokens_alone() {
    use Wanted::Passed;
    let path = "/.cast/devtools/json/version/";
    let good = sign(&KEY, &at(DEVTOOLS, owner(1)));
    let with = |name, path: &str, scheme: &str, token: &str, wanted| {
        let header = format!("{scheme} {token}").leak();
        Case {
            headers: vec![("authorization", header)],
            ..asks(name, path, "", wanted)
        }
    };
    let bearer = |name, token: &str, wanted| with(name, path, "Bearer", token, wanted);
    let viewer = Some(SessionOrigin::Viewer);
    let cases = [
        bearer("the owner's", &good, Passed),
        with("in small letters", path, "bearer ", &good, Passed),
        with(
            "a WebSocket's",
            "/.cast/devtools/browser",
            "Bearer",
            &good,
            Passed,
        ),
        with(
            "the address itself",
            "/.cast/devtools",
            "Bearer",
            &good,
            Passed,
        ),
        bearer("below a path", &good, Passed).of_path(),
        bearer("on the app's host", &good, STRANGER).of_app(),
        with("another scheme", path, "Basic", &good, STRANGER),
        with("a part of it", path, "Bearer", "v1.x", STRANGER),
        with("elsewhere", "/.cast/", "Bearer", &good, STRANGER),
        with("beside it", "/.cast/devtoolsx", "Bearer", &good, STRANGER),
        bearer("a page's", &sign(&KEY, &at(viewer, owner(1))), STRANGER),
        bearer("a path's", &sign(&KEY, &at(SHARED, owner(1))), STRANGER).of_path(),
        bearer("the app's", &sign(&KEY, &at(APP, owner(1))), STRANGER),
        bearer("an old one", &sign(&KEY, &at(None, owner(1))), STRANGER),
        bearer(
            "another session's",
            &sign(&KEY, &at(DEVTOOLS, owner(2))),
            STRANGER,
        ),
        bearer(
            "by another key",
            &sign(&[9; 32], &at(DEVTOOLS, owner(1))),
            STRANGER,
        ),
        Case {
            after: 60,
            ..bearer("expired", &good, STRANGER)
        },
        asks("as a cookie", path, &good, STRANGER),
        asks("a page's cookie", path, &sign(&KEY, &owner(1)), STRANGER),
    ];
    for (case, outcome) in cases.iter().zip(by_both(&cases)) {
        if let Some(told) = outcome.header("x-cast-edge-visitor") {
            let ticket = SessionTicket::read_payload(told, &session(1), NOON).expect("a ticket");
            assert_eq!(ticket.origin, DEVTOOLS, "{}", case.name);
            assert_eq!(outcome.header("authorization"), None, "{}", case.name);
        }
    }
}

#[test]
fn both_edges_lead_the_viewers_frame_to_the_app() {
    let led = Wanted::Answered(303);
    let kept = sign(&KEY, &owner(1));
    let path = "/.cast/app";
    let said = |case: Case, headers: &[(&'static str, &'static str)]| Case {
        headers: headers.to_vec(),
        ..case
    };
    let cases = [
        asks("the owner's", path, &kept, led),
        asks("a watcher's", path, &sign(&KEY, &watcher()), led),
        asks("with a path", "/.cast/app?to=L2E_YT1i", &kept, led),
        asks("with more", "/.cast/app?to=a%26go%3Db&go=c", &kept, led),
        said(
            asks("by the viewer", path, &kept, led),
            &[("sec-fetch-site", "same-origin")],
        ),
        Case {
            after: 45,
            ..asks("shortly before the end", path, &kept, led)
        },
        said(
            asks("by the app", path, &kept, STRANGER),
            &[("sec-fetch-site", "same-site")],
        ),
        said(
            asks("by a script over http", path, &kept, STRANGER),
            &[("origin", "https://app.example")],
        ),
        asks("without a ticket", path, "", STRANGER),
        asks("another's", path, &sign(&KEY, &owner(2)), STRANGER),
        asks("an app's", path, &sign(&KEY, &at(APP, owner(1))), STRANGER),
        asks(
            "of the release before",
            path,
            &sign(&KEY, &at(None, owner(1))),
            STRANGER,
        ),
        asks("an entry ticket", path, &entry(&KEY, &owner(1)), STRANGER),
        Case {
            method: "POST",
            ..asks("by POST", path, &kept, Wanted::Passed)
        },
        asks(
            "at the app",
            path,
            &sign(&KEY, &at(APP, owner(1))),
            Wanted::Passed,
        )
        .of_app(),
        asks(
            "under a path",
            path,
            &sign(&KEY, &at(SHARED, owner(1))),
            Wanted::Passed,
        )
        .of_path(),
    ];
    let outcomes = by_both(&cases);
    let mut passing = Vec::new();
    for (case, outcome) in cases.iter().zip(&outcomes) {
        let name = case.name;
        if case.wanted != led {
            continue;
        }
        let (to, entry) = outcome.led_to_app().expect("an entrance");
        let more = if name == "with a path" {
            "&to=L2E_YT1i"
        } else {
            ""
        };
        assert_eq!(
            to,
            format!("https://{}/.cast/enter?{more}", app_host(1)),
            "{name}"
        );
        let ticket = if name == "a watcher's" {
            watcher()
        } else {
            owner(1)
        };
        assert_eq!(entry.ticket, at(APP, ticket), "{name}");
        let until = NOON.plus_seconds(case.after + 30);
        assert_eq!(entry.expires, until, "{name}");
        let Outcome::Answered {
            location: Some(location),
            ..
        } = outcome
        else {
            panic!("{name}: {outcome:?}");
        };
        let (_, path) = location.split_once(".com").expect("the app's host");
        // The way goes on at the app's host alone, and in time.
        passing.push(
            Case {
                after: case.after,
                ..asks(name, path, "", Wanted::Passed)
            }
            .of_app(),
        );
        passing.push(Case {
            after: case.after,
            ..asks(name, path, "", STRANGER)
        });
        passing.push(
            Case {
                after: case.after + 30,
                ..asks(name, path, "", USED)
            }
            .of_app(),
        );
    }
    for (case, outcome) in passing.iter().zip(by_both(&passing)) {
        let Outcome::Passed { uri, .. } = &outcome else {
            continue;
        };
        let more = if case.name == "with a path" {
            "?to=L2E_YT1i"
        } else {
            ""
        };
        assert_eq!(*uri, format!("/.cast/enter{more}"), "{}", case.name);
        let cookie = outcome.header("x-cast-edge-cookie").unwrap_or_default();
        let who = if case.name == "a watcher's" {
            watcher()
        } else {
            owner(1)
        };
        let ticket = sign(&KEY, &at(APP, who));
        assert!(
            cookie.starts_with(&format!("__Host-cast-session={ticket}; Path=/; ")),
            "{cookie}"
        );
    }
}

#[test]
fn each_way_to_the_app_has_a_nonce_of_its_own() {
    let kept = sign(&KEY, &owner(1));
    let once = |after| Case {
        after,
        ..asks("again", "/.cast/app", &kept, Wanted::Answered(303))
    };
    let cases = [once(0), once(1)];
    let asked: Vec<Value> = cases.iter().map(Case::for_function).collect();
    let by_function = run_function(FUNCTION, &asked);
    let by_function = by_function.iter().map(Case::by_function);
    for outcomes in [
        by_function.collect::<Vec<_>>(),
        cases.iter().map(Case::by_rust).collect(),
    ] {
        let nonces: Vec<String> = outcomes
            .iter()
            .filter_map(Outcome::led_to_app)
            .map(|(_, entry)| entry.nonce.as_str().to_owned())
            .collect();
        assert_eq!(nonces.len(), 2);
        assert_ne!(nonces[0], nonces[1]);
        assert!(nonces.iter().all(|nonce| nonce.len() == 22), "{nonces:?}");
    }
}

#[test]
fn both_edges_say_no_in_the_viewers_frame() {
    let case = asks("a stranger", "/a", "", STRANGER).of_app();
    let ours = format!(
        "frame-ancestors 'self' https://{}.cast.example.com",
        session(1)
    );
    let Err(reply) = case.rust_edge().decide_on(case.for_rust()) else {
        panic!("it goes on");
    };
    let policies: Vec<_> = reply
        .headers()
        .get_all("content-security-policy")
        .iter()
        .collect();
    assert_eq!(
        policies.last().map(|last| last.to_str().expect("text")),
        Some(&*ours)
    );
}

#[test]
fn function_leads_pages_alone_to_the_control_plane() {
    let page = format!("{CONTROL}/session/{}?notice=not-yours", session(1));
    let nowhere = format!("{CONTROL}/error/not-found");
    let html = ("accept", "text/html,*/*;q=0.8");
    let stranger = asks("a stranger", "/a", "", STRANGER);
    let nobody = Case {
        host: "cast.example.org".into(),
        ..stranger.clone()
    };
    for (name, case, status, location, body) in [
        ("a page", stranger.of_page(html), 303, Some(&page), None),
        (
            "a page, by the browser's own word",
            stranger.of_page(("sec-fetch-mode", "navigate")),
            303,
            Some(&page),
            None,
        ),
        (
            "a frame of the viewer",
            stranger.clone().of_app().of_page(html),
            303,
            Some(&page),
            None,
        ),
        (
            "below a path",
            stranger.of_page(html).of_path(),
            303,
            Some(&page),
            None,
        ),
        (
            "no session's host",
            nobody.of_page(html),
            303,
            Some(&nowhere),
            None,
        ),
        ("a program", stranger.clone(), 403, None, Some("not-yours")),
        (
            "a program at no session's host",
            nobody,
            404,
            None,
            Some("nothing-here"),
        ),
        (
            "a script that accepts pages",
            stranger.of_page(html).of_page(("sec-fetch-mode", "cors")),
            403,
            None,
            Some("not-yours"),
        ),
        (
            "a picture",
            stranger.of_page(("accept", "image/webp,*/*;q=0.8")),
            403,
            None,
            Some("not-yours"),
        ),
    ] {
        let seen = run_function(FUNCTION, &[case.for_function()]).remove(0);
        let answer = &seen["answer"];
        assert_eq!(answer["statusCode"], status, "{name}: {seen}");
        let to = answer["headers"]["location"]["value"].as_str();
        assert_eq!(to, location.map(String::as_str), "{name}");
        assert_eq!(answer["body"].as_str(), body, "{name}");
        assert_eq!(answer["headers"]["cache-control"]["value"], "no-store");
    }
}

#[test]
fn both_edges_drop_forged_visitor_headers() {
    let said = [
        ("x-cast-edge-proof", "forged"),
        ("x-cast-edge-visitor", "forged"),
        ("x-cast-edge-entry", "forged"),
        ("x-cast-edge-cookie", "forged"),
        ("x-cast-session-secret", "forged"),
        ("x-cast-role", "forged"),
        ("x-forwarded-for", "forged"),
        ("x-forwarded-prefix", "forged"),
        ("x-real-ip", "forged"),
        ("forwarded", "forged"),
        ("accept", "text/html"),
    ];
    let kept = sign(&KEY, &owner(1));
    let with = |case: Case| Case {
        headers: said.to_vec(),
        ..case
    };
    let cases = [
        with(asks("to the app", "/a", &kept, Wanted::Passed)),
        with(enters(
            "on entering",
            &entry(&KEY, &owner(1)),
            Wanted::Passed,
        )),
    ];
    for outcome in by_both(&cases) {
        let Outcome::Passed { headers, .. } = &outcome else {
            panic!("{outcome:?}");
        };
        assert!(
            headers.values().all(|value| value != "forged"),
            "{headers:?}"
        );
        assert_eq!(outcome.header("accept"), Some("text/html"));
        assert_eq!(outcome.header("x-forwarded-proto"), Some("https"));
    }
    let nobody = [
        with(asks("without a ticket", "/a", "", STRANGER)),
        with(asks("on entering", "/.cast/enter", "", STRANGER)),
    ];
    by_both(&nobody);
}

#[test]
fn both_edges_find_sessions_by_host_or_path_only() {
    let kept = sign(&KEY, &owner(1));
    let found = |name, host: &str, wanted| Case {
        host: host.to_owned(),
        ..asks(name, "/", &kept, wanted)
    };
    let shared = sign(&KEY, &at(SHARED, owner(1)));
    let ours = format!("{}.cast.example.com", session(1));
    let nothing = Wanted::Answered(404);
    let below = |name, uri: &str, wanted| Case {
        template: PATHS,
        host: "d1.cloudfront.net".into(),
        cookies: vec![("cast-session", shared.clone())],
        ..asks(name, uri, "", wanted)
    };
    let prefix = format!("/s/{}", session(1));
    let entrance = format!(
        "{prefix}/.cast/enter?ticket={}",
        entry(&KEY, &at(SHARED, owner(1)))
    );
    let cases = [
        found("its host", &ours, Wanted::Passed),
        found("the console's host", "cast.example.com", nothing),
        found("another's app", &app_host(2), STRANGER),
        found("no session's app", "app-x.cast.example.com", nothing),
        found("the app's app", &format!("app-{}", app_host(1)), nothing),
        found("more behind it", &format!("{ours}.evil.com"), nothing),
        below("its path", &format!("{prefix}/a/b"), Wanted::Passed),
        below("entering by a path", &entrance, Wanted::Passed),
        below("without a slash", &prefix, Wanted::Answered(303)),
        below("another's path", &format!("/s/{}/", session(2)), STRANGER),
        below("no session", "/s/admin/", nothing),
        below("no path", "/", nothing),
    ];
    let outcomes = by_both(&cases);
    let Outcome::Passed { uri, .. } = &outcomes[6] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(uri, "/a/b");
    assert_eq!(outcomes[6].header("x-forwarded-prefix"), Some(&*prefix));
    let flags = "Max-Age=60; HttpOnly; SameSite=Lax; Secure";
    let cookie = format!("cast-session={shared}; Path={prefix}/; {flags}");
    assert_eq!(outcomes[7].header("x-cast-edge-cookie"), Some(&*cookie));
    let led = Outcome::Answered {
        status: 303,
        location: Some(format!("{prefix}/")),
    };
    assert_eq!(outcomes[8], led);
}

/// The way back of a reply with these cookies (name, value, attributes) and this redirect, in Rust
/// and in JavaScript; `whole`: whether the function sees the request as the visitor sent it, or as
/// router.js left it.
fn way_back(
    cookies: &[(&str, &str, &str)],
    location: Option<&str>,
    whole: bool,
) -> [(Vec<String>, Option<String>); 2] {
    let prefix = format!("/s/{}", session(1));
    let mut reply = http::HeaderMap::new();
    for (name, value, attributes) in cookies {
        reply.append(
            "set-cookie",
            format!("{name}={value}; {attributes}")
                .parse()
                .expect("a value"),
        );
    }
    reply.extend(
        location.map(|location| (http::header::LOCATION, location.parse().expect("a value"))),
    );
    let asked = http::HeaderMap::from_iter([(
        http::header::HOST,
        "d1.cloudfront.net".parse().expect("a value"),
    )]);
    casting_gate::path_mode::adjust(&mut reply, &asked, &prefix);
    let told = |value: &http::HeaderValue| {
        value
            .to_str()
            .expect("text")
            .trim_end_matches("; ")
            .to_owned()
    };
    let rust = (
        reply.get_all("set-cookie").iter().map(told).collect(),
        reply.get("location").map(told),
    );

    let mut response = json!({"statusCode": 200, "headers": {}, "cookies": {}});
    for (name, value, attributes) in cookies {
        response["cookies"][*name] = json!({"value": value, "attributes": attributes});
    }
    if let Some(location) = location {
        response["headers"]["location"] = json!({"value": location});
    }
    let mut request =
        json!({"uri": format!("{prefix}/a"), "headers": {"host": {"value": "d1.cloudfront.net"}}});
    if !whole {
        request["uri"] = json!("/a");
        request["headers"]["x-forwarded-prefix"] = json!({"value": prefix});
    }
    let answer = run_function(
        WAY_BACK,
        &[json!({"store": {}, "now": 0, "request": request, "response": response})],
    )
    .remove(0)["answer"]
        .clone();
    let cookie = |(name, cookie): (&String, &Value)| {
        let (value, attributes) = (
            cookie["value"].as_str().expect("a value"),
            cookie["attributes"].as_str().expect("attributes"),
        );
        format!("{name}={value}; {attributes}")
            .trim_end_matches("; ")
            .to_owned()
    };
    let script = (
        answer["cookies"]
            .as_object()
            .expect("cookies")
            .iter()
            .map(cookie)
            .collect(),
        answer["headers"]["location"]["value"]
            .as_str()
            .map(str::to_owned),
    );
    [rust, script]
}

#[test]
fn path_mode_responses_match_the_rust_edge() {
    let own = format!("/s/{}/login", session(1));
    for (name, cookies, location) in [
        ("a cookie", &[("a", "1", "Path=/; HttpOnly")][..], None),
        ("deeper", &[("a", "1", "path=/x; Secure")], None),
        (
            "for a domain",
            &[("a", "1", "Domain=cloudfront.net; Path=/")],
            None,
        ),
        ("without a path", &[("a", "1", "SameSite=Lax")], None),
        (
            "one of ours",
            &[("cast-session", "x", "Path=/"), ("b", "2", "Path=/")],
            None,
        ),
        (
            "one of ours in other letters",
            &[("__HOST-Cast-Session", "x", "Path=/")],
            None,
        ),
        ("a path", &[], Some("/login?a=/b")),
        ("a path that has it already", &[], Some(own.as_str())),
        ("our host", &[], Some("https://D1.cloudfront.net/login")),
        ("our host alone", &[], Some("https://d1.cloudfront.net")),
        ("another host", &[], Some("https://other.example/login")),
        (
            "another host without a scheme",
            &[],
            Some("//other.example/login"),
        ),
        ("beside", &[], Some("next")),
        ("a query", &[], Some("?page=2")),
    ] {
        for whole in [true, false] {
            let [rust, script] = way_back(cookies, location, whole);
            assert_eq!(rust, script, "{name}");
        }
    }
}

#[test]
fn host_mode_and_entered_responses_are_unchanged() {
    let response = json!({"statusCode": 303, "headers": {"location": {"value": "/.cast/"}}, "cookies": {"cast-session": {"value": "t", "attributes": "Path=/"}}});
    for uri in ["/a".to_owned(), format!("/s/{}/.cast/enter", session(1))] {
        let case = json!({"store": {}, "now": 0, "request": {"uri": uri, "headers": {}}, "response": response});
        assert_eq!(
            run_function(WAY_BACK, &[case])[0]["answer"],
            response,
            "{uri}"
        );
    }
}

#[test]
fn edge_function_fits_the_cloudfront_runtime() {
    for function in [FUNCTION, WAY_BACK] {
        keeps_to_what_cloudfront_runs(&std::fs::read_to_string(function).expect("is there"));
    }
}

fn keeps_to_what_cloudfront_runs(text: &str) {
    assert!(text.len() <= 10_240, "{} bytes", text.len());
    let code: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    for unknown in [
        "const [",
        "const {",
        "let [",
        "let {",
        "for (const",
        "for (let name",
        "...",
        "?.",
        "??",
        "class ",
        "require(",
    ] {
        assert!(
            !code.iter().any(|line| line.contains(unknown)),
            "{unknown} is not known there"
        );
    }
}
