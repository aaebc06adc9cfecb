//! Owns the operations on casts. Must not know which values are valid (`cast_form` does), or how a
//! claim uses a cast.

use crate::audit::{Difference, RecordKind};
use crate::cast::{Cast, CastSettings, Counter, CounterChange, PreviousKey};
use crate::cast_form::{self, CastDraft};
use crate::cast_warnings::TIERS;
use crate::field;
use crate::form::{FieldError, FieldErrors, Form, Warning, parsed, whole};
use crate::group::Group;
use crate::hook::HookId;
use crate::ids::{CastId, CastKey, GroupId, ImageId};
use crate::image::Image;
use crate::json_schema::SchemaBuilder;
use crate::network::Network;
use crate::ports::{Created, Page, Replaced, Saved};
use crate::queries::{self, CastOrder, CastQuery};
use crate::time::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

use crate::admin::error::{AdminError, TRIES};
use crate::admin::version::Precondition;
use crate::admin::{AdminService, filtered, hooks, invitations, session_actions, settings};

/// The longest time that an old key opens a link after a rotation, in seconds (365 days).
const LONGEST_GRACE: u64 = 31_536_000;
/// How long an old key opens a link after a rotation that says nothing else, in seconds (30 days):
/// printed links and QR codes are replaced in that time.
pub const USUAL_GRACE: u64 = 2_592_000;

/// The filters and the order of a list of casts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CastsAsked {
    /// Search words: each must be the beginning of a word of the cast's name or key.
    pub search: Option<String>,
    /// The order; a search has none.
    pub order: CastOrder,
    /// Whether the order is reversed.
    pub backwards: bool,
    /// Only enabled casts, or only disabled ones.
    pub enabled: Option<bool>,
    /// Only casts of this image.
    pub image: Option<ImageId>,
}

impl CastsAsked {
    fn fits(&self, cast: &Cast, words: &[String]) -> bool {
        let settings = &cast.settings;
        let found = || {
            let known = queries::words(settings);
            words
                .iter()
                .all(|word| known.iter().any(|known| known.starts_with(word.as_str())))
        };
        self.enabled
            .is_none_or(|enabled| settings.enabled == enabled)
            && self
                .image
                .as_ref()
                .is_none_or(|image| settings.image_id == *image)
            && (words.is_empty() || found())
    }
}

/// A cast with its warnings.
pub struct Edited {
    /// The cast as it is now.
    pub cast: Cast,
    /// Warnings about the request, besides those about the cast.
    pub warnings: Vec<Warning>,
}

impl Edited {
    /// As the API shows it.
    pub fn view(&self, public_url: &str) -> Value {
        let mut view = cast_form::view(&self.cast, public_url);
        if let Some(Value::Array(warnings)) = view.get_mut("warnings") {
            warnings.extend(self.warnings.iter().map(|warning| json!(warning)));
        }
        view
    }
}

/// A page of casts. It may be shorter than asked for although more follow.
pub async fn list(
    service: &AdminService<'_>,
    asked: &CastsAsked,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<Cast>, AdminError> {
    let text = asked.search.as_deref().unwrap_or_default();
    let words: Vec<String> = queries::split(text).collect();
    if words.is_empty() && !text.trim().is_empty() {
        return Ok(Page {
            items: Vec::new(),
            next: None,
        });
    }
    let query = CastQuery {
        word: queries::most_selective(&words).cloned(),
        order: asked.order,
        backwards: asked.backwards,
    };
    let (store, query) = (&service.control_plane.store, &query);
    let read = |after: Option<String>, wanted| async move {
        store.casts(query, after.as_deref(), wanted).await
    };
    filtered::page(cursor, limit, read, |cast| asked.fits(cast, &words)).await
}

/// Creates a cast.
pub async fn create(service: &AdminService<'_>, input: &Value) -> Result<Edited, AdminError> {
    let control_plane = service.control_plane;
    let draft = cast_form::create(
        input,
        &control_plane.urls.own_urls(),
        &*control_plane.entropy,
    )?;
    require_image(service, &draft.settings).await?;
    require_group(service, draft.settings.anonymous_group_id.as_ref()).await?;
    require_tiers(service, &draft.settings).await?;
    hooks::require_receiver(service, None, &draft.settings.hook)?;
    let id = service.new_id(RecordKind::Cast, input).await?;
    let (now, cast_id) = (control_plane.clock.now(), CastId::from_bytes(id.bytes));
    if id.is_repeatable
        && let Some(cast) = control_plane.store.cast(&cast_id).await?
    {
        return Ok(Edited {
            cast,
            warnings: draft.warnings,
        });
    }
    let counter = Counter::default().changed(draft.counter);
    let cast = Cast {
        id: cast_id,
        version: 1,
        settings: draft.settings,
        counter,
        created_at: now,
        updated_at: now,
    };
    let view = cast_form::view(&cast, &control_plane.urls.public_url);
    let audit = service.audit(
        RecordKind::Cast,
        cast.id.as_str(),
        &cast.settings.name,
        Difference::created(&view),
    );
    settings::begin(service).await?;
    match control_plane.store.create_cast(&cast, Some(&audit)).await? {
        Created::Done => {}
        Created::KeyTaken => return Err(key_taken(&cast)),
    }
    control_plane.forget();
    count(service, &cast).await;
    make_secret(service, &cast).await;
    tracing::info!(actor.id = service.actor.id, cast.id = %cast.id, "Cast {} was made", cast.id);
    let mut warnings = draft.warnings;
    warnings.extend(look_around(service, &cast.settings, Some(&cast.id)).await?);
    Ok(Edited { cast, warnings })
}

/// One cast with its warnings.
pub async fn read(service: &AdminService<'_>, id: &str) -> Result<Edited, AdminError> {
    let cast = find(service, id).await?;
    let warnings = look_around(service, &cast.settings, Some(&cast.id)).await?;
    Ok(Edited { cast, warnings })
}

/// One cast.
pub async fn find(service: &AdminService<'_>, id: &str) -> Result<Cast, AdminError> {
    service
        .control_plane
        .store
        .cast(&parse_id(id)?)
        .await?
        .ok_or_else(no_such_cast)
}

/// The number of visitors in the cast's waiting room; `None` without one.
pub async fn count_waiting(
    service: &AdminService<'_>,
    cast: &Cast,
) -> Result<Option<u64>, AdminError> {
    if !cast.settings.waiting_room {
        return Ok(None);
    }
    let (room, now) = (
        service.control_plane.store.queue(&cast.id).await?,
        service.control_plane.clock.now(),
    );
    Ok(Some(room.waiting(now) as u64))
}

/// Changes the fields of the document. Without a precondition, a change that met another one is
/// repeated on the current row.
pub async fn change(
    service: &AdminService<'_>,
    id: &str,
    input: &Value,
    precondition: &Precondition,
) -> Result<Edited, AdminError> {
    let mut edited = edit(service, id, precondition, |before| {
        Ok(cast_form::patch(
            before,
            input,
            &service.control_plane.urls.own_urls(),
            precondition.remaining(before.version),
        )?)
    })
    .await?;
    let cast = &edited.cast;
    let around = look_around(service, &cast.settings, Some(&cast.id)).await?;
    edited.warnings.extend(around);
    Ok(edited)
}

/// Replaces the key. The old one works on for [`USUAL_GRACE`], or as long as the document says; one
/// from before it stops at once. The document may contain the new key; otherwise one is generated.
/// Of two rotations at the same time, one is refused: each keeps exactly the key that it replaces.
pub async fn rotate_key(
    service: &AdminService<'_>,
    id: &str,
    input: &Value,
    precondition: &Precondition,
) -> Result<Edited, AdminError> {
    let rotation = read_rotation(&mut Form::over(Map::new(), input, &[])?)?;
    let now = service.control_plane.clock.now();
    let until = rotation.grace.until(now)?;
    // Generated once: a second try of the same call must not produce a third key.
    let key = match rotation.key {
        Some(key) => key,
        None if service.request_key.is_some() => key_of_request(service, input).await?,
        None => CastKey::random(&*service.control_plane.entropy),
    };
    // What the first try has found. A later one finds another key if that was replaced meanwhile.
    let replaced = OnceLock::new();
    edit(service, id, precondition, |before| {
        let mut settings = before.settings.clone();
        let expected = replaced.get_or_init(|| settings.key.clone());
        if settings.key != key {
            if settings.key != *expected {
                let detail = "Another request has replaced the key at the same time.";
                return Err(AdminError::conflict(detail));
            }
            let old = std::mem::replace(&mut settings.key, key.clone());
            settings.previous_key = until.map(|until| PreviousKey { key: old, until });
        }
        Ok(CastDraft {
            settings,
            counter: CounterChange::Keep,
            warnings: Vec::new(),
        })
    })
    .await
}

/// Takes the last rotation back while the old key still works: it is the key again, and the one
/// that replaced it stops at once.
///
/// # Errors
/// `Conflict` when no old key works any more.
pub async fn restore_key(
    service: &AdminService<'_>,
    id: &str,
    precondition: &Precondition,
) -> Result<Edited, AdminError> {
    let restored = OnceLock::new();
    edit(service, id, precondition, |before| {
        let mut settings = before.settings.clone();
        let now = service.control_plane.clock.now();
        let old = settings.previous_key.take();
        let old = old.filter(|previous| now < previous.until);
        let Some(old) = old.filter(|old| old.key == *restored.get_or_init(|| old.key.clone()))
        else {
            let detail = "No earlier key of this link works any more.";
            return Err(AdminError::conflict(detail));
        };
        settings.key = old.key;
        Ok(CastDraft {
            settings,
            counter: CounterChange::Keep,
            warnings: Vec::new(),
        })
    })
    .await
}

/// What a rotation asks for.
struct Rotation {
    key: Option<CastKey>,
    grace: Grace,
}

/// How long the old key works.
struct Grace {
    seconds: Option<u64>,
    until: Option<Timestamp>,
}

impl Grace {
    /// Until when the old key works; `None`: not at all.
    fn until(&self, now: Timestamp) -> Result<Option<Timestamp>, AdminError> {
        let clash = |detail: &str| Err(FieldErrors::clash("/grace_until", detail).into());
        match (self.seconds, self.until) {
            (Some(_), Some(_)) => clash("cannot be combined with grace_seconds."),
            (_, Some(until)) if until <= now => clash("is in the past."),
            (_, Some(until)) if now.seconds_until(until) > LONGEST_GRACE => {
                clash("is more than 365 days away.")
            }
            (_, Some(until)) => Ok(Some(until)),
            (Some(0), None) => Ok(None),
            (seconds, None) => Ok(Some(now.plus_seconds(seconds.unwrap_or(USUAL_GRACE)))),
        }
    }
}

fn read_rotation(form: &mut Form) -> Result<Rotation, FieldErrors> {
    let key = form.nullable("key", parsed(cast_form::read_key));
    let seconds = form.nullable("grace_seconds", whole::<u64>(0..=LONGEST_GRACE));
    let until = form.nullable("grace_until", parsed(field::read_time));
    form.finish()?;
    let grace = Grace { seconds, until };
    Ok(Rotation { key, grace })
}

/// The JSON Schema of a rotation.
pub fn rotation_schema() -> Value {
    let words = [
        ("key", "The new key; drawn when it is left out."),
        (
            "grace_seconds",
            "For how long the old key opens the link too; 0: not at all. 30 days when this and \
             `grace_until` are left out.",
        ),
        (
            "grace_until",
            "Until when the old key opens the link too, in place of `grace_seconds`.",
        ),
    ];
    SchemaBuilder::of(|form| _ = read_rotation(form))
        .described(&words)
        .whole()
}

async fn key_of_request(service: &AdminService<'_>, input: &Value) -> Result<CastKey, AdminError> {
    let id = service.new_id(RecordKind::Cast, input).await?;
    // Derived with our own key: from the request alone, everyone who knows it could derive the key.
    let drawn = service
        .control_plane
        .keys
        .fingerprint(&["cast key", CastId::from_bytes(id.bytes).as_str()]);
    let plain: String = drawn.chars().filter(char::is_ascii_alphanumeric).collect();
    CastKey::parse(&plain).ok_or_else(|| AdminError::contention("draw a key"))
}

/// Copies a cast, with a new key. The document contains the fields that differ.
pub async fn copy(
    service: &AdminService<'_>,
    id: &str,
    input: &Value,
) -> Result<Edited, AdminError> {
    let original = find(service, id).await?;
    let Value::Object(named) = input else {
        return Err(FieldErrors::one("", "must be a JSON object.").into());
    };
    let mut document = cast_form::fields(&original);
    document.remove("key");
    let name: String = original.settings.name.chars().take(90).collect();
    document.insert("name".into(), json!(format!("{name} (copy)")));
    document.extend(
        named
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    create(service, &Value::Object(document)).await
}

async fn edit(
    service: &AdminService<'_>,
    id: &str,
    precondition: &Precondition,
    draft: impl Fn(&Cast) -> Result<CastDraft, AdminError>,
) -> Result<Edited, AdminError> {
    for _ in 0..TRIES {
        let before = find(service, id).await?;
        precondition.check(before.version)?;
        let draft = draft(&before)?;
        let shares = draft.settings.enable_sharing && !before.settings.enable_sharing;
        if draft.settings.image_id != before.settings.image_id || shares {
            require_image(service, &draft.settings).await?;
        }
        if draft.settings.anonymous_group_id != before.settings.anonymous_group_id {
            require_group(service, draft.settings.anonymous_group_id.as_ref()).await?;
        }
        if draft.settings.access_tiers != before.settings.access_tiers {
            require_tiers(service, &draft.settings).await?;
        }
        let (old, new) = (&before.settings.hook, &draft.settings.hook);
        hooks::require_receiver(service, Some(old), new)?;
        if draft.settings == before.settings && draft.counter == CounterChange::Keep {
            return Ok(Edited {
                cast: before,
                warnings: draft.warnings,
            });
        }
        let after = changed(&before, &draft, service.control_plane.clock.now());
        let view = |cast| cast_form::view(cast, &service.control_plane.urls.public_url);
        let (old, new) = (view(&before), view(&after));
        let difference = Difference::changed(&old, &new);
        let audit = service.audit(
            RecordKind::Cast,
            after.id.as_str(),
            &after.settings.name,
            difference,
        );
        match service
            .control_plane
            .store
            .replace_cast(&before, &after, draft.counter, Some(&audit))
            .await?
        {
            Replaced::Done => {
                service.control_plane.forget();
                if after.settings.counted_since != before.settings.counted_since {
                    count(service, &after).await;
                }
                make_secret(service, &after).await;
                tracing::info!(actor.id = service.actor.id, cast.id = %after.id, version = after.version, "Cast {} was changed", after.id);
                return Ok(Edited {
                    cast: after,
                    warnings: draft.warnings,
                });
            }
            Replaced::KeyTaken => return Err(key_taken(&after)),
            Replaced::Stale => {}
        }
    }
    Err(AdminError::contention("change a cast"))
}

/// Warnings about a cast that depend on other records and on the deployment: its group has been
/// deleted, its hook names an event bus that nothing is sent to, or another cast has its name. `id` is its own, if it has one yet.
pub async fn look_around(
    service: &AdminService<'_>,
    settings: &CastSettings,
    id: Option<&CastId>,
) -> Result<Vec<Warning>, AdminError> {
    let mut warnings = Vec::new();
    if is_group_gone(service, settings.anonymous_group_id.as_ref()).await? {
        warnings.push(GROUP_IS_GONE);
    }
    if is_address_lost(service, settings).await? {
        let pointer = if settings.kasm_url.is_some() {
            "/kasm_url"
        } else {
            "/allow_dynamic_kasm_url"
        };
        warnings.push(Warning {
            pointer,
            detail: "has no effect in most images without a command: theirs must name a variable \
                     that contains {kasm_url}.",
        });
    }
    warnings.extend(lacking(service, settings).await?.into_iter().map(|lack| {
        let pointer = TIERS.get(lack.tier).copied().unwrap_or("/access_tiers");
        let detail = lack.what.warning();
        Warning { pointer, detail }
    }));
    if hooks::check_receiver(service, &settings.hook).is_err() {
        warnings.push(Warning {
            pointer: "/hook_url",
            detail: "is an event bus that this deployment does not send to: no event arrives.",
        });
    }
    if has_namesake(service, &settings.name, id).await? {
        warnings.push(Warning {
            pointer: "/name",
            detail: "is the name of another cast too; lists tell the two apart by their keys.",
        });
    }
    Ok(warnings)
}

/// Whether the address that this cast opens may reach no program: the gate stands beside an app
/// that is no web app, and none of its variables is the address.
async fn is_address_lost(
    service: &AdminService<'_>,
    settings: &CastSettings,
) -> Result<bool, AdminError> {
    if settings.kasm_url.is_none() && !settings.dynamic_kasm_url {
        return Ok(false);
    }
    let store = &service.control_plane.store;
    let image = store.record::<Image>(settings.image_id.as_str()).await?;
    Ok(image.is_some_and(|image| {
        let settings = &image.settings;
        settings.has_gate_beside()
            && settings.view_only.is_none()
            && !settings.has_address_variable()
    }))
}

const GROUP_IS_GONE: Warning = Warning {
    pointer: "/anonymous_user_group_id",
    detail: "names a group that is gone: anonymous visitors go on with All Users alone.",
};

async fn has_namesake(
    service: &AdminService<'_>,
    name: &str,
    id: Option<&CastId>,
) -> Result<bool, AdminError> {
    let named = service.control_plane.store.casts_named(name).await?;
    Ok(named.iter().any(|other| Some(other) != id))
}

/// Casts as lists show them, with a warning if a cast's group has been deleted.
pub async fn views(service: &AdminService<'_>, casts: &[Cast]) -> Result<Vec<Value>, AdminError> {
    let names_one = |cast: &Cast| cast.settings.anonymous_group_id.is_some();
    let groups = if casts.iter().any(names_one) {
        service.control_plane.store.all_records::<Group>().await?
    } else {
        Vec::new()
    };
    let view = |cast: &Cast| {
        let group = cast.settings.anonymous_group_id.as_ref();
        let is_gone = group.is_some_and(|id| {
            *id != Group::all_users_id() && groups.iter().all(|group| group.id != *id)
        });
        let edited = Edited {
            cast: cast.clone(),
            warnings: is_gone.then_some(GROUP_IS_GONE).into_iter().collect(),
        };
        edited.view(&service.control_plane.urls.public_url)
    };
    Ok(casts.iter().map(view).collect())
}

/// Counts the live sessions of a cast whose limit has just been set.
async fn count(service: &AdminService<'_>, cast: &Cast) {
    if let Err(fault) = service.control_plane.count_of_cast(cast).await {
        tracing::warn!(cast.id = %cast.id, %fault,
            "Live sessions are not counted yet; the next claim does");
    }
}

/// Deletes a cast. Its live sessions continue, unless `terminate` ends them; then the call can be
/// repeated until all have ended, also when the cast itself is already deleted.
pub async fn delete(
    service: &AdminService<'_>,
    id: &str,
    precondition: &Precondition,
    terminate: bool,
) -> Result<(), AdminError> {
    let id = parse_id(id)?;
    let deleted = delete_row(service, &id, precondition).await?;
    if deleted {
        service.control_plane.forget();
        tracing::info!(actor.id = service.actor.id, cast.id = %id, "Cast {id} was deleted");
        // No link leads to them any more; a row that a fault leaves behind costs only its storage.
        invitations::delete_all(service, &id).await?;
        hooks::delete(service, &id).await?;
    }
    let ended = if terminate {
        session_actions::end_all(service, &id).await?
    } else {
        0
    };
    if deleted || ended > 0 {
        Ok(())
    } else {
        Err(no_such_cast())
    }
}

/// Makes the secret with which the server of the link's admission hook is asked: claims only read it.
async fn make_secret(service: &AdminService<'_>, cast: &Cast) {
    if cast.settings.admission_hook.server().is_none() {
        return;
    }
    let id = HookId::Cast(cast.id.clone());
    if let Err(fault) = service.control_plane.hook_state(&id).await {
        tracing::warn!(%fault, "A hook has no secret yet; the next change makes it");
    }
}

async fn delete_row(
    service: &AdminService<'_>,
    id: &CastId,
    precondition: &Precondition,
) -> Result<bool, AdminError> {
    for _ in 0..TRIES {
        let Some(cast) = service.control_plane.store.cast(id).await? else {
            return Ok(false);
        };
        precondition.check(cast.version)?;
        let view = cast_form::view(&cast, &service.control_plane.urls.public_url);
        let audit = service.audit(
            RecordKind::Cast,
            id.as_str(),
            &cast.settings.name,
            Difference::deleted(&view),
        );
        match service
            .control_plane
            .store
            .delete_cast(&cast, Some(&audit))
            .await?
        {
            Saved::Done => return Ok(true),
            Saved::Stale => {}
        }
    }
    Err(AdminError::contention("delete a cast"))
}

/// The row after a change.
fn changed(before: &Cast, draft: &CastDraft, now: Timestamp) -> Cast {
    Cast {
        id: before.id.clone(),
        version: before.version + 1,
        settings: draft.settings.clone(),
        counter: before.counter.changed(draft.counter),
        created_at: before.created_at,
        updated_at: now,
    }
}

/// Parses the id of a cast.
pub fn parse_id(text: &str) -> Result<CastId, AdminError> {
    CastId::parse(text).ok_or_else(no_such_cast)
}

fn no_such_cast() -> AdminError {
    AdminError::not_found("There is no such cast.")
}

fn key_taken(cast: &Cast) -> AdminError {
    FieldErrors::clash(
        "/key",
        format!("is the key of another cast: {}.", cast.settings.key),
    )
    .into()
}

/// The image must exist, and must have a view-only mode if the link shares its sessions.
async fn require_image(
    service: &AdminService<'_>,
    settings: &CastSettings,
) -> Result<(), AdminError> {
    match service
        .control_plane
        .store
        .record::<Image>(settings.image_id.as_str())
        .await?
    {
        Some(image) if settings.enable_sharing && image.settings.view_only.is_none() => {
            let detail = "needs an image whose sessions can be only watched: set its view_only to \
                          the way that fits its app.";
            Err(FieldErrors::one("/enable_sharing", detail).into())
        }
        Some(_) => Ok(()),
        None => Err(FieldErrors::one("/image_id", "is not the id of an image.").into()),
    }
}

async fn require_group(service: &AdminService<'_>, id: Option<&GroupId>) -> Result<(), AdminError> {
    if is_group_gone(service, id).await? {
        let detail = "is not the id of a group.";
        return Err(FieldErrors::one("/anonymous_user_group_id", detail).into());
    }
    Ok(())
}

/// What an access tier needs and this deployment does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lacking {
    Network,
    Group,
    Countries,
    ExceptCountries,
    Asns,
    ExceptAsns,
}

/// Of which tier, from 0.
struct Lack {
    tier: usize,
    what: Lacking,
}

impl Lacking {
    const fn field(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Group => "group_id",
            Self::Countries => "countries",
            Self::ExceptCountries => "except_countries",
            Self::Asns => "asns",
            Self::ExceptAsns => "except_asns",
        }
    }

    const fn error(self) -> &'static str {
        match self {
            Self::Network => "is not the name of a network.",
            Self::Group => "is not the id of a group.",
            Self::Countries | Self::ExceptCountries => {
                "needs a database of countries, which this deployment does not have: see the manual \
                 of access tiers."
            }
            Self::Asns | Self::ExceptAsns => {
                "needs a database of autonomous systems, which this deployment does not have: see \
                 the manual of access tiers."
            }
        }
    }

    const fn warning(self) -> &'static str {
        match self {
            Self::Network => "names a network that is gone: whom it fits get no session.",
            Self::Group => "names a group that is gone: whom it fits get no session.",
            Self::Countries | Self::ExceptCountries => {
                "asks for countries, and this deployment has no database of them: all are unknown."
            }
            Self::Asns | Self::ExceptAsns => {
                "asks for autonomous systems, and this deployment has no database of them: all are \
                 unknown."
            }
        }
    }
}

/// What the access tiers need and this deployment does not have.
async fn lacking(
    service: &AdminService<'_>,
    settings: &CastSettings,
) -> Result<Vec<Lack>, AdminError> {
    let control_plane = service.control_plane;
    let geo = control_plane.geo.as_ref();
    let (knows_countries, knows_asns) = (
        geo.is_some_and(|geo| geo.knows_countries()),
        geo.is_some_and(|geo| geo.knows_asns()),
    );
    let mut lacks = Vec::new();
    for (at, tier) in settings.access_tiers.iter().enumerate() {
        let mut note = |is_lacking: bool, what| {
            if is_lacking {
                lacks.push(Lack { tier: at, what });
            }
        };
        note(
            !knows_countries && !tier.countries.is_empty(),
            Lacking::Countries,
        );
        note(
            !knows_countries && !tier.except_countries.is_empty(),
            Lacking::ExceptCountries,
        );
        note(!knows_asns && !tier.asns.is_empty(), Lacking::Asns);
        note(
            !knows_asns && !tier.except_asns.is_empty(),
            Lacking::ExceptAsns,
        );
        if let Some(network) = &tier.terms.network {
            let found = control_plane
                .store
                .record::<Network>(network.as_str())
                .await?;
            note(found.is_none(), Lacking::Network);
        }
        let group = tier.terms.group_id.as_ref();
        note(is_group_gone(service, group).await?, Lacking::Group);
    }
    Ok(lacks)
}

/// The networks and groups that access tiers name must exist, and what they ask of addresses must be
/// known.
async fn require_tiers(
    service: &AdminService<'_>,
    settings: &CastSettings,
) -> Result<(), AdminError> {
    let error = |lack: Lack| {
        let pointer = format!("/access_tiers/{}/{}", lack.tier, lack.what.field());
        FieldError::new(pointer, lack.what.error())
    };
    let errors: Vec<_> = lacking(service, settings)
        .await?
        .into_iter()
        .map(error)
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(FieldErrors(errors).into())
    }
}

/// Whether the group with this id does not exist.
pub(super) async fn is_group_gone(
    service: &AdminService<'_>,
    id: Option<&GroupId>,
) -> Result<bool, AdminError> {
    let Some(id) = id.filter(|id| **id != Group::all_users_id()) else {
        return Ok(false);
    };
    let group = service
        .control_plane
        .store
        .record::<Group>(id.as_str())
        .await?;
    Ok(group.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;

    #[test]
    fn grace_is_30_days_unless_something_else_is_said() {
        let (later, day) = (NOON.plus_seconds(60), 86_400);
        for (name, document, expected) in [
            ("nothing", json!({}), Ok(Some(NOON.plus_seconds(30 * day)))),
            ("at once", json!({"grace_seconds": 0}), Ok(None)),
            (
                "a day",
                json!({"grace_seconds": day}),
                Ok(Some(NOON.plus_seconds(day))),
            ),
            (
                "a time",
                json!({"grace_until": later.to_string()}),
                Ok(Some(later)),
            ),
            ("now", json!({"grace_until": NOON.to_string()}), Err(())),
            (
                "both",
                json!({"grace_until": later.to_string(), "grace_seconds": 60}),
                Err(()),
            ),
            (
                "too long",
                json!({"grace_until": NOON.plus_seconds(366 * day).to_string()}),
                Err(()),
            ),
        ] {
            let mut form = Form::over(Map::new(), &document, &[]).expect("an object");
            let rotation = read_rotation(&mut form).expect("can be read");
            let until = rotation.grace.until(NOON).map_err(|error| {
                let AdminError::Fields(errors) = error else {
                    panic!("{name}")
                };
                assert!(errors.only_clashes(), "{name}");
            });
            assert_eq!(until, expected, "{name}");
        }
    }
}
