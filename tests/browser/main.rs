//! A real browser on the real program: the demo link as a person clicks it, and every page that a visitor may meet. Needs chromium and chromedriver.
//!
//! Screenshots are kept under `target/screenshots`, to be looked at.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "equipment of tests fails by panicking, as tests do"
)]

mod admin_window;
mod administrator;
mod chrome;
mod console;
mod embed;
mod every_page;
mod files;
mod happy_path;
mod inner;
mod origins;
mod page_audit;
mod pages;
mod resume;
mod rooms;
mod streamed;
mod streaming;
mod viewer;
