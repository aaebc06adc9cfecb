//! Owns the settings of the whole deployment that administrators change while it runs. Must not
//! know how they are stored or edited (see `settings_form`).

use serde::{Deserialize, Serialize};

use crate::address_rules::AddressRule;
use crate::captcha::CaptchaSettings;
use crate::record::Record;
use crate::time::Timestamp;

/// The settings; there is one record of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    id: String,
    /// Grows with every change; 0 before the first one.
    pub version: u64,
    /// What the administrator set.
    pub settings: DeploymentSettings,
    /// When an administrator last changed it.
    pub updated_at: Timestamp,
}

/// The id of the one record.
pub const DEPLOYMENT_ID: &str = "system";

impl Deployment {
    /// The settings at this version.
    pub fn new(version: u64, settings: DeploymentSettings, updated_at: Timestamp) -> Self {
        Self {
            id: DEPLOYMENT_ID.into(),
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
    /// See [`DeploymentSettings::max_sessions`].
    pub max_sessions: Option<u32>,
    /// See [`DeploymentSettings::budget_per_hour_cents`].
    pub budget_per_hour_cents: Option<u32>,
    /// See [`DeploymentSettings::budget_per_day_cents`].
    pub budget_per_day_cents: Option<u32>,
}

impl FirstLimits {
    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The settings of a deployment that begins with these limits.
    pub fn settings(self) -> DeploymentSettings {
        DeploymentSettings {
            max_sessions: self.max_sessions,
            // The version of the first settings that are written.
            counted_since: u64::from(self.max_sessions.is_some()),
            budget_per_hour_cents: self.budget_per_hour_cents,
            budget_per_day_cents: self.budget_per_day_cents,
            ..DeploymentSettings::default()
        }
    }
}

impl Default for Deployment {
    /// The settings before the first change.
    fn default() -> Self {
        Self::new(0, DeploymentSettings::default(), Timestamp::from_millis(0))
    }
}

impl Record for Deployment {
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
pub struct DeploymentSettings {
    /// How visitors are checked (seed: Require reCAPTCHA).
    #[serde(default)]
    pub captcha: CaptchaSettings,
    /// Whom refused visitors can ask, where their link names no contact of its own.
    #[serde(default)]
    pub contact: Option<String>,
    /// When an anonymous user is forgotten, in hours after the claim, but never while the session
    /// lives; `None` is never.
    #[serde(default)]
    pub anonymous_user_hours: Option<u32>,
    /// How many anonymous users the whole deployment makes in a clock hour; `None` is as many as
    /// come.
    #[serde(default)]
    pub anonymous_users_per_hour: Option<u32>,
    /// How many sessions may live at once; 0 is maintenance, `None` is no limit.
    #[serde(default)]
    pub max_sessions: Option<u32>,
    /// The version of the settings in which `max_sessions` was last set after there was no limit:
    /// since then live sessions are counted.
    #[serde(default)]
    pub counted_since: u64,
    /// What the sessions claimed in one clock hour may cost together, in US cents; `None` is no
    /// limit.
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

impl Default for DeploymentSettings {
    fn default() -> Self {
        Self {
            captcha: CaptchaSettings::default(),
            contact: None,
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
