//! Owns the sections of a configuration document: how the records of each kind are read, made from
//! the document, and written; and the names by which they refer to each other. Must not know how
//! documents are compared.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::plan::{Entry, Ground};
use super::{FieldError, FieldErrors};
use crate::admin::AdminService;
use crate::admin::error::AdminError;
use crate::admin::records::EditableRecord;
use crate::admin::settings::{self, SECRET};
use crate::admin::version::Precondition;
use crate::admin::{casts, images, records, staging};
use crate::audit::RecordKind;
use crate::cast::{Cast, Counter};
use crate::deployment::{DEPLOYMENT_ID, Deployment};
use crate::group::Group;
use crate::ids::{CastId, CastKey, GroupId, ImageId};
use crate::image::Image;
use crate::json_schema::Schemas;
use crate::network::Network;
use crate::queries::CastQuery;
use crate::record::Record;
use crate::staging::StagingConfig;
use crate::time::Timestamp;
use crate::{cast_form, group_form, image_form, network_form, settings_form, staging_form};

/// How many casts are read at once.
const PAGE: u32 = 100;
/// The counter of a cast, which is set when it is created, or when its limit is switched on.
const REMAINING: &str = "sessions_remaining";
/// The switch of that limit.
const LIMIT: &str = "limit_total_sessions";

/// A kind of record in a document, in the order in which they are created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Settings,
    Networks,
    Groups,
    Images,
    StagingConfigs,
    Casts,
}

/// A field that refers to another record: its name in the document, its name in the API, and what
/// it refers to.
type Reference = (&'static str, &'static str, Section);

impl Section {
    pub(super) const ALL: [Self; 6] = [
        Self::Settings,
        Self::Networks,
        Self::Groups,
        Self::Images,
        Self::StagingConfigs,
        Self::Casts,
    ];

    /// Its name in the document.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Networks => "networks",
            Self::Groups => "groups",
            Self::Images => "images",
            Self::StagingConfigs => "staging_configs",
            Self::Casts => "casts",
        }
    }

    /// Its records in a sentence.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::StagingConfigs => "staging configs",
            other => other.name(),
        }
    }

    pub(super) const fn kind(self) -> RecordKind {
        match self {
            Self::Settings => RecordKind::Settings,
            Self::Networks => RecordKind::Network,
            Self::Groups => RecordKind::Group,
            Self::Images => RecordKind::Image,
            Self::StagingConfigs => RecordKind::Staging,
            Self::Casts => RecordKind::Cast,
        }
    }

    /// The field by which a record is recognised; none where there is only one record.
    pub(super) const fn identity(self) -> Option<&'static str> {
        match self {
            Self::Settings => None,
            Self::Casts => Some("key"),
            _ => Some("name"),
        }
    }

    const fn references(self) -> &'static [Reference] {
        match self {
            Self::StagingConfigs => &[
                ("image", "image_id", Self::Images),
                ("group", "group_id", Self::Groups),
            ],
            Self::Casts => &[
                ("image", "image_id", Self::Images),
                (
                    "anonymous_user_group",
                    "anonymous_user_group_id",
                    Self::Groups,
                ),
            ],
            _ => &[],
        }
    }

    /// The same for the objects in a list: the list, and the references of each object in it.
    const fn listed_references(self) -> &'static [(&'static str, Reference)] {
        match self {
            Self::Casts => &[("access_tiers", ("group", "group_id", Self::Groups))],
            _ => &[],
        }
    }

    /// All fields of the record that an entry describes, with names for references.
    ///
    /// # Errors
    /// Every mistake, with pointers into the entry.
    pub(super) fn desired(
        self,
        entry: &Entry,
        before: Option<&StoredRecord>,
        stored: &Stored,
        ground: &Ground<'_>,
    ) -> Result<Map<String, Value>, FieldErrors> {
        let mut input = stored.names.resolve(self, &entry.fields)?;
        let mut generated = None;
        if self == Self::Casts && !input.contains_key("key") {
            let key = before.and_then(|record| record.fields.get("key").cloned());
            generated = Some(key.clone());
            let placeholder = || json!(CastKey::random(ground.entropy));
            input.insert("key".to_owned(), key.unwrap_or_else(placeholder));
        }
        let mut fields = self
            .whole(input, stored, before, ground)
            .map_err(|errors| self.in_document_terms(errors))?;
        match generated {
            Some(Some(key)) => _ = fields.insert("key".to_owned(), key),
            // Generated when the cast is created.
            Some(None) => _ = fields.shift_remove("key"),
            None => {}
        }
        if self == Self::Casts
            && let Some(before) = before
        {
            let on = |fields: &Map<String, Value>| fields.get(LIMIT) == Some(&json!(true));
            if !on(&fields) || on(&before.fields) {
                fields.shift_remove(REMAINING);
            }
        }
        Ok(stored.names.named(self, fields))
    }

    /// All fields of the record that this input makes, by the form of its kind.
    fn whole(
        self,
        input: Map<String, Value>,
        stored: &Stored,
        before: Option<&StoredRecord>,
        ground: &Ground<'_>,
    ) -> Result<Map<String, Value>, FieldErrors> {
        let (id, now) = ([0; 16], Timestamp::from_millis(0));
        let fields = match self {
            Self::Settings => {
                if input.contains_key(SECRET) {
                    let detail =
                        "is a secret, which no configuration contains: set it in the settings.";
                    return Err(FieldErrors::one(format!("/{SECRET}"), detail));
                }
                let current = settings_form::fields(&stored.deployment);
                let input = completed(input, &current, &self.defaults());
                let settings = settings_form::patch(&stored.deployment, &input)?;
                settings_form::fields(&Deployment::new(0, settings, now))
            }
            Self::Groups if before.is_some_and(|record| record.is_built_in) => {
                let built_in = Group::all_users();
                let current = group_form::fields(&built_in);
                let input = completed(input, &current, &group_form::defaults());
                let settings = group_form::patch(&built_in, &input)?;
                group_form::fields(&Group {
                    settings,
                    ..built_in
                })
            }
            Self::Networks => {
                network_form::fields(&Network::create(&Value::Object(input), id, now)?)
            }
            Self::Groups => group_form::fields(&Group::create(&Value::Object(input), id, now)?),
            Self::Images => image_form::fields(&Image {
                id: ImageId::from_bytes(id),
                version: 1,
                settings: image_form::create(&Value::Object(input))?,
                task_definition: String::new(),
                created_at: now,
                updated_at: now,
            }),
            Self::StagingConfigs => {
                staging_form::fields(&StagingConfig::create(&Value::Object(input), id, now)?)
            }
            Self::Casts => {
                let draft = cast_form::create(&Value::Object(input), &ground.own, ground.entropy)?;
                cast_form::fields(&Cast {
                    id: CastId::from_bytes(id),
                    version: 1,
                    settings: draft.settings,
                    counter: Counter::default().changed(draft.counter),
                    created_at: now,
                    updated_at: now,
                })
            }
        };
        Ok(fields)
    }

    fn defaults(self) -> Value {
        match self {
            Self::Settings => json!(settings_form::fields(&Deployment::default())),
            Self::Networks => network_form::defaults(),
            Self::Groups => group_form::defaults(),
            Self::Images => image_form::defaults(),
            Self::StagingConfigs => staging_form::defaults(),
            Self::Casts => cast_form::defaults(),
        }
    }

    /// The shortest entry that means a record with these fields: without what is at its default.
    pub(super) fn shortest(
        self,
        fields: &Map<String, Value>,
        stored: &Stored,
        ground: &Ground<'_>,
    ) -> Map<String, Value> {
        let defaults = self.defaults();
        let without_defaults = |fields: &Map<String, Value>| -> Map<String, Value> {
            let says_more = |(name, value): &(&String, &Value)| {
                defaults.get(name.as_str()).unwrap_or(&Value::Null) != *value
            };
            let kept = fields.iter().filter(says_more);
            kept.map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        let bare = without_nulls(fields);
        for candidate in [without_defaults(&bare), without_defaults(fields)] {
            let entry = Entry {
                section: self,
                pointer: String::new(),
                fields: candidate,
            };
            let before = stored
                .of(self)
                .find(|record| record.fields == *fields)
                .filter(|record| record.is_built_in || self == Self::Settings);
            let same = self.desired(&entry, before, stored, ground);
            if same.is_ok_and(|same| same == *fields) {
                return entry.fields;
            }
        }
        fields.clone()
    }

    /// The JSON Schema of this section.
    pub(super) fn schema(self) -> Value {
        let Schemas { create, change, .. } = match self {
            Self::Settings => settings_form::schemas(),
            Self::Networks => network_form::schemas(),
            Self::Groups => group_form::schemas(),
            Self::Images => image_form::schemas(),
            Self::StagingConfigs => staging_form::schemas(),
            Self::Casts => cast_form::schemas(),
        };
        if self == Self::Settings {
            let mut schema = change;
            if let Some(Value::Object(properties)) = schema.get_mut("properties") {
                let fields = settings_form::fields(&Deployment::default());
                properties.retain(|name, _| fields.contains_key(name));
            }
            return schema;
        }
        let mut schema = create;
        for (list, reference) in self.listed_references() {
            if let Some(items) = schema.pointer_mut(&format!("/properties/{list}/items")) {
                write_by_name(items, reference);
                rename_in_rules(items, reference);
            }
        }
        for (written, field, target) in self.references() {
            write_by_name(&mut schema, &(*written, *field, *target));
            if let Some(Value::Array(required)) = schema.get_mut("required") {
                for name in required.iter_mut().filter(|name| **name == json!(field)) {
                    *name = json!(written);
                }
            }
        }
        json!({ "type": "array", "items": schema })
    }

    /// These errors of the API with the document's names for references.
    pub(super) fn in_document_terms(self, errors: FieldErrors) -> FieldErrors {
        let renamed = |error: FieldError| {
            let is_about = |(_, field, _): &&Reference| error.pointer == format!("/{field}");
            for (list, (written, field, _)) in self.listed_references() {
                let within = error.pointer.strip_prefix(&format!("/{list}/"));
                if let Some(item) = within.and_then(|rest| rest.strip_suffix(&format!("/{field}")))
                {
                    return FieldError {
                        pointer: format!("/{list}/{item}/{written}"),
                        ..error
                    };
                }
            }
            match self.references().iter().find(is_about) {
                Some((written, ..)) => FieldError {
                    pointer: format!("/{written}"),
                    ..error
                },
                None => error,
            }
        };
        FieldErrors(errors.0.into_iter().map(renamed).collect())
    }

    /// Creates a record; returns its id.
    pub(super) async fn create(
        self,
        service: &AdminService<'_>,
        document: &Value,
    ) -> Result<String, AdminError> {
        Ok(match self {
            Self::Settings => {
                settings::change(service, document, &Precondition::None).await?;
                DEPLOYMENT_ID.to_owned()
            }
            Self::Networks => records::create::<Network>(service, document)
                .await?
                .id
                .to_string(),
            Self::Groups => records::create::<Group>(service, document)
                .await?
                .id
                .to_string(),
            Self::Images => images::create(service, document).await?.id.to_string(),
            Self::StagingConfigs => staging::create(service, document).await?.id.to_string(),
            Self::Casts => casts::create(service, document).await?.cast.id.to_string(),
        })
    }

    /// Changes these fields of a record over a version.
    pub(super) async fn change(
        self,
        service: &AdminService<'_>,
        id: &str,
        document: &Value,
        over: &Precondition,
    ) -> Result<(), AdminError> {
        match self {
            Self::Settings => settings::change(service, document, over).await.map(drop),
            Self::Networks => records::change::<Network>(service, id, document, over)
                .await
                .map(drop),
            Self::Groups => records::change::<Group>(service, id, document, over)
                .await
                .map(drop),
            Self::Images => images::change(service, id, document, over).await.map(drop),
            Self::StagingConfigs => staging::change(service, id, document, over).await.map(drop),
            Self::Casts => casts::change(service, id, document, over).await.map(drop),
        }
    }

    /// Deletes a record over a version; live sessions go on.
    pub(super) async fn delete(
        self,
        service: &AdminService<'_>,
        id: &str,
        over: &Precondition,
    ) -> Result<(), AdminError> {
        match self {
            Self::Settings => Ok(()),
            Self::Networks => records::delete_network(service, id, over).await,
            Self::Groups => records::delete_group(service, id, over, false).await,
            Self::Images => images::delete(service, id, over).await,
            Self::StagingConfigs => staging::delete(service, id, over).await,
            Self::Casts => casts::delete(service, id, over, false).await,
        }
    }
}

/// Describes a reference in the schema of an object as a name.
fn write_by_name(schema: &mut Value, (written, field, target): &Reference) {
    let Some(Value::Object(properties)) = schema.get_mut("properties") else {
        return;
    };
    let Some(mut reference) = properties.shift_remove(*field) else {
        return;
    };
    let is_required = reference.get("type") == Some(&json!("string"));
    let kind = if is_required {
        json!("string")
    } else {
        json!(["string", "null"])
    };
    let doc = reference.get_mut("description").map(Value::take);
    let doc = doc.as_ref().and_then(Value::as_str).unwrap_or_default();
    let doc = format!("{doc} Its name, one of the {}.", target.title());
    properties.insert(
        (*written).to_owned(),
        json!({ "type": kind, "description": doc.trim() }),
    );
}

/// Rules of a schema that speak of a reference speak of its name.
fn rename_in_rules(schema: &mut Value, (written, field, _): &Reference) {
    let rules = schema.get_mut("allOf").and_then(Value::as_array_mut);
    for rule in rules.into_iter().flatten() {
        let then = rule.pointer_mut("/then/properties");
        if let Some(Value::Object(properties)) = then
            && let Some(said) = properties.shift_remove(*field)
        {
            properties.insert((*written).to_owned(), said);
        }
    }
}

/// The input with every field that it leaves out at its default: a whole record by way of a change.
fn completed(input: Map<String, Value>, fields: &Map<String, Value>, defaults: &Value) -> Value {
    let default = |name: &String| defaults.get(name).cloned().unwrap_or(Value::Null);
    let mut all: Map<String, Value> = fields
        .keys()
        .map(|name| (name.clone(), default(name)))
        .collect();
    all.extend(input);
    Value::Object(all)
}

/// These fields without nulls, also in objects within, and without objects that are empty then.
fn without_nulls(fields: &Map<String, Value>) -> Map<String, Value> {
    let short = |(name, value): (&String, &Value)| match value {
        Value::Null => None,
        Value::Object(within) => {
            let within = without_nulls(within);
            (!within.is_empty()).then(|| (name.clone(), Value::Object(within)))
        }
        value => Some((name.clone(), value.clone())),
    };
    fields.iter().filter_map(short).collect()
}

/// A stored record, with names for references.
#[derive(Clone, Debug)]
pub(super) struct StoredRecord {
    pub(super) section: Section,
    pub(super) id: String,
    pub(super) version: u64,
    pub(super) fields: Map<String, Value>,
    /// Whether it is *All Users*, which is there without being stored.
    pub(super) is_built_in: bool,
    pub(super) is_stored: bool,
}

impl StoredRecord {
    pub(super) fn new(
        section: Section,
        id: &str,
        version: u64,
        fields: Map<String, Value>,
    ) -> Self {
        Self {
            section,
            id: id.to_owned(),
            version,
            fields,
            is_built_in: id == Group::all_users_id().as_str() && section == Section::Groups,
            is_stored: version > 0,
        }
    }

    /// A text of it; `None` if it is not there.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }
}

/// All that is stored.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    deployment: Deployment,
    records: Vec<StoredRecord>,
    pub(super) names: Names,
}

impl Stored {
    /// Reads every record of the deployment.
    pub(super) async fn read(service: &AdminService<'_>) -> Result<Self, AdminError> {
        let store = &service.control_plane.store;
        let deployment = settings::read(service).await?;
        let mut records = vec![StoredRecord::new(
            Section::Settings,
            DEPLOYMENT_ID,
            deployment.version,
            settings_form::fields(&deployment),
        )];
        for network in store.all_records::<Network>().await? {
            let fields = network_form::fields(&network);
            records.push(StoredRecord::new(
                Section::Networks,
                network.id(),
                network.version,
                fields,
            ));
        }
        let mut groups = store.all_records::<Group>().await?;
        if groups.iter().all(|group| group.id != Group::all_users_id()) {
            groups.push(Group::all_users());
        }
        for group in groups {
            let fields = group_form::fields(&group);
            records.push(StoredRecord::new(
                Section::Groups,
                group.id(),
                group.version,
                fields,
            ));
        }
        for image in store.all_records::<Image>().await? {
            let fields = image_form::fields(&image);
            records.push(StoredRecord::new(
                Section::Images,
                image.id(),
                image.version,
                fields,
            ));
        }
        for staging in store.all_records::<StagingConfig>().await? {
            let fields = staging_form::fields(&staging);
            records.push(StoredRecord::new(
                Section::StagingConfigs,
                staging.id(),
                staging.version,
                fields,
            ));
        }
        let mut cursor = None;
        loop {
            let page = store
                .casts(&CastQuery::default(), cursor.as_deref(), PAGE)
                .await?;
            for cast in &page.items {
                let fields = cast_form::fields(cast);
                records.push(StoredRecord::new(
                    Section::Casts,
                    cast.id.as_str(),
                    cast.version,
                    fields,
                ));
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(Self::new(deployment, records))
    }

    /// These records, whose references are ids.
    pub(super) fn new(deployment: Deployment, mut records: Vec<StoredRecord>) -> Self {
        let mut names = Names::default();
        for record in &records {
            if let Some(name) = record.text("name") {
                names.add(record.section, name, &record.id);
            }
        }
        // Ids are random; in this order the same records make the same document.
        records.sort_by_cached_key(|record| {
            let identity = record
                .section
                .identity()
                .and_then(|field| record.text(field));
            (record.section, identity.map(str::to_owned))
        });
        for record in &mut records {
            record.fields = names.named(record.section, std::mem::take(&mut record.fields));
        }
        Self {
            deployment,
            records,
            names,
        }
    }

    /// The same, and the names of the records that a document creates, under ids that stand in for
    /// those that they will get.
    pub(super) fn with_new(&self, entries: &[Entry]) -> Self {
        let mut with_new = self.clone();
        for (index, entry) in entries.iter().enumerate() {
            let Some(name) = entry.text("name") else {
                continue;
            };
            let mut bytes = [0xff; 16];
            bytes[8..].copy_from_slice(&(index as u64).to_be_bytes());
            let id = match entry.section {
                Section::Images => ImageId::from_bytes(bytes).to_string(),
                Section::Groups => GroupId::from_bytes(bytes).to_string(),
                _ => continue,
            };
            if !with_new.names.has(entry.section, name) {
                with_new.names.add(entry.section, name, &id);
            }
        }
        with_new
    }

    /// The records of a section.
    pub(super) fn of(&self, section: Section) -> impl Iterator<Item = &StoredRecord> {
        self.records
            .iter()
            .filter(move |record| record.section == section)
    }
}

/// Names of records and their ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    ids: BTreeMap<(Section, String), Vec<String>>,
    names: BTreeMap<String, String>,
}

impl Names {
    pub(super) fn add(&mut self, section: Section, name: &str, id: &str) {
        let ids = self.ids.entry((section, name.to_owned())).or_default();
        ids.push(id.to_owned());
        self.names.insert(id.to_owned(), name.to_owned());
    }

    fn has(&self, section: Section, name: &str) -> bool {
        self.ids.contains_key(&(section, name.to_owned()))
    }

    /// The names that several records of a section have, if records are recognised by their name.
    pub(super) fn ambiguous(&self, section: Section) -> impl Iterator<Item = &str> {
        let by_name = section.identity() == Some("name");
        self.ids
            .iter()
            .filter(move |((of, _), ids)| by_name && *of == section && ids.len() > 1)
            .map(|((_, name), _)| name.as_str())
    }

    /// Fields with ids for names.
    ///
    /// # Errors
    /// A name that no record has, or several have.
    fn resolve(
        &self,
        section: Section,
        fields: &Map<String, Value>,
    ) -> Result<Map<String, Value>, FieldErrors> {
        let mut resolved = fields.clone();
        let mut errors = Vec::new();
        for reference in section.references() {
            self.resolve_one(&mut resolved, reference, "", &mut errors);
        }
        for (list, reference) in section.listed_references() {
            let Some(Value::Array(items)) = resolved.get_mut(*list) else {
                continue;
            };
            for (index, item) in items.iter_mut().enumerate() {
                if let Value::Object(item) = item {
                    let within = format!("/{list}/{index}");
                    self.resolve_one(item, reference, &within, &mut errors);
                }
            }
        }
        if errors.is_empty() {
            Ok(resolved)
        } else {
            Err(FieldErrors(errors))
        }
    }

    /// The same for one reference in an object, which stands at `within` in its entry.
    fn resolve_one(
        &self,
        fields: &mut Map<String, Value>,
        (written, field, target): &Reference,
        within: &str,
        errors: &mut Vec<FieldError>,
    ) {
        let title = target.title();
        if fields.shift_remove(*field).is_some() {
            let detail = format!("is not used here: name one of the {title} in {written}.");
            errors.push(FieldError::new(format!("{within}/{field}"), detail));
        }
        let mut refuse = |detail: String| {
            errors.push(FieldError::new(format!("{within}/{written}"), detail));
        };
        match fields.shift_remove(*written) {
            None => {}
            Some(Value::String(name)) => {
                let ids = self.ids.get(&(*target, name.clone()));
                match ids.map_or(&[][..], Vec::as_slice) {
                    [id] => _ = fields.insert((*field).to_owned(), json!(id)),
                    [] => refuse(format!(
                        "is the name of none of the {title}: \u{201c}{name}\u{201d}."
                    )),
                    _ => refuse(format!(
                        "is the name of several {title}: \u{201c}{name}\u{201d}."
                    )),
                }
            }
            Some(other) => _ = fields.insert((*field).to_owned(), other),
        }
    }

    /// Fields with ids for names, of a plan, whose names are known.
    pub(super) fn resolved(
        &self,
        section: Section,
        fields: &Map<String, Value>,
    ) -> Map<String, Value> {
        self.resolve(section, fields)
            .unwrap_or_else(|_| fields.clone())
    }

    /// Fields with names for ids, in the same order. An id without a record is kept.
    fn named(&self, section: Section, fields: Map<String, Value>) -> Map<String, Value> {
        let rename = |references: &[Reference], (field, value): (String, Value)| {
            let reference = references.iter().find(|(_, of, _)| *of == field);
            let Some((written, ..)) = reference else {
                return (field, value);
            };
            let name = value.as_str().and_then(|id| self.names.get(id));
            let value = name.map_or(value.clone(), |name| json!(name));
            ((*written).to_owned(), value)
        };
        let rename_within = |reference: &Reference, item: Value| match item {
            Value::Object(item) => {
                let references = std::slice::from_ref(reference);
                let renamed = item.into_iter().map(|field| rename(references, field));
                Value::Object(renamed.collect())
            }
            other => other,
        };
        let rename_any = |(field, value): (String, Value)| {
            let mut lists = section.listed_references().iter();
            match (lists.find(|(list, _)| *list == field), value) {
                (Some((_, reference)), Value::Array(items)) => {
                    let items = items.into_iter();
                    (
                        field,
                        items.map(|item| rename_within(reference, item)).collect(),
                    )
                }
                (_, value) => rename(section.references(), (field, value)),
            }
        };
        fields.into_iter().map(rename_any).collect()
    }
}
