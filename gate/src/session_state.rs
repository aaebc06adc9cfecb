//! Owns what goes on in one session: what its gate was told, who is there and in which role, what visitors are warned of, and whether it is over.
//! Must not know how any of it is shown or enforced.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use casting_protocol::report::GateEndReason;
use casting_protocol::session_options::{SessionDirectives, ViewOnly};
use casting_protocol::ticket::{Role, SessionTicket};
use casting_protocol::time::Timestamp;
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::limits;
use crate::output::Allowance;
use crate::presence::Presence;
use crate::selkies::Media;
use crate::selkies_roles::Roles;

/// From how many seconds before its end on an idle session warns its visitor; from a quarter of the limit on where that is less.
const IDLE_WARNING: u64 = 60;

/// What somebody may do in the session now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Participant {
    /// Everything.
    Owner,
    /// To use the app, because the owner has handed over control; with the watcher's id.
    Controller(String),
    /// To watch; with the watcher's id.
    Viewer(String),
}

impl Participant {
    /// Whether the app may be used, not only watched.
    pub const fn controls(&self) -> bool {
        matches!(self, Self::Owner | Self::Controller(_))
    }

    /// The role in one word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Controller(_) => "controller",
            Self::Viewer(_) => "viewer",
        }
    }
}

/// What somebody in the session has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenChannel {
    /// A WebSocket.
    Socket,
    /// The stream that tells how the session stands.
    Events,
    /// A reply that is on its way.
    Reply,
}

/// Why somebody may not have something open any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Out {
    /// The sharing that let them in is over.
    NotShared,
    /// They only watch now, and this app is watched without WebSockets.
    NoSockets,
    /// The session is over.
    Over,
}

/// Why a session is over, as its visitors are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It was ended elsewhere: on its page, by an administrator, or with its machine.
    Elsewhere,
    /// The gate ends it.
    #[serde(untagged)]
    Because(GateEndReason),
}

/// Which ways the clipboard goes, for whoever controls the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clipboard {
    /// From a visitor to the app (`clipboard_up`).
    pub up: bool,
    /// From the app to a visitor (`clipboard_down`).
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

/// The session, as everything in the gate that answers visitors shares it.
pub struct SessionState {
    /// Whether anybody is there.
    pub presence: Arc<Presence>,
    /// What the session may still write to its log.
    pub log: Arc<Allowance>,
    clipboard: Clipboard,
    media: Media,
    unread: AtomicBool,
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
    end_asked: Notify,
    refresh_asked: Notify,
}

#[derive(Default)]
struct Inner {
    /// Whether the control plane has said anything yet.
    is_open: bool,
    directives: SessionDirectives,
    ends_at: Option<Instant>,
    watchers: BTreeMap<String, WatcherState>,
    controller: Option<String>,
    reclaimed_at: Option<Instant>,
    over: Option<Ending>,
    gone_to: Option<Timestamp>,
    owners_sockets: usize,
}

/// A watcher, by what they have open.
#[derive(Default)]
struct WatcherState {
    name: String,
    sockets: usize,
    events: usize,
    replies: usize,
    /// Until when they are listed although they have nothing open.
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

/// What one visitor is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// In one word.
    pub role: &'static str,
    /// When the time limit ends the session, in seconds from now.
    pub ends_in: Option<u64>,
    /// When it ends because nobody touches it, in seconds from now.
    pub idle_in: Option<u64>,
    /// From how many seconds before that on the visitor is warned.
    pub idle_warning: u64,
    /// When the machine is taken back, in seconds from now.
    pub reclaimed_in: Option<u64>,
    /// Why it is over, in one word.
    pub over: Option<Ending>,
    /// Whether the screen keeps its size.
    pub fixed: bool,
    /// The share link; for the owner only.
    pub share_link: Option<String>,
    /// Who watches; for the owner only.
    pub watchers: Vec<WatcherView>,
    /// Whether the session is shared.
    pub shared: bool,
}

/// Somebody who watches, as the owner is shown them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WatcherView {
    /// Tells them apart.
    pub id: String,
    /// What they are called.
    pub name: String,
    /// Whether control was handed over to them.
    pub controls: bool,
}

impl Default for SessionState {
    fn default() -> Self {
        Self::new(Clipboard::default())
    }
}

impl SessionState {
    /// Nobody is there yet.
    pub fn new(clipboard: Clipboard) -> Self {
        let (changed, _) = watch::channel(());
        Self {
            presence: Arc::default(),
            log: Arc::default(),
            clipboard,
            media: Media::default(),
            unread: AtomicBool::new(false),
            inner: Mutex::default(),
            changed,
            end_asked: Notify::new(),
            refresh_asked: Notify::new(),
        }
    }

    /// The same, with what else is allowed in the session.
    #[must_use]
    pub fn allowing(self, media: Media) -> Self {
        Self { media, ..self }
    }

    /// Which ways the clipboard goes, for whoever controls the session.
    pub const fn clipboard(&self) -> Clipboard {
        self.clipboard
    }

    /// What is allowed in the session beside the clipboard.
    pub const fn media(&self) -> Media {
        self.media
    }

    /// Whether a visitor's clipboard may reach the app.
    pub const fn pastes(&self) -> bool {
        self.clipboard.up
    }

    /// Whether what is copied in the session may reach whoever controls it.
    pub const fn copies(&self) -> bool {
        self.clipboard.down
    }

    /// Whether what a screen says is read on the stream of whoever holds this ticket, because they
    /// may not get the clipboard: nobody does where it is closed, and no watcher does.
    pub const fn is_measured(&self, ticket: &SessionTicket) -> bool {
        !self.clipboard.down || ticket.watcher.is_some()
    }

    /// Notes that a screen's stream could not be read; whether it is the first of this session.
    pub fn is_first_unread(&self) -> bool {
        !self.unread.swap(true, Ordering::Relaxed)
    }

    /// What the control plane says holds from now on. Whoever watches by a link that is none any more is out. What was said before the session had its
    /// visitor, and is heard late, holds no more.
    pub fn follow(&self, directives: SessionDirectives) {
        let mut inner = self.lock();
        if inner.is_open && directives.waits {
            return;
        }
        let opens = !directives.waits && !inner.is_open;
        inner.is_open = !directives.waits;
        if inner.directives == directives && !opens {
            return;
        }
        if directives.share_link.is_none() || directives.share_round != inner.directives.share_round
        {
            inner.controller = None;
        }
        inner.directives = directives;
        drop(inner);
        self.changed.send_replace(());
    }

    /// Whether visitors can be let in: what they may see and do is known, and the session is somebody's.
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

    /// Waits until the control plane has said whether visitors can be let in.
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

    /// What the control plane has said.
    pub fn directives(&self) -> SessionDirectives {
        self.lock().directives.clone()
    }

    /// How those who only watch are kept from changing anything.
    pub fn view_only(&self) -> Option<ViewOnly> {
        self.lock().directives.options.view_only
    }

    /// Whether the screen is to keep its size, because the session is shared.
    pub fn is_fixed(&self) -> bool {
        self.lock().is_fixed()
    }

    /// What a streaming server is to know of who is in the session.
    pub fn roles(&self) -> Roles {
        let inner = self.lock();
        let is_shared = inner.directives.share_link.is_some();
        Roles {
            round: is_shared.then_some(inner.directives.share_round),
            controller: inner.controller.clone().filter(|_| is_shared),
        }
    }

    /// When the session ends at the latest.
    pub fn set_end(&self, at: Instant) {
        self.lock().ends_at = Some(at);
        self.changed.send_replace(());
    }

    /// Until when the app lives although the machine is taken back.
    pub fn set_reclaimed(&self, at: Instant) {
        self.lock().reclaimed_at = Some(at);
        self.changed.send_replace(());
    }

    /// The session is over, for this reason.
    pub fn close(&self, cause: GateEndReason) {
        self.end(Ending::Because(cause));
    }

    /// The session is over. What was said first holds.
    pub fn end(&self, ending: Ending) {
        self.lock().over.get_or_insert(ending);
        self.changed.send_replace(());
    }

    /// The control plane has something new to say: it is to be asked now.
    pub fn ask_for_refresh(&self) {
        self.refresh_asked.notify_one();
    }

    /// Waits until the control plane is to be asked.
    pub async fn refresh_asked(&self) {
        self.refresh_asked.notified().await;
    }

    /// The owner asks for the end.
    pub fn ask_for_end(&self) {
        self.end_asked.notify_one();
    }

    /// Waits until the owner asks for the end.
    pub async fn end_asked(&self) {
        self.end_asked.notified().await;
    }

    /// Tells of each change from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// What whoever holds this ticket may do now; `None` when that was taken from them.
    pub fn participant(&self, ticket: &SessionTicket) -> Option<Participant> {
        self.lock().participant(ticket)
    }

    /// Waits until whoever holds this ticket may not have something open any longer; `is_socket`: a
    /// WebSocket, which some apps are not watched by.
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

    /// Waits until whoever holds this ticket does not control the session any longer.
    pub async fn out_of_control(&self, ticket: &SessionTicket) {
        let controls = |inner: &Inner| {
            inner
                .participant(ticket)
                .is_some_and(|participant| participant.controls())
        };
        self.until(|inner| !controls(inner)).await;
    }

    /// Notes what somebody has open, until the returned value is dropped; `None` when they have too
    /// much of that, or too many watch.
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

    /// Hands control over to a watcher who is there, or takes it back. Whether that was possible.
    pub fn hand_over(&self, to: Option<&str>) -> bool {
        let mut inner = self.lock();
        inner.forget_who_left(Instant::now());
        let known = to.is_none_or(|id| inner.watchers.contains_key(id));
        if known {
            inner.controller = to.map(str::to_owned);
            drop(inner);
            self.changed.send_replace(());
        }
        known
    }

    /// Whether this order to open an address is a new one; it is not when asked again.
    pub fn is_new_order(&self, at: Timestamp) -> bool {
        let mut inner = self.lock();
        let new = inner.gone_to.is_none_or(|last| last < at);
        if new {
            inner.gone_to = Some(at);
        }
        new
    }

    /// What somebody in this role is shown now.
    pub fn view(&self, participant: &Participant) -> View {
        let mut inner = self.lock();
        inner.forget_who_left(Instant::now());
        let inner = inner;
        let left = |at: Option<Instant>| {
            at.map(|at| at.saturating_duration_since(Instant::now()).as_secs())
        };
        let owner = *participant == Participant::Owner;
        let watchers = inner
            .watchers
            .iter()
            .filter(|_| owner)
            .map(|(id, seen)| WatcherView {
                id: id.clone(),
                name: seen.name.clone(),
                controls: inner.controller.as_ref() == Some(id),
            });
        let idle = inner.directives.idle_seconds.map(u64::from);
        View {
            role: participant.as_str(),
            ends_in: left(inner.ends_at),
            idle_in: idle
                .map(|limit| limit.saturating_sub(self.presence.untouched_for().as_secs())),
            idle_warning: idle.unwrap_or_default().div_ceil(4).min(IDLE_WARNING),
            reclaimed_in: left(inner.reclaimed_at),
            over: inner.over,
            fixed: inner.is_fixed(),
            share_link: inner.directives.share_link.clone().filter(|_| owner),
            watchers: watchers.collect(),
            shared: inner.directives.share_link.is_some(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is a single assignment: a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_fixed(&self) -> bool {
        self.directives.share_link.is_some() && self.directives.options.fixed_resolution
    }

    fn participant(&self, ticket: &SessionTicket) -> Option<Participant> {
        match (ticket.role, &ticket.watcher) {
            (Role::Owner, _) => Some(Participant::Owner),
            (Role::Viewer, Some(watcher)) => {
                let good = self.directives.share_link.is_some()
                    && self.directives.share_round == watcher.round;
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

    fn is_there(&self, id: &str, now: Instant) -> bool {
        self.watchers.get(id).is_some_and(|seen| seen.is_there(now))
    }

    /// Whoever comes back is asked for anew: control is not kept for somebody who is away.
    fn forget_who_left(&mut self, now: Instant) {
        self.watchers.retain(|_, seen| seen.is_there(now));
        if let Some(id) = &self.controller
            && !self.watchers.contains_key(id)
        {
            self.controller = None;
        }
    }
}

/// Something that somebody has open.
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
