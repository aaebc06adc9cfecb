//! Owns the fields of a hook, which the deployment's settings and each cast have. Must not know what
//! is sent.

use std::collections::BTreeSet;

use serde_json::json;

use crate::event_bus::{self, EventBusArn};
use crate::field::{At, Field};
use crate::form::{Form, formatted};
use crate::hook::{Hook, HookEvent};
use crate::json_schema::needs;
use crate::resource::Widget;
use crate::text_format;
use crate::url_rules;

/// The fields `hook_enabled`, `hook_url` and `hook_events`.
pub(super) fn fields<D: 'static>(
    enabled: At<D, bool>,
    url: At<D, Option<String>>,
    events: At<D, BTreeSet<HookEvent>>,
) -> Vec<Field<D>> {
    vec![
        Field::flag("hook_enabled", false, enabled)
            .label("Send events")
            .help(
                "Events are signed as Standard Webhooks says, and sent again until they are taken.",
            )
            .doc("Whether events are sent to `hook_url`."),
        Field::nullable(
            "hook_url",
            formatted(|| &text_format::SECURE_URL, receiver),
            url,
        )
        .label("Receiver")
        .help(
            "An https address of a public server, or the ARN of the deployment's event bus.",
        )
        .example("https://example.com/hooks/casting")
        .under("hook_enabled")
        .doc(
            "Where events are sent: by POST to an https address, or to the ARN of the event bus that \
             the deployment names; required while `hook_enabled` is on.",
        ),
        Field::list(
            "hook_events",
            HookEvent::CHOICES.len(),
            HookEvent::parse,
            events,
        )
        .label("Events")
        .help("None chosen: all of them.")
        .widget(Widget::Ticks(&[
            ("session.claimed", "A claim was accepted"),
            ("session.ready", "A session is ready"),
            ("session.entered", "A visitor has entered"),
            ("session.ended", "A session has ended"),
            ("claims.refused", "Visitors were refused (summed up)"),
            ("budget.reached", "A budget was reached"),
        ]))
        .under("hook_enabled")
        .doc("Which events are sent; empty is all."),
    ]
}

/// A server's address, or the ARN of an event bus. Which bus may be named is a matter of the
/// deployment ([`event_bus::check`]).
fn receiver(text: &str) -> Result<String, String> {
    if event_bus::is_bus(text.trim()) {
        EventBusArn::parse(text).map(|bus| bus.as_str().to_owned())
    } else {
        url_rules::service_url(text)
    }
}

/// A hook that is on needs a receiver.
pub(super) fn judge(form: &mut Form, hook: &Hook) {
    form.rule(|| needs("hook_enabled", &json!(true), &["hook_url"]));
    if hook.enabled && hook.url.is_none() {
        form.require("hook_url", "is required while hook_enabled is on.");
    }
}
