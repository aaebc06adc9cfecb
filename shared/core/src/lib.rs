//! The rules of session casting: types, policies, session states, tickets, and flows over ports.
//! Must not know AWS, HTTP, the environment, or a clock or keys of its own: all of these come in as arguments.
//!
//! # Layout
//! - nouns: [`cast`], [`image`], [`session`], [`user`], [`captcha`], [`window`], [`referrer`], [`address`], [`ids`], [`time`]
//! - what is signed: [`keys`], [`ticket`]
//! - what is refused: [`denial`]
//! - the far sides: [`ports`]
//! - what is decided: [`policy`]
//! - what is set in motion: [`flow`]

pub mod address;
pub mod address_rules;
pub mod captcha;
pub mod cast;
pub mod cast_form;
pub mod client_form;
pub mod denial;
mod end_reason;
mod exec_form;
pub mod flow;
pub mod form;
pub mod group;
pub mod group_form;
pub mod ids;
pub mod image;
pub mod image_form;
pub mod keys;
pub mod network;
pub mod network_form;
pub mod open_hours;
mod open_hours_form;
mod owner;
pub mod permission;
pub mod policy;
pub mod ports;
mod preset;
pub mod record;
pub mod referrer;
pub mod session;
pub mod system;
pub mod system_form;
pub mod tally;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod ticket;
pub mod time;
pub mod url_rules;
pub mod user;
pub mod viewing;
pub mod window;

/// The target of events that are counted rather than read: their numbers are metrics, their texts dimensions.
pub const METRICS: &str = "casting_metrics";

pub use flow::{
    CaptchaNeed, Casting, Cause, ClaimRequest, Claimable, Claimed, Next, Opened, Refusal, Report, Stop, Swept, Terms, Trial, Visitor,
    outcome,
};
