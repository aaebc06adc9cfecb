//! The admin function: the API under `/api/admin` and the console under `/admin`. Owns how administrators are let in and how what they ask for is
//! shown; must not know how it is stored, or what makes a value possible (see `cast_form` and its siblings in core).
//!
//! # Layout
//! - who acts: `auth`
//! - what can be done: the admin service of core (`casting_core::admin`)
//! - for programs: `api`; for people: `console`. Both call the service, neither the other.
//! - how what was not done is answered: `failure`
//! - what the API says of itself: `openapi`

mod api;
mod auth;
pub mod console;
mod console_auth;
mod failure;
mod openapi;
mod version;

use casting_core::ControlPlane;
use casting_web::{Line, Reply, Request, RequestContext, Route, RouteError};
use http::Method;

use crate::api::routes::{API_ROUTER, API_ROUTES};
use crate::console::{CONSOLE_ROUTER, CONSOLE_ROUTES};

/// Answers one request.
pub async fn handle(control_plane: &ControlPlane, request: Request) -> Reply {
    let visit = RequestContext::parse(&request, &*control_plane.entropy);
    let reply = if is_api(&visit.path) {
        // The API answers programs: whatever they accept, a problem is a document.
        api::answer(control_plane, &visit, &request)
            .await
            .unwrap_or_else(|failure| {
                failure
                    .into_problem(|code| control_plane.draw_reference(code, None))
                    .reply()
            })
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

/// Whether one of them has this path, with whatever method.
pub fn has_path(path: &str) -> bool {
    let miss = if is_api(path) {
        API_ROUTER.find(&Method::GET, path).err()
    } else {
        CONSOLE_ROUTER.find(&Method::GET, path).err()
    };
    miss != Some(RouteError::NotFound)
}
