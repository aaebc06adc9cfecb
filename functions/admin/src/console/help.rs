//! Owns the manuals in the console: which page of the documentation belongs to which part, and how
//! its Markdown is shown. Must not know what the manuals say.
//!
//! Only what our manuals use is read: headings, paragraphs, lists, tables and code. Everything is
//! escaped; links show their words, because they lead to files of the repository.

use askama::Template;

use super::layout::{Place, Screen};
use super::paths;
use super::shown;

/// The manuals: name in addresses, title, and text.
const MANUALS: [(&str, &str, &str); 15] = [
    (
        "console",
        "The console",
        include_str!("../../../../docs/console.md"),
    ),
    (
        "limits",
        "Limits",
        include_str!("../../../../docs/limits.md"),
    ),
    (
        "access",
        "Access tiers",
        include_str!("../../../../docs/access.md"),
    ),
    (
        "refusals",
        "Refusals",
        include_str!("../../../../docs/refusals.md"),
    ),
    (
        "images",
        "Images",
        include_str!("../../../../docs/images.md"),
    ),
    (
        "staging",
        "Staging",
        include_str!("../../../../docs/staging.md"),
    ),
    (
        "network",
        "Networks",
        include_str!("../../../../docs/network.md"),
    ),
    ("login", "Logins", include_str!("../../../../docs/login.md")),
    (
        "profiles",
        "Profiles",
        include_str!("../../../../docs/profiles.md"),
    ),
    (
        "captcha",
        "CAPTCHA",
        include_str!("../../../../docs/captcha.md"),
    ),
    (
        "invitations",
        "Invitations",
        include_str!("../../../../docs/invitations.md"),
    ),
    (
        "hooks",
        "Webhooks",
        include_str!("../../../../docs/hooks.md"),
    ),
    ("api", "API", include_str!("../../../../docs/api.md")),
    (
        "configuration",
        "Configuration",
        include_str!("../../../../docs/configuration.md"),
    ),
    ("cost", "Cost", include_str!("../../../../docs/cost.md")),
];

/// The manual of a part of the console.
pub const fn of(place: Place) -> &'static str {
    match place {
        Place::Casts => "limits",
        Place::Claims => "refusals",
        Place::Images => "images",
        Place::Staging => "staging",
        Place::Networks => "network",
        Place::Groups => "login",
        Place::Users => "profiles",
        Place::Settings => "captcha",
        Place::ApiKeys | Place::Audit => "api",
        Place::Overview | Place::Sessions | Place::Elsewhere => "console",
    }
}

/// A piece of a manual.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Heading(String),
    Paragraph(String),
    List(Vec<String>),
    Table(Vec<Vec<String>>),
    Code(String),
}

#[derive(Template)]
#[template(path = "console/help.html")]
struct Main {
    pieces: Vec<Piece>,
    others: Vec<(&'static str, &'static str)>,
}

/// The page of this manual; `None` if there is none of this name.
pub fn page(name: &str) -> Option<Screen> {
    let (_, title, text) = MANUALS.iter().find(|(known, ..)| *known == name)?;
    let others = MANUALS.iter().map(|(name, title, _)| (*name, *title));
    let main = shown(&Main {
        pieces: pieces(text),
        others: others.collect(),
    });
    Some(Screen::new(
        Place::Elsewhere,
        format!("Manual: {title}"),
        main,
    ))
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    // The title is the page's heading.
    let mut lines = text.lines().skip(1).peekable();
    while let Some(line) = lines.next() {
        let begins = |line: &str| {
            line.is_empty()
                || line.starts_with(['#', '|'])
                || line.starts_with("```")
                || is_item(line)
        };
        if line.starts_with("```") {
            let code = lines.by_ref().take_while(|line| !line.starts_with("```"));
            pieces.push(Piece::Code(code.collect::<Vec<_>>().join("\n")));
        } else if let Some(heading) = line.strip_prefix('#') {
            pieces.push(Piece::Heading(plain(
                heading.trim_start_matches('#').trim(),
            )));
        } else if line.starts_with('|') {
            let mut rows = vec![cells(line)];
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                rows.push(cells(row));
            }
            rows.retain(|row| !row.iter().all(|cell| cell.chars().all(|c| c == '-')));
            pieces.push(Piece::Table(rows));
        } else if is_item(line) {
            let mut items = vec![item(line)];
            while let Some(next) = lines.next_if(|line| is_item(line) || line.starts_with("  ")) {
                if is_item(next) {
                    items.push(item(next));
                } else if let Some(last) = items.last_mut() {
                    last.push(' ');
                    last.push_str(next.trim());
                }
            }
            let items = items.iter().map(|item| plain(item));
            pieces.push(Piece::List(items.collect()));
        } else if !line.is_empty() && !line.starts_with("![") {
            // Pictures of the console are not shown in the console.
            let mut paragraph = line.to_owned();
            while let Some(next) = lines.next_if(|line| !begins(line)) {
                paragraph.push(' ');
                paragraph.push_str(next);
            }
            pieces.push(Piece::Paragraph(plain(&paragraph)));
        }
    }
    pieces
}

fn is_item(line: &str) -> bool {
    let numbered = line.split_once(". ").is_some_and(|(number, _)| {
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    });
    line.starts_with("- ") || numbered
}

fn item(line: &str) -> String {
    let rest = line.strip_prefix("- ").unwrap_or(line);
    rest.to_owned()
}

fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_matches('|').replace("\\|", "\u{1}");
    let cells = row.split('|');
    cells
        .map(|cell| plain(&cell.replace('\u{1}', "|")).trim().to_owned())
        .collect()
}

/// The text without the marks of Markdown: links are their words, code and emphasis are plain.
fn plain(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        let link = after.split_once("](").and_then(|(words, tail)| {
            let (_, tail) = tail.split_once(')')?;
            (!words.contains('[')).then_some((words, tail))
        });
        match link {
            Some((words, tail)) => {
                plain.push_str(words);
                rest = tail;
            }
            None => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    // Asterisks are marks except in code, which stands between backticks.
    let parts = plain.split('`').enumerate();
    let parts = parts.map(|(at, part)| match at % 2 {
        0 => part.replace('*', ""),
        _ => part.to_owned(),
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_is_read_in_pieces() {
        let text = "# Title\n\nOne `*.line`\nand **two** *times*, see [limits](limits.md).\n\n## Part\n\n- a\n  b\n- c\n\n| x | y |\n|---|---|\n| `1` | 2 \\| 3 |\n\n```sh\n# code\n```\n";
        assert_eq!(
            pieces(text),
            [
                Piece::Paragraph("One *.line and two times, see limits.".into()),
                Piece::Heading("Part".into()),
                Piece::List(vec!["a b".into(), "c".into()]),
                Piece::Table(vec![
                    vec!["x".into(), "y".into()],
                    vec!["1".into(), "2 | 3".into()]
                ]),
                Piece::Code("# code".into()),
            ]
        );
    }

    #[test]
    fn every_part_of_the_console_has_a_manual() {
        for place in [
            Place::Overview,
            Place::Casts,
            Place::Claims,
            Place::Sessions,
            Place::Images,
            Place::Staging,
            Place::Networks,
            Place::Groups,
            Place::Users,
            Place::Settings,
            Place::ApiKeys,
            Place::Audit,
            Place::Elsewhere,
        ] {
            let screen = page(of(place)).expect("a manual");
            assert!(screen.main.len() > 1000, "{place:?}");
            assert!(!screen.main.contains("```"), "{place:?}");
        }
        assert!(page("../secrets").is_none());
    }
}
