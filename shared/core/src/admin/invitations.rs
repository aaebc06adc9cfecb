//! Owns the operations on invitations: several are made at once, listed with their uses, changed and
//! revoked. Must not know who may use one (see `policy::invitation`).

use std::collections::BTreeSet;

use crate::audit::{Difference, RecordKind};
use crate::cast::Cast;
use crate::form::{FieldErrors, FieldParser, Form, TextType};
use crate::ids::{CastId, InvitationId, random_bytes};
use crate::invitation::{Invitation, InvitationSettings};
use crate::invitation_form::{self, ShownInvitation};
use crate::json_schema::{self, SchemaBuilder};
use crate::network::Network;
use crate::ports::{Page, Saved};
use crate::quota::{Quota, QuotaKind};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Map, Value, json};

use crate::admin::error::{AdminError, TRIES};
use crate::admin::session_actions::Done;
use crate::admin::{AdminService, casts};

/// How many invitations are written or read at the same time.
const ABREAST: usize = 20;
/// How many are revoked by one call at most.
const MOST_AT_ONCE: usize = 100;

/// A page of the invitations to a link, with their uses.
pub async fn list(
    service: &AdminService<'_>,
    cast: &str,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<ShownInvitation>, AdminError> {
    let cast = casts::find(service, cast).await?;
    let store = &service.control_plane.store;
    let page = store.invitations(&cast.id, cursor, limit).await?;
    Ok(Page {
        items: with_uses(service, &cast, page.items).await?,
        next: page.next,
    })
}

/// Invitations to a link from this cursor on, some more than `most` at most, and the cursor of those
/// that follow.
pub async fn some(
    service: &AdminService<'_>,
    cast: &CastId,
    mut after: Option<String>,
    most: usize,
) -> Result<(Vec<Invitation>, Option<String>), AdminError> {
    let store = &service.control_plane.store;
    let mut all = Vec::new();
    loop {
        let page = store.invitations(cast, after.as_deref(), 100).await?;
        all.extend(page.items);
        after = page.next;
        if after.is_none() || all.len() >= most {
            return Ok((all, after));
        }
    }
}

/// These invitations to a link with their uses, in the same order.
pub async fn with_uses(
    service: &AdminService<'_>,
    cast: &Cast,
    invitations: Vec<Invitation>,
) -> Result<Vec<ShownInvitation>, AdminError> {
    let (control_plane, now) = (service.control_plane, service.control_plane.clock.now());
    let shown = async |invitation: Invitation| {
        let key = invitation.quota().key;
        Ok::<_, AdminError>(ShownInvitation {
            tally: control_plane.store.tally(&key).await?,
            url: control_plane
                .urls
                .absolute(&invitation.path(&cast.settings.key)),
            invitation,
            now,
        })
    };
    stream::iter(invitations.into_iter().map(shown))
        .buffered(ABREAST)
        .try_collect()
        .await
}

/// Makes an invitation for each guest of the document, in their order.
pub async fn invite(
    service: &AdminService<'_>,
    cast: &str,
    input: &Value,
) -> Result<Vec<ShownInvitation>, AdminError> {
    let cast = casts::find(service, cast).await?;
    let draft = invitation_form::create(input)?;
    let (control_plane, now) = (service.control_plane, service.control_plane.clock.now());
    check_settings(service, &draft.settings).await?;
    let made: Vec<Invitation> = draft
        .each()
        .map(|settings| Invitation {
            id: InvitationId::from_bytes(random_bytes(&*control_plane.entropy)),
            version: 1,
            cast_id: cast.id.clone(),
            settings,
            created_at: now,
            revoked_at: None,
        })
        .collect();
    let write = async |invitation: Invitation| {
        let view = audit_view(&invitation);
        let audit = service.audit(
            RecordKind::Invitation,
            cast.id.as_str(),
            &invitation.settings.name,
            Difference::created(&view),
        );
        let store = &control_plane.store;
        match store
            .put_invitation(&invitation, None, Some(&audit))
            .await?
        {
            Saved::Done => Ok(invitation),
            Saved::Stale => Err(AdminError::contention("make an invitation")),
        }
    };
    let made: Vec<Invitation> = stream::iter(made.into_iter().map(write))
        .buffered(ABREAST)
        .try_collect()
        .await?;
    tracing::info!(actor.id = service.actor.id, cast.id = %cast.id, count = made.len(),
        "Invitations were made");
    let shown = |invitation: Invitation| ShownInvitation {
        tally: Default::default(),
        url: control_plane
            .urls
            .absolute(&invitation.path(&cast.settings.key)),
        invitation,
        now,
    };
    Ok(made.into_iter().map(shown).collect())
}

/// What the audit log tells of an invitation: not its id, which is all that it takes to use it.
fn audit_view(invitation: &Invitation) -> Value {
    let settings = &invitation.settings;
    json!({
        "name": settings.name, "label": settings.label, "uses": settings.uses,
        "expires_at": settings.expires_at.map(|at| at.to_string()),
        "activation_minutes": settings.activation_minutes,
        "revoked_at": invitation.revoked_at.map(|at| at.to_string()),
    })
}

async fn check_settings(
    service: &AdminService<'_>,
    settings: &InvitationSettings,
) -> Result<(), AdminError> {
    let now = service.control_plane.clock.now();
    if settings.expires_at.is_some_and(|end| end <= now) {
        return Err(FieldErrors::clash("/expires_at", "is over already.").into());
    }
    if casts::is_group_gone(service, settings.group_id.as_ref()).await? {
        return Err(FieldErrors::clash("/group_id", "is not the id of a group.").into());
    }
    if let Some(name) = &settings.network {
        let store = &service.control_plane.store;
        if store.record::<Network>(name.as_str()).await?.is_none() {
            let detail = "is not the name of a network.";
            return Err(FieldErrors::clash("/docker_network", detail).into());
        }
    }
    Ok(())
}

/// Changes invitations to a link: what the document names, of each of its ids. Those that are revoked
/// stay as they are.
///
/// # Errors
/// Every mistake in the document; then none is changed.
pub async fn change(
    service: &AdminService<'_>,
    cast: &str,
    input: &Value,
) -> Result<Vec<Done>, AdminError> {
    let cast = casts::find(service, cast).await?;
    let (ids, fields) = read_change(input)?;
    let any = InvitationSettings {
        name: "any".to_owned(),
        uses: 1,
        ..InvitationSettings::default()
    };
    let asked = invitation_form::change(&any, &fields)?;
    check_settings(service, &asked).await?;
    let change = async |id: InvitationId| change_one(service, &cast, id, &fields).await;
    stream::iter(ids.into_iter().map(change))
        .buffered(ABREAST)
        .try_collect()
        .await
}

async fn change_one(
    service: &AdminService<'_>,
    cast: &Cast,
    id: InvitationId,
    fields: &Value,
) -> Result<Done, AdminError> {
    edit(service, cast, &id, "change an invitation", |before| {
        if before.revoked_at.is_some() {
            return Ok(Edit::Refused("It is revoked."));
        }
        let settings = invitation_form::change(&before.settings, fields)?;
        if settings == before.settings {
            return Ok(Edit::Unchanged);
        }
        Ok(Edit::To(Box::new(Invitation {
            version: before.version + 1,
            settings,
            ..before.clone()
        })))
    })
    .await
}

/// What a change makes of an invitation.
enum Edit {
    To(Box<Invitation>),
    Unchanged,
    /// The reason, for the administrator.
    Refused(&'static str),
}

/// Saves what `decide` makes of an invitation as it is now, with its audit entry. Decides again
/// where it was changed meanwhile, some times.
async fn edit(
    service: &AdminService<'_>,
    cast: &Cast,
    id: &InvitationId,
    what: &'static str,
    decide: impl Fn(&Invitation) -> Result<Edit, AdminError>,
) -> Result<Done, AdminError> {
    let store = &service.control_plane.store;
    let done = |problem: Option<&str>| Done {
        id: id.to_string(),
        problem: problem.map(str::to_owned),
    };
    for _ in 0..TRIES {
        let Some(before) = store.invitation(&cast.id, id).await? else {
            return Ok(done(Some("There is no such invitation.")));
        };
        let after = match decide(&before)? {
            Edit::To(after) => after,
            Edit::Unchanged => return Ok(done(None)),
            Edit::Refused(reason) => return Ok(done(Some(reason))),
        };
        let (old, new) = (audit_view(&before), audit_view(&after));
        let audit = service.audit(
            RecordKind::Invitation,
            cast.id.as_str(),
            &after.settings.name,
            Difference::changed(&old, &new),
        );
        let saved = store
            .put_invitation(&after, Some(before.version), Some(&audit))
            .await?;
        if saved == Saved::Done {
            return Ok(done(None));
        }
    }
    Err(AdminError::contention(what))
}

/// The ids of a change, and what is changed.
fn read_change(input: &Value) -> Result<(Vec<InvitationId>, Value), FieldErrors> {
    let mut fields = input.clone();
    let sent = fields
        .as_object_mut()
        .and_then(|fields| fields.remove("ids"));
    let sent = sent.ok_or_else(|| FieldErrors::one("/ids", "is needed."))?;
    let ids = ids()(&sent).map_err(|detail| FieldErrors::one("/ids", detail))?;
    if ids.len() > 1 && fields.get("name").is_some() {
        let detail = "can be changed of one invitation only.";
        return Err(FieldErrors::one("/name", detail));
    }
    Ok((ids, fields))
}

/// The JSON Schema of a change of several invitations.
pub fn change_schema() -> Value {
    let mut schema = invitation_form::change_schema();
    schema["properties"]["ids"] = ids().schema_of();
    schema["properties"]["ids"]["description"] = json!("The invitations.");
    schema["required"] = json!(["ids"]);
    schema
}

/// Revokes invitations to a link. From when this returns, none of them gives a session; sessions
/// that run go on.
pub async fn revoke(
    service: &AdminService<'_>,
    cast: &str,
    input: &Value,
) -> Result<Vec<Done>, AdminError> {
    let cast = casts::find(service, cast).await?;
    let ids = read_revocation(&mut Form::over(Map::new(), input, &[])?)?;
    let revoke = async |id: InvitationId| revoke_one(service, &cast, id).await;
    stream::iter(ids.into_iter().map(revoke))
        .buffered(ABREAST)
        .try_collect()
        .await
}

async fn revoke_one(
    service: &AdminService<'_>,
    cast: &Cast,
    id: InvitationId,
) -> Result<Done, AdminError> {
    let now = service.control_plane.clock.now();
    let done = edit(service, cast, &id, "revoke an invitation", |before| {
        if before.revoked_at.is_some() {
            return Ok(Edit::Unchanged);
        }
        Ok(Edit::To(Box::new(Invitation {
            version: before.version + 1,
            revoked_at: Some(now),
            ..before.clone()
        })))
    })
    .await?;
    if done.problem.is_none() {
        // Claims that have read it before take nothing of it from now on. An earlier call may have
        // ended just before this, so that one that is revoked already is closed again.
        let quota = Quota::unlimited(QuotaKind::Invitation, id.as_str());
        service.control_plane.store.close_tally(&quota.key).await?;
    }
    Ok(done)
}

/// Deletes the invitations to a link that is gone.
pub(super) async fn delete_all(
    service: &AdminService<'_>,
    cast: &CastId,
) -> Result<(), AdminError> {
    let store = &service.control_plane.store;
    loop {
        let page = store.invitations(cast, None, 100).await?;
        if page.items.is_empty() {
            return Ok(());
        }
        let delete = async |invitation: Invitation| {
            // Stale where it was revoked or deleted meanwhile: the next round sees.
            store.delete_invitation(&invitation).await
        };
        stream::iter(page.items.into_iter().map(delete))
            .buffered(ABREAST)
            .try_collect::<Vec<_>>()
            .await?;
    }
}

fn ids() -> FieldParser<Vec<InvitationId>> {
    let read = |value: &Value| {
        let items = value.as_array().ok_or("must be a list.")?;
        if !(1..=MOST_AT_ONCE).contains(&items.len()) {
            return Err(format!("must have 1 to {MOST_AT_ONCE} items."));
        }
        let parse = |item: &Value| item.as_str().and_then(InvitationId::parse);
        let ids: Option<BTreeSet<InvitationId>> = items.iter().map(parse).collect();
        let ids = ids.ok_or("must have ids of invitations only.")?;
        Ok(ids.into_iter().collect())
    };
    FieldParser::new(read, || {
        json!({
            "type": "array", "minItems": 1, "maxItems": MOST_AT_ONCE,
            "items": InvitationId::SYNTAX.schema(),
        })
    })
}

fn read_revocation(form: &mut Form) -> Result<Vec<InvitationId>, FieldErrors> {
    let ids = form.required("ids", ids());
    form.finish()?;
    Ok(ids.unwrap_or_default())
}

/// The JSON Schema of a revocation.
pub fn revocation_schema() -> Value {
    SchemaBuilder::of(|form| _ = read_revocation(form))
        .described(&[("ids", "The invitations.")])
        .whole()
}

/// The JSON Schema of what became of several invitations.
pub fn done_schema() -> Value {
    let item = json_schema::object(json!({
        "id": InvitationId::SYNTAX.schema(),
        "problem": {
            "type": ["string", "null"],
            "description": "Why nothing was done; null when it was.",
        },
    }));
    json_schema::object(json!({ "items": { "type": "array", "items": item } }))
}
