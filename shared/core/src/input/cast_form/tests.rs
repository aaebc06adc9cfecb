//! Owns the cases of reading and changing a cast. Tests only.

use super::*;
use crate::cast::{CountBy, IpLimit, KeptIpLimit};
use crate::ids::ImageId;
use crate::permission::ClientSettings;
use crate::testing::{SeededEntropy, cast};
use crate::time::Timestamp;

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
    let draft =
        created(&json!({"restrict_to_referrers": ["acme.com", "https://ACME.com/x", "=acme.com"]}))
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
