//! Owns the paths of the console's pages and actions, as its pages link to them. Must not know what
//! is there: `routes/table.rs` does, and a test holds that each path here is the path of a route.

use casting_core::audit::RecordKind;

macro_rules! paths {
    (
        $(#[doc = $constant_doc:literal] $constant:ident = $fixed:literal;)*
        fn { $(#[doc = $doc:literal] $name:ident = $path:literal;)* }
    ) => {
        $(
            #[doc = $constant_doc]
            pub(crate) const $constant: &str = $fixed;
        )*
        $(
            #[doc = $doc]
            pub(crate) fn $name(id: &str) -> String {
                $path.replace("{id}", id)
            }
        )*

        /// Every path, as the table of routes has it.
        #[cfg(test)]
        const ALL: &[&str] = &[$($fixed,)* $($path,)*];
    };
}

paths! {
    /// The dashboard.
    DASHBOARD = "/admin";
    /// The sign-in form.
    SIGN_IN = "/admin/sign-in";
    /// Signs out.
    SIGN_OUT = "/admin/sign-out";
    /// The time zone of the console.
    TIME_ZONE = "/admin/time-zone";
    /// All casts.
    CASTS = "/admin/casts";
    /// The form for a new cast.
    NEW_CAST = "/admin/new-cast";
    /// Checks a cast's form while it is filled in.
    CHECK_CAST = "/admin/check-cast";
    /// Checks an image's form while it is filled in.
    CHECK_IMAGE = "/admin/check-image";
    /// Checks a network's form while it is filled in.
    CHECK_NETWORK = "/admin/check-network";
    /// Checks a group's form while it is filled in.
    CHECK_GROUP = "/admin/check-group";
    /// Checks a staging config's form while it is filled in.
    CHECK_STAGING = "/admin/check-staging";
    /// Checks an API key's form while it is filled in.
    CHECK_API_KEY = "/admin/check-api-key";
    /// Checks the form of the settings while it is filled in.
    CHECK_SETTINGS = "/admin/check-settings";
    /// All claims.
    CLAIMS = "/admin/claims";
    /// Sessions.
    SESSIONS = "/admin/sessions";
    /// Acts on several sessions.
    BULK_SESSIONS = "/admin/bulk-sessions";
    /// Extends all sessions that have something in common.
    EXTEND_SESSIONS = "/admin/extend-sessions";
    /// Acts on several casts.
    BULK_CASTS = "/admin/bulk-casts";
    /// Undoes several changes.
    UNDO = "/admin/undo";
    /// Finds what a word or a reference leads to.
    FIND = "/admin/find";
    /// All images.
    IMAGES = "/admin/images";
    /// The form for a new image.
    NEW_IMAGE = "/admin/new-image";
    /// All networks.
    NETWORKS = "/admin/networks";
    /// The form for a new network.
    NEW_NETWORK = "/admin/new-network";
    /// All groups.
    GROUPS = "/admin/groups";
    /// The form for a new group.
    NEW_GROUP = "/admin/new-group";
    /// All staging configs.
    STAGING = "/admin/staging";
    /// The form for a new staging config.
    NEW_STAGING = "/admin/new-staging";
    /// All API keys.
    API_KEYS = "/admin/api-keys";
    /// The form for a new API key.
    NEW_API_KEY = "/admin/new-api-key";
    /// All users.
    USERS = "/admin/users";
    /// The settings.
    SETTINGS = "/admin/settings";
    /// Asks the CAPTCHA's provider about the stored keys.
    CHECK_CAPTCHA_KEYS = "/admin/settings/captcha-check";
    /// Previews a login from its claims.
    PREVIEW_LOGIN = "/admin/settings/login-preview";
    /// Switches maintenance off.
    END_MAINTENANCE = "/admin/settings/maintenance-end";
    /// The audit log.
    AUDIT = "/admin/audit";
    fn {
        /// One cast.
        cast = "/admin/casts/{id}";
        /// The form of a cast.
        cast_edit = "/admin/casts/{id}/edit";
        /// Deletes a cast.
        cast_delete = "/admin/casts/{id}/delete";
        /// Tests the link of a cast.
        cast_test = "/admin/casts/{id}/test";
        /// The claims of a cast.
        cast_claims = "/admin/casts/{id}/claims";
        /// The link of a cast as a QR code.
        cast_qr_code = "/admin/casts/{id}/qr.svg";
        /// Enables or disables a cast.
        cast_enabled = "/admin/casts/{id}/enabled";
        /// Replaces the key of a cast.
        cast_rotate = "/admin/casts/{id}/rotate";
        /// Takes the last replacement of the key of a cast back.
        cast_restore_key = "/admin/casts/{id}/restore-key";
        /// The trial of an image by a link of its own.
        cast_try = "/admin/casts/{id}/try";
        /// Duplicates a cast.
        cast_copy = "/admin/casts/{id}/copy";
        /// The invitations to a cast.
        cast_invitations = "/admin/casts/{id}/invitations";
        /// The form for new invitations to a cast.
        cast_invite = "/admin/casts/{id}/invite";
        /// The invitations to a cast as a sheet with QR codes.
        cast_invitation_sheet = "/admin/casts/{id}/invitation-sheet";
        /// The form of an invitation to a cast.
        cast_edit_invitation = "/admin/casts/{id}/edit-invitation";
        /// Revokes an invitation to a cast.
        cast_revoke_invitation = "/admin/casts/{id}/revoke-invitation";
        /// A hook, of a cast or of the deployment.
        hook = "/admin/hooks/{id}";
        /// Makes another secret for a hook.
        hook_secret = "/admin/hooks/{id}/secret";
        /// Sends a test event to a hook.
        hook_test = "/admin/hooks/{id}/test";
        /// Sends a delivery of a hook again.
        hook_replay = "/admin/hooks/{id}/replay";
        /// Ends the pause of a hook.
        hook_resume = "/admin/hooks/{id}/resume";
        /// One session.
        session = "/admin/sessions/{id}";
        /// Tells the visitor of a session something.
        session_message = "/admin/sessions/{id}/message";
        /// Extends a session.
        session_extend = "/admin/sessions/{id}/extend";
        /// Stops a session.
        session_stop = "/admin/sessions/{id}/stop";
        /// The abuse report of a session.
        session_abuse = "/admin/sessions/{id}/abuse";
        /// Ends the sharing of a session.
        session_unshare = "/admin/sessions/{id}/unshare";
        /// Watches a session.
        session_watch = "/admin/sessions/{id}/watch";
        /// A page of the manual.
        help = "/admin/help/{id}";
        /// One image.
        image = "/admin/images/{id}";
        /// Makes a link to try an image.
        image_try = "/admin/images/{id}/try";
        /// Deletes an image.
        image_delete = "/admin/images/{id}/delete";
        /// Registers the task definition of an image again.
        image_register = "/admin/images/{id}/register";
        /// One network.
        network = "/admin/networks/{id}";
        /// Deletes a network.
        network_delete = "/admin/networks/{id}/delete";
        /// One group.
        group = "/admin/groups/{id}";
        /// Deletes a group.
        group_delete = "/admin/groups/{id}/delete";
        /// One staging config.
        staging = "/admin/staging/{id}";
        /// Deletes a staging config.
        staging_delete = "/admin/staging/{id}/delete";
        /// One API key.
        api_key = "/admin/api-keys/{id}";
        /// Deletes an API key.
        api_key_delete = "/admin/api-keys/{id}/delete";
        /// One user.
        user = "/admin/users/{id}";
        /// Deletes a user.
        user_delete = "/admin/users/{id}/delete";
        /// Restores an earlier archive of a profile.
        profile_restore = "/admin/profiles/{id}/restore";
        /// Deletes a profile.
        profile_delete = "/admin/profiles/{id}/delete";
        /// Undoes a change.
        audit_undo = "/admin/audit/{id}/undo";
    }
}

/// The changes of one record in the audit log.
pub(crate) fn audit_of(id: &str) -> String {
    with_query(AUDIT, &[("about", id)])
}

/// The changes by actors with these words in their name.
pub(crate) fn audit_by(name: &str) -> String {
    with_query(AUDIT, &[("search", name)])
}

/// The claims from the address with this hash, of the last 30 days.
pub(crate) fn claims_from(address: &str) -> String {
    with_query(CLAIMS, &[("hours", "720"), ("address", address)])
}

/// The search for these words.
pub(crate) fn find_of(words: &str) -> String {
    with_query(FIND, &[("q", words)])
}

/// The anonymous users.
pub(crate) fn anonymous_users() -> String {
    with_query(USERS, &[("kind", "anonymous")])
}

fn with_query(path: &str, parameters: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    format!("{path}?{query}")
}

/// The paths for records of one kind.
#[derive(Clone, Copy)]
pub(crate) struct RecordPaths {
    /// All of them.
    pub(crate) list: &'static str,
    /// One of them.
    pub(crate) one: fn(&str) -> String,
    /// Deletes one.
    pub(crate) delete: fn(&str) -> String,
}

const fn record(
    list: &'static str,
    one: fn(&str) -> String,
    delete: fn(&str) -> String,
) -> RecordPaths {
    RecordPaths { list, one, delete }
}

/// Casts.
const CAST_PATHS: RecordPaths = record(CASTS, cast, cast_delete);
/// Images.
pub(crate) const IMAGE_PATHS: RecordPaths = record(IMAGES, image, image_delete);
/// Networks.
pub(crate) const NETWORK_PATHS: RecordPaths = record(NETWORKS, network, network_delete);
/// Groups.
pub(crate) const GROUP_PATHS: RecordPaths = record(GROUPS, group, group_delete);
/// Staging configs.
pub(crate) const STAGING_PATHS: RecordPaths = record(STAGING, staging, staging_delete);
/// API keys.
pub(crate) const API_KEY_PATHS: RecordPaths = record(API_KEYS, api_key, api_key_delete);

/// The paths for records of this kind, if they have pages of their own.
pub(crate) const fn of_kind(kind: RecordKind) -> Option<RecordPaths> {
    match kind {
        // Entries of invitations are those of their cast.
        RecordKind::Cast | RecordKind::Invitation => Some(CAST_PATHS),
        RecordKind::Image => Some(IMAGE_PATHS),
        RecordKind::Network => Some(NETWORK_PATHS),
        RecordKind::Group => Some(GROUP_PATHS),
        RecordKind::Staging => Some(STAGING_PATHS),
        RecordKind::ApiKey => Some(API_KEY_PATHS),
        RecordKind::User
        | RecordKind::Profile
        | RecordKind::Settings
        | RecordKind::Session
        | RecordKind::Console => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use casting_core::urls;

    use super::*;
    use crate::console::CONSOLE_ROUTES;

    #[test]
    fn paths_and_routes_of_the_console_are_the_same() {
        let routes: BTreeSet<_> = CONSOLE_ROUTES.iter().map(|line| line.route.path).collect();
        assert_eq!(routes, ALL.iter().copied().collect());
        assert_eq!((DASHBOARD, SIGN_IN), (urls::CONSOLE, urls::CONSOLE_SIGN_IN));
    }

    #[test]
    fn path_of_a_record_contains_its_id() {
        assert_eq!(cast_edit("c1"), "/admin/casts/c1/edit");
        assert_eq!(audit_of("c1"), "/admin/audit?about=c1");
    }
}
