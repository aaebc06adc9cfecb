//! Owns how client settings are written and read over the API: permissions and limits, as groups and casts have them. A change replaces the whole
//! object. Must not know groups or casts.

use serde_json::{Map, Value, json};

use crate::form::{Form, flag, whole};
use crate::permission::{ClientSettings, Permission};

/// The longest time limit, in seconds (7 days).
const LONGEST_SECONDS: u64 = 604_800;

/// Reads the object in field `name`; what it leaves out is not set. Mistakes are noted where they are.
pub fn read(form: &mut Form, name: &'static str) -> ClientSettings {
    form.object(name, |part| ClientSettings {
        permissions: part.object("permissions", |part| {
            Permission::ALL
                .into_iter()
                .filter_map(|permission| {
                    Some((permission, part.nullable(permission.as_str(), flag)?))
                })
                .collect()
        }),
        // Unset is «no limit»; 0 would be a session that ends as it begins.
        session_time_limit_seconds: part
            .nullable("session_time_limit_seconds", whole(60..=LONGEST_SECONDS)),
        idle_minutes: part.nullable("idle_minutes", whole(1..=10_080)),
        keepalive_seconds: part.nullable("keepalive_seconds", whole(60..=LONGEST_SECONDS)),
        entry_timeout_seconds: part.nullable("entry_timeout_seconds", whole(60..=LONGEST_SECONDS)),
        sessions_per_user: part.nullable("sessions_per_user", whole(1..=1000)),
    })
}

/// The settings as the API shows them: every field, null where nothing is set.
pub fn view(settings: &ClientSettings) -> Value {
    let permissions: Map<String, Value> = Permission::ALL
        .into_iter()
        .map(|permission| {
            (
                permission.as_str().to_owned(),
                json!(settings.permissions.get(&permission)),
            )
        })
        .collect();
    json!({
        "permissions": permissions,
        "session_time_limit_seconds": settings.session_time_limit_seconds,
        "idle_minutes": settings.idle_minutes,
        "keepalive_seconds": settings.keepalive_seconds,
        "entry_timeout_seconds": settings.entry_timeout_seconds,
        "sessions_per_user": settings.sessions_per_user,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(value: &Value) -> Result<ClientSettings, Vec<String>> {
        let mut form = Form::over(Map::new(), &json!({ "client": value }), &[]).expect("an object");
        let settings = read(&mut form, "client");
        form.finish()
            .map(|()| settings)
            .map_err(|errors| errors.0.into_iter().map(|error| error.pointer).collect())
    }

    #[test]
    fn client_settings_are_validated_in_place() {
        for (name, value, wrong) in [
            ("nothing", json!({}), vec![]),
            (
                "a permission",
                json!({"permissions": {"webcam": true}}),
                vec![],
            ),
            (
                "a permission that is not set",
                json!({"permissions": {"webcam": null}}),
                vec![],
            ),
            (
                "no such permission",
                json!({"permissions": {"fly": true}}),
                vec!["/client/permissions/fly"],
            ),
            (
                "a word for a permission",
                json!({"permissions": {"webcam": "on"}}),
                vec!["/client/permissions/webcam"],
            ),
            (
                "a time limit of nothing",
                json!({"session_time_limit_seconds": 0}),
                vec!["/client/session_time_limit_seconds"],
            ),
            (
                "no time limit",
                json!({"session_time_limit_seconds": null}),
                vec![],
            ),
            (
                "no such setting",
                json!({"volume": 11}),
                vec!["/client/volume"],
            ),
            (
                "less than a minute to enter",
                json!({"entry_timeout_seconds": 59}),
                vec!["/client/entry_timeout_seconds"],
            ),
            ("no object", json!(true), vec!["/client"]),
        ] {
            assert_eq!(read_one(&value).err().unwrap_or_default(), wrong, "{name}");
        }
    }

    #[test]
    fn view_is_accepted_as_input() {
        let settings = read_one(&json!({"permissions": {"audio": false}, "idle_minutes": 20}))
            .expect("is right");
        assert_eq!(read_one(&view(&settings)), Ok(settings));
    }
}
