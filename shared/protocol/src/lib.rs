//! What the control plane, the edges and the gates say to each other: ids, keys and tickets, what a
//! gate reports, and the replies to it. A gate needs no more of the project. Must not know AWS,
//! HTTP, the environment, or a clock or keys of its own.

pub mod brand;
pub mod excerpt;
pub mod exec_user;
pub mod ids;
pub mod keys;
pub mod language;
pub mod permission;
pub mod person_name;
pub mod public_host;
pub mod referrer;
pub mod report;
pub mod session_environment;
pub mod session_options;
pub mod session_origin;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod ticket;
pub mod time;
pub mod url_rules;
pub mod urls;
