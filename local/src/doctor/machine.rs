//! Owns the checks of the machine that a local stack runs on: what it has, and the command that
//! installs what it lacks. Must not look itself.

use std::path::PathBuf;

use super::finding::{Finding, ok, warning};
use crate::browser_app::packages::install_line;
use crate::confine::Level;

/// What there is on this machine.
pub struct Machine {
    /// The packages that are missing for sessions with a browser.
    pub browser: Vec<&'static str>,
    /// The commands that install what is missing for sessions with video and sound.
    pub streaming: Vec<String>,
    /// The socket of a container engine that answers.
    pub engine: Option<PathBuf>,
    /// Whether an engine is installed, running or not.
    pub has_engine: bool,
    /// How commands of sessions can be confined.
    pub confinement: Option<Level>,
    /// Why they cannot be confined better, a sentence each.
    pub reasons: Vec<String>,
}

/// What a newcomer has and lacks. Nothing of it is an error: the demo link needs none of it.
pub fn findings(machine: &Machine) -> Vec<Finding> {
    let browser = if machine.browser.is_empty() {
        ok("Browsers can be streamed: Chromium and an X server are installed.")
    } else {
        warning(
            "Sessions with a browser need more packages.",
            install_line(&machine.browser),
        )
    };
    let streaming = if machine.streaming.is_empty() {
        ok("Browsers and desktops can have video and sound: Selkies is installed.")
    } else {
        warning(
            "Sessions with video and sound need more programs.",
            machine.streaming.join("\n           "),
        )
    };
    let engine = match &machine.engine {
        Some(socket) => ok(format!(
            "Images run as real containers: an engine answers at {}.",
            socket.display()
        )),
        None => warning(
            "No Docker or Podman engine answers: only images named casting/… and local/… run here.",
            if machine.has_engine {
                "sudo systemctl start docker; or say in DOCKER_HOST where one answers."
            } else {
                "sudo apt-get install docker.io; or say in DOCKER_HOST where one answers."
            },
        ),
    };
    let reasons = machine.reasons.join(" ");
    let confinement = match machine.confinement {
        Some(Level::Namespaces) => ok("Sessions that are commands can be confined."),
        Some(Level::Landlock) => warning(
            format!("Sessions that are commands share this machine's network. {reasons}"),
            "See docs/confinement.md.",
        ),
        Some(Level::Unconfined) | None => warning(
            format!("This machine cannot confine commands, so they do not start. {reasons}"),
            "See docs/confinement.md; --unconfined starts them all the same.",
        ),
    };
    vec![browser, streaming, engine, confinement]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity;

    fn whole() -> Machine {
        Machine {
            browser: Vec::new(),
            streaming: Vec::new(),
            engine: Some("/var/run/docker.sock".into()),
            has_engine: true,
            confinement: Some(Level::Namespaces),
            reasons: Vec::new(),
        }
    }

    #[test]
    fn missing_parts_come_with_their_command() {
        let all_there = findings(&whole());
        assert!(all_there.iter().all(|found| found.severity == Severity::Ok));
        for (name, machine, at, todo) in [
            (
                "packages",
                Machine {
                    browser: vec!["chromium"],
                    ..whole()
                },
                0,
                "apt-get install --no-install-recommends chromium",
            ),
            (
                "streaming server",
                Machine {
                    streaming: vec!["install this".into(), "and this".into()],
                    ..whole()
                },
                1,
                "install this\n           and this",
            ),
            (
                "engine",
                Machine {
                    engine: None,
                    has_engine: false,
                    ..whole()
                },
                2,
                "apt-get install docker.io",
            ),
            (
                "engine that is not running",
                Machine {
                    engine: None,
                    ..whole()
                },
                2,
                "systemctl start docker",
            ),
            (
                "namespaces",
                Machine {
                    confinement: Some(Level::Landlock),
                    reasons: vec!["Namespaces are off.".into()],
                    ..whole()
                },
                3,
                "docs/confinement.md",
            ),
            (
                "no confinement",
                Machine {
                    confinement: None,
                    ..whole()
                },
                3,
                "--unconfined",
            ),
        ] {
            let found = findings(&machine);
            assert_eq!(found[at].severity, Severity::Warning, "{name}");
            assert!(found[at].todo.contains(todo), "{name}: {}", found[at].todo);
            let others = found.iter().enumerate().filter(|(other, _)| *other != at);
            for (_, other) in others {
                assert_eq!(other.severity, Severity::Ok, "{name}: {}", other.what);
            }
        }
    }
}
