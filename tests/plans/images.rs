//! Owns the matrix in `docs/images.md`: no cell is empty, every test that it names exists, and what
//! it says an image cannot do is said in the image's form.

use std::collections::BTreeSet;

use casting_core::image_form;

const PAGE: &str = include_str!("../../docs/images.md");

/// What is asked of each preset, in the page's order.
const CAPABILITIES: [&str; 12] = [
    "picture",
    "sound",
    "clipboard in",
    "clipboard out",
    "files in",
    "files out",
    "watch",
    "hand-over",
    "address",
    "profile",
    "idle",
    "exec",
];

/// The rows of the matrix: what it is about, and its cells.
fn rows() -> Vec<(String, Vec<String>)> {
    let lines = PAGE.lines().filter(|line| {
        let first = line.trim_start_matches('|').split('|').next();
        first.is_some_and(|first| CAPABILITIES.contains(&first.trim()))
    });
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim().trim_start_matches('|').trim_end_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    lines
        .map(|line| {
            let mut cells = cells(line);
            (cells.remove(0), cells)
        })
        .collect()
}

/// What stands between two marks.
fn between(text: &str, open: char, close: char) -> Vec<&str> {
    let parts = text.split(open).skip(1);
    parts.filter_map(|part| part.split(close).next()).collect()
}

/// Mistakes of a cell.
fn mistakes(cell: &str, tests: &BTreeSet<String>, form: &str) -> Vec<String> {
    let mut mistakes = Vec::new();
    // Words of the form may have code in them.
    let quotes = between(cell, '«', '»');
    let mut rest = cell.to_owned();
    for quote in &quotes {
        rest = rest.replace(&format!("«{quote}»"), "");
        if !form.contains(quote) {
            mistakes.push(format!("the form does not say «{quote}»"));
        }
    }
    let code: Vec<String> = rest
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    let named: Vec<&String> = code
        .iter()
        .filter(|word| word.matches('_').count() > 2)
        .collect();
    for test in &named {
        if !tests.contains(*test) {
            mistakes.push(format!("there is no test {test}"));
        }
    }
    let is_shown = match cell {
        _ if cell.starts_with("works") => !named.is_empty(),
        _ if cell.starts_with("cannot") => !quotes.is_empty(),
        _ => false,
    };
    if !is_shown {
        mistakes.push("neither works with a test, nor cannot by the form".to_owned());
    }
    mistakes
}

/// All words of an image's form and of its documentation.
fn form() -> String {
    let schema = image_form::schemas().create.to_string();
    format!("{schema} {:?}", image_form::resource())
}

#[test]
fn image_matrix_is_complete_and_shown_by_tests() {
    let mut tests = BTreeSet::new();
    crate::test_names::each_test(|_, name| {
        tests.insert(name);
    });
    let (rows, form) = (rows(), form());
    let names: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, CAPABILITIES);
    for (name, cells) in &rows {
        assert_eq!(cells.len(), 5, "{name}");
        for (at, cell) in cells.iter().enumerate() {
            let mistakes = mistakes(cell, &tests, &form);
            assert!(mistakes.is_empty(), "{name}, column {at}: {mistakes:?}");
        }
    }
}

#[test]
fn mistakes_in_the_image_matrix_are_found() {
    let tests = BTreeSet::from(["it_works_as_it_should".to_owned()]);
    for (cell, is_right) in [
        ("works (`it_works_as_it_should`)", true),
        (
            "works below `path` (`it_works_as_it_should`; «the words»)",
            true,
        ),
        ("cannot («the words»)", true),
        ("works (`a_test_that_is_gone`)", false),
        ("works", false),
        ("cannot", false),
        ("cannot («other words»)", false),
        ("", false),
    ] {
        let found = mistakes(cell, &tests, "all the words of a form");
        assert_eq!(found.is_empty(), is_right, "{cell}: {found:?}");
    }
}
