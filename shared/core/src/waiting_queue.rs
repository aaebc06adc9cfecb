//! Owns the waiting queue of a link: who waits in which order, whose turn it is, and how long that
//! may take. Must not know how it is stored.
//!
//! An entry is a number in a row, and its holder's last sign of life. Every change but such a sign
//! makes a new stamp, so that a decision is never written over a queue that it did not see.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{CastId, SessionId};
use crate::time::Timestamp;

/// After so many seconds without a poll an entry is lost. A little more than a minute, because
/// browsers let a background page run only once a minute.
pub const GONE_SECONDS: u64 = 75;
/// How long an entry is remembered after it was served, in seconds, to give it back when the
/// session could not be started.
const SERVED_SECONDS: u64 = 120;
/// How many may wait for one link at once.
pub const MAX_ENTRIES: usize = 200;
/// How long the queue pauses after a start that found no machine, in seconds.
pub const PAUSE_SECONDS: u64 = 15;
/// As many admissions are remembered, to estimate from.
const ADMISSIONS: usize = 20;
/// With fewer admissions than this nothing can be said.
const FEWEST_ADMISSIONS: usize = 3;

/// The queue of one link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingQueue {
    /// The link.
    pub cast: CastId,
    /// Another text after every change but a sign of life; empty for a queue that was never
    /// entered.
    pub stamp: String,
    /// The number that the next entry gets.
    pub next: u64,
    /// Who waits, and who was served a moment ago. An entry is named like the session of the claim
    /// that first came for it.
    pub places: BTreeMap<SessionId, QueueEntry>,
    /// The times of the last served entries while others waited, the oldest first.
    pub admitted: Vec<Timestamp>,
    /// The queue pauses until this time.
    #[serde(rename = "hold_until")]
    pub paused_until: Option<Timestamp>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueEntry {
    /// Smaller numbers come first.
    pub number: u64,
    /// The holder's last sign of life.
    pub seen_at: Timestamp,
    /// The claim that it was given up for.
    #[serde(default)]
    pub served: Option<SessionId>,
}

/// The position of a visitor in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueuePosition {
    /// Waits; 1 is next.
    Waiting(usize),
    /// Had its turn.
    Served,
    /// Has no entry, or no longer.
    Absent,
}

impl QueueEntry {
    fn is_there(&self, now: Timestamp) -> bool {
        self.served.is_none() && now < self.seen_at.plus_seconds(GONE_SECONDS)
    }

    fn is_over(&self, now: Timestamp) -> bool {
        let seconds = if self.served.is_some() {
            SERVED_SECONDS
        } else {
            GONE_SECONDS
        };
        now >= self.seen_at.plus_seconds(seconds)
    }
}

impl WaitingQueue {
    /// A queue that was never entered.
    pub const fn empty(cast: CastId) -> Self {
        Self {
            cast,
            stamp: String::new(),
            next: 1,
            places: BTreeMap::new(),
            admitted: Vec::new(),
            paused_until: None,
        }
    }

    /// How many wait.
    pub fn waiting(&self, now: Timestamp) -> usize {
        self.places
            .values()
            .filter(|entry| entry.is_there(now))
            .count()
    }

    /// The position of this entry.
    pub fn position(&self, id: &SessionId, now: Timestamp) -> QueuePosition {
        match self.places.get(id) {
            Some(entry) if entry.served.is_some() => QueuePosition::Served,
            Some(entry) if entry.is_there(now) => {
                let before = self
                    .places
                    .values()
                    .filter(|other| other.is_there(now) && other.number < entry.number)
                    .count();
                QueuePosition::Waiting(before + 1)
            }
            _ => QueuePosition::Absent,
        }
    }

    /// Whether the queue is paused.
    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.paused_until.is_some_and(|until| now < until)
    }

    /// In how many seconds the one at this position may be served, by how long the last ones took;
    /// `None` while that cannot be said.
    pub fn estimate(&self, position: usize, now: Timestamp) -> Option<u64> {
        let (first, last) = (self.admitted.first()?, self.admitted.last()?);
        let count = i64::try_from(self.admitted.len())
            .ok()
            .filter(|_| self.admitted.len() >= FEWEST_ADMISSIONS)?;
        let between = (last.millis() - first.millis()) / (count - 1);
        // A longer time than usual without a served entry counts too.
        let until_now = (now.millis() - first.millis()) / count;
        let millis = between
            .max(until_now)
            .max(0)
            .saturating_mul(i64::try_from(position).ok()?);
        u64::try_from(millis)
            .ok()
            .map(|millis| millis.div_ceil(1000))
    }

    /// The queue with a new entry; an entry that exists is marked as seen. `None` when the queue is
    /// full.
    pub fn joined(&self, id: &SessionId, stamp: String, now: Timestamp) -> Option<Self> {
        let mut queue = self.pruned(stamp, now);
        if queue.waiting(now) == 0 {
            // Times from before the queue was empty say nothing about now.
            queue.admitted.clear();
        }
        if let Some(entry) = queue.places.get_mut(id) {
            entry.seen_at = now;
            return Some(queue);
        }
        if queue.waiting(now) >= MAX_ENTRIES {
            return None;
        }
        queue.places.insert(
            id.clone(),
            QueueEntry {
                number: queue.next,
                seen_at: now,
                served: None,
            },
        );
        queue.next += 1;
        Some(queue)
    }

    /// The queue after an entry was given up for this claim.
    #[must_use]
    pub fn served(&self, id: &SessionId, claim: &SessionId, stamp: String, now: Timestamp) -> Self {
        let mut queue = self.pruned(stamp, now);
        if let Some(entry) = queue
            .places
            .get_mut(id)
            .filter(|entry| entry.served.is_none())
        {
            (entry.served, entry.seen_at) = (Some(claim.clone()), now);
            queue.admitted.push(now);
            let surplus = queue.admitted.len().saturating_sub(ADMISSIONS);
            queue.admitted.drain(..surplus);
        }
        queue
    }

    /// The queue after this claim's session could not be started: the entry is kept, and the queue
    /// pauses.
    #[must_use]
    pub fn returned(
        &self,
        id: &SessionId,
        claim: &SessionId,
        stamp: String,
        now: Timestamp,
    ) -> Self {
        let mut queue = self.pruned(stamp, now);
        if let Some(entry) = queue
            .places
            .get_mut(id)
            .filter(|entry| entry.served.as_ref() == Some(claim))
        {
            (entry.served, entry.seen_at) = (None, now);
            queue.admitted.pop();
        }
        queue.pause(now);
        queue
    }

    /// Pauses the queue, because no machine is available.
    pub const fn pause(&mut self, now: Timestamp) {
        self.paused_until = Some(now.plus_seconds(PAUSE_SECONDS));
    }

    /// The queue without this entry.
    #[must_use]
    pub fn left(&self, id: &SessionId, stamp: String, now: Timestamp) -> Self {
        let mut queue = self.pruned(stamp, now);
        queue.places.remove(id);
        queue
    }

    /// The queue after a heartbeat. The stamp stays: no decision depends on what changed.
    #[must_use]
    pub fn touched(&self, id: &SessionId, now: Timestamp) -> Self {
        let mut queue = self.clone();
        if let Some(entry) = queue.places.get_mut(id).filter(|entry| entry.is_there(now)) {
            entry.seen_at = now;
        }
        queue
    }

    /// The queue without those who are gone.
    #[must_use]
    pub fn pruned(&self, stamp: String, now: Timestamp) -> Self {
        let mut queue = Self {
            stamp,
            ..self.clone()
        };
        queue.places.retain(|_, entry| !entry.is_over(now));
        queue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;

    fn id(n: u8) -> SessionId {
        SessionId::from_bytes([n; 16])
    }

    fn at(seconds: u64) -> Timestamp {
        NOON.plus_seconds(seconds)
    }

    /// A queue that these came into, one a second.
    fn queue(of: &[u8]) -> WaitingQueue {
        let mut queue = WaitingQueue::empty(CastId::from_bytes([1; 16]));
        for (second, n) in of.iter().enumerate() {
            queue = queue
                .joined(&id(*n), format!("{second}"), at(second as u64))
                .expect("there is room");
        }
        queue
    }

    fn positions(queue: &WaitingQueue, now: Timestamp) -> [QueuePosition; 3] {
        [1, 2, 3].map(|n| queue.position(&id(n), now))
    }

    #[test]
    fn queue_is_fifo_and_every_change_moves_the_version() {
        use QueuePosition::{Absent, Served, Waiting};
        let full = queue(&[1, 2, 3]);
        let stamp = || "new".to_owned();
        for (name, changed, now, expected) in [
            (
                "three came",
                full.clone(),
                at(3),
                [Waiting(1), Waiting(2), Waiting(3)],
            ),
            (
                "one came again",
                full.joined(&id(1), stamp(), at(3)).expect("there is room"),
                at(3),
                [Waiting(1), Waiting(2), Waiting(3)],
            ),
            (
                "the first was served",
                full.served(&id(1), &id(1), stamp(), at(3)),
                at(3),
                [Served, Waiting(1), Waiting(2)],
            ),
            (
                "a stranger was served",
                full.served(&id(9), &id(9), stamp(), at(3)),
                at(3),
                [Waiting(1), Waiting(2), Waiting(3)],
            ),
            (
                "the second left",
                full.left(&id(2), stamp(), at(3)),
                at(3),
                [Waiting(1), Absent, Waiting(2)],
            ),
            (
                "the first is gone for long",
                full.clone(),
                at(75),
                [Absent, Waiting(1), Waiting(2)],
            ),
            (
                "just not yet",
                full.clone(),
                at(74),
                [Waiting(1), Waiting(2), Waiting(3)],
            ),
            (
                "the first was seen again",
                full.touched(&id(1), at(30)),
                at(76),
                [Waiting(1), Absent, Waiting(2)],
            ),
            (
                "too late",
                full.touched(&id(1), at(75)),
                at(75),
                [Absent, Waiting(1), Waiting(2)],
            ),
            (
                "all are gone",
                full.pruned(stamp(), at(80)),
                at(80),
                [Absent, Absent, Absent],
            ),
            (
                "gone and come again",
                full.joined(&id(1), stamp(), at(75)).expect("there is room"),
                at(75),
                [Waiting(3), Waiting(1), Waiting(2)],
            ),
        ] {
            assert_eq!(positions(&changed, now), expected, "{name}");
            let moved = changed.places.keys().ne(full.places.keys()) || changed.stamp == "new";
            assert_eq!(
                changed.stamp != full.stamp,
                moved && changed.stamp == "new",
                "{name}"
            );
        }
    }

    #[test]
    fn entry_of_a_failed_start_is_restored() {
        let stamp = || "new".to_owned();
        let served = queue(&[1, 2]).served(&id(1), &id(7), stamp(), at(5));
        for (name, claim, first, is_paused) in [
            ("its claim", 7, QueuePosition::Waiting(1), true),
            ("another claim", 8, QueuePosition::Served, true),
        ] {
            let back = served.returned(&id(1), &id(claim), stamp(), at(6));
            assert_eq!(
                (back.position(&id(1), at(6)), back.is_paused(at(6))),
                (first, is_paused),
                "{name}"
            );
            assert!(back.is_paused(at(20)) && !back.is_paused(at(21)), "{name}");
        }
        assert_eq!(
            served.pruned(stamp(), at(124)).position(&id(1), at(124)),
            QueuePosition::Served,
            "remembered for two minutes"
        );
        assert_eq!(
            served.pruned(stamp(), at(125)).position(&id(1), at(125)),
            QueuePosition::Absent
        );
    }

    #[test]
    fn estimate_needs_recent_admissions() {
        for (name, admitted, now, position, expected) in [
            ("nobody", vec![], 100, 1, None),
            ("too few", vec![0, 10], 20, 1, None),
            ("one in ten seconds", vec![0, 10, 20], 20, 3, Some(30)),
            ("nobody for a long time", vec![0, 10, 20], 300, 1, Some(100)),
            ("all at once", vec![5, 5, 5], 5, 2, Some(0)),
        ] {
            let admitted = admitted.into_iter().map(at).collect();
            let queue = WaitingQueue {
                admitted,
                ..queue(&[1])
            };
            assert_eq!(queue.estimate(position, at(now)), expected, "{name}");
        }
    }

    #[test]
    fn admissions_before_an_empty_queue_are_ignored() {
        let mut queue = queue(&[1, 2, 3, 4]);
        for n in 1..=4 {
            queue = queue.served(&id(n), &id(n), String::new(), at(10));
        }
        assert_eq!(queue.admitted.len(), 4);
        assert!(
            queue
                .joined(&id(5), String::new(), at(11))
                .expect("there is room")
                .admitted
                .is_empty()
        );
    }

    #[test]
    fn queue_has_a_limit_and_frees_abandoned_entries() {
        let mut queue = WaitingQueue::empty(CastId::from_bytes([1; 16]));
        for n in 0..=u8::try_from(MAX_ENTRIES - 1).expect("fits") {
            queue = queue
                .joined(&id(n), String::new(), at(0))
                .expect("there is room");
        }
        assert_eq!(queue.joined(&id(250), String::new(), at(1)), None);
        assert_eq!(
            queue
                .joined(&id(0), String::new(), at(1))
                .expect("is in it already")
                .waiting(at(1)),
            MAX_ENTRIES
        );
        let later = queue
            .joined(&id(250), String::new(), at(75))
            .expect("all others are gone");
        assert_eq!(later.position(&id(250), at(75)), QueuePosition::Waiting(1));
        assert_eq!(
            later.places[&id(250)].number,
            MAX_ENTRIES as u64 + 1,
            "no number is given twice"
        );
    }
}
