//! Owns the operations on records without special rules: groups, networks, staging configs, and
//! existing API keys. Must not know which values are valid.

use crate::actor::Actor;
use crate::api_key::{ApiKey, ApiKeySettings};
use crate::audit::{Difference, RecordKind};
use crate::form::FieldErrors;
use crate::group::{Group, GroupSettings};
use crate::ids::{ApiKeyId, GroupId, StagingId};
use crate::network::{Network, NetworkName, NetworkSettings};
use crate::ports::{Page, Saved};
use crate::record::Record;
use crate::staging::{StagingConfig, StagingSettings};
use crate::time::Timestamp;
use crate::{api_key_form, group_form, network_form, staging_form};
use serde_json::Value;

use crate::admin::error::{AdminError, TRIES};
use crate::admin::uses::{self, Named};
use crate::admin::version::Precondition;
use crate::admin::{AdminService, api_keys};

/// A record that can be created, shown and changed.
pub trait EditableRecord: Record + Clone + PartialEq {
    /// Its settings.
    type Settings: PartialEq;
    /// Its kind.
    const NOUN: RecordKind;
    /// The path of its kind under `/api/admin`, and the name of one record.
    const WORDS: (&'static str, &'static str);
    /// Whether the text in a path can be an id.
    fn is_id(text: &str) -> bool;
    /// Parses a new record; `id` has the bytes for its id, unless the document contains it.
    fn create(input: &Value, id: [u8; 16], now: Timestamp) -> Result<Self, FieldErrors>;
    /// Its name.
    fn name(&self) -> &str;
    /// Parses a change of its settings.
    fn read_change(&self, input: &Value) -> Result<Self::Settings, FieldErrors>;
    /// The parts that a change writes: its settings, its version, and the time of the last change.
    fn changeable(&mut self) -> (&mut Self::Settings, &mut u64, &mut Timestamp);
    /// The record with this change; the version goes up only if something changes.
    fn patch(&self, input: &Value, now: Timestamp) -> Result<Self, FieldErrors> {
        let changed = self.read_change(input)?;
        let mut after = self.clone();
        let (settings, version, updated_at) = after.changeable();
        if *settings != changed {
            *settings = changed;
            *version += 1;
            *updated_at = now;
        }
        Ok(after)
    }
    /// As the API shows it.
    fn view(&self) -> Value;
    /// Whether this actor may make this change, beyond the scope for its kind.
    ///
    /// # Errors
    /// `Forbidden`, with a sentence that names the missing right.
    fn permit(_before: &Self, _after: &Self, _actor: &Actor) -> Result<(), AdminError> {
        Ok(())
    }
    /// The record that exists without having been stored, if this kind has one.
    fn built_in() -> Option<Self> {
        None
    }
}

impl EditableRecord for Group {
    type Settings = GroupSettings;
    const NOUN: RecordKind = RecordKind::Group;
    const WORDS: (&'static str, &'static str) = ("groups", "group");
    fn is_id(text: &str) -> bool {
        GroupId::parse(text).is_some()
    }
    fn create(input: &Value, id: [u8; 16], now: Timestamp) -> Result<Self, FieldErrors> {
        let settings = group_form::create(input)?;
        Ok(Self {
            id: GroupId::from_bytes(id),
            version: 1,
            settings,
            created_at: now,
            updated_at: now,
        })
    }
    fn read_change(&self, input: &Value) -> Result<GroupSettings, FieldErrors> {
        group_form::patch(self, input)
    }
    fn changeable(&mut self) -> (&mut GroupSettings, &mut u64, &mut Timestamp) {
        (&mut self.settings, &mut self.version, &mut self.updated_at)
    }
    fn name(&self) -> &str {
        &self.settings.name
    }
    fn view(&self) -> Value {
        group_form::view(self)
    }
    fn built_in() -> Option<Self> {
        Some(Self::all_users())
    }
}

impl EditableRecord for Network {
    type Settings = NetworkSettings;
    const NOUN: RecordKind = RecordKind::Network;
    const WORDS: (&'static str, &'static str) = ("networks", "network");
    fn is_id(text: &str) -> bool {
        NetworkName::parse(text).is_some()
    }
    fn create(input: &Value, _: [u8; 16], now: Timestamp) -> Result<Self, FieldErrors> {
        let (id, settings) = network_form::create(input)?;
        Ok(Self {
            id,
            version: 1,
            settings,
            created_at: now,
            updated_at: now,
        })
    }
    fn read_change(&self, input: &Value) -> Result<NetworkSettings, FieldErrors> {
        network_form::patch(self, input)
    }
    fn changeable(&mut self) -> (&mut NetworkSettings, &mut u64, &mut Timestamp) {
        (&mut self.settings, &mut self.version, &mut self.updated_at)
    }
    fn name(&self) -> &str {
        self.id.as_str()
    }
    fn view(&self) -> Value {
        network_form::view(self)
    }
}

impl EditableRecord for StagingConfig {
    type Settings = StagingSettings;
    const NOUN: RecordKind = RecordKind::Staging;
    const WORDS: (&'static str, &'static str) = ("staging-configs", "staging config");
    fn is_id(text: &str) -> bool {
        StagingId::parse(text).is_some()
    }
    fn create(input: &Value, id: [u8; 16], now: Timestamp) -> Result<Self, FieldErrors> {
        let settings = staging_form::create(input)?;
        Ok(Self {
            id: StagingId::from_bytes(id),
            version: 1,
            settings,
            created_at: now,
            updated_at: now,
        })
    }
    fn read_change(&self, input: &Value) -> Result<StagingSettings, FieldErrors> {
        staging_form::patch(self, input)
    }
    fn changeable(&mut self) -> (&mut StagingSettings, &mut u64, &mut Timestamp) {
        (&mut self.settings, &mut self.version, &mut self.updated_at)
    }
    fn name(&self) -> &str {
        &self.settings.name
    }
    fn view(&self) -> Value {
        staging_form::view(self)
    }
}

impl EditableRecord for ApiKey {
    type Settings = ApiKeySettings;
    const NOUN: RecordKind = RecordKind::ApiKey;
    const WORDS: (&'static str, &'static str) = ("api-keys", "API key");
    fn is_id(text: &str) -> bool {
        ApiKeyId::parse(text).is_some()
    }
    fn create(_: &Value, _: [u8; 16], _: Timestamp) -> Result<Self, FieldErrors> {
        // A key is more than its settings; `api_keys` makes it.
        Err(FieldErrors(Vec::new()))
    }
    fn read_change(&self, input: &Value) -> Result<ApiKeySettings, FieldErrors> {
        api_key_form::patch(self, input)
    }
    fn changeable(&mut self) -> (&mut ApiKeySettings, &mut u64, &mut Timestamp) {
        (&mut self.settings, &mut self.version, &mut self.updated_at)
    }
    fn permit(before: &Self, after: &Self, actor: &Actor) -> Result<(), AdminError> {
        api_keys::permit(Some(&before.settings), &after.settings, actor)
    }
    fn name(&self) -> &str {
        &self.settings.name
    }
    fn view(&self) -> Value {
        api_key_form::view(self)
    }
}

/// A page of the records of a kind.
pub async fn list<R: EditableRecord>(
    service: &AdminService<'_>,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<R>, AdminError> {
    let mut page = service
        .control_plane
        .store
        .records::<R>(cursor, limit)
        .await?;
    // The built-in record comes first, as its id does; once it is stored, the store lists it.
    if let Some(built_in) = R::built_in().filter(|built_in| {
        cursor.is_none() && page.items.iter().all(|record| record.id() != built_in.id())
    }) {
        page.items.insert(0, built_in);
    }
    Ok(page)
}

/// Creates a record.
pub async fn create<R: EditableRecord>(
    service: &AdminService<'_>,
    input: &Value,
) -> Result<R, AdminError> {
    let control_plane = service.control_plane;
    let word = R::WORDS.1;
    // Checked before an idempotency key is used for it.
    R::create(input, [0; 16], control_plane.clock.now())?;
    let id = service.new_id(R::NOUN, input).await?;
    let record = R::create(input, id.bytes, control_plane.clock.now())?;
    if id.is_repeatable
        && let Some(made) = control_plane.store.record::<R>(record.id()).await?
    {
        return Ok(made);
    }
    let view = record.view();
    let audit = service.audit(
        R::NOUN,
        record.id(),
        record.name(),
        Difference::created(&view),
    );
    match control_plane
        .store
        .put_record(&record, None, Some(&audit))
        .await?
    {
        Saved::Done => {}
        Saved::Stale => {
            return Err(AdminError::conflict(format!(
                "There is a {word} of this name already."
            )));
        }
    }
    control_plane.forget();
    tracing::info!(
        actor.id = service.actor.id,
        record.id = record.id(),
        "A {word} was made"
    );
    Ok(record)
}

/// Changes the fields of the document.
pub async fn change<R: EditableRecord>(
    service: &AdminService<'_>,
    id: &str,
    input: &Value,
    precondition: &Precondition,
) -> Result<R, AdminError> {
    for _ in 0..TRIES {
        let (before, is_stored) = find::<R>(service, id).await?;
        precondition.check(before.version())?;
        let after = before.patch(input, service.control_plane.clock.now())?;
        if after == before {
            return Ok(before);
        }
        R::permit(&before, &after, &service.actor)?;
        let (old, new) = (before.view(), after.view());
        let audit = service.audit(
            R::NOUN,
            after.id(),
            after.name(),
            Difference::changed(&old, &new),
        );
        match service
            .control_plane
            .store
            .put_record(&after, is_stored.then_some(before.version()), Some(&audit))
            .await?
        {
            Saved::Done => {
                service.control_plane.forget();
                tracing::info!(
                    actor.id = service.actor.id,
                    record.id = after.id(),
                    version = after.version(),
                    "A {} was changed",
                    R::WORDS.1
                );
                return Ok(after);
            }
            Saved::Stale => {}
        }
    }
    Err(AdminError::contention("change a record"))
}

/// Whether this would create a record, or change the one with this id; nothing is written.
pub async fn check<R: EditableRecord>(
    service: &AdminService<'_>,
    id: Option<&str>,
    input: &Value,
) -> Result<(), AdminError> {
    let now = service.control_plane.clock.now();
    match id {
        None => R::create(input, [0; 16], now).map(drop)?,
        Some(id) => {
            let (before, _) = find::<R>(service, id).await?;
            let after = before.patch(input, now)?;
            R::permit(&before, &after, &service.actor)?;
        }
    }
    Ok(())
}

/// Deletes a group. Records that name it fall back to *All Users*, so that needs `force`.
pub async fn delete_group(
    service: &AdminService<'_>,
    id: &str,
    precondition: &Precondition,
    force: bool,
) -> Result<(), AdminError> {
    if id == Group::all_users_id().as_str() {
        return Err(AdminError::conflict(
            "Every user is in All Users; it cannot be deleted.",
        ));
    }
    if let (Some(id), false) = (GroupId::parse(id), force) {
        let uses = uses::of(service, Named::Group(&id)).await?;
        if !uses.is_empty() {
            return Err(AdminError::conflict(format!(
                "This group is still named by {}, which would go on with All Users alone. \
                 Change them first, or confirm it: force=true.",
                uses::sentence(&uses)
            )));
        }
    }
    delete::<Group>(service, id, precondition).await
}

/// Deletes a network that no image and no staging config uses.
pub async fn delete_network(
    service: &AdminService<'_>,
    id: &str,
    precondition: &Precondition,
) -> Result<(), AdminError> {
    let uses = uses::of(service, Named::Network(id)).await?;
    if !uses.is_empty() {
        return Err(AdminError::conflict(format!(
            "This network is still used by {}; change or delete them first.",
            uses::sentence(&uses)
        )));
    }
    delete::<Network>(service, id, precondition).await
}

/// Deletes a record.
pub async fn delete<R: EditableRecord>(
    service: &AdminService<'_>,
    id: &str,
    precondition: &Precondition,
) -> Result<(), AdminError> {
    for _ in 0..TRIES {
        let (record, is_stored) = find::<R>(service, id).await?;
        precondition.check(record.version())?;
        if !is_stored {
            return Err(missing::<R>());
        }
        match service
            .delete_record(R::NOUN, &record, record.name(), &record.view())
            .await?
        {
            Saved::Done => {
                tracing::info!(
                    actor.id = service.actor.id,
                    record.id = record.id(),
                    "A {} was deleted",
                    R::WORDS.1
                );
                return Ok(());
            }
            Saved::Stale => {}
        }
    }
    Err(AdminError::contention("delete a record"))
}

/// The record, and whether it is stored.
pub async fn find<R: EditableRecord>(
    service: &AdminService<'_>,
    id: &str,
) -> Result<(R, bool), AdminError> {
    if !R::is_id(id) {
        return Err(missing::<R>());
    }
    if let Some(record) = service.control_plane.store.record::<R>(id).await? {
        return Ok((record, true));
    }
    R::built_in()
        .filter(|built_in| built_in.id() == id)
        .map(|built_in| (built_in, false))
        .ok_or_else(missing::<R>)
}

fn missing<R: EditableRecord>() -> AdminError {
    AdminError::not_found(&format!("There is no such {}.", R::WORDS.1))
}
