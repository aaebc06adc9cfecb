//! The programs as they are started: `casting` from its command line, and each function by the
//! Lambda Runtime API.

#![expect(
    clippy::expect_used,
    reason = "equipment of tests fails by panicking, as tests do"
)]

mod api_examples;
mod command_line;
mod configuration;
mod confinement;
mod containers;
mod devtools;
mod doctor;
mod front;
mod kills;
mod open_api;
mod runtime_api;
mod rust_client;
mod task_layout;
