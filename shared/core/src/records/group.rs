//! Owns the group: a name, a priority and what it says of sessions. Must not know how it is stored
//! or edited (see `group_form`).

use serde::{Deserialize, Serialize};

use crate::cast::Cast;
use crate::ids::GroupId;
use crate::invitation::Invitation;
use crate::permission::{ClientSettings, Grant};
use crate::record::Record;
use crate::session::{ANONYMOUS_KEEPALIVE_SECONDS, ENTRY_TIMEOUT_SECONDS};
use crate::terms::GivenTerms;
use crate::time::Timestamp;
use crate::user::User;

/// A group of users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Never changes.
    pub id: GroupId,
    /// Grows with every change; 0 while *All Users* has never been changed.
    pub version: u64,
    /// What the administrator set.
    pub settings: GroupSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When an administrator last changed it.
    pub updated_at: Timestamp,
}

/// What an administrator sets on a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSettings {
    /// Users whose login names a group of this name are in it.
    pub name: String,
    /// What the login provider calls it, besides `name`: an id, a path, another spelling.
    #[serde(default)]
    pub login_names: Vec<String>,
    /// For administrators only.
    #[serde(default)]
    pub description: String,
    /// For each setting, the lowest number that says something wins.
    pub priority: u32,
    /// What it says.
    #[serde(default)]
    pub client: ClientSettings,
}

impl Record for Group {
    const KIND: &'static str = "group";
    fn id(&self) -> &str {
        self.id.as_str()
    }
    fn version(&self) -> u64 {
        self.version
    }
}

/// The name of the group that contains every user.
pub const ALL_USERS: &str = "All Users";
/// Its priority until it is changed.
const ALL_USERS_PRIORITY: u32 = 1000;

impl Group {
    /// The id of *All Users*, which is never generated for another group.
    pub fn all_users_id() -> GroupId {
        GroupId::from_bytes([0; 16])
    }

    /// *All Users* before it is first changed.
    pub fn all_users() -> Self {
        Self {
            id: Self::all_users_id(),
            version: 0,
            settings: GroupSettings {
                name: ALL_USERS.into(),
                login_names: Vec::new(),
                description: "All users, including anonymous ones.".into(),
                priority: ALL_USERS_PRIORITY,
                client: ClientSettings::default(),
            },
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
        }
    }
}

impl GroupSettings {
    /// Whether a login with these groups is in this one.
    fn is_named_in(&self, groups: &[String]) -> bool {
        let mut names = self.login_names.iter().chain([&self.name]);
        names.any(|name| groups.contains(name))
    }
}

/// The groups of a visitor to this cast, the most important first: for a user those of the login,
/// for an anonymous visitor the cast's Anonymous User Group, for an invited one the invitation's,
/// those of the access tier and the admission hook, and *All Users* in any case.
pub fn groups_of<'a>(
    cast: &Cast,
    user: Option<&User>,
    invitation: Option<&Invitation>,
    given: GivenTerms<'_>,
    groups: &'a [Group],
) -> Vec<&'a Group> {
    let anonymous = cast.settings.anonymous_group_id.as_ref();
    let invited = invitation.and_then(|invitation| invitation.settings.group_id.as_ref());
    members(groups, |group| {
        let is_own = match user {
            Some(user) => group.settings.is_named_in(&user.groups),
            None => anonymous == Some(&group.id),
        };
        is_own || invited == Some(&group.id) || given.groups().any(|id| *id == group.id)
    })
}

/// What holds for a session of this cast, by the visitor's groups, invitation and access tier. A group
/// that is gone says nothing.
pub fn grant(
    cast: &Cast,
    user: Option<&User>,
    invitation: Option<&Invitation>,
    given: GivenTerms<'_>,
    groups: &[Group],
) -> Grant {
    let enforced = cast.settings.enforced_client_settings.as_ref();
    let mut grant = resolve(&groups_of(cast, user, invitation, given, groups), enforced);
    if let Some(invitation) = invitation {
        grant = invitation.limits(grant);
    }
    if let Some(limit) = given.tier.and_then(|terms| terms.time_limit_seconds) {
        let own = grant.session_time_limit_seconds;
        grant.session_time_limit_seconds = Some(own.map_or(limit, |own| own.min(limit)));
    }
    grant
        .entry_timeout_seconds
        .get_or_insert(ENTRY_TIMEOUT_SECONDS);
    if user.is_none() {
        // A returning anonymous visitor is not recognised, so the session could not be kept for
        // them.
        grant
            .keepalive_seconds
            .get_or_insert(ANONYMOUS_KEEPALIVE_SECONDS);
    }
    grant
}

/// The groups that a login with these names is in, the most important first.
pub fn groups_of_login<'a>(groups: &'a [Group], names: &[String]) -> Vec<&'a Group> {
    members(groups, |group| group.settings.is_named_in(names))
}

/// What holds for a session that is started ahead, for members of this group: by it and by *All
/// Users*.
pub fn grant_of(group: Option<&GroupId>, groups: &[Group]) -> Grant {
    resolve(&members(groups, |one| group == Some(&one.id)), None)
}

/// *All Users* and the groups that `is_in` picks, the most important first.
fn members(groups: &[Group], is_in: impl Fn(&Group) -> bool) -> Vec<&Group> {
    let is_in = |group: &&Group| group.id == Group::all_users_id() || is_in(group);
    let mut members: Vec<&Group> = groups.iter().filter(is_in).collect();
    members.sort_by_key(|group| (group.settings.priority, &group.id));
    members
}

fn resolve(member_of: &[&Group], enforced: Option<&ClientSettings>) -> Grant {
    let voices: Vec<&ClientSettings> = member_of
        .iter()
        .map(|group| &group.settings.client)
        .collect();
    Grant::resolve(enforced, &voices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;
    use crate::permission::Permission::Webcam;
    use crate::terms::AdmissionTerms;
    use crate::testing::cast;

    fn group(n: u8, name: &str, priority: u32, webcam: bool) -> Group {
        let mut group = Group::all_users();
        group.id = GroupId::from_bytes([n; 16]);
        group.settings.name = name.into();
        group.settings.priority = priority;
        group.settings.client.permissions = [(Webcam, webcam)].into();
        group
    }

    #[test]
    fn defaults_are_short_for_anonymous_users() {
        let user = User {
            id: UserId::from_bytes([1; 16]),
            name: "Ann".into(),
            roles: Vec::new(),
            groups: Vec::new(),
        };
        let mut patient = Group::all_users();
        patient.settings.client.keepalive_seconds = Some(7200);
        patient.settings.client.entry_timeout_seconds = Some(900);
        for (name, group, user, keepalive, entry) in [
            ("a stranger", Group::all_users(), None, Some(300), Some(300)),
            ("a user", Group::all_users(), Some(&user), None, Some(300)),
            (
                "a stranger, set",
                patient.clone(),
                None,
                Some(7200),
                Some(900),
            ),
            ("a user, set", patient, Some(&user), Some(7200), Some(900)),
        ] {
            let grant = grant(&cast(1), user, None, GivenTerms::default(), &[group]);
            assert_eq!(
                (grant.keepalive_seconds, grant.entry_timeout_seconds),
                (keepalive, entry),
                "{name}"
            );
        }
    }

    #[test]
    fn lowest_priority_number_of_own_groups_wins() {
        let user = |groups: &[&str]| User {
            id: UserId::from_bytes([1; 16]),
            name: "Ann".into(),
            roles: Vec::new(),
            groups: groups.iter().map(ToString::to_string).collect(),
        };
        let mut all_users = Group::all_users();
        all_users.settings.client.permissions = [(Webcam, false)].into();
        let groups = [
            all_users,
            group(1, "Staff", 10, true),
            group(2, "Guests", 5, false),
        ];
        for (name, anonymous_group, user, webcam) in [
            ("anonymous, without a group", None, None, false),
            ("anonymous, in a group", Some(1), None, true),
            ("anonymous, in a group that is gone", Some(9), None, false),
            ("logged in, in no group", Some(1), Some(user(&[])), false),
            ("logged in, in one", None, Some(user(&["Staff"])), true),
            (
                "logged in, in two",
                None,
                Some(user(&["Staff", "Guests"])),
                false,
            ),
            (
                "logged in, in one that nobody made",
                None,
                Some(user(&["Others"])),
                false,
            ),
        ] {
            let mut cast = cast(1);
            cast.settings.anonymous_group_id =
                anonymous_group.map(|n| GroupId::from_bytes([n; 16]));
            let grant = grant(&cast, user.as_ref(), None, GivenTerms::default(), &groups);
            assert_eq!(grant.permissions.contains(&Webcam), webcam, "{name}");
        }
    }

    #[test]
    fn invited_visitor_is_in_the_group_of_the_invitation() {
        let user = crate::testing::user(1);
        let groups = [
            Group::all_users(),
            group(1, "Guests", 10, true),
            group(2, "Link", 20, false),
        ];
        let mut cast = cast(1);
        cast.settings.anonymous_group_id = Some(GroupId::from_bytes([2; 16]));
        let mut invitation = crate::testing::invitation(1);
        invitation.settings.group_id = Some(GroupId::from_bytes([1; 16]));
        let silent = GivenTerms::default();
        let terms = |group: &Group| AdmissionTerms {
            group_id: Some(group.id.clone()),
            ..AdmissionTerms::default()
        };
        let (of_guests, of_link) = (terms(&groups[1]), terms(&groups[2]));
        let by_hook = GivenTerms {
            hook: Some(&of_link),
            ..silent
        };
        let by_both = GivenTerms {
            tier: Some(&of_guests),
            ..by_hook
        };
        for (name, user, invitation, given, expected) in [
            ("anonymous", None, None, silent, vec!["Link", ALL_USERS]),
            (
                "invited",
                None,
                Some(&invitation),
                silent,
                vec!["Guests", "Link", ALL_USERS],
            ),
            (
                "invited, logged in",
                Some(&user),
                Some(&invitation),
                silent,
                vec!["Guests", ALL_USERS],
            ),
            (
                "by the hook",
                Some(&user),
                None,
                by_hook,
                vec!["Link", ALL_USERS],
            ),
            (
                "by the hook and a tier",
                Some(&user),
                None,
                by_both,
                vec!["Guests", "Link", ALL_USERS],
            ),
        ] {
            let found: Vec<&str> = groups_of(&cast, user, invitation, given, &groups)
                .into_iter()
                .map(|group| group.settings.name.as_str())
                .collect();
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn time_limit_of_a_tier_shortens_and_never_extends() {
        let mut all_users = Group::all_users();
        all_users.settings.client.session_time_limit_seconds = Some(1800);
        for (tier, expected) in [(None, 1800), (Some(600), 600), (Some(3600), 1800)] {
            let terms = AdmissionTerms {
                time_limit_seconds: tier,
                ..AdmissionTerms::default()
            };
            let given = GivenTerms {
                tier: Some(&terms),
                hook: None,
            };
            let grant = grant(
                &cast(1),
                None,
                None,
                given,
                std::slice::from_ref(&all_users),
            );
            assert_eq!(grant.session_time_limit_seconds, Some(expected), "{tier:?}");
        }
    }

    #[test]
    fn login_is_in_groups_by_any_of_their_names() {
        let mut staff = group(1, "Staff", 10, true);
        staff.settings.login_names = vec!["9f3c-22".into(), "lab/staff".into()];
        let groups = [Group::all_users(), staff, group(2, "Guests", 5, false)];
        for (name, login, expected) in [
            ("its name", vec!["Staff"], vec!["Staff", ALL_USERS]),
            ("an id", vec!["9f3c-22"], vec!["Staff", ALL_USERS]),
            ("a path", vec!["lab/staff"], vec!["Staff", ALL_USERS]),
            ("another spelling", vec!["staff"], vec![ALL_USERS]),
            (
                "both, the most important first",
                vec!["lab/staff", "Guests"],
                vec!["Guests", "Staff", ALL_USERS],
            ),
            ("none", vec![], vec![ALL_USERS]),
        ] {
            let user = User {
                id: UserId::from_bytes([1; 16]),
                name: "Ann".into(),
                roles: Vec::new(),
                groups: login.into_iter().map(str::to_owned).collect(),
            };
            let found: Vec<&str> =
                groups_of(&cast(1), Some(&user), None, GivenTerms::default(), &groups)
                    .into_iter()
                    .map(|group| group.settings.name.as_str())
                    .collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}
