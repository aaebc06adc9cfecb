//! Owns what this machine can do to confine commands: each level is tried once, as a session would
//! use it. Must not confine this process.

use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Level, NAME, Plan, RUN, plan};

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The best level that works; `None`: neither does.
    pub level: Option<Level>,
    /// Why better ones do not, a sentence each.
    pub reasons: Vec<String>,
}

/// Tries the levels, best first, with this executable (which must be `casting`) and a folder of its
/// own below `folder`.
pub fn find(executable: &Path, folder: &Path, own_users: bool) -> Found {
    let mut reasons = Vec::new();
    for level in [Level::Namespaces, Level::Landlock] {
        match try_level(executable, folder, level, own_users) {
            Ok(()) => {
                return Found {
                    level: Some(level),
                    reasons,
                };
            }
            Err(why) => reasons.push(why),
        }
    }
    Found {
        level: None,
        reasons,
    }
}

fn try_level(
    executable: &Path,
    folder: &Path,
    level: Level,
    own_users: bool,
) -> Result<(), String> {
    let folder = folder.join("probe");
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.map_err(|error| format!("{} cannot be made: {error}.", folder.display()))?;
    let plan = Plan {
        level,
        folder: folder.clone(),
        profile: None,
        scratch_mib: 1,
        shown: Vec::new(),
        reach: Vec::new(),
        user: (own_users && level == Level::Namespaces).then_some(plan::FIRST_USER),
    };
    let text = serde_json::to_string(&plan).map_err(|error| error.to_string())?;
    let output = Command::new(executable)
        .arg0(NAME)
        .args([RUN, "--", "/bin/sh", "-c", "exec 3>\"$HOME/here\""])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env(plan::VARIABLE, text)
        .stdin(Stdio::null())
        .output();
    let _ = std::fs::remove_dir_all(&folder);
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or("it said nothing");
            Err(last.trim_start_matches("confine: ").to_owned())
        }
        Err(error) => Err(format!("{} cannot be run: {error}", executable.display())),
    }
}
