//! The ECS endpoint, called by the real SDK through the real launcher.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lint's exception for tests does not reach what tests share"
)]

mod endpoint;
mod fixture;
mod processes;
mod restart;
