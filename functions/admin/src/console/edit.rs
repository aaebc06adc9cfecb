//! Owns the pages on which something is filled in: new or changed, with its form, and a preview
//! beside it where there is one. Must not know what is filled in.

use askama::Template;
use casting_core::resource::{Resource, Widget};
use serde_json::Value;

use super::form::{self, Choices, Form, FormMessages};
use super::layout::{Place, Screen};
use super::page_context::PageContext;
use super::shown;

/// What is filled in, and how far it is.
#[derive(Debug)]
pub struct Edit<'a> {
    /// The kind of record.
    pub resource: &'static Resource,
    /// Where in the console it belongs.
    pub place: Place,
    /// The scope that a change needs; without it, the form is shown and cannot be sent.
    pub scope: &'static str,
    /// The heading.
    pub title: String,
    /// The way here.
    pub trail: Vec<(String, String)>,
    /// Where the form is sent.
    pub action: String,
    /// Where Cancel leads.
    pub cancel: String,
    /// The label of the button.
    pub submit: &'static str,
    /// As it is, or as it was typed.
    pub document: &'a Value,
    /// What is said of it.
    pub messages: FormMessages,
    /// The options.
    pub choices: &'a Choices,
    /// Whether it is not there yet.
    pub is_new: bool,
    /// Its id, for the check of what is typed.
    pub id: Option<String>,
    /// A number in the form that also changes by itself: its value when the form was made, so that
    /// only another number that is typed is set.
    pub counted: Option<u64>,
    /// The version that was read; a change over another version is refused.
    pub version: Option<u64>,
    /// Where what is typed is checked, if it is.
    pub check: Option<&'static str>,
    /// Stands beside the form; rendered.
    pub aside: String,
    /// Stands over the form; rendered.
    pub above: String,
}

#[derive(Template)]
#[template(path = "console/edit.html")]
struct Main<'a> {
    form: Form,
    aside: &'a str,
    above: &'a str,
    zones: bool,
}

/// The page. With mistakes in it, it is answered with 422.
pub fn page(context: &PageContext, edit: &Edit<'_>) -> Screen {
    let may_change = context.may(edit.scope);
    let mut hidden = vec![("csrf_token", context.csrf_token.clone())];
    hidden.extend(edit.id.clone().map(|id| ("id", id)));
    hidden.extend(edit.counted.map(|counted| ("counted", counted.to_string())));
    hidden.extend(edit.version.map(|version| ("version", version.to_string())));
    let form = Form {
        action: edit.action.clone(),
        hidden,
        sections: form::parts(
            edit.resource,
            edit.document,
            &edit.messages,
            edit.choices,
            &context.zone,
            edit.is_new,
        ),
        mistakes: form::mistakes(edit.resource, &edit.messages),
        submit: edit.submit.to_owned(),
        cancel: edit.cancel.clone(),
        check: edit.check.filter(|_| may_change),
        may_change,
        is_stale: edit.messages.is_stale,
        is_told: context.only_looks(),
    };
    let status = if form.mistakes.is_empty() {
        http::StatusCode::OK
    } else {
        http::StatusCode::UNPROCESSABLE_ENTITY
    };
    let zones = edit
        .resource
        .fields()
        .any(|field| field.widget == Widget::OpenHours);
    let main = shown(&Main {
        form,
        aside: &edit.aside,
        above: &edit.above,
        zones,
    });
    Screen {
        status,
        trail: edit.trail.clone(),
        ..Screen::new(edit.place, edit.title.clone(), main)
    }
}

/// Zones that are offered while one is typed; every other is taken too.
pub(super) const ZONES: [&str; 24] = [
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Paris",
    "Europe/Madrid",
    "Europe/Rome",
    "Europe/Warsaw",
    "Europe/Athens",
    "Europe/Istanbul",
    "Africa/Cairo",
    "Africa/Johannesburg",
    "Africa/Lagos",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Auckland",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
];
