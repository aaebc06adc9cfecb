//! Owns the casts of the API. Must not know which values are possible, or how a claim uses a cast.

use casting_core::cast::{Cast, CastSettings, Counter};
use casting_core::cast_form::{self, CastDraft};
use casting_core::form::{FieldErrors, Warning};
use casting_core::group::Group;
use casting_core::ids::{CastId, GroupId, draw};
use casting_core::image::Image;
use casting_core::ports::{Created, Launcher, Replaced, Saved, Store};
use casting_web::{Reply, reply};
use http::StatusCode;
use serde_json::{Value, json};

use crate::call::Call;
use crate::failure::{Failure, TRIES};
use crate::paging::{self, Paging};
use crate::sessions;
use crate::version::{self, Precondition};

/// All casts, a page at a time.
pub(crate) async fn list<S: Store, L>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let paging = Paging::of(call.visit)?;
    let page = paging.checked(call.casting.store.casts(paging.cursor.as_deref(), paging.limit).await)?;
    Ok(paging::show(&page, |cast| cast_form::view(cast, &call.casting.terms.public_url)))
}

/// A new cast: 201 with its address.
pub(crate) async fn create<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let casting = call.casting;
    let draft = cast_form::create(&call.document()?, &casting.terms.public_url, &*casting.entropy)?;
    require_image(call, &draft.settings).await?;
    require_group(call, draft.settings.anonymous_group_id.as_ref()).await?;
    let now = casting.clock.now();
    let cast = Cast {
        id: CastId::from_bytes(draw(&*casting.entropy)),
        version: 1,
        settings: draft.settings,
        counter: Counter::new(draft.set_counter.unwrap_or_default()),
        created_at: now,
        updated_at: now,
    };
    match casting.store.create_cast(&cast).await? {
        Created::Done => {}
        Created::KeyTaken => return Err(key_taken(&cast)),
    }
    casting.forget();
    tracing::info!(api_key.id = %call.administrator, cast.id = %cast.id, "Cast {} was made", cast.id);
    let mut reply = show(call, StatusCode::CREATED, &cast, &draft.warnings);
    reply::set_location(&mut reply, &format!("/api/admin/casts/{}", cast.id));
    Ok(reply)
}

/// One cast.
pub(crate) async fn read<S: Store, L>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let cast = find(call).await?;
    Ok(show(call, StatusCode::OK, &cast, &[]))
}

/// Changes what the document names. Without `If-Match`, a change that met another is made again on the row as it then is.
pub(crate) async fn change<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let (input, precondition) = (call.document()?, Precondition::of(call.visit));
    for _ in 0..TRIES {
        let before = find(call).await?;
        precondition.check(before.version)?;
        let draft = cast_form::patch(&before, &input, &call.casting.terms.public_url)?;
        let shares = draft.settings.enable_sharing && !before.settings.enable_sharing;
        if draft.settings.image_id != before.settings.image_id || shares {
            require_image(call, &draft.settings).await?;
        }
        if draft.settings.anonymous_group_id != before.settings.anonymous_group_id {
            require_group(call, draft.settings.anonymous_group_id.as_ref()).await?;
        }
        if draft.settings == before.settings && draft.set_counter.is_none() {
            return Ok(show(call, StatusCode::OK, &before, &draft.warnings));
        }
        let after = changed(call, &before, &draft);
        match call.casting.store.replace_cast(&before, &after, draft.set_counter.is_some()).await? {
            Replaced::Done => {
                call.casting.forget();
                tracing::info!(api_key.id = %call.administrator, cast.id = %after.id, version = after.version, "Cast {} was changed", after.id);
                return Ok(show(call, StatusCode::OK, &after, &draft.warnings));
            }
            Replaced::KeyTaken => return Err(key_taken(&after)),
            Replaced::Stale => {}
        }
    }
    Err(Failure::contention("change a cast"))
}

/// Deletes a cast. Its live sessions live on, unless `?terminate=true` ends them; then it can be sent again until all are ended, also
/// when the cast itself is gone already.
pub(crate) async fn delete<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let id = parse_id(call.id)?;
    let terminate = call.visit.query("terminate").is_some_and(|value| value == "true");
    let deleted = delete_row(call, &id).await?;
    if deleted {
        call.casting.forget();
        tracing::info!(api_key.id = %call.administrator, cast.id = %id, "Cast {id} was deleted");
    }
    let ended = if terminate { sessions::end_all(call.casting, &id).await? } else { 0 };
    if deleted || ended > 0 { Ok(reply::no_content()) } else { Err(no_such_cast()) }
}

async fn delete_row<S: Store, L>(call: &Call<'_, S, L>, id: &CastId) -> Result<bool, Failure> {
    let precondition = Precondition::of(call.visit);
    for _ in 0..TRIES {
        let Some(cast) = call.casting.store.cast(id).await? else { return Ok(false) };
        precondition.check(cast.version)?;
        match call.casting.store.delete_cast(&cast).await? {
            Saved::Done => return Ok(true),
            Saved::Stale => {}
        }
    }
    Err(Failure::contention("delete a cast"))
}

/// The row after a change.
fn changed<S: Store, L>(call: &Call<'_, S, L>, before: &Cast, draft: &CastDraft) -> Cast {
    let counter = draft.set_counter.map(|remaining| Counter { remaining, epoch: before.counter.epoch + 1 });
    Cast {
        id: before.id.clone(),
        version: before.version + 1,
        settings: draft.settings.clone(),
        counter: counter.unwrap_or(before.counter),
        created_at: before.created_at,
        updated_at: call.casting.clock.now(),
    }
}

pub(crate) fn parse_id(text: &str) -> Result<CastId, Failure> {
    CastId::parse(text).ok_or_else(no_such_cast)
}

pub(crate) async fn find<S: Store, L>(call: &Call<'_, S, L>) -> Result<Cast, Failure> {
    call.casting.store.cast(&parse_id(call.id)?).await?.ok_or_else(no_such_cast)
}

fn no_such_cast() -> Failure {
    Failure::not_found("There is no such cast.")
}

fn key_taken(cast: &Cast) -> Failure {
    Failure::conflict(format!("Another cast has the key {}.", cast.settings.key))
}

/// The image must be there, and be one that can be only watched if the link shares its sessions.
async fn require_image<S: Store, L>(call: &Call<'_, S, L>, settings: &CastSettings) -> Result<(), Failure> {
    match call.casting.store.record::<Image>(settings.image_id.as_str()).await? {
        Some(image) if settings.enable_sharing && image.settings.view_only.is_none() => {
            let detail = "needs an image whose sessions can be only watched: set its view_only to the way that fits its app.";
            Err(FieldErrors::one("/enable_sharing", detail).into())
        }
        Some(_) => Ok(()),
        None => Err(FieldErrors::one("/image_id", "is not the id of an image.").into()),
    }
}

async fn require_group<S: Store, L>(call: &Call<'_, S, L>, id: Option<&GroupId>) -> Result<(), Failure> {
    match id {
        Some(id) if *id != Group::all_users_id() && call.casting.store.record::<Group>(id.as_str()).await?.is_none() => {
            Err(FieldErrors::one("/anonymous_user_group_id", "is not the id of a group.").into())
        }
        _ => Ok(()),
    }
}

fn show<S: Store, L>(call: &Call<'_, S, L>, status: StatusCode, cast: &Cast, more: &[Warning]) -> Reply {
    let mut view = cast_form::view(cast, &call.casting.terms.public_url);
    if let Some(Value::Array(warnings)) = view.get_mut("warnings") {
        warnings.extend(more.iter().map(|warning| json!(warning)));
    }
    let mut reply = reply::json(status, &view);
    version::set(&mut reply, cast.version);
    reply
}
