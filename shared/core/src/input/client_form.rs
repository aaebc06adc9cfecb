//! Owns the fields of client settings, which casts and groups share: permissions and limits. A
//! change replaces the whole object. Must not know groups or casts.

use std::collections::BTreeMap;

use serde_json::json;

use crate::field;
use crate::form::{Form, flag, whole};
use crate::permission::{ClientSettings, Permission};
use crate::resource::Widget;

/// The longest time limit, in seconds (7 days).
const LONGEST_SECONDS: u64 = 604_800;

type Field = field::Field<ClientSettings>;
type Permissions = BTreeMap<Permission, bool>;

/// The fields of the object, null where nothing is set.
pub(crate) fn fields() -> Vec<Field> {
    vec![
        Field::object("permissions", permissions(), |client| {
            &mut client.permissions
        }),
        // Unset is «no limit»; 0 would be a session that ends as it begins.
        Field::nullable(
            "session_time_limit_seconds",
            whole(60..=LONGEST_SECONDS),
            |client| &mut client.session_time_limit_seconds,
        )
        .label("Session time limit")
        .help("The smallest limit set by image, groups or cast applies. Empty: no limit.")
        .unit("seconds"),
        Field::nullable("idle_minutes", whole(1..=10_080), |client| {
            &mut client.idle_minutes
        })
        .label("Idle limit")
        .help("A session ends after this long without input. The visitor is warned first.")
        .unit("minutes"),
        Field::nullable("unattended_cpu_minutes", whole(1..=1440), |client| {
            &mut client.unattended_cpu_minutes
        })
        .label("Busy limit")
        .help(
            "A session ends when half of its processors were busy for this long without input, as \
             with miners.",
        )
        .unit("minutes"),
        Field::nullable("keepalive_seconds", whole(60..=LONGEST_SECONDS), |client| {
            &mut client.keepalive_seconds
        })
        .label("Disconnect timeout")
        .help(
            "A session ends when its visitor has been disconnected for this long. Empty: 3600, \
             or 300 for anonymous users.",
        )
        .unit("seconds"),
        Field::nullable(
            "entry_timeout_seconds",
            whole(60..=LONGEST_SECONDS),
            |client| &mut client.entry_timeout_seconds,
        )
        .label("Entry timeout")
        .help("A session ends if it is not entered within this time after it is ready. Empty: 300.")
        .unit("seconds"),
        Field::nullable("sessions_per_user", whole(1..=1000), |client| {
            &mut client.sessions_per_user
        })
        .label("Sessions per user")
        .help("How many live sessions a signed-in user may have, across all links.")
        .unit("sessions"),
    ]
}

fn permissions() -> Vec<field::Field<Permissions>> {
    use Permission::{
        Audio, ClipboardDown, ClipboardUp, Downloads, Gamepad, Microphone, Printing, Sharing,
        Uploads, Webcam,
    };
    [
        (Audio, "Sound", "From the session to the visitor."),
        (
            Microphone,
            "Microphone",
            "The visitor\u{2019}s, into the session.",
        ),
        (Webcam, "Camera", "The visitor\u{2019}s, into the session."),
        (
            Gamepad,
            "Game controller",
            "The visitor\u{2019}s, into the session.",
        ),
        (
            ClipboardDown,
            "Clipboard: session to visitor",
            "From the session\u{2019}s clipboard to the visitor\u{2019}s; enforced by the image.",
        ),
        (
            ClipboardUp,
            "Clipboard: visitor to session",
            "From the visitor\u{2019}s clipboard to the session\u{2019}s.",
        ),
        (Downloads, "Downloads", "Files out of the session."),
        (Uploads, "Uploads", "Files into the session."),
        (Printing, "Printing", "On the visitor\u{2019}s machine."),
        (
            Sharing,
            "Sharing",
            "The visitor may share the session with viewers.",
        ),
    ]
    .map(|(permission, label, help)| permission_field(permission).label(label).help(help))
    .into()
}

/// Allowed, forbidden, or null where nothing is set.
fn permission_field(permission: Permission) -> field::Field<Permissions> {
    let read = move |form: &mut Form, permissions: &mut Permissions| {
        match form.nullable(permission.as_str(), flag) {
            Some(allowed) => permissions.insert(permission, allowed),
            None => permissions.remove(&permission),
        };
    };
    let show = move |permissions: &mut Permissions| json!(permissions.get(&permission));
    field::Field::custom(permission.as_str(), Widget::Permission, read, show)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;
    use crate::field::{FieldTable, Section};

    fn table() -> FieldTable<ClientSettings> {
        let client = field::Field::object("client", fields(), |client| client);
        let section = Section {
            id: "",
            title: "",
            intro: "",
            fields: vec![client],
        };
        FieldTable::new("test", vec![section])
    }

    fn read_one(value: &Value) -> Result<ClientSettings, Vec<String>> {
        let mut form = Form::over(Map::new(), &json!({ "client": value }), &[]).expect("an object");
        let settings = table().read(&mut form);
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
        let mut settings = read_one(&json!({"permissions": {"audio": false}, "idle_minutes": 20}))
            .expect("is right");
        let view = table().view(&mut settings);
        assert_eq!(read_one(&view["client"]), Ok(settings));
    }

    #[test]
    fn each_permission_is_a_field() {
        let shown: Vec<_> = permissions().iter().map(|field| field.name()).collect();
        for permission in Permission::ALL {
            assert!(shown.contains(&permission.as_str()), "{permission:?}");
        }
        assert_eq!(shown.len(), Permission::ALL.len());
    }
}
