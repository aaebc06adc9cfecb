//! Owns how a visitor learns that something was refused: a redirect to the link's own error page, our page, or a problem document.
//! Must not know why it was refused.

use casting_core::Refusal;
use casting_core::denial::Denial;
use casting_core::ids::Reference;
use casting_core::urls;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::page;
use crate::problem::Problem;
use crate::reply::{self, Reply};
use crate::request_context::RequestContext;

/// What kept a door from doing what was asked.
#[derive(Clone, Debug)]
pub enum HandlerError {
    /// The request was not as it must be.
    Problem(Problem),
    /// A flow refused.
    Refusal(Refusal),
}

impl From<Problem> for HandlerError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Refusal> for HandlerError {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl RequestContext {
    /// The answer of a door that was stopped.
    pub fn error_response(&self, error: &HandlerError) -> Reply {
        match error {
            HandlerError::Problem(problem) => self.explain(problem),
            HandlerError::Refusal(refusal) => self.refuse(refusal),
        }
    }

    /// Tells of a problem right here: programs get the document, people a page of the same status.
    pub fn explain(&self, problem: &Problem) -> Reply {
        if self.wants_json {
            problem.reply()
        } else {
            page::problem(problem, self, &[])
        }
    }

    /// Tells of a refusal: programs get the document, people are sent to the link's error page if it has one, else to ours.
    pub fn refuse(&self, refusal: &Refusal) -> Reply {
        let denial = refusal.denial();
        if self.wants_json {
            return Problem::denied(denial, Some(refusal.reference.clone())).reply();
        }
        let foreign = refusal
            .error_url
            .as_deref()
            .and_then(|url| foreign_page(url, &denial, &refusal.reference));
        // What is said here in particular cannot stand in an address, where anybody could write it; and our error page stands in nobody's frame.
        let in_frame = self.framed && !refusal.framed_by.is_empty();
        if foreign.is_none() && (denial.detail.is_some() || in_frame) {
            return page::problem(
                &Problem::denied(denial, Some(refusal.reference.clone())),
                self,
                &refusal.framed_by,
            );
        }
        let mut reply =
            reply::see_other(&foreign.unwrap_or_else(|| own_page(&denial, &refusal.reference)));
        reply::set_retry_after(&mut reply, denial.retry_after);
        reply
    }
}

/// Our own error page for this refusal.
fn own_page(denial: &Denial, reference: &Reference) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("ref", reference.as_str());
    if let Some(seconds) = denial.retry_after {
        query.append_pair("retry_after", &seconds.to_string());
    }
    format!("{}?{}", urls::error_page(denial.code), query.finish())
}

/// The link's error page: what its query already says stays, and so does its fragment. `None` when the text is no web address.
fn foreign_page(error_url: &str, denial: &Denial, reference: &Reference) -> Option<String> {
    let mut url = Url::parse(error_url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let mut query = url.query_pairs_mut();
    query
        .append_pair("error", denial.code.as_str())
        .append_pair("ref", reference.as_str());
    if let Some(seconds) = denial.retry_after {
        query.append_pair("retry_after", &seconds.to_string());
    }
    drop(query);
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::FlowError;
    use casting_core::denial::DenialCode;
    use casting_core::testing::SeededEntropy;
    use lambda_http::Body;

    fn visit(accept: &str) -> RequestContext {
        let request = http::Request::builder()
            .uri("/cast/123abc")
            .header("accept", accept)
            .body(Body::Empty)
            .expect("a request");
        RequestContext::parse(&request, &SeededEntropy::new(1))
    }

    fn refusal(denial: Denial, error_url: Option<&str>) -> Refusal {
        let reference = Reference::parse("k3f7-2mqa").expect("a reference");
        Refusal {
            error: FlowError::Denied(denial),
            reference,
            error_url: error_url.map(str::to_owned),
            framed_by: Box::default(),
        }
    }

    #[test]
    fn browser_is_redirected_to_an_error_page() {
        let plain = || Denial::new(DenialCode::NoSessionsLeft);
        let later = || Denial::retry(DenialCode::IpLimit, 42);
        for (name, denial, error_url, location) in [
            (
                "ours",
                plain(),
                None,
                "/error/no-sessions-left?ref=k3f7-2mqa",
            ),
            (
                "ours, later",
                later(),
                None,
                "/error/ip-limit?ref=k3f7-2mqa&retry_after=42",
            ),
            (
                "theirs",
                plain(),
                Some("https://acme.com/sorry"),
                "https://acme.com/sorry?error=no-sessions-left&ref=k3f7-2mqa",
            ),
            (
                "theirs, later",
                later(),
                Some("https://acme.com"),
                "https://acme.com/?error=ip-limit&ref=k3f7-2mqa&retry_after=42",
            ),
            (
                "theirs, with a query and a fragment",
                plain(),
                Some("https://acme.com/?a=%20b&error=x#top"),
                "https://acme.com/?a=%20b&error=x&error=no-sessions-left&ref=k3f7-2mqa#top",
            ),
            (
                "no web address",
                plain(),
                Some("javascript:alert(1)"),
                "/error/no-sessions-left?ref=k3f7-2mqa",
            ),
            (
                "no address at all",
                plain(),
                Some("sorry"),
                "/error/no-sessions-left?ref=k3f7-2mqa",
            ),
        ] {
            let retry_after = denial.retry_after;
            let reply = visit("text/html").refuse(&refusal(denial, error_url));
            assert_eq!(reply.status(), 303, "{name}");
            assert_eq!(reply.headers()["location"], location, "{name}");
            assert_eq!(reply.headers()["cache-control"], "no-store", "{name}");
            assert_eq!(
                reply.headers().contains_key("retry-after"),
                retry_after.is_some(),
                "{name}"
            );
        }
    }

    #[test]
    fn specific_message_is_rendered_directly_and_escaped() {
        let denial = || {
            Denial::because(
                DenialCode::AddressDenied,
                "Requests from <b>Example</b> are not allowed.",
            )
        };
        let reply = visit("text/html").refuse(&refusal(denial(), None));
        assert_eq!(reply.status(), 403);
        let html = std::str::from_utf8(reply.body().as_ref()).expect("text");
        assert!(
            html.contains("Requests from &#60;b&#62;Example&#60;/b&#62; are not allowed."),
            "{html}"
        );
        let reply = visit("text/html").refuse(&refusal(denial(), Some("https://acme.com/sorry")));
        assert_eq!(
            reply.headers()["location"],
            "https://acme.com/sorry?error=address-denied&ref=k3f7-2mqa"
        );
    }

    #[test]
    fn framed_refusal_is_rendered_in_the_frame() {
        let request = http::Request::builder()
            .uri("/cast/123abc")
            .header("sec-fetch-dest", "iframe")
            .body(Body::Empty);
        let framed = RequestContext::parse(&request.expect("a request"), &SeededEntropy::new(1));
        let listed = |error_url| Refusal {
            framed_by: [casting_core::referrer::ReferrerRule::parse("=acme.com").expect("a rule")]
                .into(),
            ..refusal(Denial::retry(DenialCode::IpLimit, 42), error_url)
        };
        let policy = |reply: &Reply| {
            reply.headers()["content-security-policy"]
                .to_str()
                .expect("text")
                .to_owned()
        };
        let reply = framed.refuse(&listed(None));
        assert_eq!(
            (reply.status().as_u16(), &reply.headers()["retry-after"]),
            (429, &http::HeaderValue::from_static("42"))
        );
        assert!(
            policy(&reply).contains("frame-ancestors acme.com:*;"),
            "{}",
            policy(&reply)
        );
        assert_eq!(
            framed
                .refuse(&listed(Some("https://acme.com/sorry")))
                .status(),
            303,
            "the link's own page comes first"
        );
        assert_eq!(
            visit("text/html").refuse(&listed(None)).status(),
            303,
            "a window is sent on"
        );
        assert_eq!(
            framed
                .refuse(&refusal(Denial::new(DenialCode::IpLimit), None))
                .status(),
            303,
            "nobody may frame it anyway"
        );
    }

    #[test]
    fn api_client_gets_problem_json_despite_error_url() {
        let reply = visit("application/json").refuse(&refusal(
            Denial::new(DenialCode::CastExpired),
            Some("https://acme.com"),
        ));
        assert_eq!(reply.status(), 410);
        assert!(!reply.headers().contains_key("location"));
        assert_eq!(reply.headers()["content-type"], "application/problem+json");
    }
}
