//! What visitors read, in every language that there is. Owns the messages (`messages/`, one file
//! in Fluent's syntax for each language and area) and the choice of a language; must not know the
//! markup of pages, nor what a message is about.
//!
//! `build.rs` makes a type of each area, so that a message that is missing, or a variable that
//! nobody gives, is an error of the build.

mod choice;

use std::sync::LazyLock;

use casting_protocol::language::Language;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

pub use choice::{named, wish};

include!(concat!(env!("OUT_DIR"), "/messages.rs"));

type Bundle = fluent_bundle::concurrent::FluentBundle<FluentResource>;

/// All messages in one language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words(Language);

impl Words {
    /// The messages in this language.
    pub const fn of(language: Language) -> Self {
        Self(language)
    }

    /// The language.
    pub const fn language(self) -> Language {
        self.0
    }
}

impl Help {
    /// A time in words: `8 seconds`, `2 minutes`; rounded up, so that no visitor comes too early.
    pub fn wait(&self, seconds: u64) -> String {
        match seconds {
            0..=90 => self.seconds(seconds),
            91..=5_400 => self.minutes(seconds.div_ceil(60)),
            5_401..=129_600 => self.hours(seconds.div_ceil(3_600)),
            _ => self.days(seconds.div_ceil(86_400)),
        }
    }
}

/// Splits a sentence around the text that `say` puts into it, so that markup can stand there.
pub fn around(say: impl FnOnce(&str) -> String) -> (String, String) {
    const HERE: &str = "\u{1a}";
    let said = say(HERE);
    let (before, after) = said.split_once(HERE).unwrap_or((&said, ""));
    (before.to_owned(), after.to_owned())
}

/// The messages with variables of one area, parsed. The build has read them without an error.
fn bundle(language: Language, source: &'static str) -> Bundle {
    let tag: LanguageIdentifier = language.as_str().parse().unwrap_or_default();
    let mut bundle = Bundle::new_concurrent(vec![tag]);
    // Names and numbers keep their own direction within text from right to left.
    bundle.set_use_isolating(language.is_right_to_left());
    let resource =
        FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, _)| resource);
    bundle.add_resource_overriding(resource);
    bundle
}

fn say<const N: usize>(bundle: &Bundle, id: &str, values: [(&str, FluentValue<'_>); N]) -> String {
    let arguments: FluentArgs<'_> = values.into_iter().collect();
    let pattern = bundle.get_message(id).and_then(|message| message.value());
    pattern.map_or_else(String::new, |pattern| {
        bundle
            .format_pattern(pattern, Some(&arguments), &mut Vec::new())
            .into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_follow_the_order_of_languages() {
        assert_eq!(Language::ALL.map(Language::as_str), TAGS);
        for language in Language::ALL {
            assert_eq!(Words::of(language).help().language, language);
        }
    }

    #[test]
    fn waits_are_formatted_with_units() {
        for (language, seconds, words) in [
            (Language::English, 1, "1 second"),
            (Language::English, 90, "90 seconds"),
            (Language::English, 91, "2 minutes"),
            (Language::English, 3_600, "60 minutes"),
            (Language::English, 7_200, "2 hours"),
            (Language::English, 2_592_000, "30 days"),
            (Language::German, 1, "1 Sekunde"),
            (Language::French, 0, "0 seconde"),
            (Language::Japanese, 1, "1\u{79d2}"),
            (
                Language::Arabic,
                2,
                "\u{62b}\u{627}\u{646}\u{64a}\u{62a}\u{64a}\u{646}",
            ),
            (
                Language::Arabic,
                3,
                "\u{2068}3\u{2069} \u{62b}\u{648}\u{627}\u{646}\u{64d}",
            ),
        ] {
            assert_eq!(
                Words::of(language).help().wait(seconds),
                words,
                "{language:?}"
            );
        }
    }

    #[test]
    fn markup_stands_where_the_variable_does() {
        let help = Words::of(Language::English).help();
        let parts = around(|time| help.try_again_in(time));
        assert_eq!(parts, ("You can try again in ".into(), ".".into()));
    }

    #[test]
    fn spoken_name_of_a_button_contains_what_stands_on_it() {
        for language in Language::ALL {
            let script: serde_json::Value =
                serde_json::from_str(Words::of(language).script()).expect("JSON");
            let text = |name: &str| script[name].as_str().expect(name).to_lowercase();
            for (stands, spoken) in [
                ("take-back", "take-back-from"),
                ("hand-over", "hand-over-to"),
                ("let-in", "let-in-name"),
                ("turn-away", "turn-away-name"),
                ("remove", "remove-name"),
            ] {
                let (stands, spoken) = (text(stands), text(spoken));
                assert!(
                    spoken.contains(&stands),
                    "{language:?}: {stands} | {spoken}"
                );
            }
        }
    }

    #[test]
    fn every_message_with_variables_is_said() {
        for language in Language::ALL {
            let words = Words::of(language);
            for (name, said) in [
                ("wait", words.help().wait(5)),
                ("banned", words.help().banned("Example")),
                ("position", words.room().position("3")),
                ("from_site", words.session().from_site("acme.com")),
                ("signed_in_as", words.account().signed_in_as("Ann")),
            ] {
                assert!(
                    said.contains(['5', '3'])
                        || said.contains("Example")
                        || said.contains("acme.com")
                        || said.contains("Ann"),
                    "{language:?} {name}: {said}"
                );
            }
        }
    }
}
