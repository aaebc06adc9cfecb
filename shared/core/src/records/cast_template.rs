//! Owns the templates of links: what usually belongs together for a purpose, so that an
//! administrator need not find it out. Must not know how casts are stored.

use serde_json::{Map, Value, json};

use crate::time::Timestamp;

/// Every template.
pub const ALL: [&str; 4] = ["website", "classroom", "support", "guest"];

/// How long the link of a guest is valid, in seconds (a week).
const GUEST_SECONDS: u64 = 7 * 86_400;

/// The fields that a template stands for; `None` if there is no such template.
pub fn fields(name: &str, now: Timestamp) -> Option<Map<String, Value>> {
    let fields = match name {
        "website" => json!({
            "name": "Website demo", "allow_anonymous": true, "require_captcha": true,
            "limit_requests_per_ip": true, "sessions_allowed": 2, "within_seconds": 3600,
            "max_live_sessions": 10, "waiting_room": true,
            "enforce_client_settings": true,
            "client_settings": {"session_time_limit_seconds": 900, "idle_minutes": 5},
        }),
        "classroom" => json!({
            "name": "Classroom", "allow_anonymous": true, "anonymous_resume": "always",
            "limit_total_sessions": true, "sessions_remaining": 60,
            "limit_requests_per_ip": true, "limit_requests_by": "browser",
            "sessions_allowed": 2, "within_seconds": 14_400,
            "max_live_sessions": 30, "waiting_room": true,
        }),
        "support" => json!({
            "name": "Support desk", "allow_anonymous": false, "allow_resume": true,
            "enable_sharing": true, "allow_anonymous_viewers": false,
            "extensions_allowed": 2, "extension_minutes": 30,
        }),
        "guest" => json!({
            "name": "One guest", "allow_anonymous": true, "anonymous_resume": "always",
            "limit_total_sessions": true, "sessions_remaining": 1, "start_on_click": "always",
            "valid_until": now.plus_seconds(GUEST_SECONDS).to_string(),
        }),
        _ => return None,
    };
    fields.as_object().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cast_form;
    use crate::testing::{self, NOON, SeededEntropy};
    use crate::url_rules::OwnUrls;

    #[test]
    fn each_template_is_a_cast() {
        for name in ALL {
            let mut document = Value::Object(fields(name, NOON).expect(name));
            document["image_id"] = json!(testing::image(1).id);
            let made = cast_form::create(&document, &OwnUrls::default(), &SeededEntropy::new(1));
            let draft = made.unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
            let warnings = crate::cast_warnings::warnings(&draft.settings);
            assert!(warnings.is_empty(), "{name}: {warnings:?}");
        }
        assert_eq!(fields("nothing", NOON), None);
    }
}
