//! Names of test functions, held to the rules of CONTRIBUTING.md.

use std::path::Path;

/// The longest name that a test function may have.
const MAX_LENGTH: usize = 60;
/// Words that hide the technical term.
const VAGUE_WORDS: [&str; 4] = ["whoever", "nobody", "somebody", "told"];

/// The name of each test function in this source text.
fn find_tests(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        let declared = line
            .strip_prefix("async fn ")
            .or_else(|| line.strip_prefix("fn "));
        if let Some(rest) = declared.filter(|_| is_test) {
            found.extend(rest.split('(').next().map(str::to_owned));
        }
        is_test = line.starts_with("#[test]")
            || line.starts_with("#[tokio::test")
            || (is_test && declared.is_none() && !line.is_empty());
    }
    found
}

/// What is wrong with this name of a test.
fn find_fault(name: &str) -> Option<&'static str> {
    if name.len() > MAX_LENGTH {
        return Some("is longer than 60 characters");
    }
    name.split('_')
        .any(|word| VAGUE_WORDS.contains(&word))
        .then_some("has a vague word")
}

/// Calls `visit` with each Rust file under this folder.
pub fn walk(folder: &Path, visit: &mut impl FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).expect("can be read") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() {
            if !["target", "vendor", "node_modules"].contains(&name) && !name.starts_with('.') {
                walk(&path, visit);
            }
        } else if name.ends_with(".rs") {
            visit(&path, &std::fs::read_to_string(&path).expect("text"));
        }
    }
}

/// Calls `visit` with the file and the name of each test of the project.
pub fn each_test(mut visit: impl FnMut(&Path, String)) {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    walk(root, &mut |path, text| {
        for name in find_tests(text) {
            visit(path, name);
        }
    });
}

#[test]
fn test_names_are_short_and_plain() {
    let (mut count, mut faults) = (0, Vec::new());
    each_test(|path, name| {
        count += 1;
        if let Some(fault) = find_fault(&name) {
            faults.push(format!("{}: {name} {fault}", path.display()));
        }
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 800, "{count} tests");
}

#[test]
fn long_and_vague_test_names_are_found() {
    let text = "#[test]\nfn short() {}\nfn helper() {}\n#[tokio::test(start_paused = true)]\n#[expect(\n    dead_code\n)]\nasync fn later() {}";
    assert_eq!(find_tests(text), ["short", "later"]);
    assert_eq!(find_fault(&"a".repeat(60)), None);
    assert!(find_fault(&"a".repeat(61)).is_some());
    assert!(find_fault("visitor_is_told_why").is_some());
}
