//! Owns the rule that the sessions claimed in one clock hour, and in one day (UTC), together cost
//! at most so much, in the whole deployment and in one link, which has a month and all time too. A
//! claim takes what its session can cost at most in its whole life; what it has
//! not cost comes back when it ends ([`unused`]). Must not know how counts are stored.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::cast::Cast;
use crate::denial::{Denial, DenialCode};
use crate::deployment::DeploymentSettings;
use crate::ids::CastId;
use crate::image::Image;
use crate::permission::Grant;
use crate::pricing;
use crate::quota::{Held, Quota, QuotaKind};
use crate::session::{SWEEP_INTERVAL_SECONDS, Session, State};
use crate::session_options::Extension;
use crate::time::Timestamp;

/// For how long a session can cost something beyond its time limit, in seconds: ECS gives a task at
/// most two minutes to stop, and the next sweep notices.
const STOP_SECONDS: u64 = 120 + SWEEP_INTERVAL_SECONDS;
/// The minimum that AWS charges for a task, in seconds.
const LEAST_SECONDS: u64 = 60;
/// Millionths of a dollar in a cent.
const CENT: u64 = 10_000;

/// A budget that is set: what is counted, how many cents, and the window that is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// What is counted.
    pub kind: QuotaKind,
    /// How much it may be, in cents.
    pub cents: u32,
    /// When the window began, and when it ends; `None`: it is for all time.
    pub window: Option<(Timestamp, Timestamp)>,
}

impl Budget {
    /// When its window ends.
    pub fn ends(&self) -> Option<Timestamp> {
        self.window.map(|(_, ends)| ends)
    }

    /// Its count, of which `amount` is taken, in millionths of a dollar.
    pub fn quota(&self, cast: &CastId, amount: u64) -> Quota {
        let of = [cast.as_str()];
        let of: &[&str] = if self.kind.is_of_link() { &of } else { &[] };
        let most = CENT * u64::from(self.cents);
        Quota::money_of(self.kind, of, self.ends(), amount, most)
    }

    /// What its window will have taken when it ends, if it goes on as it did until `now`; `None` for
    /// a budget without an end, and in the first tenth of a window, which says little.
    pub fn forecast(&self, taken: u64, now: Timestamp) -> Option<u64> {
        let (began, ends) = self.window?;
        let (passed, whole) = (began.seconds_until(now), began.seconds_until(ends));
        if passed * 10 < whole || passed == 0 {
            return None;
        }
        let forecast = u128::from(taken) * u128::from(whole) / u128::from(passed);
        Some(u64::try_from(forecast).unwrap_or(u64::MAX).max(taken))
    }
}

/// The budgets of the deployment and of this link that are set.
pub fn budgets(cast: &Cast, deployment: &DeploymentSettings, now: Timestamp) -> Vec<Budget> {
    let settings = &cast.settings;
    let (hour, day) = (Some(window(3600, now)), Some(window(86_400, now)));
    [
        (
            QuotaKind::BudgetHour,
            deployment.budget_per_hour_cents,
            hour,
        ),
        (QuotaKind::BudgetDay, deployment.budget_per_day_cents, day),
        (
            QuotaKind::LinkBudgetHour,
            settings.budget_per_hour_cents,
            hour,
        ),
        (QuotaKind::LinkBudgetDay, settings.budget_per_day_cents, day),
        (
            QuotaKind::LinkBudgetMonth,
            settings.budget_per_month_cents,
            Some(month(now)),
        ),
        (
            QuotaKind::LinkBudgetTotal,
            settings.budget_in_all_cents,
            None,
        ),
    ]
    .into_iter()
    .filter_map(|(kind, cents, window)| {
        let cents = cents?;
        Some(Budget {
            kind,
            cents,
            window,
        })
    })
    .collect()
}

/// The counts of money that a claim takes of; none where no budget is set.
pub fn quotas(
    image: &Image,
    grant: &Grant,
    cast: &Cast,
    deployment: &DeploymentSettings,
    now: Timestamp,
) -> Vec<Quota> {
    let amount = most_of(image, grant, cast.settings.allowed_extension());
    budgets(cast, deployment, now)
        .iter()
        .map(|budget| budget.quota(&cast.id, amount))
        .collect()
}

/// What an administrator's extension of a session by so many seconds takes of the budgets of now,
/// whatever is left of them.
pub fn of_extension(
    image: &Image,
    cast: &Cast,
    deployment: &DeploymentSettings,
    seconds: u32,
    now: Timestamp,
) -> Vec<Held> {
    let amount = price(image, seconds.into());
    budgets(cast, deployment, now)
        .iter()
        .map(|budget| budget.quota(&cast.id, amount).held())
        .collect()
}

/// Passes unless a budget has no room for a session of this image.
///
/// # Errors
/// `BudgetReached`, or `LinkBudgetReached` for the link's own, until the window of the budget is
/// over; without an end where the budget has none.
pub fn check(
    image: Option<&Image>,
    grant: &Grant,
    cast: &Cast,
    deployment: &DeploymentSettings,
    full: &BTreeSet<QuotaKind>,
    now: Timestamp,
) -> Result<(), Denial> {
    let quotas = image.map(|image| quotas(image, grant, cast, deployment, now));
    let reached = quotas
        .unwrap_or_default()
        .into_iter()
        .filter(|quota| full.contains(&quota.kind) || quota.is_full(0));
    // The latest end counts: a visitor who returned when another window is over would be refused
    // again.
    let last = reached.max_by_key(|quota| {
        let ends = quota.held().window_ends();
        (ends.is_none(), ends)
    });
    let Some(last) = last else {
        return Ok(());
    };
    let code = if last.kind.is_of_link() {
        DenialCode::LinkBudgetReached
    } else {
        DenialCode::BudgetReached
    };
    Err(match last.held().window_ends() {
        Some(ends) => Denial::retry(code, now.seconds_until(ends).max(1)),
        None => Denial::new(code),
    })
}

/// The refund of a session that has just ended: what it has not cost. `None` once the window is
/// over, because it counts no more.
pub fn unused(session: &Session, held: &Held) -> Option<Held> {
    let State::Ended { at, .. } = &session.state else {
        return None;
    };
    if held.window_ends().is_some_and(|ends| ends <= *at) {
        return None;
    }
    let cost = if session.task.is_none() && session.ready_at.is_none() {
        0
    } else {
        // Millionths are rounded up, as seconds are: a budget may only be used up too early.
        let seconds = session.created_at.seconds_until(*at);
        let share = u128::from(held.amount) * u128::from(seconds.max(LEAST_SECONDS));
        let most = u128::from(longest(
            session.start_timeout_seconds(),
            session.longest_seconds() + u64::from(session.added_seconds),
        ));
        u64::try_from(share.div_ceil(most)).unwrap_or(u64::MAX)
    };
    let amount = held.amount.saturating_sub(cost);
    (amount > 0).then(|| Held {
        amount,
        ..held.clone()
    })
}

/// The most that a session of this image can cost with every extension, in millionths of a dollar.
fn most_of(image: &Image, grant: &Grant, extension: Option<Extension>) -> u64 {
    let settings = &image.settings;
    let seconds = longest(
        settings.start_timeout_seconds.into(),
        u64::from(grant.time_limit_seconds(settings.session_time_limit_seconds))
            + extension.map_or(0, |extension| extension.seconds(extension.times)),
    );
    price(image, seconds)
}

/// What a session of this image costs at most in so many seconds, in millionths of a dollar.
fn price(image: &Image, seconds: u64) -> u64 {
    pricing::session_hour_at_most(image)
        .saturating_mul(seconds)
        .div_ceil(3600)
}

/// How long a session can cost something, in seconds.
const fn longest(start_seconds: u64, limit_seconds: u64) -> u64 {
    start_seconds + limit_seconds + STOP_SECONDS
}

/// The window of so many seconds in which `now` is.
fn window(seconds: i64, now: Timestamp) -> (Timestamp, Timestamp) {
    let window = now.seconds().div_euclid(seconds);
    let at = |window: i64| Timestamp::from_millis(window.saturating_mul(seconds * 1000));
    (at(window), at(window + 1))
}

/// The month (UTC) in which `now` is.
fn month(now: Timestamp) -> (Timestamp, Timestamp) {
    let midnight = |date: Date| {
        let midnight = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
        Some(Timestamp::from_millis(midnight.as_millisecond()))
    };
    let month = || {
        let now = jiff::Timestamp::from_millisecond(now.millis()).ok()?;
        let first = TimeZone::UTC.to_datetime(now).date().first_of_month();
        let next = first.last_of_month().tomorrow().ok()?;
        Some((midnight(first)?, midnight(next)?))
    };
    // Only a time that no calendar has is in no month.
    month().unwrap_or_else(|| window(30 * 86_400, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cast::CastSettings;
    use crate::image::ImageSource;
    use crate::session::{EndReason, TaskRef, TaskStatus};
    use crate::testing::{NOON, cast, image, session};

    fn budgets(hour: Option<u32>, day: Option<u32>) -> DeploymentSettings {
        DeploymentSettings {
            budget_per_hour_cents: hour,
            budget_per_day_cents: day,
            ..DeploymentSettings::default()
        }
    }

    #[test]
    fn claim_takes_the_maximum_cost_of_its_session() {
        let mut small = image(1);
        if let ImageSource::Container(source) = &mut small.settings.source {
            (source.cpu, source.memory) = (1024, 2048);
        }
        (
            small.settings.start_timeout_seconds,
            small.settings.session_time_limit_seconds,
        ) = (180, 3240);
        let mut unknown = small.clone();
        unknown.settings.source = ImageSource::TaskDefinition("family:1".into());
        let limited = Grant {
            session_time_limit_seconds: Some(1440),
            ..Grant::default()
        };
        let free = Grant::default();
        let twice = Extension {
            times: 2,
            minutes: 30,
        };
        for (name, image, grant, extension, deployment, expected) in [
            (
                "no budget",
                &small,
                &free,
                Extension::default(),
                budgets(None, None),
                vec![],
            ),
            (
                "an hour",
                &small,
                &free,
                Extension::default(),
                budgets(Some(100), None),
                vec![(54_370, 1_000_000)],
            ),
            (
                "an hour and a day",
                &small,
                &free,
                Extension::default(),
                budgets(Some(100), Some(500)),
                vec![(54_370, 1_000_000), (54_370, 5_000_000)],
            ),
            (
                "half the time by the group",
                &small,
                &limited,
                Extension::default(),
                budgets(None, Some(500)),
                vec![(27_185, 5_000_000)],
            ),
            (
                "with its extensions",
                &small,
                &free,
                twice,
                budgets(Some(100), None),
                vec![(108_740, 1_000_000)],
            ),
            (
                "a size that nobody knows is the largest",
                &unknown,
                &free,
                Extension::default(),
                budgets(Some(100), None),
                vec![(1_206_060, 1_000_000)],
            ),
        ] {
            let mut cast = cast(1);
            cast.settings.extension = extension;
            let found: Vec<_> = quotas(image, grant, &cast, &deployment, NOON)
                .iter()
                .map(|quota| (quota.amount, quota.most.expect("a limit")))
                .collect();
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn reached_budget_says_when_its_window_ends() {
        let image = image(1);
        let both = budgets(Some(1000), Some(1000));
        let half_past = NOON.plus_seconds(1800);
        for (name, deployment, full, wait) in [
            ("room", &both, vec![], None),
            ("the hour", &both, vec![QuotaKind::BudgetHour], Some(1800)),
            ("the day", &both, vec![QuotaKind::BudgetDay], Some(41_400)),
            (
                "both",
                &both,
                vec![QuotaKind::BudgetHour, QuotaKind::BudgetDay],
                Some(41_400),
            ),
            ("another limit", &both, vec![QuotaKind::Deployment], None),
            (
                "less than one session costs",
                &budgets(Some(1), None),
                vec![],
                Some(1800),
            ),
            (
                "a budget that was taken away",
                &budgets(None, None),
                vec![QuotaKind::BudgetHour],
                None,
            ),
        ] {
            let full = full.into_iter().collect();
            let verdict = check(
                Some(&image),
                &Grant::default(),
                &cast(1),
                deployment,
                &full,
                half_past,
            )
            .err();
            assert_eq!(
                verdict.map(|denial| (denial.code, denial.retry_after)),
                wait.map(|wait| (DenialCode::BudgetReached, Some(wait))),
                "{name}"
            );
        }
    }

    #[test]
    fn budget_of_a_link_closes_it_alone() {
        type Set = fn(&mut CastSettings);
        let image = image(1);
        let at = Timestamp::parse("2026-12-31T23:30:00Z").expect("a time");
        let of_link = |set: Set| {
            let mut cast = cast(1);
            set(&mut cast.settings);
            cast
        };
        let code = DenialCode::LinkBudgetReached;
        let cases: [(&str, Set, QuotaKind, _); 7] = [
            ("none", |_| {}, QuotaKind::LinkBudgetHour, None),
            (
                "an hour",
                |link| link.budget_per_hour_cents = Some(900),
                QuotaKind::LinkBudgetHour,
                Some((code, Some(1800))),
            ),
            (
                "a day",
                |link| link.budget_per_day_cents = Some(900),
                QuotaKind::LinkBudgetDay,
                Some((code, Some(1800))),
            ),
            (
                "a month, which ends with the year",
                |link| link.budget_per_month_cents = Some(900),
                QuotaKind::LinkBudgetMonth,
                Some((code, Some(1800))),
            ),
            (
                "all time, without an end",
                |link| link.budget_in_all_cents = Some(900),
                QuotaKind::LinkBudgetTotal,
                Some((code, None)),
            ),
            (
                "less than one session costs",
                |link| link.budget_in_all_cents = Some(1),
                QuotaKind::Cast,
                Some((code, None)),
            ),
            (
                "another window is full",
                |link| link.budget_in_all_cents = Some(900),
                QuotaKind::LinkBudgetMonth,
                None,
            ),
        ];
        let grant = Grant::default();
        for (name, set, full, expected) in cases {
            let (cast, full) = (of_link(set), [full].into());
            let none = DeploymentSettings::default();
            let verdict = check(Some(&image), &grant, &cast, &none, &full, at);
            let found = verdict
                .err()
                .map(|denial| (denial.code, denial.retry_after));
            assert_eq!(found, expected, "{name}");
        }
        let both = of_link(|link| link.budget_per_day_cents = Some(900));
        let full = [QuotaKind::BudgetHour, QuotaKind::LinkBudgetDay].into();
        let hour = budgets(Some(900), None);
        let verdict = check(Some(&image), &grant, &both, &hour, &full, NOON);
        let found = verdict.err().map(|denial| denial.code);
        assert_eq!(found, Some(code), "the later end");
    }

    #[test]
    fn window_of_a_budget_is_of_the_clock_or_the_calendar() {
        let mut link = cast(1);
        link.settings.budget_per_hour_cents = Some(1);
        link.settings.budget_per_day_cents = Some(1);
        link.settings.budget_per_month_cents = Some(1);
        link.settings.budget_in_all_cents = Some(1);
        let none = DeploymentSettings::default();
        for (now, ends) in [
            (
                "2028-02-29T12:30:00Z",
                [
                    "2028-02-29T13:00:00Z",
                    "2028-03-01T00:00:00Z",
                    "2028-03-01T00:00:00Z",
                ],
            ),
            (
                "2026-12-01T00:00:00Z",
                [
                    "2026-12-01T01:00:00Z",
                    "2026-12-02T00:00:00Z",
                    "2027-01-01T00:00:00Z",
                ],
            ),
        ] {
            let now = Timestamp::parse(now).expect("a time");
            let found: Vec<_> = super::budgets(&link, &none, now)
                .iter()
                .map(|budget| budget.ends().map(|ends| ends.to_string()))
                .collect();
            let expected = ends.map(|ends| Some(ends.to_owned()));
            assert_eq!(found[..3], expected, "{now}");
            assert_eq!(found[3], None, "{now}");
        }
        let keys: Vec<_> = super::budgets(&link, &none, NOON)
            .iter()
            .map(|budget| budget.quota(&link.id, 1).held())
            .collect();
        assert!(keys.iter().all(|held| held.key.contains(link.id.as_str())));
        assert_eq!(keys[3].window_ends(), None);
        assert!(keys[2].window_ends().is_some(), "{:?}", keys[2]);
    }

    #[test]
    fn forecast_follows_what_was_taken_so_far() {
        let hour = Budget {
            kind: QuotaKind::LinkBudgetHour,
            cents: 100,
            window: Some((NOON, NOON.plus_seconds(3600))),
        };
        let in_all = Budget {
            window: None,
            ..hour
        };
        for (name, budget, taken, seconds, expected) in [
            ("too early", hour, 500, 359, None),
            ("a quarter", hour, 500, 900, Some(2000)),
            ("nothing", hour, 0, 900, Some(0)),
            ("the end", hour, 500, 3600, Some(500)),
            ("without an end", in_all, 500, 900, None),
        ] {
            let found = budget.forecast(taken, NOON.plus_seconds(seconds));
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn unused_budget_is_refunded_within_its_window() {
        let hour = |ends: Timestamp| Quota::money(QuotaKind::BudgetHour, ends, 396_000, 1_000_000);
        // 180 s to start, 3,600 s to live and 180 s to stop: 100 millionths of a dollar each
        // second.
        let mut fresh = session(&cast(1), 1);
        fresh.time_limit_seconds = 3600;
        let started = fresh
            .started(TaskRef {
                arn: "a".into(),
                status: TaskStatus::Running,
                version: 1,
                times: crate::session::TaskTimes::default(),
            })
            .expect("starts");
        let until = NOON.plus_seconds(3600);
        for (name, row, after, ends, expected) in [
            ("no task ever ran", &fresh, 30, until, Some(396_000)),
            ("a task for a moment", &started, 10, until, Some(390_000)),
            ("a task for a while", &started, 599, until, Some(336_100)),
            ("the window is over", &started, 3600, until, None),
            ("all of it", &started, 9000, NOON.plus_seconds(86_400), None),
        ] {
            let ended = row
                .ended(EndReason::Owner, NOON.plus_seconds(after))
                .expect("ends");
            let given = unused(&ended, &hour(ends).held()).map(|held| held.amount);
            assert_eq!(given, expected, "{name}");
        }
        assert_eq!(unused(&started, &hour(until).held()), None, "it lives");
        // Half an hour more, by an administrator: 1,800 seconds at the same price.
        let mut longer = started;
        longer.added_seconds = 1800;
        let ended = longer.ended(EndReason::Owner, NOON.plus_seconds(599));
        let held = Quota::money(QuotaKind::BudgetHour, until, 576_000, 1_000_000).held();
        let given = unused(&ended.expect("ends"), &held).map(|held| held.amount);
        assert_eq!(given, Some(516_100), "what was added comes back too");
        let total = Quota::money_of(QuotaKind::LinkBudgetTotal, &["c1"], None, 396_000, 1);
        let late = fresh.ended(EndReason::Owner, NOON.plus_seconds(99_999));
        let given = unused(&late.expect("ends"), &total.held()).map(|held| held.amount);
        assert_eq!(given, Some(396_000), "a budget of all time has no end");
    }
}
