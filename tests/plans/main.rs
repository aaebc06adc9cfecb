//! Holds the code to its plans: which crate may depend on which, and a deployment's template that says what the code says. Starts nothing.

mod crates;
mod template;
