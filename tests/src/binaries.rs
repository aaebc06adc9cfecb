//! Owns where the programs are that a suite starts: beside the test itself, where `cargo build
//! --workspace --all-targets` leaves them.

use std::path::PathBuf;

/// The program of this name.
///
/// # Panics
/// When it has not been built.
pub fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let folder = test
        .parent()
        .and_then(|deps| deps.parent())
        .map(PathBuf::from)
        .unwrap_or_default();
    let program = folder.join(name);
    assert!(
        program.is_file(),
        "{} is not there; build it first: cargo build --workspace --all-targets",
        program.display()
    );
    program
}
