//! Owns the flows: the use cases that a request, a report, an event or the schedule starts, over
//! the ports. Must not know how any of them arrived.
//!
//! A flow parses nothing, decides in pure code ([`crate::policy`], [`crate::session`]) and writes
//! in one place: a claim by [`Store::reserve`], everything after it by [`Store::save_session`],
//! which refunds a claim in the same write that ends its session unserved.

mod admission_context;
mod assign;
mod attempts;
mod authn;
mod bootstrap;
mod cache;
mod claim;
mod deliver;
mod history;
mod hook_events;
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
mod start_queue;
mod steer;
mod stop;
mod sweep;
mod task_change;
mod trial;
mod waiting_room;

use std::net::IpAddr;
use std::sync::Arc;

pub use authn::{Credential, SIGNED_IN_SECONDS};
pub use cache::CHANGE_SECONDS;
pub use claim::{ClaimOutcome, ClaimRequest, Claimed};
pub use deliver::Sent;
pub use history::History;
pub use link_status::LinkStatus;
pub use open::{CaptchaNeed, ClaimOffer, LandingInfo, NextStep, Resumable};
pub use owner::{DevtoolsAccess, MOST_SESSIONS, OwnerProof, outcome};
pub use refill::{PoolView, Refilled, STARTS_AT_ONCE};
pub use refusal::{FlowError, Help, OwnSession, Refusal};
pub use refusals::FoundRefusal;
pub use share::{AskToWatch, LobbyStage, LobbyVisit, ShareVisitor, Watching};
pub use steer::OnlyOnce;
pub use sweep::Swept;
pub use trial::{Trial, TrialOutcome};
pub use waiting_room::Waiting;

use crate::METRICS;
use crate::admin::login_previews::LoginReader;
use crate::captcha::CaptchaVerifier;
use crate::deployment::{FirstLimits, Maintenance};
use crate::event_bus::EventBusArn;
use crate::ids::{Entropy, SessionId};
use crate::keys::Keyring;
use crate::language::Wish;
use crate::ports::{
    EventBus, Fault, FaultKind, Gates, GeoDatabase, Launcher, ProfileFiles, Saved, SessionLogs,
    Store, Webhooks,
};
use crate::referrer::ReferrerRule;
use crate::session::{EndReason, Session, State};
use crate::session_origin::SessionOrigin;
use crate::time::Clock;
use crate::url_rules::{self, OwnUrls};
use crate::user::User;

/// How often a decision is repeated because of a concurrent write before the flow fails with
/// contention.
const TRIES: u32 = 10;

/// The addresses of a deployment.
#[derive(Clone, Debug)]
pub struct PublicUrls {
    /// The control plane's origin, without a trailing slash: `https://cast.example.com`.
    pub public_url: String,
    /// The origin that gates report to; usually the same.
    pub report_url: String,
    /// The address of a session, with `{session}` for its id: `https://{session}.cast.example.com`.
    pub session_url: String,
}

/// Emits the metrics of a session that has changed its state.
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
    if let State::Ended {
        reason: EndReason::NotEntered,
        ..
    } = &session.state
    {
        tracing::info!(target: METRICS, not_entered = 1_u64);
    }
}

impl PublicUrls {
    /// The URL of a path of the control plane; [`crate::urls`] has the paths.
    pub fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// All addresses of this deployment.
    pub fn own_urls(&self) -> OwnUrls {
        OwnUrls {
            control: vec![self.public_url.clone(), self.report_url.clone()],
            session: self.session_url.clone(),
        }
    }

    /// The link's error page, unless it points to this deployment: its addresses may have changed
    /// since the link was set up.
    pub fn error_page(&self, error_url: Option<&str>) -> Option<String> {
        let url = url::Url::parse(error_url?).ok()?;
        (!self.own_urls().contain(&url)).then(|| url.into())
    }

    /// Whether visitors use https.
    pub fn is_secure(&self) -> bool {
        self.public_url.starts_with("https:")
    }

    /// The origin of this session, as browsers send it.
    pub fn session_origin(&self, id: &SessionId) -> Option<String> {
        let url = url::Url::parse(&self.session_url.replace("{session}", id.as_str())).ok()?;
        Some(url.origin().ascii_serialization())
    }

    /// The sites of all sessions, as those that may frame a page; `None` when their address has no
    /// host that a rule can name.
    pub fn session_sites(&self) -> Option<ReferrerRule> {
        let (before, after) = self.session_url.split_once("{session}")?;
        let below = after.split(['/', ':']).next().unwrap_or_default();
        let rule = if url_rules::has_session_host(&self.session_url) {
            format!("*{below}")
        } else {
            format!("={}", url::Url::parse(before).ok()?.host_str()?)
        };
        ReferrerRule::parse(&rule).ok()
    }

    /// The origin at which a session is entered: the viewer's, if sessions have host names.
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

/// The visitor of a link.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The source address of the request.
    pub address: IpAddr,
    /// The referring host, as [`crate::referrer::host_of`] reads it.
    pub referrer: Option<String>,
    /// The user, if logged in.
    pub user: Option<User>,
    /// The value of the cookie that distinguishes browsers at one address.
    pub browser: Option<String>,
    /// The last session of the link that this browser has shown to be its own.
    pub own: Option<SessionId>,
    /// Whether the visitor wants another session beside their own.
    pub another: bool,
    /// Whether it is a program that only looks at the page, as its browser says.
    pub automated: bool,
    /// The language that the visitor wants.
    pub language: Wish,
}

impl Visitor {
    /// A visitor of whom only the address is known.
    pub const fn from(address: IpAddr) -> Self {
        Self {
            address,
            referrer: None,
            user: None,
            browser: None,
            own: None,
            another: false,
            automated: false,
            language: Wish {
                asked: None,
                accepted: None,
            },
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
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Random bytes for ids and nonces.
    pub entropy: Arc<dyn Entropy>,
}

/// The control plane: all flows, with the ports that they need.
pub struct ControlPlane {
    /// Casts, sessions, limits, catalog.
    pub store: Arc<dyn Store>,
    /// Tasks.
    pub launcher: Arc<dyn Launcher>,
    /// The keys for signatures and hashes.
    pub keys: Keyring,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Random bytes for ids and nonces.
    pub entropy: Arc<dyn Entropy>,
    /// The addresses of the deployment.
    pub urls: PublicUrls,
    /// Makes and checks challenges.
    pub captcha: Arc<dyn CaptchaVerifier>,
    /// The hash of the deployment's own key, with which the first API key is created; `None`
    /// without one.
    pub deployment_key: Option<String>,
    /// Calls gates; without it, no session that was started in advance is assigned.
    pub gates: Option<Arc<dyn Gates>>,
    /// Calls the receivers of webhooks; without it, events are written down and not sent.
    pub webhooks: Option<Arc<dyn Webhooks>>,
    /// The one event bus that hooks may name; `None` where there is none.
    pub event_bus_arn: Option<EventBusArn>,
    /// Puts events on it; `None` where nothing is sent.
    pub event_bus: Option<Arc<dyn EventBus>>,
    /// Where addresses are; `None` without a database of the operator's.
    pub geo: Option<Arc<dyn GeoDatabase>>,
    /// The logs of tasks, where they are on this machine.
    pub logs: Option<Arc<dyn SessionLogs>>,
    /// Whether there is a login provider.
    pub has_logins: bool,
    /// Reads what a login provider says of a user, for administrators; `None` without a provider.
    pub login_reader: Option<Arc<dyn LoginReader>>,
    /// The storage of persistent profiles; `None` if there is none.
    pub profiles: Option<Arc<dyn ProfileFiles>>,
    /// The limits of a new deployment.
    pub first_limits: FirstLimits,
    attempts: attempts::AttemptLimiter,
    calls: attempts::AttemptLimiter,
    turns: start_queue::KnownTurns,
    cache: cache::SettingsCache,
    refusals: refusals::RefusalBuffer,
    hour_cursor: history::HourCursor,
    announced_refusals: hook_events::AnnouncedRefusals,
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
            webhooks: None,
            event_bus_arn: None,
            event_bus: None,
            geo: None,
            logs: None,
            has_logins: false,
            login_reader: None,
            profiles: None,
            first_limits: FirstLimits::default(),
            attempts: attempts::AttemptLimiter::default(),
            calls: attempts::AttemptLimiter::default(),
            turns: start_queue::KnownTurns::default(),
            cache: cache::SettingsCache::default(),
            refusals: refusals::RefusalBuffer::numbered_from(u32::from_be_bytes(first)),
            hour_cursor: history::HourCursor::default(),
            announced_refusals: hook_events::AnnouncedRefusals::default(),
        }
    }

    /// The maintenance of the deployment, if it is on: at most [`CHANGE_SECONDS`] old, and `None` if
    /// it cannot be read.
    pub async fn maintenance(&self) -> Option<Maintenance> {
        let read = self.cache.deployment(&*self.store, self.clock.now()).await;
        match read {
            Ok(deployment) => {
                let maintenance = &deployment.settings.maintenance;
                maintenance.is_on.then(|| maintenance.clone())
            }
            Err(fault) => {
                tracing::warn!(%fault, "The settings could not be read");
                None
            }
        }
    }

    /// Empties the caches of casts and records, so that a change takes effect at once where one
    /// process serves all functions.
    pub fn forget(&self) {
        self.cache.clear();
    }

    /// Moves a session with optimistic locking: `decide` returns what the current row should
    /// become, or `None` to leave it, and is called again after a concurrent write. Returns the
    /// final row; `None` when there is none. `known` saves the first read.
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
                        // The freed place is visible here at once.
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
