//! Owns the delivery of one event to one hook: its states, its tries and when they are made. Must
//! not know how it is sent or stored.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::hook::{HookEvent, HookId};
use crate::time::Timestamp;

/// How long the sender waits after each failure before it tries again, in seconds, as Standard
/// Webhooks suggests: 5 seconds, 5 and 30 minutes, 2, 5, 10, 14, 20 and 24 hours.
pub const WAITS: [u64; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// So many percent are added to a wait at most, so that what failed together does not come back
/// together.
const MOST_JITTER_PERCENT: u64 = 10;
/// For how long a try is its sender's own, in seconds: longer than a try takes. Then another sender
/// makes the next one.
pub const LEASE_SECONDS: u64 = 60;
/// How long a delivery is kept after its event, in seconds (30 days).
pub const KEPT_SECONDS: u64 = 30 * 86_400;
/// How much is kept of a receiver's answer, in bytes.
pub const ANSWER_BYTES: usize = 1024;

/// The id of a delivery: the hook's, a dot and the event's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(String);

impl DeliveryId {
    fn of(hook: &HookId, event: &str) -> Self {
        Self(format!("{hook}.{event}"))
    }

    /// Reads an id; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let (hook, event) = text.split_once('.')?;
        HookId::parse(hook)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = (1..=100).contains(&event.len()) && event.bytes().all(is_plain);
        fits.then(|| Self(text.to_owned()))
    }

    /// Whose hook it goes to.
    pub fn hook(&self) -> Option<HookId> {
        HookId::parse(self.0.split_once('.')?.0)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    /// It will be tried, or tried again.
    Pending,
    /// The receiver has taken it.
    Delivered,
    /// Every try has failed.
    Failed,
    /// Its hook was switched off or paused when it was due.
    Stopped,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Failed, Self::Stopped];

    /// The state in one word, as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// A value as its text, so that it is stored with its fields in their order.
mod as_text {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(
        value: &Value,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        let text = String::deserialize(from)?;
        serde_json::from_str(&text).map_err(D::Error::custom)
    }
}

/// The last try of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// The receiver's HTTP status; `None` when it did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The beginning of its answer, or why there was none.
    #[serde(default)]
    pub answer: String,
}

impl Attempt {
    /// Whether the receiver has taken it.
    pub fn is_success(&self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }
}

/// One event on its way to one hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Follows from hook and event, so that no event is delivered under two ids.
    pub id: DeliveryId,
    /// Where to.
    pub hook: HookId,
    /// The event's id (`webhook-id`): the same at every try, and for every hook.
    pub event: String,
    /// What happened.
    pub kind: HookEvent,
    /// When.
    pub at: Timestamp,
    /// What the receiver gets; null until the first try of what is summed up later.
    #[serde(with = "as_text")]
    pub data: Value,
    /// Grows with every change.
    pub rev: u64,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried, since it was sent again last.
    #[serde(default)]
    pub attempts: u32,
    /// When it is tried next; `None` when it is done.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    /// What came of the last try.
    #[serde(default)]
    pub last: Option<Attempt>,
}

impl Delivery {
    /// A new one, due at once.
    pub fn new(hook: HookId, event: String, kind: HookEvent, at: Timestamp, data: Value) -> Self {
        Self {
            id: DeliveryId::of(&hook, &event),
            hook,
            event,
            kind,
            at,
            data,
            rev: 1,
            state: DeliveryState::Pending,
            attempts: 0,
            due_at: Some(at),
            last: None,
        }
    }

    /// The same, due later.
    #[must_use]
    pub fn due(self, at: Timestamp) -> Self {
        Self {
            due_at: Some(at),
            ..self
        }
    }

    /// Whether it waits for its first try, which is due since its event or since it was sent again.
    pub fn is_new(&self) -> bool {
        self.attempts == 0 && self.state == DeliveryState::Pending && !self.data.is_null()
    }

    /// When its row may be forgotten.
    pub const fn forgotten_at(&self) -> Timestamp {
        self.at.plus_seconds(KEPT_SECONDS)
    }

    /// A sender begins the next try; `None` when none is due.
    pub fn begun(&self, now: Timestamp) -> Option<Self> {
        let is_due = self.due_at.is_some_and(|due| due <= now);
        is_due.then(|| Self {
            rev: self.rev + 1,
            attempts: self.attempts + 1,
            due_at: Some(now.plus_seconds(LEASE_SECONDS)),
            ..self.clone()
        })
    }

    /// The try has ended so; `jitter` is a random byte.
    #[must_use]
    pub fn tried(&self, attempt: Attempt, now: Timestamp, jitter: u8) -> Self {
        let tries = usize::try_from(self.attempts).unwrap_or(usize::MAX);
        let wait = WAITS.get(tries.saturating_sub(1));
        let (state, due_at) = match wait {
            _ if attempt.is_success() => (DeliveryState::Delivered, None),
            Some(wait) => {
                let more = wait * MOST_JITTER_PERCENT * u64::from(jitter) / (100 * 255);
                (DeliveryState::Pending, Some(now.plus_seconds(wait + more)))
            }
            None => (DeliveryState::Failed, None),
        };
        Self {
            rev: self.rev + 1,
            state,
            due_at,
            last: Some(attempt),
            ..self.clone()
        }
    }

    /// It is not sent, because its hook is off.
    #[must_use]
    pub fn stopped(&self) -> Self {
        Self {
            rev: self.rev + 1,
            state: DeliveryState::Stopped,
            due_at: None,
            ..self.clone()
        }
    }

    /// An administrator sends it again, with all tries of a new one.
    #[must_use]
    pub fn replayed(&self, now: Timestamp) -> Self {
        Self {
            rev: self.rev + 1,
            state: DeliveryState::Pending,
            attempts: 0,
            due_at: Some(now),
            ..self.clone()
        }
    }

    fn document(&self) -> Value {
        json!({
            "type": self.kind.as_str(),
            "timestamp": self.at.to_string(),
            "data": self.data,
        })
    }

    /// The body, the same at every try.
    pub fn body(&self) -> String {
        self.document().to_string()
    }

    /// What an event bus gets: the body with the event's id, which a server gets in a header.
    pub fn detail(&self) -> String {
        let mut detail = self.document();
        detail["id"] = json!(self.event);
        detail.to_string()
    }
}

/// The beginning of an answer as it is kept: as text, without control characters.
pub fn kept_answer(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(ANSWER_BYTES)]);
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, cast};

    fn delivery() -> Delivery {
        let data = json!({"session": "s1"});
        Delivery::new(
            HookId::Deployment,
            "s1-claimed".into(),
            HookEvent::Claimed,
            NOON,
            data,
        )
    }

    fn attempt(status: Option<u16>, at: Timestamp) -> Attempt {
        Attempt {
            at,
            millis: 5,
            status,
            answer: String::new(),
        }
    }

    #[test]
    fn failed_delivery_waits_longer_each_time_and_gives_up() {
        for (jitter, percent) in [(0, 100), (255, 110)] {
            let (mut now, mut row) = (NOON, delivery());
            for wait in WAITS {
                row = row.begun(now).expect("is due");
                row = row.tried(attempt(Some(500), now), now, jitter);
                let due = now.plus_seconds(wait * percent / 100);
                assert_eq!((row.state, row.due_at), (DeliveryState::Pending, Some(due)));
                assert_eq!(row.begun(due.minus_seconds(1)), None, "not yet");
                now = due;
            }
            row = row.begun(now).expect("is due");
            row = row.tried(attempt(None, now), now, jitter);
            assert_eq!((row.state, row.due_at), (DeliveryState::Failed, None));
            assert_eq!(row.attempts, 10);
        }
    }

    #[test]
    fn success_is_any_status_of_the_200s() {
        let begun = delivery().begun(NOON).expect("is due");
        for (status, delivered) in [
            (Some(200), true),
            (Some(204), true),
            (Some(299), true),
            (Some(199), false),
            (Some(301), false),
            (Some(400), false),
            (Some(410), false),
            (Some(503), false),
            (None, false),
        ] {
            let after = begun.tried(attempt(status, NOON), NOON, 0);
            assert_eq!(
                after.state == DeliveryState::Delivered,
                delivered,
                "{status:?}"
            );
            assert_eq!(after.due_at.is_none(), delivered, "{status:?}");
        }
    }

    #[test]
    fn try_belongs_to_its_sender_until_the_lease_ends() {
        let begun = delivery().begun(NOON).expect("is due");
        assert_eq!(begun.begun(NOON.plus_seconds(LEASE_SECONDS - 1)), None);
        let again = begun.begun(NOON.plus_seconds(LEASE_SECONDS));
        assert_eq!(again.expect("is due").attempts, 2);
    }

    #[test]
    fn replay_sends_the_same_body_under_the_same_id() {
        let begun = delivery().begun(NOON).expect("is due");
        let done = begun.tried(attempt(Some(200), NOON), NOON, 0);
        assert_eq!(done.begun(NOON.plus_seconds(86_400)), None);
        let later = NOON.plus_seconds(3600);
        let again = done.replayed(later);
        assert!(again.is_new() && again.begun(later).is_some());
        assert_eq!((&again.event, again.body()), (&done.event, done.body()));
        let body = r#"{"type":"session.claimed","timestamp":"2026-11-23T12:00:00Z","data":{"session":"s1"}}"#;
        assert_eq!(again.body().len(), body.len(), "{}", again.body());
        assert_eq!(delivery().stopped().begun(later), None);
    }

    #[test]
    fn ids_of_deliveries_round_trip() {
        let of_link = DeliveryId::of(&HookId::Cast(cast(1).id), "saaa-ended");
        for id in [delivery().id, of_link] {
            assert_eq!(DeliveryId::parse(id.as_str()), Some(id.clone()));
        }
        for other in [
            "",
            "deployment",
            "deployment.",
            "c1.x",
            "deployment.a b",
            "deployment.a#b",
        ] {
            assert_eq!(DeliveryId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn answer_is_kept_as_short_plain_text() {
        for (name, body, kept) in [
            ("text", b"ok\nfine".to_vec(), "ok\nfine".to_owned()),
            (
                "escape sequences",
                b"\x1b[31mred".to_vec(),
                " [31mred".to_owned(),
            ),
            ("long", vec![b'a'; 5000], "a".repeat(ANSWER_BYTES)),
            ("no text", vec![0xff, b'a'], "\u{fffd}a".to_owned()),
        ] {
            assert_eq!(kept_answer(&body), kept, "{name}");
        }
    }
}
