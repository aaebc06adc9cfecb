//! Owns what the claims of a login say of its user: name, roles and groups, in every form in which
//! providers send them. Must not know how the claims were fetched or verified.

use std::collections::HashMap;

use casting_core::ids::UserId;
use casting_core::person_name::is_hidden;
use casting_core::user::{ConsoleRole, MAX_GROUPS, User};
use serde_json::{Map, Value};

use crate::oidc::OidcSettings;

/// The most that the groups of a login may take in its cookie, in bytes of JSON: signed and in
/// base64 it stays below the 4,096 bytes that browsers keep.
const MAX_GROUP_BYTES: usize = 2400;
/// The longest name of a user or group, in characters.
const MAX_NAME: usize = 80;
/// Claims with a user's name, the best first. Entra ID and AD FS have names of their own.
const NAMES: [&str; 8] = [
    "name",
    "preferred_username",
    "nickname",
    "cognito:username",
    "unique_name",
    "upn",
    "email",
    "given_name",
];
/// What names a group that is sent as an object.
const OBJECT_NAMES: [&str; 5] = ["displayName", "display_name", "name", "value", "id"];

/// Everything that is known of a user who has logged in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims(HashMap<String, Value>);

/// Something about a login that administrators should know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Oddity {
    /// The provider has left the groups out because there are too many of them.
    #[error(
        "the provider left the groups out because the user has too many; send only those that \
         are assigned to the application, or app roles"
    )]
    GroupsLeftOut,
    /// Not all groups fit into the cookie.
    #[error("{0} groups are left out because a cookie does not hold them; send fewer groups")]
    TooManyGroups(usize),
}

impl Claims {
    pub(crate) fn new(claims: HashMap<String, Value>) -> Self {
        Self(claims)
    }

    /// Adds what is not there yet.
    pub(crate) fn complete(&mut self, more: Claims) {
        for (name, value) in more.0 {
            self.0.entry(name).or_insert(value);
        }
    }

    /// Whether the provider may know more than this: neither roles nor groups are here, or no name.
    pub(crate) fn is_incomplete(&self, settings: &OidcSettings) -> bool {
        let has = |claim: &str| self.find(claim).is_some();
        (!has(&settings.groups_claim) && !has(&settings.roles_claim)) || self.name().is_none()
    }

    /// The user, and what is odd about the login.
    pub(crate) fn user(
        &self,
        issuer: &str,
        subject: &str,
        settings: &OidcSettings,
    ) -> (User, Vec<Oddity>) {
        let mut oddities = Vec::new();
        let roles = self.texts(&settings.roles_claim);
        let role = |value: &str, role| roles.iter().any(|found| found == value).then_some(role);
        let groups = self.texts(&settings.groups_claim);
        if groups.is_empty() && self.says_overage(&settings.groups_claim) {
            oddities.push(Oddity::GroupsLeftOut);
        }
        let (mut kept, mut bytes) = (Vec::new(), 0);
        let all = groups.len();
        for group in groups {
            // In JSON, with quotes and a comma.
            bytes += Value::from(group.as_str()).to_string().len() + 1;
            if kept.len() == MAX_GROUPS || bytes > MAX_GROUP_BYTES {
                break;
            }
            kept.push(group);
        }
        if kept.len() < all {
            oddities.push(Oddity::TooManyGroups(all - kept.len()));
        }
        let user = User {
            id: UserId::of(issuer, subject),
            name: self.name().unwrap_or_else(|| shorten(subject)),
            roles: [
                role(&settings.admin_value, ConsoleRole::Admin),
                role(&settings.auditor_value, ConsoleRole::Auditor),
            ]
            .into_iter()
            .flatten()
            .collect(),
            groups: kept,
        };
        (user, oddities)
    }

    fn name(&self) -> Option<String> {
        let text = |name: &&str| self.0.get(*name).and_then(Value::as_str);
        let mut names = NAMES.iter().filter_map(text).map(shorten);
        names.find(|name| !name.trim().is_empty())
    }

    /// A claim by its name, or by a path through objects: `realm_access.roles`.
    fn find(&self, claim: &str) -> Option<&Value> {
        if let Some(value) = self.0.get(claim) {
            return Some(value);
        }
        let mut steps = claim.split('.');
        let first = self.0.get(steps.next()?)?;
        let path = steps.try_fold((first, 0), |(value, depth), step| {
            Some((value.get(step)?, depth + 1))
        })?;
        (path.1 > 0).then_some(path.0)
    }

    fn texts(&self, claim: &str) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(value) = self.find(claim) {
            collect(value, &mut found);
        }
        let mut seen = std::collections::HashSet::new();
        found.retain(|text| !text.is_empty() && seen.insert(text.clone()));
        found
    }

    /// Entra ID's way to say that there are more groups than a token holds.
    fn says_overage(&self, claim: &str) -> bool {
        let elsewhere = self
            .0
            .get("_claim_names")
            .and_then(|names| names.get(claim));
        let has = self.0.get("hasgroups").and_then(Value::as_bool);
        elsewhere.is_some() || has == Some(true)
    }
}

/// The texts in a claim: one text, a list of texts or objects, or an object whose keys are names.
fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(list @ Value::Array(_)) => collect(&list, found),
            _ if is_distinguished(text) => found.push(plain_name(text)),
            _ => found.extend(text.split(',').map(|one| plain_name(one.trim()))),
        },
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::String(text) => found.push(plain_name(text)),
                    Value::Object(fields) => found.extend(name_of(fields)),
                    _ => {}
                }
            }
        }
        Value::Object(fields) => found.extend(fields.keys().map(|name| plain_name(name))),
        _ => {}
    }
}

fn name_of(fields: &Map<String, Value>) -> Option<String> {
    let text = |name: &&str| fields.get(*name).and_then(Value::as_str);
    OBJECT_NAMES.iter().find_map(text).map(plain_name)
}

/// Whether this is a name of LDAP: `CN=Staff,OU=Groups,DC=example,DC=com`.
fn is_distinguished(text: &str) -> bool {
    text.get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("cn="))
        && text.contains(',')
}

/// The name of a group: of an LDAP name its first part, of a path all but the slash before it.
/// Empty where it has characters that lists would not show: without them it could be the name of
/// another group.
fn plain_name(text: &str) -> String {
    if text.chars().any(is_hidden) {
        return String::new();
    }
    if is_distinguished(text) {
        let first = text.get(3..).unwrap_or_default();
        return shorten(first.split(',').next().unwrap_or_default());
    }
    shorten(text.strip_prefix('/').unwrap_or(text))
}

/// A name as lists show it: on one line, and without what would turn the direction of the text
/// around it.
pub(crate) fn shorten(text: &str) -> String {
    text.chars()
        .filter(|c| !is_hidden(*c))
        .take(MAX_NAME)
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    const ISSUER: &str = "https://login.example";

    fn read(claims: &Value, claim: &str) -> (User, Vec<Oddity>) {
        let settings = OidcSettings {
            groups_claim: claim.into(),
            roles_claim: claim.into(),
            ..OidcSettings::new(ISSUER, "casting")
        };
        let claims = serde_json::from_value(claims.clone()).expect("an object");
        Claims::new(claims).user(ISSUER, "subject", &settings)
    }

    /// Provider and case as in `docs/login.md`, the claim that is set, what the provider documents,
    /// and what follows: name, groups, whether an administrator.
    pub(crate) type Documented = (
        &'static str,
        &'static str,
        Value,
        &'static str,
        Vec<&'static str>,
        bool,
    );

    pub(crate) fn documented() -> Vec<Documented> {
        vec![
            (
                "Auth0",
                "https://cast.example.com/roles",
                json!({"nickname": "ann", "name": "ann@example.com",
                "picture": "https://s.gravatar.com/avatar/a.png",
                    "updated_at": "2026-11-23T11:59:30.123Z", "email": "ann@example.com",
                    "email_verified": true,
                    "https://cast.example.com/roles": ["admin", "staff"]}),
                "ann@example.com",
                vec!["admin", "staff"],
                true,
            ),
            (
                "Entra ID, version 2",
                "groups",
                json!({"ver": "2.0", "oid": "00000000-0000-0000-66f3-3332eca7ea81",
                "tid": "9122040d-6c67-4c5b-b112-36a304b66dad",
                    "name": "Ann Example", "preferred_username": "ann@example.com",
                    "groups": ["0760b6cf-170e-4a14-91b3-4b78e0739963"]}),
                "Ann Example",
                vec!["0760b6cf-170e-4a14-91b3-4b78e0739963"],
                false,
            ),
            (
                "Entra ID, version 1",
                "roles",
                json!({"ver": "1.0", "unique_name": "ann@example.com", "upn": "ann@example.com",
                "family_name": "Example",
                    "ipaddr": "192.0.2.1", "roles": ["admin"]}),
                "ann@example.com",
                vec!["admin"],
                true,
            ),
            (
                "AD FS",
                "group",
                json!({"unique_name": "EXAMPLE\\ann", "upn": "ann@example.com",
                "group": "Domain Users", "apptype": "Confidential"}),
                "EXAMPLE\\ann",
                vec!["Domain Users"],
                false,
            ),
            (
                "Keycloak, groups",
                "groups",
                json!({"name": "Ann Example", "preferred_username": "ann", "azp": "casting",
                "email_verified": false,
                    "groups": ["/admin", "/staff/lab"]}),
                "Ann Example",
                vec!["admin", "staff/lab"],
                true,
            ),
            (
                "Keycloak, roles",
                "realm_access.roles",
                json!({"preferred_username": "ann", "realm_access": {"roles": ["offline_access",
                "admin"]},
                    "resource_access": {"account": {"roles": ["view-profile"]}}}),
                "ann",
                vec!["offline_access", "admin"],
                true,
            ),
            (
                "Zitadel",
                "urn:zitadel:iam:org:project:roles",
                json!({"name": "Ann Example", "azp": "69234237810729019",
                    "urn:zitadel:iam:org:project:roles": {"admin": {"178204173316174381": "example.zitadel.cloud"}}}),
                "Ann Example",
                vec!["admin"],
                true,
            ),
            (
                "Okta",
                "groups",
                json!({"ver": 1, "name": "Ann Example", "preferred_username": "ann@example.com",
                "amr": ["pwd"],
                    "idp": "00ok1u7AsAkrwdZL3z0g3", "groups": ["Everyone", "admin"]}),
                "Ann Example",
                vec!["Everyone", "admin"],
                true,
            ),
            (
                "GitLab",
                "groups_direct",
                json!({"name": "Ann Example", "nickname": "ann", "preferred_username": "ann",
                "sub_legacy": "a1",
                    "groups_direct": ["example", "example/lab"]}),
                "Ann Example",
                vec!["example", "example/lab"],
                false,
            ),
            (
                "Cognito",
                "cognito:groups",
                json!({"cognito:username": "ann", "email": "ann@example.com",
                "email_verified": true, "token_use": "id",
                    "cognito:groups": ["admin"],
                    "cognito:roles": ["arn:aws:iam::111122223333:role/x"]}),
                "ann",
                vec!["admin"],
                true,
            ),
            (
                "Google",
                "groups",
                json!({"name": "Ann Example", "email": "ann@example.com", "email_verified": true,
                "hd": "example.com",
                    "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q"}),
                "Ann Example",
                vec![],
                false,
            ),
            (
                "Apple",
                "groups",
                json!({"email": "x@privaterelay.appleid.com", "email_verified": "true",
                "is_private_email": "true",
                    "auth_time": 1_795_435_200, "nonce_supported": true}),
                "x@privaterelay.appleid.com",
                vec![],
                false,
            ),
            (
                "Authentik",
                "groups",
                json!({"name": "Ann Example", "preferred_username": "ann", "nickname": "ann",
                "uid": "a1",
                    "groups": ["authentik Admins", "admin"], "entitlements": [], "roles": []}),
                "Ann Example",
                vec!["authentik Admins", "admin"],
                true,
            ),
        ]
    }

    #[test]
    fn name_has_no_hidden_characters() {
        for (name, claimed, expected) in [
            ("an override", "Ann\u{202e}nimda", "Annnimda"),
            ("isolates", "\u{2066}Ann\u{2069}", "Ann"),
            ("a line break", "Ann\nroot", "Annroot"),
            (
                "a joiner, as Persian needs",
                "\u{6cc}\u{200c}\u{6cc}",
                "\u{6cc}\u{200c}\u{6cc}",
            ),
        ] {
            let (user, _) = read(&json!({ "name": claimed }), "groups");
            assert_eq!(user.name, expected, "{name}");
        }
    }

    #[test]
    fn documented_claims_of_providers_are_understood() {
        let manual = include_str!("../../../docs/login.md");
        let (_, table) = manual.split_once("| provider | claim |").expect("a table");
        let table = table
            .lines()
            .skip(2)
            .take_while(|line| line.starts_with("| "));
        assert_eq!(table.count(), documented().len(), "rows and providers");
        for (provider, claim, claims, name, groups, admin) in documented() {
            let (user, oddities) = read(&claims, claim);
            assert_eq!(user.name, name, "{provider}");
            assert_eq!(user.groups, groups, "{provider}");
            assert_eq!(user.roles == [ConsoleRole::Admin], admin, "{provider}");
            assert_eq!(oddities, [], "{provider}");
            let row = format!("| {provider} | `{claim}` |");
            assert!(manual.contains(&row), "docs/login.md lacks: {row}");
        }
    }

    #[test]
    fn groups_come_in_many_forms() {
        for (name, groups, expected) in [
            ("a list", json!(["a", "b"]), vec!["a", "b"]),
            ("a text", json!("Domain Users"), vec!["Domain Users"]),
            ("a text with commas", json!("a, b,,c"), vec!["a", "b", "c"]),
            ("a list as a text", json!("[\"a\",\"b\"]"), vec!["a", "b"]),
            (
                "objects",
                json!([{"id": "1", "name": "a"}, {"displayName": "b"}, {"id": "c"}]),
                vec!["a", "b", "c"],
            ),
            ("paths", json!(["/a/b", "c"]), vec!["a/b", "c"]),
            (
                "LDAP names",
                json!(["CN=Staff,OU=Groups,DC=example,DC=com", "cn=lab,dc=example"]),
                vec!["Staff", "lab"],
            ),
            (
                "an LDAP name",
                json!("CN=Staff,OU=Groups,DC=example,DC=com"),
                vec!["Staff"],
            ),
            ("twice the same", json!(["a", "a", "/a"]), vec!["a"]),
            (
                "hidden characters",
                json!(["ad\u{0}min", "ad\u{202e}min", "a"]),
                vec!["a"],
            ),
            ("numbers and null", json!([1, null, "a"]), vec!["a"]),
            ("a number", json!(7), vec![]),
            ("null", Value::Null, vec![]),
        ] {
            let (user, _) = read(&json!({"groups": groups}), "groups");
            assert_eq!(user.groups, expected, "{name}");
        }
    }

    #[test]
    fn login_of_a_user_with_many_groups_fits_a_cookie() {
        use casting_core::keys::Keyring;
        use casting_core::testing::NOON;
        use casting_core::ticket::LoginTicket;
        for (name, count, length) in [("long", 60, 80), ("short", 60, 8), ("wide", 60, 27)] {
            let letter = if name == "wide" { "\u{4e2d}" } else { "g" };
            let groups: Vec<String> = (0..count)
                .map(|n| format!("{n:02}{}", letter.repeat(length)))
                .collect();
            let (user, oddities) = read(
                &json!({"name": "n".repeat(200), "groups": groups}),
                "groups",
            );
            assert!(
                !user.groups.is_empty() && user.groups.len() < count,
                "{name}"
            );
            let left_out = count - user.groups.len();
            assert_eq!(oddities, [Oddity::TooManyGroups(left_out)], "{name}");
            let ticket = LoginTicket {
                user,
                expires: NOON,
            };
            let cookie = format!("__Host-cast-login={}", ticket.sign(&Keyring::new(&[1; 32])));
            assert!(cookie.len() <= 4000, "{name}: {} bytes", cookie.len());
        }
    }

    #[test]
    fn overage_is_noted() {
        for (name, claims, noted) in [
            (
                "Entra ID, by code",
                json!({"_claim_names": {"groups": "src1"},
                "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}}),
                true,
            ),
            ("Entra ID, in a fragment", json!({"hasgroups": true}), true),
            ("no groups at all", json!({}), false),
            (
                "another claim",
                json!({"_claim_names": {"address": "src1"}}),
                false,
            ),
        ] {
            let (user, oddities) = read(&claims, "groups");
            assert_eq!(user.groups, Vec::<String>::new(), "{name}");
            assert_eq!(oddities.contains(&Oddity::GroupsLeftOut), noted, "{name}");
        }
    }

    #[test]
    fn incomplete_claims_are_completed() {
        let settings = OidcSettings::new(ISSUER, "casting");
        let claims = |value: Value| Claims::new(serde_json::from_value(value).expect("an object"));
        for (name, value, incomplete) in [
            ("nothing", json!({}), true),
            ("a name only", json!({"name": "Ann"}), true),
            ("groups only", json!({"groups": []}), true),
            (
                "a name and groups",
                json!({"name": "Ann", "groups": []}),
                false,
            ),
            (
                "a name and roles",
                json!({"email": "a@b.example", "roles": "x"}),
                false,
            ),
        ] {
            assert_eq!(claims(value).is_incomplete(&settings), incomplete, "{name}");
        }
        let mut known = claims(json!({"name": "Ann"}));
        known.complete(claims(json!({"name": "Eve", "groups": ["staff"]})));
        let (user, _) = known.user(ISSUER, "subject", &settings);
        assert_eq!(
            (user.name.as_str(), user.groups),
            ("Ann", vec!["staff".to_owned()])
        );
    }
}
