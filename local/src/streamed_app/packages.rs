//! Owns which programs the streamed apps need of the machine, and the commands that install them.
//! Must not start any.

use std::path::{Path, PathBuf};

/// The version of Selkies whose messages the gate knows.
pub const SELKIES: &str = "2.1.0";

/// The folder in which Selkies is looked for unless another is named: a virtual environment of
/// Python.
pub const FOLDER: &str = "/opt/selkies";

/// The programs, and the Debian packages that they come in.
const NEEDED: [(&str, &str); 7] = [
    ("Xvfb", "xvfb"),
    ("pulseaudio", "pulseaudio"),
    ("matchbox-window-manager", "matchbox-window-manager"),
    ("chromium", "chromium"),
    ("jwm", "jwm"),
    ("xterm", "xterm"),
    ("pcmanfm", "pcmanfm"),
];

/// The commands that install what is missing, where programs are looked for in the folders of
/// `path`, and Selkies in its own folder only, because that is what confined sessions are shown;
/// none if all is there.
pub fn install_lines(path: &str, selkies: &Path) -> Vec<String> {
    let folders = || path.split(':').map(Path::new);
    let is_there = |program: &str| folders().any(|folder| folder.join(program).is_file());
    let mut packages: Vec<&str> = NEEDED
        .iter()
        .filter(|(program, _)| !is_there(program))
        .map(|(_, package)| *package)
        .collect();
    let has_selkies = programs(selkies).join("selkies").is_file();
    if !has_selkies {
        packages.push("python3-venv");
    }
    let mut lines = Vec::new();
    if !packages.is_empty() {
        lines.push(crate::browser_app::packages::install_line(&packages));
    }
    if !has_selkies {
        let folder = selkies.display();
        lines.push(format!(
            "sudo python3 -m venv {folder} && sudo {folder}/bin/pip install selkies=={SELKIES}"
        ));
    }
    lines
}

/// Where a virtual environment has its programs.
pub fn programs(folder: &Path) -> PathBuf {
    folder.join("bin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn install_lines_name_what_is_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |program: &str| {
            let path = folder.path().join(program);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, "").expect("a file");
        };
        let path = folder.path().display().to_string();
        let venv = folder.path().join("venv");
        let lines = install_lines("/nowhere:", &venv);
        assert_eq!(
            lines,
            [
                "sudo apt-get install --no-install-recommends xvfb pulseaudio \
                 matchbox-window-manager chromium jwm xterm pcmanfm python3-venv"
                    .to_owned(),
                format!(
                    "sudo python3 -m venv {path}/venv && sudo {path}/venv/bin/pip install \
                         selkies==2.1.0"
                ),
            ]
        );
        for (program, _) in NEEDED {
            put(program);
        }
        assert_eq!(install_lines(&path, &venv).len(), 2);
        put("venv/bin/selkies");
        assert!(install_lines(&path, &venv).is_empty());
        // One that is only on the path would not be there in a confined session.
        put("selkies");
        assert_eq!(install_lines(&path, Path::new("/nowhere")).len(), 2);
    }
}
