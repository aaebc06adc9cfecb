//! What the tests share: a wire without sockets, faults on it, the small world that the fault suite
//! lives in, instances of functions, and programs and processes of this machine. Must not hold
//! rules of its own.

pub mod binaries;
pub mod engine;
pub mod faults;
pub mod filling;
pub mod gates;
pub mod inside;
pub mod instance;
pub mod ledger_model;
pub mod processes;
pub mod program;
pub mod receivers;
pub mod row_limits;
pub mod sim_world;
pub mod wire;
