//! Owns which language a visitor is spoken to in. Must not know where the wishes come from.

use casting_protocol::language::{Language, Wish};

/// What a visitor wants: the parameter `lang` of the address or what an earlier one of theirs asked
/// for, and the browser's `Accept-Language`.
pub fn wish(asked: Option<&str>, kept: Option<&str>, accepted: Option<&str>) -> Wish {
    Wish {
        asked: named(asked).or_else(|| named(kept)),
        accepted: accepted.and_then(best),
    }
}

/// Our language that this names, as the parameter `lang` does; `None` without one.
pub fn named(text: Option<&str>) -> Option<Language> {
    spoken(text?)
}

/// Our language for a tag such as `pt-BR`.
fn spoken(tag: &str) -> Option<Language> {
    let is_beyond = |c: char| !c.is_ascii_alphanumeric();
    let primary = tag.split(is_beyond).next().unwrap_or_default();
    Language::ALL
        .into_iter()
        .find(|language| language.as_str().eq_ignore_ascii_case(primary))
}

/// The best language of an `Accept-Language`, by quality. The parser of fluent-langneg takes the
/// order in which languages are named for their quality, so this one is our own.
fn best(accepted: &str) -> Option<Language> {
    let mut wanted: Vec<(&str, f32)> = accepted
        .split(',')
        .filter_map(|part| {
            let (tag, quality) = part.split_once(';').unwrap_or((part, "q=1"));
            let quality = quality.trim().strip_prefix(['q', 'Q'])?;
            let quality: f32 = quality.trim().strip_prefix('=')?.trim().parse().ok()?;
            (quality > 0.0).then_some((tag.trim(), quality))
        })
        .collect();
    // Stable: of equal ones, the first named counts.
    wanted.sort_by(|(_, left), (_, right)| right.total_cmp(left));
    wanted.iter().find_map(|(tag, _)| spoken(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_wish_with_a_known_language_wins() {
        let german = Some(Language::German);
        for (name, asked, kept, set, accepted, language) in [
            ("nothing", None, None, None, None, Language::English),
            ("browser", None, None, None, Some("fr"), Language::French),
            ("cast", None, None, german, Some("fr"), Language::German),
            (
                "kept",
                None,
                Some("ja"),
                german,
                Some("fr"),
                Language::Japanese,
            ),
            (
                "asked",
                Some("ar"),
                Some("ja"),
                german,
                Some("fr"),
                Language::Arabic,
            ),
            (
                "asked with region",
                Some("pt-BR"),
                None,
                german,
                None,
                Language::Portuguese,
            ),
            (
                "asked in capitals",
                Some("ZH_Hant"),
                None,
                None,
                None,
                Language::Chinese,
            ),
            (
                "unknown one asked",
                Some("tlh"),
                None,
                german,
                Some("fr"),
                Language::German,
            ),
            (
                "empty",
                Some(""),
                Some(""),
                None,
                Some(""),
                Language::English,
            ),
            ("no tag", Some("../de"), None, None, None, Language::English),
            (
                "a bracket of the text around",
                Some("de)."),
                None,
                None,
                Some("fr"),
                Language::German,
            ),
        ] {
            let wish = wish(asked, kept, accepted);
            assert_eq!(wish.choose(set), language, "{name}");
        }
    }

    #[test]
    fn best_accepted_language_wins_with_english_fallback() {
        for (accepted, language) in [
            ("", Language::English),
            ("de", Language::German),
            ("de-AT", Language::German),
            ("DE", Language::German),
            ("en-GB,en;q=0.9,de;q=0.8", Language::English),
            ("nl,de;q=0.5,en;q=0.4", Language::German),
            ("en;q=0.1, de;q=0.2", Language::German),
            ("en; q=0.1, de; q=0.2", Language::German),
            ("zh-Hant-TW, en;q=0.5", Language::Chinese),
            ("de;q=0", Language::English),
            ("de;q=much", Language::English),
            ("de;v=1", Language::English),
            ("*", Language::English),
            ("\u{fc},,;q=", Language::English),
            ("de-AT;q=0.8, *", Language::German),
            ("zh-Hant", Language::Chinese),
            ("zh-Hans-CN,zh;q=0.9", Language::Chinese),
            ("pt-BR", Language::Portuguese),
            ("de;Q=0.9,fr;Q=1", Language::French),
            ("de ; q = 0.9", Language::German),
            ("de;q=0.000,it;q=0.001", Language::Italian),
            ("de;q=NaN,it", Language::Italian),
            ("de;q=-1,it;q=inf", Language::Italian),
            ("de;q=0.5;q=1,it;q=0.1", Language::Italian),
            (",,, de ,", Language::German),
            ("\tes-419\t", Language::Spanish),
            ("german", Language::English),
            ("e n", Language::English),
            ("nl,sv,tlh", Language::English),
        ] {
            let wish = wish(None, None, Some(accepted));
            assert_eq!(wish.choose(None), language, "{accepted}");
        }
    }
}
