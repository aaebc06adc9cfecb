//! Owns pools: sessions that are started in advance.

pub mod pool_history;
pub mod pool_plan;
pub mod pooled;
pub mod staging;
