//! Owns pools: sessions that are started ahead of their visitors.

pub mod pool_history;
pub mod pool_plan;
pub mod pooled;
pub mod staging;
