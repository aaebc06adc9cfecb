//! The `gate` program: hands its arguments to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    casting_gate::cli::main_from(std::env::args_os())
}
