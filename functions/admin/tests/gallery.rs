//! Owns the gallery: every page of the console with sample rows, checked for what all pages must
//! have, and written to `target/tmp/gallery`, to be looked at. Must not know how rows are found.

#[cfg(test)]
mod samples;

use std::collections::BTreeSet;
use std::path::Path;

use casting_fn_admin::console::layout;

/// What a page may weigh, style and script included.
const MOST_BYTES: usize = 100 * 1024;

/// What no page of ours may have: what its own policy would stop, and what would ask another
/// machine.
const FORBIDDEN: [&str; 9] = [
    " style=\"",
    " onclick=",
    " onchange=",
    " onsubmit=",
    "javascript:",
    "<script src",
    "<link rel=\"stylesheet",
    " src=\"http",
    "@import",
];

#[test]
fn all_console_pages_follow_the_layout_rules() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gallery");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, context, screen) in samples::pages() {
        let html = layout::html(&context, &screen).expect("a page");
        std::fs::write(folder.join(format!("{name}.html")), &html).expect("written");
        assert!(html.len() <= MOST_BYTES, "{name} has {} bytes", html.len());
        let tags = without_style_and_script(&html);
        for forbidden in FORBIDDEN {
            assert!(!tags.contains(forbidden), "{name} has {forbidden}");
        }
        ids_are_single_and_found(name, &html);
        assert_eq!(html.matches("<h1").count(), 1, "{name}: one heading");
        // No user is known yet on the sign-in page.
        let forms = tags.matches("method=\"post\"").count()
            - tags.matches("action=\"/admin/sign-in\"").count();
        assert_eq!(
            forms,
            tags.matches("name=\"csrf_token\"").count(),
            "{name}: each form that changes something has its CSRF token"
        );
    }
}

fn without_style_and_script(html: &str) -> String {
    let mut rest = html;
    let mut kept = String::new();
    while let Some(at) = rest
        .find("<style nonce")
        .or_else(|| rest.find("<script nonce"))
    {
        kept.push_str(&rest[..at]);
        let end = ["</style>", "</script>"]
            .into_iter()
            .filter_map(|end| rest[at..].find(end))
            .min();
        rest = &rest[end.map_or(rest.len(), |end| at + end)..];
    }
    kept + rest
}

fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    html.split(start.as_str())
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

fn ids_are_single_and_found(name: &str, html: &str) {
    let mut single = BTreeSet::new();
    for id in values(html, "id") {
        assert!(single.insert(id), "{name}: the id {id} stands twice");
    }
    let attributes = ["for", "aria-describedby", "aria-labelledby", "list"];
    let named = attributes
        .into_iter()
        .flat_map(|attribute| values(html, attribute))
        .flat_map(str::split_whitespace);
    let linked = values(html, "href")
        .into_iter()
        .filter_map(|href| href.strip_prefix('#'));
    for id in named.chain(linked) {
        assert!(single.contains(id), "{name}: nothing has the id {id}");
    }
}
