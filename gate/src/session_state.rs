//! Owns the state of one session: its directives, who is connected and in which role, what visitors
//! are warned of, and whether it is over. Must not know how any of it is shown or enforced.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use casting_protocol::language::Language;
use casting_protocol::report::GateEndReason;
use casting_protocol::session_options::{Message, SessionDirectives, ViewOnly, WaitingViewer};
use casting_protocol::ticket::{Role, SessionTicket, WatcherKind};
use casting_protocol::time::Timestamp;
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use crate::limits;
use crate::output::Allowance;
use crate::presence::Presence;
use crate::selkies::Media;
use crate::selkies_roles::Roles;

/// How many seconds before the idle timeout its visitor is warned; at most a quarter of the
/// timeout.
const IDLE_WARNING: u64 = 60;

/// Who takes part in the session, and so what they may do in it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Participant {
    /// The owner: may do everything.
    Owner,
    /// A viewer to whom the owner has handed over control, by their id: may use the app.
    Controller(String),
    /// A viewer, by their id: may only watch.
    Viewer(String),
}

impl Participant {
    /// Whether the app may be used, not only watched.
    pub const fn controls(&self) -> bool {
        matches!(self, Self::Owner | Self::Controller(_))
    }

    /// The role as a word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Controller(_) => "controller",
            Self::Viewer(_) => "viewer",
        }
    }
}

/// What a participant has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenChannel {
    /// A WebSocket.
    Socket,
    /// The event stream with the session's state.
    Events,
    /// A reply that is being sent.
    Reply,
}

/// Why a connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Out {
    /// The share link that let them in is no longer valid.
    NotShared,
    /// They may only watch now, and this app cannot be watched over WebSockets.
    NoSockets,
    /// The session is over.
    Over,
}

/// Why a session is over, as its visitors see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It was ended outside the gate: on its page, by an administrator, or with its machine.
    Elsewhere,
    /// The gate has ended it.
    #[serde(untagged)]
    Because(GateEndReason),
}

/// In which directions the clipboard works for those who control the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clipboard {
    /// From the visitor to the app (`clipboard_up`).
    pub up: bool,
    /// From the app to the visitor (`clipboard_down`).
    pub down: bool,
}

impl Default for Clipboard {
    fn default() -> Self {
        Self {
            up: true,
            down: true,
        }
    }
}

/// The state of the session, shared by everything in the gate that answers visitors.
pub struct SessionState {
    /// When visitors were connected and active.
    pub presence: Arc<Presence>,
    /// How much the session may still write to its log.
    pub log: Arc<Allowance>,
    clipboard: Clipboard,
    media: Media,
    unread: AtomicBool,
    isolated: AtomicBool,
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
    end_asked: Notify,
    refresh_asked: Notify,
}

#[derive(Default)]
struct Inner {
    /// Whether visitors can be let in: the directives are known, and the session has an owner.
    is_open: bool,
    directives: SessionDirectives,
    /// When the time limit ends it, without extensions.
    limit_at: Option<Instant>,
    watchers: BTreeMap<String, WatcherState>,
    controller: Option<String>,
    /// The ids of viewers whom the owner has removed in this round of sharing.
    removed: BTreeSet<String>,
    reclaimed_at: Option<Instant>,
    over: Option<Ending>,
    gone_to: Option<Timestamp>,
    owners_sockets: usize,
}

/// A viewer, with the number of connections of each kind.
#[derive(Default)]
struct WatcherState {
    name: String,
    kind: WatcherKind,
    sockets: usize,
    events: usize,
    replies: usize,
    /// Until when they stay listed without an open connection.
    listed_until: Option<Instant>,
}

impl WatcherState {
    const fn count(&mut self, what: OpenChannel) -> &mut usize {
        match what {
            OpenChannel::Socket => &mut self.sockets,
            OpenChannel::Events => &mut self.events,
            OpenChannel::Reply => &mut self.replies,
        }
    }

    fn is_there(&self, now: Instant) -> bool {
        self.sockets + self.events + self.replies > 0
            || self.listed_until.is_some_and(|until| now < until)
    }
}

/// The state of the session as one visitor sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// Their role as a word.
    pub role: &'static str,
    /// When the time limit ends the session, in seconds from now.
    pub ends_in: Option<u64>,
    /// How it may be extended; for the owner only.
    pub extension: Option<ExtensionView>,
    /// When the idle timeout ends it, in seconds from now.
    pub idle_in: Option<u64>,
    /// How many seconds before that the visitor is warned.
    pub idle_warning: u64,
    /// When the machine is reclaimed, in seconds from now.
    pub reclaimed_in: Option<u64>,
    /// Why it is over.
    pub over: Option<Ending>,
    /// Whether the screen has a fixed size.
    pub fixed: bool,
    /// The share link; for the owner only.
    pub share_link: Option<String>,
    /// The viewers; for the owner only.
    pub watchers: Vec<WatcherView>,
    /// Whether viewers wait until the owner lets them in; for the owner only.
    pub lobby: bool,
    /// Those who wait; for the owner only.
    pub waiting: Vec<WaitingViewer>,
    /// Whether the session is shared.
    pub shared: bool,
    /// Whether the viewer's page must be cross-origin isolated.
    pub isolated: bool,
    /// What an administrator tells the owner; for the owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// What the viewer writes over the picture, besides the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<String>,
}

/// How the owner may extend the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ExtensionView {
    /// By how many minutes each time.
    pub minutes: u32,
    /// How often it has been extended.
    pub used: u32,
    /// How often it may still be.
    pub left: u32,
}

/// A viewer, as the owner sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WatcherView {
    /// Their id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Who they are.
    pub kind: WatcherKind,
    /// Whether control was handed over to them.
    pub controls: bool,
}

impl Default for SessionState {
    fn default() -> Self {
        Self::new(Clipboard::default())
    }
}

impl SessionState {
    /// The state of a session without visitors.
    pub fn new(clipboard: Clipboard) -> Self {
        let (changed, _) = watch::channel(());
        Self {
            presence: Arc::default(),
            log: Arc::default(),
            clipboard,
            media: Media::default(),
            unread: AtomicBool::new(false),
            isolated: AtomicBool::new(false),
            inner: Mutex::default(),
            changed,
            end_asked: Notify::new(),
            refresh_asked: Notify::new(),
        }
    }

    /// The same, with further permissions.
    #[must_use]
    pub fn allowing(self, media: Media) -> Self {
        Self { media, ..self }
    }

    /// The directions of the clipboard, for those who control the session.
    pub const fn clipboard(&self) -> Clipboard {
        self.clipboard
    }

    /// The permissions of the session besides the clipboard.
    pub const fn media(&self) -> Media {
        self.media
    }

    /// Whether a visitor's clipboard may reach the app.
    pub const fn pastes(&self) -> bool {
        self.clipboard.up
    }

    /// Whether the app's clipboard may reach those who control the session.
    pub const fn copies(&self) -> bool {
        self.clipboard.down
    }

    /// Whether the screen's stream to the holder of this ticket is parsed, because they must not
    /// get the clipboard: viewers never do, and no one does where it is closed.
    pub const fn is_measured(&self, ticket: &SessionTicket) -> bool {
        !self.clipboard.down || ticket.watcher.is_some()
    }

    /// Notes that a screen's stream could not be parsed. Returns whether it is the first of this
    /// session.
    pub fn is_first_unread(&self) -> bool {
        !self.unread.swap(true, Ordering::Relaxed)
    }

    /// Notes whether the app's page in the viewer's frame asks for cross-origin isolation.
    pub fn set_isolated(&self, isolated: bool) {
        if self.isolated.swap(isolated, Ordering::Relaxed) != isolated {
            self.changed.send_replace(());
        }
    }

    /// Whether the viewer's page must be cross-origin isolated, because the app's page is.
    pub fn is_isolated(&self) -> bool {
        self.isolated.load(Ordering::Relaxed)
    }

    /// Applies new directives. Viewers who came by a share link that is no longer valid lose
    /// access. Directives from before the session had an owner that arrive late are ignored.
    pub fn follow(&self, mut directives: SessionDirectives) {
        let mut inner = self.lock();
        // An answer from before an extension may arrive after it.
        directives.extensions = directives.extensions.max(inner.directives.extensions);
        directives.added_seconds = directives.added_seconds.max(inner.directives.added_seconds);
        let sent = |directives: &SessionDirectives| directives.message.as_ref().map(|one| one.at);
        if sent(&directives) < sent(&inner.directives) {
            directives.message = inner.directives.message.clone();
        }
        if inner.is_open && directives.waits {
            return;
        }
        if directives.lobby.version < inner.directives.lobby.version {
            directives.lobby = inner.directives.lobby.clone();
        }
        let opens = !directives.waits && !inner.is_open;
        inner.is_open = !directives.waits;
        if inner.directives == directives && !opens {
            return;
        }
        if directives.share_link.is_none() || directives.share_round != inner.directives.share_round
        {
            inner.controller = None;
            inner.removed.clear();
        }
        inner.directives = directives;
        drop(inner);
        self.changed.send_replace(());
    }

    /// Whether visitors can be let in: the directives are known, and the session has an owner.
    pub fn is_open(&self) -> bool {
        self.lock().is_open
    }

    /// Whether the session is over, although its app may not have ended yet.
    pub fn is_over(&self) -> bool {
        self.lock().over.is_some()
    }

    /// Waits until the session is over.
    pub async fn closed(&self) {
        self.until(|inner| inner.over.is_some()).await;
    }

    /// Waits until visitors can be let in.
    pub async fn opened(&self) {
        self.until(|inner| inner.is_open).await;
    }

    /// Waits until the first directives are here.
    pub async fn instructed(&self) {
        self.until(|inner| inner.is_open || inner.directives.waits)
            .await;
    }

    async fn until(&self, holds: impl Fn(&Inner) -> bool) {
        let mut changes = self.changes();
        while !holds(&self.lock()) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// The current directives.
    pub fn directives(&self) -> SessionDirectives {
        self.lock().directives.clone()
    }

    /// The language that is set for this participant: an owner's is that of the pages that led
    /// here, everybody else's the link's.
    pub(crate) fn language_for(&self, participant: &Participant) -> Option<Language> {
        let state = self.lock();
        let directives = &state.directives;
        let own = directives.language;
        own.filter(|_| *participant == Participant::Owner)
            .or(directives.options.language)
    }

    /// How the app is protected from viewers.
    pub fn view_only(&self) -> Option<ViewOnly> {
        self.lock().directives.options.view_only
    }

    /// Whether the screen must keep its size because the session is shared.
    pub fn is_fixed(&self) -> bool {
        self.lock().is_fixed()
    }

    /// The roles of everyone in the session, for a streaming server.
    pub fn roles(&self) -> Roles {
        let inner = self.lock();
        let is_shared = inner.directives.share_link.is_some();
        Roles {
            round: is_shared.then_some(inner.directives.share_round),
            controller: inner.controller.clone().filter(|_| is_shared),
        }
    }

    /// Sets when the time limit ends the session, without extensions.
    pub fn set_end(&self, at: Instant) {
        self.lock().limit_at = Some(at);
        self.changed.send_replace(());
    }

    /// Waits until the time of the session is up; extensions may move that meanwhile.
    pub async fn time_is_up(&self) {
        let mut changes = self.changes();
        loop {
            let end = self.lock().ends_at();
            let up = async {
                match end {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = up => return,
                _ = changes.changed() => {}
            }
        }
    }

    /// Sets when the app ends because its machine is reclaimed.
    pub fn set_reclaimed(&self, at: Instant) {
        self.lock().reclaimed_at = Some(at);
        self.changed.send_replace(());
    }

    /// Ends the session for this reason.
    pub fn close(&self, cause: GateEndReason) {
        self.end(Ending::Because(cause));
    }

    /// Ends the session. The first reason counts.
    pub fn end(&self, ending: Ending) {
        self.lock().over.get_or_insert(ending);
        self.changed.send_replace(());
    }

    /// Makes the gate fetch its directives now.
    pub fn ask_for_refresh(&self) {
        self.refresh_asked.notify_one();
    }

    /// Waits until directives should be fetched.
    pub async fn refresh_asked(&self) {
        self.refresh_asked.notified().await;
    }

    /// Requests the end of the session, for its owner.
    pub fn ask_for_end(&self) {
        self.end_asked.notify_one();
    }

    /// Waits until the owner requests the end.
    pub async fn end_asked(&self) {
        self.end_asked.notified().await;
    }

    /// Notifies of each change from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The participant with this ticket; `None` if they no longer have access.
    pub fn participant(&self, ticket: &SessionTicket) -> Option<Participant> {
        self.lock().participant(ticket)
    }

    /// Waits until the holder of this ticket loses access. `is_socket`: to a WebSocket, which
    /// viewers of some apps may not have.
    pub async fn out(&self, ticket: &SessionTicket, is_socket: bool) -> Out {
        let mut changes = self.changes();
        loop {
            if let Some(out) = self.lock().out(ticket, is_socket) {
                return out;
            }
            if changes.changed().await.is_err() {
                return Out::Over;
            }
        }
    }

    /// Waits until the holder of this ticket no longer controls the session.
    pub async fn out_of_control(&self, ticket: &SessionTicket) {
        let controls = |inner: &Inner| {
            inner
                .participant(ticket)
                .is_some_and(|participant| participant.controls())
        };
        self.until(|inner| !controls(inner)).await;
    }

    /// Counts an open connection until the returned guard is dropped; `None` when the participant
    /// has too many, or there are too many viewers.
    pub fn hold(self: &Arc<Self>, ticket: &SessionTicket, what: OpenChannel) -> Option<Held> {
        let held = |id| Held {
            state: self.clone(),
            id,
            what,
        };
        let mut inner = self.lock();
        let Some(watcher) = &ticket.watcher else {
            if what == OpenChannel::Socket {
                if inner.owners_sockets >= limits::SOCKETS_OF_OWNER {
                    return None;
                }
                inner.owners_sockets += 1;
            }
            return Some(held(None));
        };
        let now = Instant::now();
        inner.forget_who_left(now);
        let is_new = !inner.watchers.contains_key(&watcher.id);
        let replies: usize = inner.watchers.values().map(|seen| seen.replies).sum();
        let crowded = is_new && inner.watchers.len() >= limits::WATCHERS
            || what == OpenChannel::Reply && replies >= limits::REQUESTS_OF_WATCHERS;
        if crowded {
            return None;
        }
        let seen = inner.watchers.entry(watcher.id.clone()).or_default();
        seen.name.clone_from(&watcher.name);
        seen.kind = watcher.kind;
        let most = match what {
            OpenChannel::Socket | OpenChannel::Events => limits::SOCKETS_PER_WATCHER,
            OpenChannel::Reply => limits::REQUESTS_PER_WATCHER,
        };
        let count = seen.count(what);
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(inner);
        if is_new {
            self.changed.send_replace(());
        }
        Some(held(Some(watcher.id.clone())))
    }

    /// Lets the holder of a viewer's ticket with this id in no more in this round of sharing. All
    /// that they have open ends. Returns whether that was possible.
    pub fn remove(&self, id: &str) -> bool {
        let mut inner = self.lock();
        if id.len() > limits::WATCHER_ID || inner.removed.len() >= limits::REMOVED_WATCHERS {
            return false;
        }
        inner.removed.insert(id.to_owned());
        drop(inner);
        self.changed.send_replace(());
        true
    }

    /// Admits a removed viewer again, whose new request the owner has accepted.
    pub fn readmit(&self, id: &str) {
        self.lock().removed.remove(id);
    }

    /// Whether a request to watch with this id waits for its answer.
    pub fn is_waiting(&self, id: &str) -> bool {
        let waiting = &self.lock().directives.lobby.waiting;
        waiting.iter().any(|one| one.id == id)
    }

    /// Hands control over to a connected viewer, or takes it back. Returns whether that was
    /// possible.
    pub fn hand_over(&self, to: Option<&str>) -> bool {
        let mut inner = self.lock();
        inner.forget_who_left(Instant::now());
        let known = to.is_none_or(|id| inner.listed().any(|(listed, _)| listed == id));
        if known {
            inner.controller = to.map(str::to_owned);
            drop(inner);
            self.changed.send_replace(());
        }
        known
    }

    /// Whether this request to open an address is new; a repeated one is not.
    pub fn is_new_order(&self, at: Timestamp) -> bool {
        let mut inner = self.lock();
        let new = inner.gone_to.is_none_or(|last| last < at);
        if new {
            inner.gone_to = Some(at);
        }
        new
    }

    /// The session as this participant sees it now.
    pub fn view(&self, participant: &Participant) -> View {
        let mut inner = self.lock();
        inner.forget_who_left(Instant::now());
        let inner = inner;
        let left = |at: Option<Instant>| {
            at.map(|at| at.saturating_duration_since(Instant::now()).as_secs())
        };
        let owner = *participant == Participant::Owner;
        let watchers = inner
            .listed()
            .filter(|_| owner)
            .map(|(id, seen)| WatcherView {
                id: id.clone(),
                name: seen.name.clone(),
                kind: seen.kind,
                controls: inner.controller.as_ref() == Some(id),
            });
        let idle = inner.directives.idle_seconds.map(u64::from);
        View {
            isolated: self.is_isolated(),
            role: participant.as_str(),
            ends_in: left(inner.ends_at()),
            extension: inner.extension().filter(|_| owner),
            idle_in: idle
                .map(|limit| limit.saturating_sub(self.presence.untouched_for().as_secs())),
            idle_warning: idle.unwrap_or_default().div_ceil(4).min(IDLE_WARNING),
            reclaimed_in: left(inner.reclaimed_at),
            over: inner.over,
            fixed: inner.is_fixed(),
            share_link: inner.directives.share_link.clone().filter(|_| owner),
            watchers: watchers.collect(),
            lobby: owner && inner.directives.lobby.on,
            waiting: if owner {
                inner.directives.lobby.waiting.clone()
            } else {
                Vec::new()
            },
            shared: inner.directives.share_link.is_some(),
            message: inner.directives.message.clone().filter(|_| owner),
            watermark: inner.watermark(participant),
        }
    }

    /// The names of those who watch now, for administrators, in the order of their ids.
    pub fn watcher_names(&self) -> Vec<String> {
        let mut inner = self.lock();
        inner.forget_who_left(Instant::now());
        let named = inner.listed().map(|(_, seen)| match seen.kind {
            WatcherKind::Known => seen.name.clone(),
            WatcherKind::Guest => format!("{} (guest)", seen.name),
            WatcherKind::Administrator => format!("{} (administrator)", seen.name),
        });
        named.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is a single assignment: a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// When the time limit ends the session, with the extensions so far.
    fn ends_at(&self) -> Option<Instant> {
        let more = Duration::from_secs(self.directives.extended_seconds());
        self.limit_at.map(|at| at + more)
    }

    fn extension(&self) -> Option<ExtensionView> {
        let used = self.directives.extensions;
        let allowed = self.directives.options.extension?;
        Some(ExtensionView {
            minutes: allowed.minutes,
            used,
            left: allowed.times.saturating_sub(used),
        })
    }

    /// What the viewer of this participant writes over the picture: their own name, and the session.
    fn watermark(&self, participant: &Participant) -> Option<String> {
        let watermark = self.directives.watermark.as_ref()?;
        let name = match participant {
            Participant::Owner => watermark.owner.as_deref(),
            Participant::Controller(id) | Participant::Viewer(id) => {
                self.watchers.get(id).map(|seen| seen.name.as_str())
            }
        };
        let parts = name.into_iter().chain([watermark.session.as_str()]);
        Some(parts.collect::<Vec<_>>().join(" \u{b7} "))
    }

    fn is_fixed(&self) -> bool {
        self.directives.share_link.is_some() && self.directives.options.fixed_resolution
    }

    fn participant(&self, ticket: &SessionTicket) -> Option<Participant> {
        match (ticket.role, &ticket.watcher) {
            (Role::Owner, _) => Some(Participant::Owner),
            (Role::Viewer, Some(watcher)) => {
                let good = self.directives.share_link.is_some()
                    && self.directives.share_round == watcher.round
                    && !self.removed.contains(&watcher.id);
                let controls = self.controller.as_ref() == Some(&watcher.id)
                    && self.is_there(&watcher.id, Instant::now());
                let participant = if controls {
                    Participant::Controller
                } else {
                    Participant::Viewer
                };
                good.then(|| participant(watcher.id.clone()))
            }
            (Role::Viewer, None) => None,
        }
    }

    fn out(&self, ticket: &SessionTicket, is_socket: bool) -> Option<Out> {
        if self.over.is_some() {
            return Some(Out::Over);
        }
        let Some(participant) = self.participant(ticket) else {
            return Some(Out::NotShared);
        };
        let watched = matches!(
            self.directives.options.view_only,
            Some(ViewOnly::Rfb | ViewOnly::Kasmvnc | ViewOnly::Selkies)
        );
        (is_socket && !participant.controls() && !watched).then_some(Out::NoSockets)
    }

    /// Those who watch, without those whose connections are about to close because they have been
    /// removed.
    fn listed(&self) -> impl Iterator<Item = (&String, &WatcherState)> {
        let all = self.watchers.iter();
        all.filter(|(id, _)| !self.removed.contains(*id))
    }

    fn is_there(&self, id: &str, now: Instant) -> bool {
        self.watchers.get(id).is_some_and(|seen| seen.is_there(now))
    }

    /// Control is not kept for a viewer who is away.
    fn forget_who_left(&mut self, now: Instant) {
        self.watchers.retain(|_, seen| seen.is_there(now));
        if let Some(id) = &self.controller
            && !self.watchers.contains_key(id)
        {
            self.controller = None;
        }
    }
}

/// Guard of one counted connection.
pub struct Held {
    state: Arc<SessionState>,
    id: Option<String>,
    what: OpenChannel,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut inner = self.state.lock();
        let Some(id) = &self.id else {
            if self.what == OpenChannel::Socket {
                inner.owners_sockets -= 1;
            }
            return;
        };
        let now = Instant::now();
        if let Some(seen) = inner.watchers.get_mut(id) {
            *seen.count(self.what) -= 1;
            if self.what == OpenChannel::Reply {
                seen.listed_until = Some(now + limits::LISTED_AFTER_REQUEST);
            }
        }
        let left = !inner.is_there(id, now);
        inner.forget_who_left(now);
        drop(inner);
        if left {
            self.state.changed.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use casting_protocol::ids::SessionId;
    use casting_protocol::session_options::{Extension, LobbyDirectives, SessionOptions};
    use casting_protocol::session_origin::SessionOrigin;
    use casting_protocol::ticket::Watcher;

    use super::*;

    fn ticket(watcher: Option<(&str, u32)>) -> SessionTicket {
        SessionTicket {
            session: SessionId::from_bytes([1; 16]),
            role: if watcher.is_some() {
                Role::Viewer
            } else {
                Role::Owner
            },
            watcher: watcher.map(|(id, round)| Watcher {
                id: id.into(),
                name: id.to_uppercase(),
                round,
                kind: WatcherKind::Guest,
            }),
            origin: Some(SessionOrigin::Viewer),
            host: "127.0.0.1".into(),
            port: 1,
            expires: Timestamp::from_millis(1),
        }
    }

    fn shared(round: u32) -> SessionDirectives {
        SessionDirectives {
            share_link: Some("https://cast.test/share/x".into()),
            share_round: round,
            ..SessionDirectives::default()
        }
    }

    #[test]
    fn viewer_role_ends_with_its_share() {
        let state = Arc::new(SessionState::default());
        let viewer = || Some(Participant::Viewer("ada".into()));
        assert_eq!(
            state.participant(&ticket(Some(("ada", 1)))),
            None,
            "not shared"
        );
        state.follow(shared(1));
        assert_eq!(state.participant(&ticket(Some(("ada", 1)))), viewer());
        assert_eq!(state.participant(&ticket(None)), Some(Participant::Owner));
        state.follow(shared(2));
        assert_eq!(
            state.participant(&ticket(Some(("ada", 1)))),
            None,
            "let in by an earlier link"
        );
        state.follow(SessionDirectives::default());
        assert_eq!(
            state.participant(&ticket(Some(("ada", 2)))),
            None,
            "no longer shared"
        );
    }

    #[test]
    fn control_is_given_to_a_present_viewer_and_returns() {
        let state = Arc::new(SessionState::default());
        state.follow(shared(1));
        let ada = ticket(Some(("ada", 1)));
        assert!(!state.hand_over(Some("ada")), "she is not there");
        let (first, second) = (
            state.hold(&ada, OpenChannel::Events),
            state.hold(&ada, OpenChannel::Socket),
        );
        assert!(state.hand_over(Some("ada")));
        assert_eq!(
            state.participant(&ada),
            Some(Participant::Controller("ada".into()))
        );
        let view = state.view(&Participant::Owner);
        assert_eq!(
            view.watchers,
            [WatcherView {
                id: "ada".into(),
                name: "ADA".into(),
                kind: WatcherKind::Guest,
                controls: true
            }]
        );
        assert_eq!(
            (view.shared, view.fixed, view.share_link.is_some()),
            (true, true, true)
        );
        let seen = state.view(&Participant::Viewer("ada".into()));
        assert!(
            seen.watchers.is_empty() && seen.share_link.is_none(),
            "the owner's only"
        );
        drop(first);
        assert!(
            state
                .participant(&ada)
                .is_some_and(|participant| participant.controls()),
            "one window is left"
        );
        drop(second);
        assert_eq!(
            state.participant(&ada),
            Some(Participant::Viewer("ada".into()))
        );
        assert!(state.view(&Participant::Owner).watchers.is_empty());
    }

    #[tokio::test]
    async fn removed_viewer_stays_out_until_let_in_again() {
        let state = Arc::new(SessionState::default());
        state.follow(shared(1));
        let ada = ticket(Some(("ada", 1)));
        let there = state.hold(&ada, OpenChannel::Events);
        assert!(there.is_some() && state.hand_over(Some("ada")));
        assert!(state.remove("ada"));
        assert_eq!(state.participant(&ada), None, "also with control");
        assert!(state.view(&Participant::Owner).watchers.is_empty());
        assert!(!state.hand_over(Some("ada")), "nor is control handed over");
        assert_eq!(state.out(&ada, false).await, Out::NotShared);
        let bob = state.participant(&ticket(Some(("bob", 1))));
        assert_eq!(bob, Some(Participant::Viewer("bob".into())), "another");
        state.readmit("ada");
        assert!(state.participant(&ada).is_some(), "let in again");
        for n in 0..limits::REMOVED_WATCHERS {
            assert!(state.remove(&n.to_string()));
        }
        assert!(!state.remove("ada"), "as many as may be");
        state.follow(shared(2));
        assert!(!state.remove(&"a".repeat(limits::WATCHER_ID + 1)), "no id");
        assert!(
            state.participant(&ticket(Some(("ada", 2)))).is_some(),
            "a new link"
        );
    }

    #[test]
    fn newest_lobby_is_shown_to_the_owner_only() {
        let state = Arc::new(SessionState::default());
        let lobby = |version, names: &[&str]| {
            let waiting = names.iter().map(|name| WaitingViewer {
                id: (*name).into(),
                name: (*name).into(),
                kind: WatcherKind::Guest,
            });
            SessionDirectives {
                lobby: LobbyDirectives {
                    on: true,
                    version,
                    waiting: waiting.collect(),
                },
                ..shared(1)
            }
        };
        let seen = || {
            let view = state.view(&Participant::Owner);
            let names = view.waiting.into_iter().map(|one| one.name);
            (view.lobby, names.collect::<Vec<_>>())
        };
        assert_eq!(seen(), (false, vec![]));
        state.follow(lobby(2, &["ada", "bob"]));
        assert_eq!(seen(), (true, vec!["ada".into(), "bob".into()]));
        // The answer to a report from before comes later.
        state.follow(lobby(1, &["ada"]));
        assert_eq!(seen(), (true, vec!["ada".into(), "bob".into()]));
        // One of them has waited too long, which is no change.
        state.follow(lobby(2, &["bob"]));
        assert_eq!(seen(), (true, vec!["bob".into()]));
        let viewer = state.view(&Participant::Viewer("eve".into()));
        assert!(viewer.waiting.is_empty() && !viewer.lobby);
    }

    #[test]
    fn names_say_whose_they_are() {
        let state = Arc::new(SessionState::default());
        state.follow(shared(1));
        let mut held = Vec::new();
        for (id, kind) in [
            ("ann", WatcherKind::Known),
            ("bob", WatcherKind::Guest),
            ("eve", WatcherKind::Administrator),
        ] {
            let mut one = ticket(Some((id, 1)));
            if let Some(watcher) = &mut one.watcher {
                watcher.kind = kind;
            }
            held.push(state.hold(&one, OpenChannel::Reply));
        }
        let names = ["ANN", "BOB (guest)", "EVE (administrator)"];
        assert_eq!(state.watcher_names(), names);
    }

    #[test]
    fn late_directives_take_back_no_time_and_no_message() {
        let state = Arc::new(SessionState::default());
        let directives = |added_seconds, at, text: &str| SessionDirectives {
            added_seconds,
            message: Some(Message {
                at: Timestamp::from_millis(at),
                text: text.into(),
            }),
            ..SessionDirectives::default()
        };
        let seen = || {
            let text = state.view(&Participant::Owner).message;
            let text = text.map(|message| message.text);
            (state.directives().extended_seconds(), text)
        };
        let newest = (1200, Some("Second".to_owned()));
        state.follow(directives(600, 1, "First"));
        state.follow(directives(1200, 2, "Second"));
        assert_eq!(seen(), newest);
        // Answers to reports from before come later.
        for late in [directives(600, 1, "First"), SessionDirectives::default()] {
            state.follow(late);
            assert_eq!(seen(), newest);
        }
        let viewer = state.view(&Participant::Viewer("ada".into()));
        assert_eq!(viewer.message, None, "the owner's only");
    }

    #[test]
    fn viewers_and_their_connections_are_limited() {
        use OpenChannel::{Events, Reply, Socket};
        for (what, most) in [
            (Socket, limits::SOCKETS_PER_WATCHER),
            (Events, limits::SOCKETS_PER_WATCHER),
            (Reply, limits::REQUESTS_PER_WATCHER),
        ] {
            let state = Arc::new(SessionState::default());
            let open: Vec<_> = (0..=most)
                .map(|_| state.hold(&ticket(Some(("ada", 1))), what))
                .collect();
            let (good, bad) = open.split_at(most);
            assert!(good.iter().all(Option::is_some), "{what:?}");
            assert!(bad[0].is_none(), "{what:?}, one more");
        }
        for what in [Socket, Events, Reply] {
            let state = Arc::new(SessionState::default());
            let names: Vec<String> = (0..=limits::WATCHERS).map(|n| n.to_string()).collect();
            let all: Vec<_> = names
                .iter()
                .map(|name| state.hold(&ticket(Some((name, 1))), what))
                .collect();
            assert_eq!(
                state.view(&Participant::Owner).watchers.len(),
                limits::WATCHERS
            );
            assert!(all[limits::WATCHERS].is_none(), "{what:?}");
            let owner = state.hold(&ticket(None), what);
            assert!(owner.is_some(), "{what:?}: the owner always has a place");
            drop(all);
            let replaced = state.hold(&ticket(Some(("late", 1))), what);
            assert_eq!(replaced.is_some(), what != Reply, "{what:?}: who has left");
        }
        let state = Arc::new(SessionState::default());
        let replies: Vec<_> = (0..limits::WATCHERS)
            .flat_map(|id| (0..limits::REQUESTS_PER_WATCHER).map(move |_| id.to_string()))
            .map(|id| state.hold(&ticket(Some((&id, 1))), Reply))
            .collect();
        let open = replies.iter().flatten().count();
        assert_eq!(open, limits::REQUESTS_OF_WATCHERS, "of all together");
    }

    #[tokio::test(start_paused = true)]
    async fn polling_viewer_is_listed_briefly_and_loses_control() {
        let state = Arc::new(SessionState::default());
        state.follow(shared(1));
        let ada = ticket(Some(("ada", 1)));
        drop(state.hold(&ada, OpenChannel::Reply));
        assert_eq!(state.view(&Participant::Owner).watchers.len(), 1);
        assert!(state.hand_over(Some("ada")));
        tokio::time::advance(limits::LISTED_AFTER_REQUEST).await;
        assert_eq!(
            state.participant(&ada),
            Some(Participant::Viewer("ada".into()))
        );
        assert!(state.view(&Participant::Owner).watchers.is_empty());
    }

    #[tokio::test]
    async fn removed_viewer_gets_the_reason() {
        let state = Arc::new(SessionState::default());
        let (ada, owner) = (ticket(Some(("ada", 1))), ticket(None));
        let there = state.hold(&ada, OpenChannel::Events);
        let mut directives = shared(1);
        for (view_only, out) in [
            (Some(ViewOnly::Rfb), None),
            (Some(ViewOnly::Kasmvnc), None),
            (Some(ViewOnly::Requests), Some(Out::NoSockets)),
            (None, Some(Out::NoSockets)),
        ] {
            directives.options.view_only = view_only;
            state.follow(directives.clone());
            assert_eq!(state.lock().out(&ada, true), out, "{view_only:?}");
            assert_eq!(state.lock().out(&ada, false), None, "{view_only:?}");
            assert_eq!(state.lock().out(&owner, true), None, "{view_only:?}");
        }
        assert!(there.is_some() && state.hand_over(Some("ada")));
        assert_eq!(state.lock().out(&ada, true), None, "in control");
        state.follow(shared(2));
        assert_eq!(state.out(&ada, true).await, Out::NotShared);
        state.end(Ending::Elsewhere);
        assert_eq!(state.out(&owner, false).await, Out::Over);
        let over = serde_json::to_value(state.view(&Participant::Owner)).expect("JSON");
        assert_eq!(over["over"], "elsewhere");
    }

    #[test]
    fn session_opens_with_the_first_directives() {
        let state = SessionState::default();
        assert!(!state.is_open());
        state.follow(SessionDirectives::default());
        assert!(state.is_open());
    }

    #[tokio::test]
    async fn default_orders_wake_those_who_wait_for_the_opening() {
        let state = std::sync::Arc::new(SessionState::default());
        let waiting = tokio::spawn({
            let state = state.clone();
            async move { state.opened().await }
        });
        tokio::task::yield_now().await;
        state.follow(SessionDirectives::default());
        let woken = tokio::time::timeout(std::time::Duration::from_secs(5), waiting).await;
        woken.expect("woken in time").expect("no panic");
    }

    #[test]
    fn staged_session_is_closed_until_assigned() {
        let state = SessionState::default();
        let waits = || SessionDirectives {
            waits: true,
            ..SessionDirectives::default()
        };
        state.follow(waits());
        assert!(!state.is_open());
        state.follow(SessionDirectives {
            title: "App".into(),
            ..SessionDirectives::default()
        });
        state.follow(waits());
        assert_eq!(
            (state.is_open(), state.directives().title.as_str()),
            (true, "App"),
            "an answer that comes late"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn extension_moves_the_end_and_is_never_lost() {
        let state = Arc::new(SessionState::default());
        let extended = |extensions| SessionDirectives {
            options: SessionOptions {
                extension: Some(Extension {
                    times: 2,
                    minutes: 1,
                }),
                ..SessionOptions::default()
            },
            extensions,
            ..SessionDirectives::default()
        };
        let began = Instant::now();
        state.follow(extended(0));
        state.set_end(began + Duration::from_secs(60));
        let waiting = tokio::spawn({
            let state = state.clone();
            async move { state.time_is_up().await }
        });
        tokio::time::advance(Duration::from_secs(50)).await;
        let owner = state.view(&Participant::Owner);
        let view = |used, left| {
            Some(ExtensionView {
                minutes: 1,
                used,
                left,
            })
        };
        assert_eq!((owner.ends_in, owner.extension), (Some(10), view(0, 2)));
        state.follow(extended(1));
        // An answer that was given before, and came late.
        state.follow(extended(0));
        let owner = state.view(&Participant::Owner);
        assert_eq!((owner.ends_in, owner.extension), (Some(70), view(1, 1)));
        let viewer = state.view(&Participant::Viewer("ada".into()));
        assert_eq!((viewer.ends_in, viewer.extension), (Some(70), None));
        waiting.await.expect("no panic");
        assert_eq!(began.elapsed(), Duration::from_secs(120));
    }

    #[test]
    fn go_order_is_accepted_once() {
        let state = SessionState::default();
        let at = Timestamp::from_millis;
        assert_eq!(
            [at(5), at(5), at(4), at(6)].map(|at| state.is_new_order(at)),
            [true, false, false, true]
        );
    }
}
