//! Owns how a visitor learns that something was refused: a redirect to the link's own error page,
//! our page, or a problem document. Must not know why it was refused.

use casting_core::denial::Denial;
use casting_core::ids::Reference;
use casting_core::{ControlPlane, FlowError, Help, Refusal};
use url::Url;

use crate::code::Code;
use crate::handler_error::HandlerError;
use crate::problem::Problem;
use crate::problem_page;
use crate::reply::{self, Reply};
use crate::request_context::RequestContext;

impl RequestContext {
    /// The reply to a request whose handler failed. A page of no link has the deployment's brand
    /// and contact.
    pub async fn error_response(&self, control_plane: &ControlPlane, error: HandlerError) -> Reply {
        let is_fault = match &error {
            HandlerError::Refusal(refusal) => matches!(refusal.error, FlowError::Fault(_)),
            HandlerError::Fault(_) => true,
            HandlerError::Problem(_) => false,
        };
        // Where the store fails, nothing more is read from it.
        let of_deployment = if self.wants_json || is_fault {
            control_plane.remembered_help()
        } else {
            control_plane.deployment_help().await
        };
        match error {
            HandlerError::Refusal(mut refusal) => {
                refusal.help.complete(of_deployment);
                self.refuse(&refusal)
            }
            error => {
                let problem = error.into_problem(control_plane);
                self.clone().branded(of_deployment.brand).explain(&problem)
            }
        }
    }

    /// Replies with a problem: API clients get the document, browsers a page of the same status.
    pub fn explain(&self, problem: &Problem) -> Reply {
        if self.wants_json {
            problem.reply()
        } else {
            problem_page::reply(problem, self, &[], &Help::default())
        }
    }

    /// Replies with a refusal: API clients get the document, browsers are redirected to the link's
    /// error page if it has one, else they get ours. It is shown at the address that was requested,
    /// so that loading it again asks again.
    pub fn refuse(&self, refusal: &Refusal) -> Reply {
        let denial = refusal.denial();
        if self.wants_json {
            return Problem::denied(denial, Some(refusal.reference.clone())).reply();
        }
        let foreign = refusal
            .error_url
            .as_deref()
            .filter(|_| !self.comes_from_refusal())
            .and_then(|url| foreign_page(url, &denial, &refusal.reference));
        match foreign {
            Some(foreign) => {
                let mut reply = reply::see_other(&foreign);
                reply::set_retry_after(&mut reply, denial.retry_after);
                reply
            }
            None => self.show_refusal(refusal),
        }
    }

    /// Whether this address has what an error page is told: the link's error page leads back here,
    /// and another redirect would go round in circles.
    pub fn comes_from_refusal(&self) -> bool {
        let reference = self.query("ref").and_then(Reference::parse);
        reference.is_some() && self.query("error").and_then(Code::parse).is_some()
    }

    /// Our own page for a refusal.
    pub fn show_refusal(&self, refusal: &Refusal) -> Reply {
        let problem = Problem::denied(refusal.denial(), Some(refusal.reference.clone()));
        let visit = self.speaking(refusal.help.language);
        let visit = visit.branded(refusal.help.brand.clone());
        problem_page::reply(&problem, &visit, &refusal.framed_by, &refusal.help)
    }
}

/// The link's error page: what its query already says stays, and so does its fragment. `None` when
/// the text is no web address.
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
    use casting_core::denial::DenialCode;
    use casting_core::testing::SeededEntropy;
    use http::StatusCode;
    use lambda_http::Body;

    fn visit(accept: &str) -> RequestContext {
        visit_at("/cast/123abc", accept)
    }

    fn visit_at(address: &str, accept: &str) -> RequestContext {
        let request = http::Request::builder()
            .uri(address)
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
            error_url: error_url.map(Into::into),
            framed_by: Box::default(),
            help: Box::default(),
        }
    }

    #[test]
    fn browser_is_redirected_to_the_links_error_page() {
        let plain = || Denial::new(DenialCode::NoSessionsLeft);
        let later = || Denial::retry(DenialCode::IpLimit, 42);
        for (name, denial, error_url, location) in [
            ("ours", plain(), None, None),
            (
                "theirs",
                plain(),
                Some("https://acme.com/sorry"),
                Some("https://acme.com/sorry?error=no-sessions-left&ref=k3f7-2mqa"),
            ),
            (
                "theirs, later",
                later(),
                Some("https://acme.com"),
                Some("https://acme.com/?error=ip-limit&ref=k3f7-2mqa&retry_after=42"),
            ),
            (
                "theirs, with a query and a fragment",
                plain(),
                Some("https://acme.com/?a=%20b&error=x#top"),
                Some("https://acme.com/?a=%20b&error=x&error=no-sessions-left&ref=k3f7-2mqa#top"),
            ),
            ("no web address", plain(), Some("javascript:alert(1)"), None),
            ("no address at all", plain(), Some("sorry"), None),
        ] {
            let (retry_after, status) = (denial.retry_after, Code::from(denial.code).status());
            let reply = visit("text/html").refuse(&refusal(denial, error_url));
            let expected = if location.is_some() {
                StatusCode::SEE_OTHER
            } else {
                status
            };
            assert_eq!(reply.status(), expected, "{name}");
            let found = reply.headers().get("location");
            assert_eq!(
                found.map(|to| to.to_str().expect("text")),
                location,
                "{name}"
            );
            assert_eq!(reply.headers()["cache-control"], "no-store", "{name}");
            assert_eq!(
                reply.headers().contains_key("retry-after"),
                retry_after.is_some(),
                "{name}"
            );
        }
    }

    #[test]
    fn error_page_that_leads_back_ends_the_circle() {
        for (query, leads_on) in [
            ("", true),
            ("?error=ip-limit&ref=k3f7-2mqa&retry_after=42", false),
            ("?kasm_url=a.example&error=ip-limit&ref=k3f7-2mqa", false),
            ("?error=ip-limit", true),
            ("?error=of-the-app&ref=k3f7-2mqa", true),
            ("?error=ip-limit&ref=newsletter", true),
        ] {
            let denial = Denial::retry(DenialCode::IpLimit, 42);
            let visit = visit_at(&format!("/cast/123abc{query}"), "text/html");
            let reply = visit.refuse(&refusal(denial, Some("https://acme.com/sorry")));
            let status = if leads_on { 303 } else { 429 };
            assert_eq!(reply.status(), status, "{query}");
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
        let unlisted = framed.refuse(&refusal(Denial::new(DenialCode::IpLimit), None));
        assert!(
            policy(&unlisted).contains("frame-ancestors 'none';"),
            "{}",
            policy(&unlisted)
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
