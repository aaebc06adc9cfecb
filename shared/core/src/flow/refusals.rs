//! Owns the count of refused claims: kept in memory and handed out in batches, because a flood of refusals must cost next to nothing.
//! What a crash loses is the counts of a few seconds; no place, slot or session depends on them.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::denial::DenialCode;
use crate::ids::CastId;
use crate::ports::{RefusalCount, RefusalSample};
use crate::time::Timestamp;

/// A batch is handed out at most once in so many seconds; the first refusal after a quiet time at once.
const FLUSH_SECONDS: u64 = 10;
/// Samples kept for one reason in one batch.
const SAMPLES: usize = 5;
/// Kinds of refusal kept between two batches.
const KINDS: usize = 1000;

type Kind = (Option<CastId>, i64, DenialCode);

#[derive(Default)]
struct Pending {
    counts: HashMap<Kind, (u64, Vec<RefusalSample>)>,
    flushed_at: Option<Timestamp>,
}

/// The refusals that no row tells of yet.
#[derive(Default)]
pub(super) struct RefusalBook(Mutex<Pending>);

impl RefusalBook {
    /// Counts a refusal; returns a batch to be written when it is time.
    pub(super) fn note(
        &self,
        cast: Option<CastId>,
        code: DenialCode,
        sample: RefusalSample,
        now: Timestamp,
    ) -> Vec<RefusalCount> {
        let Ok(mut pending) = self.0.lock() else {
            return Vec::new();
        };
        let hour = now.seconds().div_euclid(3600) * 3600;
        let kind = (cast, hour, code);
        if pending.counts.len() < KINDS || pending.counts.contains_key(&kind) {
            let (count, samples) = pending.counts.entry(kind).or_default();
            *count += 1;
            if samples.len() < SAMPLES {
                samples.push(sample);
            }
        }
        if pending
            .flushed_at
            .is_some_and(|at| now < at.plus_seconds(FLUSH_SECONDS))
        {
            return Vec::new();
        }
        pending.flushed_at = Some(now);
        drain(&mut pending)
    }

    /// Everything that is still to be written.
    pub(super) fn drain(&self) -> Vec<RefusalCount> {
        self.0
            .lock()
            .map(|mut pending| drain(&mut pending))
            .unwrap_or_default()
    }
}

fn drain(pending: &mut Pending) -> Vec<RefusalCount> {
    let batch = pending.counts.drain();
    batch
        .map(|((cast_id, hour, code), (count, samples))| RefusalCount {
            cast_id,
            hour,
            code: code.as_str().to_owned(),
            count,
            samples,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Reference;
    use crate::testing::{NOON, SeededEntropy};

    fn note(book: &RefusalBook, now: Timestamp) -> Vec<RefusalCount> {
        let sample = RefusalSample {
            at: now,
            reference: Reference::draw(&SeededEntropy::new(1)),
            address: "a".into(),
            referrer: None,
        };
        book.note(None, DenialCode::UnknownCast, sample, now)
    }

    #[test]
    fn a_single_refusal_is_written_at_once_and_a_flood_in_batches() {
        let book = RefusalBook::default();
        assert_eq!(note(&book, NOON)[0].count, 1);
        for _ in 0..1000 {
            assert_eq!(note(&book, NOON.plus_seconds(1)), []);
        }
        let batch = note(&book, NOON.plus_seconds(10));
        assert_eq!(
            (batch.len(), batch[0].count, batch[0].samples.len()),
            (1, 1001, SAMPLES)
        );
        assert_eq!(book.drain(), []);
    }
}
