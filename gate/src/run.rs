//! Owns the life cycle of a gate: listens, starts the app, reports that it is ready, and ends with
//! it. Must not know how requests are judged.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use casting_protocol::excerpt::Speaker;
use casting_protocol::report::GateEndReason;
use casting_protocol::session_options::Assignment;
use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::admission::Admission;
use crate::app::{self, App};
use crate::cpu;
use crate::credentials;
use crate::entries::Entries;
use crate::exec;
use crate::handler::{self, Gate};
use crate::profile::ProfileSync;
use crate::proxy::{Proxy, Target};
use crate::report::{self, ReportReply, Reporter};
use crate::selkies_roles::{Roster, master_token};
use crate::session_state::{Ending, SessionState};
use crate::settings::GateSettings;
use crate::workers::{self, Workers};
use crate::{bootstrap, limits, server};

/// Exit code of a shell for a command that cannot be run.
const NOT_RUN: i32 = 127;
/// Exit code of a gate that got no secret.
const NO_SECRET: u8 = 4;
/// Exit code of a gate that could not restore the user's files.
const NOT_RESTORED: u8 = 3;
/// Timeout of the final report.
const FINAL_REPORT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long connections stay open for visitors to learn that the session is over.
const CLOSE_GRACE: Duration = Duration::from_millis(200);
/// How long the app keeps running at most, when its machine is reclaimed and there are files to
/// save.
const RECLAIM_BEFORE_SAVING: Duration = Duration::from_secs(40);
/// The shortest interval between two polls of the control plane, however often a refresh is
/// requested.
const SHORTEST_POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The interval between two polls of the control plane.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Runs the gate in front of `command` until its app ends or must end, and returns the app's exit
/// code.
///
/// # Errors
/// When the address is in use, or the machine has no free port for the app. An app that cannot be
/// started is no error, but exit code 127.
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
    // Signals are caught before the app starts, so that none is missed.
    let mut signals = Signals::catch()?;
    let client = report::client_for_reports()?;
    let token = &settings.bootstrap_token;
    // First of all: nothing else in this container may use the token before.
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
    let profile = match restore(&settings, command, &reporter, &mut signals).await {
        Ok(profile) => profile,
        Err(code) => return Ok(code),
    };
    let state = Arc::new(SessionState::new(settings.clipboard).allowing(settings.media));
    let threads = workers::count();
    let connections = server::Connections::on(
        Workers::start(threads).context("the gate's threads cannot be started")?,
        server::Limits {
            pending_per_peer: limits::PENDING_PER_PEER_OF_GATE,
            ..server::Limits::default()
        },
    );
    let proxy = Proxy::on(threads);
    let master_token = settings.is_selkies.then(|| master_token(&secret));
    let started = App::start(command, app_port, master_token.as_deref(), &state.log);
    tracing::info!(session.id = %settings.session, port, app_port, "The gate listens");
    let mut said = None;
    let (code, because, was_ready) = match started {
        Ok(app) => {
            let tail = app.tail();
            let route = proxy.to(Target::loopback(app_port)
                .context("the app's port makes no address")?
                .over_https(settings.app_https));
            let roster = settings
                .is_selkies
                .then(|| Arc::new(Roster::new(route.clone(), secret.clone())));
            let sound = settings.sound_port.filter(|_| settings.media.audio);
            let sound = sound
                .and_then(Target::loopback)
                .map(|target| proxy.to(target.over_https(settings.app_https)));
            let gate = Gate {
                session: settings.session.clone(),
                secret: secret.clone(),
                admission: Admission::new(settings.session.clone(), secret.clone()),
                entries: Entries::default(),
                app: route,
                sound,
                devtools: settings.devtools.clone(),
                roster: roster.clone(),
                app_login: settings
                    .app_login
                    .as_ref()
                    .and_then(|(user, password)| credentials::basic(user, password)),
                downloads: settings.downloads,
                files_path: settings.files_path.clone(),
                keeps_files: settings.profile.is_some(),
                state: state.clone(),
                reporter: reporter.clone(),
                clock: settings.clock.clone(),
            };
            let watched = tokio::select! {
                watched = watch(app, signals, &settings, &reporter, &state, [port, app_port]) => watched,
                never = connections.serve(listener, handler::router(gate)) => match never {},
                never = follow(roster.as_deref(), &state) => match never {},
            };
            // An app that was ready and ended well needs no explanation.
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
        let _ = tokio::time::timeout(FINAL_REPORT_TIMEOUT, reporter.ended(Some(code), None, said))
            .await;
    }
    tracing::info!(session.id = %settings.session, code, "The app has ended");
    match profile {
        // Only now has the app written everything.
        Some(profile) if was_ready => profile.save().await,
        // A session that was never used has changed nothing.
        Some(_) | None => {}
    }
    Ok(u8::try_from(code).unwrap_or(1))
}

/// Tells a streaming server of what changes; never ends.
async fn follow(roster: Option<&Roster>, state: &SessionState) -> Infallible {
    match roster {
        Some(roster) => roster.follow(state).await,
        None => std::future::pending().await,
    }
}

/// Exit code of a program that a signal has ended.
fn ended_by(signal: Signal) -> u8 {
    u8::try_from(128 + signal as i32).unwrap_or(1)
}

/// Restores the user's files, if the session has any. Returns the exit code if the app must not
/// start.
async fn restore(
    settings: &GateSettings,
    command: &[OsString],
    reporter: &Arc<Reporter>,
    signals: &mut Signals,
) -> Result<Option<ProfileSync>, u8> {
    let Some(folder) = &settings.profile else {
        return Ok(None);
    };
    let restored = async {
        if command.is_empty() {
            anyhow::bail!(
                "there is no command: the app may have started already, without its files"
            );
        }
        ProfileSync::restore(folder, reporter.clone()).await
    };
    let error = tokio::select! {
        restored = restored => match restored {
            Ok(profile) => return Ok(Some(profile)),
            Err(error) => error,
        },
        signal = signals.next() => return Err(ended_by(signal)),
    };
    tracing::error!(
        error = format!("{error:#}"),
        "The user's files could not be brought back, so the app is not started"
    );
    let _ = timeout(
        FINAL_REPORT_TIMEOUT,
        reporter.ended(None, Some(GateEndReason::ProfileNotRestored), None),
    )
    .await;
    Err(NOT_RESTORED)
}

/// Supervises the app until it ends, its end is requested, the control plane no longer knows it, or
/// a limit of the session is reached. Returns its exit code, why the gate ended it if it did, and
/// whether it was ever ready; by then the control plane has the final report.
async fn watch(
    mut app: App,
    mut signals: Signals,
    settings: &GateSettings,
    reporter: &Arc<Reporter>,
    state: &Arc<SessionState>,
    ports: [u16; 2],
) -> (i32, Option<GateEndReason>, bool) {
    let was_ready = AtomicBool::new(false);
    let (code, because) = supervise(
        &mut app,
        &mut signals,
        settings,
        reporter,
        state,
        ports,
        &was_ready,
    )
    .await;
    (code, because, was_ready.into_inner())
}

async fn supervise(
    app: &mut App,
    signals: &mut Signals,
    settings: &GateSettings,
    reporter: &Arc<Reporter>,
    state: &Arc<SessionState>,
    [port, app_port]: [u16; 2],
    was_ready: &AtomicBool,
) -> (i32, Option<GateEndReason>) {
    let serving = async {
        app::answers(app_port, settings.app_https).await;
        let time_is_up = Instant::now() + settings.time_limit;
        let mut keepalive = settings.keepalive;
        match reporter.ready(port).await {
            ReportReply::Active(directives) => state.follow(*directives),
            ReportReply::Over => {
                tracing::info!("The control plane says that the session is over");
                return None;
            }
        }
        tracing::info!(session.id = %settings.session, "The app is ready");
        was_ready.store(true, Ordering::Relaxed);
        state.set_end(time_is_up);
        state.presence.note();
        state.presence.touch();
        if let Some(first) = state.directives().options.exec.first_launch {
            exec::start(
                Speaker::FirstLaunch,
                first,
                app_port,
                BTreeMap::new(),
                state.log.clone(),
                reporter.clone(),
            );
        }
        if !state.is_open() {
            tracing::info!(session.id = %settings.session,
                "It was started ahead, and waits for its visitor");
            tokio::select! {
                () = state.opened() => {}
                () = sleep_until(time_is_up) => return Some(GateEndReason::TimeLimit),
                () = poll_until_over(reporter, state) => return None,
            }
        }
        if let Some(assignment) = state.directives().assignment {
            keepalive = begin(state, assignment, app_port, reporter);
        }
        tokio::select! {
            () = state.time_is_up() => Some(GateEndReason::TimeLimit),
            because = visitors_gone(state, keepalive) => Some(because),
            () = idle_timeout(state) => Some(GateEndReason::Idle),
            () = cpu::limit_reached(settings.task_metadata.as_deref(), state) => Some(GateEndReason::UnattendedCpu),
            () = state.end_asked() => Some(GateEndReason::Owner),
            () = poll_until_over(reporter, state) => None,
        }
    };
    let (signal, because) = tokio::select! {
        code = app.ended() => return (code, None),
        because = serving => (Signal::SIGTERM, because),
        signal = signals.next() => tokio::select! {
            code = app.ended() => return (code, None),
            because = reclaimed(settings, reporter, state) => (signal, because),
        },
    };
    if let Some(cause) = because {
        tracing::info!(?cause, "The session ends");
        // First the control plane, then the visitors, then the app: so the reason is there when it
        // is asked for.
        let _ = timeout(FINAL_REPORT_TIMEOUT, reporter.ended(None, because, None)).await;
        state.close(cause);
    } else {
        state.end(Ending::Elsewhere);
    }
    sleep(CLOSE_GRACE).await;
    (app.stop(signal, settings.stop_grace).await, because)
}

/// Starts the limits of a session that was started in advance and now has its visitor, and informs
/// the app. Returns how long it may go without a browser.
fn begin(
    state: &SessionState,
    assignment: Assignment,
    app_port: u16,
    reporter: &Arc<Reporter>,
) -> Option<Duration> {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    tracing::info!("It has its visitor");
    state.set_end(Instant::now() + seconds(assignment.time_limit_seconds));
    state.presence.note();
    state.presence.touch();
    if let Some(exec) = state.directives().options.exec.assign {
        exec::start(
            Speaker::Assign,
            exec,
            app_port,
            assignment.environment,
            state.log.clone(),
            reporter.clone(),
        );
    }
    Some(seconds(assignment.keepalive_seconds))
}

/// Waits until no visitor was connected for `keepalive`, or none entered in time. Returns which
/// of the two.
async fn visitors_gone(state: &SessionState, keepalive: Option<Duration>) -> GateEndReason {
    let left = async {
        match keepalive {
            Some(limit) => state.presence.nobody_for(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = left => {}
        () = entry_timeout(state) => {}
    }
    // A control plane that sets no such limit does not know the reason either.
    if state.presence.is_entered() || state.directives().entry_timeout_seconds.is_none() {
        GateEndReason::Abandoned
    } else {
        GateEndReason::NotEntered
    }
}

/// Waits until the entry timeout of the directives has passed without a visitor; the timeout may
/// change meanwhile.
async fn entry_timeout(state: &SessionState) {
    let (began, mut changes) = (Instant::now(), state.changes());
    loop {
        let limit = state
            .directives()
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
                if state.presence.is_entered() {
                    std::future::pending::<()>().await;
                }
                return;
            }
            _ = changes.changed() => {}
        }
    }
}

/// Waits for the idle timeout of the directives, which may change meanwhile.
async fn idle_timeout(state: &SessionState) {
    let mut changes = state.changes();
    loop {
        let limit = state
            .directives()
            .idle_seconds
            .map(|seconds| Duration::from_secs(seconds.into()));
        let untouched = async {
            match limit {
                Some(limit) => state.presence.untouched(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = untouched => return,
            _ = changes.changed() => {}
        }
    }
}

/// Polls the control plane, regularly and on request, until it says that the session is over.
async fn poll_until_over(reporter: &Reporter, state: &SessionState) {
    loop {
        // Several requests in a short time lead to one poll.
        sleep(SHORTEST_POLL_INTERVAL).await;
        tokio::select! {
            () = sleep(HEARTBEAT - SHORTEST_POLL_INTERVAL) => {}
            () = state.refresh_asked() => {}
        }
        match reporter.alive().await {
            Some(ReportReply::Over) => {
                tracing::info!("The control plane says that the session is over");
                return;
            }
            Some(ReportReply::Active(directives)) => state.follow(*directives),
            None => {}
        }
    }
}

/// Handles a signal to end. Unless the control plane has ended the session, the machine is being
/// reclaimed: visitors are warned and have a little time.
async fn reclaimed(
    settings: &GateSettings,
    reporter: &Reporter,
    state: &Arc<SessionState>,
) -> Option<GateEndReason> {
    // Saving files needs the rest of the time.
    let left = settings.reclaim?.min(if settings.profile.is_some() {
        RECLAIM_BEFORE_SAVING
    } else {
        Duration::MAX
    });
    let Ok(Some(ReportReply::Active(_))) = timeout(FINAL_REPORT_TIMEOUT, reporter.alive()).await
    else {
        return None;
    };
    tracing::warn!(
        seconds = left.as_secs(),
        "The machine is taken back; the app lives on for a little while"
    );
    state.set_reclaimed(Instant::now() + left);
    tokio::select! {
        () = sleep(left) => Some(GateEndReason::Reclaimed),
        () = state.end_asked() => Some(GateEndReason::Owner),
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
