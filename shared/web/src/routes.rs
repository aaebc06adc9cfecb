//! Owns the one route table: which path and method belongs to which function, and who may come. Must not know what the functions do.
//!
//! The gateway's routes, the local server and the functions all follow this table; tests compare them. A route with GET answers HEAD too, so a
//! gateway that tells the two apart needs both.

use std::sync::LazyLock;

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
    /// The gate, by its session's secret.
    Gate,
    /// Whoever holds an API key.
    Admin,
}

macro_rules! routes {
    ($($(#[$doc:meta])* $name:ident = $method:ident $path:literal, $function:ident, $access:ident;)*) => {
        /// A route's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RouteName {
            $($(#[$doc])* $name,)*
        }

        /// Every route of the control plane.
        pub const ROUTES: &[Route] = &[
            $(Route { name: RouteName::$name, method: Method::$method, path: $path, function: Function::$function, access: Access::$access },)*
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
    /// The gate tells how its app is.
    ReportSession = POST "/session/{id}/reports", Session, Gate;
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
    /// The admin console's page; what it shows comes through the API.
    Console = GET "/admin", Admin, Public;
    /// All casts.
    ListCasts = GET "/api/admin/casts", Admin, Admin;
    /// A new cast.
    CreateCast = POST "/api/admin/casts", Admin, Admin;
    /// One cast.
    ReadCast = GET "/api/admin/casts/{id}", Admin, Admin;
    /// Changes a cast.
    ChangeCast = PATCH "/api/admin/casts/{id}", Admin, Admin;
    /// Deletes a cast.
    DeleteCast = DELETE "/api/admin/casts/{id}", Admin, Admin;
    /// A cast's claims, accepted and refused.
    ListClaims = GET "/api/admin/casts/{id}/claims", Admin, Admin;
    /// What every rule would say of a made-up visit to a cast.
    TryCast = POST "/api/admin/casts/{id}/trials", Admin, Admin;
    /// All groups.
    ListGroups = GET "/api/admin/groups", Admin, Admin;
    /// A new group.
    CreateGroup = POST "/api/admin/groups", Admin, Admin;
    /// One group.
    ReadGroup = GET "/api/admin/groups/{id}", Admin, Admin;
    /// Changes a group.
    ChangeGroup = PATCH "/api/admin/groups/{id}", Admin, Admin;
    /// Deletes a group.
    DeleteGroup = DELETE "/api/admin/groups/{id}", Admin, Admin;
    /// All networks.
    ListNetworks = GET "/api/admin/networks", Admin, Admin;
    /// A new network.
    CreateNetwork = POST "/api/admin/networks", Admin, Admin;
    /// One network, by its name.
    ReadNetwork = GET "/api/admin/networks/{id}", Admin, Admin;
    /// Changes a network.
    ChangeNetwork = PATCH "/api/admin/networks/{id}", Admin, Admin;
    /// Deletes a network.
    DeleteNetwork = DELETE "/api/admin/networks/{id}", Admin, Admin;
    /// The deployment's settings.
    ReadSettings = GET "/api/admin/settings", Admin, Admin;
    /// Changes the deployment's settings.
    ChangeSettings = PATCH "/api/admin/settings", Admin, Admin;
    /// All images.
    ListImages = GET "/api/admin/images", Admin, Admin;
    /// A new image.
    CreateImage = POST "/api/admin/images", Admin, Admin;
    /// One image.
    ReadImage = GET "/api/admin/images/{id}", Admin, Admin;
    /// Changes an image.
    ChangeImage = PATCH "/api/admin/images/{id}", Admin, Admin;
    /// Deletes an image.
    DeleteImage = DELETE "/api/admin/images/{id}", Admin, Admin;
    /// All sessions.
    ListSessions = GET "/api/admin/sessions", Admin, Admin;
    /// One session.
    ReadSession = GET "/api/admin/sessions/{id}", Admin, Admin;
    /// An administrator ends a session.
    StopSession = POST "/api/admin/sessions/{id}/stop", Admin, Admin;
    /// All API keys.
    ListApiKeys = GET "/api/admin/api-keys", Admin, Admin;
    /// A new API key.
    CreateApiKey = POST "/api/admin/api-keys", Admin, Admin;
    /// Deletes an API key.
    DeleteApiKey = DELETE "/api/admin/api-keys/{id}", Admin, Admin;
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
    let wanted = if method == Method::HEAD { &Method::GET } else { method };
    let route = found.value.iter().copied().find(|route| route.method == wanted);
    let segment = found.params.iter().next().map_or("", |(_, value)| value);
    route.map(|route| Matched { route, segment }).ok_or_else(|| Miss::MethodNotAllowed(allowed(found.value)))
}

fn allowed(routes: &[&'static Route]) -> String {
    let methods = routes.iter().map(|route| if route.method == Method::GET { "GET, HEAD" } else { route.method.as_str() });
    methods.collect::<Vec<_>>().join(", ")
}

static ROUTER: LazyLock<matchit::Router<Vec<&'static Route>>> = LazyLock::new(|| {
    let mut router = matchit::Router::new();
    for route in ROUTES {
        if ROUTES.iter().find(|other| other.path == route.path).is_some_and(|first| first.name == route.name) {
            let lines = ROUTES.iter().filter(|other| other.path == route.path).collect();
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
    fn every_line_of_the_table_is_found() {
        for route in ROUTES {
            let path = route.path.replace("{key}", "123abc").replace("{id}", "x1").replace("{code}", "busy");
            let found = find(&route.method, &path).unwrap_or_else(|miss| panic!("{path}: {miss:?}"));
            assert_eq!(found.route.name, route.name, "{path}");
            let variable = route.path.contains('{');
            assert_eq!(found.segment.is_empty(), !variable, "{path}");
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_missed() {
        for (method, path, miss) in [
            (Method::GET, "/", Some(Miss::NotFound)),
            (Method::GET, "/cast/", Some(Miss::NotFound)),
            (Method::GET, "/cast/a/b/c", Some(Miss::NotFound)),
            (Method::GET, "/cast/123abc/", Some(Miss::NotFound)),
            (Method::HEAD, "/cast/123abc", None),
            (Method::GET, "/cast/123abc/claims", Some(Miss::MethodNotAllowed("POST".into()))),
            (Method::POST, "/cast/123abc", Some(Miss::MethodNotAllowed("GET, HEAD".into()))),
            (Method::PUT, "/api/admin/casts/c1", Some(Miss::MethodNotAllowed("GET, HEAD, PATCH, DELETE".into()))),
        ] {
            assert_eq!(find(&method, path).err(), miss, "{method} {path}");
        }
    }
}
