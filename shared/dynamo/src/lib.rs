//! The store port on DynamoDB. Must not know the rules: what may be claimed, moved or edited is
//! decided before it is called.
//!
//! # Layout
//! - what the tables look like: [`schema`]
//! - how rows are spelled: `names` (attributes, keys, expressions), `rows` (serde structs)
//! - how DynamoDB is called: `call` (one retry layer), `fault` (what an error means), `read`,
//!   `write`
//! - the verbs, a noun a file: `casts`, `counter`, `shards`, `reserve`, `sessions`, `listing`, `references`,
//!   `refusals`, `hours`, `catalog`, `audit`
//!
//! # Retries
//! This crate is the only layer that retries; give it a client whose own retries are off
//! (`RetryConfig::disabled()`), else the two multiply.

mod audit;
mod casts;
mod catalog;
mod counter;
mod deliveries;
mod fault;
mod hours;
mod limits;
mod listing;
mod names;
mod pool;
mod queue;
mod read;
mod references;
mod refusals;
mod reserve;
mod retry;
mod rows;
pub mod schema;
mod sessions;
mod shards;
mod store;
pub mod stream;
mod write;

pub use names::MAX_SAMPLES;
pub use schema::TableNames;
pub use store::DynamoStore;
