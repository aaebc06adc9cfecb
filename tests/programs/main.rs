//! The programs as they are started: `casting` from its command line, and each function by the Lambda Runtime API.

mod command_line;
mod runtime_api;
