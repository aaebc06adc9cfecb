//! The rules of session casting: types, policies, session states, tickets, and flows over ports.
//! Must not know AWS, HTTP, the environment, or a clock or keys of its own: all of these come in as
//! arguments.
//!
//! # Layout
//! - `admission/`: the policies and limits that decide whether a visitor gets a session
//! - `records/`: what administrators manage: links, images, groups, users, settings, the audit log
//! - `input/`: parsers of JSON documents, and their JSON schemas
//! - `sessions/`: the life cycle of a session
//! - `hooks/`: webhooks and event buses: their settings, events, deliveries and signatures
//! - `pool/`: sessions that are started in advance; [`waiting_queue`]: the waiting room
//! - `signing/`: keys and tickets
//! - [`flow`]: the use cases, over [`ports`] (database, ECS and others)
//! - [`admin`]: the use cases of administrators, over the same ports
//! - [`ids`], [`time`]: identifiers and timestamps

pub mod admin;
mod admission;
pub mod flow;
mod hooks;
mod input;
mod pool;
pub mod ports;
mod records;
mod sessions;
mod signing;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod waiting_queue;

/// The log target of events that become metrics: their numbers are values, their texts dimensions.
pub const METRICS: &str = "casting_metrics";

// Shared with the gates.
pub use casting_protocol::report::{
    Bootstrap, Download, GateEndReason, NotSaved, ProfileDirectives, ProfileReport, Report, Upload,
};
pub use casting_protocol::{
    brand, excerpt, exec_user, ids, keys, language, person_name, public_host, referrer,
    session_environment, session_options, session_origin, time, url_rules, urls,
};
// Modules are named without their folder: `casting_core::cast`.
pub use admission::{
    access_tier, address, address_rules, captcha, captcha_provider, denial, geo, open_hours,
    policy, quota, rate_limit, rate_window, reference, terms,
};
pub use flow::{
    AskToWatch, CHANGE_SECONDS, CaptchaNeed, ClaimOffer, ClaimOutcome, ClaimRequest, Claimed,
    ControlPlane, Credential, DevtoolsAccess, FlowError, FoundRefusal, Help, History, LandingInfo,
    LinkStatus, LobbyStage, LobbyVisit, MOST_SESSIONS, NextStep, OnlyOnce, OwnSession, OwnerProof,
    PoolView, Ports, PublicUrls, Refilled, Refusal, Resumable, SIGNED_IN_SECONDS, STARTS_AT_ONCE,
    Sent, ShareVisitor, Swept, Trial, TrialOutcome, Visitor, Waiting, Watching, outcome,
};
pub(crate) use hooks::session_events;
pub use hooks::{admission_hook, delivery, event_bus, hook, webhook};
pub(crate) use input::{
    access_tier_form, brand_form, client_form, exec_form, field, field_parser, hook_form,
    image_rules, open_hours_form, read_only,
};
pub use input::{
    api_key_form, cast_form, form, group_form, image_form, invitation_form, json_schema,
    network_form, resource, settings_form, staging_form, text_format,
};
pub use pool::{pool_history, pool_plan, pooled, staging};
pub use records::{
    actor, api_key, audit, cast, cast_template, cast_warnings, deployment, group, hourly_stats,
    image, invitation, network, permission, preset, profile, queries, record, user,
};
pub(crate) use sessions::{end_reason, launch_spec, owner, task_times};
pub use sessions::{persistent_profile, pricing, session, sharing, start_times, summary};
pub(crate) use signing::console_ticket;
pub use signing::ticket;
