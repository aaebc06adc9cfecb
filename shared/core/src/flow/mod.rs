//! Owns the flows: what a request, a report, an event or the schedule sets in motion, over the ports. Must not know how any of them arrived.
//!
//! Each flow parses nothing, decides through pure code ([`crate::policy`], [`crate::session`]) and writes in one place: a claim by
//! [`Store::reserve`], everything after it by [`Store::save_session`], which gives a charge back in the very write that ends a session unserved.

mod admission_context;
mod assign;
mod attempts;
mod authn;
mod bootstrap;
mod cache;
mod claim;
mod history;
mod launch;
mod link_status;
mod link_visit;
mod live_counts;
mod open;
mod owner;
mod profiles;
mod rates;
mod refill;
mod refresh;
mod refusal;
mod refusals;
mod report;
mod share;
mod stop;
mod sweep;
mod task_change;
mod trial;
mod waiting_room;

use std::net::IpAddr;
use std::sync::Arc;

pub use authn::{AuthError, Credential, SIGNED_IN_SECONDS};
pub use cache::CHANGE_SECONDS;
pub use claim::{ClaimOutcome, ClaimRequest, Claimed};
pub use history::History;
pub use link_status::LinkStatus;
pub use open::{CaptchaNeed, ClaimOffer, LandingInfo, NextStep, Resumable};
pub use owner::outcome;
pub use refill::{PoolView, Refilled, STARTS_AT_ONCE};
pub use refusal::{FlowError, Refusal};
pub use refusals::FoundRefusal;
pub use sweep::Swept;
pub use trial::Trial;
pub use waiting_room::Waiting;

use crate::METRICS;
use crate::captcha::CaptchaVerifier;
use crate::ids::{Entropy, SessionId};
use crate::keys::Keyring;
use crate::ports::{Fault, FaultKind, Gates, Launcher, ProfileFiles, Saved, Store};
use crate::session::{Session, State};
use crate::session_origin::SessionOrigin;
use crate::system::FirstLimits;
use crate::time::Clock;
use crate::url_rules::{self, OwnUrls};
use crate::user::User;

/// How often a decision is made again because somebody else wrote first, before it is called contention.
const TRIES: u32 = 10;

/// Where the parts of a deployment are.
#[derive(Clone, Debug)]
pub struct PublicUrls {
    /// The control plane's origin, without a trailing slash: `https://cast.example.com`.
    pub public_url: String,
    /// Where gates report to; usually the same.
    pub report_url: String,
    /// Where a session is, with `{session}` for its id: `https://{session}.cast.example.com`.
    pub session_url: String,
}

/// Counts a session that has come into a state, and how long its visitor has waited for it.
/// Counts a session that has come to another state.
fn count_move(before: &Session, session: &Session) {
    if before.state.as_str() == session.state.as_str() {
        return;
    }
    match &session.state {
        State::Ready { at, .. } => {
            let start_ms = at.millis().saturating_sub(session.created_at.millis());
            tracing::info!(target: METRICS, sessions = 1_u64, start_ms, state = session.state.as_str());
        }
        state => tracing::info!(target: METRICS, sessions = 1_u64, state = state.as_str()),
    }
}

impl PublicUrls {
    /// The URL of a path of the control plane; [`crate::urls`] has the paths.
    pub fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// Where this deployment itself answers.
    pub fn own_urls(&self) -> OwnUrls {
        OwnUrls {
            control: vec![self.public_url.clone(), self.report_url.clone()],
            session: self.session_url.clone(),
        }
    }

    /// The link's error page, unless it leads back here: our addresses may have changed since it
    /// was set.
    pub fn error_page(&self, error_url: Option<&str>) -> Option<String> {
        let url = url::Url::parse(error_url?).ok()?;
        (!self.own_urls().contain(&url)).then(|| url.into())
    }

    /// Whether visitors come over https.
    pub fn is_secure(&self) -> bool {
        self.public_url.starts_with("https:")
    }

    /// The origin of this session, as browsers write it.
    pub fn session_origin(&self, id: &SessionId) -> Option<String> {
        let url = url::Url::parse(&self.session_url.replace("{session}", id.as_str())).ok()?;
        Some(url.origin().ascii_serialization())
    }

    /// Which origin of a session is entered: the viewer's, where sessions have host names.
    pub fn entry_origin(&self) -> SessionOrigin {
        if url_rules::has_session_host(&self.session_url) {
            SessionOrigin::Viewer
        } else {
            SessionOrigin::Shared
        }
    }

    /// The host of the control plane, without its port.
    pub fn host(&self) -> &str {
        let authority = self
            .public_url
            .split_once("://")
            .map_or(self.public_url.as_str(), |(_, rest)| rest);
        authority
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
            .map_or(authority, |(host, _)| host)
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The address the request came from, as the front door knows it.
    pub address: IpAddr,
    /// The referring host, as [`crate::referrer::host_of`] reads it.
    pub referrer: Option<String>,
    /// Who it is, if logged in.
    pub user: Option<User>,
    /// What the browser's cookie says to tell it from others at the same address.
    pub browser: Option<String>,
}

impl Visitor {
    /// Somebody of whom nothing is known but the address.
    pub const fn from(address: IpAddr) -> Self {
        Self {
            address,
            referrer: None,
            user: None,
            browser: None,
        }
    }
}

/// The ports that every control plane needs.
pub struct Ports {
    /// Casts, sessions, limits, catalog.
    pub store: Arc<dyn Store>,
    /// Tasks.
    pub launcher: Arc<dyn Launcher>,
    /// Makes and checks challenges.
    pub captcha: Arc<dyn CaptchaVerifier>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws ids and nonces.
    pub entropy: Arc<dyn Entropy>,
}

/// The control plane: the flows, with all they need.
pub struct ControlPlane {
    /// Casts, sessions, limits, catalog.
    pub store: Arc<dyn Store>,
    /// Tasks.
    pub launcher: Arc<dyn Launcher>,
    /// Signs and hashes.
    pub keys: Keyring,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws ids and nonces.
    pub entropy: Arc<dyn Entropy>,
    /// Where everything is.
    pub urls: PublicUrls,
    /// Makes and checks challenges.
    pub captcha: Arc<dyn CaptchaVerifier>,
    /// The hash of the key that the deployment itself was given, with which the first API key is made; `None` where there is none.
    pub deployment_key: Option<String>,
    /// Reaches gates; where there is none, nobody is given a session that was started ahead.
    pub gates: Option<Arc<dyn Gates>>,
    /// Whether there is a provider at which people with an account log in.
    pub has_logins: bool,
    /// Where the archives of persistent profiles are kept; `None` where none are.
    pub profiles: Option<Arc<dyn ProfileFiles>>,
    /// What a new deployment begins with.
    pub first_limits: FirstLimits,
    attempts: attempts::AttemptLimiter,
    calls: attempts::AttemptLimiter,
    cache: cache::SettingsCache,
    refusals: refusals::RefusalBuffer,
    hour_cursor: history::HourCursor,
}

impl ControlPlane {
    /// A control plane over these ports.
    pub fn new(ports: Ports, keys: Keyring, urls: PublicUrls) -> Self {
        let mut first = [0; 4];
        ports.entropy.fill(&mut first);
        Self {
            store: ports.store,
            launcher: ports.launcher,
            keys,
            clock: ports.clock,
            entropy: ports.entropy,
            urls,
            captcha: ports.captcha,
            deployment_key: None,
            gates: None,
            has_logins: false,
            profiles: None,
            first_limits: FirstLimits::default(),
            attempts: attempts::AttemptLimiter::default(),
            calls: attempts::AttemptLimiter::default(),
            cache: cache::SettingsCache::default(),
            refusals: refusals::RefusalBuffer::numbered_from(u32::from_be_bytes(first)),
            hour_cursor: history::HourCursor::default(),
        }
    }

    /// Forgets what was remembered of casts and records, so that an administrator's change is seen at once where one process serves all doors.
    pub fn forget(&self) {
        self.cache.clear();
    }

    /// Decides on the row as it is and writes the move, again and again until nobody was faster. `decide` says what the row should become, or
    /// `None` to leave it. Returns the row as it then is; `None` when there is none. `known` saves the first read.
    async fn move_session(
        &self,
        id: &SessionId,
        known: Option<Session>,
        mut decide: impl FnMut(&Session) -> Option<Session> + Send,
    ) -> Result<Option<Session>, Fault> {
        let mut row = known;
        for _ in 0..TRIES {
            let before = match row.take() {
                Some(row) => row,
                None => match self.store.session(id).await? {
                    Some(row) => row,
                    None => return Ok(None),
                },
            };
            let Some(after) = decide(&before) else {
                return Ok(Some(before));
            };
            match self.store.save_session(&before, &after).await? {
                Saved::Done => {
                    tracing::info!(session.id = %id, from = before.state.as_str(), to = after.state.as_str(), "Session {id} moved");
                    count_move(&before, &after);
                    if after.gives_back(&before).count.is_some() {
                        // The place that has come back is seen here at once.
                        self.cache.forget_cast(&after.cast_id);
                    }
                    return Ok(Some(after));
                }
                Saved::Stale => {}
            }
        }
        Err(Fault {
            kind: FaultKind::Contention,
            what: "move a session",
            detail: format!("{TRIES} tries on {id}"),
        })
    }
}
