//! Reads the messages of all languages, refuses those that do not fit together, and writes the
//! types and tables that `src/lib.rs` includes.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its folders by the environment"
)]

#[path = "build/generate.rs"]
mod generate;
#[path = "build/messages.rs"]
mod messages;

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=messages");
    println!("cargo::rerun-if-changed=build");
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("messages");
    let all = messages::read(&folder)?;
    let wrong = messages::check(&all);
    if !wrong.is_empty() {
        return Err(wrong.join("\n").into());
    }
    let to = Path::new(&std::env::var("OUT_DIR")?).join("messages.rs");
    std::fs::write(to, generate::source(&all)?)?;
    Ok(())
}
