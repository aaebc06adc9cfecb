//! The edge in AWS, run under Node with tickets that the Rust side signed: both must mean the same.

use std::io::Write;
use std::process::{Command, Stdio};

use casting_core::ids::SessionId;
use casting_core::keys::Keyring;
use casting_core::testing::NOON;
use casting_core::ticket::{OwnerTicket, Role, SessionTicket, Watcher};
use serde_json::{Value, json};

const FUNCTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/edge/router.js");
const WAY_BACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/edge/return.js");
const HARNESS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/edge_function.mjs");
const KEY: [u8; 32] = [5; 32];
const NEXT_KEY: [u8; 32] = [6; 32];

fn session(n: u8) -> SessionId {
    SessionId::from_bytes([n; 16])
}

fn ticket(key: &[u8; 32], n: u8, host: &str) -> String {
    let ticket = SessionTicket {
        session: session(n),
        role: Role::Owner,
        watcher: None,
        host: host.into(),
        port: 18_080,
        expires: NOON.plus_seconds(60),
    };
    ticket.sign(&Keyring::new(key).sessions().secret(&session(n)))
}

/// A request to session 1's host, with these cookies and this query, so many seconds after noon.
fn asks(keys: &str, uri: &str, cookies: &Value, query: &str, after: u64) -> Value {
    json!({
        "store": {"keys": keys, "session-host": "{session}.cast.example.com", "control-url": "https://cast.example.com",
            "gate-host": "ec2-{address}.eu-central-1.compute.amazonaws.com"},
        "now": NOON.plus_seconds(after).millis(),
        "request": {"method": "GET", "uri": uri, "cookies": cookies, "querystring": {"ticket": {"value": query}},
            "headers": {"host": {"value": format!("{}.cast.example.com", session(1))}, "x-cast-session-secret": {"value": "hush"},
                "x-forwarded-for": {"value": "192.0.2.1"}, "accept": {"value": "text/html"}}},
    })
}

fn run(cases: &[Value]) -> Vec<Value> {
    run_function(FUNCTION, cases)
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
fn the_function_lets_through_what_the_rust_edge_lets_through_and_nothing_else() {
    let (edge, both) = (
        Keyring::edge_key(&KEY),
        format!(
            "{},{}",
            Keyring::edge_key(&NEXT_KEY),
            Keyring::edge_key(&KEY)
        ),
    );
    let good = ticket(&KEY, 1, "192.0.2.7");
    let cookie = |text: &str| json!({"__Host-cast-session": {"value": text}});
    let planted =
        json!({"cast-session": {"value": "x", "multiValue": [{"value": "x"}, {"value": good}]}});
    let owner = OwnerTicket {
        session: session(1),
        expires: NOON.plus_seconds(60),
    }
    .sign(&Keyring::new(&KEY));
    let (body, signature) = good.rsplit_once('.').expect("has dots");
    let cases = [
        (
            "a good ticket",
            asks(&edge, "/a", &cookie(&good), "", 0),
            true,
        ),
        (
            "just in time",
            asks(&edge, "/a", &cookie(&good), "", 59),
            true,
        ),
        (
            "a planted cookie beside it",
            asks(&edge, "/a", &planted, "", 0),
            true,
        ),
        (
            "from before a change of keys",
            asks(&both, "/a", &cookie(&good), "", 0),
            true,
        ),
        ("expired", asks(&edge, "/a", &cookie(&good), "", 60), false),
        ("none", asks(&edge, "/a", &json!({}), "", 0), false),
        (
            "another session's",
            asks(&edge, "/a", &cookie(&ticket(&KEY, 2, "192.0.2.7")), "", 0),
            false,
        ),
        (
            "another deployment's",
            asks(
                &edge,
                "/a",
                &cookie(&ticket(&NEXT_KEY, 1, "192.0.2.7")),
                "",
                0,
            ),
            false,
        ),
        (
            "of another kind",
            asks(&edge, "/a", &cookie(&owner), "", 0),
            false,
        ),
        (
            "cut",
            asks(&edge, "/a", &cookie(&good[..good.len() - 1]), "", 0),
            false,
        ),
        (
            "without a signature",
            asks(&edge, "/a", &cookie(&format!("{body}.")), "", 0),
            false,
        ),
        (
            "with more dots",
            asks(
                &edge,
                "/a",
                &cookie(&format!("{body}.{signature}.x")),
                "",
                0,
            ),
            false,
        ),
        (
            "altered",
            asks(
                &edge,
                "/a",
                &cookie(&good.replacen("v1.e", "v1.f", 1)),
                "",
                0,
            ),
            false,
        ),
        (
            "huge",
            asks(
                &edge,
                "/a",
                &cookie(&format!("v1.{}.x", "A".repeat(100_000))),
                "",
                0,
            ),
            false,
        ),
    ];
    let answers = run(&cases
        .iter()
        .map(|(_, case, _)| case.clone())
        .collect::<Vec<_>>());
    let secret = Keyring::new(&KEY).sessions().secret(&session(1));
    for ((name, _, passes), seen) in cases.iter().zip(&answers) {
        if !passes {
            assert_eq!(
                (seen["answer"]["statusCode"].as_u64(), &seen["origin"]),
                (Some(403), &Value::Null),
                "{name}: {seen}"
            );
            let page = format!("https://cast.example.com/session/{}", session(1));
            assert!(
                seen["answer"]["body"]
                    .as_str()
                    .is_some_and(|body| body.contains(&page)),
                "{name}"
            );
            continue;
        }
        let origin = &seen["origin"];
        assert_eq!(
            origin["domainName"], "ec2-192-0-2-7.eu-central-1.compute.amazonaws.com",
            "{name}: {seen}"
        );
        assert_eq!(
            (
                origin["customOriginConfig"]["port"].as_u64(),
                &origin["hostHeader"]
            ),
            (
                Some(18_080),
                &json!(format!("{}.cast.example.com", session(1)))
            )
        );
        assert!(
            secret.matches(
                origin["customHeaders"]["x-cast-session-secret"]
                    .as_str()
                    .unwrap_or_default()
            ),
            "{name}: what the gate knows"
        );
        let headers = &seen["answer"]["headers"];
        assert!(
            headers["x-forwarded-for"].is_null() && headers["x-cast-session-secret"].is_null(),
            "{name}: {headers}"
        );
        assert_eq!(headers["accept"]["value"], "text/html", "{name}");
    }
}

#[test]
fn a_visitor_enters_by_a_ticket_and_other_addresses_are_nobodys() {
    let edge = Keyring::edge_key(&KEY);
    let good = ticket(&KEY, 1, "gate.internal");
    let mut elsewhere = asks(&edge, "/", &json!({}), "", 0);
    elsewhere["request"]["headers"]["host"]["value"] = json!("cast.example.com");
    let mut suffixed = elsewhere.clone();
    suffixed["request"]["headers"]["host"]["value"] =
        json!(format!("{}.cast.example.com.evil.com", session(1)));
    let named = json!({"cast-session": {"value": good}});
    let answers = run(&[
        asks(&edge, "/.cast/enter", &json!({}), &good, 10),
        asks(&edge, "/.cast/enter", &json!({}), "nonsense", 0),
        asks(&edge, "/.cast/anything", &named, "", 0),
        elsewhere,
        suffixed,
        asks(&edge, "/", &named, "", 0),
    ]);
    assert_eq!(
        answers[2]["origin"]["domainName"], "gate.internal",
        "what is below /.cast/ is the gate's"
    );
    let entered = &answers[0]["answer"];
    assert_eq!(
        (
            entered["statusCode"].as_u64(),
            entered["headers"]["location"]["value"].as_str()
        ),
        (Some(303), Some("/.cast/")),
        "{entered}"
    );
    let cookie = &entered["cookies"]["__Host-cast-session"];
    assert_eq!(cookie["value"], good);
    assert_eq!(
        cookie["attributes"],
        "Path=/; Max-Age=50; HttpOnly; SameSite=Lax; Secure"
    );
    let statuses: Vec<_> = answers[1..5]
        .iter()
        .map(|seen| seen["answer"]["statusCode"].as_u64())
        .collect();
    assert_eq!(
        statuses,
        [Some(403), None, Some(404), Some(404)],
        "{answers:?}"
    );
    assert_eq!(
        answers[5]["origin"]["domainName"], "gate.internal",
        "a name is taken as it is"
    );
}

#[test]
fn an_order_to_open_an_address_passes_and_an_owner_who_watches_stays_the_owner() {
    let edge = Keyring::edge_key(&KEY);
    let (owner, mut watcher) = (
        ticket(&KEY, 1, "gate.internal"),
        SessionTicket::open(
            &ticket(&KEY, 1, "gate.internal"),
            Keyring::new(&KEY).sessions(),
            NOON,
        )
        .expect("ours")
        .0,
    );
    (watcher.role, watcher.watcher) = (
        Role::Viewer,
        Some(Watcher {
            id: "1".into(),
            name: "Ada".into(),
            round: 1,
        }),
    );
    let watcher = watcher.sign(&Keyring::new(&KEY).sessions().secret(&session(1)));
    let cookie = |text: &str| json!({"__Host-cast-session": {"value": text}});
    let with_order = |order: &str| {
        let mut asked = asks(&edge, "/.cast/enter", &json!({}), &owner, 0);
        asked["request"]["querystring"]["go"] = json!({"value": order});
        asked
    };
    let both = json!({"__Host-cast-session": {"value": watcher}, "cast-session": {"value": owner}});
    let answers = run(&[
        with_order("v1.abc_-.def"),
        with_order("x&next=//evil.example"),
        asks(&edge, "/.cast/enter", &cookie(&owner), &watcher, 0),
        asks(&edge, "/.cast/enter", &cookie(&watcher), &watcher, 0),
        asks(&edge, "/.cast/enter", &cookie(&watcher), &owner, 0),
        asks(&edge, "/.cast/enter", &both, &watcher, 0),
        asks(&edge, "/.cast/", &cookie(&watcher), "", 0),
    ]);
    let led: Vec<_> = answers[..2]
        .iter()
        .map(|seen| seen["answer"]["headers"]["location"]["value"].as_str())
        .collect();
    assert_eq!(led, [Some("/.cast/?go=v1.abc_-.def"), Some("/.cast/")]);
    let given: Vec<_> = answers[2..6]
        .iter()
        .map(|seen| seen["answer"]["cookies"]["__Host-cast-session"]["value"].as_str())
        .collect();
    assert_eq!(
        given,
        [None, Some(watcher.as_str()), Some(owner.as_str()), None],
        "{answers:?}"
    );
    assert_eq!(
        answers[6]["origin"]["domainName"], "gate.internal",
        "a watcher is let through to the gate, which knows the rest"
    );
}

#[test]
fn without_a_domain_a_session_is_a_path_and_its_cookie_is_for_that_path_alone() {
    let edge = Keyring::edge_key(&KEY);
    let (good, prefix) = (ticket(&KEY, 1, "192.0.2.7"), format!("/s/{}", session(1)));
    let at = |path: &str, cookies: &Value, query: &str| {
        let mut asked = asks(&edge, path, cookies, query, 0);
        asked["store"]["session-host"] = json!("/s/{session}");
        asked["request"]["headers"]["host"]["value"] = json!("d1.cloudfront.net");
        asked["request"]["headers"]["x-forwarded-prefix"] = json!({"value": "/s/forged"});
        asked
    };
    let (none, brought) = (json!({}), json!({"cast-session": {"value": good}}));
    let answers = run(&[
        at(&format!("{prefix}/.cast/enter"), &none, &good),
        at(&format!("{prefix}/a/b"), &brought, ""),
        at(&prefix, &none, ""),
        at(&format!("/s/{}/", session(2)), &brought, ""),
        at("/s/admin/", &brought, ""),
        at("/", &brought, ""),
    ]);
    let entered = &answers[0]["answer"];
    assert_eq!(
        entered["headers"]["location"]["value"],
        format!("{prefix}/.cast/"),
        "{entered}"
    );
    let attributes = format!("Path={prefix}/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
    assert_eq!(
        entered["cookies"],
        json!({"cast-session": {"value": good, "attributes": attributes}})
    );
    let (passed, origin) = (&answers[1]["answer"], &answers[1]["origin"]);
    assert_eq!(
        (
            &passed["uri"],
            &passed["headers"]["x-forwarded-prefix"]["value"]
        ),
        (&json!("/a/b"), &json!(prefix)),
        "{passed}"
    );
    assert_eq!(
        origin["domainName"],
        "ec2-192-0-2-7.eu-central-1.compute.amazonaws.com"
    );
    let answered: Vec<_> = answers[2..]
        .iter()
        .map(|seen| (seen["answer"]["statusCode"].as_u64(), &seen["origin"]))
        .collect();
    let nowhere = &Value::Null;
    assert_eq!(
        answered,
        [
            (Some(303), nowhere),
            (Some(403), nowhere),
            (Some(404), nowhere),
            (Some(404), nowhere)
        ],
        "{answers:?}"
    );
    assert_eq!(
        answers[2]["answer"]["headers"]["location"]["value"],
        format!("{prefix}/")
    );
}

/// The way back of a reply with these cookies (name, value, attributes) and this redirect, in Rust and in JavaScript; `whole`: whether the
/// function sees the request as the visitor sent it, or as router.js left it.
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
fn replies_of_a_session_under_a_path_come_back_as_the_rust_edge_brings_them() {
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
fn on_hosts_of_their_own_and_after_entering_replies_are_left_as_they_are() {
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
fn the_function_keeps_to_what_cloudfront_runs() {
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
