//! Owns the checks of what is public about a deployment: expected answers to requests. Must not
//! send any.

use casting_core::time::Timestamp;
use jiff::fmt::rfc2822;
use url::{Host, Url};

use super::ask::{Answer, AskError};
use super::finding::{Finding, error, ok, warning};

/// The headers that every page carries, and what must stand in them.
const PAGE_HEADERS: [(&str, &str); 6] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("strict-transport-security", "max-age="),
    ("x-robots-tag", "noindex"),
    ("referrer-policy", "same-origin"),
    ("content-security-policy", "frame-ancestors 'none'"),
];

/// How far clocks may be apart, in seconds: ID tokens allow a minute, tickets hardly notice more.
const CLOCKS_APART_SECONDS: u64 = 60;

/// Whether the deployment is on the machine that asks.
pub fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether visitors' tickets can be read on the way.
pub fn address(url: &Url) -> Finding {
    match url.scheme() {
        "https" => ok("Visitors come over https."),
        _ if is_this_machine(url) => ok("It is on this machine, where http will do."),
        _ => error(
            "Visitors use http: their tickets can be read on the network.",
            "Put TLS in front of it, and give it an https address.",
        ),
    }
}

/// Why nothing answered.
pub fn unreachable(url: &Url, ask_error: &AskError) -> Finding {
    let host = url.host_str().unwrap_or_default();
    match ask_error {
        AskError::Name => error(
            format!("The name {host} cannot be resolved."),
            "Check the address; a new name takes a while to be known everywhere.",
        ),
        AskError::Refused if is_this_machine(url) => error(
            format!("Nothing listens at {url}."),
            "Start it: cargo run. The port is free.",
        ),
        AskError::Refused => error(
            format!("Nothing listens at {url}."),
            "Check host and port, and that it is running.",
        ),
        AskError::Tls(why) => error(
            format!("TLS with {host} does not work out: {why}."),
            "Its certificate must be for this name, in date, and from an authority that browsers \
             know.",
        ),
        AskError::Slow => error(
            format!("{url} takes too long to answer."),
            "See whether a firewall drops the connection, or the functions time out.",
        ),
        AskError::Other(why) => error(
            format!("{url} does not answer: {why}."),
            "Check the address and what stands between here and there.",
        ),
    }
}

/// The page of an unknown link.
pub fn unknown_link(answer: &Answer) -> Finding {
    let todo = "Check that this is the control plane's address, and that no proxy in front of it \
                answers instead.";
    match (answer.status, answer.header("location")) {
        (404, _) if is_refusal(answer) => ok("An unknown link is refused like a disabled one."),
        (429, _) => too_many(),
        (status, "") => error(format!("An unknown link answers {status}."), todo),
        (status, to) => error(
            format!("An unknown link answers {status} and redirects to {to}."),
            todo,
        ),
    }
}

/// Whether this is a page of ours with a reference.
fn is_refusal(answer: &Answer) -> bool {
    answer.header("content-type").starts_with("text/html")
        && answer.body.contains("<dd id=\"reference\">")
}

fn too_many() -> Finding {
    warning(
        "It refuses to be asked more often for the moment.",
        "Wait a minute, then look again.",
    )
}

/// The error page.
pub fn error_page(answer: &Answer) -> Vec<Finding> {
    let mut findings = Vec::new();
    if answer.status == 404 && is_refusal(answer) {
        findings.push(ok("The error page says what happened, with a reference."));
    } else {
        let what = format!(
            "The error page answers {} and is no page of ours.",
            answer.status
        );
        findings.push(error(
            what,
            "Check that the paths below /error/ reach the error function.",
        ));
    }
    let missing: Vec<&str> = PAGE_HEADERS
        .iter()
        .filter(|(name, value)| !answer.header(name).contains(value))
        .map(|(name, _)| *name)
        .collect();
    findings.push(if missing.is_empty() {
        ok("Pages carry the headers that protect them.")
    } else {
        error(
            format!(
                "Pages come without what they should say in {}.",
                missing.join(", ")
            ),
            "See what in front of it takes these headers off.",
        )
    });
    findings
}

/// The answer to API clients for an unknown link.
pub fn described(answer: &Answer) -> Finding {
    let kind = answer
        .header("content-type")
        .starts_with("application/problem+json");
    match answer.status {
        404 if kind && answer.json()["code"] == "unknown-cast" => {
            ok("API clients get problem documents.")
        }
        429 => too_many(),
        status => error(
            format!("API clients that request a link get {status} instead of a document."),
            "Check that the paths below /api/ reach the cast function, and that nothing in front \
             of it writes error pages of its own.",
        ),
    }
}

/// The admin API, without a key.
pub fn admin_without_key(answer: &Answer) -> Finding {
    match answer.status {
        401 if answer.header("www-authenticate").starts_with("Bearer") => {
            ok("The admin API requires a key.")
        }
        200..=299 => error(
            "The admin API answers without a key.",
            "Take it off the network at once: anyone can change every link.",
        ),
        status => error(
            format!("The admin API answers {status} without a key instead of 401."),
            "Check that the paths below /api/admin/ reach the admin function.",
        ),
    }
}

/// How far its clock is from ours.
pub fn clock(answer: &Answer, now: Timestamp) -> Option<Finding> {
    let theirs = rfc2822::parse(answer.header("date"))
        .ok()?
        .timestamp()
        .as_second();
    let apart = theirs.abs_diff(now.seconds());
    Some(if apart <= CLOCKS_APART_SECONDS {
        ok("Its clock and this machine's agree.")
    } else {
        warning(
            format!("Its clock and this machine's are {apart} seconds apart."),
            "Set the one that is wrong: tickets and logins expire by the deployment's, and \
             providers allow a minute.",
        )
    })
}

/// The way to the login. That it leads to the provider shows that the provider's own description
/// was found.
pub fn login(answer: &Answer, base: &Url) -> Vec<Finding> {
    let none = || {
        warning(
            "Logins do not work: there is no login provider, or it does not answer.",
            "Links without allow_anonymous cannot be opened. Set OidcIssuer and OidcClientId, or \
             see the auth function's log.",
        )
    };
    let Some(to) = base
        .join(answer.header("location"))
        .ok()
        .filter(|_| answer.status == 303)
    else {
        return vec![none()];
    };
    let query = |name: &str| {
        to.query_pairs()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    // The built-in provider has the origin of the deployment, so the origin says nothing.
    if query("response_type") != "code" {
        return vec![none()];
    }
    let mut findings = vec![ok(format!(
        "Logins go to {}.",
        to.host_str().unwrap_or_default()
    ))];
    let back = query("redirect_uri");
    if Url::parse(&back)
        .ok()
        .is_none_or(|back| back.origin() != base.origin())
    {
        let what = format!(
            "Users who log in are redirected to {back}, which is not the address that you checked."
        );
        findings.push(error(
            what,
            "Set the deployment's public URL to the address that visitors use, and tell the \
             provider.",
        ));
    }
    if query("code_challenge_method") != "S256"
        || query("state").is_empty()
        || query("nonce").is_empty()
    {
        findings.push(error(
            "The way to the login lacks what protects it.",
            "See what in front of the deployment rewrites its redirects.",
        ));
    }
    findings
}

/// The answer of the edge to a request without a ticket at an unknown session.
pub fn edge(url: &Url, is_configured: bool, outcome: &Result<Answer, AskError>) -> Finding {
    match outcome {
        Ok(answer) if is_edge(answer) => {
            ok("The edge answers at session addresses and refuses requests without a ticket.")
        }
        Ok(answer) => {
            let what = format!("{url} answers {}, and not as the edge does.", answer.status);
            if is_configured {
                error(what, "Check that the sessions' names reach the edge.")
            } else {
                warning(what, NAME_IT)
            }
        }
        Err(ask_error) if is_configured => unreachable(url, ask_error),
        Err(_) => warning(format!("Sessions are not found at {url}."), NAME_IT),
    }
}

/// The same at the host of that session's app.
pub fn app(url: &Url, outcome: &Result<Answer, AskError>) -> Finding {
    match outcome {
        Ok(answer) if is_edge(answer) => {
            ok("Apps have host names of their own, and the edge answers there too.")
        }
        Ok(answer) => {
            let what = format!("{url} answers {}, and not as the edge does.", answer.status);
            error(what, APP_NAMES)
        }
        Err(failure) => Finding {
            todo: APP_NAMES.to_owned(),
            ..unreachable(url, failure)
        },
    }
}

/// The edge in AWS leads pages to the control plane, and says a word to programs.
fn is_edge(answer: &Answer) -> bool {
    let leads = answer.header("location").contains("?notice=not-yours");
    let says = ["This session is not open to you", "not-yours"]
        .iter()
        .any(|words| answer.body.contains(words));
    (answer.status == 303 && leads) || (answer.status == 403 && says)
}

/// What to do where apps were not found.
const APP_NAMES: &str = "The viewer frames the app from this name: it must lead to the edge, and \
                         the certificate be good for it.";

/// What to do where sessions were not found.
pub const NAME_IT: &str =
    "Say where they are with --session-url, such as https://{session}.sessions.example.com.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity;
    use casting_core::testing::NOON;
    use reqwest::header::{HeaderName, HeaderValue};

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).expect("text"),
            )
        });
        Answer {
            status,
            headers: headers.collect(),
            body: body.into(),
        }
    }

    fn base() -> Url {
        Url::parse("https://cast.example.com/").expect("an address")
    }

    #[test]
    fn http_is_accepted_on_loopback_only() {
        for (url, severity) in [
            ("https://cast.example.com", Severity::Ok),
            ("http://localhost:8300", Severity::Ok),
            ("http://127.0.0.1", Severity::Ok),
            ("http://cast.example.com", Severity::Error),
            ("http://10.0.0.1", Severity::Error),
        ] {
            assert_eq!(
                address(&Url::parse(url).expect(url)).severity,
                severity,
                "{url}"
            );
        }
    }

    #[test]
    fn unknown_link_is_recognised_by_its_page() {
        let ours = "<dd id=\"reference\">k3f7-2mqa</dd>";
        for (name, status, location, body, severity) in [
            ("ours", 404, None, ours, Severity::Ok),
            (
                "to https first",
                301,
                Some("https://cast.example.com/cast/x"),
                "",
                Severity::Error,
            ),
            ("a parking page", 200, None, ours, Severity::Error),
            ("a proxy's page", 404, None, "Not found", Severity::Error),
            ("asked too often", 429, None, "", Severity::Warning),
        ] {
            let mut headers = vec![("content-type", "text/html")];
            headers.extend(location.map(|location| ("location", location)));
            let finding = unknown_link(&answer(status, &headers, body));
            assert_eq!(finding.severity, severity, "{name}");
        }
    }

    #[test]
    fn error_page_has_the_expected_headers() {
        let mut headers: Vec<_> = PAGE_HEADERS.to_vec();
        headers.push(("content-type", "text/html; charset=utf-8"));
        let grades = |answer: &Answer| {
            error_page(answer)
                .iter()
                .map(|finding| finding.severity)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            grades(&answer(
                404,
                &headers,
                "<dd id=\"reference\">k3f7-2mqa</dd>"
            )),
            [Severity::Ok, Severity::Ok]
        );
        assert_eq!(
            grades(&answer(
                200,
                &headers,
                "<dd id=\"reference\">k3f7-2mqa</dd>"
            )),
            [Severity::Error, Severity::Ok]
        );
        let bare = error_page(&answer(
            404,
            &headers[1..],
            "<dd id=\"reference\">k3f7-2mqa</dd>",
        ));
        assert!(
            bare[1].severity == Severity::Error
                && bare[1].what.contains("cache-control")
                && !bare[1].what.contains("nosniff"),
            "{bare:?}"
        );
    }

    #[test]
    fn api_and_anonymous_requests_get_expected_answers() {
        let problem = [("content-type", "application/problem+json")];
        for (name, finding, severity) in [
            (
                "a problem",
                described(&answer(404, &problem, r#"{"code":"unknown-cast"}"#)),
                Severity::Ok,
            ),
            (
                "a page",
                described(&answer(404, &[("content-type", "text/html")], "")),
                Severity::Error,
            ),
            (
                "too often",
                described(&answer(429, &problem, "{}")),
                Severity::Warning,
            ),
            (
                "no key",
                admin_without_key(&answer(401, &[("www-authenticate", "Bearer")], "")),
                Severity::Ok,
            ),
            (
                "open to all",
                admin_without_key(&answer(200, &[], "{}")),
                Severity::Error,
            ),
            (
                "not there",
                admin_without_key(&answer(404, &[], "")),
                Severity::Error,
            ),
        ] {
            assert_eq!(finding.severity, severity, "{name}");
        }
    }

    #[test]
    fn clock_skew_up_to_a_minute_is_accepted() {
        for (date, severity) in [
            ("Mon, 23 Nov 2026 12:00:30 GMT", Some(Severity::Ok)),
            ("Mon, 23 Nov 2026 11:59:00 GMT", Some(Severity::Ok)),
            ("Mon, 23 Nov 2026 12:05:00 GMT", Some(Severity::Warning)),
            ("yesterday", None),
        ] {
            assert_eq!(
                clock(&answer(200, &[("date", date)], ""), NOON).map(|finding| finding.severity),
                severity,
                "{date}"
            );
        }
    }

    #[test]
    fn login_redirect_and_callback_are_checked() {
        let provider = |back: &str| {
            format!(
                "https://id.example.com/authorize?response_type=code&client_id=c&state=s&nonce=n&code_challenge_method=S256&redirect_uri={back}"
            )
        };
        let whole = provider("https://cast.example.com/login/callback");
        for (name, status, location, severity) in [
            ("a provider", 303, whole.clone(), Severity::Ok),
            (
                "the built-in provider",
                303,
                whole.replace("https://id.example.com", "/provider"),
                Severity::Ok,
            ),
            (
                "back to elsewhere",
                303,
                provider("https://old.example.com/login/callback"),
                Severity::Error,
            ),
            (
                "without PKCE",
                303,
                whole.replace("S256", "plain"),
                Severity::Error,
            ),
            (
                "without state",
                303,
                whole.replace("state=s&", ""),
                Severity::Error,
            ),
            ("no provider", 303, "/login/me".into(), Severity::Warning),
            ("no redirect", 500, String::new(), Severity::Warning),
        ] {
            let findings = login(
                &answer(status, &[("location", location.as_str())], ""),
                &base(),
            );
            assert_eq!(
                findings.iter().map(|finding| finding.severity).max(),
                Some(severity),
                "{name}"
            );
        }
    }

    #[test]
    fn configured_edge_fails_and_guessed_edge_warns() {
        let ours = || Ok(answer(403, &[], "<h1>This session is not open to you</h1>"));
        for (name, is_configured, outcome, severity) in [
            ("the edge", false, ours(), Severity::Ok),
            ("the edge, named", true, ours(), Severity::Ok),
            (
                "the edge in AWS, to a program",
                true,
                Ok(answer(403, &[], "not-yours")),
                Severity::Ok,
            ),
            (
                "the edge in AWS, to a browser",
                true,
                Ok(answer(
                    303,
                    &[(
                        "location",
                        "https://cast.example.com/session/s1?notice=not-yours",
                    )],
                    "",
                )),
                Severity::Ok,
            ),
            (
                "something else",
                false,
                Ok(answer(404, &[], "")),
                Severity::Warning,
            ),
            (
                "something else, named",
                true,
                Ok(answer(404, &[], "")),
                Severity::Error,
            ),
            ("nothing", false, Err(AskError::Name), Severity::Warning),
            ("nothing, named", true, Err(AskError::Name), Severity::Error),
        ] {
            assert_eq!(
                edge(&base(), is_configured, &outcome).severity,
                severity,
                "{name}"
            );
        }
        for (name, outcome, severity) in [
            ("the edge", ours(), Severity::Ok),
            ("something else", Ok(answer(404, &[], "")), Severity::Error),
            ("no such name", Err(AskError::Name), Severity::Error),
        ] {
            let found = app(&base(), &outcome).severity;
            assert_eq!(found, severity, "the app's: {name}");
        }
    }
}
