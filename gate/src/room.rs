//! Owns what goes on in one session: what its gate was told, who is there and in which part, what visitors are warned of, and whether it is over.
//! Must not know how any of it is shown or enforced.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use casting_core::Cause;
use casting_core::ticket::{Role, SessionTicket};
use casting_core::time::Timestamp;
use casting_core::viewing::{Orders, ViewOnly};
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::presence::Presence;

/// How many may watch at a time.
pub const MOST_WATCHERS: usize = 20;

/// From how many seconds before its end on an idle session warns its visitor; from a quarter of the limit on where that is less.
const IDLE_WARNING: u64 = 60;

/// What somebody may do in the session now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    Owner,
    /// To use the app, because the owner has handed over control; with the watcher's id.
    Controller(String),
    /// To watch; with the watcher's id.
    Viewer(String),
}

impl Part {
    /// Whether the app may be used, not only watched.
    pub const fn controls(&self) -> bool {
        matches!(self, Self::Owner | Self::Controller(_))
    }

    /// The part in one word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Controller(_) => "controller",
            Self::Viewer(_) => "viewer",
        }
    }
}

/// The session, as everything in the gate that answers visitors shares it.
pub struct Room {
    /// Whether anybody is there.
    pub presence: Arc<Presence>,
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
    end_asked: Notify,
}

#[derive(Default)]
struct Inner {
    /// Whether the control plane has said anything yet.
    is_open: bool,
    orders: Orders,
    ends_at: Option<Instant>,
    watchers: BTreeMap<String, Seen>,
    controller: Option<String>,
    reclaimed_at: Option<Instant>,
    over: Option<Cause>,
    gone_to: Option<Timestamp>,
}

struct Seen {
    name: String,
    windows: usize,
}

/// What one visitor is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// In one word.
    pub part: &'static str,
    /// When the time limit ends the session, in seconds from now.
    pub ends_in: Option<u64>,
    /// When it ends because nobody touches it, in seconds from now.
    pub idle_in: Option<u64>,
    /// From how many seconds before that on the visitor is warned.
    pub idle_warning: u64,
    /// When the machine is taken back, in seconds from now.
    pub reclaimed_in: Option<u64>,
    /// Why it is over, in one word.
    pub over: Option<Cause>,
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

impl Default for Room {
    fn default() -> Self {
        let (changed, _) = watch::channel(());
        Self {
            presence: Arc::default(),
            inner: Mutex::default(),
            changed,
            end_asked: Notify::new(),
        }
    }
}

impl Room {
    /// What the control plane says holds from now on. Whoever watches by a link that is none any more is out. What was said before the session had its
    /// visitor, and is heard late, holds no more.
    pub fn follow(&self, orders: Orders) {
        let mut inner = self.lock();
        if inner.is_open && orders.waits {
            return;
        }
        inner.is_open = !orders.waits;
        if inner.orders == orders {
            return;
        }
        if orders.share_link.is_none() || orders.share_round != inner.orders.share_round {
            inner.controller = None;
        }
        inner.orders = orders;
        drop(inner);
        self.changed.send_replace(());
    }

    /// Whether visitors can be let in: what they may see and do is known, and the session is somebody's.
    pub fn is_open(&self) -> bool {
        self.lock().is_open
    }

    /// Waits until the session is over.
    pub async fn closed(&self) {
        self.until(|inner| inner.over.is_some()).await;
    }

    /// Waits until visitors can be let in.
    pub async fn opened(&self) {
        self.until(|inner| inner.is_open).await;
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
    pub fn orders(&self) -> Orders {
        self.lock().orders.clone()
    }

    /// How those who only watch are kept from changing anything.
    pub fn view_only(&self) -> Option<ViewOnly> {
        self.lock().orders.viewing.view_only
    }

    /// Whether the screen is to keep its size, because the session is shared.
    pub fn is_fixed(&self) -> bool {
        self.lock().is_fixed()
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
    pub fn close(&self, cause: Cause) {
        self.lock().over.get_or_insert(cause);
        self.changed.send_replace(());
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
    pub fn part(&self, ticket: &SessionTicket) -> Option<Part> {
        let inner = self.lock();
        match (ticket.role, &ticket.watcher) {
            (Role::Owner, _) => Some(Part::Owner),
            (Role::Viewer, Some(watcher)) => {
                let good =
                    inner.orders.share_link.is_some() && inner.orders.share_round == watcher.round;
                let part = if inner.controller.as_ref() == Some(&watcher.id) {
                    Part::Controller
                } else {
                    Part::Viewer
                };
                good.then(|| part(watcher.id.clone()))
            }
            (Role::Viewer, None) => None,
        }
    }

    /// Notes one more window of a watcher, until the returned value is dropped; `None` when too many watch.
    pub fn watch(self: &Arc<Self>, ticket: &SessionTicket) -> Option<Watching> {
        let Some(watcher) = &ticket.watcher else {
            return Some(Watching {
                room: self.clone(),
                id: None,
            });
        };
        let mut inner = self.lock();
        if inner.watchers.len() >= MOST_WATCHERS && !inner.watchers.contains_key(&watcher.id) {
            return None;
        }
        inner
            .watchers
            .entry(watcher.id.clone())
            .or_insert_with(|| Seen {
                name: watcher.name.clone(),
                windows: 0,
            })
            .windows += 1;
        drop(inner);
        self.changed.send_replace(());
        Some(Watching {
            room: self.clone(),
            id: Some(watcher.id.clone()),
        })
    }

    /// Hands control over to a watcher who is there, or takes it back. Whether that was possible.
    pub fn hand_over(&self, to: Option<&str>) -> bool {
        let mut inner = self.lock();
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

    /// What somebody in this part is shown now.
    pub fn view(&self, part: &Part) -> View {
        let inner = self.lock();
        let left = |at: Option<Instant>| {
            at.map(|at| at.saturating_duration_since(Instant::now()).as_secs())
        };
        let owner = *part == Part::Owner;
        let watchers = inner
            .watchers
            .iter()
            .filter(|_| owner)
            .map(|(id, seen)| WatcherView {
                id: id.clone(),
                name: seen.name.clone(),
                controls: inner.controller.as_ref() == Some(id),
            });
        let idle = inner.orders.idle_seconds.map(u64::from);
        View {
            part: part.as_str(),
            ends_in: left(inner.ends_at),
            idle_in: idle
                .map(|limit| limit.saturating_sub(self.presence.untouched_for().as_secs())),
            idle_warning: idle.unwrap_or_default().div_ceil(4).min(IDLE_WARNING),
            reclaimed_in: left(inner.reclaimed_at),
            over: inner.over,
            fixed: inner.is_fixed(),
            share_link: inner.orders.share_link.clone().filter(|_| owner),
            watchers: watchers.collect(),
            shared: inner.orders.share_link.is_some(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is a single assignment: a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_fixed(&self) -> bool {
        self.orders.share_link.is_some() && self.orders.viewing.fixed_resolution
    }
}

/// One window of somebody who watches.
pub struct Watching {
    room: Arc<Room>,
    id: Option<String>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        let Some(id) = &self.id else { return };
        let mut inner = self.room.lock();
        if let Some(seen) = inner.watchers.get_mut(id) {
            seen.windows -= 1;
            if seen.windows == 0 {
                inner.watchers.remove(id);
                // Whoever comes back is asked for anew: control is not kept for somebody who is away.
                if inner.controller.as_ref() == Some(id) {
                    inner.controller = None;
                }
            }
        }
        drop(inner);
        self.room.changed.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use casting_core::ids::SessionId;
    use casting_core::ticket::Watcher;

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
            host: "127.0.0.1".into(),
            port: 1,
            expires: Timestamp::from_millis(1),
        }
    }

    fn shared(round: u32) -> Orders {
        Orders {
            share_link: Some("https://cast.test/share/x".into()),
            share_round: round,
            ..Orders::default()
        }
    }

    #[test]
    fn a_part_lasts_as_long_as_the_sharing_that_gave_it() {
        let room = Arc::new(Room::default());
        let viewer = || Some(Part::Viewer("ada".into()));
        assert_eq!(room.part(&ticket(Some(("ada", 1)))), None, "not shared");
        room.follow(shared(1));
        assert_eq!(room.part(&ticket(Some(("ada", 1)))), viewer());
        assert_eq!(room.part(&ticket(None)), Some(Part::Owner));
        room.follow(shared(2));
        assert_eq!(
            room.part(&ticket(Some(("ada", 1)))),
            None,
            "let in by an earlier link"
        );
        room.follow(Orders::default());
        assert_eq!(
            room.part(&ticket(Some(("ada", 2)))),
            None,
            "no longer shared"
        );
    }

    #[test]
    fn control_goes_to_somebody_who_is_there_and_comes_back_when_they_leave() {
        let room = Arc::new(Room::default());
        room.follow(shared(1));
        let ada = ticket(Some(("ada", 1)));
        assert!(!room.hand_over(Some("ada")), "she is not there");
        let (first, second) = (room.watch(&ada), room.watch(&ada));
        assert!(room.hand_over(Some("ada")));
        assert_eq!(room.part(&ada), Some(Part::Controller("ada".into())));
        let view = room.view(&Part::Owner);
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
        let seen = room.view(&Part::Viewer("ada".into()));
        assert!(
            seen.watchers.is_empty() && seen.share_link.is_none(),
            "the owner's only"
        );
        drop(first);
        assert!(
            room.part(&ada).is_some_and(|part| part.controls()),
            "one window is left"
        );
        drop(second);
        assert_eq!(room.part(&ada), Some(Part::Viewer("ada".into())));
        assert!(room.view(&Part::Owner).watchers.is_empty());
    }

    #[test]
    fn only_so_many_watch() {
        let room = Arc::new(Room::default());
        let names: Vec<String> = (0..=MOST_WATCHERS).map(|n| n.to_string()).collect();
        let all: Vec<_> = names
            .iter()
            .map(|name| room.watch(&ticket(Some((name, 1)))))
            .collect();
        assert!(all[..MOST_WATCHERS].iter().all(Option::is_some) && all[MOST_WATCHERS].is_none());
        assert!(
            room.watch(&ticket(None)).is_some(),
            "the owner always has a place"
        );
    }

    #[test]
    fn nobody_is_let_in_before_it_is_known_what_they_may_do() {
        let room = Room::default();
        assert!(!room.is_open());
        room.follow(Orders::default());
        assert!(room.is_open());
    }

    #[test]
    fn a_session_that_waits_is_closed_until_it_has_its_visitor_and_never_again() {
        let room = Room::default();
        let waits = || Orders {
            waits: true,
            ..Orders::default()
        };
        room.follow(waits());
        assert!(!room.is_open());
        room.follow(Orders {
            title: "App".into(),
            ..Orders::default()
        });
        room.follow(waits());
        assert_eq!(
            (room.is_open(), room.orders().title.as_str()),
            (true, "App"),
            "an answer that comes late"
        );
    }

    #[test]
    fn an_order_is_carried_out_once() {
        let room = Room::default();
        let at = Timestamp::from_millis;
        assert_eq!(
            [at(5), at(5), at(4), at(6)].map(|at| room.is_new_order(at)),
            [true, false, false, true]
        );
    }
}
