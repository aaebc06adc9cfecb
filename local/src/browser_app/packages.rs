//! Owns which programs the browser app needs of the machine. Must not start any.

use std::path::Path;

/// The programs, and the Debian packages that they come in.
const NEEDED: [(&str, &str); 3] = [
    ("Xvnc", "tigervnc-standalone-server"),
    ("matchbox-window-manager", "matchbox-window-manager"),
    ("chromium", "chromium"),
];

/// The Debian packages of those programs that are in none of the folders of `path`.
pub fn missing(path: &str) -> Vec<&'static str> {
    let is_there = |program: &str| {
        path.split(':')
            .any(|folder| Path::new(folder).join(program).is_file())
    };
    NEEDED
        .iter()
        .filter(|(program, _)| !is_there(program))
        .map(|(_, package)| *package)
        .collect()
}

/// The command that installs these packages.
pub fn install_line(packages: &[&str]) -> String {
    format!(
        "sudo apt-get install --no-install-recommends {}",
        packages.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_programs_are_named_by_package() {
        let all: Vec<_> = NEEDED.iter().map(|(_, package)| *package).collect();
        assert_eq!(missing("/nowhere:"), all);
        assert_eq!(
            install_line(&["a", "b"]),
            "sudo apt-get install --no-install-recommends a b"
        );
    }
}
