//! Owns what may go wrong with a request, as the caller sees it. Must not know requests.

use std::fmt;

use serde::Deserialize;

use crate::types::Status;

/// Why there is no answer, or not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The deployment has refused the request.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// It was not reached, or did not answer in time.
    #[error("the deployment did not answer: {0}")]
    Unanswered(#[from] reqwest::Error),
    /// Its answer is not what the API's document says.
    #[error("the deployment's answer (status {status}) cannot be read: {text}")]
    Unreadable {
        /// The status of the answer.
        status: u16,
        /// What is wrong with it, or its first words.
        text: String,
    },
    /// A claim needs more than a ticket: see [`crate::types::Offer::needs`].
    #[error("a claim of this link needs more: {}", .0.join(", "))]
    NeedsMore(Vec<String>),
    /// All places of the link are taken, and the claim has a place in its queue.
    #[error("all places of this link are taken; the claim waits in its queue")]
    Queued,
    /// The session has ended before it was ready.
    #[error("the session ended before it was ready ({})", .0.denial.as_deref().or(.0.reason.as_deref()).unwrap_or("no reason"))]
    NotStarted(Box<Status>),
    /// It was not ready in time; it may still become so.
    #[error("the session was not ready in time")]
    NotReady,
    /// The address of the deployment cannot be used.
    #[error("{0:?} is no http or https URL")]
    BadAddress(String),
    /// TLS cannot be set up.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

impl Error {
    /// What the deployment says about its refusal; `None` for every other error.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }
}

/// A refusal (RFC 9457). The texts are in the language of the request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// The code, such as `no-sessions-left`; it never changes its meaning.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, in a few words.
    pub title: String,
    /// What can be done, or what exactly is wrong, in a sentence or two.
    pub detail: String,
    /// A page that says more, relative to the deployment.
    #[serde(rename = "type")]
    pub page: String,
    /// Under which the deployment's administrators find more.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// In how many seconds the same request makes sense again.
    pub retry_after: Option<u64>,
    /// The values that are wrong.
    #[serde(default)]
    pub errors: Vec<FieldError>,
}

/// One wrong value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FieldError {
    /// A JSON pointer to it.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}. {} ({}", self.title, self.detail, self.code)?;
        if let Some(reference) = &self.reference {
            write!(out, ", reference {reference}")?;
        }
        write!(out, ")")?;
        for error in &self.errors {
            write!(out, "; {}: {}", error.pointer, error.detail)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_says_code_reference_and_wrong_values() {
        for (name, document, expected) in [
            (
                "a refusal",
                r#"{"type":"/error/ip-limit","title":"Too many","status":429,"detail":"Wait.","code":"ip-limit","ref":"R1","retry_after":5}"#,
                "Too many. Wait. (ip-limit, reference R1)",
            ),
            (
                "wrong values",
                r#"{"type":"/error/not-valid","title":"Wrong","status":422,"detail":"Change it.","code":"not-valid","errors":[{"pointer":"/cpu","detail":"must be less."}]}"#,
                "Wrong. Change it. (not-valid); /cpu: must be less.",
            ),
            (
                "with more than is known",
                r#"{"type":"/error/fault","title":"Ours","status":500,"detail":"Sorry.","code":"fault","news":1}"#,
                "Ours. Sorry. (fault)",
            ),
        ] {
            let problem: Problem = serde_json::from_str(document).expect(name);
            assert_eq!(problem.to_string(), expected, "{name}");
        }
    }
}
