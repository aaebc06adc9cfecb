//! Owns the records of refused claims: how they are counted and written, and how one is found by
//! its reference.
//!
//! A reference encodes reason, time and link (see [`crate::reference`]), so it is found without a
//! row. Rows hold the counts of each hour and a few samples with details. They are written before
//! the visitor is answered, because a function may be frozen or ended right after that; at most
//! [`BURST`] writes at once and one every [`REFILL_SECONDS`] seconds for each process, and in a
//! flood one for every [`BATCH`] refusals. Further counts wait in memory for the next visitor of
//! the process, so a process that ends in the middle of a flood loses fewer than [`BATCH`] of them.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::ControlPlane;
use crate::denial::DenialCode;
use crate::hourly_stats::{HOUR_SECONDS, hour_of};
use crate::ids::{CastId, Reference};
use crate::ports::{Fault, FaultKind, RefusalCount, RefusalSample};
use crate::reference::{self, RefusalFacts};
use crate::time::Timestamp;

/// Writes that a process may make at once after an idle time.
const BURST: u64 = 10;
/// One more write is allowed after so many seconds.
const REFILL_SECONDS: u64 = 10;
/// The number of refusals that justifies a write of its own.
const BATCH: u64 = 100;
/// The shortest time between two writes of a flood, in seconds.
const PACE_SECONDS: u64 = 1;
/// Samples kept for one reason in one batch.
const SAMPLES: usize = 5;
/// Kinds of refusal kept between two batches.
const KINDS: usize = 1000;
/// Rows of one hour that are searched for the link of a reference.
const SEARCHED_ROWS: u32 = 1000;

type Kind = (Option<CastId>, i64, DenialCode);

#[derive(Default)]
struct Pending {
    counts: HashMap<Kind, (u64, Vec<RefusalSample>)>,
    total: u64,
    /// When all writes so far would have been allowed again.
    paid_until: Option<Timestamp>,
    written_at: Option<Timestamp>,
}

/// The refusals that are not written yet.
#[derive(Default)]
pub(super) struct RefusalBuffer {
    pending: Mutex<Pending>,
    drawn: AtomicU32,
}

impl RefusalBuffer {
    /// A buffer whose references are numbered from `first`, so that two processes rarely issue the
    /// same one.
    pub(super) fn numbered_from(first: u32) -> Self {
        Self {
            pending: Mutex::default(),
            drawn: AtomicU32::new(first),
        }
    }

    /// The number of the next reference.
    fn next_number(&self) -> u32 {
        self.drawn.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a refusal; returns a batch when it is time to write one.
    pub(super) fn note(
        &self,
        cast: Option<CastId>,
        code: DenialCode,
        sample: RefusalSample,
        now: Timestamp,
    ) -> Vec<RefusalCount> {
        let Ok(mut pending) = self.pending.lock() else {
            return Vec::new();
        };
        let kind = (cast, hour_of(now), code);
        pending.add(kind, 1, std::iter::once(sample));
        let allowed = pending.allows(now);
        let flood = pending.total >= BATCH
            && pending
                .written_at
                .is_none_or(|at| now >= at.plus_seconds(PACE_SECONDS));
        if allowed || flood {
            pending.drain(now)
        } else {
            Vec::new()
        }
    }

    /// The pending batch, if a write is allowed now.
    pub(super) fn due(&self, now: Timestamp) -> Vec<RefusalCount> {
        self.pending
            .lock()
            .ok()
            .filter(|pending| pending.total > 0 && pending.allows(now))
            .map(|mut pending| pending.drain(now))
            .unwrap_or_default()
    }

    /// Everything that is still pending.
    pub(super) fn drain(&self, now: Timestamp) -> Vec<RefusalCount> {
        self.pending
            .lock()
            .map(|mut pending| pending.drain(now))
            .unwrap_or_default()
    }

    /// Merges back a batch that was not written.
    fn restore(&self, batch: Vec<RefusalCount>) {
        let Ok(mut pending) = self.pending.lock() else {
            return;
        };
        for row in batch {
            if let Some(code) = DenialCode::parse(&row.code) {
                pending.add((row.cast_id, row.hour, code), row.count, row.samples);
            }
        }
    }
}

impl Pending {
    fn add(&mut self, kind: Kind, count: u64, new: impl IntoIterator<Item = RefusalSample>) {
        if self.counts.len() >= KINDS && !self.counts.contains_key(&kind) {
            return;
        }
        let (counted, samples) = self.counts.entry(kind).or_default();
        *counted += count;
        let room = SAMPLES.saturating_sub(samples.len());
        samples.extend(new.into_iter().take(room));
        self.total += count;
    }

    /// Whether another write is allowed (token bucket): each one takes [`REFILL_SECONDS`], and
    /// [`BURST`] of them may be ahead of time.
    fn allows(&self, now: Timestamp) -> bool {
        let ahead = self.paid_until.map_or(0, |until| now.seconds_until(until));
        ahead <= (BURST - 1) * REFILL_SECONDS
    }

    /// Takes the pending batch. Nothing pending means no write, and uses up none.
    fn drain(&mut self, now: Timestamp) -> Vec<RefusalCount> {
        if self.total == 0 {
            return Vec::new();
        }
        if self.allows(now) {
            let from = self.paid_until.map_or(now, |until| until.max(now));
            self.paid_until = Some(from.plus_seconds(REFILL_SECONDS));
        }
        self.written_at = Some(now);
        self.total = 0;
        let batch = self.counts.drain();
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
}

/// A refusal, found by its reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRefusal {
    /// The content of the reference.
    pub facts: RefusalFacts,
    /// The links whose ids begin as in the reference: one, in rare cases several. None when it
    /// names no link, or a deleted one.
    pub casts: Vec<CastId>,
    /// The details, if it was sampled.
    pub sample: Option<RefusalSample>,
}

impl ControlPlane {
    /// A reference for a refusal at this moment.
    pub fn draw_reference(&self, code: DenialCode, cast: Option<&CastId>) -> Reference {
        let number = self.refusals.next_number();
        reference::seal(code, cast, self.clock.now(), number, &self.keys)
    }

    /// Writes all pending refusals; a process that ends in order calls it last.
    ///
    /// # Errors
    /// When the store does not accept them.
    pub async fn flush(&self) -> Result<(), Fault> {
        let batch = self.refusals.drain(self.clock.now());
        self.write_refusals(batch).await
    }

    /// Writes the pending batch, if there is one and a write is allowed now. Called for every
    /// visitor, and by a timer where there is one.
    pub async fn settle_refusals(&self) {
        let batch = self.refusals.due(self.clock.now());
        if let Err(fault) = self.write_refusals(batch).await {
            tracing::warn!(%fault, "Could not write refusal counts");
        }
    }

    /// Writes a batch. It is kept for the next write if certainly nothing was written.
    pub(super) async fn write_refusals(&self, batch: Vec<RefusalCount>) -> Result<(), Fault> {
        if batch.is_empty() {
            return Ok(());
        }
        let written = self.store.add_refusals(&batch).await;
        if let Err(Fault {
            kind: FaultKind::Contention | FaultKind::Refused,
            ..
        }) = written
        {
            self.refusals.restore(batch);
        }
        written
    }

    /// The refusal with this reference; `None` when none of the last 400 days has it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn find_refusal(&self, reference: &Reference) -> Result<Option<FoundRefusal>, Fault> {
        let Some(facts) = reference::open(reference, &self.keys, self.clock.now()) else {
            return Ok(None);
        };
        let (hour, mut after) = (hour_of(facts.at), None::<String>);
        let (mut casts, mut sample, mut searched) = (Vec::new(), None, 0);
        while searched < SEARCHED_ROWS {
            let page = self
                .store
                .all_refusals(hour, hour + HOUR_SECONDS, after.as_deref(), 100)
                .await?;
            for row in page.items {
                searched += 1;
                let is_of_link = match (&facts.link, &row.cast_id) {
                    (Some(prefix), Some(id)) => id.as_str().starts_with(prefix),
                    (None, None) => true,
                    _ => false,
                };
                if !is_of_link || row.code != facts.code.as_str() {
                    continue;
                }
                casts.extend(row.cast_id);
                let mut samples = row.samples.into_iter();
                sample = sample.or_else(|| samples.find(|one| one.reference == *reference));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if let (true, Some(prefix)) = (casts.is_empty(), &facts.link) {
            casts = self.store.casts_from(prefix).await?;
        }
        Ok(Some(FoundRefusal {
            facts,
            casts,
            sample,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionId;
    use crate::testing::NOON;

    fn note(buffer: &RefusalBuffer, now: Timestamp) -> Vec<RefusalCount> {
        let sample = RefusalSample {
            at: now,
            reference: Reference::of(&SessionId::from_bytes([1; 16])),
            address: "a".into(),
            referrer: None,
        };
        buffer.note(None, DenialCode::UnknownCast, sample, now)
    }

    /// How many writes `count` refusals at `now` cause, and how many refusals these contain.
    fn written(buffer: &RefusalBuffer, count: u32, now: Timestamp) -> (usize, u64) {
        let batches: Vec<_> = (0..count).map(|_| note(buffer, now)).collect();
        let rows = batches.concat();
        assert!(rows.iter().all(|row| row.samples.len() <= SAMPLES));
        let writes = batches.iter().filter(|batch| !batch.is_empty()).count();
        (writes, rows.iter().map(|row| row.count).sum())
    }

    #[test]
    fn first_refusals_are_written_at_once_and_a_flood_batched() {
        let buffer = RefusalBuffer::default();
        let at = |seconds| NOON.plus_seconds(seconds);
        for (name, second, count, expected) in [
            ("the first ten one by one", 0, 10, (10, 10)),
            ("then none", 0, 5, (0, 0)),
            ("with the next write of a flood", 1, 1000, (1, 100)),
            ("once a second", 1, 1000, (0, 0)),
            ("the next second", 2, 1000, (1, 1906)),
            ("a write is allowed again", 10, 1, (1, 1000)),
            ("one every ten seconds", 20, 3, (1, 1)),
            ("after a quiet time", 1000, 11, (10, 12)),
        ] {
            assert_eq!(written(&buffer, count, at(second)), expected, "{name}");
        }
        assert_eq!(buffer.due(at(1000)), [], "no write is allowed");
        assert_eq!(buffer.due(at(1010))[0].count, 1);
        assert_eq!(buffer.due(at(2000)), [], "nothing waits");
        assert_eq!(buffer.drain(at(2000)), []);
    }

    #[test]
    fn flushing_an_empty_buffer_writes_nothing() {
        let buffer = RefusalBuffer::default();
        for second in 0..100 {
            assert_eq!(buffer.drain(NOON.plus_seconds(second)), []);
        }
        assert_eq!(written(&buffer, 10, NOON.plus_seconds(100)), (10, 10));
    }

    #[test]
    fn failed_batch_is_written_with_the_next() {
        let buffer = RefusalBuffer::default();
        let batch = note(&buffer, NOON);
        buffer.restore(batch.clone());
        buffer.restore(batch);
        assert_eq!(buffer.drain(NOON)[0].count, 2);
    }
}
