//! Owns the rule that the sessions claimed in one clock hour, and in one day (UTC), together cost
//! at most so much. A claim takes what its session can cost at most in its whole life; what it has
//! not cost comes back when it ends ([`unused`]). Must not know how counts are stored.

use std::collections::BTreeSet;

use crate::denial::{Denial, DenialCode};
use crate::deployment::DeploymentSettings;
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
/// The windows, and how long they are, in seconds.
const WINDOWS: [(QuotaKind, i64); 2] = [
    (QuotaKind::BudgetHour, 3600),
    (QuotaKind::BudgetDay, 86_400),
];
/// Millionths of a dollar in a cent.
const CENT: u64 = 10_000;

/// The counts of money that a claim takes of; none where no budget is set.
pub fn quotas(
    image: &Image,
    grant: &Grant,
    extension: Option<Extension>,
    deployment: &DeploymentSettings,
    now: Timestamp,
) -> Vec<Quota> {
    let amount = most_of(image, grant, extension);
    WINDOWS
        .iter()
        .filter_map(|(kind, seconds)| {
            let most = CENT * u64::from(budget(deployment, *kind)?);
            Some(Quota::money(*kind, ends(*seconds, now), amount, most))
        })
        .collect()
}

/// Passes unless a budget has no room for a session of this image.
///
/// # Errors
/// `BudgetReached`, until the window of the budget is over.
pub fn check(
    image: Option<&Image>,
    grant: &Grant,
    extension: Option<Extension>,
    deployment: &DeploymentSettings,
    full: &BTreeSet<QuotaKind>,
    now: Timestamp,
) -> Result<(), Denial> {
    let quotas = image.map(|image| quotas(image, grant, extension, deployment, now));
    // The day comes last: a visitor who returned when the hour is over would otherwise be refused
    // again.
    quotas
        .unwrap_or_default()
        .iter()
        .rev()
        .find(|quota| full.contains(&quota.kind) || quota.is_full(0))
        .and_then(|quota| quota.held().window_ends())
        .map_or(Ok(()), |ends| {
            let wait = now.seconds_until(ends).max(1);
            Err(Denial::retry(DenialCode::BudgetReached, wait))
        })
}

/// The refund of a session that has just ended: what it has not cost. `None` once the window is
/// over, because it counts no more.
pub fn unused(session: &Session, held: &Held) -> Option<Held> {
    let State::Ended { at, .. } = &session.state else {
        return None;
    };
    if held.window_ends()? <= *at {
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
            session.longest_seconds(),
        ));
        u64::try_from(share.div_ceil(most)).unwrap_or(u64::MAX)
    };
    let amount = held.amount.saturating_sub(cost);
    (amount > 0).then(|| Held {
        amount,
        ..held.clone()
    })
}

/// The configured budget, in cents.
pub fn budget(deployment: &DeploymentSettings, window: QuotaKind) -> Option<u32> {
    match window {
        QuotaKind::BudgetHour => deployment.budget_per_hour_cents,
        QuotaKind::BudgetDay => deployment.budget_per_day_cents,
        _ => None,
    }
}

/// The most that a session of this image can cost with every extension, in millionths of a dollar.
fn most_of(image: &Image, grant: &Grant, extension: Option<Extension>) -> u64 {
    let settings = &image.settings;
    let seconds = longest(
        settings.start_timeout_seconds.into(),
        u64::from(grant.time_limit_seconds(settings.session_time_limit_seconds))
            + extension.map_or(0, |extension| extension.seconds(extension.times)),
    );
    pricing::session_hour_at_most(image)
        .saturating_mul(seconds)
        .div_ceil(3600)
}

/// How long a session can cost something, in seconds.
const fn longest(start_seconds: u64, limit_seconds: u64) -> u64 {
    start_seconds + limit_seconds + STOP_SECONDS
}

/// When the window of so many seconds ends in which `now` is.
fn ends(seconds: i64, now: Timestamp) -> Timestamp {
    let window = now.seconds().div_euclid(seconds) + 1;
    Timestamp::from_millis(window.saturating_mul(seconds).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let twice = Some(Extension {
            times: 2,
            minutes: 30,
        });
        for (name, image, grant, extension, deployment, expected) in [
            (
                "no budget",
                &small,
                &free,
                None,
                budgets(None, None),
                vec![],
            ),
            (
                "an hour",
                &small,
                &free,
                None,
                budgets(Some(100), None),
                vec![(54_370, 1_000_000)],
            ),
            (
                "an hour and a day",
                &small,
                &free,
                None,
                budgets(Some(100), Some(500)),
                vec![(54_370, 1_000_000), (54_370, 5_000_000)],
            ),
            (
                "half the time by the group",
                &small,
                &limited,
                None,
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
                None,
                budgets(Some(100), None),
                vec![(1_206_060, 1_000_000)],
            ),
        ] {
            let found: Vec<_> = quotas(image, grant, extension, &deployment, NOON)
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
                None,
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
    }
}
