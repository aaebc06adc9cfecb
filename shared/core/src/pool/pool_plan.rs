//! Owns the plan of a pool: how many of its sessions there should be, which of them must go, and
//! how many are to be started. Pure: what is known goes in, what is to be done comes out. Must not
//! know how any of it is done.

use crate::ids::SessionId;
use crate::pool_history::PoolHistory;
use crate::session::{EndReason, SWEEP_INTERVAL_SECONDS};
use crate::staging::StagingSettings;
use crate::time::Timestamp;

/// Sessions are replaced one after the other in this last part of their time: the last quarter.
const RENEWAL_PART: u64 = 4;
/// At most one in so many, rounded up, is absent while others are replaced before their time. So a
/// pool takes five rounds of starts for it, which the shortest quarter of an hour is enough for.
const RENEWED_AT_ONCE: u32 = 5;

/// The input of a plan.
#[derive(Clone, Debug)]
pub struct PoolFacts<'a> {
    /// The settings.
    pub settings: &'a StagingSettings,
    /// Why its sessions cannot be started at all, if they cannot.
    pub blocked_by: Option<IdleReason>,
    /// The cost of one of its sessions per hour, in millionths of a dollar; `None` if unknown.
    pub hour_micros: Option<u64>,
    /// Its sessions that wait for visitors, the oldest first.
    pub members: &'a [Member],
    /// Its log.
    pub log: &'a PoolHistory,
    /// When the pool, its image or its network was changed last: what was in the way of starts
    /// before need not be so any more.
    pub changed_at: Timestamp,
    /// How many may be started now, because ECS takes only so many a second.
    pub room: u32,
    /// The time of the decision.
    pub now: Timestamp,
}

/// A session that waits in a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: SessionId,
    /// Whether it is ready; it is starting otherwise.
    pub is_ready: bool,
    /// When it was started.
    pub since: Timestamp,
    /// Whether it is still of the kind that the pool is to keep.
    pub fits: bool,
}

/// Why a pool keeps nothing ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleReason {
    /// It is switched off.
    Disabled,
    /// Its image is gone or disabled.
    NoImage,
    /// Its network is gone, or its image may not run there.
    NoNetwork,
    /// It is outside of its schedule.
    OutsideSchedule,
    /// It has cost as much today as it may.
    BudgetSpent,
    /// It has a budget, and the price of its sessions is not known.
    NoPrice,
}

impl IdleReason {
    /// The reason in one plain sentence, for administrators.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Disabled => "The pool is switched off.",
            Self::NoImage => "Its image is gone or switched off.",
            Self::NoNetwork => "Its network is gone, or its image may not run there.",
            Self::OutsideSchedule => "It is outside of its schedule.",
            Self::BudgetSpent => {
                "It has cost as much today as it may; it goes on at midnight (UTC)."
            }
            Self::NoPrice => {
                "It has a daily budget, but only its task definition says how large \
                              its sessions are."
            }
        }
    }
}

/// The plan.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PoolPlan {
    /// How many sessions there should be.
    pub wanted: u32,
    /// Why none should be.
    pub rest: Option<IdleReason>,
    /// Until when it pauses after failed starts.
    pub paused_until: Option<Timestamp>,
    /// How many are to be started now.
    pub start: u32,
    /// Which are to be stopped, and why.
    pub stop: Vec<(SessionId, EndReason)>,
}

/// Makes the plan.
pub fn plan(facts: &PoolFacts<'_>) -> PoolPlan {
    let rest = rest(facts);
    let wanted = if rest.is_some() {
        0
    } else {
        facts.settings.desired_sessions
    };
    let life = u64::from(facts.settings.expiration_hours) * 3600;
    let mut stop = Vec::new();
    let mut kept: Vec<&Member> = Vec::new();
    for member in facts.members {
        if !member.fits {
            stop.push((member.id.clone(), EndReason::NotNeeded));
        } else if facts.now >= member.since.plus_seconds(life) {
            stop.push((member.id.clone(), EndReason::Unused));
        } else {
            kept.push(member);
        }
    }
    // Of too many sessions, those that are not ready go first, then those that would expire
    // soonest.
    kept.sort_by_key(|member| (member.is_ready, member.since));
    let surplus = kept.len().saturating_sub(wanted as usize);
    stop.extend(
        kept.drain(..surplus)
            .map(|member| (member.id.clone(), EndReason::NotNeeded)),
    );
    let paused_until = facts.log.paused_until(facts.changed_at, facts.now);
    let room = if paused_until.is_some() {
        0
    } else {
        facts.room
    };
    let missing = wanted.saturating_sub(count(kept.len()));
    let renewed = renewed(
        &kept,
        wanted,
        room,
        facts.now.minus_seconds(life - life / RENEWAL_PART),
    );
    stop.extend(renewed.iter().map(|id| (id.clone(), EndReason::Unused)));
    let start = (missing + count(renewed.len())).min(room);
    PoolPlan {
        wanted,
        rest,
        paused_until,
        start,
        stop,
    }
}

/// Those that are replaced before their time is over, because all that were started together would
/// go together: the oldest that are ready and were started by then. So few at once that the pool
/// goes on serving, and only while there is room for the ones in their place. A pool of one is
/// spared: it would be empty either way.
fn renewed(kept: &[&Member], wanted: u32, room: u32, started_by: Timestamp) -> Vec<SessionId> {
    if wanted < 2 {
        return Vec::new();
    }
    let ready = kept.iter().filter(|member| member.is_ready);
    // Missing ones and those that start are not there for visitors either.
    let absent = wanted.saturating_sub(count(ready.clone().count()));
    let missing = wanted.saturating_sub(count(kept.len()));
    let at_once = wanted
        .div_ceil(RENEWED_AT_ONCE)
        .saturating_sub(absent)
        .min(room.saturating_sub(missing));
    ready
        .filter(|member| member.since <= started_by)
        .take(at_once as usize)
        .map(|member| member.id.clone())
        .collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn rest(facts: &PoolFacts<'_>) -> Option<IdleReason> {
    let settings = facts.settings;
    if !settings.enabled {
        return Some(IdleReason::Disabled);
    }
    if facts.blocked_by.is_some() {
        return facts.blocked_by;
    }
    if settings
        .schedule
        .as_ref()
        .is_some_and(|schedule| !schedule.is_open(facts.now))
    {
        return Some(IdleReason::OutsideSchedule);
    }
    let cents = u64::from(settings.daily_budget_cents?);
    match facts.hour_micros {
        None => Some(IdleReason::NoPrice),
        // The cost until the next sweep must fit as well.
        Some(hour) => {
            let full_hour = u64::from(settings.desired_sessions) * hour;
            let until_next = full_hour * SWEEP_INTERVAL_SECONDS / 3600;
            (facts.log.spent_today(facts.now) + until_next >= cents * 10_000)
                .then_some(IdleReason::BudgetSpent)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ids::StagingId;
    use crate::staging_form;
    use crate::testing::{NOON, image};

    fn settings(fields: &serde_json::Value) -> StagingSettings {
        let mut input = json!({"name": "Monday", "image_id": image(1).id, "desired_sessions": 3, "expiration_hours": 2});
        for (name, value) in fields.as_object().expect("an object") {
            input[name] = value.clone();
        }
        staging_form::create(&input).expect("is right")
    }

    fn member(n: u8, age: u64, is_ready: bool) -> Member {
        Member {
            id: SessionId::from_bytes([n; 16]),
            is_ready,
            since: NOON.plus_seconds(10_000 - age),
            fits: true,
        }
    }

    /// A pool of these settings and sessions, which nothing keeps from its work.
    const fn facts<'a>(
        settings: &'a StagingSettings,
        members: &'a [Member],
        log: &'a PoolHistory,
        now: Timestamp,
    ) -> PoolFacts<'a> {
        PoolFacts {
            settings,
            blocked_by: None,
            hour_micros: None,
            members,
            log,
            changed_at: NOON,
            room: 20,
            now,
        }
    }

    #[test]
    fn pool_is_filled_and_drained_to_its_size() {
        let other = |n| Member {
            fits: false,
            ..member(n, 60, true)
        };
        let full = || {
            vec![
                member(1, 60, true),
                member(2, 50, true),
                member(3, 40, false),
            ]
        };
        let (unused, not_needed) = (EndReason::Unused, EndReason::NotNeeded);
        let always = || json!({});
        for (name, fields, members, start, stop) in [
            ("empty", always(), vec![], 3, vec![]),
            (
                "one is missing",
                always(),
                vec![member(1, 60, true), member(2, 50, false)],
                1,
                vec![],
            ),
            ("full", always(), full(), 0, vec![]),
            (
                "lowered: the one that starts goes first",
                json!({"desired_sessions": 2}),
                full(),
                0,
                vec![(3, not_needed.clone())],
            ),
            (
                "then the oldest",
                json!({"desired_sessions": 1}),
                full(),
                0,
                vec![(3, not_needed.clone()), (1, not_needed.clone())],
            ),
            (
                "of nothing",
                json!({"desired_sessions": 0}),
                vec![member(1, 1, true)],
                0,
                vec![(1, not_needed.clone())],
            ),
            (
                "too old, and the other one is not touched now",
                always(),
                vec![member(1, 7200, true), member(2, 7199, true)],
                2,
                vec![(1, unused)],
            ),
            (
                "of another kind by now",
                always(),
                vec![other(1), member(2, 50, true)],
                2,
                vec![(1, not_needed.clone())],
            ),
            (
                "switched off",
                json!({"enabled": false}),
                vec![member(1, 60, true)],
                0,
                vec![(1, not_needed)],
            ),
        ] {
            let settings = settings(&fields);
            let now = NOON.plus_seconds(10_000);
            let log = PoolHistory::new(StagingId::from_bytes([1; 16]), NOON);
            let plan = plan(&facts(&settings, &members, &log, now));
            assert_eq!(plan.start, start, "{name}");
            let stop: Vec<_> = stop
                .into_iter()
                .map(|(n, why)| (SessionId::from_bytes([n; 16]), why))
                .collect();
            assert_eq!(plan.stop, stop, "{name}");
        }
    }

    #[test]
    fn sessions_that_started_together_are_replaced_in_turn() {
        let ready = |count: u8, age| {
            (0..count)
                .map(|n| member(n, age - u64::from(n), true))
                .collect::<Vec<_>>()
        };
        let with = |mut members: Vec<Member>, more: Vec<Member>| {
            members.extend(more);
            members
        };
        // A life is two hours; its last quarter begins after 5,400 seconds.
        for (name, desired, members, room, stopped, start) in [
            ("young", 3, ready(3, 5399), 20, vec![], 0),
            ("the oldest of three", 3, ready(3, 5500), 20, vec![0], 1),
            (
                "only whose last quarter it is",
                6,
                ready(6, 5400),
                20,
                vec![0],
                1,
            ),
            ("a fifth, rounded up", 6, ready(6, 6000), 20, vec![0, 1], 2),
            (
                "one starts: nobody else goes",
                3,
                with(ready(2, 5500), vec![member(9, 10, false)]),
                20,
                vec![],
                0,
            ),
            (
                "one is missing: it is started first",
                3,
                ready(2, 5500),
                20,
                vec![],
                1,
            ),
            (
                "one of two may be away",
                6,
                with(ready(5, 6000), vec![member(90, 10, false)]),
                20,
                vec![0],
                1,
            ),
            (
                "no room for the ones in their place",
                3,
                ready(3, 5500),
                0,
                vec![],
                0,
            ),
            ("room for one of two", 6, ready(6, 6000), 1, vec![0], 1),
            (
                "room for what is missing alone",
                6,
                ready(5, 6000),
                1,
                vec![],
                1,
            ),
            ("a pool of one", 1, ready(1, 7199), 20, vec![], 0),
        ] {
            let settings = settings(&json!({"desired_sessions": desired}));
            let log = PoolHistory::new(StagingId::from_bytes([1; 16]), NOON);
            let now = NOON.plus_seconds(10_000);
            let plan = plan(&PoolFacts {
                room,
                ..facts(&settings, &members, &log, now)
            });
            let stopped: Vec<_> = stopped
                .into_iter()
                .map(|n: u8| (SessionId::from_bytes([n; 16]), EndReason::Unused))
                .collect();
            assert_eq!((plan.stop, plan.start), (stopped, start), "{name}");
        }
    }

    #[test]
    fn pool_of_thirty_is_renewed_without_running_empty() {
        let settings = settings(&json!({"desired_sessions": 30, "expiration_hours": 1}));
        let log = PoolHistory::new(StagingId::from_bytes([1; 16]), NOON);
        let (mut members, mut made, mut fewest) = (Vec::new(), 0_u8, 30);
        for minute in 0..3 * 60 {
            let now = NOON.plus_seconds(minute * 60);
            let plan = plan(&facts(&settings, &members, &log, now));
            members.retain(|member: &Member| plan.stop.iter().all(|(id, _)| member.id != *id));
            // Each takes a round to start.
            for member in &mut members {
                member.is_ready = true;
            }
            for _ in 0..plan.start {
                made = made.wrapping_add(1);
                members.push(Member {
                    id: SessionId::from_bytes([made; 16]),
                    is_ready: false,
                    since: now,
                    fits: true,
                });
            }
            if minute > 5 {
                fewest = fewest.min(members.iter().filter(|member| member.is_ready).count());
            }
            assert!(members.len() <= 30);
        }
        assert_eq!(fewest, 24, "a fifth is away at most");
    }

    #[test]
    fn idle_pool_has_a_reason() {
        let spent = PoolHistory {
            spent_micros: 10_000,
            ..PoolHistory::new(StagingId::from_bytes([1; 16]), NOON)
        };
        let mondays = json!({"schedule": {"time_zone": "UTC", "spans": ["mon 13:00-14:00"]}});
        for (name, fields, blocked_by, price, minutes, rest) in [
            ("nothing in the way", json!({}), None, None, 0, None),
            (
                "no image",
                json!({}),
                Some(IdleReason::NoImage),
                None,
                0,
                Some(IdleReason::NoImage),
            ),
            (
                "switched off, and no image",
                json!({"enabled": false}),
                Some(IdleReason::NoImage),
                None,
                0,
                Some(IdleReason::Disabled),
            ),
            (
                "before its time",
                mondays.clone(),
                None,
                None,
                59,
                Some(IdleReason::OutsideSchedule),
            ),
            ("in its time", mondays.clone(), None, None, 60, None),
            (
                "after its time",
                mondays,
                None,
                None,
                120,
                Some(IdleReason::OutsideSchedule),
            ),
            (
                "budget left",
                json!({"daily_budget_cents": 2}),
                None,
                Some(1),
                0,
                None,
            ),
            (
                "budget spent",
                json!({"daily_budget_cents": 1}),
                None,
                Some(1),
                0,
                Some(IdleReason::BudgetSpent),
            ),
            (
                "budget spent within the next minute",
                json!({"daily_budget_cents": 2}),
                None,
                Some(200_000),
                0,
                Some(IdleReason::BudgetSpent),
            ),
            (
                "budget spent, but yesterday",
                json!({"daily_budget_cents": 1}),
                None,
                Some(1),
                12 * 60,
                None,
            ),
            (
                "a budget without a price",
                json!({"daily_budget_cents": 1}),
                None,
                None,
                0,
                Some(IdleReason::NoPrice),
            ),
        ] {
            let settings = settings(&fields);
            // NOON is a Monday's.
            let now = NOON.plus_seconds(minutes * 60);
            let plan = plan(&PoolFacts {
                blocked_by,
                hour_micros: price,
                ..facts(&settings, &[], &spent, now)
            });
            assert_eq!(
                (plan.rest, plan.wanted),
                (rest, if rest.is_some() { 0 } else { 3 }),
                "{name}"
            );
            assert!(rest.is_none_or(|rest| rest.sentence().ends_with('.')));
        }
    }

    #[test]
    fn starts_stay_within_capacity_and_pause_after_failures() {
        let settings = settings(&json!({"desired_sessions": 100}));
        let mut log = PoolHistory::new(StagingId::from_bytes([1; 16]), NOON);
        let start = |log: &PoolHistory, changed_at, now| {
            plan(&PoolFacts {
                changed_at,
                ..facts(&settings, &[], log, now)
            })
            .start
        };
        assert_eq!(start(&log, NOON, NOON), 20);
        log.note_failure(NOON, "no room".into(), NOON);
        let (soon, later) = (NOON.plus_seconds(10), NOON.plus_seconds(30));
        assert_eq!(
            (
                start(&log, NOON, soon),
                start(&log, NOON, later),
                start(&log, soon, soon)
            ),
            (0, 20, 20)
        );
    }
}
