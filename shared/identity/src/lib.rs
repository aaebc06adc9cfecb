//! Who is there: CAPTCHA providers, and the one HTTP client that calls out to others. Must not know links, sessions or AWS.

pub mod altcha;
pub mod captcha;
pub mod siteverify;
pub mod web_client;
