//! Owns the waiting room of a link: who waits in which order, whose turn it is, and how long that may take. Must not know how it is stored.
//!
//! A place is a number in a row, and its holder's last sign of life. Every change but such a sign makes a new stamp, so that a decision is never
//! written over a room that it did not see.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{CastId, SessionId};
use crate::time::Timestamp;

/// Whoever has given no sign of life for so many seconds has lost their place. A little more than a minute, because browsers let a page that is
/// not looked at act only once a minute.
pub const GONE_SECONDS: u64 = 75;
/// How long a place is remembered after it was served, in seconds, to give it back when the session could not be started.
const SERVED_SECONDS: u64 = 120;
/// How many may wait for one link at once.
pub const MOST_PLACES: usize = 200;
/// How long nobody is served after a start that found no machine, in seconds.
pub const HOLD_SECONDS: u64 = 15;
/// As many admissions are remembered, to estimate from.
const ADMISSIONS: usize = 20;
/// With fewer admissions than this nothing can be said.
const FEWEST_ADMISSIONS: usize = 3;

/// Everybody who waits for one link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// The link.
    pub cast: CastId,
    /// Another text after every change but a sign of life; empty for a room that was never entered.
    pub stamp: String,
    /// The number that the next place gets.
    pub next: u64,
    /// Who waits, and who was served a moment ago. A place is named like the session of the claim that first came for it.
    pub places: BTreeMap<SessionId, Place>,
    /// When places were served lately while somebody waited all the time, the oldest first.
    pub admitted: Vec<Timestamp>,
    /// Nobody is served before this time.
    pub hold_until: Option<Timestamp>,
}

/// One place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Smaller numbers come first.
    pub number: u64,
    /// The holder's last sign of life.
    pub seen_at: Timestamp,
    /// The claim that it was given up for.
    #[serde(default)]
    pub served: Option<SessionId>,
}

/// How one who may have a place stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Waits; 1 is next.
    Waits(usize),
    /// Had its turn.
    Served,
    /// Has no place, or no longer.
    Nobody,
}

impl Place {
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

impl Room {
    /// A room that was never entered.
    pub const fn empty(cast: CastId) -> Self {
        Self {
            cast,
            stamp: String::new(),
            next: 1,
            places: BTreeMap::new(),
            admitted: Vec::new(),
            hold_until: None,
        }
    }

    /// How many wait.
    pub fn waiting(&self, now: Timestamp) -> usize {
        self.places
            .values()
            .filter(|place| place.is_there(now))
            .count()
    }

    /// How the one with this place stands.
    pub fn standing(&self, id: &SessionId, now: Timestamp) -> Standing {
        match self.places.get(id) {
            Some(place) if place.served.is_some() => Standing::Served,
            Some(place) if place.is_there(now) => {
                let before = self
                    .places
                    .values()
                    .filter(|other| other.is_there(now) && other.number < place.number)
                    .count();
                Standing::Waits(before + 1)
            }
            _ => Standing::Nobody,
        }
    }

    /// Whether nobody is served for the moment.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.hold_until.is_some_and(|until| now < until)
    }

    /// In how many seconds the one at this position may be served, by how long the last ones took; `None` while that cannot be said.
    pub fn estimate(&self, position: usize, now: Timestamp) -> Option<u64> {
        let (first, last) = (self.admitted.first()?, self.admitted.last()?);
        let count = i64::try_from(self.admitted.len())
            .ok()
            .filter(|_| self.admitted.len() >= FEWEST_ADMISSIONS)?;
        let between = (last.millis() - first.millis()) / (count - 1);
        // When nobody has been served for longer than usual, that counts too.
        let until_now = (now.millis() - first.millis()) / count;
        let millis = between
            .max(until_now)
            .max(0)
            .saturating_mul(i64::try_from(position).ok()?);
        u64::try_from(millis)
            .ok()
            .map(|millis| millis.div_ceil(1000))
    }

    /// The room after somebody came in; the same place again is only seen again. `None` when the room is full.
    pub fn joined(&self, id: &SessionId, stamp: String, now: Timestamp) -> Option<Self> {
        let mut room = self.pruned(stamp, now);
        if room.waiting(now) == 0 {
            // How long others took before nobody waited says nothing about now.
            room.admitted.clear();
        }
        if let Some(place) = room.places.get_mut(id) {
            place.seen_at = now;
            return Some(room);
        }
        if room.waiting(now) >= MOST_PLACES {
            return None;
        }
        room.places.insert(
            id.clone(),
            Place {
                number: room.next,
                seen_at: now,
                served: None,
            },
        );
        room.next += 1;
        Some(room)
    }

    /// The room after a place was given up for this claim.
    #[must_use]
    pub fn served(&self, id: &SessionId, claim: &SessionId, stamp: String, now: Timestamp) -> Self {
        let mut room = self.pruned(stamp, now);
        if let Some(place) = room
            .places
            .get_mut(id)
            .filter(|place| place.served.is_none())
        {
            (place.served, place.seen_at) = (Some(claim.clone()), now);
            room.admitted.push(now);
            let surplus = room.admitted.len().saturating_sub(ADMISSIONS);
            room.admitted.drain(..surplus);
        }
        room
    }

    /// The room after the session that this claim was given could not be started: the place is what it was, and nobody is served for a while.
    #[must_use]
    pub fn returned(
        &self,
        id: &SessionId,
        claim: &SessionId,
        stamp: String,
        now: Timestamp,
    ) -> Self {
        let mut room = self.pruned(stamp, now);
        if let Some(place) = room
            .places
            .get_mut(id)
            .filter(|place| place.served.as_ref() == Some(claim))
        {
            (place.served, place.seen_at) = (None, now);
            room.admitted.pop();
        }
        room.hold(now);
        room
    }

    /// Nobody is served for a while, because there is no machine.
    pub const fn hold(&mut self, now: Timestamp) {
        self.hold_until = Some(now.plus_seconds(HOLD_SECONDS));
    }

    /// The room after somebody left.
    #[must_use]
    pub fn left(&self, id: &SessionId, stamp: String, now: Timestamp) -> Self {
        let mut room = self.pruned(stamp, now);
        room.places.remove(id);
        room
    }

    /// The room after a sign of life. The stamp stays: nothing that anybody decided on has changed.
    #[must_use]
    pub fn touched(&self, id: &SessionId, now: Timestamp) -> Self {
        let mut room = self.clone();
        if let Some(place) = room.places.get_mut(id).filter(|place| place.is_there(now)) {
            place.seen_at = now;
        }
        room
    }

    /// The room without those who are gone.
    #[must_use]
    pub fn pruned(&self, stamp: String, now: Timestamp) -> Self {
        let mut room = Self {
            stamp,
            ..self.clone()
        };
        room.places.retain(|_, place| !place.is_over(now));
        room
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

    /// A room that these came into, one a second.
    fn room(of: &[u8]) -> Room {
        let mut room = Room::empty(CastId::from_bytes([1; 16]));
        for (second, n) in of.iter().enumerate() {
            room = room
                .joined(&id(*n), format!("{second}"), at(second as u64))
                .expect("there is room");
        }
        room
    }

    fn standings(room: &Room, now: Timestamp) -> [Standing; 3] {
        [1, 2, 3].map(|n| room.standing(&id(n), now))
    }

    #[test]
    fn queue_is_fifo_and_every_change_moves_the_version() {
        use Standing::{Nobody, Served, Waits};
        let full = room(&[1, 2, 3]);
        let stamp = || "new".to_owned();
        for (name, changed, now, expected) in [
            (
                "three came",
                full.clone(),
                at(3),
                [Waits(1), Waits(2), Waits(3)],
            ),
            (
                "one came again",
                full.joined(&id(1), stamp(), at(3)).expect("there is room"),
                at(3),
                [Waits(1), Waits(2), Waits(3)],
            ),
            (
                "the first was served",
                full.served(&id(1), &id(1), stamp(), at(3)),
                at(3),
                [Served, Waits(1), Waits(2)],
            ),
            (
                "a stranger was served",
                full.served(&id(9), &id(9), stamp(), at(3)),
                at(3),
                [Waits(1), Waits(2), Waits(3)],
            ),
            (
                "the second left",
                full.left(&id(2), stamp(), at(3)),
                at(3),
                [Waits(1), Nobody, Waits(2)],
            ),
            (
                "the first is gone for long",
                full.clone(),
                at(75),
                [Nobody, Waits(1), Waits(2)],
            ),
            (
                "just not yet",
                full.clone(),
                at(74),
                [Waits(1), Waits(2), Waits(3)],
            ),
            (
                "the first was seen again",
                full.touched(&id(1), at(30)),
                at(76),
                [Waits(1), Nobody, Waits(2)],
            ),
            (
                "too late",
                full.touched(&id(1), at(75)),
                at(75),
                [Nobody, Waits(1), Waits(2)],
            ),
            (
                "all are gone",
                full.pruned(stamp(), at(80)),
                at(80),
                [Nobody, Nobody, Nobody],
            ),
            (
                "gone and come again",
                full.joined(&id(1), stamp(), at(75)).expect("there is room"),
                at(75),
                [Waits(3), Waits(1), Waits(2)],
            ),
        ] {
            assert_eq!(standings(&changed, now), expected, "{name}");
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
        let served = room(&[1, 2]).served(&id(1), &id(7), stamp(), at(5));
        for (name, claim, first, holds) in [
            ("its claim", 7, Standing::Waits(1), true),
            ("another claim", 8, Standing::Served, true),
        ] {
            let back = served.returned(&id(1), &id(claim), stamp(), at(6));
            assert_eq!(
                (back.standing(&id(1), at(6)), back.holds(at(6))),
                (first, holds),
                "{name}"
            );
            assert!(back.holds(at(20)) && !back.holds(at(21)), "{name}");
        }
        assert_eq!(
            served.pruned(stamp(), at(124)).standing(&id(1), at(124)),
            Standing::Served,
            "remembered for two minutes"
        );
        assert_eq!(
            served.pruned(stamp(), at(125)).standing(&id(1), at(125)),
            Standing::Nobody
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
            let room = Room {
                admitted,
                ..room(&[1])
            };
            assert_eq!(room.estimate(position, at(now)), expected, "{name}");
        }
    }

    #[test]
    fn admissions_before_an_empty_queue_are_ignored() {
        let mut room = room(&[1, 2, 3, 4]);
        for n in 1..=4 {
            room = room.served(&id(n), &id(n), String::new(), at(10));
        }
        assert_eq!(room.admitted.len(), 4);
        assert!(
            room.joined(&id(5), String::new(), at(11))
                .expect("there is room")
                .admitted
                .is_empty()
        );
    }

    #[test]
    fn queue_has_a_limit_and_frees_abandoned_entries() {
        let mut room = Room::empty(CastId::from_bytes([1; 16]));
        for n in 0..=u8::try_from(MOST_PLACES - 1).expect("fits") {
            room = room
                .joined(&id(n), String::new(), at(0))
                .expect("there is room");
        }
        assert_eq!(room.joined(&id(250), String::new(), at(1)), None);
        assert_eq!(
            room.joined(&id(0), String::new(), at(1))
                .expect("is in it already")
                .waiting(at(1)),
            MOST_PLACES
        );
        let later = room
            .joined(&id(250), String::new(), at(75))
            .expect("all others are gone");
        assert_eq!(later.standing(&id(250), at(75)), Standing::Waits(1));
        assert_eq!(
            later.places[&id(250)].number,
            MOST_PLACES as u64 + 1,
            "no number is given twice"
        );
    }
}
