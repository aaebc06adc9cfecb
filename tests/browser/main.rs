//! A real browser on the real program: the demo link as a person clicks it, and every page that a
//! visitor may meet. Needs chromium and chromedriver.
//!
//! Screenshots are kept under `target/screenshots`, to be looked at.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "equipment of tests fails by panicking, as tests do"
)]

mod access_tiers;
mod admin_window;
mod administrator;
mod chrome;
mod console;
mod crowd;
mod day;
mod embed;
mod every_page;
mod files;
mod happy_path;
mod hooks;
mod inner;
mod invitations;
mod kasmvnc;
mod languages;
mod lobby;
mod origins;
mod page_audit;
mod pages;
mod phone;
mod pictures;
mod pixels;
mod recovery;
mod resume;
mod rooms;
mod steering;
mod streamed;
mod streaming;
mod tools;
mod viewer;
