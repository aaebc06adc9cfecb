//! Owns the visitors who get a session, use it, and leave in one of the ways there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use casting_tests::inside::Inside;
use casting_tests::processes::with_environment;
use futures_util::{SinkExt, StreamExt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::linger;
use crate::phone::{Given, Lost, Phone};
use crate::world::{LONG, SHORT, Tally, World};

/// How long a message through a session may take.
const HEARD_WITHIN: Duration = Duration::from_secs(60);
/// How long a session whose process was killed, or whose minute is over, may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(180);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How a visitor leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    /// Ends the session.
    End,
    /// Closes the window.
    Close,
    /// Stays until the time is up.
    Stay,
    /// Sees the session's process of this name being killed.
    Killed(&'static str),
}

impl Leave {
    fn draw(rng: &mut fastrand::Rng) -> Self {
        match rng.usize(..10) {
            0..4 => Self::End,
            4..7 => Self::Close,
            7 => Self::Stay,
            8 => Self::Killed("demo-app"),
            _ => Self::Killed("gate"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::End => "ended by its owner",
            Self::Close => "closed",
            Self::Stay => "stayed to the time limit",
            Self::Killed("gate") => "gate killed",
            Self::Killed(_) => "app killed",
        }
    }
}

/// A visitor's address; no two are likely to be the same.
pub fn address(rng: &mut fastrand::Rng) -> String {
    format!("10.{}.{}.{}", rng.u8(..), rng.u8(..), rng.u8(1..))
}

/// Visitors, one after the other, until it is over.
pub async fn come(world: Arc<World>, mut rng: fastrand::Rng, over: Arc<AtomicBool>) {
    let mut staying = tokio::task::JoinSet::new();
    while !over.load(Ordering::Relaxed) {
        let way = Leave::draw(&mut rng);
        let visitor = visit(world.clone(), rng.fork(), way);
        if way == Leave::Stay {
            staying.spawn(visitor);
        } else {
            visitor.await;
        }
        while staying.try_join_next().is_some() {}
        linger(&mut rng, 2.0).await;
    }
    while staying.join_next().await.is_some() {}
}

async fn visit(world: Arc<World>, mut rng: fastrand::Rng, way: Leave) {
    match try_visit(&world, &mut rng, way).await {
        Ok(()) => world.tally.leave(way.name()),
        Err(Lost::Outage) => Tally::count(&world.tally.cut),
        Err(Lost::Refused(status, code)) => {
            world
                .tally
                .surprise(format!("a steady visitor was refused: {status} {code}"));
        }
        Err(Lost::Failed) => {}
    }
}

async fn try_visit(world: &World, rng: &mut fastrand::Rng, way: Leave) -> Result<(), Lost> {
    let link = if way == Leave::Stay { SHORT } else { LONG };
    let phone = Phone::new(world, address(rng)).map_err(|_| Lost::Failed)?;
    let ticket = phone.open(link).await?;
    let session = phone.claim(link, &ticket).await?;
    let entrance = phone.ready(&session).await?;
    let inside = phone.enter(&session, &entrance).await?;
    Tally::count(&world.tally.served);
    for _ in 0..rng.usize(..4) {
        linger(rng, 1.0).await;
        phone.look(&session, &inside).await?;
    }
    let talked = timeout(HEARD_WITHIN, talk(world, &inside, rng)).await;
    let talked = talked.unwrap_or_else(|_| Err(anyhow::anyhow!("nothing is heard")));
    let mut socket = talked.map_err(|error| phone.cut_short(&error))?;
    linger(rng, 2.0).await;
    match way {
        Leave::End => phone.end(&session).await?,
        Leave::Close => {
            // A visitor who closes the window does not wait for the server's answer.
            let _ = socket.close(None).await;
        }
        Leave::Stay => {
            let _ = timeout(ENDS_WITHIN, async {
                while let Some(Ok(_)) = socket.next().await {}
            })
            .await;
            ends(&phone, &session, "time-limit").await?;
        }
        Leave::Killed(name) => {
            if let Some(process) = process(&session, name) {
                let _ = kill(process, Signal::SIGKILL);
                ends(&phone, &session, "task-stopped").await?;
            } else {
                return Err(phone.surprise(format!("{} has no process {name}", session.id)));
            }
        }
    }
    Ok(())
}

/// Opens the app's WebSocket, writes something, and hears of it.
async fn talk(world: &World, inside: &Inside, rng: &mut fastrand::Rng) -> anyhow::Result<Socket> {
    let app = &inside.app;
    let mut request = format!("ws://{}/ws", world.address).into_client_request()?;
    for (name, value) in [
        ("host", app.host.clone()),
        ("cookie", app.cookie.clone()),
        ("origin", format!("http://{}", app.host)),
    ] {
        request.headers_mut().insert(name, value.parse()?);
    }
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    let word: String = (0..200).map(|_| rng.lowercase()).collect();
    let edit = json!({"base": 0, "text": word}).to_string();
    socket.send(Message::text(edit)).await?;
    while let Some(message) = socket.next().await {
        if message?.to_text().is_ok_and(|text| text.contains(&word)) {
            return Ok(socket);
        }
    }
    anyhow::bail!("the WebSocket closed before the text came back")
}

/// The session's process whose command line has this word first.
fn process(session: &Given, word: &str) -> Option<Pid> {
    let is_it = |id: &u32| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let first = line.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(first).ends_with(word)
    };
    let id = with_environment(&session.id).into_iter().find(is_it)?;
    Some(Pid::from_raw(i32::try_from(id).ok()?))
}

/// Waits until a session has ended for this reason.
async fn ends(phone: &Phone<'_>, session: &Given, expected: &str) -> Result<(), Lost> {
    let deadline = Instant::now() + ENDS_WITHIN;
    let (mut state, mut reason) = (String::new(), String::new());
    while state != "ended" && Instant::now() < deadline {
        sleep(Duration::from_millis(300)).await;
        (state, reason) = phone.status(session).await?;
    }
    if phone.is_cut_off() {
        return Err(Lost::Outage);
    }
    if state == "ended" && reason == expected {
        return Ok(());
    }
    let what = format!("{} is {state} by {reason}, not {expected}", session.id);
    Err(phone.surprise(what))
}
