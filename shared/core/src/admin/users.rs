//! Owns the administrators' view of users, and how a user is anonymised. A user who has logged in
//! has a profile; an anonymous one is the owner in the row of the one session that it was minted
//! for, and has no other record. Must not know how users log in.

use crate::audit::{Action, RecordKind};
use crate::form::TextType;
use crate::ids::{CastId, CastKey, GroupId, SessionId, UserId};
use crate::json_schema;
use crate::ports::{Page, Saved};
use crate::profile::Profile;
use crate::queries::{SessionQuery, SessionsOf};
use crate::session::{Owner, Session};
use crate::summary::SessionSummary;
use serde_json::{Value, json};

use crate::admin::error::{AdminError, TRIES};
use crate::admin::sessions::{self, SessionsAsked};
use crate::admin::{AdminService, profiles, session_actions};

/// Users who have logged in at least once, by id.
pub async fn list(
    service: &AdminService<'_>,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<Profile>, AdminError> {
    Ok(service
        .control_plane
        .store
        .records::<Profile>(cursor, limit)
        .await?)
}

/// Anonymous users who have not been forgotten, as the sessions that they were minted for; the
/// newest first.
pub async fn list_anonymous(
    service: &AdminService<'_>,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<SessionSummary>, AdminError> {
    let query = SessionQuery::default();
    sessions::summaries(service, &query, (cursor, limit), |session| {
        matches!(session.owner, Owner::Anonymous { .. })
    })
    .await
}

/// A user, of either kind, as the API shows it.
pub async fn find(service: &AdminService<'_>, id: &str) -> Result<Value, AdminError> {
    match locate(service, id).await? {
        Found::Profile(profile) => Ok(profile.view()),
        Found::Session(session) => view_anonymous(&(&*session).into()).ok_or_else(no_such_user),
    }
}

enum Found {
    Profile(Profile),
    Session(Box<Session>),
}

async fn locate(service: &AdminService<'_>, id: &str) -> Result<Found, AdminError> {
    let id = UserId::parse(id).ok_or_else(no_such_user)?;
    if let Some(profile) = service
        .control_plane
        .store
        .record::<Profile>(id.as_str())
        .await?
    {
        return Ok(Found::Profile(profile));
    }
    let session = service
        .control_plane
        .store
        .session(&id.minted_for())
        .await?
        .filter(|session| session.owner.id() == Some(&id));
    session
        .map(|session| Found::Session(Box::new(session)))
        .ok_or_else(no_such_user)
}

/// An anonymous user as the API shows it; `None` when it has been forgotten.
pub fn view_anonymous(session: &SessionSummary) -> Option<Value> {
    let Owner::Anonymous {
        id,
        group,
        expires_at,
    } = &session.owner
    else {
        return None;
    };
    Some(json!({
        "id": id,
        "kind": "anonymous",
        "group_id": group,
        "session_id": session.id,
        "cast_id": session.cast_id,
        "cast_key": session.cast_key,
        "cast_name": session.cast_name,
        "created_at": session.created_at.to_string(),
        "expires_at": expires_at.map(|time| time.to_string()),
    }))
}

/// The JSON Schema of a user of either kind.
pub fn schema() -> Value {
    let text = || json!({ "type": "string" });
    let group = json_schema::nullable(GroupId::SYNTAX.schema());
    let anonymous = json!({
        "id": UserId::SYNTAX.schema(), "kind": { "const": "anonymous" }, "group_id": group, "session_id": SessionId::SYNTAX.schema(),
        "cast_id": CastId::SYNTAX.schema(), "cast_key": CastKey::SYNTAX.schema(), "cast_name": text(), "created_at": json_schema::time(), "expires_at": json_schema::nullable(json_schema::time()),
    });
    let user = json!({
        "id": UserId::SYNTAX.schema(), "kind": { "const": "user" }, "name": text(), "roles": { "type": "array", "items": text() },
        "groups": { "type": "array", "items": text() }, "created_at": json_schema::time(), "last_login_at": json_schema::time(),
    });
    json!({ "oneOf": [json_schema::object(user), json_schema::object(anonymous)] })
}

/// Anonymises a user: deletes the profile, and removes the user from all ended sessions. Live
/// sessions are a conflict, unless `terminate` ends them.
pub async fn delete(
    service: &AdminService<'_>,
    id: &str,
    terminate: bool,
) -> Result<(), AdminError> {
    match locate(service, id).await? {
        Found::Session(session) => {
            forget(service, &session.id, terminate).await?;
            service
                .log_action(Action::Deleted, RecordKind::User, id, "an anonymous user")
                .await?;
        }
        Found::Profile(profile) => {
            let query = SessionQuery {
                of: SessionsOf::User(profile.id.clone()),
                ..SessionQuery::default()
            };
            let asked = SessionsAsked {
                query,
                ..SessionsAsked::default()
            };
            let mut cursor = None;
            loop {
                let page = sessions::list(service, &asked, cursor.as_deref(), 100).await?;
                for session in &page.items {
                    forget(service, &session.id, terminate).await?;
                }
                match page.next {
                    Some(next) => cursor = Some(next),
                    None => break,
                }
            }
            profiles::delete_all_of(service, &profile.id).await?;
            delete_profile(service, &profile.id).await?;
        }
    }
    tracing::info!(
        actor.id = service.actor.id,
        user.id = id,
        "User {id} was forgotten"
    );
    Ok(())
}

async fn delete_profile(service: &AdminService<'_>, id: &UserId) -> Result<(), AdminError> {
    for _ in 0..TRIES {
        let Some(profile) = service
            .control_plane
            .store
            .record::<Profile>(id.as_str())
            .await?
        else {
            return Ok(());
        };
        // The entry says that a user was deleted and by whom, but not which user.
        match service
            .delete_record(RecordKind::User, &profile, "a user", &Value::Null)
            .await?
        {
            Saved::Done => return Ok(()),
            Saved::Stale => {}
        }
    }
    Err(AdminError::contention("delete a user"))
}

/// Takes the owner out of a session's row.
async fn forget(
    service: &AdminService<'_>,
    id: &SessionId,
    terminate: bool,
) -> Result<(), AdminError> {
    for _ in 0..TRIES {
        let Some(before) = service.control_plane.store.session(id).await? else {
            return Ok(());
        };
        if before.is_live() {
            if !terminate {
                return Err(AdminError::conflict(
                    "The user has a live session; end it first, or ask for that with terminate.",
                ));
            }
            let ended = session_actions::stop_for(service, id.as_str(), None).await?;
            if ended.is_live() {
                return Err(AdminError::conflict(
                    "The user's session is being ended; ask again in a moment.",
                ));
            }
            continue;
        }
        // One that has been forgotten already cannot be again.
        let Ok(after) = before.forgotten() else {
            return Ok(());
        };
        match service
            .control_plane
            .store
            .save_session(&before, &after)
            .await?
        {
            Saved::Done => return Ok(()),
            Saved::Stale => {}
        }
    }
    Err(AdminError::contention("forget a user"))
}

/// There is no user with this id.
pub(crate) fn no_such_user() -> AdminError {
    AdminError::not_found("There is no such user.")
}
