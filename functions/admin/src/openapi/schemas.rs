//! Owns the names of all schemas, and the schemas that no view of this function has beside it:
//! problems, pages, and the responses to clients that claim sessions. Must not know routes.

use casting_core::actor::Scope;
use casting_core::captcha::CaptchaKind;
use casting_core::denial::DenialCode;
use casting_core::form::TextType;
use casting_core::ids::{Reference, SessionId};
use casting_core::json_schema::{self, Schemas};
use casting_core::policy::NotApplied;
use casting_core::{
    api_key_form, cast_form, group_form, image_form, invitation_form, network_form,
    session::EndReason, settings_form, staging_form,
};
use serde_json::{Map, Value, json};

use super::document::codes;
use crate::api::{claims as statistics, people};
use casting_core::admin::{
    audits, budgets, casts, claims, configuration, hooks, invitations, login_previews, pools,
    profiles, references, session_actions, sessions, settings, trials, users,
};

/// Every schema by its name.
pub(super) fn all() -> Map<String, Value> {
    let mut all = Map::new();
    for (
        name,
        plural,
        Schemas {
            create,
            change,
            shown,
        },
    ) in [
        ("Cast", "Casts", cast_form::schemas()),
        ("Image", "Images", image_form::schemas()),
        ("Group", "Groups", group_form::schemas()),
        ("Network", "Networks", network_form::schemas()),
        ("StagingConfig", "StagingConfigs", staging_form::schemas()),
        ("ApiKey", "ApiKeys", api_key_form::schemas()),
    ] {
        all.insert(name.into(), shown);
        all.insert(format!("New{name}"), create);
        all.insert(format!("{name}Change"), change);
        all.insert(plural.into(), page(name));
    }
    let of_settings = settings_form::schemas();
    let rest = [
        ("CastCopy", cast_form::copy_schema()),
        ("KeyRotation", casts::rotation_schema()),
        ("References", references::schema()),
        ("Trial", trials::schema()),
        ("TrialResult", trials::answer_schema()),
        ("Budgets", budgets::schema()),
        ("Invitation", invitation_form::schema()),
        ("Invitations", page("Invitation")),
        ("NewInvitations", invitation_form::new_schema()),
        (
            "InvitationsMade",
            json_schema::object(
                json!({ "items": { "type": "array", "items": reference("Invitation") } }),
            ),
        ),
        ("InvitationRevocations", invitations::revocation_schema()),
        ("InvitationChanges", invitations::change_schema()),
        ("InvitationsDone", invitations::done_schema()),
        ("Hook", hooks::schema()),
        ("HookSecret", hooks::secret_schema()),
        ("Delivery", hooks::delivery_schema()),
        ("Deliveries", page("Delivery")),
        ("DeliveryReplay", hooks::replay_schema()),
        ("Settings", of_settings.shown),
        ("SettingsChange", of_settings.change),
        ("CaptchaKeys", settings::keys_schema()),
        ("LoginPreviewRequest", login_previews::schema()),
        ("LoginPreview", login_previews::answer_schema()),
        ("IssuedApiKey", issued()),
        ("Session", sessions::schema()),
        ("Sessions", page("Session")),
        ("SessionStop", session_actions::stop_schema()),
        ("SessionMessage", session_actions::message_schema()),
        ("SessionExtension", session_actions::extend_schema()),
        ("SessionStops", session_actions::stop_many_schema()),
        ("SessionMessages", session_actions::message_many_schema()),
        ("SessionExtensions", session_actions::extend_many_schema()),
        ("SessionsDone", session_actions::done_schema()),
        (
            "WayIn",
            json_schema::object(
                json!({ "url": { "type": "string", "format": "uri", "description": "Good for one browser." } }),
            ),
        ),
        ("Pool", pools::schema(&reference("Session"))),
        ("Claims", claims::schema(&reference("Session"))),
        ("Statistics", statistics::schema()),
        ("User", users::schema()),
        ("Users", page("User")),
        ("Profile", profiles::schema()),
        ("Profiles", page("Profile")),
        ("ProfileRestore", profiles::restore_schema()),
        ("AuditEntry", audits::schema()),
        ("Audit", page("AuditEntry")),
        ("Me", people::me_schema()),
        (
            "OpenApi",
            json!({ "type": "object", "required": ["openapi", "info", "paths"] }),
        ),
        ("Configuration", configuration::shown_schema()),
        ("ConfigurationRequest", configuration::request_schema()),
        ("ConfigurationPlan", configuration::plan_schema()),
        ("ConfigurationApplied", configuration::applied_schema()),
        (
            "JsonSchema",
            json!({ "type": "object", "required": ["$schema", "type", "properties"] }),
        ),
        ("Problem", problem()),
        ("Description", description()),
        ("Claim", claim()),
        ("Accepted", accepted()),
        ("Status", status()),
        ("Devtools", devtools()),
    ];
    all.extend(rest.map(|(name, schema)| (name.to_owned(), schema)));
    all
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A page of these.
fn page(item: &str) -> Value {
    let next = json!({ "type": ["string", "null"], "description":
        "The cursor of the page that follows; null on the last one." });
    json_schema::object(
        json!({ "items": { "type": "array", "items": reference(item) }, "next": next }),
    )
}

fn issued() -> Value {
    let key = json!({ "type": "string", "pattern": "^k[a-z2-7]{26}\\.[A-Za-z0-9_-]+$", "description": "The whole key, which is shown only once." });
    json!({ "allOf": [reference("ApiKey"), { "properties": { "key": key }, "required": ["key"] }] })
}

/// RFC 9457, with what is ours.
fn problem() -> Value {
    let error = json_schema::object(json!({
        "pointer": { "type": "string", "description": "A JSON pointer to the value." },
        "detail": { "type": "string", "description": "One plain sentence." },
    }));
    let properties = json!({
        "type": { "type": "string", "format": "uri-reference", "description": "A page that explains the error." },
        "title": { "type": "string" },
        "status": { "type": "integer", "minimum": 400, "maximum": 599 },
        "detail": { "type": "string" },
        "code": { "type": "string", "enum": codes().iter().map(|code| code.as_str()).collect::<Vec<_>>() },
        "ref": { "allOf": [Reference::SYNTAX.schema()], "description":
            "The reference under which the log has more." },
        "retry_after": { "type": "integer", "minimum": 0, "description": "When to retry, in seconds." },
        "errors": { "type": "array", "items": error, "description": "The invalid values." },
    });
    json!({ "type": "object", "properties": properties, "required": ["type", "title", "status", "detail", "code"] })
}

fn uri(about: &str) -> Value {
    json!({ "type": "string", "format": "uri", "description": about })
}

/// What a claim to a session of a link needs.
fn description() -> Value {
    let words =
        |words: &[&str]| json!({ "type": "array", "items": { "type": "string", "enum": words } });
    let captcha = json!({
        "type": "object", "required": ["kind", "action"],
        "properties": {
            "kind": { "type": "string", "enum": CaptchaKind::ALL.map(CaptchaKind::as_str) },
            "site_key": { "type": "string" },
            "challenge": { "type": "string", "description": "The challenge to solve, as JSON." },
            "action": { "type": "string", "description": "The action for the provider." },
        },
    });
    let resume = json!({
        "type": "object", "required": ["session_id", "state", "status_url", "not_applied"],
        "description": "The user's own running session of this link. A claim with the ticket leads \
            back to it and takes nothing, also when the link is sold out, full, closed, expired or \
            disabled; `opens` is then opened only with `consent`.",
        "properties": {
            "session_id": SessionId::SYNTAX.schema(),
            "state": states(),
            "status_url": uri("Where to ask how far it is, with the token of the claim."),
            "not_applied": not_applied(),
        },
    });
    let properties = json!({
        "name": { "type": "string", "description": "The name of the image." },
        "title": { "type": "string", "description": "The administrator's heading for visitors." },
        "summary": { "type": "string", "description": "The administrator's text for visitors." },
        "needs": words(&["login", "captcha", "consent"]),
        "offers": words(&["login", "captcha"]),
        "captcha": captcha,
        "opens": { "type": "string", "description":
            "The URL that the session opens; it needs `consent`." },
        "resume": resume,
        "parameters": words(&["kasm_url", "docker_network"]),
        "remaining": { "type": "string", "enum": ["none", "few", "some", "many"] },
        "ticket": { "type": "string", "description": "The launch ticket for the claim." },
        "ticket_expires_in": { "type": "integer", "description": "In seconds." },
        "claim_url": uri("Where the claim goes."),
        "login_url": uri("Where to log in first, or to get more."),
        "valid_until": json_schema::time(),
    });
    json!({ "type": "object", "properties": properties, "required": ["name", "needs", "parameters", "claim_url"] })
}

/// What a running session did not take over of a link's parameters.
fn not_applied() -> Value {
    json!({
        "type": "array", "description": "Parameters that a running session cannot apply.",
        "items": { "type": "string", "enum": NotApplied::ALL.map(NotApplied::as_str) },
    })
}

fn claim() -> Value {
    let properties = json!({
        "ticket": { "type": "string", "description":
            "The `ticket` from the description of the link." },
        "captcha": { "type": ["string", "null"], "description": "The solution of the CAPTCHA." },
        "consent": { "type": "boolean", "default": false, "description":
            "Whether the visitor agrees to the URL that is opened." },
    });
    json!({ "type": "object", "properties": properties, "required": ["ticket"], "additionalProperties": false })
}

fn accepted() -> Value {
    let properties = json!({
        "session_id": SessionId::SYNTAX.schema(),
        "state": states(),
        "status_url": uri("Where to ask how far it is."),
        "session_token": { "type": "string", "description":
            "The token for all requests about the session." },
        "resumed": {
            "type": "object", "required": ["not_applied"],
            "description": "Present when the session was already running.",
            "properties": { "not_applied": not_applied() },
        },
    });
    json!({ "type": "object", "properties": properties, "required": ["session_id", "state", "status_url", "session_token"] })
}

fn states() -> Value {
    json!({ "type": "string", "enum": ["reserved", "starting", "ready", "stopping", "ended"] })
}

fn status() -> Value {
    let denials: Vec<_> = DenialCode::ALL.iter().map(|code| code.as_str()).collect();
    let properties = json!({
        "id": SessionId::SYNTAX.schema(),
        "state": states(),
        "step": { "type": "integer", "minimum": 0, "maximum": 5, "description": "The current step." },
        "task_status": { "type": "string", "enum": ["provisioning", "pending", "running", "stopping", "stopped"] },
        "reason": { "type": "string", "enum": EndReason::WORDS, "description": "Why it ended." },
        "denial": { "type": "string", "enum": denials, "description": "Why it did not become ready." },
        "retry_after": { "type": "integer", "minimum": 0 },
        "starts_in": { "type": "integer", "minimum": 1, "description": "In how many seconds its queued start has its turn. ECS starts so many tasks a second; asking for the status makes the start once it is its turn." },
        "message": { "type": "string", "description": "The same for the visitor, in their language." },
        "ready_by": json_schema::time(),
        "ends_at": json_schema::time(),
        "enter_url": uri("Where it is entered."),
        "devtools_url": uri("Where a program asks for its DevTools, while it is ready and has any."),
    });
    json!({ "type": "object", "properties": properties, "required": ["id", "state"] })
}

/// How a program drives the browser of its session.
fn devtools() -> Value {
    let properties = json!({
        "url": uri("The address of the Chrome DevTools endpoint: for Playwright's `connectOverCDP`."),
        "websocket_url": uri("The browser's WebSocket there, for clients that take no other address."),
        "token": { "type": "string", "description":
            "The bearer token of both, in the header `Authorization` of each request." },
        "expires_at": json_schema::time(),
    });
    json!({ "type": "object", "properties": properties, "required": ["url", "websocket_url", "token", "expires_at"] })
}

/// What each scope lets a key do, for the description of keys.
pub(super) fn scopes() -> String {
    Scope::ALL
        .map(|scope| format!("`{}`: {}.", scope.as_str(), scope.meaning()))
        .join(" ")
}
