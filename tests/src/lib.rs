//! What the tests share: a wire without sockets, faults on it, and the small world that the fault suite lives in. Must not hold rules of its own.

pub mod faults;
pub mod wire;
pub mod world;
