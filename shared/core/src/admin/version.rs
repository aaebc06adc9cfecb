//! Owns the preconditions of changes, and their texts: a row's version in quotes; of a
//! cast, its version and its Sessions Remaining. Must not know what has a version, nor HTTP, whose
//! ETags these texts are.
//!
//! `If-Match` is optional. With it a change happens only over the version that was read (412
//! otherwise); without it the change is made on whatever is there now, field by field. Claims move
//! the Sessions Remaining of a cast and leave its version alone: the number in the ETag says only
//! what a document was made from, so that a change of the number happens over that one.

use crate::admin::error::AdminError;
use crate::cast::Cast;

/// Which versions a change may be made over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Any.
    None,
    /// These, in quotes.
    AnyOf(Vec<String>),
}

impl Precondition {
    /// This version only.
    pub fn version(version: u64) -> Self {
        Self::AnyOf(vec![tag(version)])
    }

    /// This version of a cast only, read when it had this Sessions Remaining.
    pub fn cast(version: u64, remaining: u64) -> Self {
        Self::AnyOf(vec![cast_tag(version, remaining)])
    }

    /// What `If-Match` says: tags with commas between them, or `*` for any version.
    pub fn of_tags(tags: &str) -> Self {
        match tags.trim() {
            "*" => Self::None,
            tags => Self::AnyOf(tags.split(',').map(|tag| tag.trim().to_owned()).collect()),
        }
    }

    /// # Errors
    /// `Stale` when the row has another version.
    pub fn check(&self, version: u64) -> Result<(), AdminError> {
        let fits = |tags: &[String]| tags.iter().any(|tag| read(tag).0 == version.to_string());
        match self {
            Self::AnyOf(tags) if !fits(tags) => Err(AdminError::Stale),
            _ => Ok(()),
        }
    }

    /// The Sessions Remaining of a cast of this version that the change was made from.
    pub fn remaining(&self, version: u64) -> Option<u64> {
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

/// The text of a version.
pub fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The text of a cast's version, with its Sessions Remaining.
pub fn tag_of_cast(cast: &Cast) -> String {
    cast_tag(cast.version, cast.counter.remaining)
}

fn cast_tag(version: u64, remaining: u64) -> String {
    format!("\"{version}-{remaining}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_binds_a_change_to_the_named_versions() {
        for (name, header, fits) in [
            ("any", "*", true),
            ("this one", "\"7\"", true),
            ("one of two", "\"6\", \"7\"", true),
            ("this one of a cast", "\"7-3\"", true),
            ("an older one", "\"6\"", false),
            ("an older one of a cast", "\"6-7\"", false),
            ("without quotes", "7", false),
            ("a weak one", "W/\"7\"", false),
            ("nothing", "", false),
        ] {
            assert_eq!(
                Precondition::of_tags(header).check(7).is_ok(),
                fits,
                "{name}"
            );
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
