//! Holds the messages of every language to each other, and shows that the build would refuse those
//! that do not fit.

#![expect(clippy::expect_used, reason = "tests fail by panicking")]

#[path = "../build/generate.rs"]
mod generate;
#[path = "../build/messages.rs"]
mod messages;

use std::path::Path;

use messages::{LANGUAGES, Message, compare, parse};

fn read(source: &str) -> Vec<Message> {
    parse(source).expect(source)
}

#[test]
fn every_language_has_every_message_and_variable() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("messages");
    let all = messages::read(&folder).expect("messages");
    assert_eq!(messages::check(&all), Vec::<String>::new());
    assert!(all.len() >= 11, "{} areas are not all of them", all.len());
    for (area, languages) in &all {
        let names: Vec<&str> = languages.iter().map(|(language, _)| *language).collect();
        let from = usize::from(messages::ENGLISH_ELSEWHERE.contains(&area.as_str()));
        let expected: Vec<&str> = LANGUAGES.iter().map(|(tag, _)| *tag).skip(from).collect();
        assert_eq!(names, expected, "{area}");
    }
}

#[test]
fn messages_become_fields_methods_and_tables() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("messages");
    let all = messages::read(&folder).expect("messages");
    let source = generate::source(&all).expect("a source");
    for line in [
        "pub agree: &'static str,",
        "pub fn minutes(&self, count: u64) -> String {",
        "pub fn signed_in_as(&self, name: &str) -> String {",
        "(\"app-down\", \"The app is not answering yet\",",
        r#"\"more\":{\"one\":\"{count} more minute\",\"other\":\"{count} more minutes\"}"#,
    ] {
        assert!(source.contains(line), "{line}");
    }
}

#[test]
fn messages_that_do_not_fit_are_refused() {
    let first = read(
        "a = Yes\nb = For { $name }\nc = { $n ->\n    [one] { $n } day\n   *[other] { $n } days\n}\nd = No\n    .detail = Never.",
    );
    let fits = "a = Ja\nb = F\u{fc}r { $name }\nc = { $n ->\n    [one] { $n } Tag\n   *[other] { $n } Tage\n}\nd = Nein\n    .detail = Nie.";
    for (name, from, to, wrong) in [
        ("as it should be", "", "", None),
        ("missing", "a = Ja\n", "", Some("a is missing")),
        ("unknown", "a = Ja", "a = Ja\ne = Ach", Some("e is unknown")),
        (
            "another variable",
            "{ $name }",
            "{ $nam }",
            Some("b has the variables {\"nam\"}, not {\"name\"}"),
        ),
        (
            "a variable too few",
            "{ $name }",
            "alle",
            Some("b has the variables {}, not {\"name\"}"),
        ),
        (
            "a form too few",
            "    [one] { $n } Tag\n",
            "",
            Some("c has the forms {\"other\"}, not {\"one\", \"other\"}"),
        ),
        (
            "a form too many",
            "    [one]",
            "    [two] { $n } Tage\n    [one]",
            Some("c has the forms {\"one\", \"other\", \"two\"}, not {\"one\", \"other\"}"),
        ),
        (
            "no detail",
            "\n    .detail = Nie.",
            "",
            Some("d has a detail, or has none, unlike the first"),
        ),
    ] {
        let other = read(&fits.replace(from, to));
        let found = compare(&first, &other, &["one", "other"]);
        let wrong: Vec<&str> = wrong.into_iter().collect();
        assert_eq!(found, wrong, "{name}");
    }
}

#[test]
fn files_that_cannot_be_used_are_refused() {
    for (name, source, part) in [
        ("syntax", "a = { $n", "Expected"),
        ("markup", "a = <b>Yes</b>", "cannot stand in a text"),
        ("quotation mark", "a = \"Yes\"", "cannot stand in a text"),
        ("term", "-a = Yes", "only messages"),
        ("function", "a = { NUMBER($n) }", "only variables"),
        ("another message", "a = Yes\nb = { a }", "only variables"),
        ("twice", "a = Yes\na = No", "twice"),
        (
            "another attribute",
            "a = Yes\n    .title = No",
            "another attribute",
        ),
        ("no text", "a =\n    .detail = No", "no text"),
        (
            "counted form",
            "a = { $n ->\n    [1] Yes\n   *[other] No\n}",
            "not counted",
        ),
    ] {
        let refused = parse(source).map(|_| ()).expect_err(name);
        assert!(refused.contains(part), "{name}: {refused}");
    }
}
