//! Owns how names that strangers give are made safe to show: on one line, without what is not seen
//! or turns the direction of the text around it. Must not know whose names they are.

/// The longest name of somebody who watches, in characters.
pub const WATCHER_CHARS: usize = 40;

/// Control characters, marks, embeddings, overrides and isolates of the direction of text, line
/// separators, and characters without width. Joiners are not among them: names in some scripts
/// need them.
pub fn is_hidden(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// A name as it is shown: without hidden characters, with single spaces, of so many characters at
/// most. `None` when nothing is left that can be read.
pub fn shown(text: &str, most: usize) -> Option<String> {
    let seen: String = text
        .chars()
        .map(|char| if char.is_whitespace() { ' ' } else { char })
        .filter(|char| !is_hidden(*char))
        .collect();
    let words: Vec<&str> = seen.split(' ').filter(|word| !word.is_empty()).collect();
    let name: String = words.join(" ").chars().take(most).collect();
    let name = name.trim_end();
    name.chars()
        .any(char::is_alphanumeric)
        .then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_on_one_line_without_hidden_characters() {
        let long = "n".repeat(100);
        for (case, given, name) in [
            ("a name", "Ann", Some("Ann")),
            (
                "a name of two words",
                "  Ann\t van\n Dyk ",
                Some("Ann van Dyk"),
            ),
            (
                "markup, which pages escape",
                "<b>Ann</b>",
                Some("<b>Ann</b>"),
            ),
            ("turned around", "Ann\u{202e}nnA\u{2066}", Some("AnnnnA")),
            ("control characters", "A\u{0}n\u{1b}n", Some("Ann")),
            ("without width", "\u{200b}\u{feff}Ann\u{e0041}", Some("Ann")),
            (
                "joiners of a script",
                "\u{645}\u{200c}\u{6cc}",
                Some("\u{645}\u{200c}\u{6cc}"),
            ),
            ("too long", long.as_str(), Some(&long[..WATCHER_CHARS])),
            ("nothing", "", None),
            ("only spaces", " \u{3000}\u{a0} ", None),
            ("nothing that can be read", "\u{200d}\u{200d} ...", None),
        ] {
            assert_eq!(shown(given, WATCHER_CHARS).as_deref(), name, "{case}");
        }
    }
}
