//! Owns what is known of families of session images, so that an administrator need not find it out:
//! how they are started, where they listen, and how they are only watched. Must not know how images
//! are stored.

use serde_json::{Map, Value, json};

use crate::form::FieldErrors;

/// Every preset.
pub const ALL: [&str; 7] = [
    "kasmweb",
    "kasmweb_chromium",
    "linuxserver",
    "linuxserver_chromium",
    "linuxserver_firefox",
    "selkies",
    "web_app",
];

/// Takes the field `preset` off a new image: the fields that it stands for, and the document
/// without it. What the document names itself wins.
///
/// # Errors
/// When there is no such preset.
pub fn take(input: &Value) -> Result<(Map<String, Value>, Value), FieldErrors> {
    let mut input = input.clone();
    let name = input
        .as_object_mut()
        .and_then(|fields| fields.shift_remove("preset"))
        .unwrap_or(Value::Null);
    let fields = match name.as_str() {
        None if name.is_null() => Some(Map::new()),
        Some(name) => fields(name),
        None => None,
    };
    let otherwise = || FieldErrors::one("/preset", format!("must be one of {}.", ALL.join(", ")));
    fields.map(|fields| (fields, input)).ok_or_else(otherwise)
}

/// The fields that a preset stands for.
pub fn fields(name: &str) -> Option<Map<String, Value>> {
    let fields = match name {
        "kasmweb" => kasmweb(),
        "kasmweb_chromium" => {
            let mut fields = kasmweb();
            // A task's shared memory is too small for it; this option makes it use the disk, also
            // where there is no volume for it.
            fields["environment"] =
                json!({"APP_ARGS": "--start-maximized --disable-dev-shm-usage"});
            fields
        }
        "linuxserver" => linuxserver(&json!({})),
        "linuxserver_chromium" => {
            linuxserver(&json!({"CHROME_CLI": "--disable-dev-shm-usage {kasm_url}"}))
        }
        "linuxserver_firefox" => linuxserver(&json!({"FIREFOX_CLI": "{kasm_url}"})),
        // A command that starts Selkies on `$PORT`: the gate starts it and sends it the roles.
        "selkies" => {
            json!({"cpu": 1024, "memory": 2048, "start_timeout_seconds": 300, "view_only": "selkies", "shared_memory": true})
        }
        "web_app" => json!({"cpu": 256, "memory": 512, "view_only": "requests"}),
        _ => return None,
    };
    fields.as_object().cloned()
}

/// Desktops and apps on KasmVNC: https with a certificate made up at each start, and a user that
/// only the gate ever needs.
fn kasmweb() -> Value {
    let go = |verb: &str| {
        json!({"cmd": format!("/dockerstartup/custom_startup.sh {verb} --url \
                                                 \"$KASM_URL\"")})
    };
    json!({
        "command": ["/dockerstartup/kasm_default_profile.sh", "/dockerstartup/vnc_startup.sh", "/dockerstartup/kasm_startup.sh", "--wait"],
        "port": 6901, "app_https": true, "app_user": "kasm_user", "app_password_variable": "VNC_PW", "view_only": "kasmvnc",
        "app_sound_port": 4901,
        "exec_config": {"go": go("--go"), "assign": go("--assign")},
        "cpu": 2048, "memory": 4096, "start_timeout_seconds": 300, "shared_memory": true,
    })
}

/// Desktops and apps of the linuxserver family. Their init must be the first process of its
/// container, so the gate stands beside it. Their browsers take the address in a variable. Their
/// web server gives files out wherever a path begins with `/files`.
fn linuxserver(environment: &Value) -> Value {
    json!({
        "port": 3000, "app_files_path": "/files", "environment": environment,
        "cpu": 2048, "memory": 4096, "start_timeout_seconds": 300,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::ImageSource;
    use crate::image_form;

    #[test]
    fn preset_fills_an_image_and_explicit_fields_win() {
        for (preset, port, beside, watched, goes) in [
            ("kasmweb", Some(6901), false, true, true),
            ("kasmweb_chromium", Some(6901), false, true, true),
            ("linuxserver", Some(3000), true, false, false),
            ("linuxserver_chromium", Some(3000), true, false, false),
            ("linuxserver_firefox", Some(3000), true, false, false),
            ("selkies", None, false, true, false),
            ("web_app", Some(8080), true, true, false),
        ] {
            let mut document = json!({"name": "Desktop", "container_image": "example/app:1", "preset": preset, "memory": 8192, "cpu": 2048});
            if preset == "web_app" {
                document["port"] = json!(8080);
            }
            if preset == "selkies" {
                document["command"] = json!(["stream"]);
            }
            let settings = image_form::create(&document)
                .unwrap_or_else(|errors| panic!("{preset}: {errors:?}"));
            assert_eq!(
                (settings.port, settings.has_gate_beside()),
                (port, beside),
                "{preset}"
            );
            assert_eq!(
                (settings.view_only.is_some(), settings.exec.go.is_some()),
                (watched, goes),
                "{preset}"
            );
            assert!(
                matches!(settings.source, ImageSource::Container(source) if source.memory == 8192),
                "{preset}: what is said wins"
            );
        }
    }
}
