//! Owns the list of what can be filled in on the console. The fields of each stand in core, in the
//! tables of `cast_form` and its neighbours. Must not know how a form is drawn or read.

use casting_core::resource::Resource;
use casting_core::{
    api_key_form, cast_form, group_form, image_form, network_form, settings_form, staging_form,
};

/// The form of every kind of record.
pub fn all() -> [&'static Resource; 7] {
    [
        cast_form::resource(),
        image_form::resource(),
        group_form::resource(),
        network_form::resource(),
        settings_form::resource(),
        staging_form::resource(),
        api_key_form::resource(),
    ]
}

/// How people read the name of a field, of whatever record; the name itself when there is none.
pub fn label_of(name: &str) -> &str {
    all()
        .into_iter()
        .flat_map(Resource::fields)
        .find(|field| field.name == name)
        .map_or(name, |field| field.label)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use casting_core::api_key::ApiKey;
    use casting_core::api_key_form;
    use casting_core::cast::{Cast, Counter};
    use casting_core::cast_form;
    use casting_core::deployment::Deployment;
    use casting_core::group::Group;
    use casting_core::group_form;
    use casting_core::ids::{ApiKeyId, StagingId};
    use casting_core::image::Image;
    use casting_core::image_form;
    use casting_core::network::Network;
    use casting_core::network_form;
    use casting_core::settings_form;
    use casting_core::staging::StagingConfig;
    use casting_core::staging_form;
    use casting_core::testing::{self, NOON, SeededEntropy};
    use casting_core::url_rules::OwnUrls;
    use serde_json::{Value, json};

    use crate::console::form::{self, Choices, FormMessages};
    use crate::console::form_parser::{self, FormData};
    use crate::console::zone::Zone;
    use casting_core::resource::{Resource, Widget};

    const OURS: &str = "https://cast.example.com";

    fn cast(fields: &Value) -> Value {
        let draft =
            cast_form::create(fields, &OwnUrls::of(OURS), &SeededEntropy::new(1)).expect("a cast");
        let counter = Counter::default().changed(draft.counter);
        cast_form::view(
            &Cast {
                settings: draft.settings,
                counter,
                ..testing::cast(1)
            },
            OURS,
        )
    }

    fn image(fields: &Value) -> Value {
        image_form::view(&Image {
            settings: image_form::create(fields).expect("an image"),
            ..testing::image(1)
        })
    }

    fn image_id() -> Value {
        image(&json!({"name": "x", "task_definition": "x"}))["id"].clone()
    }

    fn network(fields: &Value) -> Value {
        let (id, settings) = network_form::create(fields).expect("a network");
        network_form::view(&Network {
            id,
            version: 1,
            settings,
            created_at: NOON,
            updated_at: NOON,
        })
    }

    fn group(fields: &Value) -> Value {
        group_form::view(&Group {
            settings: group_form::create(fields).expect("a group"),
            ..Group::all_users()
        })
    }

    fn settings(fields: &Value) -> Value {
        settings_form::view(&Deployment::new(
            1,
            settings_form::patch(&Deployment::default(), fields).expect("settings"),
            NOON,
        ))
    }

    fn staging(fields: &Value) -> Value {
        let settings = staging_form::create(fields).expect("a staging config");
        staging_form::view(&StagingConfig {
            id: StagingId::from_bytes([1; 16]),
            version: 1,
            settings,
            created_at: NOON,
            updated_at: NOON,
        })
    }

    fn api_key(fields: &Value) -> Value {
        let settings = api_key_form::create(fields).expect("a key");
        api_key_form::view(
            &ApiKey::with_secret(ApiKeyId::from_bytes([1; 16]), &[1; 16], NOON, settings).0,
        )
    }

    fn client() -> Value {
        json!({
            "permissions": {"audio": true, "webcam": false}, "session_time_limit_seconds": 3600, "idle_minutes": 20,
            "keepalive_seconds": 300, "entry_timeout_seconds": 120, "sessions_per_user": 2,
        })
    }

    fn tiers() -> Value {
        json!([
            {"name": "Staff", "proof": "login", "login_groups": ["Staff", "cn=a,ou=b"], "network": "lab",
                "group_id": Group::all_users_id(), "session_time_limit_seconds": 5400},
            {"proof": "captcha", "countries": ["DE", "unknown"], "except_asns": ["AS64496"]},
            {"proof": "invitation", "except_countries": ["FR"], "asns": ["AS64497"]},
            {"outcome": "deny"},
        ])
    }

    /// Every noun with an empty and a full document, as the API shows them.
    fn documents() -> Vec<(&'static Resource, Value)> {
        let hours = json!({"time_zone": "Europe/Berlin", "spans": ["mon,tue,wed,thu,fri 09:00-17:00", "sat,sun 22:00-02:00"]});
        vec![
            (
                cast_form::resource(),
                cast(&json!({"name": "Desk", "image_id": image_id()})),
            ),
            (
                cast_form::resource(),
                cast(&json!({
                    "name": "Desk", "description": "Two\nlines", "key": "a-key-of-my-own", "image_id": image_id(), "enabled": false,
                    "valid_until": "2026-12-31T18:00:05.5Z", "limit_total_sessions": true, "sessions_remaining": 10,
                    "limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 60, "limit_requests_by": "browser",
                    "limit_exempt_addresses": ["192.0.2.0/24 Lab"], "restrict_to_referrers": ["acme.com", "=b.example.com"],
                    "error_url": "https://example.com/sorry", "kasm_url": "https://example.com/", "allow_dynamic_kasm_url": true,
                    "dynamic_kasm_url_hosts": ["example.com"], "allow_dynamic_docker_network": true, "allow_anonymous": true,
                    "anonymous_user_group_id": Group::all_users_id(), "require_captcha": true, "allow_resume": true,
                    "max_live_sessions": 3, "waiting_room": true, "open_hours": hours, "allowed_addresses": ["192.0.2.0/24"],
                    "banned_addresses": ["192.0.2.7 Bot"], "enforce_client_settings": true, "client_settings": client(),
                    "background_url": "https://example.com/p.jpg", "disable_control_panel": true, "disable_tips": true,
                    "enable_sharing": true, "allow_anonymous_viewers": true, "disable_shared_fixed_resolution": true,
                    "kasm_audio_default_on": false, "kasm_ime_mode_default_on": true, "extensions_allowed": 2, "extension_minutes": 30,
                    "access_tiers": tiers(),
                })),
            ),
            (
                cast_form::resource(),
                cast(&json!({
                    "name": "Desk", "image_id": image_id(), "session_notice": "Demo system", "watermark": true, "enable_lobby": true,
                })),
            ),
            (
                image_form::resource(),
                image(&json!({"name": "App", "task_definition": "app:1"})),
            ),
            (
                image_form::resource(),
                image(&json!({
                    "name": "App", "container_image": "example/app:1", "preset": "kasmweb", "ephemeral_storage": 30, "network": "lab",
                    "restrict_to_networks": ["lab", "lan"], "allow_network_selection": true, "description": "Why",
                    "environment": {"A": "b=c", "B": "two\nlines"}, "command": ["/bin/sh", "-c", "one\n two", ""],
                })),
            ),
            (group_form::resource(), group(&json!({"name": "Staff"}))),
            (
                group_form::resource(),
                group(
                    &json!({"name": "Staff", "description": "x", "priority": 7, "client_settings": client()}),
                ),
            ),
            (
                network_form::resource(),
                network(
                    &json!({"name": "lab", "subnets": ["subnet-1a"], "security_groups": ["sg-1a"]}),
                ),
            ),
            (
                network_form::resource(),
                network(&json!({
                    "name": "lab", "description": "x", "subnets": ["subnet-1a", "subnet-2b"], "security_groups": ["sg-1a"],
                    "assign_public_ip": true,
                })),
            ),
            (
                staging_form::resource(),
                staging(&json!({"name": "Monday", "image_id": image_id()})),
            ),
            (
                staging_form::resource(),
                staging(&json!({
                    "name": "Monday", "description": "x", "enabled": false, "image_id": image_id(), "network": "lab",
                    "group_id": Group::all_users_id(), "desired_sessions": 0, "expiration_hours": 2, "schedule": hours,
                    "daily_budget_cents": 500,
                })),
            ),
            (api_key_form::resource(), api_key(&json!({"name": "CI"}))),
            (
                api_key_form::resource(),
                api_key(
                    &json!({"name": "CI", "scopes": ["casts", "keys"], "expires_at": "2026-12-31T18:00:00Z"}),
                ),
            ),
            (settings_form::resource(), settings(&json!({}))),
            (
                settings_form::resource(),
                settings(&json!({
                    "captcha_kind": "recaptcha-v3", "captcha_site_key": "s", "captcha_secret_key": "hush", "max_sessions": 0,
                    "captcha_verify_url": "https://verify.example.com/", "captcha_min_score_percent": 70, "anonymous_user_hours": 8,
                    "anonymous_users_per_hour": 100, "banned_addresses": ["192.0.2.0/24 Abuse"], "attempts_per_minute": 30, "calls_per_minute": 600,
                    "contact": "https://example.com/help", "maintenance": true, "maintenance_message": "Back at noon",
                    "maintenance_until": "2026-12-31T18:00:00Z",
                })),
            ),
        ]
    }

    /// The document without what is only shown, and the names of everything that can be set.
    fn settable(document: &Value) -> Value {
        let only_shown = [
            "id",
            "url",
            "version",
            "created_at",
            "updated_at",
            "warnings",
            "registered_task_definition",
            "captcha_secret_key_is_set",
            "previous_key",
            "last_used_at",
            "maintenance_since",
            "maintenance_by",
        ];
        let fields = document
            .as_object()
            .expect("an object")
            .iter()
            .filter(|(name, _)| !only_shown.contains(&name.as_str()));
        Value::Object(
            fields
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    fn names(prefix: &str, document: &Value, found: &mut BTreeSet<String>) {
        for (name, value) in document.as_object().expect("an object") {
            let path = format!("{prefix}{name}");
            match name.as_str() {
                "client_settings" | "permissions" => names(&format!("{path}."), value, found),
                _ => _ = found.insert(path),
            }
        }
    }

    #[test]
    fn forms_ask_for_exactly_the_settable_fields() {
        for (resource, document) in documents() {
            let mut known = BTreeSet::new();
            names("", &settable(&document), &mut known);
            let asked = resource
                .fields()
                .filter(|field| field.widget != Widget::Secret)
                .map(|field| field.name.to_owned())
                .collect();
            assert_eq!(known, asked, "{}", resource.name);
        }
    }

    #[test]
    fn unchanged_form_changes_nothing() {
        for (resource, document) in documents() {
            let parts = form::parts(
                resource,
                &document,
                &FormMessages::default(),
                &Choices::default(),
                &Zone::named("Europe/Berlin").expect("a zone"),
                true,
            );
            let groups = parts
                .into_iter()
                .flat_map(|part| part.blocks)
                .flat_map(|block| std::iter::once(block.lead).chain(block.under));
            let sent = groups
                .flatten()
                .flat_map(|control| control.sends())
                .collect();
            assert_eq!(
                form_parser::document(resource, &FormData::new(sent)),
                settable(&document),
                "{}",
                resource.name
            );
        }
    }

    #[test]
    fn cast_form_has_the_expected_labels() {
        for label in [
            "Name",
            "Description",
            "URL Key",
            "Image",
            "Allow Resume",
            "Allow Anonymous",
            "Require reCAPTCHA",
            "Anonymous User Group",
            "Limit Total Session",
            "Sessions Remaining",
            "Limit Requests Per IP",
            "Sessions Allowed",
            "Within Seconds",
            "Kasm URL",
            "Allow Dynamic Kasm URL Parameter",
            "Allow Dynamic Docker Network URL Parameter",
            "Error URL",
            "Disable Control Panel",
            "Disable Tips",
            "Enable Sharing",
            "Disable Shared Fixed Resolution",
            "Restrict to Referrers",
        ] {
            assert_eq!(
                cast_form::resource()
                    .fields()
                    .filter(|field| field.label == label)
                    .count(),
                1,
                "{label}"
            );
        }
    }

    #[test]
    fn validation_errors_appear_at_their_field() {
        let wrong = json!({
            "name": "", "key": "x", "image_id": "?", "limit_total_sessions": true, "restrict_to_referrers": ["acme.com", "a b"],
            "open_hours": {"time_zone": "Mars", "spans": ["nonsense"]}, "client_settings": {"permissions": {"webcam": "on"}, "idle_minutes": 0},
            "else": 1,
        });
        let errors = cast_form::create(&wrong, &OwnUrls::of(OURS), &SeededEntropy::new(1))
            .expect_err("is wrong")
            .0;
        let mistakes = form::mistakes(
            cast_form::resource(),
            &FormMessages {
                errors,
                ..FormMessages::default()
            },
        );
        let texts: Vec<&str> = mistakes
            .iter()
            .map(|mistake| mistake.text.as_str())
            .collect();
        assert_eq!(
            texts,
            [
                "else is not a field that can be set here.",
                "Name: Must not be empty.",
                "URL Key: Must be 6 to 64 letters, digits, hyphens and underscores.",
                "Image: Is not the id of an image.",
                "Restrict to Referrers: Line 2 \u{201c}a b\u{201d} is not a domain such as \
                 acme.com.",
                "Open Hours: The time zone must be the name of a time zone such as Europe/Berlin \
                 or UTC.",
                "Open Hours: Line 1 must be days and hours such as mon-fri 09:00-17:00 or sat,sun \
                 10:00-24:00.",
                "Sessions Remaining: Is required while \u{201c}Limit Total Session\u{201d} is on.",
                "Camera: Must be true or false.",
                "Idle limit: Must be from 1 min to 7 d.",
            ]
        );
        let targets: Vec<&str> = mistakes
            .iter()
            .map(|mistake| mistake.target.as_str())
            .collect();
        assert_eq!((targets[0], targets[4]), ("", "f-restrict-to-referrers"));
    }
}
