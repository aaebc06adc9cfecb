//! Owns running an image's commands inside its session (seed: exec config). Must not know their
//! purpose. A failing command never harms the session: its output is in the session's log.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use casting_protocol::excerpt::Speaker;
use casting_protocol::exec_user::{ExecUser, Id};
use casting_protocol::session_environment::OF_GATE;
use casting_protocol::session_options::Exec;
use nix::unistd::{Gid, Group, Uid, User};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::app::PORT_VARIABLE;
use crate::output::{Allowance, Verdict};
use crate::report::Reporter;
use crate::settings;

/// The variable with the command that runs others inside the app's container, where that is not the
/// gate's own.
pub const EXEC_THROUGH: &str = "CAST_EXEC_THROUGH";
/// How long a command may run.
const LONGEST: Duration = Duration::from_secs(30);
/// The most that is logged around the output of a command, in bytes.
const LINE: usize = 200;
/// The most of a failed command's output that is reported, in bytes.
const REPORTED: usize = 8 * 1024;
/// The most of a command's output that is kept, in bytes.
const KEPT: u64 = 16 * 1024;

/// Runs a command in the background, with these environment variables. Its effect is on the screen and
/// in the log, and a failure is reported to the control plane.
pub fn start(
    what: Speaker,
    exec: Exec,
    app_port: u16,
    variables: BTreeMap<String, String>,
    log: Arc<Allowance>,
    reporter: Arc<Reporter>,
) {
    tokio::spawn(async move {
        let port = app_port.to_string();
        let mut added = vec![(PORT_VARIABLE, port.as_str())];
        added.extend(
            variables
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        let ran = run(&exec, &added, LONGEST).await;
        if let Err(error) = &ran {
            let said = format!("{error:#}");
            reporter.failed(what, excerpt(&said).to_owned()).await;
        }
        let what = what.as_str();
        let length = ran
            .as_ref()
            .map_or_else(|error| error.to_string().len(), String::len);
        if log.take(length + LINE) != Verdict::Kept {
            return;
        }
        match ran {
            Ok(said) => tracing::info!(said, "The command \u{201c}{what}\u{201d} has run"),
            Err(error) => tracing::warn!(
                error = format!("{error:#}"),
                "The command \u{201c}{what}\u{201d} failed; the session goes on"
            ),
        }
    });
}

/// The end of a failed command's output, where the reason is.
fn excerpt(said: &str) -> &str {
    let first = said.ceil_char_boundary(said.len().saturating_sub(REPORTED));
    &said[first..]
}

/// Runs a command to its end, with these variables added to the app's environment; returns its
/// output, or why it failed.
///
/// # Errors
/// When it cannot be run, fails, or takes too long.
async fn run(exec: &Exec, added: &[(&str, &str)], longest: Duration) -> anyhow::Result<String> {
    let through = settings::exec_through();
    if let Some(through) = &through {
        return finish(through_another(exec, added, through), longest, through).await;
    }
    let Some((program, arguments)) = exec.command.split_first() else {
        bail!("there is no command")
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(&exec.environment)
        .envs(added.iter().copied());
    for name in OF_GATE {
        command.env_remove(name);
    }
    if let Some(folder) = &exec.working_directory {
        command.current_dir(folder);
    }
    if let Some(name) = &exec.user {
        let (user, group) = find_user(name)?;
        if user.uid != Uid::effective() {
            command
                .uid(user.uid.as_raw())
                .gid(group.as_raw())
                .env("HOME", user.dir)
                .env("USER", user.name);
        }
    }
    finish(command, longest, program).await
}

/// The same for an app in another container: `CAST_EXEC_THROUGH` gets what to run there, and how.
fn through_another(exec: &Exec, added: &[(&str, &str)], through: &str) -> Command {
    let mut words = through.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    let own = exec
        .environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in own.chain(added.iter().copied()) {
        command.arg("--env").arg(format!("{name}={value}"));
    }
    for (option, value) in [
        ("--user", &exec.user),
        ("--workdir", &exec.working_directory),
    ] {
        if let Some(value) = value {
            command.args([option, value]);
        }
    }
    command.arg("--").args(&exec.command);
    command
}

async fn finish(mut command: Command, longest: Duration, program: &str) -> anyhow::Result<String> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .with_context(|| format!("{program} cannot be run"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let ended = timeout(longest, async {
        tokio::join!(child.wait(), read(out), read(err))
    })
    .await;
    let Ok((status, out, err)) = ended else {
        bail!("it did not end within {} seconds", longest.as_secs())
    };
    let status = status?;
    let said = format!("{out}{err}");
    if status.success() {
        Ok(said)
    } else {
        bail!("it ended with {status} and said: {said}")
    }
}

/// Reads to the end and keeps the beginning.
async fn read(output: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut output) = output else {
        return String::new();
    };
    let mut kept = Vec::new();
    let _ = (&mut output).take(KEPT).read_to_end(&mut kept).await;
    // A command with more output must not wait for a reader.
    let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

/// The user and group of this name in the container, unless they are root under another name.
fn find_user(name: &str) -> anyhow::Result<(User, Gid)> {
    let is_root = || format!("{name} is root here, and what is run in a session never is");
    let parsed = ExecUser::parse(name).with_context(is_root)?;
    let user = match parsed.user {
        // A number need not have a name.
        Id::Number(uid) => User::from_uid(Uid::from_raw(uid))?.unwrap_or_else(|| nameless(uid)),
        Id::Name(user) => {
            User::from_name(&user)?.with_context(|| format!("there is no user {user}"))?
        }
    };
    let group = match parsed.group {
        None => user.gid,
        Some(Id::Number(gid)) => Gid::from_raw(gid),
        Some(Id::Name(group)) => {
            let found = Group::from_name(&group)?;
            found
                .with_context(|| format!("there is no group {group}"))?
                .gid
        }
    };
    if user.uid.is_root() || group.as_raw() == 0 {
        bail!(is_root());
    }
    Ok((user, group))
}

fn nameless(uid: u32) -> User {
    User {
        name: uid.to_string(),
        passwd: std::ffi::CString::default(),
        uid: Uid::from_raw(uid),
        gid: nix::unistd::Gid::from_raw(uid),
        gecos: std::ffi::CString::default(),
        dir: PathBuf::from("/"),
        shell: PathBuf::from("/bin/sh"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exec(line: &str) -> Exec {
        let command = ["/bin/sh", "-c", line].map(str::to_owned).into();
        Exec {
            command,
            user: None,
            working_directory: None,
            environment: [("MOOD".to_owned(), "good".to_owned())].into(),
        }
    }

    #[tokio::test]
    async fn command_uses_its_user_and_folder_and_reports_failure() {
        let said = async |exec: &Exec| match run(
            exec,
            &[("KASM_URL", "https://a.example/")],
            Duration::from_secs(5),
        )
        .await
        {
            Ok(said) => said,
            Err(error) => format!("failed: {error:#}"),
        };
        assert_eq!(
            said(&exec("echo $MOOD $KASM_URL; echo also >&2")).await,
            "good https://a.example/\nalso\n"
        );
        assert_eq!(
            said(&Exec {
                working_directory: Some("/tmp".into()),
                ..exec("pwd")
            })
            .await,
            "/tmp\n"
        );
        assert!(said(&exec("echo why; exit 3")).await.contains("why"));
        assert!(
            said(&exec("exit 3"))
                .await
                .starts_with("failed: it ended with exit status: 3")
        );
        assert!(
            said(&Exec {
                command: vec!["/no/such".into()],
                ..exec("")
            })
            .await
            .starts_with("failed: /no/such cannot be run")
        );
        assert!(
            said(&Exec {
                user: Some("nobody-of-this-name".into()),
                ..exec("id")
            })
            .await
            .starts_with("failed: there is no user")
        );
        for root in ["root", "0", "0:0", "root:1000", " root", "+0", "4294967296"] {
            let user = Some(root.to_owned());
            assert!(
                said(&Exec { user, ..exec("id") })
                    .await
                    .contains("is root here"),
                "{root}"
            );
        }
        if Uid::effective().is_root() {
            assert_eq!(
                said(&Exec {
                    user: Some("65534".into()),
                    ..exec("id -u")
                })
                .await,
                "65534\n"
            );
        }
        assert_eq!(
            said(&exec("head -c 100000 /dev/zero | tr '\\0' x"))
                .await
                .len(),
            16 * 1024,
            "the rest is not kept"
        );
        let slow = run(&exec("sleep 60"), &[], Duration::from_millis(50)).await;
        assert!(slow.is_err_and(|error| error.to_string().contains("did not end")));
    }
}
