//! The rules of session casting: types, policies, session states, tickets, and flows over ports.
//! Must not know AWS, HTTP, the environment, or a clock or keys of its own: all of these come in as arguments.
//!
//! # Layout
//! - nouns: [`cast`], [`image`], [`session`], [`user`], [`captcha`], [`window`], [`room`], [`referrer`], [`address`], [`ids`], [`time`]
//! - who runs it: [`actor`], [`api_key`], [`audit`], [`profile`]
//! - what is kept for users: [`persistent_profile`]
//! - what is looked up: [`listing`], [`hours`]
//! - what is signed: [`keys`], [`ticket`]
//! - what is refused: [`denial`], [`reference`]
//! - the far sides: [`ports`]
//! - what is decided: [`policy`]
//! - what is set in motion: [`flow`]

pub mod actor;
pub mod address;
pub mod address_rules;
#[cfg(test)]
mod agreement;
pub mod api_key;
pub mod api_key_form;
pub mod audit;
pub mod captcha;
pub mod cast;
pub mod cast_form;
pub mod cast_warnings;
pub mod client_form;
mod console_ticket;
pub mod denial;
mod end_reason;
pub mod excerpt;
mod exec_form;
pub mod exec_user;
pub mod field_words;
pub mod flow;
pub mod form;
pub mod group;
pub mod group_form;
pub mod hours;
pub mod ids;
pub mod image;
pub mod image_form;
mod image_rules;
pub mod json_schema;
pub mod keys;
mod launch;
pub mod listing;
pub mod network;
pub mod network_form;
pub mod open_hours;
mod open_hours_form;
mod owner;
pub mod permission;
pub mod persistent_profile;
pub mod policy;
pub mod pool_log;
pub mod pool_plan;
pub mod pooled;
pub mod ports;
pub mod preset;
pub mod price;
pub mod profile;
pub mod public_host;
pub mod quota;
pub mod rate_limit;
mod reader;
pub mod record;
pub mod reference;
pub mod referrer;
pub mod room;
pub mod session;
pub mod session_environment;
pub mod shape;
pub mod staging;
pub mod staging_form;
pub mod system;
pub mod system_form;
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
    Bootstrap, CHANGE_SECONDS, CaptchaNeed, Cause, ClaimRequest, Claimable, Claimed, ControlPlane,
    Credential, Download, FlowError, FoundRefusal, History, Next, NotSaved, Opened, PoolView,
    ProfileOrders, ProfileReport, Received, Refilled, Refusal, Report, Resumable,
    SIGNED_IN_SECONDS, STARTS_AT_ONCE, Standing, Swept, Terms, Trial, Turned, Upload, Visitor,
    Waiting, outcome,
};
