//! Owns what anybody can see of a deployment, and what it should be. Judges answers; must not ask for any.

use casting_core::time::Timestamp;
use jiff::fmt::rfc2822;
use url::{Host, Url};

use super::ask::{Answer, Lost};
use super::finding::{Finding, fine, look, wrong};

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

/// Whether visitors' tickets can be read on the way.
pub fn address(url: &Url) -> Finding {
    let near = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => fine("Visitors come over https."),
        _ if near => fine("It is on this machine, where http will do."),
        _ => wrong(
            "Visitors come over http: whoever is on the way can read their tickets.",
            "Put TLS in front of it, and give it an https address.",
        ),
    }
}

/// Why nothing answered.
pub fn unreachable(url: &Url, lost: &Lost) -> Finding {
    let host = url.host_str().unwrap_or_default();
    match lost {
        Lost::Name => wrong(
            format!("Nobody knows the name {host}."),
            "Check the address; a new name takes a while to be known everywhere.",
        ),
        Lost::Refused => wrong(
            format!("Nothing listens at {url}."),
            "Check host and port, and that it is running.",
        ),
        Lost::Tls(why) => wrong(
            format!("TLS with {host} does not work out: {why}."),
            "Its certificate must be for this name, in date, and from an authority that browsers know.",
        ),
        Lost::Slow => wrong(
            format!("{url} takes too long to answer."),
            "See whether a firewall drops the connection, or the functions time out.",
        ),
        Lost::Other(why) => wrong(
            format!("{url} does not answer: {why}."),
            "Check the address and what stands between here and there.",
        ),
    }
}

/// The page of a link that nobody has made: sent on to the error page, which must be this same deployment's. Returns where that is, too.
pub fn unknown_link(answer: &Answer, base: &Url) -> (Finding, Option<Url>) {
    let location = base
        .join(answer.header("location"))
        .ok()
        .filter(|_| !answer.header("location").is_empty());
    let todo = "Check that this is the control plane's address, and that nothing in front of it answers in its place.";
    match (answer.status, location) {
        (303, Some(to)) if to.origin() == base.origin() && to.path() == "/error/unknown-cast" => (
            fine("A link that nobody has made is refused like a disabled one."),
            Some(to),
        ),
        (429, _) => (too_many(), None),
        (status, Some(to)) => (
            wrong(
                format!("A link that nobody has made answers {status} and leads to {to}."),
                todo,
            ),
            None,
        ),
        (status, None) => (
            wrong(
                format!("A link that nobody has made answers {status}."),
                todo,
            ),
            None,
        ),
    }
}

fn too_many() -> Finding {
    look(
        "It refuses to be asked more often for the moment.",
        "Wait a minute, then look again.",
    )
}

/// The error page.
pub fn error_page(answer: &Answer) -> Vec<Finding> {
    let mut findings = Vec::new();
    if answer.status == 404
        && answer.header("content-type").starts_with("text/html")
        && answer.body.contains("<dd>")
    {
        findings.push(fine("The error page says what happened, with a reference."));
    } else {
        let what = format!(
            "The error page answers {} and is no page of ours.",
            answer.status
        );
        findings.push(wrong(
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
        fine("Pages carry the headers that protect them.")
    } else {
        wrong(
            format!(
                "Pages come without what they should say in {}.",
                missing.join(", ")
            ),
            "See what in front of it takes these headers off.",
        )
    });
    findings
}

/// What programs are told of a link that nobody has made.
pub fn described(answer: &Answer) -> Finding {
    let kind = answer
        .header("content-type")
        .starts_with("application/problem+json");
    match answer.status {
        404 if kind && answer.json()["code"] == "unknown-cast" => {
            fine("Programs are told problems in documents.")
        }
        429 => too_many(),
        status => wrong(
            format!("Programs that ask for a link get {status}, and no document."),
            "Check that the paths below /api/ reach the cast function, and that nothing in front of it writes error pages of its own.",
        ),
    }
}

/// The admin API, to somebody without a key.
pub fn admin_without_key(answer: &Answer) -> Finding {
    match answer.status {
        401 if answer.header("www-authenticate").starts_with("Bearer") => {
            fine("The admin API lets nobody in without a key.")
        }
        200..=299 => wrong(
            "The admin API answers without a key.",
            "Take it off the network at once: anybody can change every link.",
        ),
        status => wrong(
            format!("The admin API answers {status} to whoever has no key, where 401 is right."),
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
        fine("Its clock and this machine's agree.")
    } else {
        look(
            format!("Its clock and this machine's are {apart} seconds apart."),
            "Set the one that is wrong: tickets and logins expire by the deployment's, and providers allow a minute.",
        )
    })
}

/// The way to the login. That it leads to the provider shows that the provider's own description was found.
pub fn login(answer: &Answer, base: &Url) -> Vec<Finding> {
    let none = || {
        look(
            "Nobody can log in: there is no login provider, or it does not answer.",
            "Links without allow_anonymous open for nobody. Set OidcIssuer and OidcClientId, or see the auth function's log.",
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
    if to.path().starts_with("/error/") && to.origin() == base.origin() {
        return vec![none()];
    }
    let mut findings = vec![fine(format!(
        "Logins go to {}.",
        to.host_str().unwrap_or_default()
    ))];
    let back = query("redirect_uri");
    if Url::parse(&back)
        .ok()
        .is_none_or(|back| back.origin() != base.origin())
    {
        let what =
            format!("Whoever has logged in is sent back to {back}, which is not where you asked.");
        findings.push(wrong(what, "Set the deployment's public URL to the address that visitors use, and tell the provider."));
    }
    if query("code_challenge_method") != "S256"
        || query("state").is_empty()
        || query("nonce").is_empty()
    {
        findings.push(wrong(
            "The way to the login lacks what protects it.",
            "See what in front of the deployment rewrites its redirects.",
        ));
    }
    findings
}

/// What the edge says to a stranger at a session that is not there.
pub fn edge(url: &Url, told: bool, outcome: &Result<Answer, Lost>) -> Finding {
    match outcome {
        Ok(answer)
            if answer.status == 403 && answer.body.contains("This session is not open to you") =>
        {
            fine("The edge answers where sessions are, and lets no stranger in.")
        }
        Ok(answer) => {
            let what = format!("{url} answers {}, and not as the edge does.", answer.status);
            if told {
                wrong(what, "Check that the sessions' names reach the edge.")
            } else {
                look(what, NAME_IT)
            }
        }
        Err(lost) if told => unreachable(url, lost),
        Err(_) => look(format!("Sessions are not found at {url}."), NAME_IT),
    }
}

/// What to do where sessions were not found.
pub const NAME_IT: &str =
    "Say where they are with --session-url, such as https://{session}.sessions.example.com.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Grade;
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
        for (url, grade) in [
            ("https://cast.example.com", Grade::Fine),
            ("http://localhost:8300", Grade::Fine),
            ("http://127.0.0.1", Grade::Fine),
            ("http://cast.example.com", Grade::Wrong),
            ("http://10.0.0.1", Grade::Wrong),
        ] {
            assert_eq!(address(&Url::parse(url).expect(url)).grade, grade, "{url}");
        }
    }

    #[test]
    fn unknown_link_is_recognised_by_its_redirect() {
        for (name, status, location, grade) in [
            (
                "ours",
                303,
                Some("/error/unknown-cast?ref=k3f7-2mqa"),
                Grade::Fine,
            ),
            (
                "another host",
                303,
                Some("https://evil.org/error/unknown-cast"),
                Grade::Wrong,
            ),
            (
                "to https first",
                301,
                Some("https://cast.example.com/cast/x"),
                Grade::Wrong,
            ),
            ("a parking page", 200, None, Grade::Wrong),
            ("asked too often", 429, None, Grade::Look),
        ] {
            let headers: Vec<_> = location
                .map(|location| ("location", location))
                .into_iter()
                .collect();
            let (finding, to) = unknown_link(&answer(status, &headers, ""), &base());
            assert_eq!(
                (finding.grade, to.is_some()),
                (grade, grade == Grade::Fine),
                "{name}"
            );
        }
    }

    #[test]
    fn error_page_has_the_expected_headers() {
        let mut headers: Vec<_> = PAGE_HEADERS.to_vec();
        headers.push(("content-type", "text/html; charset=utf-8"));
        let grades = |answer: &Answer| {
            error_page(answer)
                .iter()
                .map(|finding| finding.grade)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            grades(&answer(404, &headers, "<dd>k3f7-2mqa</dd>")),
            [Grade::Fine, Grade::Fine]
        );
        assert_eq!(
            grades(&answer(200, &headers, "<dd>k3f7-2mqa</dd>")),
            [Grade::Wrong, Grade::Fine]
        );
        let bare = error_page(&answer(404, &headers[1..], "<dd>k3f7-2mqa</dd>"));
        assert!(
            bare[1].grade == Grade::Wrong
                && bare[1].what.contains("cache-control")
                && !bare[1].what.contains("nosniff"),
            "{bare:?}"
        );
    }

    #[test]
    fn api_and_anonymous_requests_get_expected_answers() {
        let problem = [("content-type", "application/problem+json")];
        for (name, finding, grade) in [
            (
                "a problem",
                described(&answer(404, &problem, r#"{"code":"unknown-cast"}"#)),
                Grade::Fine,
            ),
            (
                "a page",
                described(&answer(404, &[("content-type", "text/html")], "")),
                Grade::Wrong,
            ),
            (
                "too often",
                described(&answer(429, &problem, "{}")),
                Grade::Look,
            ),
            (
                "no key",
                admin_without_key(&answer(401, &[("www-authenticate", "Bearer")], "")),
                Grade::Fine,
            ),
            (
                "open to all",
                admin_without_key(&answer(200, &[], "{}")),
                Grade::Wrong,
            ),
            (
                "not there",
                admin_without_key(&answer(404, &[], "")),
                Grade::Wrong,
            ),
        ] {
            assert_eq!(finding.grade, grade, "{name}");
        }
    }

    #[test]
    fn clock_skew_up_to_a_minute_is_accepted() {
        for (date, grade) in [
            ("Mon, 23 Nov 2026 12:00:30 GMT", Some(Grade::Fine)),
            ("Mon, 23 Nov 2026 11:59:00 GMT", Some(Grade::Fine)),
            ("Mon, 23 Nov 2026 12:05:00 GMT", Some(Grade::Look)),
            ("yesterday", None),
        ] {
            assert_eq!(
                clock(&answer(200, &[("date", date)], ""), NOON).map(|finding| finding.grade),
                grade,
                "{date}"
            );
        }
    }

    #[test]
    fn login_redirect_and_callback_are_checked() {
        let provider = |back: &str| {
            format!(
                "https://id.example.com/authorize?client_id=c&state=s&nonce=n&code_challenge_method=S256&redirect_uri={back}"
            )
        };
        let whole = provider("https://cast.example.com/login/callback");
        for (name, status, location, grade) in [
            ("a provider", 303, whole.clone(), Grade::Fine),
            (
                "back to elsewhere",
                303,
                provider("https://old.example.com/login/callback"),
                Grade::Wrong,
            ),
            (
                "without PKCE",
                303,
                whole.replace("S256", "plain"),
                Grade::Wrong,
            ),
            (
                "without state",
                303,
                whole.replace("state=s&", ""),
                Grade::Wrong,
            ),
            (
                "no provider",
                303,
                "/error/login-unavailable?ref=k3f7-2mqa".into(),
                Grade::Look,
            ),
            ("no redirect", 500, String::new(), Grade::Look),
        ] {
            let findings = login(
                &answer(status, &[("location", location.as_str())], ""),
                &base(),
            );
            assert_eq!(
                findings.iter().map(|finding| finding.grade).max(),
                Some(grade),
                "{name}"
            );
        }
    }

    #[test]
    fn configured_edge_fails_and_guessed_edge_warns() {
        let ours = || Ok(answer(403, &[], "<h1>This session is not open to you</h1>"));
        for (name, told, outcome, grade) in [
            ("the edge", false, ours(), Grade::Fine),
            ("the edge, named", true, ours(), Grade::Fine),
            (
                "something else",
                false,
                Ok(answer(404, &[], "")),
                Grade::Look,
            ),
            (
                "something else, named",
                true,
                Ok(answer(404, &[], "")),
                Grade::Wrong,
            ),
            ("nothing", false, Err(Lost::Name), Grade::Look),
            ("nothing, named", true, Err(Lost::Name), Grade::Wrong),
        ] {
            assert_eq!(edge(&base(), told, &outcome).grade, grade, "{name}");
        }
    }
}
