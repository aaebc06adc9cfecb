//! Owns the administrators' view of sessions and the operations on them. Must not know the
//! transitions of a session.

use std::sync::LazyLock;

use crate::audit::{Action, RecordKind};
use crate::excerpt::Speaker;
use crate::form::TextType;
use crate::ids::{
    CastId, CastKey, GroupId, ImageId, InvitationId, Reference, SessionId, StagingId, UserId,
};
use crate::image::Image;
use crate::json_schema;
use crate::permission::Permission;
use crate::ports::Page;
use crate::pricing;
use crate::queries::{Counted, SessionQuery, SessionsOf};
use crate::read_only::{self, ReadOnlyField};
use crate::session::{ADDED_SECONDS, EndReason, Owner, PoolRole, Session, State};
use crate::summary::SessionSummary;
use crate::time::Timestamp;
use futures_util::try_join;
use serde_json::{Map, Value, json};

use crate::admin::error::AdminError;
use crate::admin::pools::cents;
use crate::admin::{AdminService, filtered};

/// How many rows are looked at for one page of an ordered or searched list.
pub const MOST_READ: usize = 1000;
/// Rows of one page.
const PAGE: usize = 1000;

/// The filters of a list of sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionsAsked {
    /// Whose, and when.
    pub query: SessionQuery,
    /// Only those of this cast, where the query is not the cast's already.
    pub cast: Option<CastId>,
    /// Only those of this image.
    pub image: Option<ImageId>,
    /// Only live ones, or only ended ones.
    pub is_live: Option<bool>,
    /// Only those in this state, in a word.
    pub state: Option<&'static str>,
    /// Only those with this outcome.
    pub outcome: Option<Outcome>,
    /// Only those that have all of these words somewhere: in the reference, the id, the names of
    /// owner, link and image, the key, the referring host, the invitation, the task or its address.
    pub search: Option<String>,
    /// Only those claimed from the address with this hash.
    pub address: Option<String>,
}

impl SessionsAsked {
    /// Whether sessions are asked for by more than an index knows.
    fn is_filtered(&self) -> bool {
        let unfiltered = Self {
            query: self.query.clone(),
            ..Self::default()
        };
        *self != unfiltered
    }

    fn fits(&self, session: &SessionSummary) -> bool {
        let (cast, image) = (self.cast.as_ref(), self.image.as_ref());
        cast.is_none_or(|cast| session.cast_id == *cast)
            && image.is_none_or(|image| session.launch.image_id == *image)
            && self
                .outcome
                .is_none_or(|outcome| outcome == Outcome::of(&session.state))
            && self
                .is_live
                .is_none_or(|is_live| session.is_live() == is_live)
            && self
                .state
                .is_none_or(|state| session.state.as_str() == state)
            && self
                .search
                .as_ref()
                .is_none_or(|search| has(session, search))
            && self
                .address
                .as_ref()
                .is_none_or(|address| session.origin.address == *address)
    }
}

/// Whether every word of `search` stands somewhere in what identifies the session.
fn has(session: &SessionSummary, search: &str) -> bool {
    let reference = Reference::of(&session.id);
    let (owner_id, owner_name) = match &session.owner {
        Owner::User { id, name, .. } => (Some(id.as_str()), Some(name.as_str())),
        Owner::Anonymous { id, .. } => (Some(id.as_str()), None),
        Owner::Unassigned | Owner::Anonymised => (None, None),
    };
    let known = [
        Some(session.id.as_str()),
        Some(reference.as_str()),
        owner_id,
        owner_name,
        Some(session.cast_name.as_str()),
        Some(session.cast_key.as_str()),
        Some(session.launch.image_name.as_str()),
        session.origin.referrer.as_deref(),
        (session.invitation.as_ref()).map(|invited| invited.name.as_str()),
        (session.invitation.as_ref()).map(|invited| invited.label.as_str()),
        session.task.as_ref().map(|task| task.arn.as_str()),
        session.task_address(),
    ];
    filtered::has_words(known.into_iter().flatten(), search)
}

/// By what a list of sessions is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionOrder {
    /// By when they were claimed, the newest first.
    #[default]
    Claimed,
    /// By when their time is up, the nearest first; those without a time last.
    Ends,
    /// By the name of the link.
    Cast,
    /// By the name of the image.
    Image,
    /// By the name of the owner; anonymous ones last.
    Owner,
    /// By the state, from reserved to ended.
    State,
}

impl SessionOrder {
    /// Every order with its name in addresses.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Claimed, "claimed"),
        (Self::Ends, "ends"),
        (Self::Cast, "cast"),
        (Self::Image, "image"),
        (Self::Owner, "user"),
        (Self::State, "state"),
    ];

    fn sort(self, sessions: &mut [SessionSummary]) {
        // Equal ones stand by age, so that pages do not overlap.
        sessions.sort_by(|one, two| {
            let newer = two.created_at.cmp(&one.created_at);
            newer.then_with(|| one.id.as_str().cmp(two.id.as_str()))
        });
        match self {
            Self::Claimed => {}
            Self::Ends => sessions.sort_by_key(|session| {
                let ends = Times::of(&session.state).ends_at;
                (ends.is_none(), ends)
            }),
            Self::Cast => sessions.sort_by_cached_key(|session| session.cast_name.to_lowercase()),
            Self::Image => {
                sessions.sort_by_cached_key(|session| session.launch.image_name.to_lowercase());
            }
            Self::Owner => sessions.sort_by_cached_key(|session| match &session.owner {
                Owner::User { name, .. } => (false, name.to_lowercase()),
                _ => (true, String::new()),
            }),
            Self::State => sessions.sort_by_key(|session| match session.state {
                State::Reserved => 0,
                State::Starting => 1,
                State::Ready { .. } => 2,
                State::Stopping { .. } => 3,
                State::Ended { .. } => 4,
            }),
        }
    }
}

/// Sessions in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// All that fit, as far as they were read.
    pub items: Vec<SessionSummary>,
    /// Where the rows begin that were not read; `None` when all were.
    pub next: Option<String>,
}

/// Sessions in an order, of the first rows that an index gives, or of those from a cursor on: some
/// thousands at most are read, whatever there is. Where the index has this very order, no more are
/// read once there is one more than `needed`, which says that others follow.
pub async fn ordered(
    service: &AdminService<'_>,
    asked: &SessionsAsked,
    (order, backwards): (SessionOrder, bool),
    (from, needed): (Option<&str>, usize),
) -> Result<Ordered, AdminError> {
    let store = &service.control_plane.store;
    let (mut items, mut after, mut read) = (Vec::new(), from.map(str::to_owned), 0);
    let enough = needed.saturating_add(1);
    let is_in_order =
        order == SessionOrder::Claimed && !backwards && asked.query.of != SessionsOf::Living;
    while read < MOST_READ {
        let wanted = if is_in_order && read == 0 {
            enough.min(PAGE)
        } else {
            PAGE.min(MOST_READ - read)
        };
        let limit = u32::try_from(wanted).unwrap_or(u32::MAX);
        let page = store
            .session_summaries(&asked.query, after.as_deref(), limit)
            .await?;
        read += wanted;
        items.extend(page.items.into_iter().filter(|session| asked.fits(session)));
        after = page.next;
        if is_in_order && items.len() >= enough {
            // Those that follow are on pages to come.
            after = None;
        }
        if after.is_none() {
            break;
        }
    }
    if !is_in_order {
        order.sort(&mut items);
    }
    if backwards {
        items.reverse();
    }
    Ok(Ordered { items, next: after })
}

/// A page of sessions. It may be shorter than requested although more follow.
pub async fn list(
    service: &AdminService<'_>,
    asked: &SessionsAsked,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<Session>, AdminError> {
    let store = &service.control_plane.store;
    if !asked.is_filtered() {
        return Ok(store.sessions(&asked.query, cursor, limit).await?);
    }
    let fits = |session: &SessionSummary| asked.fits(session);
    let page = summaries(service, &asked.query, (cursor, limit), fits).await?;
    let mut items = whole(service, &page.items).await?;
    // A session may have changed since its summary was read.
    items.retain(|session| asked.fits(&session.into()));
    Ok(Page {
        items,
        next: page.next,
    })
}

/// How many sessions fit; counts `most` at most.
pub async fn count(
    service: &AdminService<'_>,
    asked: &SessionsAsked,
    most: u32,
) -> Result<Counted, AdminError> {
    let fits = |session: &SessionSummary| asked.fits(session);
    let page = summaries(service, &asked.query, (None, most), fits).await?;
    Ok(Counted {
        count: page.items.len() as u64,
        more: page.next.is_some(),
    })
}

/// A page of the summaries that fit. It may be shorter than requested although more follow.
pub(super) async fn summaries(
    service: &AdminService<'_>,
    query: &SessionQuery,
    (cursor, limit): (Option<&str>, u32),
    fits: impl Fn(&SessionSummary) -> bool,
) -> Result<Page<SessionSummary>, AdminError> {
    let store = &service.control_plane.store;
    let read = |after: Option<String>, wanted| async move {
        let after = after.as_deref();
        store.session_summaries(query, after, wanted).await
    };
    filtered::page(cursor, limit, read, fits).await
}

/// The sessions of these summaries as they are now; those that are gone are left out.
pub async fn whole(
    service: &AdminService<'_>,
    summaries: &[SessionSummary],
) -> Result<Vec<Session>, AdminError> {
    let ids = summaries.iter().map(|summary| summary.id.clone());
    let ids: Vec<SessionId> = ids.collect();
    Ok(service.control_plane.store.sessions_by_id(&ids).await?)
}

/// One session.
pub async fn find(service: &AdminService<'_>, id: &str) -> Result<Session, AdminError> {
    service
        .control_plane
        .store
        .session(&parse_id(id)?)
        .await?
        .ok_or_else(no_such_session)
}

/// Ends the sharing of a session; no effect on one that is not shared.
pub async fn unshare(service: &AdminService<'_>, id: &str) -> Result<Session, AdminError> {
    let before = find(service, id).await?;
    let session = service.control_plane.unshare(&before.id).await?;
    if before.sharing.token.is_some() {
        log_action(service, Action::Unshared, &session).await?;
    }
    Ok(session)
}

/// The address at which the administrator enters a shared session, to watch it.
pub async fn watch(service: &AdminService<'_>, id: &str) -> Result<String, AdminError> {
    let session = find(service, id).await?;
    if session.sharing.token.is_none() || !matches!(session.state, State::Ready { .. }) {
        return Err(AdminError::conflict(
            "Only a session that is ready and shared can be watched.",
        ));
    }
    let url = service
        .control_plane
        .watch_as_administrator(&session.id, &service.actor.name)
        .await?;
    log_action(service, Action::Watched, &session).await?;
    Ok(url)
}

/// Writes the audit entry for what an administrator did to a session.
pub(super) async fn log_action(
    service: &AdminService<'_>,
    action: Action,
    session: &Session,
) -> Result<(), AdminError> {
    let (id, name) = (session.id.as_str(), session.cast_name.as_str());
    service
        .log_action(action, RecordKind::Session, id, name)
        .await
}

fn parse_id(text: &str) -> Result<SessionId, AdminError> {
    SessionId::parse(text).ok_or_else(no_such_session)
}

fn no_such_session() -> AdminError {
    AdminError::not_found("There is no such session.")
}

/// The outcome of an accepted claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its session lives.
    Live,
    /// The visitor had the session.
    Served,
    /// The visitor never got it, and the charge was refunded.
    Refunded,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Live, Self::Served, Self::Refunded];

    /// The outcome of the claim of a session in this state.
    pub const fn of(state: &State) -> Self {
        match state {
            State::Ended { refunded: true, .. } => Self::Refunded,
            State::Ended {
                refunded: false, ..
            } => Self::Served,
            _ => Self::Live,
        }
    }

    /// The outcome's name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Served => "served",
            Self::Refunded => "refunded",
        }
    }

    /// Parses an outcome; `None` if there is none of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
    }
}

/// A session as the API shows it, which is also a claim's entry in the ledger.
pub fn view(session: &Session) -> Value {
    read_only::view(&FIELDS, session, Map::new())
}

/// The same with what only one session is asked for: its log, its watchers, its cost so far.
pub async fn details(service: &AdminService<'_>, session: &Session) -> Result<Value, AdminError> {
    let control_plane = service.control_plane;
    let is_known = session
        .task
        .as_ref()
        .is_none_or(|task| task.times.started.is_some());
    let current = async {
        // While it starts, ECS knows more than the row.
        let task = session
            .task
            .as_ref()
            .filter(|_| !is_known && session.is_live());
        let described = match task {
            Some(task) => {
                control_plane
                    .launcher
                    .describe(std::slice::from_ref(&task.arn))
                    .await?
            }
            None => Vec::new(),
        };
        Ok::<_, AdminError>(described.first().map_or_else(
            || session.clone(),
            |described| session.knowing(&described.task),
        ))
    };
    let image = async {
        let id = session.launch.image_id.as_str();
        Ok::<_, AdminError>(control_plane.store.record::<Image>(id).await?)
    };
    let watchers = async { Ok(control_plane.watchers(session).await) };
    let (session, image, watchers) = try_join!(current, image, watchers)?;
    let mut view = view_of(service, &session);
    let logs = control_plane.logs.as_ref().zip(session.task.as_ref());
    view["log_tail"] = json!(logs.and_then(|(logs, task)| logs.tail(&task.arn)));
    view["watchers"] = json!(watchers);
    let now = control_plane.clock.now();
    let hour = image.and_then(|image| pricing::session_hour(&image));
    let cost = hour.map(|hour| pricing::cost_so_far(&(&session).into(), hour, now));
    view["cost_so_far_cents"] = json!(cost.map(cents));
    Ok(view)
}

/// What has happened to a session and when, the earliest first.
fn timeline(session: &Session) -> Vec<(&'static str, Timestamp)> {
    let times = session
        .task
        .as_ref()
        .map(|task| task.times)
        .unwrap_or_default();
    let stopping = match &session.state {
        State::Stopping { at, .. } => Some(*at),
        _ => None,
    };
    let steps = [
        ("claimed", Some(session.created_at)),
        (
            "started-again",
            session.retry.as_ref().map(|retry| retry.at),
        ),
        (
            "start-turn",
            session.queued.as_ref().map(|queued| queued.at),
        ),
        ("task-created", times.created),
        ("image-pulling", times.pulling),
        ("image-pulled", times.pulled),
        ("task-running", times.started),
        ("ready", session.ready_at),
        ("entered", session.entered_at),
        (
            "message",
            session.message.as_ref().map(|message| message.at),
        ),
        ("stopping", stopping),
        ("ended", Times::of(&session.state).ended_at),
    ];
    let known = steps.into_iter().filter_map(|(step, at)| Some((step, at?)));
    let mut known: Vec<_> = known.collect();
    known.sort_by_key(|(_, at)| *at);
    known
}

/// Every step of a [`timeline`].
const STEPS: [&str; 12] = [
    "claimed",
    "started-again",
    "start-turn",
    "task-created",
    "image-pulling",
    "image-pulled",
    "task-running",
    "ready",
    "entered",
    "message",
    "stopping",
    "ended",
];

/// The same, with where its log is.
pub fn view_of(service: &AdminService<'_>, session: &Session) -> Value {
    let mut view = view(session);
    view["log_url"] = json!(service.control_plane.launcher.log_url(session));
    view
}

/// The JSON Schema of [`view`].
pub fn schema() -> Value {
    json_schema::object(read_only::schemas(&FIELDS).into_iter().collect())
}

/// All fields of a session: administrators change none of them by a document.
static FIELDS: LazyLock<Vec<ReadOnlyField<Session>>> = LazyLock::new(|| {
    let mut fields = outcome_fields();
    fields.extend(origin_fields());
    fields.extend(running_fields());
    fields.extend(time_fields());
    fields
});

fn text() -> Value {
    json!({ "type": "string" })
}

fn text_or_null() -> Value {
    json!({ "type": ["string", "null"] })
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = json!(description);
    schema
}

fn one_of(words: impl IntoIterator<Item = &'static str>) -> Value {
    json!({ "type": "string", "enum": words.into_iter().collect::<Vec<_>>() })
}

/// What it is, and what became of it.
fn outcome_fields() -> Vec<ReadOnlyField<Session>> {
    let states = ["reserved", "starting", "ready", "stopping", "ended"];
    let outcome = described(
        one_of(Outcome::ALL.map(Outcome::as_str)),
        "What became of the claim; refunded when its visitor never got the session.",
    );
    let reason = described(
        json_schema::nullable(one_of(EndReason::WORDS)),
        "Why it ended, or is ending.",
    );
    type Field = ReadOnlyField<Session>;
    vec![
        Field::new("id", SessionId::SYNTAX.schema(), |session| {
            json!(session.id)
        }),
        Field::new("reference", Reference::SYNTAX.schema(), |session| {
            json!(Reference::of(&session.id))
        }),
        Field::new("state", one_of(states), |session| {
            json!(session.state.as_str())
        }),
        Field::new("outcome", outcome, |session| {
            json!(Outcome::of(&session.state).as_str())
        }),
        Field::new("reason", reason, |session| {
            json!(reason_of(&session.state).map(EndReason::as_str))
        }),
        Field::new("detail", text_or_null(), |session| {
            json!(reason_of(&session.state).and_then(detail_of))
        }),
    ]
}

/// Of which link and image it is, whose, and where the claim came from.
fn origin_fields() -> Vec<ReadOnlyField<Session>> {
    let cast_name = described(
        text_or_null(),
        "Null, as the link's id and key are, while the session waits in a pool.",
    );
    let referrer = described(text_or_null(), "The referring host.");
    let address = described(text(), "The same for every claim from one address.");
    let counted = described(
        json!({ "type": "boolean" }),
        "Whether it took one of the link's sessions.",
    );
    type Field = ReadOnlyField<Session>;
    vec![
        Field::new(
            "cast_id",
            json_schema::nullable(CastId::SYNTAX.schema()),
            |session| json!((!session.is_unassigned()).then_some(&session.cast_id)),
        ),
        Field::new(
            "cast_key",
            json_schema::nullable(CastKey::SYNTAX.schema()),
            |session| json!((!session.is_unassigned()).then_some(&session.cast_key)),
        ),
        Field::new("cast_name", cast_name, |session| {
            json!((!session.is_unassigned()).then_some(&session.cast_name))
        }),
        Field::new("image_id", ImageId::SYNTAX.schema(), |session| {
            json!(session.launch.image_id)
        }),
        Field::new("image_name", text(), |session| {
            json!(session.launch.image_name)
        }),
        Field::new("owner", owner_schema(), |session| owner(&session.owner)),
        Field::new("invitation", invitation_schema(), |session| {
            json!(session.invitation.as_ref().map(|invited| {
                json!({ "id": invited.id, "name": invited.name, "label": invited.label })
            }))
        }),
        Field::new("access_tier", access_tier_schema(), |session| {
            json!(session.access_tier)
        }),
        Field::new("referrer", referrer, |session| {
            json!(session.origin.referrer)
        }),
        Field::new("address_hash", address, |session| {
            json!(session.origin.address)
        }),
        Field::new("counted", counted, |session| {
            json!(session.charge.count.is_some())
        }),
    ]
}

/// What it may do, and what happened in it.
fn running_fields() -> Vec<ReadOnlyField<Session>> {
    let permissions =
        json!({ "type": "array", "items": one_of(Permission::ALL.map(Permission::as_str)) });
    let notes = json!({
        "type": "array", "items": text(),
        "description": "What was asked for and not given, and what became of its profile.",
    });
    let extensions = described(
        json!({ "type": "integer", "minimum": 0 }),
        "How often its owner has extended it.",
    );
    let log_url = described(text_or_null(), "Where CloudWatch's console shows its log.");
    let added = described(
        json!({ "type": "integer", "minimum": 0, "maximum": ADDED_SECONDS }),
        "By how many seconds administrators have extended it.",
    );
    let message = described(
        text_or_null(),
        "The last message of an administrator to its owner.",
    );
    let watchers = json!({
        "type": ["array", "null"], "items": text(),
        "description": "The names of those who watch it now; null in lists, and when its gate was \
                        not asked.",
    });
    let log_tail = described(
        text_or_null(),
        "The last lines of its log, where it is on the machine of the control plane; null in lists.",
    );
    let task_address = described(
        text_or_null(),
        "The address of its task, once it was ready; kept when it has ended.",
    );
    let cost = json!({
        "type": ["number", "null"], "minimum": 0,
        "description": "What it has cost so far at list price, in US cents; null in lists, and when \
                        the size of its image is not known.",
    });
    type Field = ReadOnlyField<Session>;
    vec![
        Field::new("permissions", permissions, |session| {
            json!(session.grant.permissions)
        }),
        Field::new("network", text_or_null(), |session| {
            let network = session.launch.network.as_ref();
            json!(network.map(|network| &network.name))
        }),
        Field::new("kasm_url", text_or_null(), |session| {
            json!(session.launch.kasm_url)
        }),
        Field::new("go_url", text_or_null(), |session| {
            json!(session.go.as_ref().map(|go| &go.url))
        }),
        Field::new("notes", notes, |session| json!(session.notes)),
        Field::new("said", said_schema(), |session| {
            let said = session.said.iter();
            said.map(|excerpt| json!({ "by": excerpt.by.as_str(), "text": excerpt.text }))
                .collect()
        }),
        // Only the launcher knows it: see `view_of`.
        Field::new("log_url", log_url, |_| Value::Null),
        Field::new("shared", json!({ "type": "boolean" }), |session| {
            json!(session.sharing.token.is_some())
        }),
        Field::new("extensions", extensions, |session| {
            json!(session.extensions)
        }),
        Field::new("added_seconds", added, |session| {
            json!(session.added_seconds)
        }),
        Field::new("message", message, |session| {
            json!(session.message.as_ref().map(|message| &message.text))
        }),
        // These three are known to `details` alone.
        Field::new("watchers", watchers, |_| Value::Null),
        Field::new("log_tail", log_tail, |_| Value::Null),
        Field::new("cost_so_far_cents", cost, |_| Value::Null),
        Field::new("pool", pool_schema(), pool),
        Field::new("task_address", task_address, |session| {
            json!(session.task_address())
        }),
        Field::new("task", task_schema(), |session| {
            let task = session.task.as_ref();
            json!(task.map(|task| json!({ "arn": task.arn, "status": task.status })))
        }),
    ]
}

fn time_fields() -> Vec<ReadOnlyField<Session>> {
    type Field = ReadOnlyField<Session>;
    vec![
        Field::new("timeline", timeline_schema(), |session| {
            let steps = timeline(session).into_iter();
            steps
                .map(|(step, at)| json!({ "step": step, "at": at.to_string() }))
                .collect()
        }),
        Field::time("created_at", |session| session.created_at),
        Field::time("ready_by", |session| session.ready_by),
        Field::time_or_null("ready_at", |session| session.ready_at),
        Field::time_or_null("entered_at", |session| session.entered_at),
        Field::time_or_null("ends_at", |session| Times::of(&session.state).ends_at),
        Field::time_or_null("ended_at", |session| Times::of(&session.state).ended_at),
    ]
}

fn pool(session: &Session) -> Value {
    let name = session.is_unassigned().then_some(&session.cast_name);
    json!(session.pooled.as_ref().map(|pooled| {
        json!({ "id": pooled.pool, "place": pooled.role.as_str(), "name": name })
    }))
}

fn invitation_schema() -> Value {
    json!({
        "type": ["object", "null"], "required": ["id", "name", "label"],
        "description": "The invitation that the claim came by.",
        "properties": { "id": InvitationId::SYNTAX.schema(), "name": text(), "label": text() },
    })
}

fn access_tier_schema() -> Value {
    json!({
        "type": ["object", "null"], "required": ["number", "name"],
        "description": "The access tier that admitted the visitor, as it was then; null where the \
                        link had none.",
        "properties": {
            "number": { "type": "integer", "minimum": 1, "description": "Its place in the list." },
            "name": text(),
        },
    })
}

fn timeline_schema() -> Value {
    json!({
        "type": "array", "description": "What has happened to it, the earliest first.",
        "items": {
            "type": "object", "required": ["step", "at"],
            "properties": { "step": one_of(STEPS), "at": json_schema::time() },
        },
    })
}

fn task_schema() -> Value {
    let statuses = ["provisioning", "pending", "running", "stopping", "stopped"];
    json!({
        "type": ["object", "null"], "description": "The ECS task.", "required": ["arn", "status"],
        "properties": { "arn": text(), "status": one_of(statuses) },
    })
}

fn said_schema() -> Value {
    let by = Speaker::ALL.map(Speaker::as_str);
    json!({
        "type": "array",
        "description": "The last lines of its app when that ended by itself, of commands that \
                        failed, and what ECS said of the container beside.",
        "items": { "type": "object", "required": ["by", "text"], "properties": { "by": { "type": "string", "enum": by }, "text": { "type": "string" } } },
    })
}

fn pool_schema() -> Value {
    let places = [PoolRole::Waiting, PoolRole::Assigned, PoolRole::Missed].map(PoolRole::as_str);
    json!({
        "type": ["object", "null"], "required": ["id", "place", "name"],
        "description": "The pool that it waits in, was taken from, or would have been taken from \
                        had one been ready.",
        "properties": { "id": StagingId::SYNTAX.schema(), "place": { "type": "string", "enum": places }, "name": { "type": ["string", "null"], "description": "The name of the pool, while the session waits." } },
    })
}

fn owner_schema() -> Value {
    let id = || UserId::SYNTAX.schema();
    let kind = |kind: &str| json!({ "const": kind });
    let group = json_schema::nullable(GroupId::SYNTAX.schema());
    let anonymous = json!({ "kind": kind("anonymous"), "id": id(), "group_id": group, "expires_at": json_schema::nullable(json_schema::time()) });
    let user = json!({ "kind": kind("user"), "id": id(), "name": { "type": "string" } });
    json!({ "oneOf": [json_schema::object(anonymous), json_schema::object(user), json_schema::object(json!({ "kind": kind("forgotten") })), json_schema::object(json!({ "kind": kind("nobody") }))] })
}

/// Who a session belongs to: `anonymous`, `user`, `forgotten`, or `nobody` while it waits in a
/// pool.
fn owner(owner: &Owner) -> Value {
    match owner {
        Owner::Anonymous {
            id,
            group,
            expires_at,
        } => {
            json!({ "kind": "anonymous", "id": id, "group_id": group, "expires_at": expires_at.map(|time| time.to_string()) })
        }
        Owner::User { id, name } => json!({ "kind": "user", "id": id, "name": name }),
        Owner::Anonymised => json!({ "kind": "forgotten" }),
        Owner::Unassigned => json!({ "kind": "nobody" }),
    }
}

#[derive(Default)]
struct Times {
    ends_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

impl Times {
    fn of(state: &State) -> Self {
        match state {
            State::Ready { ends_at, .. } => Self {
                ends_at: Some(*ends_at),
                ended_at: None,
            },
            State::Ended { at, .. } => Self {
                ended_at: Some(*at),
                ..Self::default()
            },
            State::Reserved | State::Starting | State::Stopping { .. } => Self::default(),
        }
    }
}

/// Why it ended, or is ending.
pub fn reason_of(state: &State) -> Option<&EndReason> {
    match state {
        State::Stopping { reason, .. } | State::Ended { reason, .. } => Some(reason),
        State::Reserved | State::Starting | State::Ready { .. } => None,
    }
}

fn detail_of(reason: &EndReason) -> Option<String> {
    match reason {
        EndReason::TaskStopped {
            detail,
            exit_code: Some(code),
        } => Some(format!("{detail} (exit code {code})").trim().to_owned()),
        EndReason::TaskStopped {
            detail,
            exit_code: None,
        }
        | EndReason::StartRefused { detail } => Some(detail.clone()),
        EndReason::Administrator { note } => note.clone(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::excerpt::Excerpt;
    use crate::session::{Endpoint, TaskRef, TaskStatus};
    use crate::testing::{NOON, cast, session};

    use super::*;

    fn starting() -> Session {
        let task = TaskRef {
            arn: "arn:1".into(),
            status: TaskStatus::Pending,
            version: 1,
            times: crate::session::TaskTimes::default(),
        };
        session(&cast(1), 1).started(task).expect("was reserved")
    }

    fn ready() -> Session {
        starting()
            .ready(
                Endpoint {
                    host: "10.0.0.1".into(),
                    port: 8080,
                },
                NOON.plus_seconds(30),
            )
            .expect("was starting")
    }

    #[test]
    fn session_view_shows_state_and_claim_outcome() {
        let stopped = EndReason::TaskStopped {
            detail: "EssentialContainerExited".into(),
            exit_code: Some(1),
        };
        let refused = EndReason::StartRefused {
            detail: "No such image".into(),
        };
        for (name, session, expected) in [
            (
                "reserved",
                session(&cast(1), 1),
                ["reserved", "live", "", ""],
            ),
            ("starting", starting(), ["starting", "live", "", ""]),
            ("ready", ready(), ["ready", "live", "", ""]),
            (
                "stopping",
                ready().stopping(EndReason::Owner, NOON).expect("is live"),
                ["stopping", "live", "ended-by-owner", ""],
            ),
            (
                "served",
                ready().ended(stopped.clone(), NOON).expect("is live"),
                [
                    "ended",
                    "served",
                    "task-stopped",
                    "EssentialContainerExited (exit code 1)",
                ],
            ),
            (
                "never ready",
                starting().ended(stopped, NOON).expect("is live"),
                [
                    "ended",
                    "refunded",
                    "task-stopped",
                    "EssentialContainerExited (exit code 1)",
                ],
            ),
            (
                "refused",
                session(&cast(1), 1).ended(refused, NOON).expect("is live"),
                ["ended", "refunded", "start-refused", "No such image"],
            ),
        ] {
            let view = view(&session);
            let shown = ["state", "outcome", "reason", "detail"]
                .map(|field| view[field].as_str().unwrap_or_default());
            assert_eq!(shown, expected, "{name}");
        }
    }

    #[test]
    fn session_view_shows_the_apps_last_output() {
        let excerpt = Excerpt::of(Speaker::App, "no such file\n").expect("a line");
        let view = view(&ready().heard(excerpt).expect("is new"));
        assert_eq!(
            view["said"],
            json!([{ "by": "app", "text": "no such file" }])
        );
        for speaker in Speaker::ALL {
            assert_eq!(json!(speaker), speaker.as_str(), "as it is stored");
        }
    }

    #[test]
    fn session_is_found_by_every_word_of_a_search() {
        let session = starting();
        let reference = Reference::of(&session.id).to_string();
        let image = session.launch.image_name.clone();
        for (search, expected) in [
            (reference.as_str(), true),
            (session.id.as_str(), true),
            (
                &format!("{} {}", session.cast_name.to_uppercase(), image),
                true,
            ),
            ("arn:1", true),
            (&format!("{reference} elsewhere"), false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(has(&(&session).into(), search), expected, "{search}");
        }
    }

    #[test]
    fn sessions_are_ordered_and_equal_ones_by_age() {
        let with = |n: u8, cast_name: &str, seconds: u64| Session {
            cast_name: cast_name.to_owned(),
            created_at: NOON.plus_seconds(seconds),
            ..session(&cast(1), n)
        };
        let mut ended = with(3, "alpha", 3);
        ended = ended.ended(EndReason::TimeLimit, NOON).expect("lives");
        let all = [with(1, "Beta", 1), with(2, "alpha", 2), ended];
        let names = |order: SessionOrder| {
            let mut sessions = all.each_ref().map(SessionSummary::from);
            order.sort(&mut sessions);
            let ages = sessions.iter().map(|session| {
                let age = NOON.seconds_until(session.created_at);
                age.to_string()
            });
            ages.collect::<Vec<_>>().join(" ")
        };
        for (order, expected) in [
            (SessionOrder::Claimed, "3 2 1"),
            (SessionOrder::Cast, "3 2 1"),
            (SessionOrder::State, "2 1 3"),
            (SessionOrder::Ends, "3 2 1"),
        ] {
            assert_eq!(names(order), expected, "{order:?}");
        }
    }

    #[test]
    fn timeline_has_what_is_known_in_order() {
        let mut session = ready();
        if let Some(task) = &mut session.task {
            task.times.pulled = Some(NOON.plus_seconds(20));
            task.times.created = Some(NOON.plus_seconds(1));
        }
        let steps: Vec<_> = timeline(&session)
            .into_iter()
            .map(|(step, _)| step)
            .collect();
        assert_eq!(steps, ["claimed", "task-created", "image-pulled", "ready"]);
        assert!(steps.iter().all(|step| STEPS.contains(step)));
    }

    #[test]
    fn session_view_hides_secrets() {
        let text = view(&ready()).to_string();
        for word in ["endpoint", "environment", "MOOD", "secret"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        assert!(
            text.contains("2026-11-23T12:00:30Z") && text.contains("2026-11-23T13:00:30Z"),
            "{text}"
        );
    }
}
