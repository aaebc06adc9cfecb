//! Owns the trial of a link: it evaluates every rule for a made-up visit. Must not know the rules.

use crate::form::{FieldErrors, Form, flag, formatted, line, parsed};
use crate::ids::{InvitationId, UserId};
use crate::json_schema::{self, SchemaBuilder};
use crate::language::Wish;
use crate::policy::LinkParameters;
use crate::text_format;
use crate::time::Timestamp;
use crate::user::User;
use crate::{Trial, TrialOutcome, Visitor, referrer};
use serde_json::{Map, Value, json};

use crate::admin::error::AdminError;
use crate::admin::{AdminService, casts};

/// Evaluates every rule for this visit to the cast. Nothing is charged.
pub async fn run(
    service: &AdminService<'_>,
    id: &str,
    input: &Value,
) -> Result<TrialOutcome, AdminError> {
    let cast = casts::find(service, id).await?;
    let trial = read(input, service.control_plane.clock.now())?;
    Ok(service.control_plane.try_link(&cast, &trial).await?)
}

/// The outcome as the API shows it.
pub fn view(outcome: &TrialOutcome) -> Value {
    let TrialOutcome { steps, groups } = outcome;
    let refusal = steps.iter().find(|step| !step.passes);
    json!({
        "admitted": refusal.is_none(),
        "code": refusal.and_then(|step| step.code),
        "retry_after": refusal.and_then(|step| step.retry_after),
        "groups": groups,
        "steps": steps,
    })
}

/// Parses a made-up visit: `address`, and if wanted `referrer`, `user`, `groups`, `browser`,
/// `kasm_url`, `docker_network`, `invitation`, `captcha`, `at`.
fn read(input: &Value, now: Timestamp) -> Result<Trial, FieldErrors> {
    read_form(&mut Form::over(Map::new(), input, &[])?, now)
}

/// The JSON Schema of a made-up visit.
pub fn schema() -> Value {
    SchemaBuilder::of(|form| _ = read_form(form, Timestamp::from_millis(0)))
        .described(WORDS)
        .whole()
}

/// The JSON Schema of [`view`].
pub fn answer_schema() -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let seconds =
        json!({ "type": ["integer", "null"], "description": "When it makes sense to come back." });
    let step = json!({
        "rule": text("The rule, in one word."), "question": text("What it asks."), "passes": { "type": "boolean" },
        "because": text("Why, in plain words."), "code": text("Why not, as in a problem document."), "retry_after": { "type": "integer" },
    });
    let step = json!({ "type": "object", "properties": step, "required": ["rule", "question", "passes", "because"] });
    json_schema::object(json!({
        "admitted": { "type": "boolean" }, "code": { "type": ["string", "null"] }, "retry_after": seconds,
        "groups": { "type": "array", "items": { "type": "string" }, "description": "The visitor's groups, the most important first." },
        "steps": { "type": "array", "items": step },
    }))
}

/// What each field of a made-up visit means.
const WORDS: &[(&str, &str)] = &[
    ("address", "Where the visit comes from."),
    ("referrer", "The page that the link was on."),
    ("user", "The logged-in user; anonymous when it is left out."),
    ("groups", "The groups that the user is in."),
    (
        "browser",
        "Identifies the browser among others at its address.",
    ),
    ("kasm_url", "What the link's address asks to open."),
    ("docker_network", "The network that it asks for."),
    ("invitation", "The invitation that it names."),
    (
        "captcha",
        "Whether the CAPTCHA is solved; when it is left out, both ways are told.",
    ),
    ("at", "When; now when it is left out."),
];

fn read_form(form: &mut Form, now: Timestamp) -> Result<Trial, FieldErrors> {
    let address = form.required(
        "address",
        parsed(|text| {
            text.parse()
                .map_err(|_| "must be an IP address.".to_owned())
        }),
    );
    let read_host = |text: &str| {
        referrer::host_of(text).ok_or_else(|| "must be a web address or a host.".to_owned())
    };
    let referrer = form.nullable(
        "referrer",
        formatted(|| &text_format::WEB_ADDRESS, read_host),
    );
    let name = form.nullable("user", line(1..=100));
    let groups = form.list("groups", 40, |group| Ok(group.to_owned()));
    let browser = form.nullable("browser", line(1..=100));
    let kasm_url = form.nullable("kasm_url", line(0..=2100));
    let docker_network = form.nullable("docker_network", line(0..=100));
    let read_invitation = |text: &str| {
        InvitationId::parse(text).ok_or_else(|| "is not the id of an invitation.".to_owned())
    };
    let invitation = form.nullable("invitation", parsed(read_invitation));
    let read_time = |text: &str| {
        Timestamp::parse(text)
            .ok_or_else(|| "must be a time such as 2026-12-31T18:00:00Z.".to_owned())
    };
    let captcha = form.nullable("captcha", flag);
    let at = form.nullable("at", parsed(read_time)).unwrap_or(now);
    form.finish()?;
    // A missing one was noted by the form, which has returned by now.
    let Some(address) = address else {
        return Err(FieldErrors(Vec::new()));
    };
    let user = name.map(|name| User {
        id: UserId::of("trial", &name),
        name,
        roles: Vec::new(),
        groups,
    });
    Ok(Trial {
        visitor: Visitor {
            address,
            referrer,
            user,
            browser,
            own: None,
            another: false,
            // A test begins no activation time-out.
            automated: true,
            language: Wish::default(),
        },
        parameters: LinkParameters {
            kasm_url,
            docker_network,
            invitation: invitation.map(|id: InvitationId| id.to_string()),
        },
        captcha,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;

    #[test]
    fn trial_input_is_validated_per_field() {
        for (name, input, wrong) in [
            (
                "an address is enough",
                json!({"address": "192.0.2.1"}),
                vec![],
            ),
            ("no address", json!({}), vec!["/address"]),
            (
                "a name for an address",
                json!({"address": "example.com"}),
                vec!["/address"],
            ),
            (
                "everything",
                json!({"address": "::1", "referrer": "https://acme.com/x", "user": "Ann", "groups": ["Staff"], "at": "2026-12-31T18:00:00Z"}),
                vec![],
            ),
            (
                "a wrong time",
                json!({"address": "::1", "at": "soon"}),
                vec!["/at"],
            ),
        ] {
            let errors = read(&input, NOON).err().map(|errors| {
                errors
                    .0
                    .into_iter()
                    .map(|error| error.pointer)
                    .collect::<Vec<_>>()
            });
            assert_eq!(errors.unwrap_or_default(), wrong, "{name}");
        }
    }
}
