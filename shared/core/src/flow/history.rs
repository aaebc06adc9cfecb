//! Owns the statistics of claims: builds the hourly rows for the charts, and returns them together
//! with the claims since. Must not know who draws them.
//!
//! An hour is built once, when all of its claims have reached their final outcome, from the ledger
//! alone: after a crash it is simply built again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::try_join;

use super::ControlPlane;
use crate::hourly_stats::{
    HOUR_SECONDS, HourKey, HourlyStats, SETTLED_AFTER_SECONDS, hour_of, sum,
};
use crate::ids::{CastId, ImageId};
use crate::image::Image;
use crate::ports::{Fault, RefusalCount};
use crate::pricing;
use crate::queries::{SessionQuery, SessionsOf};
use crate::start_times::{self, StartTimes};
use crate::summary::SessionSummary;
use crate::time::Timestamp;

/// Rows of one page.
const PAGE: u32 = 1000;
/// The most pages of sessions, and of refusals, that are read for one hour: more than ECS can start
/// in an hour.
const PAGES_OF_AN_HOUR: u32 = 150;
/// The most pages of recent claims, which no hourly row contains yet, that are read for a chart.
const PAGES_OF_A_LOOK: u32 = 3;
/// After how many seconds an hour is built again, if sessions of it lived when it was built: a day,
/// and a week, which no session outlives by much.
const COMPLETED_AFTER: [i64; 2] = [86_400, 7 * 86_400];
/// Hours that one sweep builds after a time without sweeps.
const HOURS_AT_ONCE: u32 = 24;

/// The outcomes of claims in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Every hour, the oldest first; also those without claims.
    pub hours: Vec<(i64, HourlyStats)>,
    /// There were more claims in the last hours than were read: their numbers are too low.
    pub is_partial: bool,
}

impl History {
    /// Only the hours that begin in this time.
    pub fn between(&self, since: Timestamp, until: Timestamp) -> Self {
        let is_in = |hour: i64| since.seconds() <= hour && hour < until.seconds();
        let hours = self.hours.iter().filter(|(hour, _)| is_in(*hour));
        Self {
            hours: hours.cloned().collect(),
            is_partial: self.is_partial,
        }
    }

    /// The sum over all hours.
    pub fn total(&self) -> HourlyStats {
        let mut total = HourlyStats::default();
        for (_, hour) in &self.hours {
            total.add(hour);
        }
        total
    }
}

/// The newest hour that this process knows to be built, so that not every sweep has to read.
pub(super) struct HourCursor(AtomicI64);

impl Default for HourCursor {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

/// The counts of a period.
#[derive(Default)]
struct Ledger {
    sessions: Vec<SessionSummary>,
    refusals: Vec<RefusalCount>,
    is_partial: bool,
}

impl ControlPlane {
    /// Builds the hours that are complete and missing, and returns how many.
    ///
    /// # Errors
    /// When the store does not answer; the next call continues.
    pub async fn write_hours(&self) -> Result<u32, Fault> {
        let settled = last_settled(self.clock.now());
        if self.hour_cursor.0.load(Ordering::Relaxed) >= settled {
            return Ok(0);
        }
        // A new deployment has no hours to catch up on.
        let mut hour = self
            .store
            .newest_hour()
            .await?
            .map_or(settled, |newest| newest + HOUR_SECONDS);
        let mut made = 0;
        while hour <= settled && made < HOURS_AT_ONCE {
            self.write_hour(hour, true).await?;
            self.complete_hours(hour).await?;
            self.hour_cursor.0.fetch_max(hour, Ordering::Relaxed);
            made += 1;
            hour += HOUR_SECONDS;
        }
        self.hour_cursor
            .0
            .fetch_max(hour - HOUR_SECONDS, Ordering::Relaxed);
        Ok(made)
    }

    async fn write_hour(&self, hour: i64, is_first: bool) -> Result<(), Fault> {
        let ledger = self
            .read_ledger(None, hour, hour + HOUR_SECONDS, PAGES_OF_AN_HOUR)
            .await?;
        let cost = self.cost_of(&ledger.sessions).await?;
        let mut hours: Vec<(HourKey, HourlyStats)> = sum(&ledger.sessions, &ledger.refusals, cost)
            .into_iter()
            .collect();
        let all = hours
            .iter()
            .position(|((cast, _), _)| cast.is_none())
            .map(|index| hours.remove(index).1)
            .unwrap_or_default();
        self.store.put_hours(&hours).await?;
        if is_first {
            self.learn_starts(&ledger.sessions).await?;
        }
        // The row that marks the hour as built is written last.
        self.store.put_hours(&[((None, hour), all)]).await?;
        tracing::info!(
            hour,
            casts = hours.len(),
            partial = ledger.is_partial,
            "Made the hour of {}",
            Timestamp::from_millis(hour * 1000)
        );
        Ok(())
    }

    /// Builds hours again whose sessions lived on when they were built, so that their cost is whole:
    /// a day and a week later.
    async fn complete_hours(&self, built: i64) -> Result<(), Fault> {
        for later in COMPLETED_AFTER {
            let hour = built - later;
            let stored = self.store.hours(None, hour, hour + HOUR_SECONDS).await?;
            if stored.iter().any(|(_, counts)| counts.live > 0) {
                self.write_hour(hour, false).await?;
            }
        }
        Ok(())
    }

    /// What each of these sessions has cost, in millionths of a dollar; nothing where its image is
    /// gone or does not say how large it is.
    async fn cost_of(
        &self,
        sessions: &[SessionSummary],
    ) -> Result<impl Fn(&SessionSummary) -> u64 + use<>, Fault> {
        let mut hours: BTreeMap<ImageId, u64> = BTreeMap::new();
        let images: BTreeSet<&ImageId> = sessions
            .iter()
            .map(|session| &session.launch.image_id)
            .collect();
        for id in images {
            let image = self.store.record::<Image>(id.as_str()).await?;
            if let Some(hour) = image.and_then(|image| pricing::session_hour(&image)) {
                hours.insert(id.clone(), hour);
            }
        }
        let now = self.clock.now();
        Ok(move |session: &SessionSummary| {
            let hour = hours.get(&session.launch.image_id);
            hour.map_or(0, |hour| pricing::cost_so_far(session, *hour, now))
        })
    }

    /// Adds how long these sessions took to start to what is known of their images. An hour that
    /// is built a second time counts twice, which does not matter to a median.
    async fn learn_starts(&self, sessions: &[SessionSummary]) -> Result<(), Fault> {
        let mut starts: BTreeMap<&ImageId, Vec<u32>> = BTreeMap::new();
        for session in sessions {
            if let Some(start) = start_times::start_of(session) {
                let image = &session.launch.image_id;
                starts.entry(image).or_default().push(start);
            }
        }
        for (image, starts) in starts {
            let stored = self.store.record::<StartTimes>(image.as_str()).await?;
            let expected = stored.as_ref().map(|stored| stored.version);
            let known = stored.unwrap_or_else(|| StartTimes::none(image.clone()));
            // A concurrent sweep writes the same.
            let after = known.with(starts);
            _ = self.store.put_record(&after, expected, None).await?;
        }
        Ok(())
    }

    /// The outcomes of the claims of one cast, or of all, from the hour of `since` to the hour of
    /// `until`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn history(
        &self,
        cast: Option<&CastId>,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<History, Fault> {
        let (first, end) = (hour_of(since), hour_of(until) + HOUR_SECONDS);
        let newest = self.store.newest_hour().await?;
        let live_from = newest.map_or(first, |newest| (newest + HOUR_SECONDS).max(first));
        let made = self.store.hours(cast, first, live_from.min(end));
        let live = async {
            if live_from < end {
                self.read_ledger(cast, live_from, end, PAGES_OF_A_LOOK)
                    .await
            } else {
                Ok(Ledger::default())
            }
        };
        let (made, ledger) = try_join!(made, live)?;
        let mut by_hour: BTreeMap<i64, HourlyStats> = made.into_iter().collect();
        let is_partial = ledger.is_partial;
        let cost = self.cost_of(&ledger.sessions).await?;
        let wanted = sum(&ledger.sessions, &ledger.refusals, cost)
            .into_iter()
            .filter(|((of, _), _)| of.as_ref() == cast);
        by_hour.extend(wanted.map(|((_, hour), counts)| (hour, counts)));
        let count = (end - first).div_euclid(HOUR_SECONDS);
        let hours = (0..count).map(|n| first + n * HOUR_SECONDS);
        Ok(History {
            hours: hours
                .map(|hour| (hour, by_hour.remove(&hour).unwrap_or_default()))
                .collect(),
            is_partial,
        })
    }

    /// The claims of one cast, or of all, between two hours, up to `pages` pages.
    async fn read_ledger(
        &self,
        cast: Option<&CastId>,
        since_hour: i64,
        until_hour: i64,
        pages: u32,
    ) -> Result<Ledger, Fault> {
        let at = |hour: i64| Timestamp::from_millis(hour.saturating_mul(1000));
        let of = cast.map_or(SessionsOf::All, |cast| SessionsOf::Cast(cast.clone()));
        let query = SessionQuery {
            of,
            ..SessionQuery::default()
        }
        .between(at(since_hour), at(until_hour));
        let ((sessions, more_sessions), (refusals, more_refusals)) = try_join!(
            self.read_sessions(&query, pages),
            self.read_refusals(cast, since_hour, until_hour, pages)
        )?;
        Ok(Ledger {
            sessions,
            refusals,
            is_partial: more_sessions || more_refusals,
        })
    }

    /// Sessions, up to `pages` pages, and whether there are more.
    async fn read_sessions(
        &self,
        query: &SessionQuery,
        pages: u32,
    ) -> Result<(Vec<SessionSummary>, bool), Fault> {
        let (mut sessions, mut after) = (Vec::new(), None);
        for _ in 0..pages {
            let page = self
                .store
                .session_summaries(query, after.as_deref(), PAGE)
                .await?;
            sessions.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok((sessions, false));
            }
        }
        Ok((sessions, true))
    }

    /// Refusals, up to `pages` pages, and whether there are more.
    async fn read_refusals(
        &self,
        cast: Option<&CastId>,
        since_hour: i64,
        until_hour: i64,
        pages: u32,
    ) -> Result<(Vec<RefusalCount>, bool), Fault> {
        if let Some(cast) = cast {
            let mut refusals = self.store.refusals(Some(cast), since_hour).await?;
            refusals.retain(|row| row.hour < until_hour);
            return Ok((refusals, false));
        }
        let (mut refusals, mut after) = (Vec::new(), None);
        for _ in 0..pages {
            let page = self
                .store
                .all_refusals(since_hour, until_hour, after.as_deref(), PAGE)
                .await?;
            refusals.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok((refusals, false));
            }
        }
        Ok((refusals, true))
    }
}

/// The newest hour whose claims have all reached their final outcome.
const fn last_settled(now: Timestamp) -> i64 {
    (now.seconds() - SETTLED_AFTER_SECONDS).div_euclid(HOUR_SECONDS) * HOUR_SECONDS - HOUR_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;

    #[test]
    fn hour_is_final_one_hour_after_its_end() {
        let hours_back = |now: Timestamp| (NOON.seconds() - last_settled(now)) / HOUR_SECONDS;
        assert_eq!(hours_back(NOON), 2, "ten o'clock: over since eleven");
        assert_eq!(hours_back(NOON.minus_seconds(1)), 3);
        assert_eq!(hours_back(NOON.plus_seconds(3599)), 2);
        assert_eq!(hours_back(NOON.plus_seconds(3600)), 1);
    }
}
