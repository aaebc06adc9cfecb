//! Owns the page of one user: what is known of them, and the files that are kept for them. Must not
//! know how any of it is kept.

use serde_json::Value;

use super::cast_labels::text;
use super::layout::{Place, Screen};
use super::page_context::{PageContext, Severity};
use super::paths;
use super::shown;
use super::table::{
    ActionButton, ActionKind, Badge, Cell, Empty, Row, Table, buttons, numbers, words,
};

/// A user and their profiles.
pub fn user(context: &PageContext, user: &Value, profiles: &[Value]) -> Screen {
    let id = text(user, "id");
    let name = [text(user, "name"), id]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default();
    let table = Table {
        caption: "Persistent profiles".into(),
        columns: vec![
            words("Image"),
            words("State"),
            numbers("Size"),
            words("Saved"),
            buttons(),
        ],
        rows: profiles
            .iter()
            .flat_map(|profile| rows(context, profile))
            .collect(),
        empty: Empty::words(
            "No persistent files",
            "Files are kept when a link requires a login and its image has a profile path.",
        ),
        csrf_token: context.csrf_token.clone(),
        ..Table::default()
    };
    let mut screen = Screen::new(
        Place::Users,
        name,
        format!("<div class=\"card list-card\">{}</div>", shown(&table)),
    );
    "The files kept for this user’s next session, and earlier versions."
        .clone_into(&mut screen.lead);
    if context.may("people") {
        screen.acts.push(ActionButton::go(
            "Forget\u{2026}",
            name,
            paths::user_delete(id),
        ));
    }
    screen
}

/// What holds, then what held before.
fn rows(context: &PageContext, profile: &Value) -> Vec<Row> {
    let (id, image) = (text(profile, "id"), text(profile, "image_name"));
    let may = context.may("people");
    let delete = ActionButton::go(
        "Delete\u{2026}",
        format!("the profile of {image}"),
        paths::profile_delete(id),
    );
    let current = &profile["current"];
    let state = if current.is_null() {
        Badge::new(Severity::Plain, "Nothing saved yet")
    } else {
        Badge::new(Severity::Good, "Current")
    };
    let first = row(
        context,
        image,
        current,
        state,
        if may { vec![delete] } else { Vec::new() },
        false,
    );
    let older = profile["older"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|archive| {
            let restore = ActionButton {
                label: "Restore".into(),
                to: format!("{image} as it was at {}", text(archive, "saved_at")),
                href: paths::profile_restore(id),
                kind: ActionKind::Send(vec![("archive", text(archive, "name").to_owned())]),
            };
            let acts = if may { vec![restore] } else { Vec::new() };
            row(
                context,
                image,
                archive,
                Badge::new(Severity::Plain, "Earlier"),
                acts,
                true,
            )
        });
    std::iter::once(first).chain(older).collect()
}

fn row(
    context: &PageContext,
    image: &str,
    archive: &Value,
    state: Badge,
    acts: Vec<ActionButton>,
    quiet: bool,
) -> Row {
    let size = archive["bytes"]
        .as_u64()
        .map_or_else(|| "\u{2013}".to_owned(), size);
    Row {
        quiet,
        cells: vec![
            Cell::Text(image.to_owned()),
            Cell::Badge(state),
            Cell::Of {
                number: size,
                of: String::new(),
            },
            Cell::Time(context.moment_of(&archive["saved_at"])),
            Cell::Acts(acts),
        ],
        ..Row::default()
    }
}

/// A size in units that people use.
fn size(bytes: u64) -> String {
    match bytes {
        0..=1023 => format!("{bytes} B"),
        1024..=1_048_575 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{} MiB", bytes.div_ceil(1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_formatted_with_units() {
        for (bytes, words) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1 << 20, "1 MiB"),
            (5 << 30, "5120 MiB"),
        ] {
            assert_eq!(size(bytes), words);
        }
    }
}
