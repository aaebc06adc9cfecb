//! Owns the one route table: which path and method belongs to which function, and who may come. Must not know what the functions do.
//!
//! The gateway's routes, the local server and the functions all follow this table; tests compare them. A route with GET answers HEAD too, so a
//! gateway that tells the two apart needs both.

use std::sync::LazyLock;

use casting_core::actor::{Actor, Scope};
use http::Method;

/// One line of the table.
#[derive(Debug)]
pub struct Route {
    /// What code matches on.
    pub name: RouteName,
    /// GET stands for HEAD too.
    pub method: Method,
    /// At most one segment is variable: `{key}`, `{id}` or `{code}`.
    pub path: &'static str,
    /// Who answers.
    pub function: Function,
    /// Who may come.
    pub access: Access,
    /// What it is for, in one sentence.
    pub summary: &'static str,
}

/// The functions that answer requests; each is one Lambda.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// Links and claims.
    Cast,
    /// Sessions, for their owners and their gates.
    Session,
    /// The console and its API.
    Admin,
    /// Logging in and out.
    Auth,
    /// The error page, and everything that no other function answers.
    Error,
}

/// Who may use a route; the function checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever holds the session's owner ticket.
    Owner,
    /// The gate, by its secret or by the token that it gets that for.
    Gate,
    /// Whoever has signed in to the console or holds an API key, whatever they may do there.
    SignedIn,
    /// Whoever may do anything at all there.
    Read,
    /// Whoever has this scope.
    Write(Scope),
    /// Whoever may change something; what exactly, the thing itself says.
    Change,
}

impl Access {
    /// Whether this actor may use such a route; `None` where no actor is asked for.
    pub fn admits(self, actor: &Actor) -> Option<bool> {
        match self {
            Self::Public | Self::Owner | Self::Gate => None,
            Self::SignedIn => Some(true),
            Self::Read => Some(actor.may_read()),
            Self::Write(scope) => Some(actor.may(scope)),
            Self::Change => Some(actor.scopes.iter().any(|scope| *scope != Scope::Read)),
        }
    }
}

macro_rules! routes {
    ($(#[doc = $doc:literal] $name:ident = $method:ident $path:literal, $function:ident, $access:ident $(($scope:ident))?;)*) => {
        /// A route's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RouteName {
            $(#[doc = $doc] $name,)*
        }

        /// Every route of the control plane.
        pub const ROUTES: &[Route] = &[
            $(Route { name: RouteName::$name, method: Method::$method, path: $path, function: Function::$function, access: Access::$access $((Scope::$scope))?, summary: $doc },)*
        ];
    };
}

routes! {
    /// The landing page of a link.
    OpenCast = GET "/cast/{key}", Cast, Public;
    /// How a link stands, as a picture for other pages.
    ShowBadge = GET "/cast/{key}/badge.svg", Cast, Public;
    /// What a claim to a session of a link needs, for programs.
    DescribeCast = GET "/api/casts/{key}", Cast, Public;
    /// A claim to a session.
    Claim = POST "/cast/{key}/claims", Cast, Public;
    /// The waiting room of a link: where its visitor stands.
    SeeRoom = GET "/cast/{key}/room", Cast, Public;
    /// A place in it is given back.
    LeaveRoom = POST "/cast/{key}/room", Cast, Public;
    /// The waiting page.
    ShowSession = GET "/session/{id}", Session, Owner;
    /// Where the session stands.
    SessionStatus = GET "/session/{id}/status", Session, Owner;
    /// On to the session's own origin.
    EnterSession = GET "/session/{id}/enter", Session, Owner;
    /// The owner ends it.
    EndSession = POST "/session/{id}/end", Session, Owner;
    /// Into somebody's session, to watch.
    WatchSession = GET "/share/{id}", Session, Public;
    /// A gate gets its secret, once.
    BootstrapSession = POST "/session/{id}/bootstrap", Session, Gate;
    /// The gate tells how its app is.
    ReportSession = POST "/session/{id}/reports", Session, Gate;
    /// A gate asks for the profile of its session, or tells what became of it.
    ReportProfile = POST "/session/{id}/profile", Session, Gate;
    /// On to the login provider.
    LogIn = GET "/login", Auth, Public;
    /// Back from it.
    LoginCallback = GET "/login/callback", Auth, Public;
    /// Who has logged in.
    WhoAmI = GET "/login/me", Auth, Public;
    /// The login ends.
    LogOut = POST "/logout", Auth, Public;
    /// The internal error page.
    ShowError = GET "/error/{code}", Error, Public;
    /// What the API is, for programs.
    ReadOpenApi = GET "/api/admin/openapi.json", Admin, Public;
    /// Who calls, and what they may do.
    ReadMe = GET "/api/admin/me", Admin, SignedIn;
    /// All casts.
    ListCasts = GET "/api/admin/casts", Admin, Read;
    /// A new cast.
    CreateCast = POST "/api/admin/casts", Admin, Write(Casts);
    /// One cast.
    ReadCast = GET "/api/admin/casts/{id}", Admin, Read;
    /// Changes a cast.
    ChangeCast = PATCH "/api/admin/casts/{id}", Admin, Write(Casts);
    /// Deletes a cast.
    DeleteCast = DELETE "/api/admin/casts/{id}", Admin, Write(Casts);
    /// A cast's claims, accepted and refused.
    ListCastClaims = GET "/api/admin/casts/{id}/claims", Admin, Read;
    /// What became of a cast's claims, by the hour.
    ReadCastStatistics = GET "/api/admin/casts/{id}/statistics", Admin, Read;
    /// What every rule would say of a made-up visit to a cast.
    TryCast = POST "/api/admin/casts/{id}/trials", Admin, Read;
    /// A cast like this one, with a key of its own.
    CopyCast = POST "/api/admin/casts/{id}/copies", Admin, Write(Casts);
    /// Another key for a cast.
    RotateKey = POST "/api/admin/casts/{id}/key-rotations", Admin, Write(Casts);
    /// All claims, accepted and refused.
    ListClaims = GET "/api/admin/claims", Admin, Read;
    /// The same, as a file.
    ExportClaims = GET "/api/admin/claims/export", Admin, Read;
    /// What became of all claims, by the hour.
    ReadStatistics = GET "/api/admin/statistics", Admin, Read;
    /// All groups.
    ListGroups = GET "/api/admin/groups", Admin, Read;
    /// A new group.
    CreateGroup = POST "/api/admin/groups", Admin, Write(People);
    /// One group.
    ReadGroup = GET "/api/admin/groups/{id}", Admin, Read;
    /// Changes a group.
    ChangeGroup = PATCH "/api/admin/groups/{id}", Admin, Write(People);
    /// Deletes a group.
    DeleteGroup = DELETE "/api/admin/groups/{id}", Admin, Write(People);
    /// All networks.
    ListNetworks = GET "/api/admin/networks", Admin, Read;
    /// A new network.
    CreateNetwork = POST "/api/admin/networks", Admin, Write(Images);
    /// One network, by its name.
    ReadNetwork = GET "/api/admin/networks/{id}", Admin, Read;
    /// Changes a network.
    ChangeNetwork = PATCH "/api/admin/networks/{id}", Admin, Write(Images);
    /// Deletes a network.
    DeleteNetwork = DELETE "/api/admin/networks/{id}", Admin, Write(Images);
    /// All images.
    ListImages = GET "/api/admin/images", Admin, Read;
    /// A new image.
    CreateImage = POST "/api/admin/images", Admin, Write(Images);
    /// One image.
    ReadImage = GET "/api/admin/images/{id}", Admin, Read;
    /// Changes an image.
    ChangeImage = PATCH "/api/admin/images/{id}", Admin, Write(Images);
    /// Deletes an image.
    DeleteImage = DELETE "/api/admin/images/{id}", Admin, Write(Images);
    /// Registers an image's container anew, with the gate of now.
    RegisterImage = POST "/api/admin/images/{id}/registrations", Admin, Write(Images);
    /// All staging configs.
    ListStagingConfigs = GET "/api/admin/staging-configs", Admin, Read;
    /// A new staging config.
    CreateStagingConfig = POST "/api/admin/staging-configs", Admin, Write(Casts);
    /// One staging config.
    ReadStagingConfig = GET "/api/admin/staging-configs/{id}", Admin, Read;
    /// Changes a staging config.
    ChangeStagingConfig = PATCH "/api/admin/staging-configs/{id}", Admin, Write(Casts);
    /// Deletes a staging config.
    DeleteStagingConfig = DELETE "/api/admin/staging-configs/{id}", Admin, Write(Casts);
    /// What a staging config keeps ready at this moment, and how it has fared.
    ReadPool = GET "/api/admin/staging-configs/{id}/pool", Admin, Read;
    /// Users who have been here, anonymous or not.
    ListUsers = GET "/api/admin/users", Admin, Read;
    /// One user.
    ReadUser = GET "/api/admin/users/{id}", Admin, Read;
    /// Forgets a user, and who their sessions belonged to.
    DeleteUser = DELETE "/api/admin/users/{id}", Admin, Write(People);
    /// The files that are kept for a user, one profile for each image.
    ListProfiles = GET "/api/admin/users/{id}/profiles", Admin, Read;
    /// Lets an earlier archive of a profile hold again.
    RestoreProfile = POST "/api/admin/profiles/{id}/restore", Admin, Write(People);
    /// Deletes a profile and everything that is kept of it.
    DeleteProfile = DELETE "/api/admin/profiles/{id}", Admin, Write(People);
    /// The deployment's settings.
    ReadSettings = GET "/api/admin/settings", Admin, Read;
    /// Changes the deployment's settings.
    ChangeSettings = PATCH "/api/admin/settings", Admin, Write(Settings);
    /// All sessions.
    ListSessions = GET "/api/admin/sessions", Admin, Read;
    /// One session.
    ReadSession = GET "/api/admin/sessions/{id}", Admin, Read;
    /// An administrator ends a session.
    StopSession = POST "/api/admin/sessions/{id}/stop", Admin, Write(Sessions);
    /// An administrator takes a session's share link back.
    UnshareSession = POST "/api/admin/sessions/{id}/unshare", Admin, Write(Sessions);
    /// An administrator goes into a session to watch.
    AdminWatchSession = POST "/api/admin/sessions/{id}/watch", Admin, Write(Sessions);
    /// All API keys.
    ListApiKeys = GET "/api/admin/api-keys", Admin, Read;
    /// A new API key.
    CreateApiKey = POST "/api/admin/api-keys", Admin, Write(Keys);
    /// One API key.
    ReadApiKey = GET "/api/admin/api-keys/{id}", Admin, Read;
    /// Changes an API key.
    ChangeApiKey = PATCH "/api/admin/api-keys/{id}", Admin, Write(Keys);
    /// Deletes an API key.
    DeleteApiKey = DELETE "/api/admin/api-keys/{id}", Admin, Write(Keys);
    /// Who changed what.
    ListAudit = GET "/api/admin/audit", Admin, Read;
    /// One change.
    ReadAudit = GET "/api/admin/audit/{id}", Admin, Read;
    /// Takes a change back; what that needs depends on what was changed.
    UndoAudit = POST "/api/admin/audit/{id}/undo", Admin, Change;

    /// Where administrators sign in to the console.
    ShowSignIn = GET "/admin/sign-in", Admin, Public;
    /// They sign in.
    SignIn = POST "/admin/sign-in", Admin, Public;
    /// They sign out.
    SignOut = POST "/admin/sign-out", Admin, SignedIn;
    /// The console's first page.
    Console = GET "/admin", Admin, Read;
    /// All casts.
    ShowCasts = GET "/admin/casts", Admin, Read;
    /// The form for a new cast.
    ShowNewCast = GET "/admin/new-cast", Admin, Write(Casts);
    /// A new cast.
    MakeCast = POST "/admin/casts", Admin, Write(Casts);
    /// One cast.
    ShowCast = GET "/admin/casts/{id}", Admin, Read;
    /// Changes a cast.
    SaveCast = POST "/admin/casts/{id}", Admin, Write(Casts);
    /// Whether to delete a cast.
    AskToDeleteCast = GET "/admin/casts/{id}/delete", Admin, Write(Casts);
    /// Deletes a cast.
    RemoveCast = POST "/admin/casts/{id}/delete", Admin, Write(Casts);
    /// The form of a cast.
    EditCast = GET "/admin/casts/{id}/edit", Admin, Write(Casts);
    /// Where a link is tested.
    ShowTrial = GET "/admin/casts/{id}/test", Admin, Read;
    /// Tests a link.
    RunTrial = POST "/admin/casts/{id}/test", Admin, Read;
    /// A cast's claims.
    ShowCastClaims = GET "/admin/casts/{id}/claims", Admin, Read;
    /// A link as a QR code.
    ShowQrCode = GET "/admin/casts/{id}/qr.svg", Admin, Read;
    /// Switches a cast on or off.
    SwitchCast = POST "/admin/casts/{id}/enabled", Admin, Write(Casts);
    /// Another key for a cast.
    GiveCastAnotherKey = POST "/admin/casts/{id}/rotate", Admin, Write(Casts);
    /// A cast like this one.
    MakeCastLike = POST "/admin/casts/{id}/copy", Admin, Write(Casts);
    /// What a form's contents would lead to, while it is being filled in.
    CheckCast = POST "/admin/check-cast", Admin, Write(Casts);
    /// All claims.
    ShowClaims = GET "/admin/claims", Admin, Read;
    /// Sessions that live.
    ShowSessions = GET "/admin/sessions", Admin, Read;
    /// Ends a session.
    EndSessionOf = POST "/admin/sessions/{id}/stop", Admin, Write(Sessions);
    /// Takes a session's share link back.
    UnshareSessionOf = POST "/admin/sessions/{id}/unshare", Admin, Write(Sessions);
    /// Goes into a session to watch.
    WatchSessionOf = POST "/admin/sessions/{id}/watch", Admin, Write(Sessions);
    /// All images.
    ShowImages = GET "/admin/images", Admin, Read;
    /// The form for a new image.
    ShowNewImage = GET "/admin/new-image", Admin, Write(Images);
    /// A new image.
    MakeImage = POST "/admin/images", Admin, Write(Images);
    /// One image, to be changed.
    ShowImage = GET "/admin/images/{id}", Admin, Read;
    /// Changes an image.
    SaveImage = POST "/admin/images/{id}", Admin, Write(Images);
    /// Whether to delete an image.
    AskToDeleteImage = GET "/admin/images/{id}/delete", Admin, Write(Images);
    /// Deletes an image.
    RemoveImage = POST "/admin/images/{id}/delete", Admin, Write(Images);
    /// Registers an image's container anew, with the gate of now.
    RegisterImageAnew = POST "/admin/images/{id}/register", Admin, Write(Images);
    /// All networks.
    ShowNetworks = GET "/admin/networks", Admin, Read;
    /// The form for a new network.
    ShowNewNetwork = GET "/admin/new-network", Admin, Write(Images);
    /// A new network.
    MakeNetwork = POST "/admin/networks", Admin, Write(Images);
    /// One network, to be changed.
    ShowNetwork = GET "/admin/networks/{id}", Admin, Read;
    /// Changes a network.
    SaveNetwork = POST "/admin/networks/{id}", Admin, Write(Images);
    /// Whether to delete a network.
    AskToDeleteNetwork = GET "/admin/networks/{id}/delete", Admin, Write(Images);
    /// Deletes a network.
    RemoveNetwork = POST "/admin/networks/{id}/delete", Admin, Write(Images);
    /// All groups.
    ShowGroups = GET "/admin/groups", Admin, Read;
    /// The form for a new group.
    ShowNewGroup = GET "/admin/new-group", Admin, Write(People);
    /// A new group.
    MakeGroup = POST "/admin/groups", Admin, Write(People);
    /// One group, to be changed.
    ShowGroup = GET "/admin/groups/{id}", Admin, Read;
    /// Changes a group.
    SaveGroup = POST "/admin/groups/{id}", Admin, Write(People);
    /// Whether to delete a group.
    AskToDeleteGroup = GET "/admin/groups/{id}/delete", Admin, Write(People);
    /// Deletes a group.
    RemoveGroup = POST "/admin/groups/{id}/delete", Admin, Write(People);
    /// All staging configs.
    ShowStagingConfigs = GET "/admin/staging", Admin, Read;
    /// The form for a new staging config.
    ShowNewStagingConfig = GET "/admin/new-staging", Admin, Write(Casts);
    /// A new staging config.
    MakeStagingConfig = POST "/admin/staging", Admin, Write(Casts);
    /// One staging config, to be changed.
    ShowStagingConfig = GET "/admin/staging/{id}", Admin, Read;
    /// Changes a staging config.
    SaveStagingConfig = POST "/admin/staging/{id}", Admin, Write(Casts);
    /// Whether to delete a staging config.
    AskToDeleteStagingConfig = GET "/admin/staging/{id}/delete", Admin, Write(Casts);
    /// Deletes a staging config.
    RemoveStagingConfig = POST "/admin/staging/{id}/delete", Admin, Write(Casts);
    /// All API keys.
    ShowApiKeys = GET "/admin/api-keys", Admin, Read;
    /// The form for a new API key.
    ShowNewApiKey = GET "/admin/new-api-key", Admin, Write(Keys);
    /// A new API key.
    MakeApiKey = POST "/admin/api-keys", Admin, Write(Keys);
    /// One API key, to be changed.
    ShowApiKey = GET "/admin/api-keys/{id}", Admin, Read;
    /// Changes an API key.
    SaveApiKey = POST "/admin/api-keys/{id}", Admin, Write(Keys);
    /// Whether to delete an API key.
    AskToDeleteApiKey = GET "/admin/api-keys/{id}/delete", Admin, Write(Keys);
    /// Deletes an API key.
    RemoveApiKey = POST "/admin/api-keys/{id}/delete", Admin, Write(Keys);
    /// Users who have been here.
    ShowUsers = GET "/admin/users", Admin, Read;
    /// One user, and the files that are kept for them.
    ShowUser = GET "/admin/users/{id}", Admin, Read;
    /// Lets an earlier archive of a profile hold again.
    BringProfileBack = POST "/admin/profiles/{id}/restore", Admin, Write(People);
    /// Whether to delete a profile.
    AskToDeleteProfile = GET "/admin/profiles/{id}/delete", Admin, Write(People);
    /// Deletes a profile.
    RemoveProfile = POST "/admin/profiles/{id}/delete", Admin, Write(People);
    /// Whether to forget a user.
    AskToDeleteUser = GET "/admin/users/{id}/delete", Admin, Write(People);
    /// Forgets a user.
    RemoveUser = POST "/admin/users/{id}/delete", Admin, Write(People);
    /// The deployment's settings.
    ShowSettings = GET "/admin/settings", Admin, Read;
    /// Changes them.
    SaveSettings = POST "/admin/settings", Admin, Write(Settings);
    /// Who changed what.
    ShowAudit = GET "/admin/audit", Admin, Read;
    /// Takes a change back.
    TakeBack = POST "/admin/audit/{id}/undo", Admin, Change;
}

/// The route that a request meant.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'a> {
    /// The line of the table.
    pub route: &'static Route,
    /// What stands in the path's variable segment, as sent; empty when it has none.
    pub segment: &'a str,
}

/// Why no route was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// No route has this path.
    NotFound,
    /// The path is there, for these methods (an `Allow` header's value).
    MethodNotAllowed(String),
}

/// The route for a method and a path.
///
/// # Errors
/// When there is none.
pub fn find<'a>(method: &Method, path: &'a str) -> Result<Matched<'a>, Miss> {
    let found = ROUTER.at(path).map_err(|_| Miss::NotFound)?;
    let wanted = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let route = found
        .value
        .iter()
        .copied()
        .find(|route| route.method == wanted);
    let segment = found.params.iter().next().map_or("", |(_, value)| value);
    route
        .map(|route| Matched { route, segment })
        .ok_or_else(|| Miss::MethodNotAllowed(allowed(found.value)))
}

fn allowed(routes: &[&'static Route]) -> String {
    let methods = routes.iter().map(|route| {
        if route.method == Method::GET {
            "GET, HEAD"
        } else {
            route.method.as_str()
        }
    });
    methods.collect::<Vec<_>>().join(", ")
}

static ROUTER: LazyLock<matchit::Router<Vec<&'static Route>>> = LazyLock::new(|| {
    let mut router = matchit::Router::new();
    for route in ROUTES {
        if ROUTES
            .iter()
            .find(|other| other.path == route.path)
            .is_some_and(|first| first.name == route.name)
        {
            let lines = ROUTES
                .iter()
                .filter(|other| other.path == route.path)
                .collect();
            // Two paths that cannot be told apart would be lost here; the test below finds every line of the table.
            let _ = router.insert(route.path, lines);
        }
    }
    router
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_table_matches() {
        for route in ROUTES {
            let path = route
                .path
                .replace("{key}", "123abc")
                .replace("{id}", "x1")
                .replace("{code}", "busy");
            let found =
                find(&route.method, &path).unwrap_or_else(|miss| panic!("{path}: {miss:?}"));
            assert_eq!(found.route.name, route.name, "{path}");
            let variable = route.path.contains('{');
            assert_eq!(found.segment.is_empty(), !variable, "{path}");
        }
    }

    #[test]
    fn unknown_paths_do_not_match() {
        for (method, path, miss) in [
            (Method::GET, "/", Some(Miss::NotFound)),
            (Method::GET, "/cast/", Some(Miss::NotFound)),
            (Method::GET, "/cast/a/b/c", Some(Miss::NotFound)),
            (Method::GET, "/cast/123abc/", Some(Miss::NotFound)),
            (Method::HEAD, "/cast/123abc", None),
            (
                Method::GET,
                "/cast/123abc/claims",
                Some(Miss::MethodNotAllowed("POST".into())),
            ),
            (
                Method::POST,
                "/cast/123abc",
                Some(Miss::MethodNotAllowed("GET, HEAD".into())),
            ),
            (
                Method::PUT,
                "/api/admin/casts/c1",
                Some(Miss::MethodNotAllowed("GET, HEAD, PATCH, DELETE".into())),
            ),
        ] {
            assert_eq!(find(&method, path).err(), miss, "{method} {path}");
        }
    }
}
