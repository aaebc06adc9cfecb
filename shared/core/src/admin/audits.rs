//! Owns the administrators' view of the audit log, and undo. Must not know how records are stored.

use crate::actor::{ActorKind, Scope};
use crate::audit::{Action, Audit, AuditId, RecordKind};
use crate::form::TextType;
use crate::group::Group;
use crate::json_schema;
use crate::network::Network;
use crate::ports::Page;
use serde_json::{Map, Value, json};

use crate::admin::error::AdminError;
use crate::admin::settings::SECRET;
use crate::admin::version::Precondition;
use crate::admin::{AdminService, casts, filtered, images, records, settings, staging};

/// The filters of the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditsAsked {
    /// Only entries of the record with this id; it has an index.
    pub target: Option<String>,
    /// Only those of records of this kind.
    pub noun: Option<RecordKind>,
    /// Only those in which this was done.
    pub action: Option<Action>,
    /// Only those that have all of these words in the actor's name, the address, the record's name
    /// or id, or the names of the fields that changed.
    pub search: Option<String>,
}

impl AuditsAsked {
    /// The entries of one record.
    pub fn of(target: &str) -> Self {
        Self {
            target: Some(target.to_owned()),
            ..Self::default()
        }
    }

    fn fits(&self, audit: &Audit) -> bool {
        self.noun.is_none_or(|noun| audit.noun == noun)
            && self.action.is_none_or(|action| audit.action == action)
            && (self.search.as_ref()).is_none_or(|search| has(audit, search))
    }
}

/// Whether every word of `search` stands somewhere in the entry.
fn has(audit: &Audit, search: &str) -> bool {
    let named = [
        audit.actor_name.as_str(),
        audit.address.as_deref().unwrap_or_default(),
        audit.target_name.as_str(),
        audit.target.as_str(),
    ];
    let fields = audit.changes.iter().map(|change| change.field.as_str());
    filtered::has_words(named.into_iter().chain(fields), search)
}

/// A page of the audit log, the newest first. It may be shorter than requested although more follow.
pub async fn list(
    service: &AdminService<'_>,
    asked: &AuditsAsked,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<Audit>, AdminError> {
    let (store, target) = (&service.control_plane.store, asked.target.as_deref());
    let read = |after: Option<String>, wanted| async move {
        store.audits(target, after.as_deref(), wanted).await
    };
    filtered::page(cursor, limit, read, |audit| asked.fits(audit)).await
}

/// One entry.
pub async fn find(service: &AdminService<'_>, id: &str) -> Result<Audit, AdminError> {
    let no_such_entry = || AdminError::not_found("There is no such entry.");
    let id = AuditId::parse(id).ok_or_else(no_such_entry)?;
    service
        .control_plane
        .store
        .audit(&id)
        .await?
        .ok_or_else(no_such_entry)
}

/// Whether a change can be undone: a changed record gets its old values, a deleted one is created
/// again.
pub fn can_be_undone(audit: &Audit) -> bool {
    let is_kept = matches!(
        audit.noun,
        RecordKind::Cast
            | RecordKind::Image
            | RecordKind::Network
            | RecordKind::Group
            | RecordKind::Staging
            | RecordKind::Settings
    );
    is_kept
        && matches!(audit.action, Action::Changed | Action::Deleted)
        && audit.changes.iter().any(|change| change.field != SECRET)
}

/// The scope that a change of this kind of record needs.
pub const fn scope_of(noun: RecordKind) -> Option<Scope> {
    match noun {
        RecordKind::Cast | RecordKind::Staging | RecordKind::Invitation => Some(Scope::Casts),
        RecordKind::Image | RecordKind::Network => Some(Scope::Images),
        RecordKind::Group | RecordKind::User | RecordKind::Profile => Some(Scope::People),
        RecordKind::Settings => Some(Scope::Settings),
        RecordKind::ApiKey => Some(Scope::Keys),
        RecordKind::Session => Some(Scope::Sessions),
        RecordKind::Console => None,
    }
}

/// The most entries that are looked through for later changes of the same fields.
const MOST_LATER: usize = 1000;

/// The first of these fields that another change has set to something else since, and by whom.
async fn changed_since(
    service: &AdminService<'_>,
    audit: &Audit,
    fields: &Map<String, Value>,
) -> Result<Option<(String, String)>, AdminError> {
    let store = &service.control_plane.store;
    let mut open: Vec<_> = audit.changes.iter().collect();
    open.retain(|change| fields.contains_key(&change.field));
    let (mut cursor, mut read) = (None::<String>, 0);
    while read < MOST_LATER && !open.is_empty() {
        let page = store.audits(Some(&audit.target), cursor.as_deref(), 100);
        let page = page.await?;
        read += page.items.len();
        for later in &page.items {
            if later.id <= audit.id {
                return Ok(None);
            }
            for change in &later.changes {
                // The newest change of a field says what it is now.
                let of_field = open.iter().position(|known| known.field == change.field);
                let Some(known) = of_field.map(|at| open.remove(at)) else {
                    continue;
                };
                if change.after != known.after && change.after != known.before {
                    return Ok(Some((change.field.clone(), later.actor_name.clone())));
                }
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(None)
}

/// Undoes a change, by a change of its own. Later changes of other fields stay; a later change of
/// the same field is a conflict, because undoing would undo that one, too.
pub async fn undo(service: &AdminService<'_>, id: &str) -> Result<(), AdminError> {
    let audit = find(service, id).await?;
    let may = scope_of(audit.noun).is_some_and(|scope| service.actor.may(scope));
    if !may {
        return Err(AdminError::forbidden(
            "Taking this back needs the right to change it.",
        ));
    }
    if !can_be_undone(&audit) {
        return Err(AdminError::conflict("This cannot be undone."));
    }
    let mut document = audit.undoing();
    if let Value::Object(fields) = &mut document {
        fields.remove(SECRET);
        fields.remove("captcha_secret_key_is_set");
        fields.remove("maintenance_since");
        fields.remove("maintenance_by");
        fields.remove("registered_task_definition");
        fields.remove("previous_key");
        if audit.noun == RecordKind::Cast && audit.action == Action::Changed {
            undo_counter(fields, &audit);
        }
    }
    if audit.action == Action::Changed
        && let Value::Object(fields) = &document
        && let Some((field, name)) = changed_since(service, &audit, fields).await?
    {
        return Err(AdminError::conflict(format!(
            "{field} has been changed again since, by {name}. Undo that change first."
        )));
    }
    let (target, any) = (audit.target.as_str(), Precondition::None);
    match (audit.noun, audit.action) {
        (RecordKind::Cast, Action::Changed) => casts::change(service, target, &document, &any)
            .await
            .map(drop),
        (RecordKind::Cast, _) => casts::create(service, &document).await.map(drop),
        (RecordKind::Image, Action::Changed) => images::change(service, target, &document, &any)
            .await
            .map(drop),
        (RecordKind::Image, _) => images::create(service, &document).await.map(drop),
        (RecordKind::Network, Action::Changed) => {
            records::change::<Network>(service, target, &document, &any)
                .await
                .map(drop)
        }
        (RecordKind::Network, _) => records::create::<Network>(service, &document)
            .await
            .map(drop),
        (RecordKind::Group, Action::Changed) => {
            records::change::<Group>(service, target, &document, &any)
                .await
                .map(drop)
        }
        (RecordKind::Group, _) => records::create::<Group>(service, &document).await.map(drop),
        (RecordKind::Staging, Action::Changed) => staging::change(service, target, &document, &any)
            .await
            .map(drop),
        (RecordKind::Staging, _) => staging::create(service, &document).await.map(drop),
        _ => settings::change(service, &document, &any).await.map(drop),
    }
}

/// Claims have changed Sessions Remaining since: undo reverses the difference and does not restore
/// the number.
fn undo_counter(fields: &mut Map<String, Value>, audit: &Audit) {
    const NAME: &str = "sessions_remaining";
    fields.remove(NAME);
    let change = audit.changes.iter().find(|change| change.field == NAME);
    let numbers = change.and_then(|change| change.before.as_i64().zip(change.after.as_i64()));
    if let Some((before, after)) = numbers {
        fields.insert("sessions_remaining_add".into(), json!(before - after));
    }
}

/// An entry as the API shows it.
pub fn view(audit: &Audit) -> Value {
    json!({
        "id": audit.id,
        "at": audit.at.to_string(),
        "actor": { "kind": audit.actor_kind, "id": audit.actor_id, "name": audit.actor_name },
        "address": audit.address,
        "action": audit.action,
        "noun": audit.noun,
        "target": audit.target,
        "target_name": audit.target_name,
        "changes": audit.changes,
        "can_be_undone": can_be_undone(audit),
    })
}

/// The JSON Schema of [`view`].
pub fn schema() -> Value {
    let text = || json!({ "type": "string" });
    let change = json_schema::object(json!({ "field": text(), "before": {}, "after": {} }));
    json_schema::object(json!({
        "id": AuditId::SYNTAX.schema(),
        "at": json_schema::time(),
        "actor": json_schema::object(json!({ "kind": { "type": "string", "enum": ActorKind::ALL }, "id": text(), "name": text() })),
        "address": { "type": ["string", "null"] },
        "action": { "type": "string", "enum": Action::ALL },
        "noun": { "type": "string", "enum": RecordKind::ALL },
        "target": { "type": "string", "description": "The id of what was changed." },
        "target_name": text(),
        "changes": { "type": "array", "items": change },
        "can_be_undone": { "type": "boolean" },
    }))
}
