//! Owns route tables: path, method, access, and how a request finds its route. The public routes
//! are defined here, because several functions share them; those of the API and the console are
//! beside their handlers in the admin function. Must not know what the functions do.
//!
//! The gateway's routes, the local server and the functions all follow these tables; tests compare
//! them. A route with GET answers HEAD too, so a gateway that distinguishes the two needs both.

use std::sync::LazyLock;

use crate::code::RequestError;
use crate::problem::Problem;

use casting_core::actor::{Actor, Scope};
use http::Method;

/// What every route has.
#[derive(Debug)]
pub struct Route {
    /// GET stands for HEAD too.
    pub method: Method,
    /// At most one segment is variable: `{key}`, `{id}` or `{code}`.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// Its purpose, in one sentence.
    pub summary: &'static str,
}

/// A line of a table: a route with further columns.
pub trait Line: 'static {
    /// The route.
    fn route(&self) -> &Route;
}

/// A route for visitors, their programs and gates.
#[derive(Debug)]
pub struct PublicRoute {
    /// The name that its function matches on.
    pub name: PublicRouteName,
    /// The function that answers.
    pub function: Function,
    /// Path, method, access and summary.
    pub route: Route,
}

impl Line for PublicRoute {
    fn route(&self) -> &Route {
        &self.route
    }
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
    /// Everyone.
    Public,
    /// The holder of the session's owner ticket.
    Owner,
    /// The session's gate, by its secret or its bootstrap token.
    Gate,
    /// Everyone who has signed in to the console or holds an API key, with any scopes.
    SignedIn,
    /// Everyone with any scope.
    Read,
    /// Holders of this scope.
    Write(Scope),
    /// Holders of any scope that changes something; the operation checks which.
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

macro_rules! public_routes {
    ($(#[doc = $summary:literal] $name:ident = $method:ident $path:literal, $function:ident, $access:ident;)*) => {
        /// The name of a public route.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum PublicRouteName {
            $(#[doc = $summary] $name,)*
        }

        /// Every public route.
        pub static PUBLIC_ROUTES: &[PublicRoute] = &[
            $(PublicRoute {
                name: PublicRouteName::$name,
                function: Function::$function,
                route: Route {
                    method: Method::$method,
                    path: $path,
                    access: Access::$access,
                    summary: $summary,
                },
            },)*
        ];
    };
}

public_routes! {
    /// The landing page of a link.
    OpenCast = GET "/cast/{key}", Cast, Public;
    /// The status of a link as a badge for other pages.
    ShowBadge = GET "/cast/{key}/badge.svg", Cast, Public;
    /// Describes a link and what a claim needs.
    DescribeCast = GET "/api/casts/{key}", Cast, Public;
    /// Claims a session.
    Claim = POST "/cast/{key}/claims", Cast, Public;
    /// The visitor's position in the waiting room of a link.
    SeeRoom = GET "/cast/{key}/room", Cast, Public;
    /// Leaves the waiting room.
    LeaveRoom = POST "/cast/{key}/room", Cast, Public;
    /// The progress page of a session.
    ShowSession = GET "/session/{id}", Session, Owner;
    /// The status of a session.
    SessionStatus = GET "/session/{id}/status", Session, Owner;
    /// Redirects to the session's own origin.
    EnterSession = GET "/session/{id}/enter", Session, Owner;
    /// How the owner's program reaches the session's Chrome DevTools.
    OpenDevtools = POST "/session/{id}/devtools", Session, Owner;
    /// The owner ends the session.
    EndSession = POST "/session/{id}/end", Session, Owner;
    /// Enters another user's session, to watch.
    WatchSession = GET "/share/{id}", Session, Public;
    /// Asks the owner of a session to let somebody watch.
    AskToWatch = POST "/share/{id}", Session, Public;
    /// A gate exchanges its bootstrap token for its secret, once.
    BootstrapSession = POST "/session/{id}/bootstrap", Session, Gate;
    /// The gate reports the state of its app.
    ReportSession = POST "/session/{id}/reports", Session, Gate;
    /// A gate restores or saves the profile of its session.
    ReportProfile = POST "/session/{id}/profile", Session, Gate;
    /// Redirects to the login provider.
    LogIn = GET "/login", Auth, Public;
    /// The return from the login provider.
    LoginCallback = GET "/login/callback", Auth, Public;
    /// The account page.
    WhoAmI = GET "/login/me", Auth, Public;
    /// Logs out.
    LogOut = POST "/logout", Auth, Public;
    /// The start page; leads links in the form of Kasm on.
    ShowStart = GET "/", Auth, Public;
    /// The internal error page.
    ShowError = GET "/error/{code}", Error, Public;
}

/// Finds public routes.
pub static PUBLIC_ROUTER: LazyLock<Router<PublicRoute>> =
    LazyLock::new(|| Router::new(PUBLIC_ROUTES));

/// The route that a request meant.
#[derive(Debug)]
pub struct Matched<'a, L: 'static> {
    /// The line of the table.
    pub line: &'static L,
    /// The variable segment of the path, as sent; empty when it has none.
    pub segment: &'a str,
}

/// Finds the line of a table for a method and a path.
#[derive(Debug)]
pub struct Router<L: 'static>(matchit::Router<Vec<&'static L>>);

impl<L: Line> Router<L> {
    /// A router over this table.
    pub fn new(table: &'static [L]) -> Self {
        let mut router = matchit::Router::new();
        for (index, line) in table.iter().enumerate() {
            let path = line.route().path;
            let has_this_path = |other: &&'static L| other.route().path == path;
            if table[..index].iter().any(|other| has_this_path(&other)) {
                continue;
            }
            let lines = table.iter().filter(has_this_path).collect();
            // Two paths that conflict would be lost here; each table has a test that finds every
            // line of it.
            let _ = router.insert(path, lines);
        }
        Self(router)
    }

    /// The line for a method and a path.
    ///
    /// # Errors
    /// 404 when no route has this path, 405 with the allowed methods when none has this method.
    pub fn find<'a>(&self, method: &Method, path: &'a str) -> Result<Matched<'a, L>, Problem> {
        let not_found = |_| Problem::new(RequestError::NotFound);
        let found = self.0.at(path).map_err(not_found)?;
        let wanted = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let line = found
            .value
            .iter()
            .copied()
            .find(|line| line.route().method == wanted);
        let segment = found.params.iter().next().map_or("", |(_, value)| value);
        line.map(|line| Matched { line, segment })
            .ok_or_else(|| Problem::method_not_allowed(&allowed(found.value)))
    }
}

fn allowed<L: Line>(lines: &[&'static L]) -> String {
    let methods = lines.iter().map(|line| {
        let method = &line.route().method;
        if method == Method::GET {
            "GET, HEAD"
        } else {
            method.as_str()
        }
    });
    methods.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_table_matches() {
        for line in PUBLIC_ROUTES {
            let path = line
                .route
                .path
                .replace("{key}", "123abc")
                .replace("{id}", "x1")
                .replace("{code}", "busy");
            let found = PUBLIC_ROUTER
                .find(&line.route.method, &path)
                .unwrap_or_else(|miss| panic!("{path}: {miss:?}"));
            assert_eq!(found.line.name, line.name, "{path}");
            let variable = line.route.path.contains('{');
            assert_eq!(found.segment.is_empty(), !variable, "{path}");
        }
    }

    #[test]
    fn every_built_address_has_its_route() {
        use PublicRouteName as Name;
        use casting_core::ids::{CastKey, SessionId};
        use casting_core::urls;

        let key = CastKey::parse("123abc").expect("a key");
        let id = SessionId::from_bytes([7; 16]);
        for (method, path, name, segment) in [
            (Method::GET, urls::cast(&key), Name::OpenCast, key.as_str()),
            (
                Method::GET,
                urls::cast_description(&key),
                Name::DescribeCast,
                key.as_str(),
            ),
            (Method::POST, urls::claims(&key), Name::Claim, key.as_str()),
            (
                Method::GET,
                urls::waiting_room(&key),
                Name::SeeRoom,
                key.as_str(),
            ),
            (
                Method::POST,
                urls::waiting_room(&key),
                Name::LeaveRoom,
                key.as_str(),
            ),
            (
                Method::GET,
                urls::session(&id),
                Name::ShowSession,
                id.as_str(),
            ),
            (
                Method::GET,
                urls::session_status(&id),
                Name::SessionStatus,
                id.as_str(),
            ),
            (
                Method::GET,
                urls::enter_session(&id),
                Name::EnterSession,
                id.as_str(),
            ),
            (
                Method::POST,
                urls::devtools_of_session(&id),
                Name::OpenDevtools,
                id.as_str(),
            ),
            (
                Method::POST,
                urls::end_session(&id),
                Name::EndSession,
                id.as_str(),
            ),
            (
                Method::GET,
                urls::share_named("x.token"),
                Name::WatchSession,
                "x.token",
            ),
            (
                Method::POST,
                urls::bootstrap(&id),
                Name::BootstrapSession,
                id.as_str(),
            ),
            (
                Method::POST,
                urls::reports(&id),
                Name::ReportSession,
                id.as_str(),
            ),
            (
                Method::POST,
                urls::profile(&id),
                Name::ReportProfile,
                id.as_str(),
            ),
            (Method::GET, urls::LOGIN.to_owned(), Name::LogIn, ""),
            (
                Method::GET,
                urls::LOGIN_CALLBACK.to_owned(),
                Name::LoginCallback,
                "",
            ),
            (Method::GET, urls::ACCOUNT.to_owned(), Name::WhoAmI, ""),
            (Method::POST, urls::LOGOUT.to_owned(), Name::LogOut, ""),
            (
                Method::GET,
                urls::error_page("busy"),
                Name::ShowError,
                "busy",
            ),
        ] {
            let found = PUBLIC_ROUTER
                .find(&method, &path)
                .unwrap_or_else(|miss| panic!("{method} {path}: {miss:?}"));
            assert_eq!((found.line.name, found.segment), (name, segment), "{path}");
        }
    }

    #[test]
    fn unknown_paths_do_not_match() {
        for (method, path, miss) in [
            (Method::GET, "/", None),
            (
                Method::GET,
                "/cast/",
                Some(Problem::new(RequestError::NotFound)),
            ),
            (
                Method::GET,
                "/cast/a/b/c",
                Some(Problem::new(RequestError::NotFound)),
            ),
            (
                Method::GET,
                "/cast/123abc/",
                Some(Problem::new(RequestError::NotFound)),
            ),
            (Method::HEAD, "/cast/123abc", None),
            (
                Method::GET,
                "/cast/123abc/claims",
                Some(Problem::method_not_allowed("POST")),
            ),
            (
                Method::POST,
                "/cast/123abc",
                Some(Problem::method_not_allowed("GET, HEAD")),
            ),
            (
                Method::GET,
                "/api/admin/casts",
                Some(Problem::new(RequestError::NotFound)),
            ),
        ] {
            assert_eq!(
                PUBLIC_ROUTER.find(&method, path).map(|_| ()).err(),
                miss,
                "{method} {path}"
            );
        }
    }
}
