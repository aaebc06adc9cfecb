//! Owns the tests of the translation from Kasm: columns from its public documents, made-up values.

use serde_json::{Value, json};

use super::{Imported, import};

fn imported(document: Value) -> Imported {
    import(&[document]).expect("is Kasm's")
}

fn columns(imported: &Imported) -> Vec<&str> {
    imported
        .notes
        .iter()
        .map(|note| note.column.as_str())
        .collect()
}

/// What a cast of these columns becomes, without what every cast has.
fn cast(columns: &Value) -> (Value, Imported) {
    let mut row = json!({"casting_config_name": "Demo", "key": "demo-key", "image_name": "kasmweb/chrome:1.16"});
    for (column, value) in columns.as_object().expect("an object") {
        row[column] = value.clone();
    }
    let imported = imported(json!({"cast_configs": [row]}));
    let mut cast = imported.configuration["casts"][0].clone();
    for field in ["name", "key", "image"] {
        cast.as_object_mut().expect("an object").shift_remove(field);
    }
    (cast, imported)
}

#[test]
fn each_cast_column_becomes_its_field() {
    for (name, columns, expected) in [
        ("nothing", json!({}), json!({})),
        (
            "flags",
            json!({"allow_anonymous": true, "allow_resume": "True", "disable_tips": "False"}),
            json!({"allow_anonymous": true, "allow_resume": true, "disable_tips": false}),
        ),
        (
            "CAPTCHA",
            json!({"require_recaptcha": true}),
            json!({"require_captcha": true}),
        ),
        (
            "addresses",
            json!({"kasm_url": "https://example.com/", "dynamic_kasm_url": true, "error_url": "https://example.com/sorry", "launcher_background_url": "https://example.com/a.jpg"}),
            json!({"kasm_url": "https://example.com/", "allow_dynamic_kasm_url": true, "error_url": "https://example.com/sorry", "background_url": "https://example.com/a.jpg"}),
        ),
        (
            "empty texts",
            json!({"kasm_url": "", "error_url": null}),
            json!({}),
        ),
        (
            "total",
            json!({"limit_sessions": true, "session_remaining": 5}),
            json!({"limit_total_sessions": true, "sessions_remaining": 5}),
        ),
        (
            "total, used up",
            json!({"limit_sessions": true, "session_remaining": 0}),
            json!({"limit_total_sessions": true, "sessions_remaining": 0}),
        ),
        (
            "total, off",
            json!({"limit_sessions": false, "session_remaining": 5}),
            json!({}),
        ),
        (
            "per address",
            json!({"limit_ips": true, "ip_request_limit": 2, "ip_request_seconds": 60}),
            json!({"limit_requests_per_ip": true, "sessions_allowed": 2, "within_seconds": 60}),
        ),
        (
            "per address, off",
            json!({"limit_ips": false, "ip_request_limit": 0, "ip_request_seconds": 0}),
            json!({}),
        ),
        (
            "referrers as a list",
            json!({"allowed_referrers": ["acme.com", "https://b.example/x"]}),
            json!({"restrict_to_referrers": ["acme.com", "https://b.example/x"]}),
        ),
        (
            "referrers as a text",
            json!({"allowed_referrers": "[\"acme.com\"]"}),
            json!({"restrict_to_referrers": ["acme.com"]}),
        ),
        (
            "expiry",
            json!({"valid_until": "2026-12-31 18:00:00"}),
            json!({"valid_until": "2026-12-31 18:00:00"}),
        ),
        (
            "group by name",
            json!({"group_name": "Guests"}),
            json!({"anonymous_user_group": "Guests"}),
        ),
        (
            "permissions that count",
            json!({"enforce_client_settings": true, "allow_kasm_audio": false, "allow_kasm_clipboard_up": true}),
            json!({"enforce_client_settings": true, "client_settings": {"permissions": {"audio": false, "clipboard_up": true}}}),
        ),
        (
            "permissions that do not",
            json!({"enforce_client_settings": false, "allow_kasm_audio": false}),
            json!({}),
        ),
        (
            "sharing",
            json!({"enable_sharing": true, "disable_fixed_res": true, "disable_control_panel": true}),
            json!({"enable_sharing": true, "disable_shared_fixed_resolution": true, "disable_control_panel": true}),
        ),
    ] {
        let (found, imported) = cast(&columns);
        assert_eq!(found, expected, "{name}");
        assert!(imported.notes.is_empty(), "{name}: {:?}", imported.notes);
    }
}

#[test]
fn columns_without_a_counterpart_are_reported() {
    for (name, given, expected) in [
        (
            "Windows",
            json!({"remote_app_configs": {"app": "calc"}, "allow_kasm_rdp_map_local_drives": true}),
            vec!["remote_app_configs", "allow_kasm_rdp_map_local_drives"],
        ),
        (
            "Windows, unused",
            json!({"remote_app_configs": {}, "allow_kasm_rdp_map_local_drives": false}),
            vec![],
        ),
        (
            "a limit of nothing",
            json!({"limit_ips": true, "ip_request_limit": 0, "ip_request_seconds": 0}),
            vec!["limit_ips"],
        ),
        (
            "a column of the future",
            json!({"colour": "red", "shape": null}),
            vec!["colour"],
        ),
        (
            "a group of another file",
            json!({"group_id": "9a3"}),
            vec!["group_id"],
        ),
    ] {
        let (_, imported) = cast(&given);
        let mut found = columns(&imported);
        found.sort_unstable();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn records_refer_to_each_other_by_name() {
    let found = imported(json!({
        "groups": [{"group_id": "g-1", "name": "Guests", "priority": 5}],
        "images": [{"image_id": "i-1", "name": "kasmweb/firefox:1.16", "friendly_name": "Firefox", "cores": 2, "memory_bytes": 2_768_000_000_u64, "enabled": true}],
        "cast_configs": [{"casting_config_name": "Demo", "key": "demo-key", "image_id": "i-1", "group_id": "g-1"}],
        "staging_configs": [{"image_id": "i-1", "num_sessions": 3, "expiration": 12.5, "zone_id": "z-1"}],
    }));
    let configuration = &found.configuration;
    assert_eq!(
        configuration["casts"][0],
        json!({"name": "Demo", "key": "demo-key", "image": "Firefox", "anonymous_user_group": "Guests"})
    );
    assert_eq!(
        configuration["staging_configs"][0],
        json!({"name": "Firefox 1", "image": "Firefox", "desired_sessions": 3, "expiration_hours": 13})
    );
    let image = &configuration["images"][0];
    assert_eq!(
        (&image["container_image"], &image["preset"]),
        (&json!("kasmweb/firefox:1.16"), &json!("kasmweb"))
    );
    assert_eq!(
        (&image["cpu"], &image["memory"]),
        (&json!(2048), &json!(4096)),
        "the next size of Fargate"
    );
    assert_eq!(columns(&found), ["zone_id"]);
}

#[test]
fn image_keeps_its_registry_commands_and_environment() {
    let found = imported(json!({"images": [{
        "image_id": "i-1", "name": "acme/desk:2", "friendly_name": "Desk", "docker_registry": "https://registry.acme.example", "docker_user": "robot",
        "run_config": "{\"hostname\": \"kasm\", \"environment\": {\"TZ\": \"UTC\", \"N\": 1}, \"shm_size\": \"1g\"}",
        "exec_config": {"go": {"cmd": "open", "user": "root"}, "first_launch": {"cmd": "start", "privileged": true}},
        "gpu_count": 1, "volume_mappings": {}, "session_time_limit": 0, "image_type": "Container",
    }]}));
    let image = &found.configuration["images"][0];
    assert_eq!(
        image["container_image"],
        "registry.acme.example/acme/desk:2"
    );
    assert_eq!(image["environment"], json!({"TZ": "UTC", "N": "1"}));
    assert_eq!(image["shared_memory"], true);
    assert_eq!(
        image["exec_config"],
        json!({"go": {"cmd": "open"}, "first_launch": {"cmd": "start"}})
    );
    let mut columns = columns(&found);
    columns.sort_unstable();
    assert_eq!(
        columns,
        [
            "docker_user",
            "exec_config.privileged",
            "exec_config.user",
            "gpu_count",
            "run_config.hostname"
        ]
    );
}

#[test]
fn servers_are_left_out_with_a_note() {
    let found = imported(
        json!({"images": [{"name": "win", "friendly_name": "Windows", "image_type": "Server"}]}),
    );
    assert_eq!(found.configuration.get("images"), None);
    assert_eq!(columns(&found), ["image_type"]);
}

#[test]
fn group_settings_become_permissions_and_limits() {
    let expected = json!({"idle_minutes": 21, "keepalive_seconds": 3600, "permissions": {"audio": true, "uploads": false}});
    for (name, document) in [
        (
            "Helm values",
            json!({"kasmConfig": {"config": {"groups": [{"name": "Staff", "settings": {
            "allow_kasm_audio": {"value": "True", "value_type": "bool"}, "allow_kasm_uploads": {"value": "False"}, "idle_disconnect": {"value": "20.5"},
            "keepalive_expiration": {"value": "3600"}, "session_time_limit": {"value": "0"}}}]}}}),
        ),
        (
            "settings of their own",
            json!({"groups": [{"group_id": "g", "name": "Staff"}], "group_settings": [
            {"group_id": "g", "name": "allow_kasm_audio", "value": "True"}, {"group_id": "g", "name": "allow_kasm_uploads", "value": "False"},
            {"group_id": "g", "name": "idle_disconnect", "value": "20.5"}, {"group_id": "g", "name": "keepalive_expiration", "value": "3600"},
            {"group_id": "other", "name": "allow_kasm_webcam", "value": "True"}]}),
        ),
    ] {
        let found = imported(document);
        assert_eq!(
            found.configuration["groups"][0]["client_settings"], expected,
            "{name}"
        );
        assert!(found.notes.is_empty(), "{name}: {:?}", found.notes);
    }
}

#[test]
fn document_of_something_else_is_refused() {
    for document in [json!({}), json!([]), json!({"users": []}), json!("x")] {
        assert!(import(&[document]).is_err());
    }
}
