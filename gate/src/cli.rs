//! Owns the command line: `gate run [-- command…]`, `gate edge` and `gate install`. Must not know
//! what the first two do.

use std::ffi::OsString;
use std::fs::Permissions;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

use crate::settings::{EdgeServer, GateSettings};
use crate::{edge, run};

/// Exit code for wrong settings and faults of the gate; the app's own codes are passed on.
const BROKEN: u8 = 2;

/// The default log filter.
const LOG: &str = "info";

/// The data plane of session casting.
#[derive(Parser)]
#[command(name = "gate", version)]
struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Start a session's app and stand in front of it.
    Run {
        /// The app's command and its arguments; without one, the gate waits for an app that
        /// something else starts.
        #[arg(last = true)]
        command: Vec<OsString>,
    },
    /// Route visitors to the gates of their sessions.
    Edge,
    /// Copy this program into a folder, for containers that are to run it.
    Install {
        /// The folder.
        folder: PathBuf,
        /// Further folders, such as a volume for /dev/shm, in which every user may then create
        /// files.
        #[arg(long)]
        open: Vec<PathBuf>,
    },
}

/// Runs the program with these arguments (the first is its name) until it ends; the exit code is
/// the app's for `run`.
pub fn main_from(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let options = match Options::try_parse_from(arguments) {
        Ok(options) => options,
        Err(question) => question.exit(),
    };
    // A second call in the same process keeps the first subscriber, which is as good.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(LOG))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
    match options.verb {
        // Connections are served by threads that never wake each other (`workers`). Archives are
        // packed on threads of their own.
        Verb::Run { command } => answer(Builder::new_current_thread(), async move {
            // From here on processes of the same user cannot read this process's memory or
            // environment, and no core dump of it is written.
            nix::sys::prctl::set_dumpable(false)
                .context("the gate's memory cannot be closed to others")?;
            run::run(
                GateSettings::from_environment(command.is_empty())?,
                &command,
            )
            .await
        }),
        Verb::Install { folder, open } => answer(Builder::new_current_thread(), async move {
            for folder in &open {
                // As /tmp is: users cannot remove each other's files.
                let everybodys = Permissions::from_mode(0o1777);
                std::fs::set_permissions(folder, everybodys)
                    .with_context(|| format!("cannot open {}", folder.display()))?;
            }
            install(&folder).map(|()| 0)
        }),
        Verb::Edge => answer(Builder::new_multi_thread(), async move {
            edge::serve(EdgeServer::from_environment()?).await?;
            Ok(0)
        }),
    }
}

/// The copy appears complete or not at all.
fn install(folder: &Path) -> anyhow::Result<()> {
    let (here, whole, part) = (
        std::env::current_exe()?,
        folder.join("gate"),
        folder.join(".gate"),
    );
    std::fs::copy(here, &part).with_context(|| format!("cannot write to {}", folder.display()))?;
    std::fs::rename(&part, &whole).with_context(|| format!("cannot write to {}", whole.display()))
}

fn answer(mut runtime: Builder, work: impl Future<Output = anyhow::Result<u8>>) -> ExitCode {
    let ended = runtime
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(work));
    ended.map_or_else(
        |error| {
            eprintln!("gate: {error:#}");
            ExitCode::from(BROKEN)
        },
        ExitCode::from,
    )
}
