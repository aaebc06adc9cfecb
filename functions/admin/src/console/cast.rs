//! Owns the page of one cast: its link in every form, where it stands, and what has become of it.
//! Must not know how anything is counted.

use askama::Template;
use casting_core::admin::casts::USUAL_GRACE;
use casting_core::cast_form;
use casting_core::time::Timestamp;
use serde_json::Value;

use super::cast_labels::{on, sentences, state, text};
use super::chart::Chart;
use super::claims::{Claim, claims_table};
use super::form::Choices;
use super::layout::{Place, Screen};
use super::page_context::PageContext;
use super::paths;
use super::range::Range;
use super::table::{ActionButton, ActionKind, Table};
use super::time_format::{Moment, grouped};
use super::{qr, shown};

/// A cast, and what has become of it.
#[derive(Debug)]
pub struct CastPage<'a> {
    /// As the API shows it.
    pub cast: &'a Value,
    /// Names of images and groups.
    pub choices: &'a Choices,
    /// Figures under the heading: what, how many, of what.
    pub figures: Vec<(String, String, String)>,
    /// Launches and refusals, start times, cost, places left.
    pub charts: Vec<Chart>,
    /// The time of the charts.
    pub range: Range,
    /// The last claims.
    pub claims: Vec<Claim>,
}

#[derive(Template)]
#[template(path = "console/cast.html")]
struct Main<'a> {
    page: &'a CastPage<'a>,
    id: &'a str,
    url: &'a str,
    snippet: String,
    picture: String,
    warnings: Vec<String>,
    sentences: Vec<String>,
    table: Table,
    may_change: bool,
    csrf_token: &'a str,
    previous: Option<(&'a str, Moment)>,
    usual_grace: u64,
    zone: &'a str,
    version: u64,
    created: Option<Moment>,
    updated: Option<Moment>,
}

/// The page.
pub fn page(context: &PageContext, page: &CastPage<'_>) -> Screen {
    let cast = page.cast;
    let (id, name, url) = (text(cast, "id"), text(cast, "name"), text(cast, "url"));
    let may_change = context.may("casts");
    // The title is public on the embedding page; the cast's name is for administrators only.
    let title = match text(cast, "title") {
        "" => "Session",
        title => title,
    };
    let snippet = format!(
        "<iframe src=\"{url}\" title=\"{}\" width=\"1280\" height=\"720\" allow=\"clipboard-read; \
         clipboard-write; fullscreen\"></iframe>",
        plain(title)
    );
    let main = Main {
        page,
        id,
        url,
        snippet,
        picture: qr::picture(url).unwrap_or_default(),
        warnings: warnings(cast),
        sentences: sentences(cast, page.choices, &context.zone),
        table: claims_table(context, &page.claims, "Last claims", false, None),
        may_change,
        csrf_token: &context.csrf_token,
        previous: previous(cast, context),
        usual_grace: USUAL_GRACE,
        zone: context.zone.name(),
        version: cast["version"].as_u64().unwrap_or_default(),
        created: context.moment_of(&cast["created_at"]),
        updated: context.moment_of(&cast["updated_at"]),
    };
    let badge = state(cast, context.now, context.maintenance.is_some());
    let mut screen = Screen::new(Place::Casts, name, shown(&main));
    screen.trail = vec![("Casts".into(), paths::CASTS.into())];
    screen.title_badge = format!(
        "<span class=\"badge {}\">{}</span>",
        badge.severity.class(),
        badge.text
    );
    text(cast, "description").clone_into(&mut screen.lead);
    screen.acts = vec![
        ActionButton {
            label: "Open the link".into(),
            to: String::new(),
            href: url.to_owned(),
            kind: ActionKind::Open,
        },
        ActionButton::go("Test this link", "", paths::cast_test(id)),
        ActionButton::go("Invitations", "", paths::cast_invitations(id)),
        ActionButton::go("Webhook", "", paths::hook(id)),
    ];
    if context.may("sessions") {
        let extend = format!("{}?cast={id}", paths::EXTEND_SESSIONS);
        screen
            .acts
            .push(ActionButton::go("Extend sessions\u{2026}", "", extend));
    }
    if may_change {
        let (label, value) = if on(cast, "enabled") {
            ("Disable", "false")
        } else {
            ("Enable", "true")
        };
        let kind = ActionKind::Send(vec![("enabled", value.to_owned())]);
        screen.acts.push(ActionButton {
            label: label.into(),
            to: name.into(),
            href: paths::cast_enabled(id),
            kind,
        });
        screen
            .acts
            .push(ActionButton::begin("Edit", name, paths::cast_edit(id)));
    }
    screen
}

/// The key that the link had before and until when it opens it too, as long as it does.
fn previous<'a>(cast: &'a Value, context: &PageContext) -> Option<(&'a str, Moment)> {
    let previous = &cast["previous_key"];
    let until = Timestamp::parse(text(previous, "until")).filter(|until| *until > context.now)?;
    Some((text(previous, "key"), context.moment(&until)))
}

/// The name without what would end the attribute that it stands in.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !"<>&\"'".contains(*c)).collect()
}

/// What is worth a second look, with the labels that people know.
pub fn warnings(cast: &Value) -> Vec<String> {
    let resource = cast_form::resource();
    let of = |warning: &Value| {
        let (pointer, detail) = (text(warning, "pointer"), text(warning, "detail"));
        let label = resource
            .field_at(pointer)
            .map_or(pointer, |(field, _)| field.label);
        format!("\u{201c}{label}\u{201d} {}", resource.in_labels(detail))
    };
    cast["warnings"]
        .as_array()
        .map(|warnings| warnings.iter().map(of).collect())
        .unwrap_or_default()
}

/// A number for a figure.
pub fn figure(name: &str, number: Option<u64>, of: &str) -> (String, String, String) {
    (
        name.to_owned(),
        number.map_or_else(|| "\u{2013}".to_owned(), grouped),
        of.to_owned(),
    )
}
