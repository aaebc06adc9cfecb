//! Owns the lists of what stands around casts: images, staging, networks, groups, users, API keys.
//! Must not know how they are kept.

use casting_core::PoolView;
use serde_json::Value;

use super::cast_labels::{called, on, plural, text};
use super::layout::{Place, Screen};
use super::page_context::{PageContext, Severity};
use super::paths;
use super::pool;
use super::table::{
    ActionButton, Badge, Cell, Cut, Empty, Row, Table, Tools, View, buttons, numbers, words,
};
use super::time_format::grouped;
use casting_core::admin::pools::Numbers;

/// A page with a list and a way to add to it.
fn screen(
    context: &PageContext,
    place: Place,
    title: &str,
    lead: &str,
    add: Option<(&str, &str, &str)>,
    mut table: Table,
) -> Screen {
    if !add.is_some_and(|(scope, ..)| context.may(scope)) {
        table.empty.act = None;
    }
    let mut screen = Screen::list(place, title, &table);
    lead.clone_into(&mut screen.lead);
    if let Some((scope, label, href)) = add
        && context.may(scope)
        && table
            .empty
            .act
            .as_ref()
            .is_none_or(|(_, first)| !table.rows.is_empty() || first != href)
    {
        screen.acts.push(ActionButton::begin(label, "", href));
    }
    screen
}

/// The tools of a list of users, of which there may be more than were read.
fn cut_off(view: &View, read: usize, next: Option<&str>) -> Tools {
    Tools {
        cut: next.map(|next| Cut::after(view, read, next)),
        ..Tools::of(view)
    }
}

fn changed(context: &PageContext, record: &Value) -> Cell {
    Cell::Time(context.moment_of(&record["updated_at"]))
}

fn named(record: &Value, path: fn(&str) -> String, id: &str) -> Cell {
    Cell::Name {
        text: text(record, "name").to_owned(),
        href: path(text(record, id)),
        below: text(record, "description").to_owned(),
    }
}

pub(super) fn list_of(value: &Value) -> String {
    let items: Vec<&str> = value
        .as_array()
        .map(|items| items.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    items.join(", ")
}

/// Images.
pub fn images(context: &PageContext, items: &[Value], view: &View) -> Screen {
    let row = |image: &Value| {
        let source = [
            text(image, "container_image"),
            text(image, "task_definition"),
        ]
        .into_iter()
        .find(|source| !source.is_empty())
        .unwrap_or_default();
        let size = match (image["cpu"].as_u64(), image["memory"].as_u64()) {
            (Some(cpu), Some(memory)) => Cell::Text(format!(
                "{} vCPU, {} GiB",
                cpu as f64 / 1024.0,
                memory as f64 / 1024.0
            )),
            _ => Cell::Soft("its own".into()),
        };
        let mut badges = vec![if on(image, "enabled") {
            Badge::new(Severity::Good, "On")
        } else {
            Badge::new(Severity::Plain, "Off")
        }];
        if !text(image, "view_only").is_empty() {
            badges.push(Badge::new(Severity::Plain, "Can be shared"));
        }
        Row {
            quiet: !on(image, "enabled"),
            cells: vec![
                named(image, paths::image, "id"),
                Cell::Badges(badges),
                Cell::Code(source.to_owned()),
                size,
                changed(context, image),
            ],
            document: image.clone(),
        }
    };
    let table = Table {
        caption: "Images".into(),
        columns: vec![
            words("Name").by("name"),
            words("State").filter("state"),
            words("Runs").by("runs"),
            words("Size").by("size"),
            words("Changed").by("changed"),
        ],
        rows: items.iter().map(row).collect(),
        empty: Empty::begin(
            "No images yet",
            "An image is what sessions run: a browser, a desktop or any web app. Presets cover the \
             usual families.",
            "Add the first image",
            paths::NEW_IMAGE,
        ),
        csrf_token: context.csrf_token.clone(),
        ..Table::default()
    }
    .arranged(view);
    screen(
        context,
        Place::Images,
        "Images",
        "What sessions run.",
        Some(("images", "New image", paths::NEW_IMAGE)),
        table,
    )
}

/// Networks.
pub fn networks(context: &PageContext, items: &[Value], view: &View) -> Screen {
    let row = |network: &Value| Row {
        quiet: false,
        cells: vec![
            named(network, paths::network, "name"),
            Cell::Code(list_of(&network["subnets"])),
            Cell::Code(list_of(&network["security_groups"])),
            Cell::Text(
                if on(network, "assign_public_ip") {
                    "Yes"
                } else {
                    "No"
                }
                .into(),
            ),
            changed(context, network),
        ],
        document: network.clone(),
    };
    let table = Table {
        caption: "Networks".into(),
        columns: vec![
            words("Name").by("name"),
            words("Subnets"),
            words("Security groups"),
            words("Public address").by("public"),
            words("Changed").by("changed"),
        ],
        rows: items.iter().map(row).collect(),
        empty: Empty::begin(
            "No networks yet",
            "Sessions start in the deployment\u{2019}s own network. Add others that images and \
             links can choose.",
            "Add a network",
            paths::NEW_NETWORK,
        ),
        csrf_token: context.csrf_token.clone(),
        ..Table::default()
    }
    .arranged(view);
    screen(
        context,
        Place::Networks,
        "Networks",
        "Where sessions are started.",
        Some(("images", "New network", paths::NEW_NETWORK)),
        table,
    )
}

/// Groups.
pub fn groups(context: &PageContext, items: &[Value], view: &View) -> Screen {
    let row = |group: &Value| {
        let said = group["client_settings"]["permissions"]
            .as_object()
            .map(|all| all.values().filter(|value| !value.is_null()).count())
            .unwrap_or_default();
        let said = if said == 0 {
            Cell::Soft("nothing".into())
        } else {
            Cell::Text(plural(said as u64, "permission", "permissions"))
        };
        Row {
            quiet: false,
            cells: vec![
                named(group, paths::group, "id"),
                Cell::Of {
                    number: grouped(group["priority"].as_u64().unwrap_or_default()),
                    of: String::new(),
                },
                said,
                changed(context, group),
            ],
            document: group.clone(),
        }
    };
    let table = Table {
        caption: "Groups".into(),
        columns: vec![
            words("Name").by("name"),
            numbers("Priority").by("priority"),
            words("Permissions").by("permissions"),
            words("Changed").by("changed"),
        ],
        rows: items.iter().map(row).collect(),
        empty: Empty::begin(
            "No groups yet",
            "Everyone is in All Users. Groups set permissions for their members or for anonymous \
             users of a cast.",
            "Create a group",
            paths::NEW_GROUP,
        ),
        csrf_token: context.csrf_token.clone(),
        ..Table::default()
    }
    .arranged(view);
    screen(
        context,
        Place::Groups,
        "Groups",
        "Permissions inside a session. Lower numbers win.",
        Some(("people", "New group", paths::NEW_GROUP)),
        table,
    )
}

/// Staging configs.
pub fn staging(
    context: &PageContext,
    items: &[(Value, PoolView)],
    image_names: &dyn Fn(&str) -> String,
    view: &View,
) -> Screen {
    let row = |(config, view): &(Value, PoolView)| {
        let numbers = Numbers::of(view);
        Row {
            quiet: config["enabled"] == Value::Bool(false),
            cells: vec![
                Cell::Name {
                    text: text(config, "name").to_owned(),
                    href: paths::staging(text(config, "id")),
                    below: image_names(text(config, "image_id")),
                },
                Cell::Badge(pool::badge(view, numbers)),
                Cell::Of {
                    number: grouped(numbers.ready),
                    of: format!("of {}", grouped(u64::from(view.plan.wanted))),
                },
                changed(context, config),
            ],
            document: config.clone(),
        }
    };
    let table = Table {
        caption: "Staging configs".into(),
        columns: vec![
            words("Name").by("name"),
            words("State").filter("state"),
            numbers("Ready").by("ready"),
            words("Changed").by("changed"),
        ],
        rows: items.iter().map(row).collect(),
        empty: Empty::begin(
            "No staging configs yet",
            "Starting a session takes a while. A staging config keeps some ready in advance.",
            "Create a staging config",
            paths::NEW_STAGING,
        ),
        csrf_token: context.csrf_token.clone(),
        ..Table::default()
    }
    .arranged(view);
    screen(
        context,
        Place::Staging,
        "Staging",
        "Sessions that are started in advance.",
        Some(("casts", "New staging config", paths::NEW_STAGING)),
        table,
    )
}

/// Users; `next` is where those begin that were not read.
pub fn users(context: &PageContext, items: &[Value], view: &View, next: Option<&str>) -> Screen {
    let row = |user: &Value| {
        let id = text(user, "id");
        let name = [text(user, "name"), id]
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or_default()
            .to_owned();
        let mut acts = Vec::new();
        if context.may("people") {
            acts.push(ActionButton::go(
                "Forget\u{2026}",
                name.clone(),
                paths::user_delete(id),
            ));
        }
        let seen = context.moment_of(&user["last_login_at"]);
        Row {
            quiet: false,
            cells: vec![
                Cell::Name {
                    text: name,
                    href: paths::user(id),
                    below: String::new(),
                },
                Cell::Text(list_of(&user["groups"])),
                Cell::Text(list_of(&user["roles"])),
                Cell::Time(seen),
                Cell::Acts(acts),
            ],
            document: user.clone(),
        }
    };
    let table = Table {
        caption: "Users".into(),
        tools: Some(cut_off(view, items.len(), next)),
        columns: vec![
            words("Name").by("name"),
            words("Groups").by("groups"),
            words("Roles").by("roles"),
            words("Last seen").by("seen"),
            buttons(),
        ],
        rows: items.iter().map(row).collect(),
        empty: Empty::words(
            "No users yet",
            "Users appear here after their first sign-in. Anonymous users are listed separately.",
        ),
        csrf_token: context.csrf_token.clone(),
        ..Table::default()
    }
    .arranged(view);
    let mut screen = screen(
        context,
        Place::Users,
        "Users",
        "Users who have signed in, as reported by the login provider.",
        None,
        table,
    );
    screen.acts.push(ActionButton::go(
        "Anonymous users",
        "",
        paths::anonymous_users(),
    ));
    screen
}

/// Anonymous users, who are nothing but the owners of their sessions.
pub fn anonymous_users(
    context: &PageContext,
    items: &[Value],
    view: &View,
    next: Option<&str>,
) -> Screen {
    let row = |user: &Value| {
        let id = text(user, "id");
        let cast = called(text(user, "cast_name"), text(user, "cast_key"));
        let acts = if context.may("people") {
            vec![ActionButton::go(
                "Forget\u{2026}",
                id,
                paths::user_delete(id),
            )]
        } else {
            Vec::new()
        };
        Row {
            quiet: false,
            cells: vec![
                Cell::Code(id.to_owned()),
                Cell::Name {
                    text: cast,
                    href: paths::cast(text(user, "cast_id")),
                    below: String::new(),
                },
                Cell::Time(context.moment_of(&user["created_at"])),
                Cell::Time(context.moment_of(&user["expires_at"])),
                Cell::Acts(acts),
            ],
            document: user.clone(),
        }
    };
    let table = Table {
        caption: "Anonymous users".into(),
        tools: Some(cut_off(view, items.len(), next)),
        columns: vec![
            words("User").by("user"),
            words("Link").by("link"),
            words("Created").by("created"),
            words("Forgotten").by("forgotten"),
            buttons(),
        ],
        rows: items.iter().map(row).collect(),
        empty: Empty::words(
            "No anonymous users",
            "Links that allow anonymous access create an anonymous user for each visitor and \
             forget it later.",
        ),
        csrf_token: context.csrf_token.clone(),
        ..Table::default()
    }
    .arranged(view);
    let lead = "Created by links that need no account, and forgotten after a time.";
    let mut screen = screen(context, Place::Users, "Anonymous users", lead, None, table);
    screen
        .acts
        .push(ActionButton::go("Users with an account", "", paths::USERS));
    screen
}

/// API keys.
pub fn api_keys(context: &PageContext, items: &[Value], view: &View) -> Screen {
    let row = |key: &Value| {
        let (id, name) = (text(key, "id"), text(key, "name"));
        let scopes = list_of(&key["scopes"]);
        let mut acts = Vec::new();
        if context.may("keys") {
            acts.push(ActionButton::go(
                "Delete\u{2026}",
                name,
                paths::api_key_delete(id),
            ));
        }
        Row {
            quiet: false,
            cells: vec![
                Cell::Name {
                    text: name.to_owned(),
                    href: paths::api_key(id),
                    below: String::new(),
                },
                Cell::Code(id.to_owned()),
                Cell::Text(if scopes.is_empty() {
                    "everything".into()
                } else {
                    scopes
                }),
                Cell::Time(context.moment_of(&key["created_at"])),
                Cell::Time(context.moment_of(&key["last_used_at"])),
                Cell::Time(context.moment_of(&key["expires_at"])),
                Cell::Acts(acts),
            ],
            document: key.clone(),
        }
    };
    let table = Table {
        caption: "API keys".into(),
        columns: vec![
            words("Name").by("name"),
            words("Id").by("id"),
            words("Scopes").by("scopes"),
            words("Created").by("created"),
            words("Last used").by("used"),
            words("Expires").by("expires"),
            buttons(),
        ],
        rows: items.iter().map(row).collect(),
        empty: Empty::begin(
            "No API keys yet",
            "A key gives a program access to the API at /api/admin, or a person access to this \
             console.",
            "Create a key",
            paths::NEW_API_KEY,
        ),
        csrf_token: context.csrf_token.clone(),
        ..Table::default()
    }
    .arranged(view);
    screen(
        context,
        Place::ApiKeys,
        "API keys",
        "For programs. Give each key only the scopes it needs.",
        Some(("keys", "New API key", paths::NEW_API_KEY)),
        table,
    )
}
