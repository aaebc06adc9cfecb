//! Owns the routes of the API: each with its required access, its handler and its documentation.
//! Must not know how a handler works.
//!
//! To add a route, add a line here. Its comment is its summary in the document; in brackets stands
//! the parser of its query parameters, if it has any. A new schema gets its name in
//! `openapi/schemas.rs`.

use std::sync::LazyLock;

use casting_core::actor::Scope;
use casting_core::api_key::ApiKey;
use casting_core::audit::AuditId;
use casting_core::form::TextType;
use casting_core::group::Group;
use casting_core::ids::UserId;
use casting_core::network::Network;
use casting_core::staging::StagingConfig;
use casting_web::{Access, Line, Reply, RequestContext, Route, Router};
use futures_util::future::BoxFuture;
use http::Method;

use super::paging::Paging;
use super::{
    Call, casts, claims, configuration, export, hooks, images, invitations, people, query, records,
    sessions, settings,
};
use crate::openapi::{
    self, API_KEY, Answer, CAST, GROUP, IF_MATCH, IMAGE, Keys, NETWORK, Operation, STAGING,
    cast_or_unknown, of_session, plain, shows,
};
use casting_core::admin::{hooks as hook_verbs, profiles};
use casting_web::HandlerError;

/// A route of the API.
pub(crate) struct ApiRoute {
    /// Its name in clients that are generated from the document.
    pub(crate) operation_id: &'static str,
    /// Path, method, access and summary.
    pub(crate) route: Route,
    /// The handler.
    pub(crate) handler: Handler,
    /// Its parameters, body and responses.
    pub(crate) operation: fn() -> Operation,
}

impl Line for ApiRoute {
    fn route(&self) -> &Route {
        &self.route
    }
}

/// The handler of a route of the API.
pub(crate) enum Handler {
    /// Without authentication.
    Open(fn(&RequestContext) -> Reply),
    /// For authenticated actors with the required access.
    Admitted(for<'a> fn(&'a Call<'a>) -> BoxFuture<'a, Result<Reply, HandlerError>>),
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
    /// The OpenAPI document of the API.
    "readOpenApi" = GET "/api/admin/openapi.json", Public => openapi::show, Operation {
        keys: Keys::None,
        headers: &["IfNoneMatch"],
        ..shows("About", "OpenApi")
    };
    /// The caller and their scopes.
    "readMe" = GET "/api/admin/me", SignedIn => people::me, shows("About", "Me");
    /// Lists casts.
    "listCasts" = GET "/api/admin/casts", Read => casts::list [casts::asked],
        shows(CAST.tag, "Casts");
    /// Creates a cast.
    "createCast" = POST "/api/admin/casts", Write(Casts) => casts::create, CAST.create();
    /// Reads a cast.
    "readCast" = GET "/api/admin/casts/{id}", Read => casts::read, CAST.read();
    /// Changes a cast.
    "changeCast" = PATCH "/api/admin/casts/{id}", Write(Casts) => casts::change, CAST.change();
    /// Deletes a cast.
    "deleteCast" = DELETE "/api/admin/casts/{id}", Write(Casts) =>
        casts::delete [casts::terminates], Operation {
        ..CAST.delete()
    };
    /// What the deletion of a cast touches: records that name it, and sessions.
    "readCastReferences" = GET "/api/admin/casts/{id}/references", Read =>
        records::references_of_cast,
        Operation {
            segment: Some(CAST.id.schema()),
            ..shows(CAST.tag, "References")
        };
    /// Lists a cast's claims, accepted and refused.
    "listCastClaims" = GET "/api/admin/casts/{id}/claims", Read =>
        claims::list_of_cast [claims::asked], Operation {
        segment: Some(cast_or_unknown()),
        ..shows("Claims", "Claims")
    };
    /// The outcomes of a cast's claims, by the hour.
    "readCastStatistics" = GET "/api/admin/casts/{id}/statistics", Read =>
        claims::statistics_of_cast [claims::span],
        Operation {
            segment: Some(CAST.id.schema()),
            ..shows("Claims", "Statistics")
        };
    /// The budgets of a cast: what is taken of each, and a forecast.
    "readCastBudgets" = GET "/api/admin/casts/{id}/budgets", Read => casts::budgets, Operation {
        segment: Some(CAST.id.schema()),
        ..shows(CAST.tag, "Budgets")
    };
    /// Tests every rule of a cast with a made-up visit.
    "tryCast" = POST "/api/admin/casts/{id}/trials", Read => casts::try_link, Operation {
        body: Some(("Trial", true)),
        segment: Some(CAST.id.schema()),
        ..shows(CAST.tag, "TrialResult")
    };
    /// Copies a cast, with a new key.
    "copyCast" = POST "/api/admin/casts/{id}/copies", Write(Casts) => casts::copy, Operation {
        body: Some(("CastCopy", false)),
        segment: Some(CAST.id.schema()),
        problems: &[409],
        ..CAST.create()
    };
    /// Replaces the key of a cast; the old one works for 30 days, or as long as asked for.
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
    /// Takes the last replacement of the key back, while the old key still works.
    "restoreKey" = POST "/api/admin/casts/{id}/key-restorations", Write(Casts) =>
        casts::restore_key,
        Operation {
            segment: Some(CAST.id.schema()),
            headers: IF_MATCH,
            problems: &[409, 412],
            ..plain(
                CAST.tag,
                Answer::Document {
                    status: 200,
                    schema: "Cast",
                    versioned: true,
                },
            )
        };
    /// Lists the invitations to a cast, with their uses.
    "listInvitations" = GET "/api/admin/casts/{id}/invitations", Read =>
        invitations::list [Paging::asked], Operation {
        segment: Some(CAST.id.schema()),
        ..shows(CAST.tag, "Invitations")
    };
    /// Invites guests: each gets an address of their own.
    "createInvitations" = POST "/api/admin/casts/{id}/invitations", Write(Casts) =>
        invitations::create, Operation {
        body: Some(("NewInvitations", true)),
        segment: Some(CAST.id.schema()),
        problems: &[409],
        ..plain(
            CAST.tag,
            Answer::Document {
                status: 201,
                schema: "InvitationsMade",
                versioned: false,
            },
        )
    };
    /// Changes the name, the label, the uses or the end of invitations to a cast.
    "changeInvitations" = POST "/api/admin/casts/{id}/invitation-changes", Write(Casts) =>
        invitations::change, Operation {
        body: Some(("InvitationChanges", true)),
        segment: Some(CAST.id.schema()),
        problems: &[409],
        ..shows(CAST.tag, "InvitationsDone")
    };
    /// Revokes invitations to a cast.
    "revokeInvitations" = POST "/api/admin/casts/{id}/invitation-revocations", Write(Casts) =>
        invitations::revoke, Operation {
        body: Some(("InvitationRevocations", true)),
        segment: Some(CAST.id.schema()),
        ..shows(CAST.tag, "InvitationsDone")
    };
    /// A hook with its state: of a cast, or `deployment`.
    "readHook" = GET "/api/admin/hooks/{id}", Read => hooks::read, of_hook("Hook");
    /// Makes another secret for a hook; the one before works beside it for a day.
    "rotateHookSecret" = POST "/api/admin/hooks/{id}/secrets", Change => hooks::rotate, Operation {
        segment: Some(hook_verbs::id_schema()),
        ..plain(
            "Hooks",
            Answer::Document {
                status: 201,
                schema: "HookSecret",
                versioned: false,
            },
        )
    };
    /// Sends events again after a hook was paused.
    "resumeHook" = POST "/api/admin/hooks/{id}/resumptions", Change => hooks::resume,
        of_hook("Hook");
    /// Sends a test event to a hook.
    "testHook" = POST "/api/admin/hooks/{id}/tests", Change => hooks::test, sends_event();
    /// Lists the deliveries of a hook.
    "listDeliveries" = GET "/api/admin/hooks/{id}/deliveries", Read =>
        hooks::list [Paging::asked], of_hook("Deliveries");
    /// Sends a delivery again.
    "replayDelivery" = POST "/api/admin/hooks/{id}/replays", Change => hooks::replay, Operation {
        body: Some(("DeliveryReplay", true)),
        ..sends_event()
    };
    /// Lists all claims, accepted and refused.
    "listClaims" = GET "/api/admin/claims", Read => claims::list [claims::asked_of_all],
        shows("Claims", "Claims");
    /// Exports claims as a file.
    "exportClaims" = GET "/api/admin/claims/export", Read =>
        export::claims [export::asked], Operation {
        ..plain("Claims", Answer::File)
    };
    /// The outcomes of all claims, by the hour.
    "readStatistics" = GET "/api/admin/statistics", Read => claims::statistics [claims::span],
        shows("Claims", "Statistics");
    /// Lists groups.
    "listGroups" = GET "/api/admin/groups", Read => records::list::<Group> [Paging::asked],
        shows(GROUP.tag, "Groups");
    /// Creates a group.
    "createGroup" = POST "/api/admin/groups", Write(People) => records::create::<Group>,
        GROUP.create();
    /// Reads a group.
    "readGroup" = GET "/api/admin/groups/{id}", Read => records::read::<Group>, GROUP.read();
    /// Changes a group.
    "changeGroup" = PATCH "/api/admin/groups/{id}", Write(People) => records::change::<Group>,
        GROUP.change();
    /// Deletes a group.
    "deleteGroup" = DELETE "/api/admin/groups/{id}", Write(People) =>
        records::delete_group [records::forces],
        Operation {
            ..GROUP.delete()
        };
    /// What the deletion of a group touches: records that name it, and sessions.
    "readGroupReferences" = GET "/api/admin/groups/{id}/references", Read =>
        records::references::<Group>,
        Operation {
            segment: Some(GROUP.id.schema()),
            ..shows(GROUP.tag, "References")
        };
    /// Lists networks.
    "listNetworks" = GET "/api/admin/networks", Read => records::list::<Network> [Paging::asked],
        shows(NETWORK.tag, "Networks");
    /// Creates a network.
    "createNetwork" = POST "/api/admin/networks", Write(Images) => records::create::<Network>,
        NETWORK.create();
    /// Reads a network, by its name.
    "readNetwork" = GET "/api/admin/networks/{id}", Read => records::read::<Network>,
        NETWORK.read();
    /// Changes a network.
    "changeNetwork" = PATCH "/api/admin/networks/{id}", Write(Images) => records::change::<Network>,
        NETWORK.change();
    /// Deletes a network.
    "deleteNetwork" = DELETE "/api/admin/networks/{id}", Write(Images) => records::delete_network,
        NETWORK.delete();
    /// What the deletion of a network touches: records that name it, and sessions.
    "readNetworkReferences" = GET "/api/admin/networks/{id}/references", Read =>
        records::references::<Network>,
        Operation {
            segment: Some(NETWORK.id.schema()),
            ..shows(NETWORK.tag, "References")
        };
    /// Lists images.
    "listImages" = GET "/api/admin/images", Read =>
        images::list [Paging::asked], shows(IMAGE.tag, "Images");
    /// Creates an image.
    "createImage" = POST "/api/admin/images", Write(Images) => images::create, IMAGE.create();
    /// Reads an image.
    "readImage" = GET "/api/admin/images/{id}", Read => images::read, IMAGE.read();
    /// Changes an image.
    "changeImage" = PATCH "/api/admin/images/{id}", Write(Images) => images::change, IMAGE.change();
    /// Deletes an image.
    "deleteImage" = DELETE "/api/admin/images/{id}", Write(Images) => images::delete,
        IMAGE.delete();
    /// What the deletion of an image touches: records that name it, and sessions.
    "readImageReferences" = GET "/api/admin/images/{id}/references", Read =>
        records::references_of_image,
        Operation {
            segment: Some(IMAGE.id.schema()),
            ..shows(IMAGE.tag, "References")
        };
    /// Registers an image's task definition again, with the current gate.
    "registerImage" = POST "/api/admin/images/{id}/registrations", Write(Images) =>
        images::register,
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
    /// Lists staging configs.
    "listStagingConfigs" = GET "/api/admin/staging-configs", Read =>
        records::list::<StagingConfig> [Paging::asked],
        shows(STAGING.tag, "StagingConfigs");
    /// Creates a staging config.
    "createStagingConfig" = POST "/api/admin/staging-configs", Write(Casts) =>
        records::create_staging,
        STAGING.create();
    /// Reads a staging config.
    "readStagingConfig" = GET "/api/admin/staging-configs/{id}", Read =>
        records::read::<StagingConfig>,
        STAGING.read();
    /// Changes a staging config.
    "changeStagingConfig" = PATCH "/api/admin/staging-configs/{id}", Write(Casts) =>
        records::change_staging,
        STAGING.change();
    /// Deletes a staging config.
    "deleteStagingConfig" = DELETE "/api/admin/staging-configs/{id}", Write(Casts) =>
        records::delete_staging,
        STAGING.delete();
    /// What the deletion of a staging config touches: records that name it, and sessions.
    "readStagingConfigReferences" = GET "/api/admin/staging-configs/{id}/references", Read =>
        records::references::<StagingConfig>,
        Operation {
            segment: Some(STAGING.id.schema()),
            ..shows(STAGING.tag, "References")
        };
    /// The pool of a staging config: its sessions now, and its last two days.
    "readPool" = GET "/api/admin/staging-configs/{id}/pool", Read => records::read_pool, Operation {
        segment: Some(STAGING.id.schema()),
        ..shows(STAGING.tag, "Pool")
    };
    /// Lists users, anonymous or not.
    "listUsers" = GET "/api/admin/users", Read => people::list [people::asked_users],
        shows("People", "Users");
    /// Reads a user.
    "readUser" = GET "/api/admin/users/{id}", Read => people::read, Operation {
        segment: Some(UserId::SYNTAX.schema()),
        ..shows("People", "User")
    };
    /// Deletes a user, and anonymises their sessions.
    "deleteUser" = DELETE "/api/admin/users/{id}", Write(People) =>
        people::delete [casts::terminates], Operation {
        segment: Some(UserId::SYNTAX.schema()),
        problems: &[409],
        ..plain("People", Answer::Nothing)
    };
    /// Lists a user's persistent profiles, one for each image.
    "listProfiles" = GET "/api/admin/users/{id}/profiles", Read => people::profiles, Operation {
        segment: Some(UserId::SYNTAX.schema()),
        ..shows("People", "Profiles")
    };
    /// Restores an earlier archive of a profile.
    "restoreProfile" = POST "/api/admin/profiles/{id}/restore", Write(People) =>
        people::restore_profile,
        Operation {
            segment: Some(profiles::id_schema()),
            body: Some(("ProfileRestore", true)),
            problems: &[409],
            ..shows("People", "Profile")
        };
    /// Deletes a profile with all of its archives.
    "deleteProfile" = DELETE "/api/admin/profiles/{id}", Write(People) => people::delete_profile,
        Operation {
            segment: Some(profiles::id_schema()),
            problems: &[409],
            ..plain("People", Answer::Nothing)
        };
    /// Reads the deployment's settings.
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
    /// Asks the CAPTCHA's provider whether it accepts the keys of the settings.
    "checkCaptchaKeys" = POST "/api/admin/settings/captcha-checks", Write(Settings) =>
        settings::check_keys,
        shows("Settings", "CaptchaKeys");
    /// Previews a login from its claims: which user it would be, in which groups, or why not.
    "previewLogin" = POST "/api/admin/settings/login-previews", Write(Settings) =>
        settings::preview_login,
        Operation {
            body: Some(("LoginPreviewRequest", true)),
            problems: &[409],
            ..shows("Settings", "LoginPreview")
        };
    /// Exports the configuration: settings, networks, groups, images, staging configs and casts.
    "exportConfiguration" = GET "/api/admin/configuration", Read => configuration::export,
        Operation {
            problems: &[409],
            ..shows("Configuration", "Configuration")
        };
    /// The JSON Schema of a configuration.
    "readConfigurationSchema" = GET "/api/admin/configuration/schema.json", Read =>
        configuration::schema,
        shows("Configuration", "JsonSchema");
    /// Compares a configuration with this deployment, and changes nothing.
    "planConfiguration" = POST "/api/admin/configuration/plans", Read => configuration::plan,
        Operation {
            body: Some(("ConfigurationRequest", true)),
            problems: &[409],
            ..shows("Configuration", "ConfigurationPlan")
        };
    /// Applies a configuration; the required scopes depend on what changes.
    "applyConfiguration" = POST "/api/admin/configuration", Change => configuration::apply,
        Operation {
            body: Some(("ConfigurationRequest", true)),
            problems: &[409, 412],
            ..shows("Configuration", "ConfigurationApplied")
        };
    /// Lists sessions.
    "listSessions" = GET "/api/admin/sessions", Read => sessions::list [sessions::asked], {
        shows("Sessions", "Sessions")
    };
    /// Reads a session.
    "readSession" = GET "/api/admin/sessions/{id}", Read => sessions::read, of_session("Session");
    /// Ends a session.
    "stopSession" = POST "/api/admin/sessions/{id}/stop", Write(Sessions) => sessions::stop,
        Operation {
            body: Some(("SessionStop", false)),
            problems: &[409, 410],
            ..of_session("Session")
        };
    /// Tells the visitor of a session something.
    "messageSession" = POST "/api/admin/sessions/{id}/message", Write(Sessions) =>
        sessions::message,
        Operation {
            body: Some(("SessionMessage", true)),
            problems: &[409],
            ..of_session("Session")
        };
    /// Extends a session beyond what its link allows.
    "extendSession" = POST "/api/admin/sessions/{id}/extend", Write(Sessions) => sessions::extend,
        Operation {
            body: Some(("SessionExtension", true)),
            problems: &[409],
            ..of_session("Session")
        };
    /// Ends several sessions.
    "stopSessions" = POST "/api/admin/session-stops", Write(Sessions) => sessions::stop_many,
        Operation {
            body: Some(("SessionStops", true)),
            ..shows("Sessions", "SessionsDone")
        };
    /// Tells the visitors of several sessions the same.
    "messageSessions" = POST "/api/admin/session-messages", Write(Sessions) =>
        sessions::message_many,
        Operation {
            body: Some(("SessionMessages", true)),
            ..shows("Sessions", "SessionsDone")
        };
    /// Extends several sessions: those named, or all that run of a cast, an image or with these words.
    "extendSessions" = POST "/api/admin/session-extensions", Write(Sessions) =>
        sessions::extend_many,
        Operation {
            body: Some(("SessionExtensions", true)),
            headers: &["IdempotencyKey"],
            problems: &[409],
            ..shows("Sessions", "SessionsDone")
        };
    /// Ends the sharing of a session.
    "unshareSession" = POST "/api/admin/sessions/{id}/unshare", Write(Sessions) =>
        sessions::unshare,
        Operation {
            problems: &[409, 410],
            ..of_session("Session")
        };
    /// Watches a shared session.
    "adminWatchSession" = POST "/api/admin/sessions/{id}/watch", Write(Sessions) => sessions::watch,
        Operation {
            problems: &[409, 410],
            ..of_session("WayIn")
        };
    /// Lists API keys.
    "listApiKeys" = GET "/api/admin/api-keys", Read => records::list::<ApiKey> [Paging::asked],
        shows(API_KEY.tag, "ApiKeys");
    /// Creates an API key.
    "createApiKey" = POST "/api/admin/api-keys", Write(Keys) => people::create_api_key, Operation {
        answer: Answer::Document {
            status: 201,
            schema: "IssuedApiKey",
            versioned: true,
        },
        headers: &[],
        ..API_KEY.create()
    };
    /// Reads an API key.
    "readApiKey" = GET "/api/admin/api-keys/{id}", Read => records::read::<ApiKey>, API_KEY.read();
    /// Changes an API key.
    "changeApiKey" = PATCH "/api/admin/api-keys/{id}", Write(Keys) => records::change::<ApiKey>,
        API_KEY.change();
    /// Deletes an API key.
    "deleteApiKey" = DELETE "/api/admin/api-keys/{id}", Write(Keys) => people::delete_api_key,
        API_KEY.delete();
    /// What the deletion of an API key touches: records that name it, and sessions.
    "readApiKeyReferences" = GET "/api/admin/api-keys/{id}/references", Read =>
        records::references::<ApiKey>,
        Operation {
            segment: Some(API_KEY.id.schema()),
            ..shows(API_KEY.tag, "References")
        };
    /// Lists the entries of the audit log.
    "listAudit" = GET "/api/admin/audit", Read => people::list_audit [people::asked_audit],
        shows("Audit", "Audit");
    /// Reads an entry of the audit log.
    "readAudit" = GET "/api/admin/audit/{id}", Read => people::read_audit, Operation {
        segment: Some(AuditId::SYNTAX.schema()),
        ..shows("Audit", "AuditEntry")
    };
    /// Undoes a change; the required scope depends on the record.
    "undoAudit" = POST "/api/admin/audit/{id}/undo", Change => people::undo_audit, Operation {
        segment: Some(AuditId::SYNTAX.schema()),
        problems: &[409, 412, 422],
        ..plain("Audit", Answer::Nothing)
    };
}

/// A route about a hook.
fn of_hook(schema: &'static str) -> Operation {
    Operation {
        segment: Some(hook_verbs::id_schema()),
        ..shows("Hooks", schema)
    }
}

/// A route that sends an event to a hook.
fn sends_event() -> Operation {
    Operation {
        segment: Some(hook_verbs::id_schema()),
        problems: &[409],
        ..plain(
            "Hooks",
            Answer::Document {
                status: 202,
                schema: "Delivery",
                versioned: false,
            },
        )
    }
}

/// Finds routes of the API.
pub(crate) static API_ROUTER: LazyLock<Router<ApiRoute>> =
    LazyLock::new(|| Router::new(API_ROUTES));
