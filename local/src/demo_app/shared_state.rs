//! Owns what all windows of the session share: the pad, how many windows are open, the time. Must
//! not know sockets.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::pad::{Edit, Outcome, Pad};

/// The file with the pad, where files are kept.
const PAD_FILE: &str = "pad.txt";
/// How many messages a slow window may fall behind before the pad is sent to it again.
const BACKLOG: usize = 32;

/// A message to the windows.
#[derive(Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Update<'a> {
    /// To a window that has just come: which one it is, and how things stand.
    Hello {
        /// The window's number.
        me: u64,
        /// The pad's revision.
        rev: u64,
        /// The pad's text.
        text: &'a str,
    },
    /// Every second.
    Tick(Status),
    /// The pad has changed, or an edit changed nothing.
    Pad {
        /// The pad's revision.
        rev: u64,
        /// The pad's text.
        text: &'a str,
        /// The window that wrote.
        by: u64,
    },
    /// To a window whose edit does not fit.
    Full,
}

/// How things stand now.
#[derive(Clone, Copy, Serialize)]
pub struct Status {
    /// The session's clock, in milliseconds since 1970.
    pub clock: u64,
    /// How many windows are open.
    pub windows: usize,
    /// How long the app has been running, in seconds.
    pub uptime: u64,
    /// How long it may still run, in seconds, when that is known.
    pub left: Option<u64>,
}

/// The state that all windows share.
pub struct SharedState {
    started: Instant,
    kept_in: Option<PathBuf>,
    inner: Mutex<Inner>,
    updates: broadcast::Sender<Arc<str>>,
}

#[derive(Default)]
struct Inner {
    pad: Pad,
    windows: usize,
    last_number: u64,
    ends_at: Option<Instant>,
}

impl SharedState {
    /// A room that opens now, with the pad that is kept in `folder`.
    pub fn new(time_limit: Option<Duration>, folder: Option<&Path>) -> Self {
        let kept_in = folder.map(|folder| folder.join(PAD_FILE));
        let pad = kept_in.as_deref().map(Pad::read).unwrap_or_default();
        let inner = Mutex::new(Inner {
            pad,
            ..Inner::default()
        });
        let shared_state = Self {
            started: Instant::now(),
            kept_in,
            inner,
            updates: broadcast::channel(BACKLOG).0,
        };
        shared_state.begin(time_limit);
        shared_state
    }

    /// From now on, the app may run for so long.
    pub fn begin(&self, time_limit: Option<Duration>) {
        self.inner().ends_at = time_limit.map(|limit| Instant::now() + limit);
    }

    /// Sends every window the time each second.
    pub async fn tick(&self) -> Infallible {
        let mut seconds = tokio::time::interval_at(
            self.started + Duration::from_secs(1),
            Duration::from_secs(1),
        );
        loop {
            seconds.tick().await;
            self.broadcast(&Update::Tick(self.status()));
        }
    }

    /// A new window, its first message, and the channel of all later ones.
    pub fn join(self: &Arc<Self>) -> (Window, Arc<str>, broadcast::Receiver<Arc<str>>) {
        let mut inner = self.inner();
        inner.windows += 1;
        inner.last_number += 1;
        let me = inner.last_number;
        let hello = to_json(&Update::Hello {
            me,
            rev: inner.pad.rev,
            text: &inner.pad.text,
        });
        let updates = self.updates.subscribe();
        drop(inner);
        self.broadcast(&Update::Tick(self.status()));
        (
            Window {
                shared_state: self.clone(),
                number: me,
            },
            hello,
            updates,
        )
    }

    /// How things stand now.
    pub fn status(&self) -> Status {
        let inner = self.inner();
        Status {
            clock: milliseconds_since_1970(),
            windows: inner.windows,
            uptime: self.started.elapsed().as_secs(),
            left: inner
                .ends_at
                .map(|at| at.saturating_duration_since(Instant::now()).as_secs()),
        }
    }

    fn broadcast(&self, updates: &Update<'_>) {
        // Without open windows there is no receiver; that is no error.
        let _ = self.updates.send(to_json(updates));
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // What is inside is whole after every statement, so a panic elsewhere has not harmed it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open window; closes when dropped.
pub struct Window {
    shared_state: Arc<SharedState>,
    number: u64,
}

impl Window {
    /// Applies an edit and sends it to every window, in the order of the pad; an answer is for this
    /// window alone.
    pub fn write(&self, edit: Edit) -> Option<Arc<str>> {
        let mut inner = self.shared_state.inner();
        match inner.pad.write(edit) {
            Outcome::Kept => {
                if let Some(file) = &self.shared_state.kept_in
                    && let Err(error) = std::fs::write(file, &inner.pad.text)
                {
                    eprintln!("demo-app: the pad cannot be kept: {error}");
                }
                self.shared_state.broadcast(&Update::Pad {
                    rev: inner.pad.rev,
                    text: &inner.pad.text,
                    by: self.number,
                });
                None
            }
            Outcome::TooLong => Some(to_json(&Update::Full)),
        }
    }

    /// The current text, for a window that fell behind.
    pub fn catch_up(&self) -> Arc<str> {
        let inner = self.shared_state.inner();
        to_json(&Update::Hello {
            me: self.number,
            rev: inner.pad.rev,
            text: &inner.pad.text,
        })
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.shared_state.inner().windows -= 1;
        self.shared_state
            .broadcast(&Update::Tick(self.shared_state.status()));
    }
}

fn to_json(updates: &Update<'_>) -> Arc<str> {
    // Numbers and strings always make JSON.
    serde_json::to_string(updates).unwrap_or_default().into()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the demo app is a program of its own and shows the machine's clock"
)]
fn milliseconds_since_1970() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &str) -> serde_json::Value {
        serde_json::from_str(message).expect("JSON")
    }

    #[tokio::test]
    async fn edits_reach_every_window() {
        let shared_state = Arc::new(SharedState::new(Some(Duration::from_secs(60)), None));
        let (one, hello, mut heard_by_one) = shared_state.join();
        assert_eq!(
            read(&hello),
            serde_json::json!({ "is": "hello", "me": 1, "rev": 0, "text": "" })
        );
        let (two, _, mut heard_by_two) = shared_state.join();
        assert!(
            two.write(Edit {
                base: 0,
                text: "hi".into(),
                away: false
            })
            .is_none()
        );
        for heard in [&mut heard_by_one, &mut heard_by_two] {
            let mut last = read(&heard.recv().await.expect("news"));
            while last["is"] == "tick" {
                last = read(&heard.recv().await.expect("news"));
            }
            assert_eq!(
                last,
                serde_json::json!({ "is": "pad", "rev": 1, "text": "hi", "by": 2 })
            );
        }
        assert_eq!(read(&one.catch_up())["text"], "hi");
        let too_long = Edit {
            base: 1,
            text: "x".repeat(100_000),
            away: false,
        };
        assert_eq!(one.write(too_long).as_deref(), Some(r#"{"is":"full"}"#));
    }

    #[tokio::test(start_paused = true)]
    async fn time_and_open_windows_are_counted() {
        let shared_state = Arc::new(SharedState::new(Some(Duration::from_secs(60)), None));
        let (one, _, _) = shared_state.join();
        let two = shared_state.join();
        tokio::time::advance(Duration::from_secs(5)).await;
        let status = shared_state.status();
        assert_eq!(
            (status.windows, status.uptime, status.left),
            (2, 5, Some(55))
        );
        drop((one, two));
        tokio::time::advance(Duration::from_secs(100)).await;
        let status = shared_state.status();
        assert_eq!((status.windows, status.left), (0, Some(0)));
    }
}
