//! The admin function: the API under `/api/admin` and the console under `/admin`. Owns how
//! administrators are authenticated and how documents and pages are shown; must not know how
//! records are stored, or which values are valid (see core's tables of fields).
//!
//! # Layout
//! - authentication: `auth` (API), `console_auth` (console)
//! - operations: the admin service of core (`casting_core::admin`)
//! - for programs: `api`; for people: `console`. Both call the service, neither calls the other.
//! - the OpenAPI document: `openapi`

mod api;
mod auth;
pub mod console;
mod console_auth;
mod file;
mod openapi;
mod version;

use casting_core::ControlPlane;
use casting_web::{Line, Reply, Request, RequestContext, RequestError, Route};
use http::Method;

use crate::api::routes::{API_ROUTER, API_ROUTES};
use crate::console::{CONSOLE_ROUTER, CONSOLE_ROUTES};

/// Answers one request.
pub async fn handle(control_plane: &ControlPlane, request: Request) -> Reply {
    let visit = RequestContext::parse(&request, &*control_plane.entropy);
    let reply = if is_api(&visit.path) {
        // Clients of the API are programs: a problem is always a document.
        api::answer(control_plane, &visit, &request)
            .await
            .unwrap_or_else(|failure| failure.into_problem(control_plane).reply())
    } else {
        console::answer(control_plane, &visit, &request).await
    };
    visit.finish(reply)
}

fn is_api(path: &str) -> bool {
    path.starts_with("/api/")
}

/// Every route of the API and the console.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    let api = API_ROUTES.iter().map(Line::route);
    api.chain(CONSOLE_ROUTES.iter().map(Line::route))
}

/// Whether any route has this path, with any method.
pub fn has_path(path: &str) -> bool {
    let problem = if is_api(path) {
        API_ROUTER.find(&Method::GET, path).err()
    } else {
        CONSOLE_ROUTER.find(&Method::GET, path).err()
    };
    problem.is_none_or(|problem| problem.code != RequestError::NotFound.into())
}
