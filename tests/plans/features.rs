//! The list of features, checked against the test files that it names.

use std::collections::BTreeSet;
use std::path::Path;

const FEATURES: &str = include_str!("../features.md");

/// The rows that are the same for everyone who compares such products.
const SHARED_ROWS: std::ops::RangeInclusive<u32> = 1..=78;
/// The first row of the features that exist besides.
const FIRST_OWN_ROW: u32 = 101;
/// The text of both cells of a row without tests.
const NOT_BUILT: &str = "not built";

/// Number, feature and the two cells with test files of each row.
fn rows() -> Vec<(u32, &'static str, [&'static str; 2])> {
    FEATURES
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| #"))
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [number, feature, rules, whole] = cells[..] else {
                panic!("four cells: {row}")
            };
            (number.parse().expect(row), feature, [rules, whole])
        })
        .collect()
}

/// Why this path does not name a file with tests.
fn find_fault(path: &str) -> Option<&'static str> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    match std::fs::read_to_string(root.join(path)) {
        Err(_) => Some("does not exist"),
        Ok(text) if !text.contains("#[test]") && !text.contains("#[tokio::test") => {
            Some("has no tests")
        }
        Ok(_) => None,
    }
}

#[test]
fn feature_rows_are_complete_and_in_order() {
    let numbers: Vec<u32> = rows().iter().map(|(number, ..)| *number).collect();
    assert!(
        numbers.is_sorted_by(|before, after| before < after),
        "{numbers:?}"
    );
    let shared: BTreeSet<u32> = SHARED_ROWS.collect();
    let (own, listed): (BTreeSet<u32>, BTreeSet<u32>) = numbers
        .iter()
        .partition(|number| **number > *SHARED_ROWS.end());
    assert_eq!(listed, shared);
    assert!(own.iter().all(|number| *number >= FIRST_OWN_ROW), "{own:?}");
}

#[test]
fn feature_rows_name_files_with_tests() {
    for (number, feature, cells) in rows() {
        if cells == [NOT_BUILT; 2] && SHARED_ROWS.contains(&number) {
            continue;
        }
        for path in cells.iter().flat_map(|cell| cell.split(',')) {
            let path = path.trim().trim_matches('`');
            if let Some(fault) = find_fault(path) {
                panic!("{number} ({feature}) names {path}, which {fault}");
            }
        }
    }
}

#[test]
fn missing_and_testless_files_are_reported() {
    assert_eq!(find_fault("tests/plans/features.rs"), None);
    assert_eq!(
        find_fault("tests/plans/no_such_file.rs"),
        Some("does not exist")
    );
    assert_eq!(find_fault("tests/features.md"), Some("has no tests"));
}
