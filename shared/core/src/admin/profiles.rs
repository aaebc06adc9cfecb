//! Owns the operations on users' persistent profiles. Must not know where archives are stored.

use crate::audit::{Difference, RecordKind};
use crate::form::TextType;
use crate::form::{Form, line};
use crate::ids::{ImageId, SessionId, UserId};
use crate::json_schema::{self, SchemaBuilder};
use crate::persistent_profile::{PersistentProfile, ProfileId};
use crate::ports::Saved;
use serde_json::{Map, Value, json};

use crate::admin::AdminService;
use crate::admin::error::{AdminError, TRIES};
use crate::admin::users::no_such_user;

/// The profiles of a user, one for each image.
pub async fn list(
    service: &AdminService<'_>,
    user: &str,
) -> Result<Vec<PersistentProfile>, AdminError> {
    let user = UserId::parse(user).ok_or_else(no_such_user)?;
    Ok(service.control_plane.profiles_of(&user).await?)
}

/// One profile.
pub async fn find(service: &AdminService<'_>, id: &str) -> Result<PersistentProfile, AdminError> {
    let id = ProfileId::parse(id).ok_or_else(no_such_profile)?;
    service
        .control_plane
        .store
        .record(id.as_str())
        .await?
        .ok_or_else(no_such_profile)
}

/// Restores an earlier archive: `archive` is its name.
pub async fn restore(
    service: &AdminService<'_>,
    id: &str,
    input: &Value,
) -> Result<PersistentProfile, AdminError> {
    let mut form = Form::over(Map::new(), input, &[])?;
    let archive = read(&mut form);
    form.finish()?;
    let archive = archive.unwrap_or_default();
    for _ in 0..TRIES {
        let before = find(service, id).await?;
        must_be_free(service, &before).await?;
        let old = before.view();
        let audit = |after: &PersistentProfile| {
            let new = after.view();
            service.audit(
                RecordKind::Profile,
                id,
                &before.image_name,
                Difference::changed(&old, &new),
            )
        };
        if let Some(after) = service
            .control_plane
            .restore_profile(&before, &archive, audit)
            .await?
        {
            tracing::info!(
                actor.id = service.actor.id,
                profile = id,
                "An earlier archive of profile {id} holds again"
            );
            return Ok(after);
        }
        if before.archives().all(|known| known.name() != archive) {
            return Err(AdminError::not_found(
                "The profile has no earlier archive of this name.",
            ));
        }
        if before
            .current
            .as_ref()
            .is_some_and(|current| current.name() == archive)
        {
            return Ok(before);
        }
    }
    Err(AdminError::contention("restore a profile"))
}

fn read(form: &mut Form) -> Option<String> {
    form.required("archive", line(1..=100))
}

/// The JSON Schema of the document of [`restore`].
pub fn restore_schema() -> Value {
    SchemaBuilder::of(|form| _ = read(form))
        .described(&[("archive", "The name of an earlier archive.")])
        .whole()
}

/// Deletes a profile that no session holds, with all of its archives.
pub async fn delete(service: &AdminService<'_>, id: &str) -> Result<(), AdminError> {
    for _ in 0..TRIES {
        let profile = find(service, id).await?;
        must_be_free(service, &profile).await?;
        let view = profile.view();
        let audit = service.audit(
            RecordKind::Profile,
            id,
            &profile.image_name,
            Difference::deleted(&view),
        );
        match service
            .control_plane
            .delete_profile(&profile, Some(&audit))
            .await?
        {
            Saved::Done => {
                tracing::info!(
                    actor.id = service.actor.id,
                    profile = id,
                    "Profile {id} was deleted"
                );
                return Ok(());
            }
            Saved::Stale => {}
        }
    }
    Err(AdminError::contention("delete a profile"))
}

/// Deletes all profiles of a user who is anonymised. Their sessions have ended by then.
pub async fn delete_all_of(service: &AdminService<'_>, user: &UserId) -> Result<(), AdminError> {
    for profile in service.control_plane.profiles_of(user).await? {
        delete(service, profile.id.as_str()).await?;
    }
    Ok(())
}

/// A profile that a live session holds would be replaced or created again at its end.
async fn must_be_free(
    service: &AdminService<'_>,
    profile: &PersistentProfile,
) -> Result<(), AdminError> {
    if service.control_plane.is_profile_in_use(&profile.id).await? {
        return Err(AdminError::conflict(
            "A live session has this profile; end it first.",
        ));
    }
    Ok(())
}

/// The JSON Schema of a profile.
pub fn schema() -> Value {
    let archive = json_schema::object(json!({
        "name": { "type": "string", "description": "What it is restored by." },
        "session_id": SessionId::SYNTAX.schema(),
        "bytes": { "type": "integer", "minimum": 0 },
        "sha256": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
        "saved_at": json_schema::time(),
    }));
    json_schema::object(json!({
        "id": id_schema(),
        "user_id": UserId::SYNTAX.schema(),
        "image_id": ImageId::SYNTAX.schema(),
        "image_name": { "type": "string", "description":
            "What the image was called when the profile was last used." },
        "session_id": json_schema::nullable(SessionId::SYNTAX.schema()),
        "current": { "anyOf": [archive.clone(), { "type": "null" }], "description": "What the next session gets." },
        "older": { "type": "array", "items": archive, "description": "Earlier ones, the newest first." },
        "version": { "type": "integer" },
        "updated_at": json_schema::time(),
    }))
}

/// The JSON Schema of a profile's id.
pub fn id_schema() -> Value {
    json!({ "type": "string", "pattern": "^u[a-z2-7]{26}-i[a-z2-7]{26}$" })
}

fn no_such_profile() -> AdminError {
    AdminError::not_found("There is no such profile.")
}
