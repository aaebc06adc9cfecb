//! Owns what listings can be asked for: which rows, in which order. Must not know how they are
//! found.

use crate::cast::CastSettings;
use crate::ids::{CastId, CastKey, UserId};
use crate::time::Timestamp;

/// The most words of one link that it can be found by.
const MAX_WORDS: usize = 24;
/// A word is found by so many of its first characters.
const WORD_LENGTH: usize = 32;

/// The order of casts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CastOrder {
    /// By name, capitals and small letters alike.
    #[default]
    Name,
    /// By when they were made.
    Made,
}

/// Which casts, and in which order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CastQuery {
    /// Only those with a word that begins like this ([`words`] says what a word is), in no order;
    /// `None` is all.
    pub word: Option<String>,
    /// In which order, when there is no word.
    pub order: CastOrder,
    /// From the end.
    pub backwards: bool,
}

/// What a choice of casts shows of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CastName {
    /// Its id.
    pub id: CastId,
    /// Its key.
    pub key: CastKey,
    /// Its name; empty when it has none.
    pub name: String,
}

/// Which sessions. They are listed by when they were claimed, the newest first; living ones by when
/// they are looked after next.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SessionQuery {
    /// Of whom, or of what.
    pub of: SessionsOf,
    /// Claimed at or after this time.
    pub since: Option<Timestamp>,
    /// Claimed before this time.
    pub until: Option<Timestamp>,
}

/// Whose sessions.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum SessionsOf {
    /// All.
    #[default]
    All,
    /// Those of a link.
    Cast(CastId),
    /// Those of a user who has logged in.
    User(UserId),
    /// Those that live.
    Living,
}

impl SessionQuery {
    /// The sessions of one link.
    pub fn cast(cast: &CastId) -> Self {
        Self {
            of: SessionsOf::Cast(cast.clone()),
            ..Self::default()
        }
    }

    /// The same from `since` until before `until`.
    #[must_use]
    pub fn between(self, since: Timestamp, until: Timestamp) -> Self {
        Self {
            since: Some(since),
            until: Some(until),
            ..self
        }
    }

    /// Whether a claim of this time is asked for.
    pub fn covers(&self, claimed: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= claimed)
            && self.until.is_none_or(|until| claimed < until)
    }
}

/// How many there are, as far as was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counted {
    /// So many.
    pub count: u64,
    /// Whether there are more, which were not counted.
    pub more: bool,
}

/// The words that a link can be found by: those of its name, its title and its key, and the key as
/// a whole; small letters and digits.
pub fn words(settings: &CastSettings) -> Vec<String> {
    let mut words = vec![clip(&settings.key.as_str().to_lowercase())];
    words.extend(split(&settings.name));
    words.extend(settings.title.as_deref().into_iter().flat_map(split));
    words.extend(split(settings.key.as_str()));
    words.sort_unstable();
    words.dedup();
    words.truncate(MAX_WORDS);
    words
}

/// The words of a text.
pub fn split(text: &str) -> impl Iterator<Item = String> {
    let pieces: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|piece| !piece.is_empty())
        .map(|piece| clip(&piece.to_lowercase()))
        .collect();
    pieces.into_iter()
}

/// The word to look for in the store, of all that are searched for: the longest finds the fewest.
pub fn most_selective(words: &[String]) -> Option<&String> {
    words.iter().max_by_key(|word| word.chars().count())
}

fn clip(word: &str) -> String {
    word.chars().take(WORD_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{CastKey, ImageId};

    #[test]
    fn search_words_come_from_name_and_key() {
        let key = CastKey::parse("Spring_Class-26").expect("a key");
        let settings = CastSettings::open(
            "Übung, Teil 2: Chromium!".into(),
            key,
            ImageId::from_bytes([1; 16]),
        );
        assert_eq!(
            words(&settings),
            [
                "2",
                "26",
                "chromium",
                "class",
                "spring",
                "spring_class-26",
                "teil",
                "übung"
            ]
        );
        let asked: Vec<String> = split(" Chrom  teil ").collect();
        assert_eq!(asked, ["chrom", "teil"]);
        assert_eq!(most_selective(&asked).map(String::as_str), Some("chrom"));
        assert_eq!(split("?!").count(), 0);
    }
}
