//! Owns what a visitor may do inside a session, and the limits that come with it: single settings,
//! and how those of several groups and of the cast become one. Must not know who is in which group.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The variable that names everything that is allowed, for gates and apps of ours.
pub const PERMISSIONS_VARIABLE: &str = crate::session_environment::PERMISSIONS;

pub use casting_protocol::permission::Permission;

/// What one group, or a cast, says of permissions and limits. What it leaves out is left to the
/// next.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClientSettings {
    /// Allowed or forbidden.
    #[serde(default)]
    pub permissions: BTreeMap<Permission, bool>,
    /// How long a session may live, in seconds. The smallest value that is set applies.
    #[serde(default)]
    pub session_time_limit_seconds: Option<u32>,
    /// The idle timeout of a session, in minutes.
    #[serde(default)]
    pub idle_minutes: Option<u32>,
    /// A session that nobody touches ends when it has used half of its processors for so long, in
    /// minutes.
    #[serde(default)]
    pub unattended_cpu_minutes: Option<u32>,
    /// A session ends when no browser has been connected for so long, in seconds.
    #[serde(default)]
    pub keepalive_seconds: Option<u32>,
    /// The entry timeout: how long after it was ready a session without a visitor ends, in seconds.
    #[serde(default)]
    pub entry_timeout_seconds: Option<u32>,
    /// How many live sessions one user may have.
    #[serde(default)]
    pub sessions_per_user: Option<u32>,
}

/// What holds for one session, frozen when it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Everything that is allowed.
    #[serde(default)]
    pub permissions: BTreeSet<Permission>,
    /// The smallest time limit that is set, in seconds; the image's own applies as well.
    #[serde(default)]
    pub session_time_limit_seconds: Option<u32>,
    /// See [`ClientSettings::idle_minutes`].
    #[serde(default)]
    pub idle_minutes: Option<u32>,
    /// See [`ClientSettings::unattended_cpu_minutes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unattended_cpu_minutes: Option<u32>,
    /// See [`ClientSettings::keepalive_seconds`].
    #[serde(default)]
    pub keepalive_seconds: Option<u32>,
    /// See [`ClientSettings::entry_timeout_seconds`]; `None` only in rows from before there was
    /// such a limit, which have none.
    #[serde(default)]
    pub entry_timeout_seconds: Option<u32>,
    /// See [`ClientSettings::sessions_per_user`].
    #[serde(default)]
    pub sessions_per_user: Option<u32>,
}

impl Default for Grant {
    /// The defaults.
    fn default() -> Self {
        Self::resolve(None, &[])
    }
}

impl Grant {
    /// One session's settings: for each, the first that says something counts. `enforced` is the
    /// cast's own, which wins over every group; `groups` come with the most important first.
    pub fn resolve(enforced: Option<&ClientSettings>, groups: &[&ClientSettings]) -> Self {
        let voices = || enforced.into_iter().chain(groups.iter().copied());
        let allowed = |permission: &Permission| {
            voices()
                .find_map(|voice| voice.permissions.get(permission).copied())
                .unwrap_or(permission.by_default())
        };
        Self {
            permissions: Permission::ALL.into_iter().filter(allowed).collect(),
            session_time_limit_seconds: voices()
                .filter_map(|voice| voice.session_time_limit_seconds)
                .min(),
            idle_minutes: voices().find_map(|voice| voice.idle_minutes),
            unattended_cpu_minutes: voices().find_map(|voice| voice.unattended_cpu_minutes),
            keepalive_seconds: voices().find_map(|voice| voice.keepalive_seconds),
            entry_timeout_seconds: voices().find_map(|voice| voice.entry_timeout_seconds),
            sessions_per_user: voices().find_map(|voice| voice.sessions_per_user),
        }
    }

    /// How long a session may live whose image sets this limit, in seconds.
    pub fn time_limit_seconds(&self, of_image: u32) -> u32 {
        self.session_time_limit_seconds
            .map_or(of_image, |limit| limit.min(of_image))
    }

    /// The environment of the container: the variables that images of the kasmweb family read, and
    /// one of ours for the gate.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let has = |permission| self.permissions.contains(&permission);
        let switch = |permission| u8::from(has(permission)).to_string();
        let mut environment = vec![
            (
                PERMISSIONS_VARIABLE,
                self.permissions
                    .iter()
                    .map(|permission| permission.as_str())
                    .collect::<Vec<_>>()
                    .join(","),
            ),
            ("KASM_SVC_AUDIO", switch(Permission::Audio)),
            ("KASM_SVC_AUDIO_INPUT", switch(Permission::Microphone)),
            ("KASM_SVC_UPLOADS", switch(Permission::Uploads)),
            ("KASM_SVC_GAMEPAD", switch(Permission::Gamepad)),
            ("KASM_SVC_WEBCAM", switch(Permission::Webcam)),
            ("KASM_SVC_PRINTER", switch(Permission::Printing)),
        ];
        // These two are arguments of the VNC server; left out, it does both.
        if !has(Permission::ClipboardDown) {
            environment.push(("KASM_SVC_SEND_CUT_TEXT", "-SendCutText 0".to_owned()));
        }
        if !has(Permission::ClipboardUp) {
            environment.push(("KASM_SVC_ACCEPT_CUT_TEXT", "-AcceptCutText 0".to_owned()));
        }
        environment
    }

    /// The variables that switch off what is not permitted in Selkies, for images of the
    /// linuxserver family: their gate runs beside them and has no other way.
    pub fn selkies_environment(&self) -> Vec<(&'static str, String)> {
        let has = |permission| self.permissions.contains(&permission);
        let off = "false|locked".to_owned();
        let mut environment: Vec<(&'static str, String)> = [
            ("SELKIES_AUDIO_ENABLED", Permission::Audio),
            ("SELKIES_MICROPHONE_ENABLED", Permission::Microphone),
            ("SELKIES_GAMEPAD_ENABLED", Permission::Gamepad),
            ("SELKIES_CLIPBOARD_IN_ENABLED", Permission::ClipboardUp),
            ("SELKIES_CLIPBOARD_OUT_ENABLED", Permission::ClipboardDown),
        ]
        .into_iter()
        .filter(|(_, permission)| !has(*permission))
        .map(|(name, _)| (name, off.clone()))
        .collect();
        let transfers = match (has(Permission::Uploads), has(Permission::Downloads)) {
            (true, true) => return environment,
            (true, false) => "upload",
            (false, true) => "download",
            (false, false) => "none",
        };
        environment.push(("SELKIES_FILE_TRANSFERS", transfers.to_owned()));
        environment
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Permission::{Audio, Downloads, Webcam};

    fn says(
        permissions: &[(Permission, bool)],
        time_limit: Option<u32>,
        idle: Option<u32>,
    ) -> ClientSettings {
        ClientSettings {
            permissions: permissions.iter().copied().collect(),
            session_time_limit_seconds: time_limit,
            idle_minutes: idle,
            ..ClientSettings::default()
        }
    }

    #[test]
    fn first_explicit_value_wins_per_setting() {
        let (staff, all) = (
            says(&[(Webcam, true)], Some(600), None),
            says(&[(Webcam, false), (Downloads, false)], Some(3600), Some(20)),
        );
        let cast = says(&[(Downloads, true), (Webcam, false)], Some(7200), Some(5));
        for (name, enforced, groups, webcam, downloads, time_limit, idle) in [
            (
                "nobody says anything",
                None,
                vec![],
                false,
                true,
                None,
                None,
            ),
            (
                "one group",
                None,
                vec![&all],
                false,
                false,
                Some(3600),
                Some(20),
            ),
            (
                "the more important group",
                None,
                vec![&staff, &all],
                true,
                false,
                Some(600),
                Some(20),
            ),
            (
                "the other order",
                None,
                vec![&all, &staff],
                false,
                false,
                Some(600),
                Some(20),
            ),
            (
                "the cast over all groups",
                Some(&cast),
                vec![&staff, &all],
                false,
                true,
                Some(600),
                Some(5),
            ),
        ] {
            let grant = Grant::resolve(enforced, &groups);
            assert_eq!(grant.permissions.contains(&Webcam), webcam, "{name}");
            assert_eq!(grant.permissions.contains(&Downloads), downloads, "{name}");
            assert!(grant.permissions.contains(&Audio), "{name}");
            assert_eq!(
                (grant.session_time_limit_seconds, grant.idle_minutes),
                (time_limit, idle),
                "{name}"
            );
        }
    }

    #[test]
    fn permissions_are_passed_to_the_container() {
        let none = Grant {
            permissions: BTreeSet::new(),
            ..Grant::default()
        };
        let variable = |grant: &Grant, name: &str| {
            grant
                .environment()
                .into_iter()
                .find(|(found, _)| *found == name)
                .map(|(_, value)| value)
        };
        for (name, allowed, forbidden) in [
            ("KASM_SVC_AUDIO", Some("1"), Some("0")),
            ("KASM_SVC_UPLOADS", Some("1"), Some("0")),
            ("KASM_SVC_WEBCAM", Some("0"), Some("0")),
            ("KASM_SVC_SEND_CUT_TEXT", None, Some("-SendCutText 0")),
            ("KASM_SVC_ACCEPT_CUT_TEXT", None, Some("-AcceptCutText 0")),
            (
                "CAST_PERMISSIONS",
                Some("audio,clipboard_down,clipboard_up,downloads,uploads"),
                Some(""),
            ),
        ] {
            assert_eq!(
                variable(&Grant::default(), name).as_deref(),
                allowed,
                "{name}"
            );
            assert_eq!(variable(&none, name).as_deref(), forbidden, "{name}");
        }
    }

    #[test]
    fn selkies_environment_lists_what_is_forbidden() {
        let without = |left_out: &[Permission]| Grant {
            permissions: Permission::ALL
                .into_iter()
                .filter(|permission| !left_out.contains(permission))
                .collect(),
            ..Grant::default()
        };
        for (left_out, expected) in [
            (vec![], vec![]),
            (
                vec![Permission::Downloads],
                vec![("SELKIES_FILE_TRANSFERS", "upload")],
            ),
            (
                vec![Permission::Uploads],
                vec![("SELKIES_FILE_TRANSFERS", "download")],
            ),
            (
                vec![Permission::Uploads, Permission::Downloads, Audio],
                vec![
                    ("SELKIES_AUDIO_ENABLED", "false|locked"),
                    ("SELKIES_FILE_TRANSFERS", "none"),
                ],
            ),
            (
                vec![Permission::ClipboardUp],
                vec![("SELKIES_CLIPBOARD_IN_ENABLED", "false|locked")],
            ),
        ] {
            let variables = without(&left_out).selkies_environment();
            let variables: Vec<_> = variables
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            assert_eq!(variables, expected, "{left_out:?}");
        }
    }

    #[test]
    fn permissions_round_trip() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.as_str()), Some(permission));
            assert_eq!(
                serde_json::to_value(permission).expect("JSON"),
                permission.as_str()
            );
        }
    }
}
