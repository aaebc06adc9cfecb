//! Owns when visitors were connected and active. Must not know what happens to a session without
//! visitors.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The presence of visitors. Its time starts at its creation.
pub struct Presence(Mutex<Inner>);

struct Inner {
    entered: bool,
    connected: usize,
    last: Instant,
    touched: Instant,
}

impl Default for Presence {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            entered: false,
            connected: 0,
            last: Instant::now(),
            touched: Instant::now(),
        }))
    }
}

impl Presence {
    /// Starts the time without visitors now.
    pub fn note(&self) {
        self.lock().last = Instant::now();
    }

    /// A participant has just sent a request.
    pub fn enter(&self) {
        let mut seen = self.lock();
        seen.entered = true;
        seen.last = Instant::now();
    }

    /// Whether a visitor has ever been connected.
    pub fn is_entered(&self) -> bool {
        self.lock().entered
    }

    /// A participant has just been active, which a page is not by itself.
    pub fn touch(&self) {
        self.lock().touched = Instant::now();
    }

    /// The time since the last activity.
    pub fn untouched_for(&self) -> Duration {
        self.lock().touched.elapsed()
    }

    /// Waits until there was no activity for this time.
    pub async fn untouched(&self, limit: Duration) {
        while let Some(left) = limit
            .checked_sub(self.untouched_for())
            .filter(|left| !left.is_zero())
        {
            sleep(left).await;
        }
    }

    /// Counts a connection until the returned guard is dropped.
    pub fn connect(self: &Arc<Self>) -> Connected {
        self.lock().connected += 1;
        Connected(self.clone())
    }

    /// How many are connected now.
    pub fn connected(&self) -> usize {
        self.lock().connected
    }

    /// Waits until no visitor was connected for this time.
    pub async fn nobody_for(&self, limit: Duration) {
        while let Some(left) = self.left(limit) {
            sleep(left).await;
        }
    }

    /// How long to wait before looking again; `None` when no visitor has been connected for
    /// `limit`.
    fn left(&self, limit: Duration) -> Option<Duration> {
        let seen = self.lock();
        // With a visitor connected now, the limit cannot be reached earlier than this.
        if seen.connected > 0 {
            Some(limit)
        } else {
            limit
                .checked_sub(seen.last.elapsed())
                .filter(|left| !left.is_zero())
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Plain values: a panic elsewhere leaves nothing half done.
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Guard of one connection.
pub struct Connected(Arc<Presence>);

impl Drop for Connected {
    fn drop(&mut self) {
        let mut seen = self.0.lock();
        seen.connected -= 1;
        seen.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(3600);

    /// When the session counts as left, in seconds from its start.
    async fn left_after(visits: impl AsyncFnOnce(Arc<Presence>)) -> u64 {
        let began = Instant::now();
        let presence = Arc::new(Presence::default());
        tokio::join!(presence.nobody_for(LIMIT), visits(presence.clone()));
        began.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn idle_timeout_counts_from_the_last_input() {
        let presence = Arc::new(Presence::default());
        let began = Instant::now();
        let touches = async {
            let _connected = presence.connect();
            sleep(Duration::from_secs(100)).await;
            presence.touch();
            sleep(Duration::from_secs(50)).await;
            presence.note();
        };
        tokio::join!(presence.untouched(LIMIT), touches);
        assert_eq!(began.elapsed().as_secs(), 100 + 3600);
    }

    #[tokio::test(start_paused = true)]
    async fn keepalive_counts_from_the_last_connection() {
        let after = async |seconds| sleep(Duration::from_secs(seconds)).await;
        assert_eq!(left_after(async |_| {}).await, 3600, "nobody ever came");
        let asks = async |presence: Arc<Presence>| {
            after(100).await;
            presence.note();
            after(3599).await;
            presence.note();
        };
        assert_eq!(
            left_after(asks).await,
            100 + 3599 + 3600,
            "a request now and then"
        );
        let stays = async |presence: Arc<Presence>| {
            let connected = presence.connect();
            after(9000).await;
            drop(connected);
        };
        assert_eq!(
            left_after(stays).await,
            9000 + 3600,
            "a connection that stays"
        );
        let two = async |presence: Arc<Presence>| {
            let (one, two) = (presence.connect(), presence.connect());
            after(10).await;
            drop(one);
            after(4000).await;
            drop(two);
        };
        assert_eq!(left_after(two).await, 4010 + 3600, "the last of two counts");
    }
}
