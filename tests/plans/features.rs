//! The list of features, held to the tests that it names.

use std::collections::BTreeSet;
use std::path::Path;

const FEATURES: &str = include_str!("../features.md");

/// Every function in a Rust file under this folder that has a test's attribute above it.
fn collect_tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("can be read") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() && !["target", "node_modules"].contains(&name) && !name.starts_with('.') {
            collect_tests(&path, found);
        } else if name.ends_with(".rs") {
            let text = std::fs::read_to_string(&path).expect("text");
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                match line.split_once("fn ") {
                    Some((_, rest)) if is_test => {
                        found.extend(rest.split('(').next().map(str::to_owned));
                        is_test = false;
                    }
                    _ => {
                        is_test = line.starts_with("#[test]")
                            || line.starts_with("#[tokio::test")
                            || (is_test && line.starts_with("#["));
                    }
                }
            }
        }
    }
}

/// The rows that are the same for everybody who compares such products.
const SHARED_ROWS: std::ops::RangeInclusive<u32> = 1..=78;
/// The first row of what there is besides.
const FIRST_OWN_ROW: u32 = 101;
/// What a row says in both cells when there is nothing to show.
const NOT_BUILT: &str = "not built";

#[test]
fn every_feature_has_the_tests_that_its_row_names() {
    let mut tests = BTreeSet::new();
    collect_tests(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")),
        &mut tests,
    );
    assert!(tests.len() > 100, "{} tests", tests.len());
    let mut numbers = BTreeSet::new();
    for row in FEATURES
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| #"))
    {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [number, feature, rule, whole] = cells[..] else {
            panic!("four cells: {row}")
        };
        let parsed = number.parse().expect(row);
        assert!(
            SHARED_ROWS.contains(&parsed) || parsed >= FIRST_OWN_ROW,
            "a number that means something: {row}"
        );
        assert!(numbers.insert(parsed), "a number of its own: {row}");
        if rule == NOT_BUILT && whole == NOT_BUILT && SHARED_ROWS.contains(&parsed) {
            continue;
        }
        for cell in [rule, whole] {
            let named: Vec<&str> = cell
                .split(',')
                .map(|name| name.trim().trim_matches('`'))
                .collect();
            assert!(!named.is_empty(), "{feature}");
            for name in named {
                assert!(
                    tests.contains(name),
                    "{number} ({feature}) names the test {name}, which is not there"
                );
            }
        }
    }
    let missing: Vec<u32> = SHARED_ROWS.filter(|row| !numbers.contains(row)).collect();
    assert_eq!(missing, [0_u32; 0], "rows without a word");
}
