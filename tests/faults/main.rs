//! The fault suite: the ledger must hold whatever happens to any call of any function.
//!
//! `budgets` spends money while claims, ends and crashes go on; `caps` switches limits of live
//! sessions while claims, ends and crashes go on; `cost` counts what each step of a visit pays for;
//! `crashes` walks through every call of every flow and kills the process before and after it;
//! `lists` kills those who list claims by link; `histories` draws whole histories from a seed; `scale` counts what pages read of many rows; `starts` has crowds come faster than ECS starts tasks.

#![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod budgets;
mod caps;
mod changes;
mod cost;
mod crashes;
mod crowd;
mod histories;
mod hooks;
mod keys;
mod lists;
mod pools;
mod references;
mod rooms;
mod scale;
mod starts;
