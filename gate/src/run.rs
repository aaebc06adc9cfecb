//! Owns the life of a gate: opens the door, starts the app, says when it is ready, and ends with it. Must not know how requests are judged.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use casting_protocol::excerpt::Speaker;
use casting_protocol::report::Cause;
use casting_protocol::viewing::Assigned;
use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::admission::Admission;
use crate::app::{self, App};
use crate::credentials;
use crate::entries::Entries;
use crate::exec;
use crate::front::{self, Front};
use crate::profile::Keeper;
use crate::proxy::{Proxy, Target};
use crate::report::{self, Heard, Reporter};
use crate::room::{Ending, Room};
use crate::selkies_roles::{Roster, master_token};
use crate::settings::GateSettings;
use crate::{bootstrap, limits, server};

/// What a shell exits with when a command cannot be run.
const NOT_RUN: i32 = 127;
/// What a gate exits with that was given no secret.
const NO_SECRET: u8 = 4;
/// What a gate exits with that could not bring the user's files back.
const NOT_RESTORED: u8 = 3;
/// How long the report of the end may take.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long visitors have to hear that the session is over, before the connection is gone with it.
const FAREWELL: Duration = Duration::from_millis(200);
/// How long the app may live on at most when the machine is taken back and there are files to be saved.
const RECLAIM_BEFORE_SAVING: Duration = Duration::from_secs(40);
/// How long the control plane is left alone after each question, however often the gate is made to
/// ask.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(500);
/// How often the control plane is asked what holds.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Runs the gate in front of `command` until its app ends or has to end, and gives the app's exit code.
///
/// # Errors
/// When there is no door to open: the address is taken, or the machine has no port for the app. An app that cannot be started is no error, but
/// exit code 127.
pub async fn run(settings: GateSettings, command: &[OsString]) -> anyhow::Result<u8> {
    let listener = server::listen(settings.listen)
        .with_context(|| format!("the gate cannot listen on {}", settings.listen))?;
    let port = listener.local_addr()?.port();
    let app_port = match settings.app_port {
        Some(port) => port,
        None => app::free_port()
            .await
            .context("there is no free port for the app")?,
    };
    // Signals are caught before there is an app that could miss them.
    let mut signals = Signals::catch()?;
    let client = report::client_for_reports()?;
    let token = &settings.bootstrap_token;
    // Before anything else runs in this container, which could bring the token first.
    let exchanged = tokio::select! {
        exchanged = bootstrap::exchange(&client, &settings.report_url, &settings.session, token) => exchanged,
        signal = signals.next() => return Ok(ended_by(signal)),
    };
    let secret = match exchanged {
        Ok(secret) => secret,
        Err(error) => {
            tracing::error!(%error, "The gate has no secret, so the app is not started");
            return Ok(NO_SECRET);
        }
    };
    let reporter = Arc::new(Reporter::over(
        client,
        &settings.report_url,
        &settings.session,
        &secret,
    ));
    let keeper = match restore(&settings, command, &reporter, &mut signals).await {
        Ok(keeper) => keeper,
        Err(code) => return Ok(code),
    };
    let room = Arc::new(Room::new(settings.clipboard).allowing(settings.media));
    let connections = server::Connections::new(server::Limits {
        pending_per_peer: limits::PENDING_PER_PEER_OF_GATE,
        ..server::Limits::default()
    });
    let master_token = settings.is_selkies.then(|| master_token(&secret));
    let started = App::start(command, app_port, master_token.as_deref(), &room.log);
    tracing::info!(session.id = %settings.session, port, app_port, "The gate listens");
    let mut said = None;
    let (code, because, was_ready) = match started {
        Ok(app) => {
            let tail = app.tail();
            let route = Proxy::default().to(Target::loopback(app_port)
                .context("the app's port makes no address")?
                .over_https(settings.app_https));
            let roster = settings
                .is_selkies
                .then(|| Arc::new(Roster::new(route.clone(), secret.clone())));
            let front = Front {
                session: settings.session.clone(),
                secret: secret.clone(),
                admission: Admission::new(settings.session.clone(), secret.clone()),
                entries: Entries::default(),
                app: route,
                roster: roster.clone(),
                app_login: settings
                    .app_login
                    .as_ref()
                    .and_then(|(user, password)| credentials::basic(user, password)),
                downloads: settings.downloads,
                keeps_files: settings.profile.is_some(),
                room: room.clone(),
                reporter: reporter.clone(),
                clock: settings.clock.clone(),
            };
            let watched = tokio::select! {
                watched = watch(app, signals, &settings, &reporter, &room, [port, app_port]) => watched,
                never = connections.serve(listener, front::router(front)) => match never {},
                never = follow(roster.as_deref(), &room) => match never {},
            };
            // An app that was there and ends well needs no explanation.
            if watched.0 != 0 || !watched.2 {
                said = Some(tail.text(&settings.secrets(&secret))).filter(|said| !said.is_empty());
            }
            watched
        }
        Err(error) => {
            tracing::error!(%error, "The app's command could not be run");
            let program = command.first().map(|program| program.to_string_lossy());
            said = Some(format!("{}: {error}", program.unwrap_or_default()));
            (NOT_RUN, None, false)
        }
    };
    if because.is_none() {
        let _ = tokio::time::timeout(LAST_WORDS, reporter.ended(Some(code), None, said)).await;
    }
    tracing::info!(session.id = %settings.session, code, "The app has ended");
    match keeper {
        // Only now: whatever the app still had to write, it has written.
        Some(keeper) if was_ready => keeper.save().await,
        // What nobody has used is as it was.
        Some(_) | None => {}
    }
    Ok(u8::try_from(code).unwrap_or(1))
}

/// Tells a streaming server of what changes; never ends.
async fn follow(roster: Option<&Roster>, room: &Room) -> Infallible {
    match roster {
        Some(roster) => roster.follow(room).await,
        None => std::future::pending().await,
    }
}

/// What a program exits with that a signal has ended.
fn ended_by(signal: Signal) -> u8 {
    u8::try_from(128 + signal as i32).unwrap_or(1)
}

/// Brings the user's files back, where the session has some; gives the exit code when it must not start.
async fn restore(
    settings: &GateSettings,
    command: &[OsString],
    reporter: &Arc<Reporter>,
    signals: &mut Signals,
) -> Result<Option<Keeper>, u8> {
    let Some(folder) = &settings.profile else {
        return Ok(None);
    };
    let restored = async {
        if command.is_empty() {
            anyhow::bail!(
                "there is no command: the app may have started already, without its files"
            );
        }
        Keeper::restore(folder, reporter.clone()).await
    };
    let error = tokio::select! {
        restored = restored => match restored {
            Ok(keeper) => return Ok(Some(keeper)),
            Err(error) => error,
        },
        signal = signals.next() => return Err(ended_by(signal)),
    };
    tracing::error!(
        error = format!("{error:#}"),
        "The user's files could not be brought back, so the app is not started"
    );
    let _ = timeout(
        LAST_WORDS,
        reporter.ended(None, Some(Cause::ProfileNotRestored), None),
    )
    .await;
    Err(NOT_RESTORED)
}

/// Sees the app through: until it ends, somebody asks for its end, the control plane knows it no more, or one of the session's limits is reached.
/// Gives its exit code, why the gate ended it if it did, and whether visitors could come; the control plane has been told of all that by then.
async fn watch(
    mut app: App,
    mut signals: Signals,
    settings: &GateSettings,
    reporter: &Arc<Reporter>,
    room: &Arc<Room>,
    ports: [u16; 2],
) -> (i32, Option<Cause>, bool) {
    let was_ready = AtomicBool::new(false);
    let (code, because) = see_through(
        &mut app,
        &mut signals,
        settings,
        reporter,
        room,
        ports,
        &was_ready,
    )
    .await;
    (code, because, was_ready.into_inner())
}

async fn see_through(
    app: &mut App,
    signals: &mut Signals,
    settings: &GateSettings,
    reporter: &Arc<Reporter>,
    room: &Arc<Room>,
    [port, app_port]: [u16; 2],
    was_ready: &AtomicBool,
) -> (i32, Option<Cause>) {
    let serving = async {
        app::answers(app_port, settings.app_https).await;
        let mut time_is_up = Instant::now() + settings.time_limit;
        let mut keepalive = settings.keepalive;
        match reporter.ready(port).await {
            Heard::Noted(orders) => room.follow(*orders),
            Heard::Over => {
                tracing::info!("The control plane says that the session is over");
                return None;
            }
        }
        tracing::info!(session.id = %settings.session, "The app is ready");
        was_ready.store(true, Ordering::Relaxed);
        room.set_end(time_is_up);
        room.presence.note();
        room.presence.touch();
        if let Some(first) = room.orders().viewing.exec.first_launch {
            exec::start(
                Speaker::FirstLaunch,
                first,
                app_port,
                BTreeMap::new(),
                room.log.clone(),
                reporter.clone(),
            );
        }
        if !room.is_open() {
            tracing::info!(session.id = %settings.session, "It was started ahead, and waits for its visitor");
            tokio::select! {
                () = room.opened() => {}
                () = sleep_until(time_is_up) => return Some(Cause::TimeLimit),
                () = told_that_it_is_over(reporter, room) => return None,
            }
        }
        if let Some(assigned) = room.orders().assigned {
            (time_is_up, keepalive) = begin(room, assigned, app_port, reporter);
        }
        tokio::select! {
            () = sleep_until(time_is_up) => Some(Cause::TimeLimit),
            because = nobody_there(room, keepalive) => Some(because),
            () = nobody_touches(room) => Some(Cause::Idle),
            () = room.end_asked() => Some(Cause::Owner),
            () = told_that_it_is_over(reporter, room) => None,
        }
    };
    let (signal, because) = tokio::select! {
        code = app.ended() => return (code, None),
        because = serving => (Signal::SIGTERM, because),
        signal = signals.next() => tokio::select! {
            code = app.ended() => return (code, None),
            because = reclaimed(settings, reporter, room) => (signal, because),
        },
    };
    if let Some(cause) = because {
        tracing::info!(?cause, "The session ends");
        // First the ledger, then the visitors, then the app: whoever asks what happened is told by then.
        let _ = timeout(LAST_WORDS, reporter.ended(None, because, None)).await;
        room.close(cause);
    } else {
        room.end(Ending::Elsewhere);
    }
    sleep(FAREWELL).await;
    (app.stop(signal, settings.stop_grace).await, because)
}

/// A session that was started ahead has its visitor: its limits begin to run, and the app is told. Gives when its time is up, and how long it lives
/// without a browser.
fn begin(
    room: &Room,
    assigned: Assigned,
    app_port: u16,
    reporter: &Arc<Reporter>,
) -> (Instant, Option<Duration>) {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let time_is_up = Instant::now() + seconds(assigned.time_limit_seconds);
    tracing::info!("It has its visitor");
    room.set_end(time_is_up);
    room.presence.note();
    room.presence.touch();
    if let Some(exec) = room.orders().viewing.exec.assign {
        exec::start(
            Speaker::Assign,
            exec,
            app_port,
            assigned.environment,
            room.log.clone(),
            reporter.clone(),
        );
    }
    (time_is_up, Some(seconds(assigned.keepalive_seconds)))
}

/// Waits until nobody has been there for `keepalive`, or nobody has entered for as long as the
/// orders say, from now on; gives which of the two it is to be called.
async fn nobody_there(room: &Room, keepalive: Option<Duration>) -> Cause {
    let left = async {
        match keepalive {
            Some(limit) => room.presence.nobody_for(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = left => {}
        () = nobody_enters(room) => {}
    }
    // A control plane that gives no such limit does not know the cause either.
    if room.presence.is_entered() || room.orders().entry_timeout_seconds.is_none() {
        Cause::Abandoned
    } else {
        Cause::NotEntered
    }
}

/// Waits until nobody has ever entered for as long as the orders say, which may change meanwhile.
async fn nobody_enters(room: &Room) {
    let (began, mut changes) = (Instant::now(), room.changes());
    loop {
        let limit = room
            .orders()
            .entry_timeout_seconds
            .map(|seconds| Duration::from_secs(seconds.into()));
        let too_late = async {
            match limit {
                Some(limit) => sleep_until(began + limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = too_late => {
                if room.presence.is_entered() {
                    std::future::pending::<()>().await;
                }
                return;
            }
            _ = changes.changed() => {}
        }
    }
}

/// Waits until nobody has touched the session for as long as its orders say; these may change meanwhile.
async fn nobody_touches(room: &Room) {
    let mut changes = room.changes();
    loop {
        let limit = room
            .orders()
            .idle_seconds
            .map(|seconds| Duration::from_secs(seconds.into()));
        let untouched = async {
            match limit {
                Some(limit) => room.presence.untouched(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = untouched => return,
            _ = changes.changed() => {}
        }
    }
}

/// Asks the control plane what holds, now and then and whenever that has changed, until it says
/// that the session is over.
async fn told_that_it_is_over(reporter: &Reporter, room: &Room) {
    loop {
        // Changes that follow each other are asked for once.
        sleep(BETWEEN_QUESTIONS).await;
        tokio::select! {
            () = sleep(HEARTBEAT - BETWEEN_QUESTIONS) => {}
            () = room.refresh_asked() => {}
        }
        match reporter.alive().await {
            Some(Heard::Over) => {
                tracing::info!("The control plane says that the session is over");
                return;
            }
            Some(Heard::Noted(orders)) => room.follow(*orders),
            None => {}
        }
    }
}

/// Somebody asks this process to end. When that is not the control plane, the machine is taken back: the visitor is told, and has a little time.
async fn reclaimed(
    settings: &GateSettings,
    reporter: &Reporter,
    room: &Arc<Room>,
) -> Option<Cause> {
    // Whoever has files to be saved needs the rest of the time for that.
    let left = settings.reclaim?.min(if settings.profile.is_some() {
        RECLAIM_BEFORE_SAVING
    } else {
        Duration::MAX
    });
    let Ok(Some(Heard::Noted(_))) = timeout(LAST_WORDS, reporter.alive()).await else {
        return None;
    };
    tracing::warn!(
        seconds = left.as_secs(),
        "The machine is taken back; the app lives on for a little while"
    );
    room.set_reclaimed(Instant::now() + left);
    tokio::select! {
        () = sleep(left) => Some(Cause::Reclaimed),
        () = room.end_asked() => Some(Cause::Owner),
    }
}

/// The signals that ask a process to end.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::SIGTERM,
            _ = self.interrupt.recv() => Signal::SIGINT,
        }
    }
}
