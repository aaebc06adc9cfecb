//! Owns the choice of presets and templates over a form: each fills in what belongs together, and
//! what was typed stays. Must not know which there are.

use askama::Template;

use super::shown;

/// A preset: its name, its words, and what it is for.
pub type Preset = (&'static str, &'static str, &'static str);

/// The id of the form that the buttons send.
pub const FORM: &str = "sheet";

#[derive(Template)]
#[template(path = "console/presets.html")]
struct Presets<'a> {
    title: &'static str,
    presets: &'a [Preset],
    /// Where what is typed is sent to be filled in.
    action: &'static str,
    chosen: &'a str,
}

/// The presets as buttons of the form below them.
pub fn html(title: &'static str, presets: &[Preset], action: &'static str, chosen: &str) -> String {
    shown(&Presets {
        title,
        presets,
        action,
        chosen,
    })
}
