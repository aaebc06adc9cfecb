//! Owns the pages of claims: who came, who was turned away and why. Must not know how claims are
//! kept.

use askama::Template;
use casting_core::time::Timestamp;

use super::chart::Chart;
use super::layout::{Place, Screen};
use super::page_context::{PageContext, Severity};
use super::paths;
use super::range::Range;
use super::shown;
use super::table::{Badge, Cell, Empty, Log, Row, Table, words};
use super::time_format::Moment;

/// One claim, accepted or refused.
#[derive(Clone, Debug)]
pub struct Claim {
    /// When.
    pub at: Timestamp,
    /// What became of it: `live`, `served`, `refunded`, or `refused`.
    pub outcome: String,
    /// Why it ended or was refused, in a few words; may be empty.
    pub reason: String,
    /// The reference that the visitor was shown.
    pub reference: String,
    /// The cast's name and id.
    pub cast: (String, String),
    /// Who it was; an anonymous visitor's mark or a user's name.
    pub who: String,
    /// The site that it came from; may be empty.
    pub referrer: String,
    /// The session's id, when there is one.
    pub session: Option<String>,
    /// What was said last in it: by whom, in words, and the lines.
    pub said: Vec<(&'static str, String)>,
    /// Where the rest of its log is.
    pub log_url: Option<String>,
}

/// What the list is narrowed to.
#[derive(Clone, Debug)]
pub struct ClaimFilter {
    /// `accepted`, `refused`, an outcome or nothing.
    pub outcome: String,
    /// The time.
    pub range: Range,
    /// A reference.
    pub reference: String,
}

/// The claims of one cast or of all.
#[derive(Debug)]
pub struct ClaimPage {
    /// The cast's name and id; nothing means all casts.
    pub cast: Option<(String, String)>,
    /// What the list is narrowed to.
    pub filter: ClaimFilter,
    /// The charts over the list.
    pub charts: Vec<Chart>,
    /// The claims.
    pub claims: Vec<Claim>,
    /// Where those that follow are.
    pub next: Option<String>,
    /// The addresses of the same as CSV and as JSON.
    pub exports: (String, String),
}

const OUTCOMES: [(&str, &str); 6] = [
    ("", "All"),
    ("accepted", "Accepted"),
    ("live", "Live now"),
    ("served", "Served"),
    ("refunded", "Refunded"),
    ("refused", "Refused"),
];

#[derive(Template)]
#[template(path = "console/claims.html")]
struct Main<'a> {
    page: &'a ClaimPage,
    action: String,
    table: Table,
}

/// The page.
pub fn page(context: &PageContext, page: &ClaimPage) -> Screen {
    let action = page.cast.as_ref().map_or_else(
        || paths::CLAIMS.to_owned(),
        |(_, id)| paths::cast_claims(id),
    );
    let table = claims_table(
        context,
        &page.claims,
        "Claims",
        page.cast.is_none(),
        page.next.clone(),
    );
    let mut screen = Screen::new(
        Place::Claims,
        "Claims",
        shown(&Main {
            page,
            action,
            table,
        }),
    );
    match &page.cast {
        None => {
            "Every request for a session and its outcome. Addresses are stored as hashes only."
                .clone_into(&mut screen.lead);
        }
        Some((name, id)) => {
            screen.place = Place::Casts;
            screen.trail = vec![
                ("Casts".into(), paths::CASTS.into()),
                (name.clone(), paths::cast(id)),
            ];
        }
    }
    screen
}

/// Claims as a table; `with_casts` says which cast each was made on.
pub fn claims_table(
    context: &PageContext,
    claims: &[Claim],
    caption: &str,
    with_casts: bool,
    next: Option<String>,
) -> Table {
    let mut columns = vec![words("When"), words("Outcome"), words("Reason")];
    if with_casts {
        columns.push(words("Cast"));
    }
    columns.extend([words("User"), words("Address"), words("Reference")]);
    Table {
        caption: caption.to_owned(),
        columns,
        rows: claims
            .iter()
            .map(|claim| row(context, claim, with_casts))
            .collect(),
        empty: Empty::words(
            "No claims here yet",
            "Claims appear here when a visitor starts a session or is refused.",
        ),
        next,
        csrf_token: context.csrf_token.clone(),
        ..Table::default()
    }
}

fn row(context: &PageContext, claim: &Claim, with_casts: bool) -> Row {
    let or_dash = |text: &str| {
        if text.is_empty() {
            Cell::Soft("\u{2013}".into())
        } else {
            Cell::Text(text.to_owned())
        }
    };
    let mut cells = vec![
        Cell::Time(Some(Moment::new(claim.at, context.now))),
        Cell::Badge(outcome(&claim.outcome)),
        if claim.said.is_empty() && claim.log_url.is_none() {
            or_dash(&claim.reason)
        } else {
            Cell::Log(Log {
                why: claim.reason.clone(),
                said: claim.said.clone(),
                url: claim.log_url.clone(),
                of: claim.reference.clone(),
            })
        },
    ];
    if with_casts {
        let (name, id) = &claim.cast;
        cells.push(match id.as_str() {
            "" => Cell::Soft(name.clone()),
            id => Cell::Name {
                text: name.clone(),
                href: paths::cast(id),
                below: String::new(),
            },
        });
    }
    cells.extend([
        or_dash(&claim.who),
        or_dash(&claim.referrer),
        match &claim.session {
            Some(id) => Cell::Name {
                text: claim.reference.clone(),
                href: paths::session(id),
                below: String::new(),
            },
            None => Cell::Code(claim.reference.clone()),
        },
    ]);
    Row {
        cells,
        ..Row::default()
    }
}

/// What became of a claim, in a word.
pub fn outcome(outcome: &str) -> Badge {
    match outcome {
        "live" => Badge::new(Severity::Live, "Live"),
        "served" => Badge::new(Severity::Good, "Served"),
        "refunded" => Badge::new(Severity::Warn, "Refunded"),
        "refused" => Badge::new(Severity::Bad, "Refused"),
        other => Badge::new(Severity::Plain, other),
    }
}
