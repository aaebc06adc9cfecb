//! End to end over the local stack: real HTTP through the same handlers as in AWS, the embedded
//! database, and an ECS whose tasks are simulated or real processes.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "equipment of tests fails by panicking, as tests do"
)]

mod access_tiers;
mod admin;
mod admission_hook;
mod authorization;
mod bad_input;
mod badges;
mod bootstrap;
mod brand;
mod captcha;
mod certified;
mod configuration;
mod console;
mod console_fields;
mod devtools;
mod endings;
mod environment;
mod event_bus;
mod extensions;
mod forms;
mod guards;
mod happy_path;
mod hooks;
mod images;
mod indistinguishable;
mod injection;
mod invitations;
mod languages;
mod ledger;
mod limits;
mod lobby;
mod login;
mod openapi;
mod page_sizes;
mod parameters;
mod pools;
mod previews;
mod profiles;
mod recovery;
mod refusals;
mod resume;
mod roles;
mod rooms;
mod sharing;
mod starts;
mod steering;
mod test_stack;
