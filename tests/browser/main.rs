//! A real browser on the real program: the demo link as a person clicks it, and every page that a visitor may meet. Needs chromium and chromedriver.
//!
//! Screenshots are kept under `target/screenshots`, to be looked at.

mod chrome;
mod pages;
mod road;
