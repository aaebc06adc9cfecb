//! Who is there: CAPTCHA providers and logins, and the one HTTP client that calls out to others. Must not know links, sessions or AWS.

pub mod altcha;
pub mod captcha;
pub mod oidc;
pub mod siteverify;
pub mod web_client;
