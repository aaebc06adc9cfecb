//! Owns ETags: a row's version in quotes. Must not know what has a version.
//!
//! `If-Match` is optional. With it a change happens only over the version that was read (412 otherwise); without it the change is made on
//! whatever is there now, field by field.

use casting_web::{Mistake, Problem, Reply, Visit};
use http::HeaderValue;
use http::header::{ETAG, IF_MATCH};

/// Which versions a change may be made over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Precondition {
    /// Any.
    None,
    /// These, in quotes.
    AnyOf(Vec<String>),
}

impl Precondition {
    /// This version only.
    pub(crate) fn version(version: u64) -> Self {
        Self::AnyOf(vec![tag(version)])
    }

    /// Reads `If-Match`.
    pub(crate) fn of(visit: &Visit) -> Self {
        match visit.header(&IF_MATCH).map(str::trim) {
            None | Some("*") => Self::None,
            Some(tags) => Self::AnyOf(tags.split(',').map(|tag| tag.trim().to_owned()).collect()),
        }
    }

    /// # Errors
    /// 412 when the row has another version.
    pub(crate) fn check(&self, version: u64) -> Result<(), Problem> {
        match self {
            Self::AnyOf(tags) if !tags.contains(&tag(version)) => Err(Problem::new(Mistake::Stale)),
            _ => Ok(()),
        }
    }
}

fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// Adds the ETag.
pub(crate) fn set(reply: &mut Reply, version: u64) {
    if let Ok(tag) = HeaderValue::from_str(&tag(version)) {
        reply.headers_mut().insert(ETAG, tag);
    }
}

#[cfg(test)]
mod tests {
    use casting_core::testing::SeededEntropy;
    use casting_web::Body;

    use super::*;

    #[test]
    fn a_change_is_bound_to_the_versions_that_are_named() {
        for (name, header, fits) in [
            ("nothing named", None, true),
            ("any", Some("*"), true),
            ("this one", Some("\"7\""), true),
            ("one of two", Some("\"6\", \"7\""), true),
            ("an older one", Some("\"6\""), false),
            ("without quotes", Some("7"), false),
            ("a weak one", Some("W/\"7\""), false),
            ("nothing", Some(""), false),
        ] {
            let mut request = http::Request::builder().uri("/");
            if let Some(header) = header {
                request = request.header(IF_MATCH, header);
            }
            let visit = Visit::parse(
                &request.body(Body::Empty).expect("a request"),
                &SeededEntropy::new(1),
            );
            assert_eq!(Precondition::of(&visit).check(7).is_ok(), fits, "{name}");
        }
    }
}
