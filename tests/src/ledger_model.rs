//! Owns a model of a link's ledger: what its limits come to by arithmetic over sessions, without the
//! rows in which the product counts. Histories compare with it what was counted, and each refusal.

use std::collections::HashMap;

use anyhow::{Result, ensure};
use casting_core::CHANGE_SECONDS;
use casting_core::cast::Cast;
use casting_core::denial::DenialCode;
use casting_core::session::Session;
use casting_core::time::Timestamp;

/// For how long an instance may answer by what it read before, in seconds: by a cached link, and by
/// a limit that it cached as full for half a second.
const STALE_SECONDS: u64 = CHANGE_SECONDS + 1;

/// How many sessions count against the link's total: those of this epoch that were not refunded.
pub fn charged(rows: &[Session], epoch: u64) -> u64 {
    let counts = |row: &&Session| row.charge.count == Some(epoch) && !row.is_refunded();
    rows.iter().filter(counts).count() as u64
}

/// One visit of a step.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The hash of the visitor's address.
    pub address: String,
    /// Why the visitor was refused; `None` for one who got in, and for one whose process died.
    pub refused: Option<DenialCode>,
}

/// What is free when a step begins, and who comes in it. `None` where nothing limits.
#[derive(Debug)]
struct Step {
    began: Timestamp,
    places: Option<u64>,
    live: Option<u64>,
    /// Sessions that each address may still start.
    windows: Option<HashMap<String, u64>>,
    /// What an address may start that has started none.
    window: u64,
    visits: Vec<Visit>,
}

impl Step {
    fn new(now: Timestamp, cast: &Cast, total: u64, rows: &[Session]) -> Self {
        let settings = &cast.settings;
        let live = rows.iter().filter(|row| row.is_live()).count() as u64;
        let limit = settings.ip_limit.as_ref();
        let since = limit.map(|limit| now.minus_seconds(u64::from(limit.within_seconds)));
        let window = limit.map_or(0, |limit| u64::from(limit.sessions));
        let windows = since.map(|since| {
            let mut free = HashMap::new();
            for row in rows.iter().filter(|row| row.created_at > since) {
                let left: &mut u64 = free.entry(row.origin.address.clone()).or_insert(window);
                *left = left.saturating_sub(1);
            }
            free
        });
        Self {
            began: now,
            places: settings
                .limit_total_sessions
                .then(|| total.saturating_sub(charged(rows, cast.counter.epoch))),
            live: (settings.max_live_sessions).map(|most| u64::from(most).saturating_sub(live)),
            windows,
            window,
            visits: Vec::new(),
        }
    }

    /// Whether a visitor of this address can have met this limit, if as many `others` as this were
    /// ahead.
    fn may_refuse(&self, code: DenialCode, address: &str, others: u64) -> bool {
        let free = match code {
            DenialCode::NoSessionsLeft => self.places,
            DenialCode::CastBusy => self.live,
            DenialCode::IpLimit => (self.windows.as_ref())
                .map(|free| free.get(address).copied().unwrap_or(self.window)),
            // Not a limit of the link.
            _ => return true,
        };
        free.is_some_and(|free| free <= others)
    }
}

/// The ledger of one link through a history.
#[derive(Debug, Default)]
pub struct LedgerModel {
    steps: Vec<Step>,
}

impl LedgerModel {
    /// A step begins: this is the link, its total, and all of its sessions.
    pub fn begin_step(&mut self, now: Timestamp, cast: &Cast, total: u64, rows: &[Session]) {
        self.steps.push(Step::new(now, cast, total, rows));
    }

    /// A step is over, in which these visitors came: each refusal by a limit was due, because all
    /// that the limit allows was taken or could be, at the time or as long before as an instance
    /// may remember.
    ///
    /// # Errors
    /// Names the first refusal that was not due.
    pub fn end_step(&mut self, visits: &[Visit]) -> Result<()> {
        let Some(step) = self.steps.last_mut() else {
            return Ok(());
        };
        step.visits = visits.to_vec();
        for visit in visits {
            let Some(code) = visit.refused else {
                continue;
            };
            ensure!(
                self.remembered().any(|(step, is_now)| Self::is_due(
                    step,
                    is_now,
                    code,
                    &visit.address
                )),
                "a visitor was refused as {code}, and the model has free: {:?}",
                self.steps
            );
        }
        Ok(())
    }

    fn is_due(step: &Step, is_now: bool, code: DenialCode, address: &str) -> bool {
        let of_address = |visit: &&Visit| code != DenialCode::IpLimit || visit.address == address;
        let came = step.visits.iter().filter(of_address).count() as u64;
        // The visit itself takes nothing before it is refused.
        step.may_refuse(code, address, came - u64::from(is_now))
    }

    /// The steps that an instance may go by now: this one, and those that ended a moment ago.
    fn remembered(&self) -> impl Iterator<Item = (&Step, bool)> {
        let now = self.steps.last().map(|step| step.began);
        let until = self.steps.iter().skip(1).map(|step| Some(step.began));
        let steps = self.steps.iter().zip(until.chain([None]));
        steps
            .filter(move |(_, until)| match (until, now) {
                (Some(until), Some(now)) => until.plus_seconds(STALE_SECONDS) >= now,
                _ => true,
            })
            .map(|(step, until)| (step, until.is_none()))
    }
}

#[cfg(test)]
mod tests {
    use casting_core::testing;

    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_795_435_200_000);

    fn visit(refused: Option<DenialCode>) -> Visit {
        let address = "one".to_owned();
        Visit { address, refused }
    }

    /// A link with this total, and as many sessions.
    fn ledger(total: u64, taken: usize) -> (Cast, Vec<Session>) {
        let mut cast = testing::cast(1);
        cast.settings.limit_total_sessions = true;
        cast.counter.remaining = total - taken as u64;
        let mut row = testing::session(&cast, 1);
        row.charge.count = Some(cast.counter.epoch);
        (cast, vec![row; taken])
    }

    #[test]
    fn refusals_are_due_where_all_could_be_taken() {
        let sold_out = Some(DenialCode::NoSessionsLeft);
        for (name, total, taken, visits, is_due) in [
            ("all are taken", 2, 2, vec![sold_out], true),
            ("one is free", 2, 1, vec![sold_out], false),
            ("another visitor came", 2, 1, vec![sold_out, None], true),
            (
                "one other, and two are free",
                2,
                0,
                vec![sold_out, None],
                false,
            ),
            (
                "no limit of that kind",
                2,
                2,
                vec![Some(DenialCode::CastBusy)],
                false,
            ),
            (
                "not by a limit",
                2,
                0,
                vec![Some(DenialCode::StartRefused)],
                true,
            ),
        ] {
            let (cast, rows) = ledger(total, taken);
            let mut model = LedgerModel::default();
            model.begin_step(NOON, &cast, total, &rows);
            let ended = model.end_step(&visits.into_iter().map(visit).collect::<Vec<_>>());
            assert_eq!(ended.is_ok(), is_due, "{name}");
        }
    }

    #[test]
    fn refusals_by_old_news_are_due_for_seconds_only() {
        for (after, is_due) in [(3, true), (60, false)] {
            let (cast, full) = ledger(2, 2);
            let mut model = LedgerModel::default();
            model.begin_step(NOON, &cast, 2, &full);
            model.end_step(&[]).expect("none was refused");
            // A place becomes free, and time goes by.
            model.begin_step(NOON, &cast, 2, &full[..1]);
            model.end_step(&[]).expect("none was refused");
            model.begin_step(NOON.plus_seconds(after), &cast, 2, &full[..1]);
            let ended = model.end_step(&[visit(Some(DenialCode::NoSessionsLeft))]);
            assert_eq!(ended.is_ok(), is_due, "{after} s");
        }
    }
}
