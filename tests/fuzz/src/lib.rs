//! What hostile bytes must not do: one target for each reader of them. A target panics when the
//! reader does, or when what it promises does not hold. A fuzzer calls the targets with inputs of
//! its own, `tests/corpus.rs` with the kept ones and with changes of them.

#![expect(
    clippy::expect_used,
    reason = "a broken promise is a panic, which is what fuzzers look for"
)]

mod archives;
mod documents;
mod requests;
mod streams;
mod tickets;

/// One reader of hostile bytes.
pub struct Target {
    /// Its name, which is also the name of its folder in `corpus`.
    pub name: &'static str,
    /// Gives the reader these bytes, and panics when it breaks a promise.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "tickets",
        run: tickets::tickets,
    },
    Target {
        name: "url_rules",
        run: requests::url_rules,
    },
    Target {
        name: "referrers",
        run: requests::referrers,
    },
    Target {
        name: "paths",
        run: requests::paths,
    },
    Target {
        name: "accept_language",
        run: requests::accept_language,
    },
    Target {
        name: "gateway_events",
        run: requests::gateway_events,
    },
    Target {
        name: "cookies",
        run: requests::cookies,
    },
    Target {
        name: "rfb_client",
        run: streams::rfb_client,
    },
    Target {
        name: "rfb_screen",
        run: streams::rfb_screen,
    },
    Target {
        name: "selkies",
        run: streams::selkies,
    },
    Target {
        name: "websocket_frames",
        run: streams::websocket_frames,
    },
    Target {
        name: "documents",
        run: documents::documents,
    },
    Target {
        name: "archives",
        run: archives::archives,
    },
];

/// The target of this name.
pub fn named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// The names of all targets, for people.
pub fn names() -> String {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    names.join(", ")
}

/// The bytes as text, whatever they are.
fn text(data: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(data)
}
