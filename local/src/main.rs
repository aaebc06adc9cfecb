//! Owns the dispatch on the name under which this executable is called, and the life of the stack
//! from start to Ctrl-C.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use casting_boot::{SystemClock, SystemEntropy};
use casting_core::deployment::FirstLimits;
use casting_core::session::SWEEP_INTERVAL_SECONDS;
use casting_core::urls;
use casting_gate::server::raise_open_files_limit;
use casting_local::browser_app::packages::install_line;
use casting_local::configuration;
use casting_local::confine::{self, Level};
use casting_local::ecs::supervisor;
use casting_local::options::{Command, Options};
use casting_local::seed;
use casting_local::stack::{
    BROWSER_APP, CONTAINER_APP, DEMO_APP, GATE, STREAMED_BROWSER_APP, STREAMED_DESKTOP_APP, Stack,
    StackSettings, TaskKind,
};
use casting_local::streamed_app;
use clap::Parser;
use nix::sys::stat::{Mode, umask};
use tokio::signal::unix::{SignalKind, signal};

/// The live sessions that a new stack allows: each is some processes of this machine.
const MAX_SESSIONS: u32 = 50;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let name = arguments
        .first()
        .map(Path::new)
        .and_then(Path::file_name)
        .and_then(|name| name.to_str())
        .unwrap_or_default()
        .to_owned();
    match name.as_str() {
        supervisor::NAME => {
            supervisor::run(arguments.into_iter().skip(1).collect::<Vec<OsString>>())
        }
        GATE => casting_gate::cli::main_from(arguments),
        DEMO_APP => casting_local::demo_app::main_from(arguments),
        CONTAINER_APP => casting_local::container_app::main_from(arguments),
        confine::NAME => confine::main_from(arguments),
        BROWSER_APP => casting_local::browser_app::main_from(arguments),
        STREAMED_BROWSER_APP => streamed_app::main_from(streamed_app::Kind::Browser, arguments),
        STREAMED_DESKTOP_APP => streamed_app::main_from(streamed_app::Kind::Desktop, arguments),
        _ => run(Options::parse()),
    }
}

fn run(options: Options) -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::new(&options.log);
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let outcome = match &options.command {
        Some(Command::Doctor(doctor)) => runtime.block_on(casting_local::doctor::run(doctor)),
        Some(Command::Export(export)) => runtime
            .block_on(configuration::export(export))
            .map(|()| true),
        Some(Command::Apply(apply)) => runtime.block_on(configuration::apply(apply)),
        Some(Command::Import(import)) => configuration::import(import).map(|()| true),
        Some(Command::Schema) => {
            configuration::print_schema();
            Ok(true)
        }
        None => runtime.block_on(serve(options)).map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("{error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
    ExitCode::FAILURE
}

/// The interval of the sweep on one machine: shorter than in a deployment, so that results show
/// soon.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
// Estimates and grace periods count on a sweep at least this often.
const _: () = assert!(SWEEP_EVERY.as_secs() <= SWEEP_INTERVAL_SECONDS);

async fn serve(options: Options) -> Result<()> {
    let settings = StackSettings {
        address: options.address(),
        data: (!options.memory).then(|| options.data.clone()),
        reset: options.reset,
        public_url: options.public_url.clone(),
        session_url: options.session_url.clone(),
        demo_logins: options.demo_logins,
        open_endpoints: false,
        behind_proxy: options.behind_proxy,
        login: options.login(),
        geo_databases: options.geo_database.clone(),
        event_bus: None,
        tasks: TaskKind::Processes {
            executable: std::env::current_exe().context("Cannot find this executable.")?,
            engine: casting_local::options::engine_socket(),
            freedom: options.freedom()?,
        },
        starts_per_second: options.starts_per_second,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy::new()),
        sweep_every: Some(SWEEP_EVERY),
        first_limits: FirstLimits {
            max_sessions: Some(MAX_SESSIONS),
            ..FirstLimits::default()
        },
    };
    // Whatever this process and its sessions make is their owner's alone.
    umask(Mode::from_bits_truncate(0o077));
    raise_open_files_limit();
    // Caught before the greeting says that Ctrl-C stops it.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stack = Stack::start(settings).await?;
    greet(&stack, &options).await;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    // The output may be closed; stopping goes on all the same.
    let _ = writeln!(std::io::stdout(), "\nStopping: ending all sessions.");
    stack.stop().await;
    Ok(())
}

/// How the commands of sessions are held on this machine, in words.
fn confinement_words(stack: &Stack) -> Vec<String> {
    let mut lines: Vec<String> = match stack.confinement {
        Some(Level::Namespaces) => Vec::new(),
        Some(Level::Landlock) => vec![
            "Confinement Landlock: sessions have files of their own, and share this machine's network \
             (ports 80 and 443 alone)"
                .to_owned(),
        ],
        Some(Level::Unconfined) => vec![
            "UNCONFINED  every visitor can do what you can do on this machine: read your files, use your \
             network, run programs"
                .to_owned(),
        ],
        None => vec![
            "No commands This machine cannot confine sessions, so links to commands do not start; \
             --unconfined starts them without confinement"
                .to_owned(),
        ],
    };
    lines.extend(
        stack
            .confinement_faults
            .iter()
            .map(|why| format!("            ({why})")),
    );
    lines
}

/// Where the sessions with video and sound are, or what they need of this machine.
async fn greet_streaming(stack: &Stack) {
    if !stack.streaming_lines.is_empty() {
        println!("  Streaming   for a browser and a desktop with video and sound:");
        for line in &stack.streaming_lines {
            println!("              {line}");
        }
        return;
    }
    let links = [
        (seed::STREAMED_BROWSER_KEY, "Chromium with video and sound"),
        (seed::DESKTOP_KEY, "a small desktop with video and sound"),
    ];
    let mut title = "Streaming";
    for (key, what) in links {
        if let Some(link) = stack.open_link(key).await {
            println!("  {title:<11} {link}\n              {what}");
            title = "";
        }
    }
}

async fn greet(stack: &Stack, options: &Options) {
    let data = if options.memory {
        "in memory only".to_owned()
    } else {
        options.data.display().to_string()
    };
    println!("Session casting is running.\n");
    println!("  Demo link   {}", stack.demo_link());
    println!("              open it in a browser: it starts a session of your own");
    if !stack.missing_packages.is_empty() {
        println!(
            "  Browser     for sessions with Chromium in them: {}",
            install_line(&stack.missing_packages)
        );
    } else if let Some(link) = stack.open_link(seed::BROWSER_KEY).await {
        println!("  Browser     {link}\n              the same with Chromium in it");
    }
    greet_streaming(stack).await;
    for line in confinement_words(stack) {
        println!("  {line}");
    }
    if stack.has_containers {
        println!(
            "  Containers  there is a Docker engine: images run as real containers, but for casting/… and local/…"
        );
    }
    match (&stack.demo_password, &options.oidc_issuer) {
        (_, Some(issuer)) => println!("  Logins      at {issuer}"),
        (Some(password), None) => println!(
            "  Logins      Bob, without a password; Ann, an administrator, with {password}"
        ),
        (None, None) => println!(
            "  Logins      none, because other machines may reach this stack: --oidc-issuer names a\n              provider, --demo-logins lets the two demo users in"
        ),
    }
    println!(
        "  Console     {}{}#{}",
        stack.url,
        urls::CONSOLE_SIGN_IN,
        stack.admin_key
    );
    println!("              signs you in; anyone with this link has admin rights");
    println!("  Admin key   {}", stack.admin_key);
    println!("  Data        {data}");
    if options.public_url.is_some() || options.session_url.is_some() {
        println!("  Sessions    {}", stack.session_url);
        println!("              every name of this form must lead to this machine");
    }
    println!();
    println!("Press Ctrl-C to stop; every session ends with it.");
}
