//! Owns the routes of the API: each with who may come, its handler, and what the document says of it. Must not know how a handler does what it does.
//!
//! To add a route: a line here. Its comment is its summary in the document; in brackets stands the reader of its query parameters, if it has any; a
//! schema of its own gets its name in `openapi/schemas.rs`.

use std::sync::LazyLock;

use casting_core::actor::Scope;
use casting_core::api_key::ApiKey;
use casting_core::audit::AuditId;
use casting_core::form::Spelled;
use casting_core::group::Group;
use casting_core::ids::UserId;
use casting_core::network::Network;
use casting_core::staging::StagingConfig;
use casting_web::{Access, Line, Reply, RequestContext, Route, Router};
use futures_util::future::BoxFuture;
use http::Method;

use super::paging::Paging;
use super::{Call, casts, claims, export, images, people, query, records, sessions, settings};
use crate::failure::Failure;
use crate::openapi::{
    self, API_KEY, Answer, CAST, GROUP, IF_MATCH, IMAGE, Keys, NETWORK, Operation, STAGING,
    cast_or_unknown, of_session, plain, shows,
};
use casting_core::admin::profiles;

/// A route of the API.
pub(crate) struct ApiRoute {
    /// What code that is made from the document calls it.
    pub(crate) operation_id: &'static str,
    /// Path, method, access and summary.
    pub(crate) route: Route,
    /// Who answers.
    pub(crate) handler: Handler,
    /// What it takes and gives.
    pub(crate) operation: fn() -> Operation,
}

impl Line for ApiRoute {
    fn route(&self) -> &Route {
        &self.route
    }
}

/// Who answers a request to the API.
pub(crate) enum Handler {
    /// Anybody is answered.
    Open(fn(&RequestContext) -> Reply),
    /// Somebody whom the route lets in is answered.
    Admitted(for<'a> fn(&'a Call<'a>) -> BoxFuture<'a, Result<Reply, Failure>>),
}

macro_rules! api_routes {
    ($(
        #[doc = $summary:literal]
        $id:literal = $method:ident $path:literal, $access:ident $(($scope:ident))? =>
            $handler:path $([$query:expr])?, $operation:expr;
    )*) => {
        /// Every route of the API.
        pub(crate) static API_ROUTES: &[ApiRoute] = &[
            $(ApiRoute {
                operation_id: $id,
                route: Route {
                    method: Method::$method,
                    path: $path,
                    access: Access::$access $((Scope::$scope))?,
                    summary: $summary,
                },
                handler: api_routes!(@handler $access $handler $([$query])?),
                operation: || Operation {
                    $(query: Some(|query| _ = $query(query)),)?
                    ..$operation
                },
            },)*
        ];
    };
    (@handler Public $handler:path) => { Handler::Open($handler) };
    (@handler $access:ident $handler:path) => {
        Handler::Admitted(|call| Box::pin(async move {
            query::read(call.visit, |_| {})?;
            $handler(call).await
        }))
    };
    (@handler $access:ident $handler:path [$query:expr]) => {
        Handler::Admitted(|call| Box::pin(async move {
            let asked = query::read(call.visit, $query)?;
            $handler(call, asked).await
        }))
    };
}

api_routes! {
    /// What the API is, for programs.
    "readOpenApi" = GET "/api/admin/openapi.json", Public => openapi::show, Operation {
        keys: Keys::None,
        headers: &["IfNoneMatch"],
        ..shows("About", "OpenApi")
    };
    /// Who calls, and what they may do.
    "readMe" = GET "/api/admin/me", SignedIn => people::me, shows("About", "Me");
    /// All casts.
    "listCasts" = GET "/api/admin/casts", Read => casts::list [casts::asked],
        shows(CAST.tag, "Casts");
    /// A new cast.
    "createCast" = POST "/api/admin/casts", Write(Casts) => casts::create, CAST.create();
    /// One cast.
    "readCast" = GET "/api/admin/casts/{id}", Read => casts::read, CAST.read();
    /// Changes a cast.
    "changeCast" = PATCH "/api/admin/casts/{id}", Write(Casts) => casts::change, CAST.change();
    /// Deletes a cast.
    "deleteCast" = DELETE "/api/admin/casts/{id}", Write(Casts) => casts::delete [casts::terminates], Operation {
        ..CAST.delete()
    };
    /// A cast's claims, accepted and refused.
    "listCastClaims" = GET "/api/admin/casts/{id}/claims", Read => claims::list_of_cast [claims::asked], Operation {
        segment: Some(cast_or_unknown()),
        ..shows("Claims", "Claims")
    };
    /// What became of a cast's claims, by the hour.
    "readCastStatistics" = GET "/api/admin/casts/{id}/statistics", Read => claims::statistics_of_cast [claims::span],
        Operation {
            segment: Some(CAST.id.schema()),
            ..shows("Claims", "Statistics")
        };
    /// What every rule would say of a made-up visit to a cast.
    "tryCast" = POST "/api/admin/casts/{id}/trials", Read => casts::try_link, Operation {
        body: Some(("Trial", true)),
        segment: Some(CAST.id.schema()),
        ..shows(CAST.tag, "TrialResult")
    };
    /// A cast like this one, with a key of its own.
    "copyCast" = POST "/api/admin/casts/{id}/copies", Write(Casts) => casts::copy, Operation {
        body: Some(("CastCopy", false)),
        segment: Some(CAST.id.schema()),
        problems: &[409],
        ..CAST.create()
    };
    /// Another key for a cast.
    "rotateKey" = POST "/api/admin/casts/{id}/key-rotations", Write(Casts) => casts::rotate_key,
        Operation {
            body: Some(("KeyRotation", false)),
            segment: Some(CAST.id.schema()),
            headers: &["IfMatch", "IdempotencyKey"],
            problems: &[409, 412],
            ..plain(
                CAST.tag,
                Answer::Document {
                    status: 201,
                    schema: "Cast",
                    versioned: true,
                },
            )
        };
    /// All claims, accepted and refused.
    "listClaims" = GET "/api/admin/claims", Read => claims::list [claims::asked_of_all],
        shows("Claims", "Claims");
    /// The same, as a file.
    "exportClaims" = GET "/api/admin/claims/export", Read => export::claims [export::asked], Operation {
        ..plain("Claims", Answer::File)
    };
    /// What became of all claims, by the hour.
    "readStatistics" = GET "/api/admin/statistics", Read => claims::statistics [claims::span],
        shows("Claims", "Statistics");
    /// All groups.
    "listGroups" = GET "/api/admin/groups", Read => records::list::<Group> [Paging::asked],
        shows(GROUP.tag, "Groups");
    /// A new group.
    "createGroup" = POST "/api/admin/groups", Write(People) => records::create::<Group>,
        GROUP.create();
    /// One group.
    "readGroup" = GET "/api/admin/groups/{id}", Read => records::read::<Group>, GROUP.read();
    /// Changes a group.
    "changeGroup" = PATCH "/api/admin/groups/{id}", Write(People) => records::change::<Group>,
        GROUP.change();
    /// Deletes a group.
    "deleteGroup" = DELETE "/api/admin/groups/{id}", Write(People) => records::delete_group [records::forces],
        Operation {
            ..GROUP.delete()
        };
    /// All networks.
    "listNetworks" = GET "/api/admin/networks", Read => records::list::<Network> [Paging::asked],
        shows(NETWORK.tag, "Networks");
    /// A new network.
    "createNetwork" = POST "/api/admin/networks", Write(Images) => records::create::<Network>,
        NETWORK.create();
    /// One network, by its name.
    "readNetwork" = GET "/api/admin/networks/{id}", Read => records::read::<Network>,
        NETWORK.read();
    /// Changes a network.
    "changeNetwork" = PATCH "/api/admin/networks/{id}", Write(Images) => records::change::<Network>,
        NETWORK.change();
    /// Deletes a network.
    "deleteNetwork" = DELETE "/api/admin/networks/{id}", Write(Images) => records::delete_network,
        NETWORK.delete();
    /// All images.
    "listImages" = GET "/api/admin/images", Read => images::list [Paging::asked], shows(IMAGE.tag, "Images");
    /// A new image.
    "createImage" = POST "/api/admin/images", Write(Images) => images::create, IMAGE.create();
    /// One image.
    "readImage" = GET "/api/admin/images/{id}", Read => images::read, IMAGE.read();
    /// Changes an image.
    "changeImage" = PATCH "/api/admin/images/{id}", Write(Images) => images::change, IMAGE.change();
    /// Deletes an image.
    "deleteImage" = DELETE "/api/admin/images/{id}", Write(Images) => images::delete,
        IMAGE.delete();
    /// Registers an image's container anew, with the gate of now.
    "registerImage" = POST "/api/admin/images/{id}/registrations", Write(Images) => images::register,
        Operation {
            headers: IF_MATCH,
            problems: &[409, 412, 422],
            answer: Answer::Document {
                status: 201,
                schema: "Image",
                versioned: true,
            },
            ..IMAGE.read()
        };
    /// All staging configs.
    "listStagingConfigs" = GET "/api/admin/staging-configs", Read => records::list::<StagingConfig> [Paging::asked],
        shows(STAGING.tag, "StagingConfigs");
    /// A new staging config.
    "createStagingConfig" = POST "/api/admin/staging-configs", Write(Casts) => records::create_staging,
        STAGING.create();
    /// One staging config.
    "readStagingConfig" = GET "/api/admin/staging-configs/{id}", Read => records::read::<StagingConfig>,
        STAGING.read();
    /// Changes a staging config.
    "changeStagingConfig" = PATCH "/api/admin/staging-configs/{id}", Write(Casts) => records::change_staging,
        STAGING.change();
    /// Deletes a staging config.
    "deleteStagingConfig" = DELETE "/api/admin/staging-configs/{id}", Write(Casts) => records::delete_staging,
        STAGING.delete();
    /// What a staging config keeps ready at this moment, and how it has fared.
    "readPool" = GET "/api/admin/staging-configs/{id}/pool", Read => records::read_pool, Operation {
        segment: Some(STAGING.id.schema()),
        ..shows(STAGING.tag, "Pool")
    };
    /// Users who have been here, anonymous or not.
    "listUsers" = GET "/api/admin/users", Read => people::list [people::asked_users],
        shows("People", "Users");
    /// One user.
    "readUser" = GET "/api/admin/users/{id}", Read => people::read, Operation {
        segment: Some(UserId::SPELLING.schema()),
        ..shows("People", "User")
    };
    /// Forgets a user, and who their sessions belonged to.
    "deleteUser" = DELETE "/api/admin/users/{id}", Write(People) => people::delete [casts::terminates], Operation {
        segment: Some(UserId::SPELLING.schema()),
        problems: &[409],
        ..plain("People", Answer::Nothing)
    };
    /// The files that are kept for a user, one profile for each image.
    "listProfiles" = GET "/api/admin/users/{id}/profiles", Read => people::profiles, Operation {
        segment: Some(UserId::SPELLING.schema()),
        ..shows("People", "Profiles")
    };
    /// Lets an earlier archive of a profile hold again.
    "restoreProfile" = POST "/api/admin/profiles/{id}/restore", Write(People) => people::restore_profile,
        Operation {
            segment: Some(profiles::id_schema()),
            body: Some(("ProfileRestore", true)),
            problems: &[409],
            ..shows("People", "Profile")
        };
    /// Deletes a profile and everything that is kept of it.
    "deleteProfile" = DELETE "/api/admin/profiles/{id}", Write(People) => people::delete_profile,
        Operation {
            segment: Some(profiles::id_schema()),
            problems: &[409],
            ..plain("People", Answer::Nothing)
        };
    /// The deployment's settings.
    "readSettings" = GET "/api/admin/settings", Read => settings::read, plain(
        "Settings",
        Answer::Document {
            status: 200,
            schema: "Settings",
            versioned: true,
        },
    );
    /// Changes the deployment's settings.
    "changeSettings" = PATCH "/api/admin/settings", Write(Settings) => settings::change, Operation {
        body: Some(("SettingsChange", true)),
        headers: IF_MATCH,
        problems: &[409, 412],
        ..plain(
            "Settings",
            Answer::Document {
                status: 200,
                schema: "Settings",
                versioned: true,
            },
        )
    };
    /// All sessions.
    "listSessions" = GET "/api/admin/sessions", Read => sessions::list [sessions::asked], {
        shows("Sessions", "Sessions")
    };
    /// One session.
    "readSession" = GET "/api/admin/sessions/{id}", Read => sessions::read, of_session("Session");
    /// An administrator ends a session.
    "stopSession" = POST "/api/admin/sessions/{id}/stop", Write(Sessions) => sessions::stop,
        Operation {
            problems: &[409, 410],
            ..of_session("Session")
        };
    /// An administrator takes a session's share link back.
    "unshareSession" = POST "/api/admin/sessions/{id}/unshare", Write(Sessions) => sessions::unshare,
        Operation {
            problems: &[409, 410],
            ..of_session("Session")
        };
    /// An administrator goes into a session to watch.
    "adminWatchSession" = POST "/api/admin/sessions/{id}/watch", Write(Sessions) => sessions::watch,
        Operation {
            problems: &[409, 410],
            ..of_session("WayIn")
        };
    /// All API keys.
    "listApiKeys" = GET "/api/admin/api-keys", Read => records::list::<ApiKey> [Paging::asked],
        shows(API_KEY.tag, "ApiKeys");
    /// A new API key.
    "createApiKey" = POST "/api/admin/api-keys", Write(Keys) => people::create_api_key, Operation {
        answer: Answer::Document {
            status: 201,
            schema: "IssuedApiKey",
            versioned: true,
        },
        headers: &[],
        ..API_KEY.create()
    };
    /// One API key.
    "readApiKey" = GET "/api/admin/api-keys/{id}", Read => records::read::<ApiKey>, API_KEY.read();
    /// Changes an API key.
    "changeApiKey" = PATCH "/api/admin/api-keys/{id}", Write(Keys) => records::change::<ApiKey>,
        API_KEY.change();
    /// Deletes an API key.
    "deleteApiKey" = DELETE "/api/admin/api-keys/{id}", Write(Keys) => people::delete_api_key,
        API_KEY.delete();
    /// Who changed what.
    "listAudit" = GET "/api/admin/audit", Read => people::list_audit [people::asked_audit],
        shows("Audit", "Audit");
    /// One change.
    "readAudit" = GET "/api/admin/audit/{id}", Read => people::read_audit, Operation {
        segment: Some(AuditId::SPELLING.schema()),
        ..shows("Audit", "AuditEntry")
    };
    /// Takes a change back; what that needs depends on what was changed.
    "undoAudit" = POST "/api/admin/audit/{id}/undo", Change => people::undo_audit, Operation {
        segment: Some(AuditId::SPELLING.schema()),
        problems: &[409, 412, 422],
        ..plain("Audit", Answer::Nothing)
    };
}

/// Finds routes of the API.
pub(crate) static API_ROUTER: LazyLock<Router<ApiRoute>> =
    LazyLock::new(|| Router::new(API_ROUTES));
