//! Owns the pages of invitations to a cast: the list, and the sheet that is printed. Must not know
//! how they are made or counted.

use askama::Template;
use casting_core::invitation::{Invitation, InvitationState};
use casting_core::invitation_form::{self, ShownInvitation};
use serde_json::json;

use super::cast_labels::plural;
use super::layout::{Place, Screen};
use super::page_context::{PageContext, Severity};
use super::paths;
use super::qr;
use super::shown;
use super::table::{
    ActionButton, ActionKind, Badge, Cell, Cut, Empty, Row, Table, Tools, View, buttons, numbers,
    words,
};
use super::time_format::grouped;

/// How many invitations a sheet has: each has a picture of some kilobytes.
pub const ON_A_SHEET: usize = 100;

/// Which cast a page is about, and what it shows.
#[derive(Clone, Debug)]
pub struct InvitationPage {
    /// The cast's id.
    pub cast: String,
    /// The cast's name.
    pub name: String,
    /// What the address says.
    pub view: View,
    /// How many were read.
    pub read: usize,
    /// Where those begin that were not.
    pub next: Option<String>,
}

impl InvitationPage {
    fn trail(&self) -> Vec<(String, String)> {
        vec![
            ("Casts".into(), paths::CASTS.into()),
            (self.name.clone(), paths::cast(&self.cast)),
        ]
    }
}

/// The invitations as the address asks for them, before their uses are known: searched, ordered and
/// cut into pages.
pub fn arranged(context: &PageContext, page: &InvitationPage, all: &[Invitation]) -> Table {
    let row = |invitation: &Invitation| {
        let settings = &invitation.settings;
        Row {
            cells: vec![
                Cell::Text(settings.name.clone()),
                Cell::Text(settings.label.clone()),
                Cell::Soft(String::new()),
                Cell::Soft(String::new()),
                Cell::Soft(String::new()),
                Cell::Soft(String::new()),
                Cell::Time(Some(context.moment(&invitation.created_at))),
                Cell::Acts(Vec::new()),
            ],
            document: json!({ "id": invitation.id }),
            ..Row::default()
        }
    };
    let is_narrowed = page.view.is_narrowed();
    let mut empty = if is_narrowed {
        Empty::words(
            "No invitations found",
            "No invitation has this name or label.",
        )
    } else {
        Empty::begin(
            "No invitations yet",
            "Each guest gets an address of their own, for one session or several. You can revoke \
             each.",
            "Invite guests",
            &paths::cast_invite(&page.cast),
        )
    };
    if !context.may("casts") {
        empty.act = None;
    }
    let next = page.next.as_deref();
    let tools = Tools {
        cut: next.map(|next| Cut::after(&page.view, page.read, next)),
        ..Tools::of(&page.view)
    };
    Table {
        caption: "Invitations".into(),
        columns: vec![
            words("Name").by("name"),
            words("Label").by("label"),
            words("State"),
            words("Link"),
            numbers("Used"),
            words("Ends"),
            words("Created").by("created"),
            buttons(),
        ],
        rows: all.iter().map(row).collect(),
        empty,
        tools: Some(tools),
        csrf_token: context.csrf_token.clone(),
        ..Table::default()
    }
    .arranged(&page.view)
}

/// The list: the rows of `table` with what is known of each invitation.
pub fn list(
    context: &PageContext,
    page: &InvitationPage,
    mut table: Table,
    invitations: &[ShownInvitation],
) -> Screen {
    table.rows = invitations
        .iter()
        .map(|one| row(context, page, one))
        .collect();
    let is_empty = table.rows.is_empty();
    let mut screen = Screen::list(Place::Casts, "Invitations", &table);
    screen.trail = page.trail();
    "Addresses of this link for named guests. An address works for anyone who has it, so send \
     each to its guest only."
        .clone_into(&mut screen.lead);
    if !is_empty {
        let sheet = View::of(&paths::cast_invitation_sheet(&page.cast), &[]);
        let same = ["made", "after"].map(|name| (name, page.view.get(name)));
        let sheet = sheet.with(&same);
        screen
            .acts
            .push(ActionButton::go("Sheet with QR codes", "", sheet));
    }
    if context.may("casts") && (!is_empty || page.view.is_narrowed()) {
        let invite = paths::cast_invite(&page.cast);
        screen
            .acts
            .push(ActionButton::begin("Invite guests", "", invite));
    }
    screen
}

fn row(context: &PageContext, page: &InvitationPage, shown: &ShownInvitation) -> Row {
    let (invitation, state) = (&shown.invitation, shown.state());
    let settings = &invitation.settings;
    let mut acts = Vec::new();
    if context.may("casts") && state != InvitationState::Revoked {
        acts.push(ActionButton::go(
            "Edit",
            format!("the invitation of {}", settings.name),
            format!(
                "{}?invitation={}",
                paths::cast_edit_invitation(&page.cast),
                invitation.id
            ),
        ));
        acts.push(ActionButton {
            label: "Revoke\u{2026}".into(),
            to: format!("the invitation of {}", settings.name),
            href: format!(
                "{}?invitation={}",
                paths::cast_revoke_invitation(&page.cast),
                invitation.id
            ),
            kind: ActionKind::Go,
        });
    }
    let ends = shown.ends_at().map_or_else(
        || match settings.activation_minutes {
            Some(minutes) => Cell::Soft(format!(
                "{} after it is opened",
                plural(minutes.into(), "minute", "minutes")
            )),
            None => Cell::Soft("never".into()),
        },
        |ends| Cell::Time(Some(context.moment(&ends))),
    );
    Row {
        quiet: state != InvitationState::Open,
        cells: vec![
            Cell::Text(settings.name.clone()),
            Cell::Text(settings.label.clone()),
            Cell::Badge(badge(state)),
            Cell::Copy {
                link: shown.url.clone(),
                shown: format!("\u{2026}{}", tail(invitation.id.as_str())),
            },
            Cell::Of {
                number: grouped(shown.tally.taken),
                of: format!("of {}", grouped(settings.uses.into())),
            },
            ends,
            Cell::Time(Some(context.moment(&invitation.created_at))),
            Cell::Acts(acts),
        ],
        document: invitation_form::view(shown),
    }
}

/// The last letters of an id, by which people tell addresses apart.
fn tail(id: &str) -> &str {
    id.get(id.len().saturating_sub(6)..).unwrap_or(id)
}

fn badge(state: InvitationState) -> Badge {
    match state {
        InvitationState::Open => Badge::new(Severity::Good, "Open"),
        InvitationState::Used => Badge::new(Severity::Plain, "Used"),
        InvitationState::Expired => Badge::new(Severity::Warn, "Expired"),
        InvitationState::Revoked => Badge::new(Severity::Bad, "Revoked"),
    }
}

/// One invitation on the sheet.
struct Slip<'a> {
    name: &'a str,
    label: &'a str,
    url: &'a str,
    picture: String,
    says: String,
}

#[derive(Template)]
#[template(path = "console/invitation_sheet.html")]
struct Sheet<'a> {
    slips: Vec<Slip<'a>>,
    title: &'a str,
    note: String,
    next: Option<String>,
}

/// The sheet: a slip for each invitation that still gives sessions.
pub fn sheet(
    context: &PageContext,
    page: &InvitationPage,
    title: &str,
    invitations: &[ShownInvitation],
    next: Option<String>,
) -> Screen {
    let slip = |one: &&ShownInvitation| one.state() == InvitationState::Open;
    let slips: Vec<Slip<'_>> = invitations
        .iter()
        .filter(slip)
        .map(|one| {
            let settings = &one.invitation.settings;
            let uses = plural(settings.uses.into(), "session", "sessions");
            let ends = one.ends_at().map(|end| context.zone.minute(end));
            let until = ends.map(|end| format!(", until {end}"));
            Slip {
                name: &settings.name,
                label: &settings.label,
                url: &one.url,
                picture: qr::picture(&one.url).unwrap_or_default(),
                says: format!("For {uses}{}", until.unwrap_or_default()),
            }
        })
        .collect();
    let left = invitations.len() - slips.len();
    let note = match left {
        0 => String::new(),
        left => format!(
            "{} left out: used, expired or revoked.",
            plural(left as u64, "invitation is", "invitations are")
        ),
    };
    let main = shown(&Sheet {
        slips,
        title,
        note,
        next,
    });
    let mut screen = Screen::new(Place::Casts, "Sheet of invitations", main);
    screen.trail = page.trail();
    let list = paths::cast_invitations(&page.cast);
    screen.trail.push(("Invitations".into(), list));
    screen.lead =
        "Print this page, and cut it. Each slip is a personal address: hand it to its guest only."
            .to_owned();
    screen
}
