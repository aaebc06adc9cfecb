//! The ECS endpoint, called by the real SDK through the real launcher.

mod endpoint;
mod lab;
mod processes;
mod restart;
