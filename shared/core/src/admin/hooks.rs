//! Owns the operations on hooks: their state, another secret, a test event, their deliveries, and
//! sending one again. Where events go is a setting of a link or of the deployment. Must not know how
//! an event is sent.

use serde_json::{Map, Value, json};

use crate::actor::Scope;
use crate::audit::{Action, RecordKind};
use crate::delivery::{Attempt, Delivery, DeliveryId, DeliveryState};
use crate::deployment::DEPLOYMENT_ID;
use crate::event_bus;
use crate::form::{FieldErrors, Form, TextType, formatted};
use crate::hook::{Hook, HookEvent, HookId, HookState, PauseReason};
use crate::ids::{CastId, Nonce, random_bytes};
use crate::json_schema::{self, SchemaBuilder};
use crate::ports::{Page, Saved};
use crate::text_format;
use crate::time::Timestamp;
use crate::webhook::HookSecret;

use crate::admin::AdminService;
use crate::admin::error::{AdminError, TRIES};

/// A hook as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownHook {
    /// Whose it is.
    pub id: HookId,
    /// Its settings.
    pub hook: Hook,
    /// Its state, once it has a secret.
    pub state: Option<HookState>,
    /// Now.
    pub now: Timestamp,
}

/// The hook with this id: a link's id, or `deployment`.
///
/// # Errors
/// When there is no such link.
pub async fn find(service: &AdminService<'_>, id: &str) -> Result<ShownHook, AdminError> {
    let control_plane = service.control_plane;
    let id = HookId::parse(id).ok_or_else(no_hook)?;
    let hook = control_plane.hook_settings(&id).await?;
    let hook = hook.ok_or_else(no_hook)?;
    Ok(ShownHook {
        state: control_plane.store.record(id.as_str()).await?,
        now: control_plane.clock.now(),
        id,
        hook,
    })
}

/// The hook, for an actor who may change it: of a link who may change links, of the deployment who
/// may change its settings.
async fn find_to_change(service: &AdminService<'_>, id: &str) -> Result<ShownHook, AdminError> {
    let found = find(service, id).await?;
    let scope = match found.id {
        HookId::Deployment => Scope::Settings,
        HookId::Cast(_) => Scope::Casts,
    };
    if service.actor.may(scope) {
        return Ok(found);
    }
    Err(AdminError::forbidden(format!(
        "This needs the scope {}: {}.",
        scope.as_str(),
        scope.meaning().to_lowercase()
    )))
}

fn no_hook() -> AdminError {
    AdminError::not_found("There is no such hook.")
}

/// What the audit log calls a hook.
fn target(id: &HookId) -> (RecordKind, &str) {
    match id {
        HookId::Deployment => (RecordKind::Settings, DEPLOYMENT_ID),
        HookId::Cast(cast) => (RecordKind::Cast, cast.as_str()),
    }
}

/// Writes what `change` makes of the state, with an entry in the audit log that names the field.
async fn change_state(
    service: &AdminService<'_>,
    id: &HookId,
    field: &str,
    change: impl Fn(&HookState) -> Option<HookState>,
) -> Result<HookState, AdminError> {
    let control_plane = service.control_plane;
    for _ in 0..TRIES {
        let before = control_plane.hook_state(id).await?;
        let Some(after) = change(&before) else {
            return Ok(before);
        };
        let (noun, target) = target(id);
        let mut audit = crate::audit::Audit::plain(
            &service.actor,
            Action::Changed,
            noun,
            target,
            "Hook",
            control_plane.clock.now(),
            &*control_plane.entropy,
        );
        // That it changed, and nothing of what it was or is.
        let hidden = || json!("\u{2022}\u{2022}\u{2022}");
        audit.changes.push(crate::audit::FieldChange {
            field: field.to_owned(),
            before: hidden(),
            after: hidden(),
        });
        let store = &control_plane.store;
        let saved = store
            .put_record(&after, Some(before.version), Some(&audit))
            .await?;
        if saved == Saved::Done {
            return Ok(after);
        }
    }
    Err(AdminError::contention("change a hook"))
}

/// Makes another secret, which is shown this once; the one before signs beside it for a day.
///
/// # Errors
/// As [`find`], and when the actor may not change the hook.
pub async fn rotate(
    service: &AdminService<'_>,
    id: &str,
) -> Result<(ShownHook, String), AdminError> {
    let found = find_to_change(service, id).await?;
    let control_plane = service.control_plane;
    let now = control_plane.clock.now();
    let secret = HookSecret::random(&*control_plane.entropy);
    let known = found.state.is_some();
    let state = change_state(service, &found.id, "hook_secret", |before| {
        let mut after = before.rotated(secret.clone(), now);
        // One that nobody has seen and that has signed nothing is not needed beside it.
        after.previous = after.previous.filter(|_| known);
        Some(after)
    })
    .await?;
    let shown = ShownHook {
        state: Some(state),
        ..found
    };
    Ok((shown, secret.reveal()))
}

/// Sends events again after a pause.
///
/// # Errors
/// As [`rotate`].
pub async fn resume(service: &AdminService<'_>, id: &str) -> Result<ShownHook, AdminError> {
    let found = find_to_change(service, id).await?;
    let state = change_state(service, &found.id, "hook_paused", HookState::resumed).await?;
    Ok(ShownHook {
        state: Some(state),
        ..found
    })
}

/// Begins the delivery of a test event.
///
/// # Errors
/// As [`rotate`], and when the hook is off or paused.
pub async fn test(service: &AdminService<'_>, id: &str) -> Result<Delivery, AdminError> {
    let found = find_to_change(service, id).await?;
    check_sends(&found)?;
    let control_plane = service.control_plane;
    let nonce = Nonce::from_bytes(random_bytes(&*control_plane.entropy));
    let data = json!({ "hook": found.id, "sent_by": service.actor.name });
    let delivery = Delivery::new(
        found.id,
        format!("test-{}", nonce.as_str()),
        HookEvent::Test,
        control_plane.clock.now(),
        data,
    );
    control_plane.store.add_delivery(&delivery).await?;
    Ok(delivery)
}

/// A hook that is made, changed or switched on names no event bus but the deployment's. One that was
/// set before stays as it is while its record is changed elsewhere.
pub(super) fn require_receiver(
    service: &AdminService<'_>,
    before: Option<&Hook>,
    after: &Hook,
) -> Result<(), AdminError> {
    let is_known = before.is_some_and(|before| {
        before.url == after.url && (before.enabled == after.enabled || !after.enabled)
    });
    match check_receiver(service, after) {
        Err(detail) if !is_known => Err(FieldErrors::one("/hook_url", detail).into()),
        _ => Ok(()),
    }
}

/// Whether the deployment can send to the receiver of a hook, as far as its settings say.
///
/// # Errors
/// One plain sentence that follows on the field's name.
pub(super) fn check_receiver(service: &AdminService<'_>, hook: &Hook) -> Result<(), String> {
    let allowed = service.control_plane.event_bus_arn.as_ref();
    event_bus::check(hook.url.as_deref().unwrap_or_default(), allowed)
}

/// Deletes the state of the hook of a link that is gone.
pub(super) async fn delete(service: &AdminService<'_>, cast: &CastId) -> Result<(), AdminError> {
    let store = &service.control_plane.store;
    if let Some(state) = store.record::<HookState>(cast.as_str()).await? {
        // A sender that changes it meanwhile leaves a row that costs only its storage.
        store.delete_record(&state, None).await?;
    }
    Ok(())
}

fn check_sends(found: &ShownHook) -> Result<(), AdminError> {
    let is_paused = found.state.as_ref().is_some_and(|one| one.paused.is_some());
    if found.hook.receiver().is_none() {
        Err(AdminError::conflict(
            "The hook is off: nothing is sent. Switch it on first.",
        ))
    } else if is_paused {
        Err(AdminError::conflict(
            "The hook is paused: nothing is sent. Resume it first.",
        ))
    } else {
        Ok(())
    }
}

/// A page of the deliveries of a hook, the newest event first.
///
/// # Errors
/// As [`find`].
pub async fn deliveries(
    service: &AdminService<'_>,
    id: &str,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<Delivery>, AdminError> {
    let found = find(service, id).await?;
    let store = &service.control_plane.store;
    Ok(store.deliveries(&found.id, cursor, limit).await?)
}

/// Sends a delivery again: the same body under the same event id.
///
/// # Errors
/// As [`test`], and when the hook has no such delivery.
pub async fn replay(
    service: &AdminService<'_>,
    id: &str,
    input: &Value,
) -> Result<Delivery, AdminError> {
    let found = find_to_change(service, id).await?;
    let wanted = read_replay(&mut Form::over(Map::new(), input, &[])?)?;
    check_sends(&found)?;
    let control_plane = service.control_plane;
    for _ in 0..TRIES {
        let row = match &wanted {
            Some(wanted) => control_plane.store.delivery(wanted).await?,
            None => None,
        };
        let Some(row) = row.filter(|row| row.hook == found.id) else {
            let detail = "is not a delivery of this hook.";
            return Err(FieldErrors::clash("/delivery", detail).into());
        };
        let again = row.replayed(control_plane.clock.now());
        if control_plane.store.save_delivery(&row, &again).await? == Saved::Done {
            return Ok(again);
        }
    }
    Err(AdminError::contention("send an event again"))
}

fn read_delivery_id(text: &str) -> Result<DeliveryId, String> {
    DeliveryId::parse(text).ok_or_else(|| "is not the id of a delivery.".to_owned())
}

fn read_replay(form: &mut Form) -> Result<Option<DeliveryId>, FieldErrors> {
    let parser = formatted(|| &text_format::DELIVERY_ID, read_delivery_id);
    let id = form.required("delivery", parser);
    form.finish()?;
    Ok(id)
}

/// The JSON Schema of a replay.
pub fn replay_schema() -> Value {
    SchemaBuilder::of(|form| _ = read_replay(form))
        .described(&[("delivery", "The id of the delivery.")])
        .whole()
}

/// The id of a hook as it stands in a path.
pub fn id_schema() -> Value {
    json!({ "anyOf": [CastId::SYNTAX.schema(), { "const": HookId::DEPLOYMENT }] })
}

/// A hook as the API shows it: never its secret.
pub fn view(shown: &ShownHook) -> Value {
    let state = shown.state.as_ref();
    let previous = state.and_then(|state| state.previous.as_ref());
    let previous = previous.filter(|(_, until)| shown.now < *until);
    let paused = state.and_then(|state| state.paused.as_ref());
    json!({
        "id": shown.id,
        "enabled": shown.hook.enabled,
        "url": shown.hook.url,
        "events": shown.hook.events,
        "secret_made_at": state.map(|state| state.secret_made_at.to_string()),
        "previous_secret_until": previous.map(|(_, until)| until.to_string()),
        "failing_since": state.and_then(|state| state.failing_since).map(|at| at.to_string()),
        "paused": paused.map(|pause| {
            json!({ "at": pause.at.to_string(), "reason": pause.reason.as_str() })
        }),
    })
}

/// The properties of a hook's JSON Schema.
fn properties() -> Value {
    let time = |about: &str| {
        let mut schema = json_schema::nullable(json_schema::time());
        schema["description"] = json!(about);
        schema
    };
    let pause = json_schema::object(json!({
        "at": json_schema::time(),
        "reason": { "type": "string", "enum": PauseReason::ALL.map(PauseReason::as_str) },
    }));
    let mut paused = json_schema::nullable(pause);
    paused["description"] =
        json!("Why nothing is sent until the hook is resumed; null while all is well.");
    json!({
        "id": id_schema(),
        "enabled": { "type": "boolean" },
        "url": { "type": ["string", "null"] },
        "events": {
            "type": "array", "description": "Which events are sent; empty is all.",
            "items": { "type": "string", "enum": HookEvent::CHOICES.map(HookEvent::as_str) },
        },
        "secret_made_at": time("When its secret was made; null before the first."),
        "previous_secret_until": time("Until when the secret before signs as well."),
        "failing_since": time("Since when no delivery has succeeded; null while they do."),
        "paused": paused,
    })
}

/// The JSON Schema of a hook.
pub fn schema() -> Value {
    json_schema::object(properties())
}

/// The JSON Schema of a hook with its new secret.
pub fn secret_schema() -> Value {
    let mut properties = properties();
    properties["secret"] = json!({
        "type": "string", "pattern": "^whsec_[A-Za-z0-9+/]+=*$",
        "description": "The secret as receivers keep it, which is shown only once.",
    });
    json_schema::object(properties)
}

/// A delivery as the API shows it.
pub fn view_delivery(row: &Delivery) -> Value {
    let last = row.last.as_ref().map(|last: &Attempt| {
        json!({
            "at": last.at.to_string(), "millis": last.millis,
            "status": last.status, "answer": last.answer,
        })
    });
    json!({
        "id": row.id,
        "event": row.event,
        "type": row.kind.as_str(),
        "at": row.at.to_string(),
        "data": row.data,
        "state": row.state.as_str(),
        "attempts": row.attempts,
        "next_at": row.due_at.map(|at| at.to_string()),
        "last": last,
    })
}

/// The JSON Schema of a delivery.
pub fn delivery_schema() -> Value {
    let types: Vec<&str> = HookEvent::CHOICES
        .into_iter()
        .chain([HookEvent::Test])
        .map(HookEvent::as_str)
        .collect();
    let attempt = json_schema::object(json!({
        "at": json_schema::time(),
        "millis": { "type": "integer", "minimum": 0, "description": "How long it took." },
        "status": { "type": ["integer", "null"], "description": "The receiver's status; null when it did not answer." },
        "answer": { "type": "string", "description": "The first kilobyte of the answer, or why there was none." },
    }));
    let mut next = json_schema::nullable(json_schema::time());
    next["description"] = json!("When it is tried next; null when it is done.");
    json_schema::object(json!({
        "id": text_format::DELIVERY_ID.schema(),
        "event": { "type": "string", "description": "`webhook-id`, or `id` of the detail on an event bus: the same at every try." },
        "type": { "type": "string", "enum": types },
        "at": json_schema::time(),
        "data": { "type": ["object", "null"], "description": "`data` of the body; null until it is summed up." },
        "state": { "type": "string", "enum": DeliveryState::ALL.map(DeliveryState::as_str) },
        "attempts": { "type": "integer", "minimum": 0 },
        "next_at": next,
        "last": json_schema::nullable(attempt),
    }))
}
