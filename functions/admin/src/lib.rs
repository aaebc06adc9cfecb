//! The admin function: the API under `/api/admin` and the console under `/admin`. Owns how administrators are let in and how what they ask for is
//! shown; must not know how it is stored, or what makes a value possible (see `cast_form` and its siblings in core).
//!
//! # Layout
//! - who acts: `door`
//! - what can be done: `service`, verbs over documents
//! - for programs: `api`; for people: `console`. Both call the service, neither the other.
//! - what the API says of itself: `openapi`

mod api;
pub mod console;
mod door;
mod entry;
mod openapi;
mod service;

use casting_core::ControlPlane;
use casting_web::{Function, Reply, Request, RequestContext};

/// Answers one request.
pub async fn handle(control_plane: &ControlPlane, request: Request) -> Reply {
    let visit = RequestContext::parse(&request, &*control_plane.entropy);
    let is_api = visit.path.starts_with("/api/");
    let reply = match visit.route(Function::Admin) {
        // The API answers programs: whatever they accept, a problem is a document.
        Ok(matched) if is_api => match api::answer(control_plane, &visit, &request, &matched).await
        {
            Ok(reply) => reply,
            Err(failure) => failure
                .into_problem(|code| control_plane.draw_reference(code, None))
                .reply(),
        },
        Ok(matched) => console::answer(control_plane, &visit, &request, &matched).await,
        Err(problem) if is_api => problem.reply(),
        Err(problem) => visit.explain(&problem),
    };
    visit.finish(reply)
}
