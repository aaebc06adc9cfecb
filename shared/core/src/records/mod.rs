//! Owns what administrators keep and look up: links, images, groups, networks, users, settings,
//! API keys, the audit log, and hourly figures.

pub mod actor;
pub mod api_key;
pub mod audit;
pub mod cast;
pub mod cast_template;
pub mod cast_warnings;
pub mod deployment;
pub mod group;
pub mod hourly_stats;
pub mod image;
pub mod invitation;
pub mod network;
pub mod permission;
pub mod preset;
pub mod profile;
pub mod queries;
pub mod record;
pub mod user;
