//! Owns problem documents (RFC 9457), the errors for programs. Must not know their causes.

use casting_core::denial::Denial;
use casting_core::form::FieldError;
use casting_core::ids::Reference;
use casting_core::rate_limit::RateLimit;
use casting_core::urls;
use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::code::{Code, RequestError};
use crate::reply::{self, Reply};

/// A problem: an error as HTTP clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The code.
    pub code: Code,
    /// What happened this time, in a sentence or two; without it the code's own sentence is used.
    pub detail: Option<String>,
    /// A quotation in it (an administrator's or a provider's text), which pages do not translate.
    pub quote: Option<Box<str>>,
    /// The reference in the log.
    pub reference: Option<Reference>,
    /// When to retry, in seconds.
    pub retry_after: Option<u64>,
    /// The invalid values.
    pub errors: Vec<FieldError>,
    /// Further headers.
    pub hints: Option<Box<Hints>>,
}

/// The headers of a few problems; boxed, because most have none and every error is as large as a
/// problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hints {
    /// The allowed methods.
    Allow(Box<str>),
    /// The rate limit that refused.
    Limit(RateLimit),
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl Problem {
    /// A problem with its code's own sentence.
    pub fn new(code: impl Into<Code>) -> Self {
        Self {
            code: code.into(),
            detail: None,
            quote: None,
            reference: None,
            retry_after: None,
            errors: Vec::new(),
            hints: None,
        }
    }

    /// A path that is only there for other methods; `allowed` is the value of the `Allow` header.
    pub fn method_not_allowed(allowed: &str) -> Self {
        Self {
            hints: Some(Box::new(Hints::Allow(allowed.into()))),
            ..Self::new(RequestError::MethodNotAllowed)
        }
    }

    /// A denial, with its reference in the log.
    pub fn denied(denial: Denial, reference: Option<Reference>) -> Self {
        Self {
            reference,
            retry_after: denial.retry_after,
            detail: denial.detail,
            quote: denial.quote.map(Into::into),
            hints: denial.limit.map(|limit| Box::new(Hints::Limit(*limit))),
            ..Self::new(denial.code)
        }
    }

    /// Invalid values (422).
    pub fn not_valid(errors: Vec<FieldError>) -> Self {
        Self {
            errors,
            ..Self::new(RequestError::NotValid)
        }
    }

    /// Replaces the code's own sentence.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// The explanation: the detail, or the code's own sentence.
    pub fn sentence(&self) -> &str {
        self.detail.as_deref().unwrap_or(self.code.sentence())
    }

    /// The problem as a document.
    pub fn reply(&self) -> Reply {
        let status = self.code.status();
        let mut reply = reply::json(
            status,
            &Document {
                r#type: urls::error_page(self.code.as_str()),
                title: self.code.title(),
                status: status.as_u16(),
                detail: self.sentence(),
                code: self.code.as_str(),
                reference: self.reference.as_ref(),
                retry_after: self.retry_after,
                errors: &self.errors,
            },
        );
        reply.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        self.set_headers(&mut reply);
        reply
    }

    /// Adds the headers of the problem, to a document or a page.
    pub(crate) fn set_headers(&self, reply: &mut Reply) {
        reply::set_retry_after(reply, self.retry_after);
        match self.hints.as_deref() {
            Some(Hints::Allow(allow)) => {
                if let Ok(allow) = HeaderValue::from_str(allow) {
                    reply.headers_mut().insert(ALLOW, allow);
                }
            }
            Some(Hints::Limit(limit)) => {
                reply::set_rate_limits(reply, std::slice::from_ref(limit));
            }
            None => {}
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            reply
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::denial::DenialCode;

    fn body(reply: &Reply) -> &str {
        std::str::from_utf8(reply.body().as_ref()).expect("text")
    }

    #[test]
    fn problem_has_retry_after_and_reference() {
        let reply = Problem::denied(
            Denial::retry(DenialCode::IpLimit, 42),
            Reference::parse("k3f7-2mqa"),
        )
        .reply();
        assert_eq!(reply.status(), 429);
        assert_eq!(reply.headers()["retry-after"], "42");
        assert_eq!(reply.headers()["content-type"], "application/problem+json");
        assert_eq!(reply.headers()["cache-control"], "no-store");
        insta::assert_snapshot!(body(&reply), @r#"{"type":"/error/ip-limit","title":"Too many sessions from your network","status":429,"detail":"This link allows only a few sessions in a given time from one network; please try again a little later.","code":"ip-limit","ref":"k3f7-2mqa","retry_after":42}"#);
    }

    #[test]
    fn invalid_values_are_named() {
        let error = FieldError::new("/name", "A cast needs a name.");
        let reply = Problem::not_valid(vec![error])
            .detail("The cast was not made.")
            .reply();
        assert_eq!(reply.status(), 422);
        insta::assert_snapshot!(body(&reply), @r#"{"type":"/error/not-valid","title":"Some values are not possible","status":422,"detail":"The cast was not made.","code":"not-valid","errors":[{"pointer":"/name","detail":"A cast needs a name."}]}"#);
    }

    #[test]
    fn problems_set_allow_and_www_authenticate() {
        let reply = Problem::method_not_allowed("GET, HEAD").reply();
        assert_eq!(
            (reply.status().as_u16(), &reply.headers()["allow"]),
            (405, &HeaderValue::from_static("GET, HEAD"))
        );
        let reply = Problem::new(RequestError::Unauthorized).reply();
        assert_eq!(
            (
                reply.status().as_u16(),
                &reply.headers()["www-authenticate"]
            ),
            (401, &HeaderValue::from_static("Bearer"))
        );
    }
}
