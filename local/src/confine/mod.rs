//! Owns the confinement of commands that are sessions on this machine: what such a command sees of
//! files, processes and networks, and the programs that surround it. Must not know casts, tickets
//! or gates.
//!
//! # How a command is confined
//! `confine run -- COMMAND` is what a gate starts as its app. It holds the app's port on this
//! machine, makes new namespaces (users, mounts, processes, network, IPC) and starts `confine init`
//! in them, which is process 1 there: it builds a root folder that has the programs of this
//! machine, read-only, and an empty home; gives up every privilege; passes connections to the app's
//! port on; and starts the command. The only way out is a SOCKS proxy ([`egress`]) that leads to
//! public addresses alone. Where namespaces cannot be had, Landlock holds files and TCP ports
//! instead ([`Level::Landlock`]).
//!
//! # Layout
//! - [`plan`]: the settings of the programs, and the levels; [`reach`]: addresses that an
//!   administrator opens
//! - `outer`: `confine run`; `init`: process 1 of a session; `inside`: commands that are run later
//! - `namespaces`, `root`, `rights`: the steps to the confinement; `landlock`: the other way
//! - [`egress`]: the SOCKS proxy, which the task's supervisor serves; [`probe`]: what this machine
//!   can do

use std::ffi::OsString;
use std::process::ExitCode;

pub mod egress;
mod init;
mod inside;
mod landlock;
mod namespaces;
mod outer;
pub mod plan;
pub mod probe;
pub mod reach;
mod rights;
mod root;

pub use plan::{Confinement, Level, Plan};

/// The name under which the stack's own executable confines a command.
pub const NAME: &str = "confine";
/// The argument that starts a command.
pub const RUN: &str = "run";
/// The argument that runs a command in a session that runs already.
pub const EXEC: &str = "exec";
/// The argument of process 1 of a session.
const INIT: &str = "init";

/// Runs `confine run|init|exec …` and gives the command's exit code.
pub fn main_from(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().skip(1).collect();
    let ended = Plan::from_environment().and_then(|plan| {
        let (verb, rest) = arguments
            .split_first()
            .ok_or_else(|| anyhow::anyhow!("it needs a verb: run, init or exec"))?;
        match verb.to_str() {
            Some(RUN) => outer::run(&plan, command(rest)),
            Some(INIT) => init::run(&plan, command(rest)),
            Some(EXEC) => inside::ask(&plan, rest),
            _ => anyhow::bail!("{} is no verb of it", verb.display()),
        }
    });
    match ended {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(error) => {
            eprintln!("confine: {error:#}");
            // What a shell says of a command that cannot be run.
            ExitCode::from(126)
        }
    }
}

/// What stands behind the two dashes.
fn command(arguments: &[OsString]) -> &[OsString] {
    match arguments.split_first() {
        Some((first, rest)) if first == "--" => rest,
        _ => arguments,
    }
}
