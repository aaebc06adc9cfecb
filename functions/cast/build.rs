//! Owns the scripts of the link's pages as they are sent: joined, without comments and spaces, and
//! with short names. A page with everything in it stays below 10 KB.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its folders by the environment"
)]

use std::error::Error;
use std::path::Path;

/// Each script, and the files in `templates` that it is made of.
const SCRIPTS: [(&str, &[&str]); 8] = [
    ("landing", &["send", "landing"]),
    ("landing-time", &["time", "send", "landing"]),
    ("landing-recaptcha", &["recaptcha", "send", "landing"]),
    ("landing-altcha", &["altcha", "send", "landing"]),
    // Browsers derive keys themselves only on https and on the machine itself.
    ("landing-derive", &["derive", "altcha", "send", "landing"]),
    ("room", &["send", "room"]),
    // What solves a proof of work, for `tests/solver.rs`.
    ("solve-altcha", &["altcha"]),
    ("solve-derive", &["derive", "altcha"]),
];

/// The names of our own in these files that become short. None of them is the key of an object.
const NAMES: [&str; 60] = [
    "event",
    "form",
    "said",
    "sendClaim",
    "answer",
    "again",
    "find",
    "pressed",
    "framed",
    "token",
    "wanted",
    "proof",
    "button",
    "proving",
    "prove",
    "until",
    "stale",
    "start",
    "after",
    "reply",
    "page",
    "line",
    "lost",
    "renew",
    "wait",
    "done",
    "failed",
    "ask",
    "url",
    "options",
    "sent",
    "late",
    "what",
    "time",
    "say",
    "bytes",
    "password",
    "solve",
    "field",
    "way",
    "key",
    "byte",
    "pair",
    "deriveKey",
    "turn",
    "state",
    "block",
    "mix",
    "inner",
    "outer",
    "first",
    "last",
    "rounds",
    "sum",
    "end",
    "pad",
    "digest",
    "doc",
    "given",
    "submit",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=templates");
    println!("cargo::rerun-if-changed=build.rs");
    let out = std::env::var("OUT_DIR")?;
    for (name, parts) in SCRIPTS {
        let mut script = String::new();
        for part in parts {
            let file = format!("templates/{part}.js");
            let source = std::fs::read_to_string(&file)?;
            let short = minifier::js::minify(&source).map_err(|why| format!("{file}: {why}"))?;
            script.push_str(&short.to_string());
        }
        let script = shortened(&script).map_err(|why| format!("{name}: {why}"))?;
        std::fs::write(Path::new(&out).join(format!("{name}.js")), script)?;
    }
    Ok(())
}

/// A piece of a script: a word, a text in single quotes, or one other character.
fn piece(rest: &str) -> usize {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    match rest.chars().next() {
        Some('\'') => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
        Some(first) if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
        first => first.map_or(0, char::len_utf8),
    }
}

fn pieces(script: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), script);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(piece(rest));
        found.push(piece);
        rest = after;
    }
    found
}

/// The script with short names for ours: each gets one of its own that the script does not use.
fn shortened(script: &str) -> Result<String, String> {
    let pieces = pieces(script);
    let letters = ('a'..='z').chain('A'..='Z');
    let mut free = letters
        .map(String::from)
        .chain(('a'..='z').map(|letter| format!("${letter}")))
        .filter(|name| !pieces.contains(&name.as_str()));
    let mut names = Vec::new();
    for name in NAMES.iter().filter(|name| pieces.contains(name)) {
        names.push((*name, free.next().ok_or("there are no more names")?));
    }
    let mut out = String::with_capacity(script.len());
    for (i, piece) in pieces.iter().enumerate() {
        let before = |n: usize| i.checked_sub(n).map_or("", |at| pieces[at]);
        // After one point it is a property; after three, what is spread.
        let is_property = before(1) == "." && before(2) != ".";
        let known = names.iter().find(|(name, _)| name == piece);
        let Some((name, short)) = known.filter(|_| !is_property) else {
            out.push_str(piece);
            continue;
        };
        let is_key = matches!(before(1), "{" | ",") && pieces.get(i + 1) == Some(&":");
        if is_key {
            return Err(format!("{name} is the key of an object"));
        }
        out.push_str(short);
    }
    Ok(out)
}
