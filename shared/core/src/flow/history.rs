//! Owns the history of claims: makes the hours that charts are drawn from, and tells them together with the claims since. Must not know who
//! draws them.
//!
//! An hour is made once, when all that can become of its claims has become of them, from the ledger alone: a crash in the middle costs nothing
//! but doing it again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::try_join;

use super::ControlPlane;
use crate::hours::{HOUR_SECONDS, Hour, HourOf, SETTLED_AFTER_SECONDS, hour_of, sum};
use crate::ids::CastId;
use crate::listing::{SessionQuery, SessionsOf};
use crate::ports::{Fault, RefusalCount};
use crate::session::Session;
use crate::time::Timestamp;

/// Rows of a page that is read.
const PAGE: u32 = 100;
/// An hour that is made reads at most so many pages of sessions, and of refusals: more than ECS can start in an hour.
const PAGES_OF_AN_HOUR: u32 = 1500;
/// Whoever looks at a chart waits for at most so many pages of claims that no hour tells of yet.
const PAGES_OF_A_LOOK: u32 = 25;
/// Hours that are made in one sweep, after a time without sweeps.
const HOURS_AT_ONCE: u32 = 24;

/// What became of the claims of some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Every hour, the oldest first; also those without claims.
    pub hours: Vec<(i64, Hour)>,
    /// There were more claims in the last hours than were looked at: their numbers are too low.
    pub is_partial: bool,
}

impl History {
    /// All of it in one.
    pub fn total(&self) -> Hour {
        let mut total = Hour::default();
        for (_, hour) in &self.hours {
            total.add(hour);
        }
        total
    }
}

/// The newest hour that this process has seen made, so that a sweep need not ask every minute.
pub(super) struct HourCursor(AtomicI64);

impl Default for HourCursor {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

/// What was read of some time.
#[derive(Default)]
struct Ledger {
    sessions: Vec<Session>,
    refusals: Vec<RefusalCount>,
    is_partial: bool,
}

impl ControlPlane {
    /// Makes the hours that are settled and not made yet, and says how many these were.
    ///
    /// # Errors
    /// When the store does not answer; what was not made is made at the next call.
    pub async fn write_hours(&self) -> Result<u32, Fault> {
        let settled = last_settled(self.clock.now());
        if self.hour_cursor.0.load(Ordering::Relaxed) >= settled {
            return Ok(0);
        }
        // A deployment that is new has no hours to make up for.
        let mut hour = self
            .store
            .newest_hour()
            .await?
            .map_or(settled, |newest| newest + HOUR_SECONDS);
        let mut made = 0;
        while hour <= settled && made < HOURS_AT_ONCE {
            self.write_hour(hour).await?;
            self.hour_cursor.0.fetch_max(hour, Ordering::Relaxed);
            made += 1;
            hour += HOUR_SECONDS;
        }
        self.hour_cursor
            .0
            .fetch_max(hour - HOUR_SECONDS, Ordering::Relaxed);
        Ok(made)
    }

    async fn write_hour(&self, hour: i64) -> Result<(), Fault> {
        let ledger = self
            .read_ledger(None, hour, hour + HOUR_SECONDS, PAGES_OF_AN_HOUR)
            .await?;
        let mut hours: Vec<(HourOf, Hour)> = sum(&ledger.sessions, &ledger.refusals)
            .into_iter()
            .collect();
        let all = hours
            .iter()
            .position(|((cast, _), _)| cast.is_none())
            .map(|index| hours.remove(index).1)
            .unwrap_or_default();
        self.store.put_hours(&hours).await?;
        // It says that the hour is made, so it is written when everything else is.
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

    /// What became of the claims of one cast, or of all, from the hour of `since` to the hour of `until`.
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
        let mut told: BTreeMap<i64, Hour> = made.into_iter().collect();
        let is_partial = ledger.is_partial;
        let wanted = sum(&ledger.sessions, &ledger.refusals)
            .into_iter()
            .filter(|((of, _), _)| of.as_ref() == cast);
        told.extend(wanted.map(|((_, hour), counts)| (hour, counts)));
        let count = (end - first).div_euclid(HOUR_SECONDS);
        let hours = (0..count).map(|n| first + n * HOUR_SECONDS);
        Ok(History {
            hours: hours
                .map(|hour| (hour, told.remove(&hour).unwrap_or_default()))
                .collect(),
            is_partial,
        })
    }

    /// The claims of one cast, or of all, between two hours, as far as `pages` pages go.
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

    /// Sessions, as far as `pages` pages go, and whether there are more.
    async fn read_sessions(
        &self,
        query: &SessionQuery,
        pages: u32,
    ) -> Result<(Vec<Session>, bool), Fault> {
        let (mut sessions, mut after) = (Vec::new(), None);
        for _ in 0..pages {
            let page = self.store.sessions(query, after.as_deref(), PAGE).await?;
            sessions.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok((sessions, false));
            }
        }
        Ok((sessions, true))
    }

    /// Refusals, as far as `pages` pages go, and whether there are more.
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

/// The newest hour whose claims have all come to an end.
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
