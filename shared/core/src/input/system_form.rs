//! Owns how the deployment's settings are written and read over the API. The CAPTCHA's secret key can be set and is never shown.
//! Must not know the store or HTTP.

use serde_json::{Map, Value, json};

use crate::address_rules::AddressRule;
use crate::captcha::{CaptchaKind, CaptchaSettings};
use crate::field_words as words;
use crate::form::{FieldErrors, Form, line, shaped, spelled, whole};
use crate::json_schema::{self, SchemaBuilder, Schemas};
use crate::shape;
use crate::system::{System, SystemSettings};
use crate::url_rules;

/// The most lines that a list of addresses may have.
pub const MAX_ADDRESSES: usize = 500;
/// The largest budget, in US cents.
pub const MAX_CENTS: u32 = 100_000_000;

/// What a read shows besides the settings. It may be sent back, and is left out then.
fn read_only() -> Vec<(&'static str, Value)> {
    let mut fields = json_schema::read_only(json!({ "type": "boolean" }));
    fields[0].0 = "captcha_secret_key_is_set";
    fields.retain(|(name, _)| *name != "created_at");
    fields
}

/// Reads a change: what is not named stays, and null clears what may be empty.
///
/// # Errors
/// Every mistake in the document.
pub fn patch(system: &System, input: &Value) -> Result<SystemSettings, FieldErrors> {
    let mut current = fields(&system.settings);
    // Here for the form only: it is never shown.
    current.insert(
        "captcha_secret_key".into(),
        json!(system.settings.captcha.secret_key),
    );
    let mut settings = read(&mut Form::change(current, input, &read_only())?)?;
    settings.counted_since = match (system.settings.max_sessions, settings.max_sessions) {
        (None, Some(_)) => system.version + 1,
        _ => system.settings.counted_since,
    };
    Ok(settings)
}

/// What JSON Schema says of a change of the settings and of what is shown. Nobody makes new ones.
pub fn schemas() -> Schemas {
    let schema_builder = SchemaBuilder::of(|form| _ = read(form)).described(words::SETTINGS);
    let mut change = schema_builder.change(&read_only());
    change["properties"]["captcha_secret_key"]["writeOnly"] = json!(true);
    Schemas {
        create: json!(false),
        change,
        shown: schema_builder.shown(&read_only(), &["captcha_secret_key"]),
    }
}

fn read(form: &mut Form) -> Result<SystemSettings, FieldErrors> {
    let captcha = read_captcha(form);
    let settings = SystemSettings {
        captcha,
        // 0 is never, as in the seed's world; here it is also null.
        anonymous_user_hours: form
            .nullable("anonymous_user_hours", whole(0..=8760))
            .filter(|hours| *hours > 0),
        anonymous_users_per_hour: form.nullable("anonymous_users_per_hour", whole(1..=1_000_000)),
        max_sessions: form.nullable("max_sessions", whole(0..=1_000_000)),
        counted_since: 0,
        budget_per_hour_cents: form
            .nullable("budget_per_hour_cents", whole(1..=u64::from(MAX_CENTS))),
        budget_per_day_cents: form
            .nullable("budget_per_day_cents", whole(1..=u64::from(MAX_CENTS))),
        banned_addresses: form.list("banned_addresses", MAX_ADDRESSES, AddressRule::parse),
        attempts_per_minute: form.defaulted(
            "attempts_per_minute",
            SystemSettings::default().attempts_per_minute,
            whole(1..=100_000),
        ),
        // Never so few that the setting could not be changed back.
        calls_per_minute: form.defaulted(
            "calls_per_minute",
            SystemSettings::default().calls_per_minute,
            whole(60..=1_000_000),
        ),
    };
    form.finish()?;
    Ok(settings)
}

fn read_captcha(form: &mut Form) -> CaptchaSettings {
    let kinds = CaptchaKind::ALL.map(CaptchaKind::as_str).join(", ");
    let kind = form.defaulted(
        "captcha_kind",
        CaptchaKind::Altcha,
        spelled(move |text| {
            CaptchaKind::parse(text).ok_or_else(|| format!("must be one of {kinds}."))
        }),
    );
    let captcha = CaptchaSettings {
        kind,
        site_key: form.nullable("captcha_site_key", line(1..=200)),
        secret_key: form.nullable("captcha_secret_key", line(1..=200)),
        verify_url: form.nullable(
            "captcha_verify_url",
            shaped(|| &shape::SECURE_URL, url_rules::service_url),
        ),
        min_score_percent: form.defaulted("captcha_min_score_percent", 50, whole(0..=100)),
    };
    if kind.needs_keys() {
        for (name, missing) in [
            ("captcha_site_key", captcha.site_key.is_none()),
            ("captcha_secret_key", captcha.secret_key.is_none()),
        ] {
            if missing {
                form.require(name, format!("is required for {}.", kind.as_str()));
            }
        }
    }
    captcha
}

fn fields(settings: &SystemSettings) -> Map<String, Value> {
    let captcha = &settings.captcha;
    let fields = json!({
        "captcha_kind": captcha.kind,
        "captcha_site_key": captcha.site_key,
        "captcha_verify_url": captcha.verify_url,
        "captcha_min_score_percent": captcha.min_score_percent,
        "anonymous_user_hours": settings.anonymous_user_hours,
        "anonymous_users_per_hour": settings.anonymous_users_per_hour,
        "max_sessions": settings.max_sessions,
        "budget_per_hour_cents": settings.budget_per_hour_cents,
        "budget_per_day_cents": settings.budget_per_day_cents,
        "banned_addresses": settings.banned_addresses,
        "attempts_per_minute": settings.attempts_per_minute,
        "calls_per_minute": settings.calls_per_minute,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The settings as the API shows them.
pub fn view(system: &System) -> Value {
    let mut view = fields(&system.settings);
    view.insert(
        "captcha_secret_key_is_set".into(),
        json!(system.settings.captcha.secret_key.is_some()),
    );
    view.insert("version".into(), json!(system.version));
    view.insert("updated_at".into(), json!(system.updated_at.to_string()));
    Value::Object(view)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;

    fn pointers(input: &Value) -> Vec<String> {
        let outcome = patch(&System::default(), input);
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
            ("maintenance", json!({"max_sessions": 0}), vec![]),
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
        let system = System::new(1, patch(&System::default(), &set).expect("is right"), NOON);
        let shown = view(&system);
        assert!(!shown.to_string().contains("hush"));
        assert_eq!(shown["captcha_secret_key_is_set"], true);
        let kept = patch(&system, &shown).expect("what is shown can be sent back");
        assert_eq!(kept.captcha.secret_key.as_deref(), Some("hush"));
        let cleared = patch(
            &system,
            &json!({"captcha_kind": "altcha", "captcha_secret_key": null}),
        )
        .expect("is right");
        assert_eq!(cleared.captcha.secret_key, None);
    }

    #[test]
    fn never_anonymise_is_written_as_0_or_null() {
        for value in [json!(0), json!(null)] {
            let settings = patch(
                &System::default(),
                &json!({ "anonymous_user_hours": value }),
            )
            .expect("is right");
            assert_eq!(settings.anonymous_user_hours, None);
        }
    }
}
