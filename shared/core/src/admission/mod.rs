//! Owns what decides whether a visitor gets a session: policies, limits, and what is known of where
//! visitors come from.

pub mod access_tier;
pub mod address;
pub mod address_rules;
pub mod captcha;
pub mod captcha_provider;
pub mod denial;
pub mod geo;
pub mod open_hours;
pub mod policy;
pub mod quota;
pub mod rate_limit;
pub mod rate_window;
pub mod reference;
pub mod terms;
