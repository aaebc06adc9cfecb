//! Owns what a session writes to its log: whatever its app and its commands say, as much as is
//! allowed of it and no more. The rest is read and dropped, so that nothing waits for it. Must not
//! know where the log is kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

/// How much may come at once, in bytes.
const BURST: u64 = 512 << 10;
/// How much may come in the long run, in bytes a second.
const PER_SECOND: u64 = 16 << 10;
/// How much may come in all, in bytes.
const IN_ALL: u64 = 64 << 20;
/// How often it is said that something was left out.
const SAID_EVERY: Duration = Duration::from_secs(60);
/// How much is read at once, in bytes.
const PIECE: usize = 16 << 10;

const TOO_FAST: &str =
    "gate: the session writes more than 16 KiB a second; what is beyond is left out\n";
const TOO_MUCH: &str = "gate: the session has written 64 MiB; nothing more of its output is kept\n";

/// How much of the end of an app's output is kept for the control plane, in bytes.
const TAIL: usize = 8 << 10;
/// Replaces the gate's own secrets in an app's output.
const HIDDEN: &str = "[\u{2026}]";

/// The end of an app's output, whether its log took it or not.
#[derive(Debug, Default)]
pub struct Tail(Mutex<VecDeque<u8>>);

impl Tail {
    fn add(&self, piece: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let piece = &piece[piece.len().saturating_sub(TAIL)..];
        let too_many = (kept.len() + piece.len()).saturating_sub(TAIL);
        kept.drain(..too_many);
        kept.extend(piece);
    }

    /// As a text, without these secrets.
    pub fn text(&self, secrets: &[&str]) -> String {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(kept.make_contiguous()).into_owned();
        without(text, secrets)
    }
}

/// A text without these secrets.
pub fn without(text: String, secrets: &[&str]) -> String {
    secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text, |text, secret| text.replace(secret, HIDDEN))
}

/// How much one session may still write to its log.
pub struct Allowance(Mutex<Left>);

struct Left {
    now: u64,
    in_all: u64,
    since: Instant,
    said: Option<Instant>,
    is_over: bool,
}

/// How much of a piece is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is written.
    Kept,
    /// It is dropped; this line is written in its place, if there is one.
    Dropped(Option<&'static str>),
}

impl Default for Allowance {
    fn default() -> Self {
        Self(Mutex::new(Left {
            now: BURST,
            in_all: IN_ALL,
            since: Instant::now(),
            said: None,
            is_over: false,
        }))
    }
}

impl Allowance {
    /// Judges a piece of so many bytes, and counts it if it is kept.
    pub fn take(&self, bytes: usize) -> Verdict {
        let mut left = self.lock();
        let (bytes, now) = (bytes as u64, Instant::now());
        if left.in_all < bytes {
            left.in_all = 0;
            let first = !std::mem::replace(&mut left.is_over, true);
            return Verdict::Dropped(first.then_some(TOO_MUCH));
        }
        let earned = now.duration_since(left.since).as_millis();
        let earned = u64::try_from(earned)
            .unwrap_or(u64::MAX)
            .saturating_mul(PER_SECOND)
            / 1000;
        if earned > 0 {
            left.now = BURST.min(left.now.saturating_add(earned));
            left.since = now;
        }
        if left.now < bytes {
            let silent = left
                .said
                .is_some_and(|said| now.duration_since(said) < SAID_EVERY);
            if !silent {
                left.said = Some(now);
            }
            return Verdict::Dropped((!silent).then_some(TOO_FAST));
        }
        left.now -= bytes;
        left.in_all -= bytes;
        Verdict::Kept
    }

    fn lock(&self) -> MutexGuard<'_, Left> {
        // Plain numbers: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Copies the output of an app until it ends.
pub async fn pass_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    allowance: Arc<Allowance>,
    tail: Arc<Tail>,
) {
    let mut piece = vec![0; PIECE];
    loop {
        let Ok(read @ 1..) = from.read(&mut piece).await else {
            return;
        };
        tail.add(&piece[..read]);
        let written = match allowance.take(read) {
            Verdict::Kept => to.write_all(&piece[..read]).await,
            Verdict::Dropped(Some(line)) => to.write_all(format!("\n{line}").as_bytes()).await,
            Verdict::Dropped(None) => continue,
        };
        if written.is_err() || to.flush().await.is_err() {
            // The log cannot be written. The app goes on all the same.
            let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_of(allowance: &Allowance, pieces: usize) -> (usize, Vec<&'static str>) {
        let (mut kept, mut said) = (0, Vec::new());
        for _ in 0..pieces {
            match allowance.take(1024) {
                Verdict::Kept => kept += 1,
                Verdict::Dropped(line) => said.extend(line),
            }
        }
        (kept, said)
    }

    #[tokio::test(start_paused = true)]
    async fn output_flood_is_cut_with_one_notice() {
        let allowance = Allowance::default();
        assert_eq!(kept_of(&allowance, 10_000), (512, vec![TOO_FAST]));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(kept_of(&allowance, 10_000), (32, vec![]), "16 KiB a second");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(kept_of(&allowance, 10_000), (512, vec![TOO_FAST]));
        let mut kept = 0;
        let mut said = Vec::new();
        for _ in 0..200 {
            tokio::time::advance(Duration::from_secs(60)).await;
            let (more, lines) = kept_of(&allowance, 600);
            kept += more;
            said.extend(lines);
        }
        assert_eq!(kept, 64 * 1024 - 512 - 32 - 512, "64 MiB in all");
        assert_eq!(said.last(), Some(&TOO_MUCH));
        assert_eq!(said.iter().filter(|line| **line == TOO_MUCH).count(), 1);
    }

    #[test]
    fn output_tail_is_kept_without_secrets() {
        let tail = Tail::default();
        assert_eq!(tail.text(&[]), "");
        tail.add(&[b'x'; 3 * TAIL]);
        tail.add(b"the password is hush-hush\n");
        let text = tail.text(&["hush-hush", ""]);
        assert!(text.ends_with("xthe password is [\u{2026}]\n"), "{text}");
        assert!(text.len() <= TAIL);
    }

    #[tokio::test(start_paused = true)]
    async fn log_flood_does_not_block_the_app() {
        let (mut app, pipe) = tokio::io::duplex(1024);
        let mut log = Vec::new();
        let flood = async move {
            for _ in 0..4096 {
                app.write_all(&[b'x'; 1024]).await.expect("it is read");
            }
        };
        let tail = Arc::<Tail>::default();
        tokio::join!(flood, pass_on(pipe, &mut log, Arc::default(), tail.clone()));
        assert_eq!(
            tail.text(&[]),
            "x".repeat(TAIL),
            "the end is kept all the same"
        );
        let text = String::from_utf8(log).expect("text");
        assert_eq!(text.matches(TOO_FAST).count(), 1);
        let kept = text.matches('x').count();
        assert!((500_000..530_000).contains(&kept), "{kept}");
    }
}
