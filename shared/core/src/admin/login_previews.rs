//! Owns the preview of a login: who a user with these claims would be here. The port behind it reads
//! them as a login does; must not know OpenID Connect.

use serde_json::{Map, Value, json};

use super::AdminService;
use super::error::AdminError;
use crate::form::FieldErrors;
use crate::json_schema;
use crate::time::Timestamp;
use crate::user::User;

/// Reads claims as a login at the deployment's provider does, without asking anybody.
pub trait LoginReader: Send + Sync {
    /// What a login with these claims would come to at this time: the payload of an ID token, or
    /// the answer of a userinfo endpoint.
    fn read(&self, claims: &Map<String, Value>, now: Timestamp) -> LoginReading;
}

/// What a login comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginReading {
    /// The user, or why the login would be refused.
    pub user: Result<User, Vec<ClaimProblem>>,
    /// What an administrator should know besides.
    pub notes: Vec<String>,
}

/// Why a login is refused: one claim, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimProblem {
    /// The name of the claim.
    pub claim: String,
    /// What is wrong, in a sentence.
    pub detail: String,
}

/// A reading, and the groups of this deployment that the user would be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginPreview {
    /// What the login comes to.
    pub reading: LoginReading,
    /// The names of those groups, the most important first, *All Users* among them.
    pub groups: Vec<String>,
}

/// Previews the login of `{"claims": {…}}`.
///
/// # Errors
/// When there are no claims, or the deployment has no login provider.
pub async fn preview(
    service: &AdminService<'_>,
    document: &Value,
) -> Result<LoginPreview, AdminError> {
    let wrong = |what| AdminError::Fields(FieldErrors::one("/claims", what));
    let claims = document.get("claims").and_then(Value::as_object);
    let claims = claims.ok_or_else(|| {
        wrong(
            "must be an object: the payload of an ID token, or the answer of a userinfo endpoint.",
        )
    })?;
    let control_plane = service.control_plane;
    let reader = control_plane
        .login_reader
        .as_ref()
        .ok_or_else(|| AdminError::Conflict("This deployment has no login provider.".to_owned()))?;
    let mut reading = reader.read(claims, control_plane.clock.now());
    let mut groups = Vec::new();
    if let Ok(user) = &reading.user {
        groups = control_plane.groups_of_login(&user.groups).await?;
        // Everybody is in *All Users*.
        if groups.len() < 2 && !user.groups.is_empty() {
            let note = "No group here has one of these names; list them in a group's login_names.";
            reading.notes.push(note.to_owned());
        }
    }
    Ok(LoginPreview { reading, groups })
}

/// The preview as the API shows it.
pub fn view(preview: &LoginPreview) -> Value {
    let LoginPreview { reading, groups } = preview;
    let user = reading.user.as_ref().ok();
    let problems = reading.user.as_ref().err().into_iter().flatten();
    let problem =
        |problem: &ClaimProblem| json!({ "claim": problem.claim, "detail": problem.detail });
    let roles = user.iter().flat_map(|user| &user.roles);
    json!({
        "admitted": user.is_some(),
        "name": user.map(|user| user.name.as_str()),
        "roles": roles.map(|role| role.as_str()).collect::<Vec<_>>(),
        "login_groups": user.map_or(&[][..], |user| &user.groups),
        "groups": groups,
        "problems": problems.map(problem).collect::<Vec<_>>(),
        "notes": reading.notes,
    })
}

/// The JSON Schema of what [`preview`] takes.
pub fn schema() -> Value {
    json!({
        "type": "object",
        "properties": { "claims": {
            "type": "object",
            "additionalProperties": true,
            "description": "The payload of an ID token, or the answer of a userinfo endpoint.",
        } },
        "required": ["claims"],
        "additionalProperties": true,
    })
}

/// The JSON Schema of [`view`].
pub fn answer_schema() -> Value {
    let texts = |about: &str| json!({ "type": "array", "items": { "type": "string" }, "description": about });
    let problem = json!({
        "type": "object",
        "properties": {
            "claim": { "type": "string", "description": "The name of the claim." },
            "detail": { "type": "string", "description": "What is wrong with it." },
        },
        "required": ["claim", "detail"],
    });
    json_schema::object(json!({
        "admitted": { "type": "boolean", "description": "Whether this login would be accepted." },
        "name": { "type": ["string", "null"], "description": "The name that is shown of the user." },
        "roles": texts("The roles in the console."),
        "login_groups": texts("The groups as the provider sends them, as far as a login keeps them."),
        "groups": texts("The groups of this deployment that the user would be in, the most important first."),
        "problems": { "type": "array", "items": problem, "description": "Why it would be refused." },
        "notes": texts("What to know besides."),
    }))
}
