//! Owns how long the sessions of an image take to start, and when a waiting page therefore asks
//! whether its session is ready. Must not know how pages ask.

use serde::{Deserialize, Serialize};

use crate::ids::ImageId;
use crate::record::Record;
use crate::session::PoolRole;
use crate::summary::SessionSummary;

/// So many of the last starts are kept.
const KEPT: usize = 21;
/// From this age on a page asks at this interval, in milliseconds.
const LONGEST_PAUSE: u32 = 5000;
/// The shortest pause between two questions, in milliseconds.
const SHORTEST_PAUSE: u32 = 250;

/// The last starts of an image, written by the hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartTimes {
    /// The image.
    pub id: ImageId,
    /// Grows with every change.
    pub version: u64,
    /// From claim to ready, in milliseconds, the newest last.
    pub starts: Vec<u32>,
}

impl Record for StartTimes {
    const KIND: &'static str = "start-times";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn version(&self) -> u64 {
        self.version
    }
}

impl StartTimes {
    /// An image that was never started.
    pub const fn none(id: ImageId) -> Self {
        Self {
            id,
            version: 0,
            starts: Vec::new(),
        }
    }

    /// The next version, with these starts behind the others.
    pub fn with(&self, starts: impl IntoIterator<Item = u32>) -> Self {
        let mut all: Vec<u32> = self.starts.iter().copied().chain(starts).collect();
        all.drain(..all.len().saturating_sub(KEPT));
        Self {
            id: self.id.clone(),
            version: self.version + 1,
            starts: all,
        }
    }

    /// How long a start usually takes, in milliseconds: the median.
    pub fn usual(&self) -> Option<u32> {
        let mut sorted = self.starts.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

/// How long this session took until it was ready, in milliseconds, since its start began; `None` if
/// it was not, or was started in advance.
pub fn start_of(session: &SessionSummary) -> Option<u32> {
    let in_advance = session
        .pooled
        .as_ref()
        .is_some_and(|pooled| pooled.role != PoolRole::Missed);
    let ready_at = session.ready_at.filter(|_| !in_advance)?;
    u32::try_from(ready_at.millis() - session.start_began().millis()).ok()
}

/// When a page asks, in milliseconds since the claim; the last interval repeats. Close together
/// around the usual time, if it is known; otherwise the less often the longer it takes.
pub fn questions(usual: Option<u32>) -> Vec<u32> {
    let mut times: Vec<u32> = Vec::new();
    if let Some(usual) = usual {
        for percent in [40, 75, 90, 100] {
            let time = u32::try_from(u64::from(usual) * percent / 100).unwrap_or(u32::MAX);
            if time
                >= times
                    .last()
                    .copied()
                    .unwrap_or(0)
                    .saturating_add(SHORTEST_PAUSE)
            {
                times.push(time);
            }
        }
    }
    let share = if usual.is_some() { 8 } else { 2 };
    loop {
        let age = times.last().copied().unwrap_or(0);
        let pause = (age / share).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        times.push(age.saturating_add(pause));
        if pause == LONGEST_PAUSE || times.len() > 60 {
            return times;
        }
    }
}

/// How often a page has asked at this age, in milliseconds.
pub fn asked_by(usual: Option<u32>, age: u32) -> usize {
    let times = questions(usual);
    let listed = times.iter().filter(|time| **time <= age).count();
    let beyond = age.saturating_sub(times.last().copied().unwrap_or(age));
    listed + (beyond / LONGEST_PAUSE) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::StagingId;
    use crate::session::{Endpoint, PoolMembership, Session};
    use crate::testing::{NOON, cast, session};

    #[test]
    fn median_follows_the_last_starts() {
        let none = StartTimes::none(ImageId::from_bytes([1; 16]));
        assert_eq!(none.usual(), None);
        let one = none.with([9000]);
        assert_eq!((one.usual(), one.version), (Some(9000), 1));
        let three = one.with([40_000, 30_000]);
        assert_eq!(
            three.usual(),
            Some(30_000),
            "an unusual one does not matter"
        );
        let faster = three.with([2000; KEPT]);
        assert_eq!(faster.starts, [2000; KEPT], "old ones are forgotten");
    }

    #[test]
    fn only_starts_that_a_visitor_waited_for_count() {
        let ready = |session: &Session| {
            let endpoint = Endpoint {
                host: "10.0.0.1".into(),
                port: 1,
            };
            let at = NOON.plus_seconds(7);
            session.ready(endpoint, at).expect("gets ready")
        };
        let claimed = session(&cast(1), 1);
        let of_pool = |role| Session {
            pooled: Some(PoolMembership::new(StagingId::from_bytes([1; 16]), role)),
            ..claimed.clone()
        };
        for (name, session, expected) in [
            ("not ready", claimed.clone(), None),
            ("ready", ready(&claimed), Some(7000)),
            (
                "no pool had one",
                ready(&of_pool(PoolRole::Missed)),
                Some(7000),
            ),
            ("in advance", ready(&of_pool(PoolRole::Assigned)), None),
            ("nobody's", ready(&of_pool(PoolRole::Waiting)), None),
        ] {
            assert_eq!(start_of(&(&session).into()), expected, "{name}");
        }
    }

    #[test]
    fn questions_are_asked_around_the_usual_time() {
        for (usual, seconds, expected) in [
            (None, 30, 13),
            (Some(30_000), 30, 4),
            (Some(57_000), 57, 4),
            (Some(2000), 2, 3),
            (Some(100), 1, 4),
            (Some(u32::MAX), 3600, 0),
        ] {
            let times = questions(usual);
            assert!(
                times.is_sorted_by(|a, b| a < b || *b == u32::MAX),
                "{usual:?}"
            );
            let asked = asked_by(usual, seconds * 1000);
            assert_eq!(asked, expected, "{usual:?}: {times:?}");
        }
        assert_eq!(
            questions(Some(30_000)),
            [
                12_000, 22_500, 27_000, 30_000, 33_750, 37_968, 42_714, 47_714
            ]
        );
    }
}
