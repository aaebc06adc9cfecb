//! Owns the languages that visitors can be spoken to in. Must not know any word of them.

use serde::{Deserialize, Serialize};

/// A language of visitors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Language {
    /// English, which is also the language of programs and administrators.
    #[default]
    #[serde(rename = "en")]
    English,
    /// German.
    #[serde(rename = "de")]
    German,
    /// French.
    #[serde(rename = "fr")]
    French,
    /// Spanish.
    #[serde(rename = "es")]
    Spanish,
    /// Portuguese, as in Brazil.
    #[serde(rename = "pt")]
    Portuguese,
    /// Italian.
    #[serde(rename = "it")]
    Italian,
    /// Japanese.
    #[serde(rename = "ja")]
    Japanese,
    /// Chinese in simplified characters.
    #[serde(rename = "zh")]
    Chinese,
    /// Arabic.
    #[serde(rename = "ar")]
    Arabic,
}

impl Language {
    /// Every language, the usual one first.
    pub const ALL: [Self; 9] = [
        Self::English,
        Self::German,
        Self::French,
        Self::Spanish,
        Self::Portuguese,
        Self::Italian,
        Self::Japanese,
        Self::Chinese,
        Self::Arabic,
    ];

    /// The language as settings and addresses name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Portuguese => "pt",
            Self::Italian => "it",
            Self::Japanese => "ja",
            Self::Chinese => "zh",
            Self::Arabic => "ar",
        }
    }

    /// The language's tag for pages and headers.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-Hans",
            other => other.as_str(),
        }
    }

    /// Whether it is written from right to left.
    pub const fn is_right_to_left(self) -> bool {
        matches!(self, Self::Arabic)
    }

    /// The direction of its text, as HTML names it.
    pub const fn direction(self) -> &'static str {
        if self.is_right_to_left() {
            "rtl"
        } else {
            "ltr"
        }
    }

    /// Reads a language; `None` when there is no such one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.as_str() == text)
    }
}

/// What is known of the language that a visitor wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// What an address of this visitor asked for.
    pub asked: Option<Language>,
    /// The best that the browser accepts.
    pub accepted: Option<Language>,
}

impl Wish {
    /// The language, where this one is set for everybody or for the session; `None` when nobody
    /// has a wish.
    pub fn with(self, set: Option<Language>) -> Option<Language> {
        self.asked.or(set).or(self.accepted)
    }

    /// The same, and English without a wish.
    pub fn choose(self, set: Option<Language>) -> Language {
        self.with(set).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_round_trip() {
        for language in Language::ALL {
            assert_eq!(Language::parse(language.as_str()), Some(language));
            let written = serde_json::to_string(&language).expect("JSON");
            assert_eq!(written, format!("\"{}\"", language.as_str()));
        }
        assert_eq!(Language::parse("EN"), None);
    }
}
