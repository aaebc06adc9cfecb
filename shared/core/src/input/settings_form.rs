//! Owns the fields of the deployment's settings, and how they are written and read over the API.
//! The CAPTCHA's secret key can be set and is never shown. Must not know the store or HTTP.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::address_rules::AddressRule;
use crate::brand_form;
use crate::captcha::{CaptchaKind, CaptchaSettings};
use crate::captcha_provider;
use crate::deployment::{Deployment, DeploymentSettings};
use crate::field::{self, FieldTable};
use crate::form::{FieldErrors, Form, formatted, line, parsed, whole};
use crate::hook_form;
use crate::json_schema::{SchemaBuilder, Schemas};
use crate::read_only::{self, ReadOnlyField};
use crate::resource::{Resource, Widget};
use crate::text_format;
use crate::url_rules;

/// The most lines that a list of addresses may have.
pub const MAX_ADDRESSES: usize = 500;
/// The largest budget, in US cents.
pub const MAX_CENTS: u32 = 100_000_000;

type Field = field::Field<DeploymentSettings>;
type Section = field::Section<DeploymentSettings>;

static FIELDS: LazyLock<FieldTable<DeploymentSettings>> = LazyLock::new(|| {
    FieldTable::new(
        "settings",
        vec![
            maintenance(),
            captcha(),
            visitors(),
            brand(),
            limits(),
            hook(),
        ],
    )
});

fn maintenance() -> Section {
    Section {
        id: "maintenance",
        title: "Maintenance",
        intro: "Closes all links for new sessions.",
        fields: vec![
            Field::flag("maintenance", false, |deployment| {
                &mut deployment.maintenance.is_on
            })
            .label("Maintenance")
            .help(
                "No link starts a session. Running sessions continue, and their users can resume \
                 them. Pools stay ready.",
            )
            .doc(
                "Whether the deployment is in maintenance: no link starts a session, and running \
                 ones continue.",
            ),
            Field::nullable("maintenance_message", line(1..=500), |deployment| {
                &mut deployment.maintenance.message
            })
            .label("Message")
            .help(
                "Visitors read it as you type it, in every language. Empty: only that the links \
                 are closed for maintenance.",
            )
            .example("We are updating our servers and will be back this afternoon.")
            .under("maintenance")
            .doc("What refused visitors read, as it is."),
            Field::time("maintenance_until", |deployment| {
                &mut deployment.maintenance.until
            })
            .label("Expected end")
            .help(
                "Visitors read how long it takes, and their page tries again then. Maintenance \
                 itself goes on until it is switched off.",
            )
            .under("maintenance")
            .doc(
                "When it is expected to be over: `Retry-After` of the refusals follows from it. \
                 Nothing ends it by itself.",
            ),
        ],
    }
}

fn captcha() -> Section {
    Section {
        id: "captcha",
        title: "CAPTCHA",
        intro: "Shown to anonymous visitors of casts with \u{201c}Require reCAPTCHA\u{201d}.",
        fields: vec![
            Field::defaulted(
                "captcha_kind",
                CaptchaKind::Altcha,
                parsed(read_kind),
                |deployment| &mut deployment.captcha.kind,
            )
            .label("Kind")
            .widget(Widget::Choice(&captcha_provider::CHOICES))
            .doc("The CAPTCHA provider."),
            Field::nullable("captcha_site_key", line(1..=200), |deployment| {
                &mut deployment.captcha.site_key
            })
            .label("Site key")
            .help("From the provider; public. Not needed for ALTCHA.")
            .doc("The public half of the provider's keys; required for every kind but altcha."),
            Field::nullable("captcha_secret_key", line(1..=200), |deployment| {
                &mut deployment.captcha.secret_key
            })
            .label("Private key")
            .help("From the provider; stored and never shown again.")
            .secret()
            .doc("The private half. It can be set and is never shown."),
            Field::nullable(
                "captcha_verify_url",
                formatted(|| &text_format::SECURE_URL, url_rules::service_url),
                |deployment| &mut deployment.captcha.verify_url,
            )
            .label("Verifier")
            .help("URL where answers are verified, if not the provider\u{2019}s default.")
            .example("https://verify.example.com/siteverify")
            .doc("Where proofs are verified, when it is not the provider's own address."),
            Field::defaulted(
                "captcha_min_score_percent",
                CaptchaSettings::default().min_score_percent,
                whole(0..=100),
                |deployment| &mut deployment.captcha.min_score_percent,
            )
            .label("Minimum score")
            .help("Visitors with a lower score are refused (providers with scores only).")
            .unit("percent")
            .doc("The lowest score that passes, in hundredths; for recaptcha-v3."),
        ],
    }
}

fn brand() -> Section {
    Section {
        id: "brand",
        title: "Brand",
        intro: "On every page that visitors see, and in the session\u{2019}s panel. A cast may have its own.",
        fields: brand_form::fields(
            |deployment: &mut DeploymentSettings| &mut deployment.brand.name,
            |deployment| &mut deployment.brand.logo,
            |deployment| &mut deployment.brand.color,
            |deployment| &mut deployment.brand.links,
        ),
    }
}

fn visitors() -> Section {
    Section {
        id: "visitors",
        title: "Visitors",
        intro: "What every link tells its visitors.",
        fields: vec![
            Field::nullable("contact", line(1..=200), |deployment| {
                &mut deployment.contact
            })
            .label("Contact")
            .help(
                "Shown to visitors who are refused: whom they can ask. An e-mail address or an \
                 https address becomes a link. A cast can name another one.",
            )
            .example("helpdesk@example.com")
            .doc(
                "Whom refused visitors can ask, where their link names no contact: an e-mail \
                 address, an https address or a few words.",
            ),
        ],
    }
}

fn limits() -> Section {
    Section {
        id: "limits",
        title: "Limits of the deployment",
        intro: "They apply to all links together.",
        fields: vec![
            Field::nullable("max_sessions", whole(0..=1_000_000), |deployment| {
                &mut deployment.max_sessions
            })
            .label("Sessions at once")
            .help(
                "Visitors beyond it are refused or wait in their link\u{2019}s waiting room. Empty: \
                 no limit. To close all links, use Maintenance.",
            )
            .unit("sessions")
            .doc("How many sessions may live at once; 0 admits none, null is no limit."),
            Field::nullable(
                "budget_per_hour_cents",
                whole(1..=u64::from(MAX_CENTS)),
                |deployment| &mut deployment.budget_per_hour_cents,
            )
            .label("Budget of an hour")
            .help(
                "What the sessions claimed in a clock hour may cost together, each counted with \
                 the most that it can cost until it has ended. Then the links are closed until \
                 the hour is over. Empty sets no limit.",
            )
            .unit("cents")
            .doc(
                "What the sessions claimed in one clock hour may cost together, in US cents; \
                 null is no limit.",
            ),
            Field::nullable(
                "budget_per_day_cents",
                whole(1..=u64::from(MAX_CENTS)),
                |deployment| &mut deployment.budget_per_day_cents,
            )
            .label("Budget of a day")
            .help("The same of a day, which ends at midnight UTC. Empty sets no limit.")
            .unit("cents")
            .doc("The same of one day (UTC)."),
            Field::nullable(
                "anonymous_users_per_hour",
                whole(1..=1_000_000),
                |deployment| &mut deployment.anonymous_users_per_hour,
            )
            .label("Anonymous users per hour")
            .help("Empty: no limit.")
            .unit("users")
            .doc(
                "How many anonymous users the deployment makes in an hour; null is as many as \
                 come.",
            ),
            Field::nullable("anonymous_user_hours", whole(0..=8760), |deployment| {
                &mut deployment.anonymous_user_hours
            })
            .label("Anonymous users are forgotten after")
            .help("Their sessions are then no longer linked to them. Empty or 0: never.")
            .unit("hours")
            .doc(
                "When an anonymous user is forgotten, in hours after the claim; 0 and null are \
                 never.",
            ),
            Field::defaulted(
                "attempts_per_minute",
                DeploymentSettings::default().attempts_per_minute,
                whole(1..=100_000),
                |deployment| &mut deployment.attempts_per_minute,
            )
            .label("Attempts per address")
            .help("More attempts are refused before any lookup.")
            .unit("in a minute")
            .doc("How many claims one address may try in a minute."),
            // Never so few that the setting could not be changed back.
            Field::defaulted(
                "calls_per_minute",
                DeploymentSettings::default().calls_per_minute,
                whole(60..=1_000_000),
                |deployment| &mut deployment.calls_per_minute,
            )
            .label("Requests per administrator")
            .help("The number of requests allowed per administrator or API key.")
            .unit("in a minute")
            .doc("What one administrator or API key may ask in a minute of one function instance."),
            Field::list(
                "banned_addresses",
                MAX_ADDRESSES,
                AddressRule::parse,
                |deployment| &mut deployment.banned_addresses,
            )
            .label("Banned Addresses")
            .help(
                "Visitors from these addresses or blocks are refused by every link. One per \
                 line; they see the text after it.",
            )
            .example("198.51.100.0/24 Abuse")
            .doc("Addresses that get nothing from any link."),
        ],
    }
}

fn hook() -> Section {
    Section {
        id: "hook",
        title: "Webhook",
        intro: "Tells a server of yours what happens at all links. A cast can have its own.",
        fields: hook_form::fields(
            |deployment: &mut DeploymentSettings| &mut deployment.hook.enabled,
            |deployment| &mut deployment.hook.url,
            |deployment| &mut deployment.hook.events,
        ),
    }
}

fn read_kind(text: &str) -> Result<CaptchaKind, String> {
    let kinds = || CaptchaKind::ALL.map(CaptchaKind::as_str).join(", ");
    CaptchaKind::parse(text).ok_or_else(|| format!("must be one of {}.", kinds()))
}

/// What a response has besides the settings.
static READ_ONLY: LazyLock<Vec<ReadOnlyField<Deployment>>> = LazyLock::new(|| {
    vec![
        ReadOnlyField::new(
            "captcha_secret_key_is_set",
            json!({ "type": "boolean" }),
            |deployment: &Deployment| json!(deployment.settings.captcha.secret_key.is_some()),
        ),
        ReadOnlyField::time_or_null("maintenance_since", |deployment: &Deployment| {
            deployment.settings.maintenance.since
        }),
        ReadOnlyField::new(
            "maintenance_by",
            json!({
                "type": ["string", "null"],
                "description": "Who switched maintenance on; null while it is off.",
            }),
            |deployment: &Deployment| json!(deployment.settings.maintenance.by),
        ),
        ReadOnlyField::version(|deployment: &Deployment| deployment.version),
        ReadOnlyField::time("updated_at", |deployment: &Deployment| {
            deployment.updated_at
        }),
    ]
});

/// Reads a change: what is not named stays, and null clears what may be empty. Who has switched
/// maintenance on, and when, is noted by the caller ([`crate::deployment::Maintenance::noted`]).
///
/// # Errors
/// Every mistake in the document.
pub fn patch(deployment: &Deployment, input: &Value) -> Result<DeploymentSettings, FieldErrors> {
    let current = FIELDS.document(&mut deployment.settings.clone());
    let mut settings = read(&mut Form::change(
        current,
        input,
        &read_only::schemas(&READ_ONLY),
    )?)?;
    let noted = &deployment.settings.maintenance;
    settings.maintenance.since = noted.since;
    settings.maintenance.by.clone_from(&noted.by);
    settings.counted_since = match (deployment.settings.max_sessions, settings.max_sessions) {
        (None, Some(_)) => deployment.version + 1,
        _ => deployment.settings.counted_since,
    };
    Ok(settings)
}

/// The JSON Schemas of a change of the settings and of the response. Settings are never created.
pub fn schemas() -> Schemas {
    let schema_builder = SchemaBuilder::of(|form| _ = read(form)).described(&FIELDS.docs());
    let read_only = read_only::schemas(&READ_ONLY);
    let mut change = schema_builder.change(&read_only);
    for secret in FIELDS.secrets() {
        change["properties"][secret]["writeOnly"] = json!(true);
    }
    Schemas {
        create: json!(false),
        change,
        shown: schema_builder.shown(&read_only, &FIELDS.secrets()),
    }
}

/// The console's form of the settings.
pub fn resource() -> &'static Resource {
    FIELDS.resource()
}

fn read(form: &mut Form) -> Result<DeploymentSettings, FieldErrors> {
    let mut settings = FIELDS.read(form);
    // 0 is never, as in the seed's world; here it is also null.
    settings.anonymous_user_hours = settings.anonymous_user_hours.filter(|hours| *hours > 0);
    require_keys(form, &settings.captcha);
    hook_form::judge(form, &settings.hook);
    form.finish()?;
    Ok(settings)
}

/// A provider's own keys are required where it has some.
fn require_keys(form: &mut Form, captcha: &CaptchaSettings) {
    if captcha.kind.needs_keys() {
        for (name, missing) in [
            ("captcha_site_key", captcha.site_key.is_none()),
            ("captcha_secret_key", captcha.secret_key.is_none()),
        ] {
            if missing {
                form.require(name, format!("is required for {}.", captcha.kind.as_str()));
            }
        }
    }
}

/// The settable fields, as an administrator would write them; secrets are left out.
pub(crate) fn fields(deployment: &Deployment) -> Map<String, Value> {
    FIELDS.view(&mut deployment.settings.clone())
}

/// The settings as the API shows them.
pub fn view(deployment: &Deployment) -> Value {
    read_only::view(&READ_ONLY, deployment, fields(deployment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;

    fn pointers(input: &Value) -> Vec<String> {
        let outcome = patch(&Deployment::default(), input);
        outcome
            .err()
            .map(|errors| errors.0.into_iter().map(|error| error.pointer).collect())
            .unwrap_or_default()
    }

    #[test]
    fn each_field_is_validated() {
        for (name, input, wrong) in [
            ("nothing", json!({}), vec![]),
            (
                "a provider without keys",
                json!({"captcha_kind": "turnstile"}),
                vec!["/captcha_site_key", "/captcha_secret_key"],
            ),
            (
                "a provider with keys",
                json!({"captcha_kind": "turnstile", "captcha_site_key": "s", "captcha_secret_key": "x"}),
                vec![],
            ),
            (
                "no such kind",
                json!({"captcha_kind": "riddle"}),
                vec!["/captcha_kind"],
            ),
            (
                "a verifier without https",
                json!({"captcha_verify_url": "http://example.com/verify"}),
                vec!["/captcha_verify_url"],
            ),
            (
                "maintenance",
                json!({"maintenance": true, "maintenance_message": "Update", "maintenance_until": "2026-12-31T18:00:00Z"}),
                vec![],
            ),
            (
                "a message of several lines, and an end that is none",
                json!({"maintenance_message": "a\nb", "maintenance_until": "soon"}),
                vec!["/maintenance_message", "/maintenance_until"],
            ),
            ("no sessions", json!({"max_sessions": 0}), vec![]),
            (
                "a budget",
                json!({"budget_per_hour_cents": 1, "budget_per_day_cents": null}),
                vec![],
            ),
            (
                "a budget of nothing",
                json!({"budget_per_hour_cents": 0, "budget_per_day_cents": 0.5}),
                vec!["/budget_per_hour_cents", "/budget_per_day_cents"],
            ),
            (
                "a ban",
                json!({"banned_addresses": ["192.0.2.0/24 Example"]}),
                vec![],
            ),
            (
                "a ban of a name",
                json!({"banned_addresses": ["example.com"]}),
                vec!["/banned_addresses/0"],
            ),
            (
                "no attempts at all",
                json!({"attempts_per_minute": 0}),
                vec!["/attempts_per_minute"],
            ),
            (
                "too few calls to change it back",
                json!({"calls_per_minute": 59}),
                vec!["/calls_per_minute"],
            ),
        ] {
            assert_eq!(pointers(&input), wrong, "{name}");
        }
    }

    #[test]
    fn secret_key_is_kept_and_hidden() {
        let set = json!({"captcha_kind": "hcaptcha", "captcha_site_key": "site", "captcha_secret_key": "hush"});
        let deployment = Deployment::new(
            1,
            patch(&Deployment::default(), &set).expect("is right"),
            NOON,
        );
        let shown = view(&deployment);
        assert!(!shown.to_string().contains("hush"));
        assert_eq!(shown["captcha_secret_key_is_set"], true);
        let kept = patch(&deployment, &shown).expect("what is shown can be sent back");
        assert_eq!(kept.captcha.secret_key.as_deref(), Some("hush"));
        let cleared = patch(
            &deployment,
            &json!({"captcha_kind": "altcha", "captcha_secret_key": null}),
        )
        .expect("is right");
        assert_eq!(cleared.captcha.secret_key, None);
    }

    #[test]
    fn never_anonymise_is_written_as_0_or_null() {
        for value in [json!(0), json!(null)] {
            let settings = patch(
                &Deployment::default(),
                &json!({ "anonymous_user_hours": value }),
            )
            .expect("is right");
            assert_eq!(settings.anonymous_user_hours, None);
        }
    }
}
