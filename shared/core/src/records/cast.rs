//! Owns the cast config: the settings of one link, and its counter. Must not know how they are
//! stored or edited (see `cast_form`).

use serde::{Deserialize, Serialize};

use crate::access_tier::AccessTier;
use crate::address_rules::AddressRule;
use crate::admission_hook::AdmissionHook;
use crate::brand::Brand;
use crate::hook::Hook;
use crate::ids::{CastId, CastKey, GroupId, ImageId};
use crate::language::Language;
use crate::open_hours::OpenHours;
use crate::permission::ClientSettings;
use crate::referrer::ReferrerRule;
use crate::session_options::Extension;
use crate::time::Timestamp;

/// One link: its settings, and how many sessions it still has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cast {
    /// Never changes.
    pub id: CastId,
    /// Grows with every change of the settings or of the counter by an administrator; claims do not
    /// touch it.
    pub version: u64,
    /// What the administrator set.
    pub settings: CastSettings,
    /// Sessions Remaining.
    pub counter: Counter,
    /// When it was made.
    pub created_at: Timestamp,
    /// When an administrator last changed it.
    pub updated_at: Timestamp,
}

/// Sessions Remaining. Only *reserve* and *release* move it, and an administrator who names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counter {
    /// Sessions that can still be given out (seed: Sessions Remaining). Means nothing while the
    /// limit is off.
    pub remaining: u64,
    /// Grows whenever an administrator sets `remaining`: a place taken before that is not given
    /// back into the new number.
    pub epoch: u64,
}

impl Counter {
    /// The counter of a new cast: `remaining` sessions, first epoch.
    pub const fn new(remaining: u64) -> Self {
        Self {
            remaining,
            epoch: 0,
        }
    }

    /// The counter after this change, if no claim moves it in the meantime.
    #[must_use]
    pub const fn changed(self, change: CounterChange) -> Self {
        match change {
            CounterChange::Keep => self,
            CounterChange::Set(remaining) => Self {
                remaining,
                epoch: self.epoch + 1,
            },
            CounterChange::Add(difference) => Self {
                remaining: self.remaining.saturating_add_signed(difference),
                ..self
            },
        }
    }

    /// Roughly how many sessions remain, as shown to visitors.
    pub const fn amount(self) -> Amount {
        match self.remaining {
            0 => Amount::None,
            1..=10 => Amount::Few,
            11..=100 => Amount::Some,
            _ => Amount::Many,
        }
    }
}

/// What an administrator does to Sessions Remaining.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CounterChange {
    /// It is left to the claims.
    #[default]
    Keep,
    /// It becomes this number, if it is still the number that the change was decided on. A new
    /// epoch begins.
    Set(u64),
    /// This is added to it, or taken from it, whatever it is by then.
    Add(i64),
}

/// Sessions Remaining as shown to visitors, in rough steps: exact numbers are for administrators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Sold out.
    None,
    /// 10 at most.
    Few,
    /// 100 at most.
    Some,
    /// More.
    Many,
}

impl Amount {
    /// The amount as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Few => "few",
            Self::Some => "some",
            Self::Many => "many",
        }
    }
}

impl Cast {
    /// Whether a session starts only when the visitor has pressed the button.
    pub const fn starts_on_click(&self) -> bool {
        match self.settings.start_on_click {
            StartOnClick::Auto => self.settings.limit_total_sessions && self.counter.remaining == 1,
            StartOnClick::Always => true,
            StartOnClick::Never => false,
        }
    }

    /// Sessions Remaining, also while the limit is off; `None` when it was never set.
    pub fn sessions_remaining(&self) -> Option<u64> {
        let is_set = self.settings.limit_total_sessions || self.counter != Counter::default();
        is_set.then_some(self.counter.remaining)
    }
}

/// What an administrator sets on a cast. Its default is no link yet: what a document is read into.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CastSettings {
    /// For administrators only.
    pub name: String,
    /// For administrators only.
    #[serde(default)]
    pub description: String,
    /// What visitors read as the heading; `None` is the image's name.
    #[serde(default)]
    pub title: Option<String>,
    /// What visitors read below it; `None` is what is said of all links.
    #[serde(default)]
    pub summary: Option<String>,
    /// Whom refused visitors can ask; `None` is the deployment's contact.
    #[serde(default)]
    pub contact: Option<String>,
    /// The brand on the visitors' pages, where it differs from the deployment's.
    #[serde(default, skip_serializing_if = "Brand::is_empty")]
    pub brand: Brand,
    /// seed: URL Key.
    pub key: CastKey,
    /// The key before, while it still opens the link; only a rotation of keys sets it.
    #[serde(default)]
    pub previous_key: Option<PreviousKey>,
    /// seed: Image.
    pub image_id: ImageId,
    /// A disabled link looks as if it did not exist.
    pub enabled: bool,
    /// From this time on the link gives no new sessions; `None` is for ever.
    #[serde(default)]
    pub valid_until: Option<Timestamp>,
    /// seed: Limit Total Session.
    #[serde(default)]
    pub limit_total_sessions: bool,
    /// seed: Limit Requests Per IP; `None` is off.
    #[serde(default)]
    pub ip_limit: Option<IpLimit>,
    /// What was set of it, while it is off.
    #[serde(default)]
    pub kept_ip_limit: KeptIpLimit,
    /// seed: Restrict to Referrers; empty accepts every referrer.
    #[serde(default)]
    pub referrers: Vec<ReferrerRule>,
    /// seed: Error URL.
    #[serde(default)]
    pub error_url: Option<String>,
    /// seed: Kasm URL, as the container gets it.
    #[serde(default)]
    pub kasm_url: Option<String>,
    /// seed: Allow Dynamic Kasm URL Parameter.
    #[serde(default)]
    pub dynamic_kasm_url: bool,
    /// The hosts that a dynamic Kasm URL may name; empty is every public one.
    #[serde(default)]
    pub dynamic_kasm_url_hosts: Vec<ReferrerRule>,
    /// seed: Allow Dynamic Docker Network URL Parameter.
    #[serde(default)]
    pub dynamic_docker_network: bool,
    /// seed: Allow Anonymous. Otherwise visitors must log in.
    #[serde(default)]
    pub allow_anonymous: bool,
    /// seed: Anonymous User Group; `None` is *All Users* only.
    #[serde(default)]
    pub anonymous_group_id: Option<GroupId>,
    /// seed: Require reCAPTCHA. Means something only with `allow_anonymous`.
    #[serde(default)]
    pub require_captcha: bool,
    /// Whether only visitors with an invitation get sessions.
    #[serde(default)]
    pub invitation_required: bool,
    /// What visitors get by what they have shown; empty: all get the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_tiers: Vec<AccessTier>,
    /// seed: Allow Resume.
    #[serde(default)]
    pub allow_resume: bool,
    /// Whether an anonymous visitor's browser finds its own running session of this link.
    #[serde(default)]
    pub anonymous_resume: AnonymousResume,
    /// How many sessions of this link may live at once; `None` is no limit.
    #[serde(default)]
    pub max_live_sessions: Option<u32>,
    /// The cast's version in which `max_live_sessions` was last set after there was no limit: since
    /// then its live sessions are counted.
    #[serde(default)]
    pub counted_since: u64,
    /// What the sessions claimed in one clock hour may cost together, in US cents; `None` is no
    /// limit.
    #[serde(default)]
    pub budget_per_hour_cents: Option<u32>,
    /// The same of one day (UTC).
    #[serde(default)]
    pub budget_per_day_cents: Option<u32>,
    /// The same of one month (UTC).
    #[serde(default)]
    pub budget_per_month_cents: Option<u32>,
    /// The same of all sessions since it was set first.
    #[serde(default)]
    pub budget_in_all_cents: Option<u32>,
    /// Whether visitors who find every place taken wait in line instead of being refused.
    #[serde(default)]
    pub waiting_room: bool,
    /// Whether a session starts only when the visitor has pressed the button.
    #[serde(default)]
    pub start_on_click: StartOnClick,
    /// When in the week the link is open; `None` is always.
    #[serde(default)]
    pub open_hours: Option<OpenHours>,
    /// Addresses that may come; empty is all.
    #[serde(default)]
    pub allowed_addresses: Vec<AddressRule>,
    /// Addresses that may not come.
    #[serde(default)]
    pub banned_addresses: Vec<AddressRule>,
    /// The cast's own permissions and limits, which win over those of groups; `None` leaves all to
    /// the groups.
    #[serde(default)]
    pub enforced_client_settings: Option<ClientSettings>,
    /// What was set of them, while they are not enforced.
    #[serde(default)]
    pub kept_client_settings: Option<ClientSettings>,
    /// The language of the visitors' pages.
    #[serde(default)]
    pub language: LinkLanguage,
    /// The picture behind the landing page, on https.
    #[serde(default)]
    pub background_url: Option<String>,
    /// seed: Disable Control Panel.
    #[serde(default)]
    pub disable_control_panel: bool,
    /// seed: Disable Tips.
    #[serde(default)]
    pub disable_tips: bool,
    /// Whether the viewer writes over the picture whose session it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub watermark: bool,
    /// A line that the viewer shows above the session, as long as it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_notice: Option<String>,
    /// seed: Enable Sharing. Sessions are shared from their start on.
    #[serde(default)]
    pub enable_sharing: bool,
    /// Whether those who watch a shared session need no login.
    #[serde(default)]
    pub allow_anonymous_viewers: bool,
    /// Whether those who watch wait until the session's owner lets them in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub enable_lobby: bool,
    /// seed: Disable Shared Fixed Resolution.
    #[serde(default)]
    pub disable_fixed_resolution: bool,
    /// Whether sound is on when a session starts (Kasm: kasm_audio_default_on), as far as the
    /// permission `audio` allows it.
    #[serde(default = "on")]
    pub audio_default_on: bool,
    /// Whether the streamed screen starts with the visitor's own input method (Kasm:
    /// kasm_ime_mode_default_on).
    #[serde(default)]
    pub ime_mode_default_on: bool,
    /// Where events of this link are sent.
    #[serde(default, skip_serializing_if = "Hook::is_empty")]
    pub hook: Hook,
    /// The server that has the last word on who comes in.
    #[serde(default, skip_serializing_if = "AdmissionHook::is_usual")]
    pub admission_hook: AdmissionHook,
    /// How often the owner of a session may extend it, 0 for not at all, and by how much.
    #[serde(default)]
    pub extension: Extension,
}

/// Whether the page of a link waits for a click before it starts a session. Programs that look at
/// links in mails run scripts, and would take the place of the person they look for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartOnClick {
    /// Where one session remains.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never: the page starts it by itself.
    Never,
}

impl StartOnClick {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// The value as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// Reads a word.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| "must be auto, always or never.".to_owned())
    }
}

/// What an anonymous visitor finds whose browser has a running session of the link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnonymousResume {
    /// A new session. Also what links from before this setting do.
    #[default]
    Off,
    /// A page that asks: go back, or start another.
    Ask,
    /// That session.
    Always,
}

impl AnonymousResume {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Off, Self::Ask, Self::Always];

    /// The value as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Ask => "ask",
            Self::Always => "always",
        }
    }

    /// Reads a word.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| "must be off, ask or always.".to_owned())
    }
}

/// The language in which visitors of a link are spoken to, unless they ask for another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkLanguage(
    /// `None`: the one that the visitor's browser asks for.
    pub Option<Language>,
);

impl LinkLanguage {
    /// What the setting says for the browser's choice.
    pub const AUTO: &'static str = "auto";

    /// Every word of the setting.
    pub fn words() -> Vec<&'static str> {
        let languages = Language::ALL.map(Language::as_str);
        std::iter::once(Self::AUTO).chain(languages).collect()
    }

    /// The value as a word.
    pub fn as_str(self) -> &'static str {
        self.0.map_or(Self::AUTO, Language::as_str)
    }

    /// Reads a word.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == Self::AUTO {
            return Ok(Self(None));
        }
        let language = Language::parse(text).map(|language| Self(Some(language)));
        language.ok_or_else(|| format!("must be one of {}.", Self::words().join(", ")))
    }
}

impl TryFrom<String> for LinkLanguage {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<LinkLanguage> for String {
    fn from(language: LinkLanguage) -> Self {
        language.as_str().to_owned()
    }
}

const fn on() -> bool {
    true
}

/// A key that opens the link for a time after it was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousKey {
    /// The key.
    pub key: CastKey,
    /// From this time on it opens nothing.
    pub until: Timestamp,
}

impl CastSettings {
    /// By how much owners may extend their sessions; `None`: not at all.
    pub fn allowed_extension(&self) -> Option<Extension> {
        (self.extension.times > 0).then_some(self.extension)
    }

    /// Whether this key opens the link at `now`.
    pub fn answers_to(&self, key: &CastKey, now: Timestamp) -> bool {
        self.key == *key
            || self
                .previous_key
                .as_ref()
                .is_some_and(|previous| previous.key == *key && now < previous.until)
    }

    /// The simplest link: enabled, open to all visitors, without limits.
    pub fn open(name: String, key: CastKey, image_id: ImageId) -> Self {
        Self {
            name,
            key,
            image_id,
            enabled: true,
            allow_anonymous: true,
            audio_default_on: on(),
            ..Self::default()
        }
    }
}

/// seed: Sessions Allowed / Within Seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpLimit {
    /// Sessions allowed, 1 to 1,000.
    pub sessions: u32,
    /// In any window of so many seconds, 1 to 2,592,000 (30 days).
    pub within_seconds: u32,
    /// What is counted.
    #[serde(default)]
    pub by: CountBy,
    /// Addresses that are not limited, such as a classroom's.
    #[serde(default)]
    pub exempt: Vec<AddressRule>,
}

/// What was set of Limit Requests Per IP while it is off, to be there when it is switched on.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeptIpLimit {
    /// See [`IpLimit`].
    #[serde(default)]
    pub sessions: Option<u32>,
    /// See [`IpLimit`], in seconds.
    #[serde(default)]
    pub within_seconds: Option<u32>,
    /// See [`IpLimit`].
    #[serde(default)]
    pub by: CountBy,
    /// See [`IpLimit`].
    #[serde(default)]
    pub exempt: Vec<AddressRule>,
}

impl KeptIpLimit {
    /// Nothing was set.
    pub const NONE: Self = Self {
        sessions: None,
        within_seconds: None,
        by: CountBy::Address,
        exempt: Vec::new(),
    };

    /// What is set of the limit, on or off.
    pub fn of(settings: &CastSettings) -> Self {
        settings
            .ip_limit
            .as_ref()
            .map_or_else(|| settings.kept_ip_limit.clone(), Self::from)
    }
}

impl From<&IpLimit> for KeptIpLimit {
    fn from(limit: &IpLimit) -> Self {
        Self {
            sessions: Some(limit.sessions),
            within_seconds: Some(limit.within_seconds),
            by: limit.by,
            exempt: limit.exempt.clone(),
        }
    }
}

/// What Limit Requests Per IP takes for one visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountBy {
    /// The address (IPv4) or its /64 (IPv6).
    #[default]
    Address,
    /// The browser, by a cookie, for places where many share one address. A visitor who deletes the
    /// cookie counts as a new one, and a visitor without one counts by address.
    Browser,
}

impl CountBy {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Address, Self::Browser];

    /// Reads what is counted.
    ///
    /// # Errors
    /// One plain sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|by| by.as_str() == text)
            .ok_or_else(|| "must be address or browser.".to_owned())
    }

    /// The way as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Browser => "browser",
        }
    }
}
