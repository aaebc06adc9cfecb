//! Owns parsing a claim and answering an accepted one. Must not know what a claim takes.

use casting_core::ids::SessionId;
use casting_core::policy::NotApplied;
use casting_core::ports::FaultKind;
use casting_core::urls;
use casting_core::{ClaimRequest, Claimed, FlowError, PublicUrls, captcha_provider};
use casting_web::credentials::{SetCookie, own_cookie, owner_cookie};
use casting_web::{
    HandlerError, Problem, Reply, Request, RequestContext, RequestError, body, reply,
};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimDocument {
    ticket: String,
    #[serde(default)]
    captcha: Option<String>,
    #[serde(default)]
    consent: bool,
}

/// The longest idempotency key, in characters.
const MAX_KEY: usize = 200;

/// The reply for programs.
#[derive(Serialize)]
struct Accepted<'a> {
    session_id: &'a str,
    state: &'a str,
    status_url: &'a str,
    /// The bearer token for all further requests about the session.
    session_token: &'a str,
    /// For a resumed session: the link's parameters that were not applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<Resumed>,
}

/// The header by which the page's script asks for, and gets, a reply that it can read.
const REPLY: &str = "casting-reply";
const AS_LOCATION: &str = "location";

/// The reply for the page's script.
#[derive(Serialize)]
struct ScriptReply {
    /// Where the visitor goes on.
    location: String,
}

#[derive(Serialize)]
struct Resumed {
    not_applied: Vec<&'static str>,
}

/// Parses a claim: a form, or a document of a program. A form without a ticket has an empty one,
/// which is invalid.
///
/// # Errors
/// When the body is too large, of another type, or cannot be parsed, or the idempotency key is
/// invalid.
pub(crate) fn read(request: &Request) -> Result<ClaimRequest, Problem> {
    if body::kind(request) == Some(body::Kind::Json) {
        let ClaimDocument {
            ticket,
            captcha,
            consent,
        } = body::json(request)?;
        return Ok(ClaimRequest {
            ticket,
            captcha,
            consent,
            drops_cookies: false,
            idempotency_key: idempotency_key(request)?,
        });
    }
    let form = body::form(request)?;
    let field = |name: &str| form.field(name).filter(|value| !value.is_empty());
    Ok(ClaimRequest {
        ticket: field("ticket").unwrap_or_default().to_owned(),
        captcha: captcha_provider::fields()
            .find_map(field)
            .map(str::to_owned),
        consent: field("consent") == Some("yes"),
        drops_cookies: false,
        idempotency_key: None,
    })
}

/// The idempotency key of a program.
fn idempotency_key(request: &Request) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get("idempotency-key") else {
        return Ok(None);
    };
    let key = value
        .to_str()
        .ok()
        .filter(|key| (1..=MAX_KEY).contains(&key.len()));
    let wrong = || {
        Problem::new(RequestError::BadRequest).detail(format!(
            "The Idempotency-Key must be 1 to {MAX_KEY} plain characters."
        ))
    };
    key.map(|key| Some(key.to_owned())).ok_or_else(wrong)
}

/// The status URL of a session.
pub(crate) fn status_url(urls: &PublicUrls, session: &SessionId) -> String {
    urls.absolute(&urls::session_status(session))
}

/// Whether the page's script sends this claim, and not its form.
pub(crate) fn is_by_script(request: &Request) -> bool {
    request
        .headers()
        .get(REPLY)
        .is_some_and(|wanted| wanted == AS_LOCATION)
}

/// Of how many links a browser knows its own session: these cookies go with each of its requests,
/// and a gateway takes 10,240 bytes of headers.
const MOST_OWN: usize = 12;

/// Whether a claim was refused only because too many came at once: nothing was taken, and the
/// script sends it again.
pub(crate) fn is_contention(error: &HandlerError) -> bool {
    let HandlerError::Refusal(refusal) = error else {
        return false;
    };
    matches!(&refusal.error, FlowError::Fault(fault) if fault.kind == FaultKind::Contention)
}

/// The reply for the page's script: the address of a redirect as a document, because a script
/// cannot read a redirect. Every reply says that it is ours, and not the gateway's.
pub(crate) fn for_script(reply: Reply) -> Reply {
    let location = reply
        .headers()
        .get(LOCATION)
        .and_then(|location| location.to_str().ok())
        .map(|location| ScriptReply {
            location: location.to_owned(),
        });
    let (kind, mut reply) = match location {
        None => (HeaderValue::from_static("page"), reply),
        Some(location) => {
            let mut document = reply::json(StatusCode::OK, &location);
            for cookie in reply.headers().get_all(SET_COOKIE) {
                document.headers_mut().append(SET_COOKIE, cookie.clone());
            }
            (HeaderValue::from_static(AS_LOCATION), document)
        }
    };
    reply.headers_mut().insert(REPLY, kind);
    reply
}

/// Answers an accepted claim: people are redirected to the waiting page with a cookie for it;
/// programs get a token and the status URL.
pub(crate) fn reply(
    claimed: &Claimed,
    key: &str,
    visit: &RequestContext,
    urls: &PublicUrls,
) -> Reply {
    let session = &claimed.session;
    let path = urls::session(&session.id);
    let not_applied = |reasons: &[NotApplied]| {
        let codes = reasons.iter().map(|reason| reason.as_str());
        codes.collect::<Vec<_>>()
    };
    if visit.wants_json {
        let status_url = status_url(urls, &session.id);
        let accepted = Accepted {
            session_id: session.id.as_str(),
            state: session.state.as_str(),
            status_url: &status_url,
            session_token: &claimed.owner_ticket,
            resumed: claimed.resumed.as_deref().map(|reasons| Resumed {
                not_applied: not_applied(reasons),
            }),
        };
        let mut reply = reply::json(StatusCode::ACCEPTED, &accepted);
        reply::set_location(&mut reply, &status_url);
        return reply;
    }
    // The page has shown what will not be applied, and a visitor who did not agree to the address
    // knows that too.
    let unknown = claimed.resumed.iter().flatten();
    let unknown: Vec<NotApplied> = unknown
        .copied()
        .filter(|reason| *reason != NotApplied::UrlNotAgreed)
        .collect();
    let mut reply = if unknown.is_empty() {
        reply::see_other(&path)
    } else {
        let codes = not_applied(&unknown).join(",");
        reply::see_other(&format!("{path}?not_applied={codes}"))
    };
    let cookie = SetCookie {
        name: &owner_cookie(&session.id),
        value: &claimed.owner_ticket,
        path: &path,
        // As long as the ticket in it is valid: to the latest end of the session, and an hour more to
        // read why it ended.
        max_age: session.created_at.seconds_until(session.ready_by) + session.most_seconds() + 3600,
        secure: urls.is_secure(),
    };
    reply::set_cookie(&mut reply, &cookie);
    if claimed.by_browser {
        let own = own_cookie(key, cookie.secure);
        let cookie = SetCookie {
            name: &own,
            path: "/",
            ..cookie
        };
        reply::set_cookie(&mut reply, &cookie);
        for name in surplus_of(visit.cookies_from(&own_cookie("", cookie.secure)), &own) {
            let cookie = SetCookie {
                name: &name,
                value: "",
                max_age: 0,
                ..cookie
            };
            reply::set_cookie(&mut reply, &cookie);
        }
    }
    reply
}

/// The cookies of other links that a browser has to give up beside this one. It sends the oldest
/// first.
fn surplus_of(mut sent: Vec<String>, own: &str) -> Vec<String> {
    sent.retain(|name| name != own);
    sent.truncate((sent.len() + 1).saturating_sub(MOST_OWN));
    sent
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use casting_core::testing::{SeededEntropy, cast, session};
    use casting_web::Body;

    pub(crate) fn visit(accept: &str) -> RequestContext {
        let request = http::Request::builder()
            .header("accept", accept)
            .header("user-agent", "Mozilla/5.0 Chrome/140.0.0.0")
            .body(Body::Empty)
            .expect("a request");
        RequestContext::parse(&request, &SeededEntropy::new(1))
    }

    pub(crate) fn body(reply: &Reply) -> &str {
        std::str::from_utf8(reply.body().as_ref()).expect("text")
    }

    pub(crate) fn urls() -> PublicUrls {
        PublicUrls {
            public_url: "https://cast.example.com".into(),
            report_url: "https://cast.example.com".into(),
            session_url: "https://{session}.cast.example.com".into(),
        }
    }

    #[test]
    fn ticket_is_read_from_form_or_json() {
        const FORM: &str = "application/x-www-form-urlencoded";
        const JSON: &str = "application/json";
        for (name, content_type, text, expected) in [
            ("a form", FORM, "ticket=v1.a.b", Ok("v1.a.b")),
            ("a form without it", FORM, "other=1", Ok("")),
            ("a document", JSON, r#"{"ticket":"v1.a.b"}"#, Ok("v1.a.b")),
            ("a document without it", JSON, "{}", Err(400)),
            (
                "a document with a number",
                JSON,
                r#"{"ticket":1}"#,
                Err(400),
            ),
            (
                "a document with something else",
                JSON,
                r#"{"ticket":"v1.a.b","kasm_url":"x"}"#,
                Err(400),
            ),
            ("no document", JSON, "ticket=1", Err(400)),
            ("plain text", "text/plain", "ticket=v1.a.b", Err(415)),
            ("too large", FORM, &"t".repeat(70_000), Err(413)),
        ] {
            let request = http::Request::builder()
                .header("content-type", content_type)
                .body(Body::from(text))
                .expect("a request");
            let found = read(&request)
                .map(|claim| claim.ticket)
                .map_err(|problem| problem.code.status().as_u16());
            assert_eq!(found.as_deref(), expected.as_ref().copied(), "{name}");
        }
    }

    #[test]
    fn captcha_proof_is_read_from_any_widget_field() {
        for (text, captcha, consent) in [
            ("ticket=t", None, false),
            ("ticket=t&captcha=p", Some("p"), false),
            ("ticket=t&captcha=&g-recaptcha-response=p", Some("p"), false),
            ("ticket=t&h-captcha-response=p&consent=yes", Some("p"), true),
            (
                "ticket=t&cf-turnstile-response=p&consent=no",
                Some("p"),
                false,
            ),
        ] {
            let request = http::Request::builder()
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Body::from(text));
            let claim = read(&request.expect("a request")).expect("a claim");
            assert_eq!(
                (claim.captcha.as_deref(), claim.consent),
                (captcha, consent),
                "{text}"
            );
        }
    }

    #[test]
    fn idempotency_key_charset_and_length_are_checked() {
        for (key, fits) in [("a-1", true), ("", false), (&"k".repeat(201), false)] {
            let request = http::Request::builder()
                .header("content-type", "application/json")
                .header("idempotency-key", key);
            let request = request
                .body(Body::from(r#"{"ticket":"t"}"#))
                .expect("a request");
            assert_eq!(read(&request).is_ok(), fits, "{key}");
        }
    }

    #[test]
    fn oldest_cookies_of_other_links_are_given_up() {
        let names = |range: std::ops::Range<usize>| -> Vec<String> {
            range.map(|n| format!("cast-own-{n:06}")).collect()
        };
        for (name, sent, own, given_up) in [
            ("none", 0..0, 0, 0..0),
            ("few", 0..11, 99, 0..0),
            ("as many as there may be", 0..12, 3, 0..0),
            ("one more", 0..12, 99, 0..1),
            ("from before there was a limit", 0..40, 99, 0..29),
        ] {
            let own = format!("cast-own-{own:06}");
            assert_eq!(surplus_of(names(sent), &own), names(given_up), "{name}");
        }
    }

    #[test]
    fn browsers_get_a_cookie_and_api_clients_a_token() {
        let claimed = Claimed {
            session: session(&cast(1), 1),
            owner_ticket: "v1.owner.ticket".into(),
            resumed: None,
            by_browser: false,
            left: None,
        };
        let id = claimed.session.id.as_str();

        let person = reply(&claimed, "my-first", &visit("text/html"), &urls());
        assert_eq!(person.status(), 303);
        assert_eq!(person.headers()["location"], format!("/session/{id}"));
        let cookie = format!(
            "cast-{id}=v1.owner.ticket; Path=/session/{id}; Max-Age=93780; \
                              HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(person.headers()["set-cookie"], cookie);
        assert_eq!(person.headers()["cache-control"], "no-store");

        let program = reply(&claimed, "my-first", &visit("application/json"), &urls());
        assert_eq!(program.status(), 202);
        let status_url = format!("https://cast.example.com/session/{id}/status");
        assert_eq!(program.headers()["location"], status_url);
        assert!(!program.headers().contains_key("set-cookie"));
        let expected = format!(
            r#"{{"session_id":"{id}","state":"reserved","status_url":"{status_url}","session_token":"v1.owner.ticket"}}"#
        );
        assert_eq!(body(&program), expected);

        let local = PublicUrls {
            public_url: "http://localhost:8300".into(),
            ..urls()
        };
        let person = reply(&claimed, "my-first", &visit("text/html"), &local);
        assert!(
            !person.headers()["set-cookie"]
                .to_str()
                .expect("text")
                .contains("Secure"),
            "a cookie for http"
        );
    }

    #[test]
    fn script_gets_the_address_of_a_redirect_with_its_cookie() {
        let claimed = Claimed {
            session: session(&cast(1), 1),
            owner_ticket: "v1.owner.ticket".into(),
            resumed: None,
            by_browser: false,
            left: None,
        };
        let id = &claimed.session.id;
        let form = reply(&claimed, "my-first", &visit("text/html"), &urls());
        let cookie = form.headers()["set-cookie"].clone();
        let reply = for_script(form);
        assert_eq!(
            (reply.status().as_u16(), body(&reply)),
            (200, format!(r#"{{"location":"/session/{id}"}}"#).as_str())
        );
        assert_eq!(
            (&reply.headers()["set-cookie"], &reply.headers()[REPLY]),
            (&cookie, &HeaderValue::from_static("location"))
        );
        assert!(!reply.headers().contains_key("location"));
        let page = for_script(reply::text(StatusCode::FORBIDDEN, "text/html", "no".into()));
        assert_eq!((page.status().as_u16(), body(&page)), (403, "no"));
        assert_eq!(page.headers()[REPLY], "page");
    }

    #[test]
    fn resume_passes_on_parameters_not_applied() {
        let id = session(&cast(1), 1).id;
        for (name, resumed, location, document) in [
            ("a new session", None, "", None),
            ("all applied", Some(vec![]), "", Some("[]")),
            (
                "an address and a network",
                Some(vec![NotApplied::UrlInvalid, NotApplied::NetworkUnchanged]),
                "?not_applied=kasm-url-invalid,docker-network-unchanged",
                Some(r#"["kasm-url-invalid","docker-network-unchanged"]"#),
            ),
            (
                "an address that the visitor did not agree to",
                Some(vec![NotApplied::UrlNotAgreed]),
                "",
                Some(r#"["kasm-url-not-agreed"]"#),
            ),
        ] {
            let claimed = Claimed {
                session: session(&cast(1), 1),
                owner_ticket: "v1.owner.ticket".into(),
                resumed,
                by_browser: false,
                left: None,
            };
            let person = reply(&claimed, "my-first", &visit("text/html"), &urls());
            let expected = format!("/session/{id}{location}");
            assert_eq!(person.headers()["location"], expected, "{name}");
            let program = reply(&claimed, "my-first", &visit("application/json"), &urls());
            let found = body(&program).split_once(r#""resumed":"#);
            let expected = document.map(|codes| format!(r#"{{"not_applied":{codes}}}}}"#));
            assert_eq!(found.map(|(_, rest)| rest), expected.as_deref(), "{name}");
        }
    }
}
