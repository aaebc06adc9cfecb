//! Owns how a cast is written and read over the API: which fields there are, what they may hold, and what is worth a warning.
//! Creating and changing go through one validator. Must not know the store or HTTP.

use serde_json::{Map, Value, json};

use crate::address_rules::AddressRule;
use crate::cast::{Cast, CastSettings, CountBy, CounterChange, IpLimit, KeptIpLimit};
use crate::cast_warnings;
use crate::client_form;
use crate::field_words as words;
use crate::form::{
    FieldErrors, Form, Read, Reader, Spelled, Warning, flag, line, shaped, spelled, text, whole,
};
use crate::ids::{CastId, CastKey, Entropy, GroupId, ImageId};
use crate::json_schema::{self, SchemaBuilder, Schemas, needs};
use crate::open_hours::OpenHours;
use crate::open_hours_form;
use crate::permission::ClientSettings;
use crate::referrer::ReferrerRule;
use crate::shape;
use crate::system_form::MAX_ADDRESSES;
use crate::time::Timestamp;
use crate::url_rules::{self, OwnUrls};
use crate::urls;

/// The most that Sessions Remaining can be set to.
pub const MAX_SESSIONS: u64 = 1_000_000;
/// The most lines that Restrict to Referrers may have.
pub const MAX_REFERRERS: usize = 100;

/// What a read shows besides the settings. It may be sent back, and is left out then.
fn read_only() -> Vec<(&'static str, Value)> {
    let mut fields = json_schema::read_only(CastId::SPELLING.schema());
    fields.insert(1, ("previous_key", previous_key_schema()));
    fields.insert(
        1,
        (
            "url",
            json!({ "type": "string", "format": "uri", "description": "The link." }),
        ),
    );
    fields.push(("warnings", json_schema::warnings()));
    fields
}

fn previous_key_schema() -> Value {
    json_schema::nullable(json!({
        "type": "object",
        "description": "The key before, while it still opens the link after a rotation.",
        "properties": { "key": CastKey::SPELLING.schema(), "until": json_schema::time() },
        "required": ["key", "until"],
    }))
}

/// What an administrator asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CastDraft {
    /// All settings as they shall be.
    pub settings: CastSettings,
    /// What is to be done to Sessions Remaining.
    pub counter: CounterChange,
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
    let drawn = [("key".to_owned(), json!(CastKey::random(entropy)))];
    read(
        &mut Form::over(drawn.into_iter().collect(), input, &[])?,
        None,
        own,
    )
}

/// Reads a change: what is not named stays, and null clears what may be empty. `read_at` is the
/// Sessions Remaining that the document was made from, where that is known: while the limit is on,
/// another number is set only over that one, because every claim moves it.
///
/// # Errors
/// Every mistake in the document.
pub fn patch(
    cast: &Cast,
    input: &Value,
    own: &OwnUrls,
    read_at: Option<u64>,
) -> Result<CastDraft, FieldErrors> {
    let mut form = Form::change(fields(cast), input, &read_only())?;
    let added = form.nullable(ADD, difference());
    let change = Change {
        cast,
        read_at,
        added,
    };
    read(&mut form, Some(&change), own)
}

/// The field by which Sessions Remaining changes by a difference.
const ADD: &str = "sessions_remaining_add";

fn difference() -> Reader<i64> {
    const MOST: i64 = MAX_SESSIONS as i64;
    Reader::new(
        |value| {
            // JSON does not tell 5.0 from 5.
            let plain = |n: &f64| n.fract() == 0.0 && n.abs() <= MOST as f64;
            let spelled = || value.as_f64().filter(plain).map(|n| n as i64);
            let number = value.as_i64().or_else(spelled);
            let number = number.filter(|n| (-MOST..=MOST).contains(n));
            number.ok_or_else(|| format!("must be a whole number from -{MOST} to {MOST}."))
        },
        || json!({ "type": "integer", "minimum": -MOST, "maximum": MOST }),
    )
}

/// What a change is made on.
struct Change<'a> {
    cast: &'a Cast,
    /// The Sessions Remaining that the document was made from.
    read_at: Option<u64>,
    /// What is to be added to Sessions Remaining.
    added: Option<i64>,
}

/// What JSON Schema says of a new cast, of a change and of what is shown.
pub fn schemas() -> Schemas {
    let schema_builder = SchemaBuilder::of(|form| _ = read(form, None, &OwnUrls::default()))
        .described(words::CAST)
        .drawn("key");
    let mut schemas = schema_builder.schemas(&read_only());
    let mut add = json_schema::nullable(difference().schema());
    add["description"] = json!(words::SESSIONS_REMAINING_ADD);
    schemas.change["properties"][ADD] = add;
    schemas
}

/// What JSON Schema says of what shall be other in a copy.
pub fn copy_schema() -> Value {
    SchemaBuilder::of(|form| _ = read(form, None, &OwnUrls::default()))
        .described(words::CAST)
        .change(&[])
}

fn read(
    form: &mut Form,
    change: Option<&Change<'_>>,
    own: &OwnUrls,
) -> Result<CastDraft, FieldErrors> {
    let current = change.map(|change| change.cast);
    let mut warnings = Vec::new();
    let name = form.required("name", line(1..=100));
    let description = form.defaulted("description", String::new(), text(0..=2000));
    let title = form.nullable("title", line(1..=100));
    let summary = form.nullable("summary", line(1..=300));
    let key = form.required("key", spelled(read_key));
    let image_id = form.required("image_id", spelled(read_image_id));
    let enabled = form.defaulted("enabled", true, flag);
    let valid_until = form.nullable("valid_until", spelled(read_time));
    let (limit_total_sessions, counter) = read_total(form, change, &mut warnings);
    let (ip_limit, kept_ip_limit) = read_ip_limit(form, current, &mut warnings);
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
        kept_ip_limit,
        referrers: once,
        error_url,
        kasm_url,
        allow_anonymous: admission.allow_anonymous,
        anonymous_group_id: admission.anonymous_group_id,
        require_captcha: admission.require_captcha,
        allow_resume: admission.allow_resume,
        max_live_sessions: admission.max_live_sessions,
        counted_since: counted_since(current, admission.max_live_sessions),
        waiting_room: admission.waiting_room,
        open_hours: admission.open_hours,
        allowed_addresses: admission.allowed_addresses,
        banned_addresses: admission.banned_addresses,
        dynamic_kasm_url: session.dynamic_kasm_url,
        dynamic_kasm_url_hosts: session.dynamic_kasm_url_hosts,
        dynamic_docker_network: session.dynamic_docker_network,
        enforced_client_settings: session.enforced_client_settings,
        kept_client_settings: session.kept_client_settings,
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
        counter,
        warnings,
    })
}

/// Since which version of the cast its live sessions are counted: see [`CastSettings`].
fn counted_since(current: Option<&Cast>, max_live_sessions: Option<u32>) -> u64 {
    let Some(cast) = current else { return 1 };
    if cast.settings.max_live_sessions.is_none() && max_live_sessions.is_some() {
        cast.version + 1
    } else {
        cast.settings.counted_since
    }
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
    kept_client_settings: Option<ClientSettings>,
    background_url: Option<String>,
}

fn read_session(form: &mut Form) -> SessionFields {
    let enforce = form.defaulted("enforce_client_settings", false, flag);
    let client = client_form::read(form, "client_settings");
    let kept = (!enforce && client != ClientSettings::default()).then(|| client.clone());
    SessionFields {
        dynamic_kasm_url: form.defaulted("allow_dynamic_kasm_url", false, flag),
        dynamic_kasm_url_hosts: form.list(
            "dynamic_kasm_url_hosts",
            MAX_REFERRERS,
            ReferrerRule::parse,
        ),
        dynamic_docker_network: form.defaulted("allow_dynamic_docker_network", false, flag),
        enforced_client_settings: enforce.then_some(client),
        kept_client_settings: kept,
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

/// Limit Total Session and Sessions Remaining: whether the limit is on, and what is done to the
/// counter. The number stays while the limit is off.
fn read_total(
    form: &mut Form,
    change: Option<&Change<'_>>,
    warnings: &mut Vec<Warning>,
) -> (bool, CounterChange) {
    const NAME: &str = "sessions_remaining";
    let on = form.defaulted("limit_total_sessions", false, flag);
    form.rule(|| needs("limit_total_sessions", &json!(true), &[NAME]));
    let remaining = form.nullable(NAME, whole(0..=MAX_SESSIONS));
    if on && remaining.is_none() {
        form.require(NAME, "is required while limit_total_sessions is on.");
    }
    let stored = change.and_then(|change| change.cast.sessions_remaining());
    let set = remaining.filter(|remaining| form.names(NAME) && stored != Some(*remaining));
    if !on && set.is_some() {
        warnings.push(Warning {
            pointer: "/sessions_remaining",
            detail: "has no effect while limit_total_sessions is off; it is kept until then.",
        });
    }
    let set = set.map_or(CounterChange::Keep, CounterChange::Set);
    let Some(change) = change else {
        return (on, set);
    };
    let current = change.cast.counter.remaining;
    let set = match (set, change.read_at) {
        // No claim moves it while the limit is off.
        _ if !change.cast.settings.limit_total_sessions => set,
        // The document has the number that it was made from; claims have moved it since.
        (CounterChange::Set(number), Some(read_at)) if number == read_at => CounterChange::Keep,
        (CounterChange::Set(_), Some(read_at)) if read_at != current => {
            form.refuse(
                NAME,
                format!(
                    "was {read_at} when this was read, and is {current} now: visitors count on. \
                     Read it again, or send {ADD}."
                ),
            );
            CounterChange::Keep
        }
        (CounterChange::Set(_), None) => {
            form.refuse(
                NAME,
                format!(
                    "is {current} now, and every claim moves it: send the ETag of what was read \
                     as If-Match to set another number, or {ADD} to change it by a difference."
                ),
            );
            CounterChange::Keep
        }
        (set, _) => set,
    };
    (on, read_difference(form, set, current, change.added))
}

/// What is done to the counter, with the difference that is to be added to it.
fn read_difference(
    form: &mut Form,
    set: CounterChange,
    current: u64,
    added: Option<i64>,
) -> CounterChange {
    let Some(added) = added.filter(|added| *added != 0) else {
        return set;
    };
    if set != CounterChange::Keep {
        form.refuse(ADD, "cannot be sent with another sessions_remaining.");
        return set;
    }
    let sum = current.checked_add_signed(added);
    if sum.is_none_or(|sum| sum > MAX_SESSIONS) {
        let detail = format!("does not fit: there are {current}, and 0 to {MAX_SESSIONS} can be.");
        form.refuse(ADD, detail);
        return set;
    }
    CounterChange::Add(added)
}

/// Limit Requests Per IP, Sessions Allowed and Within Seconds; and what is kept of them while the
/// limit is off.
fn read_ip_limit(
    form: &mut Form,
    current: Option<&Cast>,
    warnings: &mut Vec<Warning>,
) -> (Option<IpLimit>, KeptIpLimit) {
    let on = form.defaulted("limit_requests_per_ip", false, flag);
    form.rule(|| {
        needs(
            "limit_requests_per_ip",
            &json!(true),
            &["sessions_allowed", "within_seconds"],
        )
    });
    let set = KeptIpLimit {
        sessions: form.nullable("sessions_allowed", whole(1..=1000)),
        within_seconds: form.nullable("within_seconds", whole(1..=2_592_000)),
        by: form.defaulted(
            "limit_requests_by",
            CountBy::Address,
            spelled(CountBy::parse),
        ),
        exempt: form.list("limit_exempt_addresses", MAX_ADDRESSES, AddressRule::parse),
    };
    if !on {
        let before = current.map_or(KeptIpLimit::NONE, |cast| KeptIpLimit::of(&cast.settings));
        for (pointer, is_new) in [
            ("/sessions_allowed", set.sessions != before.sessions),
            (
                "/within_seconds",
                set.within_seconds != before.within_seconds,
            ),
        ] {
            if is_new {
                warnings.push(Warning {
                    pointer,
                    detail: "has no effect while limit_requests_per_ip is off; it is kept until then.",
                });
            }
        }
        return (None, set);
    }
    for (name, missing) in [
        ("sessions_allowed", set.sessions.is_none()),
        ("within_seconds", set.within_seconds.is_none()),
    ] {
        if missing {
            form.require(name, "is required while limit_requests_per_ip is on.");
        }
    }
    let limit = set.sessions.zip(set.within_seconds);
    let limit = limit.map(|(sessions, within_seconds)| IpLimit {
        sessions,
        within_seconds,
        by: set.by,
        exempt: set.exempt,
    });
    (limit, KeptIpLimit::NONE)
}

/// The settings as an administrator would write them.
pub fn fields(cast: &Cast) -> Map<String, Value> {
    let settings = &cast.settings;
    let limit = KeptIpLimit::of(settings);
    let client = settings
        .enforced_client_settings
        .clone()
        .or_else(|| settings.kept_client_settings.clone());
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
        "sessions_remaining": cast.sessions_remaining(),
        "limit_requests_per_ip": settings.ip_limit.is_some(),
        "sessions_allowed": limit.sessions,
        "within_seconds": limit.within_seconds,
        "limit_requests_by": limit.by,
        "limit_exempt_addresses": limit.exempt,
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
        "enforce_client_settings": settings.enforced_client_settings.is_some(),
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
        json!(format!("{public_url}{}", urls::cast(&cast.settings.key))),
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
    fn name_and_image_suffice_and_a_key_is_generated() {
        let draft = created(&json!({})).expect("is enough");
        assert!(draft.settings.enabled);
        assert_eq!(draft.settings.key, CastKey::random(&SeededEntropy::new(1)));
        assert_eq!(
            (draft.counter, draft.settings.ip_limit),
            (CounterChange::Keep, None)
        );
    }

    #[test]
    fn each_field_is_validated() {
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
    fn sending_back_the_view_changes_nothing() {
        let mut off = limited();
        off.settings.limit_total_sessions = false;
        off.settings.kept_ip_limit = KeptIpLimit::of(&off.settings);
        off.settings.ip_limit = None;
        off.settings.kept_client_settings = Some(ClientSettings {
            sessions_per_user: Some(2),
            ..ClientSettings::default()
        });
        for before in [cast(1), limited(), off] {
            let view = view(&before, OURS);
            let draft = patch(&before, &view, &own(), None).expect("its own view");
            assert_eq!(
                draft,
                CastDraft {
                    settings: before.settings.clone(),
                    counter: CounterChange::Keep,
                    warnings: vec![]
                }
            );
        }
    }

    #[test]
    fn patch_changes_only_named_fields() {
        let limited = limited();
        let changed = |input: Value| patch(&limited, &input, &own(), None).map_err(pointers);
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
    fn null_clears_optional_fields() {
        let mut before = cast(1);
        before.settings.valid_until = Some(Timestamp::from_millis(5));
        before.settings.error_url = Some("https://example.com/".into());
        before.settings.kasm_url = Some("https://example.com/".into());
        (before.settings.title, before.settings.summary) =
            (Some("Try it".into()), Some("Nothing to install.".into()));
        let nothing = json!({"valid_until": null, "error_url": null, "kasm_url": null, "title": null, "summary": null});
        let draft = patch(&before, &nothing, &own(), None).expect("all may be empty");
        assert_eq!(draft.settings, cast(1).settings);
    }

    #[test]
    fn counter_is_set_only_over_the_number_read() {
        use CounterChange::{Add, Keep, Set};
        let mut off = limited();
        off.settings.limit_total_sessions = false;
        let never_set = cast(1);
        let on = json!({"limit_total_sessions": true});
        for (name, before, read_at, input, counter) in [
            ("not named", limited(), None, json!({"name": "x"}), Ok(Keep)),
            (
                "named, not known from where",
                limited(),
                None,
                json!({"sessions_remaining": 20}),
                Err("/sessions_remaining"),
            ),
            (
                "named over what was read",
                limited(),
                Some(10),
                json!({"sessions_remaining": 20}),
                Ok(Set(20)),
            ),
            (
                "named over what was read before a claim",
                limited(),
                Some(11),
                json!({"sessions_remaining": 20}),
                Err("/sessions_remaining"),
            ),
            (
                "sent back as it was read before a claim",
                limited(),
                Some(11),
                json!({"sessions_remaining": 11}),
                Ok(Keep),
            ),
            (
                "read before a claim, not known when",
                limited(),
                None,
                json!({"sessions_remaining": 11}),
                Err("/sessions_remaining"),
            ),
            (
                "named as it is",
                limited(),
                None,
                json!({"sessions_remaining": 10}),
                Ok(Keep),
            ),
            (
                "added to",
                limited(),
                None,
                json!({"sessions_remaining_add": 5}),
                Ok(Add(5)),
            ),
            (
                "taken from",
                limited(),
                None,
                json!({"sessions_remaining_add": -10}),
                Ok(Add(-10)),
            ),
            (
                "too much taken",
                limited(),
                None,
                json!({"sessions_remaining_add": -11}),
                Err("/sessions_remaining_add"),
            ),
            (
                "too much added",
                limited(),
                None,
                json!({"sessions_remaining_add": 999_991}),
                Err("/sessions_remaining_add"),
            ),
            (
                "nothing added",
                limited(),
                None,
                json!({"sessions_remaining_add": 0}),
                Ok(Keep),
            ),
            (
                "both",
                limited(),
                Some(10),
                json!({"sessions_remaining": 20, "sessions_remaining_add": 5}),
                Err("/sessions_remaining_add"),
            ),
            (
                "a word is added",
                limited(),
                None,
                json!({"sessions_remaining_add": "5"}),
                Err("/sessions_remaining_add"),
            ),
            (
                "emptied",
                limited(),
                Some(10),
                json!({"sessions_remaining": null}),
                Err("/sessions_remaining"),
            ),
            (
                "switched off",
                limited(),
                None,
                json!({"limit_total_sessions": false}),
                Ok(Keep),
            ),
            ("switched on", off.clone(), None, on.clone(), Ok(Keep)),
            (
                "switched on, never set",
                never_set.clone(),
                None,
                on,
                Err("/sessions_remaining"),
            ),
            (
                "switched on with a number",
                off.clone(),
                None,
                json!({"limit_total_sessions": true, "sessions_remaining": 5}),
                Ok(Set(5)),
            ),
            (
                "switched on with none",
                never_set,
                None,
                json!({"limit_total_sessions": true, "sessions_remaining": 0}),
                Ok(Set(0)),
            ),
            (
                "another number while off",
                off,
                None,
                json!({"sessions_remaining": 6}),
                Ok(Set(6)),
            ),
        ] {
            let drafted = patch(&before, &input, &own(), read_at);
            let counter = counter.map_err(|pointer| vec![pointer.to_owned()]);
            assert_eq!(
                drafted.map(|draft| draft.counter).map_err(pointers),
                counter,
                "{name}"
            );
        }
    }

    #[test]
    fn limit_values_survive_switching_off() {
        let mut before = limited();
        before.settings.enforced_client_settings = Some(ClientSettings {
            sessions_per_user: Some(2),
            ..ClientSettings::default()
        });
        for (name, switch) in [
            ("the total", "limit_total_sessions"),
            ("the limit by address", "limit_requests_per_ip"),
            ("client settings", "enforce_client_settings"),
        ] {
            let off = patch(&before, &json!({ switch: false }), &own(), None).expect("off");
            assert_ne!(off.settings, before.settings, "{name}: is off");
            assert_eq!(off.warnings, [], "{name}");
            let mut there = before.clone();
            there.settings = off.settings;
            let shown = fields(&there);
            let mut expected = fields(&before);
            expected.insert(switch.to_owned(), json!(false));
            assert_eq!(shown, expected, "{name}: nothing else changes");
            let on = patch(&there, &json!({ switch: true }), &own(), None).expect("on");
            assert_eq!(on.settings, before.settings, "{name}: all is back");
        }
    }

    #[test]
    fn values_of_a_disabled_limit_cause_a_warning() {
        let draft =
            created(&json!({"sessions_remaining": 5, "sessions_allowed": 1})).expect("harmless");
        assert_eq!(
            draft.warnings.iter().map(|w| w.pointer).collect::<Vec<_>>(),
            ["/sessions_remaining", "/sessions_allowed"]
        );
        assert_eq!(draft.counter, CounterChange::Set(5), "kept");
    }

    #[test]
    fn setting_a_limit_restarts_counting() {
        let mut limited = cast(1);
        limited.settings.max_live_sessions = Some(3);
        limited.settings.counted_since = 4;
        limited.version = 7;
        let mut unlimited = limited.clone();
        unlimited.settings.max_live_sessions = None;
        for (name, before, most, since) in [
            ("set", &unlimited, json!(3), 8),
            ("set to none", &unlimited, json!(0), 8),
            ("lowered", &limited, json!(1), 4),
            ("off", &limited, json!(null), 4),
            ("still off", &unlimited, json!(null), 4),
        ] {
            let draft = patch(before, &json!({ "max_live_sessions": most }), &own(), None);
            let since_then = draft.expect("a number").settings.counted_since;
            assert_eq!(since_then, since, "{name}");
        }
    }

    #[test]
    fn duplicate_referrers_are_removed() {
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
