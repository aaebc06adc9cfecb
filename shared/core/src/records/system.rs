//! Owns the settings of the whole deployment that administrators change while it runs. Must not know how they are stored or edited
//! (see `system_form`).

use serde::{Deserialize, Serialize};

use crate::address_rules::AddressRule;
use crate::captcha::CaptchaSettings;
use crate::record::Record;
use crate::time::Timestamp;

/// The settings; there is one record of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    id: String,
    /// Grows with every change; 0 as long as nobody has changed anything.
    pub version: u64,
    /// What the administrator set.
    pub settings: SystemSettings,
    /// When an administrator last changed it.
    pub updated_at: Timestamp,
}

/// The id of the one record.
pub const SYSTEM_ID: &str = "system";

impl System {
    /// The settings at this version.
    pub fn new(version: u64, settings: SystemSettings, updated_at: Timestamp) -> Self {
        Self {
            id: SYSTEM_ID.into(),
            version,
            settings,
            updated_at,
        }
    }
}

/// The limits that a new deployment begins with. They are no settings: they become some with its
/// first link, and a deployment that has links already is not touched by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstLimits {
    /// See [`SystemSettings::max_sessions`].
    pub max_sessions: Option<u32>,
    /// See [`SystemSettings::budget_per_hour_cents`].
    pub budget_per_hour_cents: Option<u32>,
    /// See [`SystemSettings::budget_per_day_cents`].
    pub budget_per_day_cents: Option<u32>,
}

impl FirstLimits {
    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The settings of a deployment that begins with these limits.
    pub fn settings(self) -> SystemSettings {
        SystemSettings {
            max_sessions: self.max_sessions,
            // The version of the first settings that are written.
            counted_since: u64::from(self.max_sessions.is_some()),
            budget_per_hour_cents: self.budget_per_hour_cents,
            budget_per_day_cents: self.budget_per_day_cents,
            ..SystemSettings::default()
        }
    }
}

impl Default for System {
    /// As long as nobody has changed anything.
    fn default() -> Self {
        Self::new(0, SystemSettings::default(), Timestamp::from_millis(0))
    }
}

impl Record for System {
    const KIND: &'static str = "settings";
    fn id(&self) -> &str {
        &self.id
    }
    fn version(&self) -> u64 {
        self.version
    }
}

/// What an administrator sets for the whole deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemSettings {
    /// How visitors are checked (seed: Require reCAPTCHA).
    #[serde(default)]
    pub captcha: CaptchaSettings,
    /// When an anonymous user is forgotten, in hours after the claim, but never while the session lives; `None` is never.
    #[serde(default)]
    pub anonymous_user_hours: Option<u32>,
    /// How many anonymous users the whole deployment makes in a clock hour; `None` is as many as come.
    #[serde(default)]
    pub anonymous_users_per_hour: Option<u32>,
    /// How many sessions may live at once; 0 is maintenance, `None` is no limit.
    #[serde(default)]
    pub max_sessions: Option<u32>,
    /// The version of the settings in which `max_sessions` was last set after there was no limit:
    /// since then live sessions are counted.
    #[serde(default)]
    pub counted_since: u64,
    /// What the sessions claimed in one clock hour may cost together, in US cents; `None` is no limit.
    #[serde(default)]
    pub budget_per_hour_cents: Option<u32>,
    /// The same of one day (UTC).
    #[serde(default)]
    pub budget_per_day_cents: Option<u32>,
    /// Addresses that get nothing from any link.
    #[serde(default)]
    pub banned_addresses: Vec<AddressRule>,
    /// How many claims and unknown keys one address may try in a minute on one function instance.
    pub attempts_per_minute: u32,
    /// What one administrator, or one API key, may ask in a minute of one function instance.
    #[serde(default = "usual_calls")]
    pub calls_per_minute: u32,
}

const fn usual_calls() -> u32 {
    1200
}

impl Default for SystemSettings {
    fn default() -> Self {
        Self {
            captcha: CaptchaSettings::default(),
            anonymous_user_hours: Some(8),
            anonymous_users_per_hour: None,
            max_sessions: None,
            counted_since: 0,
            budget_per_hour_cents: None,
            budget_per_day_cents: None,
            banned_addresses: Vec::new(),
            attempts_per_minute: 120,
            calls_per_minute: usual_calls(),
        }
    }
}
