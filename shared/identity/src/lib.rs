//! Who is there: CAPTCHA providers, logins, gates and receivers of webhooks, and the one HTTP client that calls out to
//! others. Must not know links or AWS.

pub mod altcha;
pub mod captcha;
mod claims;
pub mod gates;
pub mod oidc;
pub mod preview;
mod provider_client;
pub mod siteverify;
pub mod web_client;
pub mod webhooks;
