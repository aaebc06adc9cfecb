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
use super::table::{Badge, Cell, Empty, Filter, Log, Row, Table, Tools, TypedFilter, View, words};

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
    /// The hash of the address that it came from; may be empty.
    pub address: String,
    /// The session's id, when there is one.
    pub session: Option<String>,
    /// What was said last in it: by whom, in words, and the lines.
    pub said: Vec<(&'static str, String)>,
    /// Where the rest of its log is.
    pub log_url: Option<String>,
}

/// The claims of one cast or of all.
#[derive(Debug)]
pub struct ClaimPage {
    /// The cast's name and id; nothing means all casts.
    pub cast: Option<(String, String)>,
    /// What the address says.
    pub view: View,
    /// The time.
    pub range: Range,
    /// Ids and names of casts that the list can be narrowed to.
    pub casts: Vec<(String, String)>,
    /// The charts over the list.
    pub charts: Vec<Chart>,
    /// The claims.
    pub claims: Vec<Claim>,
    /// Where those that follow are.
    pub next: Option<String>,
    /// What is said of claims that are not here; may be empty.
    pub note: String,
    /// The addresses of the same as CSV and as JSON.
    pub exports: (String, String),
}

/// The outcomes by which claims are narrowed.
const OUTCOMES: [(&str, &str); 5] = [
    ("accepted", "Accepted"),
    ("live", "Live now"),
    ("served", "Served"),
    ("refunded", "Refunded"),
    ("refused", "Refused"),
];

/// What is typed to narrow claims.
const TYPED: [TypedFilter; 2] = [
    TypedFilter {
        name: "reference",
        label: "Reference",
        example: "k3f7-2mqa",
    },
    TypedFilter {
        name: "address",
        label: "Address or its hash",
        example: "192.0.2.1",
    },
];

#[derive(Template)]
#[template(
    source = r#"<div class="charts">{% for chart in charts %}<section class="card{% if chart.is_wide() %} wide-card{% endif %}">{{ chart|safe }}</section>{% endfor %}</div>"#,
    ext = "html"
)]
struct Charts<'a> {
    charts: &'a [Chart],
}

/// The page.
pub fn page(context: &PageContext, page: ClaimPage) -> Screen {
    let of_all = page.cast.is_none();
    let mut table = claims_table(context, &page.claims, "Claims", of_all, page.next);
    let mut filters = vec![Filter::new("outcome", "Outcome", OUTCOMES)];
    if of_all {
        filters.push(Filter::new("cast", "Cast", page.casts));
    }
    table.empty = if page.view.is_narrowed() {
        Empty::begin(
            "Nothing found",
            "No claim that was looked through fits.",
            "Show all",
            &page.view.all(),
        )
    } else {
        Empty::words(
            "No claims in this time",
            "Claims appear here when a visitor starts a session or is refused.",
        )
    };
    table.tools = Some(Tools {
        search: "User, site, link or image",
        fields: page.range.to_string(),
        filters,
        typed: TYPED.to_vec(),
        between: shown(&Charts {
            charts: &page.charts,
        }),
        files: Some(page.exports),
        note: page.note,
        ..Tools::of(&page.view)
    });
    let table = if page.view.get("outcome") == "refused" {
        table.cut(&page.view)
    } else {
        table
    };
    let mut screen = Screen::list(Place::Claims, "Claims", &table);
    "Every request for a session and its outcome, the newest first. Addresses are stored as hashes \
     only."
        .clone_into(&mut screen.lead);
    if let Some((name, id)) = &page.cast {
        screen.place = Place::Casts;
        screen.trail = vec![
            ("Casts".into(), paths::CASTS.into()),
            (name.clone(), paths::cast(id)),
        ];
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
    let mut columns = vec![
        words("When"),
        words("Outcome"),
        words("Reference"),
        words("Reason"),
    ];
    if with_casts {
        columns.push(words("Cast"));
    }
    columns.extend([words("User"), words("Address and site")]);
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
        Cell::At(context.moment(&claim.at)),
        Cell::Badge(outcome(&claim.outcome)),
        match &claim.session {
            Some(id) => Cell::Name {
                text: claim.reference.clone(),
                href: paths::session(id),
                below: String::new(),
            },
            None => Cell::Code(claim.reference.clone()),
        },
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
        match claim.address.as_str() {
            "" => or_dash(&claim.referrer),
            hash => Cell::Name {
                text: hash.chars().take(6).collect(),
                href: paths::claims_from(hash),
                below: claim.referrer.clone(),
            },
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
