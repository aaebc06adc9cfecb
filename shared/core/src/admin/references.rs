//! Owns what a deletion touches: the records that name a record, and the sessions that run with it.
//! Must not know how anything is deleted.

use std::collections::BTreeSet;

use crate::api_key::ApiKey;
use crate::audit::RecordKind;
use crate::group::Group;
use crate::ids::CastId;
use crate::json_schema;
use crate::network::Network;
use crate::queries::{Counted, SessionQuery, SessionsOf};
use crate::summary::SessionSummary;
use serde_json::{Value, json};

use crate::admin::error::AdminError;
use crate::admin::uses::{self, Named, Use};
use crate::admin::{AdminService, casts, images, pools, records};

/// The most live sessions that are looked at.
const MOST_READ: u32 = 5000;
/// The most invitations to one cast that are counted.
const MOST_INVITATIONS: u32 = 1000;

/// What a deletion touches.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct References {
    /// The records that name it.
    pub uses: Vec<Use>,
    /// Live sessions that run with it. They continue, whatever is deleted.
    pub live: Counted,
    /// Sessions that wait in its pool and would be stopped; `None` where it has no pool.
    pub waiting: Option<u64>,
    /// Invitations that are deleted with it; `None` where it has none to delete.
    pub invitations: Option<Counted>,
    /// Whether the deletion is refused as long as records name it.
    pub blocks_deletion: bool,
}

impl References {
    /// Those of a record that cannot be deleted as long as others name it.
    fn that_block(uses: Vec<Use>, live: Counted) -> Self {
        Self {
            blocks_deletion: !uses.is_empty(),
            uses,
            live,
            ..Self::default()
        }
    }
}

/// What the deletion of a record of this kind touches.
///
/// # Errors
/// `NotFound` when there is no such record, or nothing can refer to this kind.
pub async fn of(
    service: &AdminService<'_>,
    kind: RecordKind,
    id: &str,
) -> Result<References, AdminError> {
    match kind {
        RecordKind::Cast => {
            let cast = casts::find(service, id).await?.id;
            of_casts(service, &BTreeSet::from([&cast])).await
        }
        RecordKind::Image => {
            let image = images::find(service, id).await?;
            let uses = uses::of(service, Named::Image(&image.id)).await?;
            let live = count(service, |session| session.launch.image_id == image.id).await?;
            Ok(References::that_block(uses, live))
        }
        RecordKind::Network => {
            let (network, _) = records::find::<Network>(service, id).await?;
            let uses = uses::of(service, Named::Network(network.id.as_str())).await?;
            let is_there = |session: &SessionSummary| {
                let used = session.launch.network.as_ref();
                used.is_some_and(|used| used.name == network.id)
            };
            let live = count(service, is_there).await?;
            Ok(References::that_block(uses, live))
        }
        RecordKind::Group => {
            let (group, _) = records::find::<Group>(service, id).await?;
            let uses = uses::of(service, Named::Group(&group.id)).await?;
            let of_cast = uses.iter().filter(|one| one.kind == RecordKind::Cast);
            let casts: Vec<CastId> = of_cast.filter_map(|one| CastId::parse(&one.id)).collect();
            let live = live_of(service, &casts).await?;
            Ok(References {
                live,
                uses,
                ..References::default()
            })
        }
        RecordKind::Staging => {
            let (_, pool) = pools::read(service, id).await?;
            Ok(References {
                waiting: Some(pool.waiting.len() as u64),
                ..References::default()
            })
        }
        RecordKind::ApiKey => {
            records::find::<ApiKey>(service, id).await?;
            Ok(References::default())
        }
        _ => Err(AdminError::not_found("Nothing refers to this.")),
    }
}

/// What the deletion of these casts touches.
///
/// # Errors
/// Faults of the store.
pub async fn of_casts(
    service: &AdminService<'_>,
    casts: &BTreeSet<&CastId>,
) -> Result<References, AdminError> {
    let ids: Vec<CastId> = casts.iter().map(|cast| (*cast).clone()).collect();
    let mut invitations = Counted::default();
    for cast in casts {
        let store = &service.control_plane.store;
        let found = store.count_invitations(cast, MOST_INVITATIONS).await?;
        invitations.count += found.count;
        invitations.more |= found.more;
    }
    Ok(References {
        live: live_of(service, &ids).await?,
        invitations: Some(invitations),
        ..References::default()
    })
}

/// The live sessions of these casts.
///
/// # Errors
/// Faults of the store.
pub async fn live_of(service: &AdminService<'_>, casts: &[CastId]) -> Result<Counted, AdminError> {
    if casts.is_empty() {
        return Ok(Counted::default());
    }
    let store = &service.control_plane.store;
    Ok(store.count_living(casts, MOST_READ).await?)
}

/// How many live sessions fit.
async fn count(
    service: &AdminService<'_>,
    fits: impl Fn(&SessionSummary) -> bool,
) -> Result<Counted, AdminError> {
    let query = SessionQuery {
        of: SessionsOf::Living,
        ..SessionQuery::default()
    };
    let store = &service.control_plane.store;
    let (mut counted, mut read, mut cursor) = (0, 0, None::<String>);
    loop {
        let page = store
            .session_summaries(&query, cursor.as_deref(), 1000)
            .await?;
        read += page.items.len();
        let fitting = page.items.iter().filter(|session| session.is_live());
        counted += fitting.filter(|session| fits(session)).count() as u64;
        cursor = page.next;
        if cursor.is_none() || read >= MOST_READ as usize {
            return Ok(Counted {
                count: counted,
                more: cursor.is_some(),
            });
        }
    }
}

/// As the API shows them.
pub fn view(references: &References) -> Value {
    let uses = references.uses.iter();
    let uses: Vec<Value> = uses
        .map(|one| json!({ "kind": one.kind, "id": one.id, "description": one.words }))
        .collect();
    json!({
        "references": uses,
        "live_sessions": references.live.count,
        "has_more_sessions": references.live.more,
        "waiting_sessions": references.waiting,
        "invitations": references.invitations.map(|found| found.count),
        "has_more_invitations": references.invitations.is_some_and(|found| found.more),
        "blocks_deletion": references.blocks_deletion,
    })
}

/// The JSON Schema of [`view`].
pub fn schema() -> Value {
    let whole = |words: &str| json!({ "type": "integer", "minimum": 0, "description": words });
    let mut waiting =
        whole("Sessions that wait in its pool and would be stopped; null where it has no pool.");
    waiting["type"] = json!(["integer", "null"]);
    let mut invitations =
        whole("Invitations to it, which are deleted with it; null for what is no cast.");
    invitations["type"] = json!(["integer", "null"]);
    let kinds = [RecordKind::Cast, RecordKind::Image, RecordKind::Staging];
    let one = json_schema::object(json!({
        "kind": { "type": "string", "enum": kinds },
        "id": { "type": "string" },
        "description": { "type": "string", "description": "Its kind and name; of a cast, also its key." },
    }));
    json_schema::object(json!({
        "references": { "type": "array", "items": one, "description": "The records that name it." },
        "live_sessions": whole("Live sessions that run with it; of a group, those of the casts that name it. They continue when it is deleted."),
        "has_more_sessions": { "type": "boolean", "description": "Whether more sessions live than were looked at." },
        "waiting_sessions": waiting,
        "invitations": invitations,
        "has_more_invitations": { "type": "boolean", "description": "Whether there are more invitations than were counted." },
        "blocks_deletion": { "type": "boolean", "description": "Whether it cannot be deleted as long as records name it." },
    }))
}
