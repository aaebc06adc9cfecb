//! The API under `/api/admin`: documents in, operations of the admin service, documents out. Must not know how a verb does what it does.
//!
//! # How an endpoint is written
//! A function from a [`Call`] to a reply. A `Call` exists only for somebody whom the route lets in, so no endpoint can forget to ask.

pub(crate) mod casts;
pub(crate) mod claims;
pub(crate) mod export;
mod images;
pub(crate) mod paging;
pub(crate) mod people;
pub(crate) mod query;
pub(crate) mod records;
pub(crate) mod sessions;
mod settings;

use casting_core::ControlPlane;
use casting_core::actor::Scope;
use casting_core::api_key::ApiKey;
use casting_core::group::Group;
use casting_core::network::Network;
use casting_core::staging::Staging;
use casting_web::{
    Access, Matched, Problem, Reply, Request, RequestContext, RouteName, body, reply,
};
use http::Method;
use serde_json::Value;

use crate::door;
use crate::openapi;
use crate::service::AdminService;
use crate::service::failure::Failure;

/// The longest idempotency key, in characters.
const REQUEST_KEY: usize = 200;

/// One request of somebody who may make it.
pub(crate) struct Call<'a> {
    /// Where they stand.
    pub(crate) service: AdminService<'a>,
    /// The request, as far as it is not its body.
    pub(crate) visit: &'a RequestContext,
    /// What stands for `{id}` in the path, as sent.
    pub(crate) id: &'a str,
    request: &'a Request,
}

impl<'a> Call<'a> {
    /// Lets in whoever the route lets in. Reading can also be asked for by somebody who has signed in to the console; whatever changes
    /// something needs a key in a header, which no other site's page can make a browser send.
    async fn admit(
        control_plane: &'a ControlPlane,
        visit: &'a RequestContext,
        request: &'a Request,
        matched: &Matched<'a>,
    ) -> Result<Self, Failure> {
        let reads = matches!(visit.method, Method::GET | Method::HEAD);
        let admitted = match visit.api_key() {
            None if reads => door::by_cookie(control_plane, visit).await?,
            _ => door::by_key(control_plane, visit).await?,
        };
        if matched.route.access.admits(&admitted.actor) == Some(false) {
            return Err(Failure::forbidden(needed(matched.route.access)));
        }
        let request_key = match request.headers().get("idempotency-key") {
            None => None,
            Some(key) => match key.to_str() {
                Ok(key) if (1..=REQUEST_KEY).contains(&key.len()) => Some(key.to_owned()),
                _ => {
                    let detail = format!(
                        "The header Idempotency-Key has 1 to {REQUEST_KEY} plain characters."
                    );
                    return Err(Problem::new(casting_web::Mistake::BadRequest)
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
    pub(crate) fn document(&self) -> Result<Value, Failure> {
        Ok(body::json(self.request)?)
    }

    /// The JSON document that was sent, or an empty one when nothing was.
    ///
    /// # Errors
    /// 413, 415 or 400.
    pub(crate) fn optional_document(&self) -> Result<Value, Failure> {
        let bytes: &[u8] = self.request.body().as_ref();
        if bytes.is_empty() {
            Ok(Value::Object(serde_json::Map::new()))
        } else {
            self.document()
        }
    }
}

/// What somebody lacks, in words.
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

/// Answers one request to the API.
///
/// # Errors
/// What kept it from being done.
pub(crate) async fn answer(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    request: &Request,
    matched: &Matched<'_>,
) -> Result<Reply, Failure> {
    if matched.route.name == RouteName::ReadOpenApi {
        return Ok(openapi::show(visit));
    }
    let call = Call::admit(control_plane, visit, request, matched).await?;
    let mut reply = match walk(&call, matched).await {
        Ok(reply) => reply,
        Err(failure) => failure
            .into_problem(|code| control_plane.draw_reference(code, None))
            .reply(),
    };
    let limit = control_plane.calls_left(&call.service.actor).await;
    reply::set_rate_limits(&mut reply, limit.as_slice());
    Ok(reply)
}

async fn walk(call: &Call<'_>, matched: &Matched<'_>) -> Result<Reply, Failure> {
    query::read(call.visit, |query| openapi::asks(matched.route.name)(query))?;
    match matched.route.name {
        RouteName::ReadMe => people::me(call),
        RouteName::ListCasts => casts::list(call).await,
        RouteName::CreateCast => casts::create(call).await,
        RouteName::ReadCast => casts::read(call).await,
        RouteName::ChangeCast => casts::change(call).await,
        RouteName::DeleteCast => casts::delete(call).await,
        RouteName::CopyCast => casts::copy(call).await,
        RouteName::RotateKey => casts::rotate_key(call).await,
        RouteName::TryCast => casts::try_link(call).await,
        RouteName::ListCastClaims => claims::list_of_cast(call).await,
        RouteName::ListClaims => claims::list(call).await,
        RouteName::ExportClaims => export::claims(call).await,
        RouteName::ReadCastStatistics => claims::statistics_of_cast(call).await,
        RouteName::ReadStatistics => claims::statistics(call).await,
        RouteName::ListGroups => records::list::<Group>(call).await,
        RouteName::CreateGroup => records::create::<Group>(call).await,
        RouteName::ReadGroup => records::read::<Group>(call).await,
        RouteName::ChangeGroup => records::change::<Group>(call).await,
        RouteName::DeleteGroup => records::delete_group(call).await,
        RouteName::ListNetworks => records::list::<Network>(call).await,
        RouteName::CreateNetwork => records::create::<Network>(call).await,
        RouteName::ReadNetwork => records::read::<Network>(call).await,
        RouteName::ChangeNetwork => records::change::<Network>(call).await,
        RouteName::DeleteNetwork => records::delete_network(call).await,
        RouteName::ListStagingConfigs => records::list::<Staging>(call).await,
        RouteName::CreateStagingConfig => records::create_staging(call).await,
        RouteName::ReadStagingConfig => records::read::<Staging>(call).await,
        RouteName::ChangeStagingConfig => records::change_staging(call).await,
        RouteName::DeleteStagingConfig => records::delete_staging(call).await,
        RouteName::ReadPool => records::read_pool(call).await,
        RouteName::ListImages => images::list(call).await,
        RouteName::CreateImage => images::create(call).await,
        RouteName::ReadImage => images::read(call).await,
        RouteName::ChangeImage => images::change(call).await,
        RouteName::RegisterImage => images::register(call).await,
        RouteName::DeleteImage => images::delete(call).await,
        RouteName::ReadSettings => settings::read(call).await,
        RouteName::ChangeSettings => settings::change(call).await,
        RouteName::ListUsers => people::list(call).await,
        RouteName::ReadUser => people::read(call).await,
        RouteName::DeleteUser => people::delete(call).await,
        RouteName::ListProfiles => people::profiles(call).await,
        RouteName::RestoreProfile => people::restore_profile(call).await,
        RouteName::DeleteProfile => people::delete_profile(call).await,
        RouteName::ListSessions => sessions::list(call).await,
        RouteName::ReadSession => sessions::read(call).await,
        RouteName::StopSession => sessions::stop(call).await,
        RouteName::UnshareSession => sessions::unshare(call).await,
        RouteName::AdminWatchSession => sessions::watch(call).await,
        RouteName::ListApiKeys => records::list::<ApiKey>(call).await,
        RouteName::CreateApiKey => people::create_api_key(call).await,
        RouteName::ReadApiKey => records::read::<ApiKey>(call).await,
        RouteName::ChangeApiKey => records::change::<ApiKey>(call).await,
        RouteName::DeleteApiKey => people::delete_api_key(call).await,
        RouteName::ListAudit => people::list_audit(call).await,
        RouteName::ReadAudit => people::read_audit(call).await,
        RouteName::UndoAudit => people::undo_audit(call).await,
        // A route of the console, or another function's, which the caller does not let through.
        _ => Err(Failure::not_found("Nothing here.")),
    }
}
