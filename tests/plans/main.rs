//! Holds the code to its plans: which crate may depend on which, and a deployment's template that
//! says what the code says. Starts nothing.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "equipment of tests fails by panicking, as tests do"
)]

mod crates;
mod docs;
mod edge_function;
mod features;
mod gateway;
mod images;
mod template;
mod test_names;
