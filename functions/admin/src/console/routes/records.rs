//! Owns the pages of what stands around casts: images, networks, groups, staging configs and API
//! keys, all in one way. Must not know what the verbs do.

use askama::Template;
use casting_core::api_key::ApiKey;
use casting_core::audit::RecordKind;
use casting_core::group::Group;
use casting_core::image::Image;
use casting_core::image_form;
use casting_core::network::Network;
use casting_core::resource::{OptionSource, Resource};
use casting_core::staging::StagingConfig;
use casting_core::{api_key_form, group_form, network_form, preset, staging_form};
use casting_web::Reply;
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::casts::counted;
use super::{ConsoleRequest, FlashMessage, checked_by, fill, messages, stale, trail, typed_over};
use crate::console::cast_labels::{name_of, plural, text};
use crate::console::confirm::{self, Confirm};
use crate::console::edit::{self, Edit};
use crate::console::form::FormMessages;
use crate::console::layout::{Place, Screen};
use crate::console::paths::{self, RecordPaths};
use crate::console::presets;
use crate::console::table::ActionButton;
use crate::console::time_format::grouped;
use crate::console::{form_parser, pool, records, shown};
use casting_core::admin::records::{self as verbs, EditableRecord};
use casting_core::admin::references::{self, References};
use casting_core::admin::version::Precondition;
use casting_core::admin::{api_keys, images, pools, sessions, staging};
use casting_web::HandlerError;

/// The sessions that its deletion touches, in a sentence.
fn running(kind: Kind, found: &References) -> Option<String> {
    if let Some(waiting) = found.waiting {
        return Some(format!("Sessions waiting now: {}.", grouped(waiting)));
    }
    let whose = match kind {
        Kind::Image => "of this image",
        Kind::Network => "in this network",
        Kind::Group => "of the casts below",
        Kind::Staging | Kind::ApiKey => return None,
    };
    let live = counted(found.live);
    (found.live.count > 0).then(|| format!("Sessions {whose} running now: {live}."))
}

/// One kind of thing, as the console calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Network,
    Group,
    Staging,
    ApiKey,
}

impl Kind {
    fn resource(self) -> &'static Resource {
        match self {
            Self::Image => image_form::resource(),
            Self::Network => network_form::resource(),
            Self::Group => group_form::resource(),
            Self::Staging => staging_form::resource(),
            Self::ApiKey => api_key_form::resource(),
        }
    }

    const fn place(self) -> Place {
        match self {
            Self::Image => Place::Images,
            Self::Network => Place::Networks,
            Self::Group => Place::Groups,
            Self::Staging => Place::Staging,
            Self::ApiKey => Place::ApiKeys,
        }
    }

    const fn paths(self) -> RecordPaths {
        match self {
            Self::Image => paths::IMAGE_PATHS,
            Self::Network => paths::NETWORK_PATHS,
            Self::Group => paths::GROUP_PATHS,
            Self::Staging => paths::STAGING_PATHS,
            Self::ApiKey => paths::API_KEY_PATHS,
        }
    }

    const fn noun(self) -> RecordKind {
        match self {
            Self::Image => RecordKind::Image,
            Self::Network => RecordKind::Network,
            Self::Group => RecordKind::Group,
            Self::Staging => RecordKind::Staging,
            Self::ApiKey => RecordKind::ApiKey,
        }
    }

    /// Where what is typed is checked.
    const fn check(self) -> &'static str {
        match self {
            Self::Image => paths::CHECK_IMAGE,
            Self::Network => paths::CHECK_NETWORK,
            Self::Group => paths::CHECK_GROUP,
            Self::Staging => paths::CHECK_STAGING,
            Self::ApiKey => paths::CHECK_API_KEY,
        }
    }

    /// What it takes to change one.
    const fn scope(self) -> &'static str {
        match self {
            Self::Image | Self::Network => "images",
            Self::Group => "people",
            Self::Staging => "casts",
            Self::ApiKey => "keys",
        }
    }

    /// What a new one is before anything is typed.
    fn blank(self) -> Value {
        match self {
            Self::Image => image_form::defaults(),
            Self::Network => network_form::defaults(),
            Self::Group => group_form::defaults(),
            Self::Staging => staging_form::defaults(),
            // What one that names no scopes may do.
            Self::ApiKey => json!({"scopes": ["read"]}),
        }
    }

    /// What happens when one is deleted.
    fn happens(self) -> Vec<String> {
        let sentences: &[&str] = match self {
            Self::Image => &[
                "Links can no longer start it. An image that a cast uses cannot be deleted.",
                "Running sessions continue.",
            ],
            Self::Network => &[
                "Links can no longer name it. A network that is in use cannot be deleted.",
                "Running sessions continue.",
            ],
            Self::Group => &[
                "Casts and staging configs that use it fall back to All Users.",
                "Running sessions keep their permissions.",
            ],
            Self::Staging => &[
                "No more sessions are started in advance for it.",
                "Waiting sessions are stopped.",
            ],
            Self::ApiKey => &[
                "Programs that use it lose access immediately.",
                "This cannot be undone.",
            ],
        };
        sentences
            .iter()
            .map(|sentence| (*sentence).to_owned())
            .collect()
    }
}

/// The families of images that are known, and what they are.
const PRESETS: [(&str, &str, &str); 5] = [
    ("kasmweb", "Kasm desktop or app", "kasmweb/*"),
    (
        "kasmweb_chromium",
        "Kasm Chromium",
        "kasmweb/chromium, kasmweb/chrome",
    ),
    ("linuxserver", "LinuxServer", "lscr.io/linuxserver/*"),
    (
        "selkies",
        "Selkies",
        "an image whose command starts Selkies 2.1 on $PORT",
    ),
    ("web_app", "Web app", "any image that serves pages"),
];

#[derive(Template)]
#[template(path = "console/new_key.html")]
struct NewKey<'a> {
    key: &'a str,
    public_url: &'a str,
}

pub(super) async fn list(request: &ConsoleRequest<'_>, kind: Kind) -> Result<Reply, HandlerError> {
    let (service, context, view) = (&request.service, &request.context, request.view());
    let store = &service.control_plane.store;
    let screen = match kind {
        Kind::Image => {
            let images = store.all_records::<Image>().await?;
            let views: Vec<Value> = images.iter().map(image_form::view).collect();
            records::images(context, &views, &view)
        }
        Kind::Network => records::networks(context, &views::<Network>(request).await?, &view),
        Kind::Group => records::groups(context, &views::<Group>(request).await?, &view),
        Kind::Staging => {
            let configs = store.all_records::<StagingConfig>().await?;
            let pools = configs
                .iter()
                .map(|staging| service.control_plane.pool_view(staging));
            let pools = try_join_all(pools).await?;
            let items: Vec<_> = configs.iter().map(StagingConfig::view).zip(pools).collect();
            let choices = request.choices().await?;
            let image = |id: &str| name_of(&choices, OptionSource::Image, id);
            records::staging(context, &items, &image, &view)
        }
        Kind::ApiKey => records::api_keys(context, &views::<ApiKey>(request).await?, &view),
    };
    Ok(request.show(&screen))
}

/// All records of a kind, as the API shows them. They are few: forms offer them as choices.
async fn views<R: EditableRecord>(
    request: &ConsoleRequest<'_>,
) -> Result<Vec<Value>, HandlerError> {
    let (mut views, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = verbs::list::<R>(&request.service, cursor.as_deref(), 100).await?;
        views.extend(page.items.iter().map(EditableRecord::view));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(views);
        }
    }
}

async fn find(request: &ConsoleRequest<'_>, kind: Kind) -> Result<Value, HandlerError> {
    let (service, id) = (&request.service, request.id);
    Ok(match kind {
        Kind::Image => image_form::view(&images::find(service, id).await?),
        Kind::Network => verbs::find::<Network>(service, id).await?.0.view(),
        Kind::Group => verbs::find::<Group>(service, id).await?.0.view(),
        Kind::Staging => verbs::find::<StagingConfig>(service, id).await?.0.view(),
        Kind::ApiKey => api_key_form::view(&verbs::find::<ApiKey>(service, id).await?.0),
    })
}

pub(super) async fn ask(request: &ConsoleRequest<'_>, kind: Kind) -> Result<Reply, HandlerError> {
    let document = kind.blank();
    let above = image_presets(request, kind);
    let none = FormMessages::default();
    Ok(request.show(&page(request, kind, None, &document, none, above).await?))
}

/// The presets over the form of a new image.
fn image_presets(request: &ConsoleRequest<'_>, kind: Kind) -> String {
    if kind != Kind::Image {
        return String::new();
    }
    let chosen = request.form_data.first("preset").unwrap_or_default();
    presets::html("Start from a preset", &PRESETS, paths::NEW_IMAGE, chosen)
}

/// The form of a new image with what a preset says where nothing else was typed.
pub(super) async fn fill_in(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let kind = Kind::Image;
    let typed = form_parser::document(kind.resource(), &request.form_data);
    let document = fill(request, kind.blank(), &typed, preset::fields);
    let above = image_presets(request, kind);
    let none = FormMessages::default();
    Ok(request.show(&page(request, kind, None, &document, none, above).await?))
}

/// What is typed so far, checked.
pub(super) async fn check(request: &ConsoleRequest<'_>, kind: Kind) -> Result<Reply, HandlerError> {
    let (service, form) = (&request.service, &request.form_data);
    let mut typed = form_parser::document(kind.resource(), form);
    let id = form.first("id");
    let outcome = match kind {
        Kind::Image => images::check(service, id, &typed).await,
        Kind::Network => {
            if let (Some(_), Value::Object(fields)) = (id, &mut typed) {
                fields.shift_remove("name");
            }
            verbs::check::<Network>(service, id, &typed).await
        }
        Kind::Group => verbs::check::<Group>(service, id, &typed).await,
        Kind::Staging => verbs::check::<StagingConfig>(service, id, &typed).await,
        Kind::ApiKey => api_keys::check(service, id, &typed).await,
    };
    checked_by(kind.resource(), outcome)
}

pub(super) async fn show(request: &ConsoleRequest<'_>, kind: Kind) -> Result<Reply, HandlerError> {
    let mut above = String::new();
    let document = if kind == Kind::Staging {
        let (staging, view) = pools::read(&request.service, request.id).await?;
        let waiting: Vec<Value> = view.waiting.iter().map(sessions::view).collect();
        above = pool::state(&request.context, &staging.settings, &view, &waiting);
        staging.view()
    } else {
        find(request, kind).await?
    };
    Ok(request.show(
        &page(
            request,
            kind,
            Some(&document),
            &document,
            FormMessages::default(),
            above,
        )
        .await?,
    ))
}

async fn page(
    request: &ConsoleRequest<'_>,
    kind: Kind,
    stored: Option<&Value>,
    document: &Value,
    messages: FormMessages,
    above: String,
) -> Result<Screen, HandlerError> {
    let choices = request.choices().await?;
    let resource = kind.resource();
    let action = if stored.is_some() {
        (kind.paths().one)(request.id)
    } else {
        kind.paths().list.to_owned()
    };
    let edit = Edit {
        resource,
        place: kind.place(),
        scope: kind.scope(),
        title: stored.map_or_else(
            || format!("New {}", resource.name),
            |stored| text(stored, "name").to_owned(),
        ),
        trail: trail(kind.place()),
        action: action.clone(),
        cancel: kind.paths().list.to_owned(),
        submit: if stored.is_some() { "Save" } else { "Create" },
        document,
        version: stored.and_then(|stored| request.version(stored, &messages)),
        messages,
        choices: &choices,
        is_new: stored.is_none(),
        id: stored.map(|_| request.id.to_owned()),
        counted: None,
        check: Some(kind.check()),
        aside: String::new(),
        above,
    };
    let mut screen = edit::page(&request.context, &edit);
    if let Some(stored) = stored {
        let is_built_in = kind == Kind::Group && request.id == Group::all_users_id().as_str();
        screen.acts.push(ActionButton::go(
            "Change history",
            "",
            paths::audit_of(request.id),
        ));
        if kind == Kind::Image && request.context.may("casts") {
            screen.acts.push(ActionButton::send(
                "Try it now",
                text(stored, "name"),
                paths::image_try(request.id),
            ));
        }
        if request.context.may(kind.scope()) && stored["registered_task_definition"].is_string() {
            screen.acts.push(ActionButton::send(
                "Register again",
                text(stored, "name"),
                paths::image_register(request.id),
            ));
        }
        if request.context.may(kind.scope()) && !is_built_in {
            screen.acts.push(ActionButton::go(
                "Delete\u{2026}",
                text(stored, "name"),
                (kind.paths().delete)(request.id),
            ));
        }
    }
    Ok(screen)
}

pub(super) async fn make(request: &ConsoleRequest<'_>, kind: Kind) -> Result<Reply, HandlerError> {
    let (service, typed) = (
        &request.service,
        form_parser::document(kind.resource(), &request.form_data),
    );
    let made = match kind {
        Kind::Image => images::create(service, &typed)
            .await
            .map(|_| FlashMessage::ImageCreated),
        Kind::Network => verbs::create::<Network>(service, &typed)
            .await
            .map(|_| FlashMessage::NetworkCreated),
        Kind::Group => verbs::create::<Group>(service, &typed)
            .await
            .map(|_| FlashMessage::GroupCreated),
        Kind::Staging => staging::create(service, &typed)
            .await
            .map(|_| FlashMessage::StagingCreated),
        Kind::ApiKey => match api_keys::create(service, &typed).await {
            // Shown in the answer itself: it stands in no address and in no cookie, and is gone
            // with the page.
            Ok((key, secret)) => return Ok(request.show(&new_key(request, &key, &secret))),
            Err(error) => Err(error),
        },
    };
    match made {
        Ok(done) => {
            request
                .redirect_with_flash(kind.paths().list, done, None)
                .await
        }
        Err(error) => Ok(request.show(
            &page(
                request,
                kind,
                None,
                &typed,
                messages(error)?,
                image_presets(request, kind),
            )
            .await?,
        )),
    }
}

fn new_key(request: &ConsoleRequest<'_>, key: &ApiKey, secret: &str) -> Screen {
    let main = shown(&NewKey {
        key: secret,
        public_url: &request.context.public_url,
    });
    let trail = trail(Place::ApiKeys);
    Screen {
        trail,
        ..Screen::new(
            Place::ApiKeys,
            format!("Key \u{201c}{}\u{201d} created", key.settings.name),
            main,
        )
    }
}

pub(super) async fn save(request: &ConsoleRequest<'_>, kind: Kind) -> Result<Reply, HandlerError> {
    let (service, id, typed) = (
        &request.service,
        request.id,
        form_parser::document(kind.resource(), &request.form_data),
    );
    let over = request.precondition();
    let saved = match kind {
        Kind::Image => images::change(service, id, &typed, &over).await.map(drop),
        Kind::Network => {
            // The name is how it is found; the form sends it nowhere else.
            let mut typed = typed.clone();
            if let Value::Object(fields) = &mut typed {
                fields.shift_remove("name");
            }
            verbs::change::<Network>(service, id, &typed, &over)
                .await
                .map(drop)
        }
        Kind::Group => verbs::change::<Group>(service, id, &typed, &over)
            .await
            .map(drop),
        Kind::Staging => staging::change(service, id, &typed, &over).await.map(drop),
        Kind::ApiKey => verbs::change::<ApiKey>(service, id, &typed, &over)
            .await
            .map(drop),
    };
    match saved {
        Ok(()) => {
            request
                .redirect_with_flash(&(kind.paths().one)(id), FlashMessage::Saved, Some(id))
                .await
        }
        Err(error) => {
            let (mut messages, stored) = (messages(error)?, find(request, kind).await?);
            let typed = stale::merge_stale_form(
                request,
                kind.resource(),
                id,
                &stored,
                typed,
                &mut messages,
            )
            .await?;
            let typed = if kind == Kind::Network {
                typed_over(&typed, &json!({ "name": id }))
            } else {
                typed
            };
            Ok(request.show(
                &page(
                    request,
                    kind,
                    Some(&stored),
                    &typed_over(&stored, &typed),
                    messages,
                    String::new(),
                )
                .await?,
            ))
        }
    }
}

/// Another task definition for an image; what stands in the way is said above its form.
pub(super) async fn register(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    match images::register_again(&request.service, request.id, &Precondition::None).await {
        Ok(image) => {
            request
                .redirect_with_flash(
                    &paths::image(image.id.as_str()),
                    FlashMessage::Registered,
                    None,
                )
                .await
        }
        Err(error) => {
            let (messages, stored) = (messages(error)?, find(request, Kind::Image).await?);
            Ok(request.show(
                &page(
                    request,
                    Kind::Image,
                    Some(&stored),
                    &stored,
                    messages,
                    String::new(),
                )
                .await?,
            ))
        }
    }
}

pub(super) async fn ask_to_delete(
    request: &ConsoleRequest<'_>,
    kind: Kind,
    refused: &str,
) -> Result<Reply, HandlerError> {
    let stored = find(request, kind).await?;
    let (name, home) = (text(&stored, "name"), (kind.paths().one)(request.id));
    let mut trail = trail(kind.place());
    trail.push((name.to_owned(), home.clone()));
    let found = references::of(&request.service, kind.noun(), request.id).await?;
    let mut happens = kind.happens();
    happens.extend(running(kind, &found));
    let uses = found.uses;
    let force = matches!(kind, Kind::Group) && !uses.is_empty();
    let page = Confirm {
        place: kind.place(),
        trail,
        title: format!(
            "Delete the {} \u{201c}{name}\u{201d}?",
            kind.resource().name
        ),
        happens,
        choice: force.then(|| {
            (
                "force",
                format!(
                    "Delete it even though {} it",
                    plural(uses.len() as u64, "names", "name")
                ),
                request.form_data.first("force").is_some(),
            )
        }),
        uses: uses
            .into_iter()
            .filter_map(|one| Some(((paths::of_kind(one.kind)?.one)(&one.id), one.words)))
            .map(|(path, words)| (words, path))
            .collect(),
        action: (kind.paths().delete)(request.id),
        submit: "Delete it".into(),
        cancel: home,
        line: None,
        kept: Vec::new(),
        refused: refused.to_owned(),
        version: stored["version"].as_u64(),
    };
    Ok(request.show(&confirm::page(&request.context, &page)))
}

pub(super) async fn delete(
    request: &ConsoleRequest<'_>,
    kind: Kind,
) -> Result<Reply, HandlerError> {
    let (service, id, over) = (&request.service, request.id, request.precondition());
    let deleted = match kind {
        Kind::Image => images::delete(service, id, &over).await,
        Kind::Network => verbs::delete_network(service, id, &over).await,
        Kind::Group => {
            let force = request.form_data.first("force").is_some();
            verbs::delete_group(service, id, &over, force).await
        }
        Kind::Staging => staging::delete(service, id, &over).await,
        Kind::ApiKey => api_keys::delete(service, id, &over).await,
    };
    match deleted {
        Ok(()) => {
            request
                .redirect_with_flash(kind.paths().list, FlashMessage::Deleted, Some(id))
                .await
        }
        Err(error) => {
            let messages = messages(error)?;
            ask_to_delete(
                request,
                kind,
                messages
                    .errors
                    .first()
                    .map_or("", |error| error.detail.as_str()),
            )
            .await
        }
    }
}
