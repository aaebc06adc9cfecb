//! Owns what the answers of a trial session mean: one finding for each. Must not send anything.

use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::ask::{Answer, AskError, SocketError};
use super::finding::{Finding, error, ok, warning};

/// What to do when the edge does not reach the session's gate.
const EDGE: &str = "The edge does not reach the session's gate: see the security group, the sessions' public DNS names and the edge's log.";

/// A request had no answer.
pub fn unreachable(what: &str, ask_error: &AskError) -> Finding {
    error(
        format!("{what}: no answer ({ask_error:?})."),
        "Check names, certificates and the network.",
    )
}

/// A request was answered otherwise than expected.
pub fn refused(what: &str, answer: &Answer) -> Finding {
    let document = answer.json();
    let detail = document["detail"].as_str().unwrap_or_default();
    error(
        format!("{what}: status {}. {detail}", answer.status),
        "Look up the reference in the runbook's way, or see the function's log.",
    )
}

/// The link asks for more than a program can give.
pub fn needs(needs: &[Value]) -> Finding {
    let needs: Vec<&str> = needs.iter().filter_map(Value::as_str).collect();
    warning(
        format!(
            "The trial link needs {}, so no session was tried.",
            needs.join(" and ")
        ),
        "Try a session by hand.",
    )
}

/// The trial link could not be removed.
pub fn link_stays(key: &impl std::fmt::Display) -> Finding {
    warning(
        format!("The trial link {key} could not be removed."),
        "Delete it in the console; it starts no further session.",
    )
}

/// A claim was accepted without a session.
pub fn no_session() -> Finding {
    error(
        "The answer to a claim names no session.",
        "See what rewrites answers between here and the deployment.",
    )
}

/// The session is ready.
pub fn started(claim: Duration, ready: Duration) -> Finding {
    ok(format!(
        "A claim is answered after {} ms, and its session is ready after {:.1} s.",
        claim.as_millis(),
        ready.as_secs_f64()
    ))
}

/// The session never became ready.
pub fn not_started(status: &Value) -> Finding {
    error(
        format!(
            "The session did not become ready: {}.",
            status["reason"]
                .as_str()
                .or(status["state"].as_str())
                .unwrap_or("no state")
        ),
        "See the session under Claims in the console: image, network and the gate's way to the control plane.",
    )
}

/// The answer at an entry address, and the cookie that it sets.
pub fn entered(entrance: &Url, answer: &Answer) -> (Finding, Option<String>) {
    let set = answer.header("set-cookie");
    let cookie = set.split(';').next().unwrap_or_default().to_owned();
    if answer.status != 303 || cookie.is_empty() {
        let finding = error(
            format!(
                "{} answers an entry ticket with {}.",
                host(entrance),
                answer.status
            ),
            EDGE,
        );
        return (finding, None);
    }
    let is_https = entrance.scheme() == "https";
    let attributes = set.to_ascii_lowercase();
    let safe = attributes.contains("httponly") && (!is_https || attributes.contains("secure"));
    let finding = if safe {
        ok(format!(
            "{} exchanges an entry ticket for a cookie.",
            host(entrance)
        ))
    } else {
        error(
            format!(
                "{} sets a cookie that is not protected: the gate was not told that visitors use https.",
                host(entrance)
            ),
            "See which headers the edge sends to the gate (x-forwarded-proto).",
        )
    };
    (finding, Some(cookie))
}

/// The answer at an entry address that was used before.
pub fn entered_again(answer: &Answer) -> Finding {
    if answer.status == 410 {
        ok("An entry address opens nothing a second time.")
    } else {
        error(
            format!("An entry address that was used answers {}.", answer.status),
            "Whatever repeats requests between visitor and gate must not.",
        )
    }
}

/// The viewer's page.
pub fn viewer(answer: &Answer) -> Finding {
    if answer.status != 200 {
        return error(format!("The viewer answers {}.", answer.status), EDGE);
    }
    let missing: Vec<&str> = [
        "content-security-policy",
        "cross-origin-resource-policy",
        "cross-origin-opener-policy",
    ]
    .into_iter()
    .filter(|name| answer.header(name).is_empty())
    .collect();
    if missing.is_empty() {
        ok("The viewer shows the session, with the headers that protect it.")
    } else {
        error(
            format!("The viewer's page lacks {}.", missing.join(", ")),
            "Whatever is in front of the gate must leave its headers alone.",
        )
    }
}

/// The WebSocket to the gate.
pub fn socket(echoed: &Result<Duration, SocketError>) -> Finding {
    match echoed {
        Ok(time) => ok(format!(
            "A WebSocket reaches the gate; a message is there and back in {} ms.",
            time.as_millis()
        )),
        // The gate of an image that was built before this check answers 404.
        Err(SocketError::Status(404)) => warning(
            "The gate has no connection test, so WebSockets were not tried.",
            "Update the gate's image.",
        ),
        Err(SocketError::Status(status)) => error(
            format!("A WebSocket to the gate is answered with {status}."),
            "The edge must pass on the headers Upgrade, Connection and Sec-WebSocket-*.",
        ),
        Err(SocketError::NoEcho) => error(
            "A WebSocket opens, and messages do not come back.",
            "The edge must keep WebSockets open and pass on their frames.",
        ),
        Err(SocketError::NoAnswer(ask_error)) => unreachable("A WebSocket to the gate", ask_error),
    }
}

/// Viewer and app are one origin.
pub fn shared_origin() -> Finding {
    warning(
        "Sessions are paths of one host, so that all are one origin to a browser.",
        "Give sessions a domain (SessionDomain) before strangers use them.",
    )
}

/// The app's own answer.
pub fn app(answer: &Answer) -> Finding {
    match answer.status {
        200..=399 | 401 | 404 => ok(format!(
            "The app answers through edge and gate (status {}).",
            answer.status
        )),
        status => error(
            format!("The app answers {status} through edge and gate."),
            "See the session's log: does the app listen on the image's port?",
        ),
    }
}

/// The session could not be ended by its owner.
pub fn not_ended(session: &str) -> Finding {
    error(
        format!("Session {session} could not be ended by its visitor."),
        "It was stopped with the administrator's key; see the session function's log.",
    )
}

/// Whether the session is over for its visitor.
pub fn over(is_over: bool, after: Duration) -> Finding {
    if is_over {
        ok(format!(
            "The ended session is closed to its visitor after {:.1} s.",
            after.as_secs_f64()
        ))
    } else {
        error(
            format!(
                "The ended session is still served after {} s.",
                after.as_secs()
            ),
            "See whether the gate hears of its end.",
        )
    }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;
    use crate::doctor::finding::Severity;

    fn answer(status: u16, headers: &[(&'static str, &'static str)]) -> Answer {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect();
        Answer {
            status,
            headers,
            body: String::new(),
        }
    }

    #[test]
    fn entry_needs_a_protected_cookie() {
        let url = |scheme: &str| Url::parse(&format!("{scheme}://s.example.com/")).expect("a URL");
        for (name, scheme, status, cookie, severity, enters) in [
            (
                "https",
                "https",
                303,
                "a=1; Path=/; Secure; HttpOnly",
                Severity::Ok,
                true,
            ),
            (
                "http",
                "http",
                303,
                "a=1; Path=/; HttpOnly",
                Severity::Ok,
                true,
            ),
            (
                "https unknown to the gate",
                "https",
                303,
                "a=1; HttpOnly",
                Severity::Error,
                true,
            ),
            (
                "readable",
                "https",
                303,
                "a=1; Secure",
                Severity::Error,
                true,
            ),
            ("no cookie", "https", 303, "", Severity::Error, false),
            ("gate unreachable", "https", 504, "", Severity::Error, false),
        ] {
            let headers = [("set-cookie", cookie)];
            let (finding, found) = entered(&url(scheme), &answer(status, &headers));
            assert_eq!(finding.severity, severity, "{name}");
            assert_eq!(found.is_some(), enters, "{name}");
        }
    }

    #[test]
    fn socket_findings_name_what_the_edge_must_do() {
        for (name, echoed, severity) in [
            ("echo", Ok(Duration::from_millis(3)), Severity::Ok),
            ("old gate", Err(SocketError::Status(404)), Severity::Warning),
            ("refused", Err(SocketError::Status(502)), Severity::Error),
            ("silent", Err(SocketError::NoEcho), Severity::Error),
            (
                "no edge",
                Err(SocketError::NoAnswer(AskError::Slow)),
                Severity::Error,
            ),
        ] {
            assert_eq!(socket(&echoed).severity, severity, "{name}");
        }
    }

    #[test]
    fn app_may_answer_as_it_likes_but_not_be_down() {
        for (status, severity) in [
            (200, Severity::Ok),
            (302, Severity::Ok),
            (401, Severity::Ok),
            (404, Severity::Ok),
            (403, Severity::Error),
            (502, Severity::Error),
        ] {
            assert_eq!(app(&answer(status, &[])).severity, severity, "{status}");
        }
    }

    #[test]
    fn viewer_without_its_headers_is_an_error() {
        let all = [
            ("content-security-policy", "default-src 'none'"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ];
        assert_eq!(viewer(&answer(200, &all)).severity, Severity::Ok);
        let finding = viewer(&answer(200, &all[..1]));
        assert!(
            finding
                .what
                .contains("cross-origin-resource-policy, cross-origin-opener-policy"),
            "{finding}"
        );
        assert_eq!(viewer(&answer(504, &all)).severity, Severity::Error);
    }
}
