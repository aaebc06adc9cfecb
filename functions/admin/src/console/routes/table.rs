//! Owns the routes of the console: each with its required access and its handler. Must not know
//! what a handler does.

use std::sync::LazyLock;

use casting_core::ControlPlane;
use casting_core::actor::Scope;
use casting_web::{Access, Line, Reply, Request, RequestContext, Route, Router};
use futures_util::future::BoxFuture;
use http::Method;

use super::records::Kind;
use super::{
    ConsoleRequest, ask_for_zone, casts, claims, find, hooks, invitations, people, profiles,
    records, sessions, set_zone, show_help, show_sign_in, sign_in, sign_out,
};
use casting_web::HandlerError;

/// A route of the console.
pub(crate) struct ConsoleRoute {
    /// Path, method, access and summary.
    pub(crate) route: Route,
    /// The handler.
    pub(super) handler: Handler,
}

impl Line for ConsoleRoute {
    fn route(&self) -> &Route {
        &self.route
    }
}

/// The handler of a route of the console.
pub(super) enum Handler {
    /// Without authentication.
    Open(for<'a> fn(&'a ControlPlane, &'a RequestContext, &'a Request) -> BoxFuture<'a, Reply>),
    /// For signed-in users with the required access.
    SignedIn(for<'a> fn(&'a ConsoleRequest<'a>) -> BoxFuture<'a, Result<Reply, HandlerError>>),
}

macro_rules! console_routes {
    ($(
        #[doc = $summary:literal]
        $method:ident $path:literal, $access:ident $(($scope:ident))? => $handler:path $(, $argument:expr)*;
    )*) => {
        /// Every route of the console.
        pub(crate) static CONSOLE_ROUTES: &[ConsoleRoute] = &[
            $(ConsoleRoute {
                route: Route {
                    method: Method::$method,
                    path: $path,
                    access: Access::$access $((Scope::$scope))?,
                    summary: $summary,
                },
                handler: console_routes!(@handler $access $handler $(, $argument)*),
            },)*
        ];
    };
    (@handler Public $handler:path) => {
        Handler::Open(|control_plane, visit, request| Box::pin($handler(control_plane, visit, request)))
    };
    (@handler $access:ident $handler:path $(, $argument:expr)*) => {
        Handler::SignedIn(|request| Box::pin($handler(request $(, $argument)*)))
    };
}

console_routes! {
    /// The sign-in form.
    GET "/admin/sign-in", Public => show_sign_in;
    /// Signs in.
    POST "/admin/sign-in", Public => sign_in;
    /// Signs out.
    POST "/admin/sign-out", SignedIn => sign_out;
    /// The form in which the time zone of charts is chosen.
    GET "/admin/time-zone", SignedIn => ask_for_zone;
    /// Keeps the time zone of charts in the browser.
    POST "/admin/time-zone", SignedIn => set_zone;
    /// A page of the manual.
    GET "/admin/help/{id}", SignedIn => show_help;
    /// The dashboard.
    GET "/admin", Read => claims::overview;
    /// All casts.
    GET "/admin/casts", Read => casts::list;
    /// The form for a new cast.
    GET "/admin/new-cast", Write(Casts) => casts::ask;
    /// A new cast.
    POST "/admin/casts", Write(Casts) => casts::make;
    /// One cast.
    GET "/admin/casts/{id}", Read => casts::show;
    /// Changes a cast.
    POST "/admin/casts/{id}", Write(Casts) => casts::save;
    /// Whether to delete a cast.
    GET "/admin/casts/{id}/delete", Write(Casts) => casts::ask_to_delete, "";
    /// Deletes a cast.
    POST "/admin/casts/{id}/delete", Write(Casts) => casts::delete;
    /// The form of a cast.
    GET "/admin/casts/{id}/edit", Write(Casts) => casts::edit;
    /// The form that tests a link.
    GET "/admin/casts/{id}/test", Read => casts::show_trial;
    /// Tests a link.
    POST "/admin/casts/{id}/test", Read => casts::run_trial;
    /// A cast's claims.
    GET "/admin/casts/{id}/claims", Read => claims::of_cast;
    /// A link as a QR code.
    GET "/admin/casts/{id}/qr.svg", Read => casts::qr_code;
    /// The invitations to a cast.
    GET "/admin/casts/{id}/invitations", Read => invitations::list;
    /// New invitations to a cast.
    POST "/admin/casts/{id}/invitations", Write(Casts) => invitations::make;
    /// The form for new invitations to a cast.
    GET "/admin/casts/{id}/invite", Write(Casts) => invitations::ask;
    /// The invitations to a cast as a sheet with QR codes.
    GET "/admin/casts/{id}/invitation-sheet", Read => invitations::sheet;
    /// The form of an invitation.
    GET "/admin/casts/{id}/edit-invitation", Write(Casts) => invitations::edit;
    /// Changes an invitation.
    POST "/admin/casts/{id}/edit-invitation", Write(Casts) => invitations::save;
    /// Whether to revoke an invitation.
    GET "/admin/casts/{id}/revoke-invitation", Write(Casts) => invitations::ask_to_revoke;
    /// Revokes an invitation.
    POST "/admin/casts/{id}/revoke-invitation", Write(Casts) => invitations::revoke;
    /// A hook with its deliveries.
    GET "/admin/hooks/{id}", Read => hooks::show;
    /// Makes another secret for a hook.
    POST "/admin/hooks/{id}/secret", Change => hooks::rotate;
    /// Sends a test event to a hook.
    POST "/admin/hooks/{id}/test", Change => hooks::test;
    /// Sends a delivery again.
    POST "/admin/hooks/{id}/replay", Change => hooks::replay;
    /// Ends the pause of a hook.
    POST "/admin/hooks/{id}/resume", Change => hooks::resume;
    /// Enables or disables a cast.
    POST "/admin/casts/{id}/enabled", Write(Casts) => casts::switch;
    /// Replaces the key of a cast.
    POST "/admin/casts/{id}/rotate", Write(Casts) => casts::rotate;
    /// Takes the last replacement of the key of a cast back.
    POST "/admin/casts/{id}/restore-key", Write(Casts) => casts::restore_key;
    /// What becomes of the session of a link that tries an image.
    GET "/admin/casts/{id}/try", Read => casts::show_try;
    /// Makes a link to try an image, with room for one session.
    POST "/admin/images/{id}/try", Write(Casts) => casts::try_image;
    /// Copies a cast.
    POST "/admin/casts/{id}/copy", Write(Casts) => casts::copy;
    /// Checks the form of a cast while it is filled in.
    POST "/admin/check-cast", Write(Casts) => casts::check;
    /// Fills in the form for a new cast from a template.
    POST "/admin/new-cast", Write(Casts) => casts::fill_in;
    /// Fills in the form for a new image from a preset.
    POST "/admin/new-image", Write(Images) => records::fill_in;
    /// Checks the form of an image while it is filled in.
    POST "/admin/check-image", Write(Images) => records::check, Kind::Image;
    /// Checks the form of a network while it is filled in.
    POST "/admin/check-network", Write(Images) => records::check, Kind::Network;
    /// Checks the form of a group while it is filled in.
    POST "/admin/check-group", Write(People) => records::check, Kind::Group;
    /// Checks the form of a staging config while it is filled in.
    POST "/admin/check-staging", Write(Casts) => records::check, Kind::Staging;
    /// Checks the form of an API key while it is filled in.
    POST "/admin/check-api-key", Write(Keys) => records::check, Kind::ApiKey;
    /// Checks the form of the settings while it is filled in.
    POST "/admin/check-settings", Write(Settings) => people::check_settings;
    /// All claims.
    GET "/admin/claims", Read => claims::of_all;
    /// Acts on several casts.
    POST "/admin/bulk-casts", Write(Casts) => casts::bulk;
    /// Sessions.
    GET "/admin/sessions", Read => sessions::list;
    /// Acts on several sessions.
    POST "/admin/bulk-sessions", Write(Sessions) => sessions::bulk;
    /// By how much to extend all sessions that have something in common.
    GET "/admin/extend-sessions", Write(Sessions) => sessions::ask_to_extend;
    /// Extends all sessions that have something in common.
    POST "/admin/extend-sessions", Write(Sessions) => sessions::extend_found;
    /// One session.
    GET "/admin/sessions/{id}", Read => sessions::show;
    /// Tells the visitor of a session something.
    POST "/admin/sessions/{id}/message", Write(Sessions) => sessions::message;
    /// Extends a session.
    POST "/admin/sessions/{id}/extend", Write(Sessions) => sessions::extend;
    /// The abuse report of a session.
    GET "/admin/sessions/{id}/abuse", Read => sessions::abuse;
    /// Whether to end a session.
    GET "/admin/sessions/{id}/stop", Write(Sessions) => sessions::ask_to_stop;
    /// Ends a session.
    POST "/admin/sessions/{id}/stop", Write(Sessions) => sessions::stop;
    /// Ends the sharing of a session.
    POST "/admin/sessions/{id}/unshare", Write(Sessions) => sessions::unshare;
    /// Watches a session.
    POST "/admin/sessions/{id}/watch", Write(Sessions) => sessions::watch;
    /// All images.
    GET "/admin/images", Read => records::list, Kind::Image;
    /// The form for a new image.
    GET "/admin/new-image", Write(Images) => records::ask, Kind::Image;
    /// A new image.
    POST "/admin/images", Write(Images) => records::make, Kind::Image;
    /// One image, to be changed.
    GET "/admin/images/{id}", Read => records::show, Kind::Image;
    /// Changes an image.
    POST "/admin/images/{id}", Write(Images) => records::save, Kind::Image;
    /// Whether to delete an image.
    GET "/admin/images/{id}/delete", Write(Images) => records::ask_to_delete, Kind::Image, "";
    /// Deletes an image.
    POST "/admin/images/{id}/delete", Write(Images) => records::delete, Kind::Image;
    /// Registers an image's task definition again, with the current gate.
    POST "/admin/images/{id}/register", Write(Images) => records::register;
    /// All networks.
    GET "/admin/networks", Read => records::list, Kind::Network;
    /// The form for a new network.
    GET "/admin/new-network", Write(Images) => records::ask, Kind::Network;
    /// A new network.
    POST "/admin/networks", Write(Images) => records::make, Kind::Network;
    /// One network, to be changed.
    GET "/admin/networks/{id}", Read => records::show, Kind::Network;
    /// Changes a network.
    POST "/admin/networks/{id}", Write(Images) => records::save, Kind::Network;
    /// Whether to delete a network.
    GET "/admin/networks/{id}/delete", Write(Images) => records::ask_to_delete, Kind::Network, "";
    /// Deletes a network.
    POST "/admin/networks/{id}/delete", Write(Images) => records::delete, Kind::Network;
    /// All groups.
    GET "/admin/groups", Read => records::list, Kind::Group;
    /// The form for a new group.
    GET "/admin/new-group", Write(People) => records::ask, Kind::Group;
    /// A new group.
    POST "/admin/groups", Write(People) => records::make, Kind::Group;
    /// One group, to be changed.
    GET "/admin/groups/{id}", Read => records::show, Kind::Group;
    /// Changes a group.
    POST "/admin/groups/{id}", Write(People) => records::save, Kind::Group;
    /// Whether to delete a group.
    GET "/admin/groups/{id}/delete", Write(People) => records::ask_to_delete, Kind::Group, "";
    /// Deletes a group.
    POST "/admin/groups/{id}/delete", Write(People) => records::delete, Kind::Group;
    /// All staging configs.
    GET "/admin/staging", Read => records::list, Kind::Staging;
    /// The form for a new staging config.
    GET "/admin/new-staging", Write(Casts) => records::ask, Kind::Staging;
    /// A new staging config.
    POST "/admin/staging", Write(Casts) => records::make, Kind::Staging;
    /// One staging config, to be changed.
    GET "/admin/staging/{id}", Read => records::show, Kind::Staging;
    /// Changes a staging config.
    POST "/admin/staging/{id}", Write(Casts) => records::save, Kind::Staging;
    /// Whether to delete a staging config.
    GET "/admin/staging/{id}/delete", Write(Casts) => records::ask_to_delete, Kind::Staging, "";
    /// Deletes a staging config.
    POST "/admin/staging/{id}/delete", Write(Casts) => records::delete, Kind::Staging;
    /// All API keys.
    GET "/admin/api-keys", Read => records::list, Kind::ApiKey;
    /// The form for a new API key.
    GET "/admin/new-api-key", Write(Keys) => records::ask, Kind::ApiKey;
    /// A new API key.
    POST "/admin/api-keys", Write(Keys) => records::make, Kind::ApiKey;
    /// One API key, to be changed.
    GET "/admin/api-keys/{id}", Read => records::show, Kind::ApiKey;
    /// Changes an API key.
    POST "/admin/api-keys/{id}", Write(Keys) => records::save, Kind::ApiKey;
    /// Whether to delete an API key.
    GET "/admin/api-keys/{id}/delete", Write(Keys) => records::ask_to_delete, Kind::ApiKey, "";
    /// Deletes an API key.
    POST "/admin/api-keys/{id}/delete", Write(Keys) => records::delete, Kind::ApiKey;
    /// All users.
    GET "/admin/users", Read => people::users;
    /// One user, with their persistent profiles.
    GET "/admin/users/{id}", Read => profiles::show;
    /// Restores an earlier archive of a profile.
    POST "/admin/profiles/{id}/restore", Write(People) => profiles::restore;
    /// Whether to delete a profile.
    GET "/admin/profiles/{id}/delete", Write(People) => profiles::ask_to_delete, "";
    /// Deletes a profile.
    POST "/admin/profiles/{id}/delete", Write(People) => profiles::delete;
    /// Whether to delete a user.
    GET "/admin/users/{id}/delete", Write(People) => people::ask_to_forget, "";
    /// Deletes a user.
    POST "/admin/users/{id}/delete", Write(People) => people::forget;
    /// The deployment's settings.
    GET "/admin/settings", Read => people::settings;
    /// Changes the deployment's settings.
    POST "/admin/settings", Write(Settings) => people::save_settings;
    /// Asks the CAPTCHA's provider about the stored keys.
    POST "/admin/settings/captcha-check", Write(Settings) => people::check_captcha_keys;
    /// Previews a login from its claims.
    POST "/admin/settings/login-preview", Write(Settings) => people::preview_login;
    /// Switches maintenance off.
    POST "/admin/settings/maintenance-end", Write(Settings) => people::end_maintenance;
    /// The audit log.
    GET "/admin/audit", Read => people::audit;
    /// Undoes a change.
    POST "/admin/audit/{id}/undo", Change => people::take_back;
    /// Undoes several changes.
    POST "/admin/undo", Change => people::take_back_all;
    /// What a word or a reference leads to.
    GET "/admin/find", Read => find::show;
}

/// Finds routes of the console.
pub(crate) static CONSOLE_ROUTER: LazyLock<Router<ConsoleRoute>> =
    LazyLock::new(|| Router::new(CONSOLE_ROUTES));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_console_is_found_by_its_path() {
        for line in CONSOLE_ROUTES {
            let path = line.route.path.replace("{id}", "x1");
            let found = CONSOLE_ROUTER
                .find(&line.route.method, &path)
                .unwrap_or_else(|miss| panic!("{path}: {miss:?}"));
            assert_eq!(found.line.route.path, line.route.path, "{path}");
            assert_eq!(found.line.route.method, line.route.method, "{path}");
        }
    }
}
