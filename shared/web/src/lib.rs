//! Requests in, replies out: what all functions share. Owns the HTTP vocabulary; must not know
//! AWS's SDK, the store, or why anything is refused.
//!
//! # How a door is written
//! 1. [`RequestContext::parse`] reads everything but the body, once.
//! 2. [`routes::Router`] (or [`RequestContext::route`], for public routes) finds the route.
//! 3. [`body`] parses a form or a JSON document.
//! 4. A flow of `casting-core` does the work.
//! 5. [`reply`] and [`page`] build the answer; an error is a [`HandlerError`], which
//!    [`RequestContext::error_response`] turns into a redirect, a page or a problem.
//! 6. [`RequestContext::finish`] removes the body of the answer to a HEAD request.

pub mod address;
pub mod body;
pub mod code;
pub mod credentials;
pub mod embed;
pub mod event;
mod handler_error;
pub mod page;
pub mod problem;
mod problem_page;
pub mod recovery;
pub mod refusal;
pub mod reply;
pub mod request_context;
pub mod routes;
pub mod words;

pub use address::TrustedProxy;
pub use code::{Code, RequestError};
pub use handler_error::HandlerError;
pub use lambda_http::{Body, Request};
pub use page::{FormAction, Page};
pub use problem::Problem;
pub use reply::Reply;
pub use request_context::{FetchSite, RequestContext};
pub use routes::{
    Access, Function, Line, Matched, PUBLIC_ROUTER, PUBLIC_ROUTES, PublicRoute, PublicRouteName,
    Route, Router,
};
