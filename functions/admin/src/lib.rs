//! The admin function: the API under `/api/admin`, and the page that says where it is. Owns how casts, images, sessions, claims and API keys
//! are shown and asked for; must not know how they are stored, or what makes a value possible (see `cast_form` and `image_form` in core).
//!
//! # How an endpoint is written
//! A function from a [`Call`] to a reply. A `Call` exists only for somebody who showed a valid API key, so no endpoint can forget to ask.
//! - who calls: `call`, `api_keys`
//! - the nouns: `casts`, `images`, `records` (groups and networks), `settings`, `sessions`, `claims`, `api_keys`; `trials` (test this link)
//! - what they share: `failure` (what may go wrong), `paging` (lists), `version` (ETag and If-Match)

mod api_keys;
mod call;
mod casts;
mod claims;
mod console;
mod failure;
mod images;
mod paging;
mod records;
mod sessions;
mod settings;
mod trials;
mod version;

use casting_core::Casting;
use casting_core::group::Group;
use casting_core::network::Network;
use casting_core::ports::{Launcher, Store};
use casting_web::{Access, Function, Matched, Reply, Request, RouteName, Visit};

pub use crate::api_keys::issue;
use crate::call::Call;
use crate::failure::Failure;

/// Answers one request.
pub async fn handle<S: Store, L: Launcher>(casting: &Casting<S, L>, request: Request) -> Reply {
    let visit = Visit::parse(&request, &*casting.entropy);
    let reply = match visit.route(Function::Admin) {
        Ok(matched) if matched.route.access == Access::Public => console::show(casting, &visit),
        // The API answers programs: whatever they accept, a problem is a document.
        Ok(matched) => match answer(casting, &visit, &request, &matched).await {
            Ok(reply) => reply,
            Err(failure) => failure.into_problem(&*casting.entropy).reply(),
        },
        Err(problem) if visit.path.starts_with("/api/") => problem.reply(),
        Err(problem) => visit.explain(&problem),
    };
    visit.finish(reply)
}

async fn answer<S: Store, L: Launcher>(
    casting: &Casting<S, L>,
    visit: &Visit,
    request: &Request,
    matched: &Matched<'_>,
) -> Result<Reply, Failure> {
    let call = Call::admit(casting, visit, request, matched.segment).await?;
    match matched.route.name {
        RouteName::ListCasts => casts::list(&call).await,
        RouteName::CreateCast => casts::create(&call).await,
        RouteName::ReadCast => casts::read(&call).await,
        RouteName::ChangeCast => casts::change(&call).await,
        RouteName::DeleteCast => casts::delete(&call).await,
        RouteName::ListClaims => claims::list(&call).await,
        RouteName::TryCast => trials::run(&call).await,
        RouteName::ListGroups => records::list::<Group, S, L>(&call).await,
        RouteName::CreateGroup => records::create::<Group, S, L>(&call).await,
        RouteName::ReadGroup => records::read::<Group, S, L>(&call).await,
        RouteName::ChangeGroup => records::change::<Group, S, L>(&call).await,
        RouteName::DeleteGroup => records::delete_group(&call).await,
        RouteName::ListNetworks => records::list::<Network, S, L>(&call).await,
        RouteName::CreateNetwork => records::create::<Network, S, L>(&call).await,
        RouteName::ReadNetwork => records::read::<Network, S, L>(&call).await,
        RouteName::ChangeNetwork => records::change::<Network, S, L>(&call).await,
        RouteName::DeleteNetwork => records::delete_network(&call).await,
        RouteName::ReadSettings => settings::read(&call).await,
        RouteName::ChangeSettings => settings::change(&call).await,
        RouteName::ListImages => images::list(&call).await,
        RouteName::CreateImage => images::create(&call).await,
        RouteName::ReadImage => images::read(&call).await,
        RouteName::ChangeImage => images::change(&call).await,
        RouteName::DeleteImage => images::delete(&call).await,
        RouteName::ListSessions => sessions::list(&call).await,
        RouteName::ReadSession => sessions::read(&call).await,
        RouteName::StopSession => sessions::stop(&call).await,
        RouteName::ListApiKeys => api_keys::list(&call).await,
        RouteName::CreateApiKey => api_keys::create(&call).await,
        RouteName::DeleteApiKey => api_keys::delete(&call).await,
        // Another function's route, which `Visit::route` does not let through.
        _ => Err(Failure::not_found("There is nothing here.")),
    }
}
