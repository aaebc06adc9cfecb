//! Owns the documents that are sent and answered, by the names that the OpenAPI document has for
//! them. Fields of later releases are ignored. Times are as `2027-01-01T00:00:00Z`.

use casting_protocol::ids::SessionId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a claim of a link needs (`Description`).
#[derive(Clone, Debug, Deserialize)]
pub struct Offer {
    /// The link's name.
    pub name: String,
    /// What a claim must bring besides the ticket: `login`, `captcha`, `consent` and others.
    pub needs: Vec<String>,
    /// The ticket for the claim; `None` where something else comes first, such as a login.
    pub ticket: Option<String>,
    /// In how many seconds the ticket expires.
    pub ticket_expires_in: Option<u64>,
    /// The address that the session opens; the visitor must agree to it.
    pub opens: Option<String>,
    /// Where to log in first.
    pub login_url: Option<String>,
    /// How many sessions are left: `none`, `few`, `some`, `many`.
    pub remaining: Option<String>,
    /// Until when the link works.
    pub valid_until: Option<String>,
}

/// What became of a claim.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Claimed {
    /// A session.
    Session(Accepted),
    /// A place in the link's queue, as the deployment describes it.
    Place(Value),
}

/// A claim that was accepted (`Accepted`).
#[derive(Clone, Debug, Deserialize)]
pub struct Accepted {
    /// The session.
    pub session_id: SessionId,
    /// Its token: whoever has it is the owner.
    pub session_token: String,
    /// Its state.
    pub state: State,
    /// Where its status is.
    pub status_url: String,
}

/// The state of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has a place; ECS may not know it yet.
    Reserved,
    /// Its task starts.
    Starting,
    /// It can be entered.
    Ready,
    /// It is about to end.
    Stopping,
    /// It is over.
    Ended,
}

/// How a session stands, for its owner (`Status`).
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// Its id.
    pub id: SessionId,
    /// Its state.
    pub state: State,
    /// Where it is entered, while it is ready.
    pub enter_url: Option<String>,
    /// Where its DevTools are asked for, while it is ready and has any.
    pub devtools_url: Option<String>,
    /// When its start is given up.
    pub ready_by: Option<String>,
    /// When its time limit ends it.
    pub ends_at: Option<String>,
    /// In how many seconds its queued start has its turn.
    pub starts_in: Option<u64>,
    /// Why it has ended.
    pub reason: Option<String>,
    /// Why it could not be started, as a code of problems.
    pub denial: Option<String>,
    /// In how many seconds another claim makes sense.
    pub retry_after: Option<u64>,
}

/// How the browser of a session is driven (`Devtools`).
#[derive(Clone, Debug, Deserialize)]
pub struct Devtools {
    /// The address for clients that ask there for the browser's WebSocket.
    pub url: String,
    /// The browser's WebSocket.
    pub websocket_url: String,
    /// The bearer token of both.
    pub token: String,
    /// When it expires at the latest.
    pub expires_at: String,
}

/// A page of a list.
#[derive(Clone, Debug, Deserialize)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The cursor of the next one; `None` on the last.
    pub next: Option<String>,
}

/// A link, for administrators (`Cast`): the fields that most programs need.
#[derive(Clone, Debug, Deserialize)]
pub struct Cast {
    /// Its id.
    pub id: String,
    /// Its version, over which it is changed.
    pub version: u64,
    /// Its name.
    pub name: String,
    /// Its key, the last part of its address.
    pub key: String,
    /// Its address.
    pub url: String,
    /// Whether it works.
    pub enabled: bool,
    /// Its image.
    pub image_id: String,
    /// Whether it has a limited number of sessions.
    pub limit_total_sessions: bool,
    /// How many of these are left; `None` where they are not limited.
    pub sessions_remaining: Option<u64>,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
}

/// A link to be made (`NewCast`); what is not said has its default.
#[derive(Clone, Debug, Serialize)]
pub struct NewCast {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image_id: String,
    /// Further fields, by the names in the OpenAPI document.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl NewCast {
    /// A link of this name to this image.
    pub fn new(name: impl Into<String>, image_id: impl Into<String>) -> Self {
        let (name, image_id) = (name.into(), image_id.into());
        Self {
            name,
            image_id,
            fields: Map::new(),
        }
    }

    /// The same with another field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }
}

/// A session, for administrators (`Session`): the fields that most programs need.
#[derive(Clone, Debug, Deserialize)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// The reference that its visitor quotes.
    pub reference: String,
    /// Its state.
    pub state: State,
    /// The name of its link.
    pub cast_name: String,
    /// The name of its image.
    pub image_name: String,
    /// Why it has ended.
    pub reason: Option<String>,
    /// When it was claimed.
    pub created_at: String,
    /// When it was ready.
    pub ready_at: Option<String>,
    /// When it was first entered.
    pub entered_at: Option<String>,
    /// When its time limit ends it.
    pub ends_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
}
