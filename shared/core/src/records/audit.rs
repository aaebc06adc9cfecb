//! Owns the audit entry: who changed what, when, from where, and what it was before. Must not know
//! how entries are stored or undone.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::actor::{Actor, ActorKind};
use crate::ids::{Entropy, random_bytes};
use crate::time::Timestamp;

/// How long entries are kept, in seconds (400 days: a year, and the time to look back at it).
pub const AUDIT_SECONDS: u64 = 400 * 86_400;

/// What changes by itself with every write, or only says again what other fields say; no entry
/// names it.
const NOT_A_CHANGE: [&str; 7] = [
    "version",
    "created_at",
    "updated_at",
    "last_used_at",
    "warnings",
    "url",
    "task_definition",
];

/// An entry's id. Sorts as text like the entries in time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuditId(String);

impl AuditId {
    /// A new id for an entry of this time.
    pub fn random(at: Timestamp, entropy: &dyn Entropy) -> Self {
        Self(format!(
            "{:014}-{}",
            at.millis().max(0),
            HEXLOWER.encode(&random_bytes(entropy)[..8])
        ))
    }

    /// Reads an id; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let (millis, tail) = text.split_once('-')?;
        let fits = millis.len() == 14
            && millis.bytes().all(|b| b.is_ascii_digit())
            && tail.len() == 16
            && tail
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        fits.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When the entry was made.
    pub fn at(&self) -> Timestamp {
        let millis = self
            .0
            .split_once('-')
            .and_then(|(millis, _)| millis.parse().ok());
        Timestamp::from_millis(millis.unwrap_or_default())
    }
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Something was made.
    Created,
    /// Something was changed.
    Changed,
    /// Something was deleted.
    Deleted,
    /// An image's container was registered anew.
    Registered,
    /// A session was ended.
    Ended,
    /// A session's sharing was taken back.
    Unshared,
    /// An administrator entered a session to watch it.
    Watched,
    /// An administrator extended a session.
    Extended,
    /// An administrator told the owner of a session something.
    Messaged,
    /// An administrator signed in to the console.
    SignedIn,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::Changed,
        Self::Deleted,
        Self::Registered,
        Self::Ended,
        Self::Unshared,
        Self::Watched,
        Self::Extended,
        Self::Messaged,
        Self::SignedIn,
    ];

    /// The action as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::Registered => "registered",
            Self::Ended => "ended",
            Self::Unshared => "unshared",
            Self::Watched => "watched",
            Self::Extended => "extended",
            Self::Messaged => "messaged",
            Self::SignedIn => "signed-in",
        }
    }
}

/// What something is that can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// A link.
    Cast,
    /// What sessions run.
    Image,
    /// Where they run.
    Network,
    /// What is allowed in them, for whom.
    Group,
    /// A user.
    User,
    /// A user's persistent profile.
    Profile,
    /// A pool of sessions that are started ahead.
    Staging,
    /// The deployment's settings.
    Settings,
    /// A key for the API.
    ApiKey,
    /// A visitor's container.
    Session,
    /// An invitation to a link; its entries are those of the link.
    Invitation,
    /// The console itself.
    Console,
}

impl RecordKind {
    /// Every noun.
    pub const ALL: [Self; 12] = [
        Self::Cast,
        Self::Image,
        Self::Network,
        Self::Group,
        Self::User,
        Self::Profile,
        Self::Staging,
        Self::Settings,
        Self::ApiKey,
        Self::Session,
        Self::Invitation,
        Self::Console,
    ];

    /// The noun as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cast => "cast",
            Self::Image => "image",
            Self::Network => "network",
            Self::Group => "group",
            Self::User => "user",
            Self::Profile => "profile",
            Self::Staging => "staging-config",
            Self::Settings => "settings",
            Self::ApiKey => "api-key",
            Self::Session => "session",
            Self::Invitation => "invitation",
            Self::Console => "console",
        }
    }
}

/// One field that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field, as the API calls it.
    pub field: String,
    /// What it was; null when there was nothing.
    pub before: Value,
    /// What it is; null when there is nothing any more.
    pub after: Value,
}

/// One change, by one actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Unique, and sorts by time.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// What acted.
    pub actor_kind: ActorKind,
    /// Its id.
    pub actor_id: String,
    /// What it was called then.
    pub actor_name: String,
    /// Where the request came from; administrators are no visitors, so this is the address itself.
    #[serde(default)]
    pub address: Option<String>,
    /// What was done.
    pub action: Action,
    /// To what kind of thing.
    pub noun: RecordKind,
    /// The thing's id.
    pub target: String,
    /// What the thing was called.
    pub target_name: String,
    /// The fields that changed.
    #[serde(default)]
    pub changes: Vec<FieldChange>,
}

/// What something looked like before and after, as the API shows it (so without secrets).
#[derive(Clone, Copy, Debug, Default)]
pub struct Difference<'a> {
    /// `None`: it was not there.
    pub before: Option<&'a Value>,
    /// `None`: it is gone.
    pub after: Option<&'a Value>,
}

impl<'a> Difference<'a> {
    /// Of a record that is created.
    pub const fn created(after: &'a Value) -> Self {
        Self {
            before: None,
            after: Some(after),
        }
    }

    /// Of a record that is changed.
    pub const fn changed(before: &'a Value, after: &'a Value) -> Self {
        Self {
            before: Some(before),
            after: Some(after),
        }
    }

    /// Of a record that is deleted.
    pub const fn deleted(before: &'a Value) -> Self {
        Self {
            before: Some(before),
            after: None,
        }
    }
}

impl Audit {
    /// What `actor` did to the thing of this id and name. What was done follows from the
    /// difference, unless it is none.
    pub fn of(
        actor: &Actor,
        noun: RecordKind,
        target: &str,
        name: &str,
        difference: Difference<'_>,
        at: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        let action = match (difference.before, difference.after) {
            (None, _) => Action::Created,
            (Some(_), None) => Action::Deleted,
            _ => Action::Changed,
        };
        Self {
            changes: difference.changes(),
            ..Self::plain(actor, action, noun, target, name, at, entropy)
        }
    }

    /// What `actor` did, without a difference to show.
    pub fn plain(
        actor: &Actor,
        action: Action,
        noun: RecordKind,
        target: &str,
        name: &str,
        at: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        Self {
            id: AuditId::random(at, entropy),
            at,
            actor_kind: actor.kind,
            actor_id: actor.id.clone(),
            actor_name: actor.name.clone(),
            address: actor.address.map(|address| address.to_string()),
            action,
            noun,
            target: target.to_owned(),
            target_name: name.to_owned(),
            changes: Vec::new(),
        }
    }

    /// When the entry may be forgotten.
    pub const fn forgotten_at(&self) -> Timestamp {
        self.at.plus_seconds(AUDIT_SECONDS)
    }

    /// The document that brings back what this change took away, sent as a change or, for something
    /// that was deleted, as something new.
    pub fn undoing(&self) -> Value {
        let fields = self
            .changes
            .iter()
            .map(|change| (change.field.clone(), change.before.clone()));
        Value::Object(
            fields
                .filter(|(field, before)| {
                    self.action != Action::Deleted || (field != "id" && !before.is_null())
                })
                .collect(),
        )
    }
}

impl Difference<'_> {
    fn changes(&self) -> Vec<FieldChange> {
        let nothing = Map::new();
        let fields = |side: Option<&Value>| {
            side.and_then(Value::as_object)
                .cloned()
                .unwrap_or_else(|| nothing.clone())
        };
        let (before, after) = (fields(self.before), fields(self.after));
        let mut names: Vec<&String> = before.keys().collect();
        names.extend(after.keys().filter(|name| !before.contains_key(*name)));
        let value =
            |side: &Map<String, Value>, name: &str| side.get(name).cloned().unwrap_or(Value::Null);
        names
            .into_iter()
            .filter(|name| !NOT_A_CHANGE.contains(&name.as_str()))
            .map(|name| FieldChange {
                field: name.clone(),
                before: value(&before, name),
                after: value(&after, name),
            })
            .filter(|change| change.before != change.after)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actor::Scope;
    use crate::testing::{NOON, SeededEntropy};

    fn actor() -> Actor {
        let address = Some("192.0.2.1".parse().expect("an address"));
        Actor {
            kind: ActorKind::User,
            id: "u1".into(),
            name: "Ann".into(),
            scopes: Scope::ALL.into(),
            expires_at: None,
            address,
        }
    }

    #[test]
    fn audit_entry_has_actor_action_and_old_values() {
        let before =
            json!({"id": "c1", "name": "Old", "enabled": true, "version": 1, "kasm_url": null});
        let after = json!({"id": "c1", "name": "New", "enabled": true, "version": 2, "kasm_url": "https://example.com/"});
        let difference = |before, after| Difference { before, after };
        for (name, difference, action, fields) in [
            (
                "made",
                difference(None, Some(&before)),
                Action::Created,
                vec!["id", "name", "enabled"],
            ),
            (
                "changed",
                difference(Some(&before), Some(&after)),
                Action::Changed,
                vec!["name", "kasm_url"],
            ),
            (
                "deleted",
                difference(Some(&after), None),
                Action::Deleted,
                vec!["id", "name", "enabled", "kasm_url"],
            ),
        ] {
            let entry = Audit::of(
                &actor(),
                RecordKind::Cast,
                "c1",
                "New",
                difference,
                NOON,
                &SeededEntropy::new(1),
            );
            let named: Vec<&str> = entry
                .changes
                .iter()
                .map(|change| change.field.as_str())
                .collect();
            assert_eq!((entry.action, named), (action, fields), "{name}");
            assert_eq!(
                (entry.actor_name.as_str(), entry.address.as_deref()),
                ("Ann", Some("192.0.2.1"))
            );
        }
    }

    #[test]
    fn removed_values_can_be_restored() {
        let (before, after) = (
            json!({"id": "c1", "name": "Old", "error_url": null}),
            json!({"id": "c1", "name": "New", "error_url": "https://a.example/"}),
        );
        let entry = |before, after| {
            Audit::of(
                &actor(),
                RecordKind::Cast,
                "c1",
                "x",
                Difference { before, after },
                NOON,
                &SeededEntropy::new(1),
            )
        };
        assert_eq!(
            entry(Some(&before), Some(&after)).undoing(),
            json!({"name": "Old", "error_url": null})
        );
        assert_eq!(
            entry(Some(&before), None).undoing(),
            json!({"name": "Old"}),
            "a new one gets an id of its own"
        );
    }

    #[test]
    fn ids_sort_by_time_and_round_trip() {
        let entropy = SeededEntropy::new(1);
        let (first, second) = (
            AuditId::random(NOON, &entropy),
            AuditId::random(NOON.plus_seconds(1), &entropy),
        );
        assert!(first < second);
        assert_eq!(AuditId::parse(first.as_str()), Some(first));
        for foreign in ["", "-", "1-2", "01795435200000-XYZ", "../etc"] {
            assert_eq!(AuditId::parse(foreign), None, "{foreign}");
        }
    }
}
