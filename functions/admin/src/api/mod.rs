//! The API under `/api/admin`: documents in, operations of the admin service, documents out. Must
//! not know how an operation works.
//!
//! # How an endpoint is written
//! A function from a [`Call`] to a reply, and its line in [`routes`]. A `Call` exists only for an
//! actor with the required access, so no endpoint can omit the check. An endpoint with query
//! parameters names their parser in that line and gets the result as its second argument.

pub(crate) mod casts;
pub(crate) mod claims;
mod configuration;
pub(crate) mod export;
mod hooks;
mod images;
mod invitations;
pub(crate) mod paging;
pub(crate) mod people;
pub(crate) mod query;
pub(crate) mod records;
pub(crate) mod routes;
pub(crate) mod sessions;
mod settings;

use std::fmt::Display;

use casting_core::ControlPlane;
use casting_core::actor::Scope;
use casting_core::urls;
use casting_web::{
    Access, Matched, Problem, Reply, Request, RequestContext, RequestError, body, reply,
};
use http::Method;
use serde_json::Value;

use self::routes::{API_ROUTER, ApiRoute, Handler};
use crate::auth;
use casting_core::admin::AdminService;
use casting_web::HandlerError;

/// The longest idempotency key, in characters.
const REQUEST_KEY: usize = 200;

/// One request of an actor who has the required access.
pub(crate) struct Call<'a> {
    /// The admin service, on behalf of the actor.
    pub(crate) service: AdminService<'a>,
    /// The request, as far as it is not its body.
    pub(crate) visit: &'a RequestContext,
    /// The `{id}` of the path, as sent.
    pub(crate) id: &'a str,
    request: &'a Request,
}

impl<'a> Call<'a> {
    /// Authenticates and authorizes a request. Reads are also possible with the cookie of the
    /// console; changes need a key in a header, which no other site's page can make a browser send.
    async fn admit(
        control_plane: &'a ControlPlane,
        visit: &'a RequestContext,
        request: &'a Request,
        matched: &Matched<'a, ApiRoute>,
    ) -> Result<Self, HandlerError> {
        let reads = matches!(visit.method, Method::GET | Method::HEAD);
        let admitted = match visit.api_key() {
            None if reads => auth::by_cookie(control_plane, visit).await?,
            _ => auth::by_key(control_plane, visit).await?,
        };
        if matched.line.route.access.admits(&admitted.actor) == Some(false) {
            let detail = needed(matched.line.route.access);
            return Err(HandlerError::request(RequestError::Forbidden, detail));
        }
        let request_key = match request.headers().get("idempotency-key") {
            None => None,
            Some(key) => match key.to_str() {
                Ok(key) if (1..=REQUEST_KEY).contains(&key.len()) => Some(key.to_owned()),
                _ => {
                    let detail = format!(
                        "The header Idempotency-Key has 1 to {REQUEST_KEY} plain characters."
                    );
                    return Err(Problem::new(casting_web::RequestError::BadRequest)
                        .detail(detail)
                        .into());
                }
            },
        };
        let service = AdminService {
            control_plane,
            actor: admitted.actor,
            request_key,
        };
        Ok(Self {
            service,
            visit,
            id: matched.segment,
            request,
        })
    }

    /// The JSON document that was sent.
    ///
    /// # Errors
    /// 413, 415 or 400.
    pub(crate) fn document(&self) -> Result<Value, HandlerError> {
        Ok(body::json(self.request)?)
    }

    /// The JSON document that was sent, or an empty one when nothing was.
    ///
    /// # Errors
    /// 413, 415 or 400.
    pub(crate) fn optional_document(&self) -> Result<Value, HandlerError> {
        let bytes: &[u8] = self.request.body().as_ref();
        if bytes.is_empty() {
            Ok(Value::Object(serde_json::Map::new()))
        } else {
            self.document()
        }
    }
}

/// The sentence that names the missing scope.
pub(crate) fn needed(access: Access) -> String {
    match access {
        Access::Write(scope) => format!(
            "This needs the scope {}: {}.",
            scope.as_str(),
            scope.meaning().to_lowercase()
        ),
        _ => format!(
            "This needs a scope that may change something; {} may not.",
            Scope::Read.as_str()
        ),
    }
}

/// Sets `Location` to the address of a created record.
pub(crate) fn set_location(reply: &mut Reply, collection: &str, id: &impl Display) {
    reply::set_location(reply, &format!("{}/{collection}/{id}", urls::ADMIN_API));
}

/// Answers one request to the API.
///
/// # Errors
/// Why the request was refused or failed.
pub(crate) async fn answer(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    request: &Request,
) -> Result<Reply, HandlerError> {
    let matched = API_ROUTER.find(&visit.method, &visit.path)?;
    let handler = match matched.line.handler {
        Handler::Open(handler) => return Ok(handler(visit)),
        Handler::Admitted(handler) => handler,
    };
    let call = Call::admit(control_plane, visit, request, &matched).await?;
    let mut reply = handler(&call)
        .await
        .unwrap_or_else(|error| error.into_problem(control_plane).reply());
    let limit = control_plane.calls_left(&call.service.actor).await;
    reply::set_rate_limits(&mut reply, limit.as_slice());
    Ok(reply)
}
