//! Owns what administrators keep and look up: links, images, groups, networks, users, settings,
//! API keys, the audit log, and hourly figures.

pub mod actor;
pub mod api_key;
pub mod audit;
pub mod cast;
pub mod cast_warnings;
pub mod group;
pub mod hours;
pub mod image;
pub mod listing;
pub mod network;
pub mod permission;
pub mod preset;
pub mod profile;
pub mod record;
pub mod system;
pub mod user;
