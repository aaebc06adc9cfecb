//! Owns ETags: a row's version in quotes; of a cast, its version and its Sessions Remaining. Must not
//! know what has a version.
//!
//! `If-Match` is optional. With it a change happens only over the version that was read (412
//! otherwise); without it the change is made on whatever is there now, field by field. Claims move
//! the Sessions Remaining of a cast and leave its version alone: the number in the ETag says only
//! what a document was made from, so that a change of the number happens over that one.

use casting_core::cast::Cast;
use casting_web::{Problem, Reply, RequestContext, RequestError};
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

    /// This version of a cast only, read when it had this Sessions Remaining.
    pub(crate) fn cast(version: u64, remaining: u64) -> Self {
        Self::AnyOf(vec![cast_tag(version, remaining)])
    }

    /// Reads `If-Match`.
    pub(crate) fn of(visit: &RequestContext) -> Self {
        match visit.header(&IF_MATCH).map(str::trim) {
            None | Some("*") => Self::None,
            Some(tags) => Self::AnyOf(tags.split(',').map(|tag| tag.trim().to_owned()).collect()),
        }
    }

    /// # Errors
    /// 412 when the row has another version.
    pub(crate) fn check(&self, version: u64) -> Result<(), Problem> {
        let fits = |tags: &[String]| tags.iter().any(|tag| read(tag).0 == version.to_string());
        match self {
            Self::AnyOf(tags) if !fits(tags) => Err(Problem::new(RequestError::Stale)),
            _ => Ok(()),
        }
    }

    /// The Sessions Remaining of a cast of this version that the change was made from.
    pub(crate) fn remaining(&self, version: u64) -> Option<u64> {
        let Self::AnyOf(tags) = self else { return None };
        let of_version = tags.iter().map(|tag| read(tag));
        of_version
            .filter(|(read, _)| *read == version.to_string())
            .find_map(|(_, remaining)| remaining)
    }
}

/// Version and Sessions Remaining of a tag; nothing of what is no tag of ours.
fn read(tag: &str) -> (&str, Option<u64>) {
    let Some(text) = tag
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    else {
        return ("", None);
    };
    match text.split_once('-') {
        Some((version, remaining)) => (version, remaining.parse().ok()),
        None => (text, None),
    }
}

fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

fn cast_tag(version: u64, remaining: u64) -> String {
    format!("\"{version}-{remaining}\"")
}

/// Adds the ETag.
pub(crate) fn set(reply: &mut Reply, version: u64) {
    set_tag(reply, &tag(version));
}

/// Adds the ETag of a cast.
pub(crate) fn set_cast(reply: &mut Reply, cast: &Cast) {
    set_tag(reply, &cast_tag(cast.version, cast.counter.remaining));
}

fn set_tag(reply: &mut Reply, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        reply.headers_mut().insert(ETAG, tag);
    }
}

#[cfg(test)]
mod tests {
    use casting_core::testing::SeededEntropy;
    use casting_web::Body;

    use super::*;

    #[test]
    fn if_match_binds_a_change_to_the_named_versions() {
        for (name, header, fits) in [
            ("nothing named", None, true),
            ("any", Some("*"), true),
            ("this one", Some("\"7\""), true),
            ("one of two", Some("\"6\", \"7\""), true),
            ("this one of a cast", Some("\"7-3\""), true),
            ("an older one", Some("\"6\""), false),
            ("an older one of a cast", Some("\"6-7\""), false),
            ("without quotes", Some("7"), false),
            ("a weak one", Some("W/\"7\""), false),
            ("nothing", Some(""), false),
        ] {
            let mut request = http::Request::builder().uri("/");
            if let Some(header) = header {
                request = request.header(IF_MATCH, header);
            }
            let visit = RequestContext::parse(
                &request.body(Body::Empty).expect("a request"),
                &SeededEntropy::new(1),
            );
            assert_eq!(Precondition::of(&visit).check(7).is_ok(), fits, "{name}");
        }
    }

    #[test]
    fn cast_etag_includes_sessions_remaining() {
        for (name, tags, remaining) in [
            ("of a cast", &["\"7-3\""][..], Some(3)),
            ("of another version", &["\"6-3\""], None),
            ("one of two", &["\"6-3\"", "\"7-0\""], Some(0)),
            ("without a number", &["\"7\""], None),
            ("no number", &["\"7-x\""], None),
            ("nothing", &[], None),
        ] {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            assert_eq!(Precondition::AnyOf(tags).remaining(7), remaining, "{name}");
        }
        assert_eq!(Precondition::cast(7, 3).remaining(7), Some(3));
        assert_eq!(Precondition::None.remaining(7), None);
    }
}
