//! Owns how a cast is written and read over the API: which fields there are, what they may hold, and what is worth a warning.
//! Creating and changing go through one validator. Must not know the store or HTTP.

use serde_json::{Map, Value, json};

use crate::address_rules::AddressRule;
use crate::cast::{Cast, CastSettings, CountBy, IpLimit};
use crate::cast_warnings;
use crate::client_form;
use crate::field_words as words;
use crate::form::{FieldErrors, Form, Spelled, Warning, flag, line, shaped, spelled, text, whole};
use crate::ids::{CastId, CastKey, Entropy, GroupId, ImageId};
use crate::open_hours::OpenHours;
use crate::open_hours_form;
use crate::permission::ClientSettings;
use crate::referrer::ReferrerRule;
use crate::shape;
use crate::sketch::{self, Schemas, Sketch, needs};
use crate::system_form::MAX_ADDRESSES;
use crate::time::Timestamp;
use crate::url_rules::{self, OwnUrls};

/// The most that Sessions Remaining can be set to.
pub const MAX_SESSIONS: u64 = 1_000_000;
/// The most lines that Restrict to Referrers may have.
pub const MAX_REFERRERS: usize = 100;

/// What a read shows besides the settings. It may be sent back, and is left out then.
fn read_only() -> Vec<(&'static str, Value)> {
    let mut fields = sketch::read_only(CastId::SPELLING.schema());
    fields.insert(1, ("previous_key", previous_key_schema()));
    fields.insert(
        1,
        (
            "url",
            json!({ "type": "string", "format": "uri", "description": "The link." }),
        ),
    );
    fields.push(("warnings", sketch::warnings()));
    fields
}

fn previous_key_schema() -> Value {
    sketch::nullable(json!({
        "type": "object",
        "description": "The key before, while it still opens the link after a rotation.",
        "properties": { "key": CastKey::SPELLING.schema(), "until": sketch::time() },
        "required": ["key", "until"],
    }))
}

/// What an administrator asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CastDraft {
    /// All settings as they shall be.
    pub settings: CastSettings,
    /// Sessions Remaining, when it is to be set.
    pub set_counter: Option<u64>,
    /// What was sent without having an effect; [`warnings`] knows the rest.
    pub warnings: Vec<Warning>,
}

/// Reads a new cast. A key that is left out is drawn from `entropy`.
///
/// # Errors
/// Every mistake in the document.
pub fn create(
    input: &Value,
    own: &OwnUrls,
    entropy: &dyn Entropy,
) -> Result<CastDraft, FieldErrors> {
    let drawn = [("key".to_owned(), json!(CastKey::draw(entropy)))];
    read(
        &mut Form::over(drawn.into_iter().collect(), input, &[])?,
        None,
        own,
    )
}

/// Reads a change: what is not named stays, null clears what may be empty, and the counter moves only when it is named
/// (with the number it has already, it does not).
///
/// # Errors
/// Every mistake in the document.
pub fn patch(cast: &Cast, input: &Value, own: &OwnUrls) -> Result<CastDraft, FieldErrors> {
    read(
        &mut Form::change(fields(cast), input, &read_only())?,
        Some(cast),
        own,
    )
}

/// What JSON Schema says of a new cast, of a change and of what is shown.
pub fn schemas() -> Schemas {
    let sketch = Sketch::of(|form| _ = read(form, None, &OwnUrls::default()))
        .described(words::CAST)
        .drawn("key");
    sketch.schemas(&read_only())
}

/// What JSON Schema says of what shall be other in a copy.
pub fn copy_schema() -> Value {
    Sketch::of(|form| _ = read(form, None, &OwnUrls::default()))
        .described(words::CAST)
        .change(&[])
}

fn read(form: &mut Form, current: Option<&Cast>, own: &OwnUrls) -> Result<CastDraft, FieldErrors> {
    let mut warnings = Vec::new();
    let name = form.required("name", line(1..=100));
    let description = form.defaulted("description", String::new(), text(0..=2000));
    let title = form.nullable("title", line(1..=100));
    let summary = form.nullable("summary", line(1..=300));
    let key = form.required("key", spelled(read_key));
    let image_id = form.required("image_id", spelled(read_image_id));
    let enabled = form.defaulted("enabled", true, flag);
    let valid_until = form.nullable("valid_until", spelled(read_time));
    let (limit_total_sessions, set_counter) = read_total(form, current, &mut warnings);
    let ip_limit = read_ip_limit(form, &mut warnings);
    let referrers = form.list("restrict_to_referrers", MAX_REFERRERS, ReferrerRule::parse);
    let own = own.clone();
    let error_url = form.nullable(
        "error_url",
        shaped(
            || &shape::SECURE_URL,
            move |text| url_rules::error_url(text, &own),
        ),
    );
    let kasm_url = form.nullable(
        "kasm_url",
        shaped(|| &shape::SESSION_URL, url_rules::session_url),
    );
    let admission = read_admission(form);
    let session = read_session(form);
    let view = read_view(form);
    form.finish()?;

    let mut once: Vec<ReferrerRule> = Vec::with_capacity(referrers.len());
    referrers.into_iter().for_each(|rule| {
        if !once.contains(&rule) {
            once.push(rule);
        }
    });
    // A missing one of these was noted by the form, which has returned by now.
    let (Some(name), Some(key), Some(image_id)) = (name, key, image_id) else {
        return Err(FieldErrors(Vec::new()));
    };
    let settings = CastSettings {
        name,
        description,
        title,
        summary,
        previous_key: current
            .and_then(|cast| cast.settings.previous_key.clone())
            .filter(|previous| previous.key != key),
        key,
        image_id,
        enabled,
        valid_until,
        limit_total_sessions,
        ip_limit,
        referrers: once,
        error_url,
        kasm_url,
        allow_anonymous: admission.allow_anonymous,
        anonymous_group_id: admission.anonymous_group_id,
        require_captcha: admission.require_captcha,
        allow_resume: admission.allow_resume,
        max_live_sessions: admission.max_live_sessions,
        waiting_room: admission.waiting_room,
        open_hours: admission.open_hours,
        allowed_addresses: admission.allowed_addresses,
        banned_addresses: admission.banned_addresses,
        dynamic_kasm_url: session.dynamic_kasm_url,
        dynamic_kasm_url_hosts: session.dynamic_kasm_url_hosts,
        dynamic_docker_network: session.dynamic_docker_network,
        enforced_client_settings: session.enforced_client_settings,
        background_url: session.background_url,
        disable_control_panel: view.disable_control_panel,
        disable_tips: view.disable_tips,
        enable_sharing: view.enable_sharing,
        allow_anonymous_viewers: view.allow_anonymous_viewers,
        disable_fixed_resolution: view.disable_fixed_resolution,
        audio_default_on: view.audio_default_on,
        ime_mode_default_on: view.ime_mode_default_on,
    };
    Ok(CastDraft {
        settings,
        set_counter,
        warnings,
    })
}

/// The fields that say who may come in.
struct AdmissionFields {
    allow_anonymous: bool,
    anonymous_group_id: Option<GroupId>,
    require_captcha: bool,
    allow_resume: bool,
    max_live_sessions: Option<u32>,
    waiting_room: bool,
    open_hours: Option<OpenHours>,
    allowed_addresses: Vec<AddressRule>,
    banned_addresses: Vec<AddressRule>,
}

fn read_admission(form: &mut Form) -> AdmissionFields {
    let read_group =
        |text: &str| GroupId::parse(text).ok_or_else(|| "is not the id of a group.".to_owned());
    AdmissionFields {
        allow_anonymous: form.defaulted("allow_anonymous", false, flag),
        anonymous_group_id: form.nullable("anonymous_user_group_id", spelled(read_group)),
        require_captcha: form.defaulted("require_captcha", false, flag),
        allow_resume: form.defaulted("allow_resume", false, flag),
        max_live_sessions: form.nullable("max_live_sessions", whole(0..=MAX_SESSIONS)),
        waiting_room: form.defaulted("waiting_room", false, flag),
        open_hours: open_hours_form::read(form, "open_hours"),
        allowed_addresses: form.list("allowed_addresses", MAX_ADDRESSES, AddressRule::parse),
        banned_addresses: form.list("banned_addresses", MAX_ADDRESSES, AddressRule::parse),
    }
}

/// The fields that say what a session gets.
struct SessionFields {
    dynamic_kasm_url: bool,
    dynamic_kasm_url_hosts: Vec<ReferrerRule>,
    dynamic_docker_network: bool,
    enforced_client_settings: Option<ClientSettings>,
    background_url: Option<String>,
}

fn read_session(form: &mut Form) -> SessionFields {
    let enforce = form.defaulted("enforce_client_settings", false, flag);
    let client = client_form::read(form, "client_settings");
    SessionFields {
        dynamic_kasm_url: form.defaulted("allow_dynamic_kasm_url", false, flag),
        dynamic_kasm_url_hosts: form.list(
            "dynamic_kasm_url_hosts",
            MAX_REFERRERS,
            ReferrerRule::parse,
        ),
        dynamic_docker_network: form.defaulted("allow_dynamic_docker_network", false, flag),
        enforced_client_settings: enforce.then_some(client),
        background_url: form.nullable(
            "background_url",
            shaped(|| &shape::PICTURE_URL, url_rules::picture_url),
        ),
    }
}

/// The fields that say what surrounds the app.
struct ViewFields {
    disable_control_panel: bool,
    disable_tips: bool,
    enable_sharing: bool,
    allow_anonymous_viewers: bool,
    disable_fixed_resolution: bool,
    audio_default_on: bool,
    ime_mode_default_on: bool,
}

fn read_view(form: &mut Form) -> ViewFields {
    ViewFields {
        disable_control_panel: form.defaulted("disable_control_panel", false, flag),
        disable_tips: form.defaulted("disable_tips", false, flag),
        enable_sharing: form.defaulted("enable_sharing", false, flag),
        allow_anonymous_viewers: form.defaulted("allow_anonymous_viewers", false, flag),
        disable_fixed_resolution: form.defaulted("disable_shared_fixed_resolution", false, flag),
        audio_default_on: form.defaulted("kasm_audio_default_on", true, flag),
        ime_mode_default_on: form.defaulted("kasm_ime_mode_default_on", false, flag),
    }
}

fn read_image_id(text: &str) -> Result<ImageId, String> {
    ImageId::parse(text).ok_or_else(|| "is not the id of an image.".to_owned())
}

/// Reads a key.
///
/// # Errors
/// One plain sentence.
pub fn read_key(text: &str) -> Result<CastKey, String> {
    CastKey::parse(text)
        .ok_or_else(|| "must be 6 to 64 letters, digits, hyphens and underscores.".to_owned())
}

fn read_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| {
        "must be a time such as 2026-12-31T18:00:00Z, or 2026-12-31 18:00:00 (UTC).".to_owned()
    })
}

/// Limit Total Session and Sessions Remaining: whether the limit is on, and the number to set the counter to.
fn read_total(
    form: &mut Form,
    current: Option<&Cast>,
    warnings: &mut Vec<Warning>,
) -> (bool, Option<u64>) {
    let on = form.defaulted("limit_total_sessions", false, flag);
    form.rule(|| {
        needs(
            "limit_total_sessions",
            &json!(true),
            &["sessions_remaining"],
        )
    });
    let remaining = form.nullable("sessions_remaining", whole(0..=MAX_SESSIONS));
    if !on {
        if form.names("sessions_remaining") {
            warnings.push(Warning {
                pointer: "/sessions_remaining",
                detail: "has no effect while limit_total_sessions is off.",
            });
        }
        return (false, None);
    }
    if remaining.is_none() {
        form.require(
            "sessions_remaining",
            "is required while limit_total_sessions is on.",
        );
    }
    // A number that was counted under an earlier limit means nothing now, so switching on always sets it.
    let counted = current
        .filter(|cast| cast.settings.limit_total_sessions)
        .map(|cast| cast.counter.remaining);
    (
        true,
        remaining.filter(|remaining| counted != Some(*remaining)),
    )
}

/// Limit Requests Per IP, Sessions Allowed and Within Seconds.
fn read_ip_limit(form: &mut Form, warnings: &mut Vec<Warning>) -> Option<IpLimit> {
    let on = form.defaulted("limit_requests_per_ip", false, flag);
    form.rule(|| {
        needs(
            "limit_requests_per_ip",
            &json!(true),
            &["sessions_allowed", "within_seconds"],
        )
    });
    let sessions = form.nullable("sessions_allowed", whole(1..=1000));
    let within_seconds = form.nullable("within_seconds", whole(1..=2_592_000));
    let by = form.defaulted(
        "limit_requests_by",
        CountBy::Address,
        spelled(CountBy::parse),
    );
    let exempt = form.list("limit_exempt_addresses", MAX_ADDRESSES, AddressRule::parse);
    if !on {
        for (name, pointer) in [
            ("sessions_allowed", "/sessions_allowed"),
            ("within_seconds", "/within_seconds"),
        ] {
            if form.names(name) {
                warnings.push(Warning {
                    pointer,
                    detail: "has no effect while limit_requests_per_ip is off.",
                });
            }
        }
        return None;
    }
    for (name, missing) in [
        ("sessions_allowed", sessions.is_none()),
        ("within_seconds", within_seconds.is_none()),
    ] {
        if missing {
            form.require(name, "is required while limit_requests_per_ip is on.");
        }
    }
    Some(IpLimit {
        sessions: sessions?,
        within_seconds: within_seconds?,
        by,
        exempt,
    })
}

/// The settings as an administrator would write them.
pub fn fields(cast: &Cast) -> Map<String, Value> {
    let settings = &cast.settings;
    let limit = settings.ip_limit.as_ref();
    let client = settings.enforced_client_settings.clone();
    let fields = json!({
        "name": settings.name,
        "description": settings.description,
        "title": settings.title,
        "summary": settings.summary,
        "key": settings.key,
        "image_id": settings.image_id,
        "enabled": settings.enabled,
        "valid_until": settings.valid_until.map(|time| time.to_string()),
        "limit_total_sessions": settings.limit_total_sessions,
        "sessions_remaining": settings.limit_total_sessions.then_some(cast.counter.remaining),
        "limit_requests_per_ip": limit.is_some(),
        "sessions_allowed": limit.map(|limit| limit.sessions),
        "within_seconds": limit.map(|limit| limit.within_seconds),
        "limit_requests_by": limit.map_or(CountBy::Address, |limit| limit.by),
        "limit_exempt_addresses": limit.map(|limit| limit.exempt.as_slice()).unwrap_or_default(),
        "restrict_to_referrers": settings.referrers,
        "error_url": settings.error_url,
        "kasm_url": settings.kasm_url,
        "allow_dynamic_kasm_url": settings.dynamic_kasm_url,
        "dynamic_kasm_url_hosts": settings.dynamic_kasm_url_hosts,
        "allow_dynamic_docker_network": settings.dynamic_docker_network,
        "allow_anonymous": settings.allow_anonymous,
        "anonymous_user_group_id": settings.anonymous_group_id,
        "require_captcha": settings.require_captcha,
        "allow_resume": settings.allow_resume,
        "max_live_sessions": settings.max_live_sessions,
        "waiting_room": settings.waiting_room,
        "open_hours": settings.open_hours,
        "allowed_addresses": settings.allowed_addresses,
        "banned_addresses": settings.banned_addresses,
        "enforce_client_settings": client.is_some(),
        "client_settings": client_form::view(&client.unwrap_or_default()),
        "background_url": settings.background_url,
        "disable_control_panel": settings.disable_control_panel,
        "disable_tips": settings.disable_tips,
        "enable_sharing": settings.enable_sharing,
        "allow_anonymous_viewers": settings.allow_anonymous_viewers,
        "disable_shared_fixed_resolution": settings.disable_fixed_resolution,
        "kasm_audio_default_on": settings.audio_default_on,
        "kasm_ime_mode_default_on": settings.ime_mode_default_on,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The cast as the API shows it; what is read can be sent back as a change. `public_url` is our own origin.
pub fn view(cast: &Cast, public_url: &str) -> Value {
    let mut view = Map::new();
    view.insert("id".into(), json!(cast.id));
    view.insert(
        "url".into(),
        json!(format!("{public_url}/cast/{}", cast.settings.key)),
    );
    view.extend(fields(cast));
    let previous = cast.settings.previous_key.as_ref();
    view.insert(
        "previous_key".into(),
        json!(
            previous
                .map(|previous| json!({"key": previous.key, "until": previous.until.to_string()}))
        ),
    );
    view.insert("version".into(), json!(cast.version));
    view.insert("created_at".into(), json!(cast.created_at.to_string()));
    view.insert("updated_at".into(), json!(cast.updated_at.to_string()));
    view.insert(
        "warnings".into(),
        json!(cast_warnings::warnings(&cast.settings)),
    );
    Value::Object(view)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SeededEntropy, cast};

    const OURS: &str = "https://cast.example.org";

    fn own() -> OwnUrls {
        OwnUrls::of(OURS)
    }

    fn minimal() -> Value {
        json!({"name": "Demo", "image_id": ImageId::from_bytes([1; 16])})
    }

    /// The minimal document with these fields on top.
    fn with(fields: &Value) -> Value {
        let mut input = minimal();
        for (name, value) in fields.as_object().expect("an object") {
            input[name] = value.clone();
        }
        input
    }

    fn created(fields: &Value) -> Result<CastDraft, Vec<String>> {
        create(&with(fields), &own(), &SeededEntropy::new(1)).map_err(pointers)
    }

    fn pointers(errors: FieldErrors) -> Vec<String> {
        errors.0.into_iter().map(|error| error.pointer).collect()
    }

    fn limited() -> Cast {
        let mut cast = cast(1);
        cast.settings.limit_total_sessions = true;
        cast.settings.ip_limit = Some(IpLimit {
            sessions: 1,
            within_seconds: 60,
            by: CountBy::Address,
            exempt: Vec::new(),
        });
        cast.counter.remaining = 10;
        cast
    }

    #[test]
    fn a_name_and_an_image_make_a_cast_with_a_key_of_its_own() {
        let draft = created(&json!({})).expect("is enough");
        assert!(draft.settings.enabled);
        assert_eq!(draft.settings.key, CastKey::draw(&SeededEntropy::new(1)));
        assert_eq!((draft.set_counter, draft.settings.ip_limit), (None, None));
    }

    #[test]
    fn each_field_is_judged() {
        for (name, fields, wrong) in [
            ("an empty name", json!({"name": "  "}), vec!["/name"]),
            (
                "a long name",
                json!({"name": "n".repeat(101)}),
                vec!["/name"],
            ),
            ("no name", json!({"name": null}), vec!["/name"]),
            (
                "a long description",
                json!({"description": "d".repeat(2001)}),
                vec!["/description"],
            ),
            ("an empty title", json!({"title": " "}), vec!["/title"]),
            (
                "a long title",
                json!({"title": "t".repeat(101)}),
                vec!["/title"],
            ),
            (
                "a title on two lines",
                json!({"title": "a\nb"}),
                vec!["/title"],
            ),
            (
                "a long summary",
                json!({"summary": "s".repeat(301)}),
                vec!["/summary"],
            ),
            (
                "words for visitors",
                json!({"title": "Try it", "summary": "Five minutes, nothing to install."}),
                vec![],
            ),
            ("a short key", json!({"key": "abc"}), vec!["/key"]),
            ("a null key", json!({"key": null}), vec!["/key"]),
            ("a key of one's own", json!({"key": "123abc"}), vec![]),
            (
                "a foreign id",
                json!({"image_id": "c123"}),
                vec!["/image_id"],
            ),
            (
                "a word for a flag",
                json!({"enabled": "yes"}),
                vec!["/enabled"],
            ),
            (
                "a date",
                json!({"valid_until": "2026-12-31"}),
                vec!["/valid_until"],
            ),
            (
                "a time",
                json!({"valid_until": "2026-12-31 18:00:00"}),
                vec![],
            ),
            (
                "a total without a number",
                json!({"limit_total_sessions": true}),
                vec!["/sessions_remaining"],
            ),
            (
                "a total of none",
                json!({"limit_total_sessions": true, "sessions_remaining": 0}),
                vec![],
            ),
            (
                "a total below none",
                json!({"limit_total_sessions": true, "sessions_remaining": -1}),
                vec!["/sessions_remaining"],
            ),
            (
                "a total too many",
                json!({"limit_total_sessions": true, "sessions_remaining": 1_000_001}),
                vec!["/sessions_remaining"],
            ),
            (
                "an IP limit without numbers",
                json!({"limit_requests_per_ip": true}),
                vec!["/sessions_allowed", "/within_seconds"],
            ),
            (
                "an IP limit of none",
                json!({"limit_requests_per_ip": true, "sessions_allowed": 0, "within_seconds": 60}),
                vec!["/sessions_allowed"],
            ),
            (
                "an IP limit over a year",
                json!({"limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 31_536_000}),
                vec!["/within_seconds"],
            ),
            (
                "an IP limit",
                json!({"limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 60}),
                vec![],
            ),
            (
                "a line that is no host",
                json!({"restrict_to_referrers": ["acme.com", "a b"]}),
                vec!["/restrict_to_referrers/1"],
            ),
            (
                "referrers as one text",
                json!({"restrict_to_referrers": "acme.com"}),
                vec!["/restrict_to_referrers"],
            ),
            (
                "too many referrers",
                json!({"restrict_to_referrers": vec!["acme.com"; 101]}),
                vec!["/restrict_to_referrers"],
            ),
            (
                "an error URL in circles",
                json!({"error_url": "https://cast.example.org/cast/123abc"}),
                vec!["/error_url"],
            ),
            (
                "a session URL with a space",
                json!({"kasm_url": "example.com/ --x"}),
                vec!["/kasm_url"],
            ),
            (
                "a session URL without a scheme",
                json!({"kasm_url": "example.com"}),
                vec![],
            ),
            (
                "a field that is not there",
                json!({"sesions_allowed": 1}),
                vec!["/sesions_allowed"],
            ),
            (
                "a field that we set",
                json!({"version": 1}),
                vec!["/version"],
            ),
            (
                "several",
                json!({"name": 1, "key": "a", "kasm_url": 5, "x": 1}),
                vec!["/name", "/key", "/kasm_url", "/x"],
            ),
        ] {
            assert_eq!(created(&fields).err().unwrap_or_default(), wrong, "{name}");
        }
    }

    #[test]
    fn what_is_read_can_be_sent_back_and_changes_nothing() {
        for before in [cast(1), limited()] {
            let view = view(&before, OURS);
            let draft = patch(&before, &view, &own()).expect("its own view");
            assert_eq!(
                draft,
                CastDraft {
                    settings: before.settings.clone(),
                    set_counter: None,
                    warnings: vec![]
                }
            );
        }
    }

    #[test]
    fn a_change_touches_what_it_names_and_nothing_else() {
        let limited = limited();
        let changed = |input: Value| patch(&limited, &input, &own()).map_err(pointers);
        let mut renamed = limited.settings.clone();
        renamed.name = "Other".into();
        assert_eq!(
            changed(json!({"name": "Other"})).expect("a name").settings,
            renamed
        );
        assert_eq!(
            changed(json!({})).expect("nothing").settings,
            limited.settings
        );
        assert_eq!(
            changed(json!({"limit_requests_per_ip": false}))
                .expect("off")
                .settings
                .ip_limit,
            None
        );
        assert_eq!(
            changed(json!({"within_seconds": 5}))
                .expect("one number")
                .settings
                .ip_limit,
            Some(IpLimit {
                sessions: 1,
                within_seconds: 5,
                by: CountBy::Address,
                exempt: Vec::new()
            })
        );
        assert_eq!(
            changed(json!({"within_seconds": null})),
            Err(vec!["/within_seconds".to_owned()])
        );
        assert_eq!(changed(json!({"key": null})), Err(vec!["/key".to_owned()]));
        assert_eq!(
            changed(json!({"enabled": null})),
            Err(vec!["/enabled".to_owned()])
        );
    }

    #[test]
    fn null_clears_what_may_be_empty() {
        let mut before = cast(1);
        before.settings.valid_until = Some(Timestamp::from_millis(5));
        before.settings.error_url = Some("https://example.com/".into());
        before.settings.kasm_url = Some("https://example.com/".into());
        (before.settings.title, before.settings.summary) =
            (Some("Try it".into()), Some("Nothing to install.".into()));
        let nothing = json!({"valid_until": null, "error_url": null, "kasm_url": null, "title": null, "summary": null});
        let draft = patch(&before, &nothing, &own()).expect("all may be empty");
        assert_eq!(draft.settings, cast(1).settings);
    }

    #[test]
    fn the_counter_moves_only_when_it_is_named() {
        let mut off = limited();
        off.settings.limit_total_sessions = false;
        for (name, before, input, set) in [
            ("not named", limited(), json!({"name": "x"}), Ok(None)),
            (
                "named",
                limited(),
                json!({"sessions_remaining": 20}),
                Ok(Some(20)),
            ),
            (
                "named as it is",
                limited(),
                json!({"sessions_remaining": 10}),
                Ok(None),
            ),
            (
                "emptied",
                limited(),
                json!({"sessions_remaining": null}),
                Err(()),
            ),
            (
                "switched off",
                limited(),
                json!({"limit_total_sessions": false}),
                Ok(None),
            ),
            (
                "switched on",
                off.clone(),
                json!({"limit_total_sessions": true}),
                Err(()),
            ),
            (
                "switched on with a number",
                off.clone(),
                json!({"limit_total_sessions": true, "sessions_remaining": 5}),
                Ok(Some(5)),
            ),
            (
                "switched on with the old number",
                off,
                json!({"limit_total_sessions": true, "sessions_remaining": 10}),
                Ok(Some(10)),
            ),
        ] {
            assert_eq!(
                patch(&before, &input, &own())
                    .map(|draft| draft.set_counter)
                    .map_err(drop),
                set,
                "{name}"
            );
        }
    }

    #[test]
    fn numbers_of_a_limit_that_is_off_earn_a_warning() {
        let draft =
            created(&json!({"sessions_remaining": 5, "sessions_allowed": 1})).expect("harmless");
        assert_eq!(
            draft.warnings.iter().map(|w| w.pointer).collect::<Vec<_>>(),
            ["/sessions_remaining", "/sessions_allowed"]
        );
        assert_eq!(draft.set_counter, None);
    }

    #[test]
    fn equal_referrers_are_kept_once() {
        let draft = created(
            &json!({"restrict_to_referrers": ["acme.com", "https://ACME.com/x", "=acme.com"]}),
        )
        .expect("hosts");
        assert_eq!(
            draft
                .settings
                .referrers
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            ["acme.com", "=acme.com"]
        );
    }
}
