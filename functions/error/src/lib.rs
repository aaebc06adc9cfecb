//! The error function: the error page, and every path without another function. Needs neither store
//! nor keys, so that it works when they do not.

use casting_core::ids::{Entropy, Reference};
use casting_core::urls;
use casting_web::{
    Code, Function, Problem, Reply, Request, RequestContext, code::RequestError, reply,
};
use http::Method;

/// The longest wait that the page repeats from its address, in seconds (30 days): the longest of
/// any policy.
const LONGEST_WAIT_SECONDS: u64 = 30 * 86_400;

/// Answers a request.
pub fn handle(entropy: &dyn Entropy, request: &Request) -> Reply {
    let visit = RequestContext::parse(request, entropy);
    let reply = answer(&visit).unwrap_or_else(|problem| visit.explain(&problem));
    visit.finish(reply)
}

fn answer(visit: &RequestContext) -> Result<Reply, Problem> {
    let matched = match visit.route(Function::Error) {
        Ok(matched) => matched,
        Err(miss) => {
            let reads = matches!(visit.method, Method::GET | Method::HEAD);
            return match urls::mistyped(&visit.path).filter(|_| reads) {
                Some(right) => Ok(reply::see_other(&visit.with_query(&right))),
                None => Err(miss),
            };
        }
    };
    Ok(visit.explain(&described(visit, matched.segment)?))
}

/// The problem that the address describes. Nothing from the address is shown but known codes,
/// references and numbers.
fn described(visit: &RequestContext, code: &str) -> Result<Problem, Problem> {
    let code = Code::parse(code).ok_or(Problem::new(RequestError::NotFound))?;
    Ok(Problem {
        reference: visit.query("ref").and_then(Reference::parse),
        retry_after: visit
            .query("retry_after")
            .and_then(|seconds| seconds.parse().ok())
            .filter(|wait| (1..=LONGEST_WAIT_SECONDS).contains(wait)),
        ..Problem::new(code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::denial::DenialCode;
    use casting_core::testing::SeededEntropy;
    use casting_web::Body;

    fn reply(method: &str, path: &str, accept: &str) -> Reply {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("accept", accept)
            .body(Body::Empty);
        handle(&SeededEntropy::new(1), &request.expect("a request"))
    }

    fn body(reply: &Reply) -> &str {
        std::str::from_utf8(reply.body().as_ref()).expect("text")
    }

    #[test]
    fn every_error_code_has_a_page_with_its_status() {
        for code in DenialCode::ALL {
            let reply = reply(
                "GET",
                &format!("/error/{code}?ref=k3f7-2mqa&retry_after=42"),
                "text/html",
            );
            assert_eq!(reply.status(), Code::from(code).status(), "{code}");
            assert_eq!(reply.headers()["retry-after"], "42", "{code}");
            assert_eq!(reply.headers()["cache-control"], "no-store", "{code}");
            let html = body(&reply);
            for text in [
                code.title(),
                "k3f7-2mqa",
                "You can try again in <span id=\"left\">42 seconds</span>.",
            ] {
                assert!(html.contains(text), "{code}: {text}");
            }
            assert!(html.len() < 10_000, "{code}: {} bytes", html.len());
        }
    }

    #[test]
    fn mistyped_links_lead_to_the_link() {
        for (name, method, path, to) in [
            ("slash", "GET", "/cast/my-first/", Some("/cast/my-first")),
            (
                "with parameters",
                "GET",
                "/cast/my-first/?kasm_url=https://a.example/%20b",
                Some("/cast/my-first?kasm_url=https://a.example/%20b"),
            ),
            (
                "two slashes",
                "HEAD",
                "//cast/my-first",
                Some("/cast/my-first"),
            ),
            (
                "a share link",
                "HEAD",
                "/share/saaaaaaaaaaaaaaaaaaaaaaaaaa.t/",
                Some("/share/saaaaaaaaaaaaaaaaaaaaaaaaaa.t"),
            ),
            ("not a link", "GET", "/cast/my-first/more", None),
            ("not read", "POST", "/cast/my-first/", None),
        ] {
            let reply = reply(method, path, "text/html");
            let location = reply.headers().get("location");
            assert_eq!(location.map(|to| to.to_str().expect("text")), to, "{name}");
            let status = if to.is_some() { 303 } else { 404 };
            assert_eq!(reply.status(), status, "{name}");
        }
    }

    #[test]
    fn error_page_echoes_no_unknown_input() {
        for (path, status, absent) in [
            (
                "/error/busy?ref=%3Cscript%3E&retry_after=%3Cb%3E",
                503,
                "&#60;script",
            ),
            (
                "/error/busy?ref=call-0800-555&retry_after=99999999999",
                503,
                "0800",
            ),
            ("/error/%3Cscript%3E", 404, "script"),
            ("/error/no-such-code", 404, "no-such-code"),
            ("/anything/else", 404, "anything"),
        ] {
            let reply = reply("GET", path, "text/html");
            assert_eq!(reply.status(), status, "{path}");
            assert!(
                !body(&reply).contains(absent) && !reply.headers().contains_key("retry-after"),
                "{path}"
            );
        }
    }

    #[test]
    fn api_clients_get_problem_json_and_head_no_body() {
        let problem = reply(
            "GET",
            "/error/ip-limit?ref=k3f7-2mqa&retry_after=42",
            "application/json",
        );
        assert_eq!(
            (
                problem.status().as_u16(),
                &problem.headers()["content-type"]
            ),
            (
                429,
                &http::HeaderValue::from_static("application/problem+json")
            )
        );
        assert!(body(&problem).contains(r#""ref":"k3f7-2mqa","retry_after":42"#));
        let head = reply("HEAD", "/error/ip-limit", "text/html");
        assert_eq!((head.status().as_u16(), head.body()), (429, &Body::Empty));
    }

    #[test]
    fn wrong_method_gets_405_with_allow_header() {
        let reply = reply("DELETE", "/error/busy", "text/html");
        assert_eq!(
            (reply.status().as_u16(), &reply.headers()["allow"]),
            (405, &http::HeaderValue::from_static("GET, HEAD"))
        );
    }
}
