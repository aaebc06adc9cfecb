//! End to end over the local stack: real HTTP through the same handlers as in AWS, the embedded database, and an ECS whose tasks are imaginary or
//! real processes.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "equipment of tests fails by panicking, as tests do"
)]

mod admin;
mod alike;
mod bad_input;
mod badges;
mod bootstrap;
mod captcha;
mod certified;
mod console;
mod console_fields;
mod document;
mod doors;
mod endings;
mod environment;
mod images;
mod injection;
mod lab;
mod ledger;
mod limits;
mod login;
mod parameters;
mod pools;
mod previews;
mod profiles;
mod refusals;
mod resume;
mod road;
mod roles;
mod rooms;
mod sharing;
