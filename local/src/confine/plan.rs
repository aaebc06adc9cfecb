//! Owns the settings of the programs of a confinement, in one variable of their environment, and
//! what of the environment a command gets. Must not confine anything.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use anyhow::Context;
use casting_core::session_environment::{BOOTSTRAP_TOKEN, DEVTOOLS_PORT, DEVTOOLS_SOCKET};
use serde::{Deserialize, Serialize};

use super::reach::Reach;

/// The variable with the plan, as JSON.
pub const VARIABLE: &str = "CASTING_CONFINE";
/// The home folder of every session.
pub(super) const HOME: &str = "/home/session";
/// The socket in the task's folder on which process 1 takes commands.
pub(super) const EXEC_SOCKET: &str = "exec.sock";
/// The socket in the task's folder on which the supervisor serves the proxy.
pub(super) const NET_SOCKET: &str = "net.sock";
/// The socket in the task's folder on which process 1 takes connections to the DevTools of the
/// session's browser.
pub const DEVTOOLS_AT: &str = "devtools.sock";
/// The loopback port in a session at which the proxy is found.
pub const PROXY_PORT: u16 = 1080;
/// The variable with the address of the proxy.
pub const PROXY_VARIABLE: &str = "ALL_PROXY";
/// The folder with the programs of this executable, in a session.
pub(super) const BIN: &str = "/run/casting/bin";

/// The first user id that sessions get where root runs the stack, and how many there are: far from
/// those of people, services and containers.
pub const FIRST_USER: u32 = 0x6000_0000;
/// See [`FIRST_USER`].
pub const USERS: u32 = 0x0fff_ffff;

/// How a command is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Namespaces: files, processes and network of its own.
    Namespaces,
    /// Landlock: files of its own, TCP by port; the network and the process list are the machine's.
    Landlock,
    /// Not at all: an administrator asked for that.
    Unconfined,
}

/// How all commands of a stack are held.
#[derive(Clone, Debug)]
pub struct Confinement {
    /// How.
    pub level: Level,
    /// Folders of this machine that commands may read besides those with its programs.
    pub shown: Vec<PathBuf>,
    /// Folders that only the streamed apps may read: the streaming server's.
    pub streaming: Vec<PathBuf>,
    /// Addresses that are not public and that commands may connect to all the same.
    pub reach: Vec<Reach>,
    /// Whether each session gets a user id of its own, because the stack is run by root.
    pub own_users: bool,
}

/// How one task's command is held.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// How.
    pub level: Level,
    /// The task's own folder on this machine.
    pub folder: PathBuf,
    /// The folder with the user's files, on this machine and as the command sees it; `None`:
    /// nothing is kept.
    pub profile: Option<(PathBuf, PathBuf)>,
    /// How much the session may keep in its files that are not the user's, in MiB.
    pub scratch_mib: u32,
    /// See [`Confinement::shown`].
    pub shown: Vec<PathBuf>,
    /// See [`Confinement::reach`].
    pub reach: Vec<Reach>,
    /// The user and group that the command runs as; `None`: the stack's.
    pub user: Option<u32>,
}

/// What of a session's environment is its gate's business alone.
pub const GATES_OWN: [&str; 7] = [
    BOOTSTRAP_TOKEN,
    DEVTOOLS_SOCKET,
    "CAST_REPORT_URL",
    "CAST_APP_PORT",
    "CAST_GATE_LISTEN",
    "CAST_EXEC_THROUGH",
    VARIABLE,
];

impl Plan {
    /// Reads the environment.
    ///
    /// # Errors
    /// When the variable is missing or holds no plan.
    pub(super) fn from_environment() -> anyhow::Result<Self> {
        let text = variable(VARIABLE)
            .with_context(|| format!("the environment variable {VARIABLE} is not set"))?;
        serde_json::from_str(&text)
            .with_context(|| format!("the environment variable {VARIABLE} must hold a plan"))
    }

    /// The plan of a task, for its supervisor; `None`: the task is not confined.
    pub fn of_supervisor() -> Option<Self> {
        Self::from_environment().ok()
    }

    /// Where the session's home is on this machine; in namespaces it has one that is on no disk.
    pub(super) fn home(&self) -> PathBuf {
        match self.level {
            Level::Namespaces => HOME.into(),
            Level::Landlock | Level::Unconfined => self.folder.join("home"),
        }
    }

    /// The environment of the command: the task's own, without what is the gate's, and with folders
    /// of its own.
    pub(super) fn environment(&self) -> BTreeMap<OsString, OsString> {
        self.environment_from(everything())
    }

    fn environment_from(
        &self,
        given: impl Iterator<Item = (OsString, OsString)>,
    ) -> BTreeMap<OsString, OsString> {
        let mut environment: BTreeMap<OsString, OsString> = given
            .filter(|(name, _)| !GATES_OWN.iter().any(|own| name == own))
            .collect();
        let mut set = |name: &str, value: OsString| environment.insert(name.into(), value);
        let home = self.home();
        set("HOME", home.clone().into());
        set("USER", "session".into());
        set(
            "TMPDIR",
            match self.level {
                Level::Namespaces => "/tmp".into(),
                Level::Landlock | Level::Unconfined => self.folder.join("tmp").into(),
            },
        );
        if let Some((_, inside)) = &self.profile {
            set("CAST_PROFILE_PATH", inside.clone().into());
        }
        if self.level == Level::Namespaces {
            set(
                PROXY_VARIABLE,
                format!("socks5h://127.0.0.1:{PROXY_PORT}").into(),
            );
            let path = environment.remove(&OsString::from("PATH"));
            let path = path.unwrap_or_default();
            environment.insert("PATH".into(), self.search_path(&path));
        }
        environment
    }

    /// Where a confined command finds programs: folders that it cannot see are left out.
    fn search_path(&self, path: &OsStr) -> OsString {
        let seen = ["/usr", "/bin", "/sbin", "/opt"].map(PathBuf::from);
        let own = std::iter::once(PathBuf::from(BIN));
        let given = std::env::split_paths(path).filter(|folder| {
            let mut roots = seen.iter().chain(&self.shown);
            roots.any(|root| folder.starts_with(root))
        });
        std::env::join_paths(own.chain(given)).unwrap_or_else(|_| "/usr/bin:/bin".into())
    }

    /// The port of the app, where one was given.
    pub(super) fn port() -> Option<u16> {
        variable("PORT")?.parse().ok()
    }

    /// The port in the session at which its browser serves DevTools, where it is to.
    pub(super) fn devtools_port() -> Option<u16> {
        variable(DEVTOOLS_PORT)?.parse().ok()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the programs of a confinement get their orders in the environment, and read them here"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn everything() -> std::env::VarsOs {
    std::env::vars_os()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(level: Level) -> Plan {
        Plan {
            level,
            folder: "/data/tasks/1".into(),
            profile: Some(("/data/tasks/1/files/home".into(), "/home/keep".into())),
            scratch_mib: 64,
            shown: vec!["/srv/apps".into()],
            reach: Vec::new(),
            user: None,
        }
    }

    #[test]
    fn gate_variables_are_hidden_from_the_command() {
        let given = GATES_OWN
            .iter()
            .chain(&["CAST_NAME"])
            .map(|name| (OsString::from(name), OsString::from("x")));
        for level in [Level::Namespaces, Level::Landlock, Level::Unconfined] {
            let environment = plan(level).environment_from(given.clone());
            for own in GATES_OWN {
                assert!(
                    !environment.contains_key(&OsString::from(own)),
                    "{own} at {level:?}"
                );
            }
            assert!(environment.contains_key(&OsString::from("CAST_NAME")));
        }
    }

    #[test]
    fn command_path_contains_only_visible_folders() {
        let path = "/root/.cargo/bin:/usr/local/bin:/usr/bin:/srv/apps/bin:/usrlocal";
        let given = [(OsString::from("PATH"), OsString::from(path))];
        let environment = plan(Level::Namespaces).environment_from(given.into_iter());
        let value = |name: &str| environment[&OsString::from(name)].to_str().unwrap_or("");
        assert_eq!(
            value("PATH"),
            "/run/casting/bin:/usr/local/bin:/usr/bin:/srv/apps/bin"
        );
        assert_eq!(value("HOME"), "/home/session");
        assert_eq!(value("TMPDIR"), "/tmp");
        assert_eq!(value("CAST_PROFILE_PATH"), "/home/keep");
    }
}
