//! Owns the rule that the queue is served in order (FIFO), and that each entry has one turn.

use crate::cast::CastSettings;
use crate::denial::{Denial, DenialCode};
use crate::ids::SessionId;
use crate::time::Timestamp;
use crate::waiting_queue::{QueuePosition, WaitingQueue};

/// The waiting room as a visitor finds it.
#[derive(Clone, Copy, Debug)]
pub struct QueueView<'a> {
    /// The room.
    pub queue: &'a WaitingQueue,
    /// The place that is this visitor's, or would be.
    pub entry: &'a SessionId,
    /// Whether the visitor was given it before.
    pub held: bool,
}

/// Passes when the link has no waiting room, its queue is empty, or it is this visitor's turn.
///
/// # Errors
/// `Waiting` when others come first, `PlaceLost` for a place that is no more.
pub fn check(
    settings: &CastSettings,
    view: Option<QueueView<'_>>,
    now: Timestamp,
) -> Result<(), Denial> {
    let Some(QueueView { queue, entry, held }) = view.filter(|_| settings.waiting_room) else {
        return Ok(());
    };
    let waiting = || Err(Denial::retry(DenialCode::Waiting, 60));
    match queue.position(entry, now) {
        QueuePosition::Waiting(1) if !queue.is_paused(now) => Ok(()),
        QueuePosition::Waiting(_) => waiting(),
        QueuePosition::Served | QueuePosition::Absent if held => {
            super::refuse(DenialCode::PlaceLost)
        }
        QueuePosition::Served | QueuePosition::Absent if queue.waiting(now) == 0 => Ok(()),
        QueuePosition::Served | QueuePosition::Absent => waiting(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, cast};

    #[test]
    fn new_claims_do_not_overtake_the_queue() {
        let id = |n| SessionId::from_bytes([n; 16]);
        let empty = WaitingQueue::empty(cast(1).id);
        let two = empty
            .joined(&id(1), "1".into(), NOON)
            .and_then(|queue| queue.joined(&id(2), "2".into(), NOON))
            .expect("there is room");
        let held = two.returned(&id(9), &id(9), "3".into(), NOON);
        let served = two.served(&id(1), &id(1), "3".into(), NOON);
        let (waits, lost) = (Some(DenialCode::Waiting), Some(DenialCode::PlaceLost));
        for (name, on, queue, entry, has_place, seconds, expected) in [
            ("off", false, &two, 9, false, 0, None),
            ("nobody waits", true, &empty, 9, false, 0, None),
            ("others wait", true, &two, 9, false, 0, waits),
            ("the first", true, &two, 1, true, 0, None),
            (
                "the first, found by its claim",
                true,
                &two,
                1,
                false,
                0,
                None,
            ),
            ("the second", true, &two, 2, true, 0, waits),
            (
                "the first while there is no machine",
                true,
                &held,
                1,
                true,
                0,
                waits,
            ),
            ("and afterwards", true, &held, 1, true, 15, None),
            ("gone for more than a minute", true, &two, 1, true, 75, lost),
            (
                "others gone for more than a minute",
                true,
                &two,
                9,
                false,
                75,
                None,
            ),
            ("never there", true, &empty, 1, true, 0, lost),
            ("the same place once more", true, &served, 1, true, 0, lost),
            ("the next", true, &served, 2, true, 0, None),
        ] {
            let mut cast = cast(1);
            cast.settings.waiting_room = on;
            let entry = id(entry);
            let view = QueueView {
                queue,
                entry: &entry,
                held: has_place,
            };
            let found = check(&cast.settings, Some(view), NOON.plus_seconds(seconds))
                .err()
                .map(|denial| denial.code);
            assert_eq!(found, expected, "{name}");
        }
    }
}
