//! Owns the sample rows of the gallery: a deployment in use, a new one, and every kind of mistake.
//! Must not know how pages look.

mod pool;

use std::collections::BTreeMap;

use casting_core::cast::{Cast, Counter};
use casting_core::deployment::Maintenance;
use casting_core::form::FieldError;
use casting_core::group::Group;
use casting_core::resource::{OptionSource, Resource};
use casting_core::testing::{self, NOON, SeededEntropy};
use casting_core::url_rules::OwnUrls;
use casting_core::{
    api_key_form, cast_form, group_form, image_form, network_form, settings_form, staging_form,
};
use casting_fn_admin::console::audit::{AuditPage, Entry};
use casting_fn_admin::console::cast::{CastPage, figure};
use casting_fn_admin::console::casts::{CastList, CastRow};
use casting_fn_admin::console::chart::{Chart, Label, Series, Shape};
use casting_fn_admin::console::claims::{Claim, ClaimPage};
use casting_fn_admin::console::confirm::Confirm;
use casting_fn_admin::console::dashboard::Overview;
use casting_fn_admin::console::edit::Edit;
use casting_fn_admin::console::find::FoundReference;
use casting_fn_admin::console::form::{Choices, FormMessages};
use casting_fn_admin::console::layout::{Place, Screen};
use casting_fn_admin::console::page_context::{CurrentUser, Flash, PageContext, Severity};
use casting_fn_admin::console::preview::Preview;
use casting_fn_admin::console::range::Range;
use casting_fn_admin::console::sessions::{SessionList, Typed};
use casting_fn_admin::console::sign_in::SignIn;
use casting_fn_admin::console::table::{Badge, View};
use casting_fn_admin::console::trial::TrialPage;
use casting_fn_admin::console::zone::Zone;
use casting_fn_admin::console::{
    audit, cast, casts, claims, confirm, dashboard, edit, find, profiles, records, sessions,
    sign_in, time_format, trial,
};
use serde_json::{Value, json};

const OURS: &str = "https://cast.example.com";

fn context() -> PageContext {
    let scopes = ["casts", "people", "images", "settings", "sessions", "keys"]
        .map(str::to_owned)
        .into();
    PageContext {
        nonce: "0123456789abcdef0123456789abcdef".into(),
        csrf_token: "sample".into(),
        user: Some(CurrentUser {
            name: "Alex Morgan".into(),
            role: "Administrator".into(),
            scopes,
        }),
        public_url: OURS.into(),
        now: NOON,
        flash: None,
        maintenance: None,
        zone: Zone::default(),
    }
}

fn choices() -> Choices {
    Choices::from([
        (
            OptionSource::Image,
            vec![
                (image_id(), "Chromium".into()),
                ("image-2".into(), "Ubuntu desktop".into()),
            ],
        ),
        (
            OptionSource::Group,
            vec![
                (Group::all_users_id().to_string(), "All Users".into()),
                ("group-2".into(), "Trial visitors".into()),
            ],
        ),
        (
            OptionSource::Network,
            vec![
                ("lab".into(), "lab".into()),
                ("classroom".into(), "classroom".into()),
            ],
        ),
    ])
}

fn image_id() -> String {
    testing::image(1).id.to_string()
}

fn cast_of(number: u64, fields: &Value) -> Value {
    let mut input = json!({"image_id": image_id()});
    for (name, value) in fields.as_object().into_iter().flatten() {
        input[name.as_str()] = value.clone();
    }
    let draft = cast_form::create(&input, &OwnUrls::of(OURS), &SeededEntropy::new(number))
        .unwrap_or_else(|errors| panic!("{errors:?}"));
    let counter = Counter::default().changed(draft.counter);
    let mut cast = testing::cast(1);
    cast.updated_at = NOON.minus_seconds(number * 5000);
    cast.created_at = NOON.minus_seconds(number * 400_000);
    cast_form::view(
        &Cast {
            settings: draft.settings,
            counter,
            ..cast
        },
        OURS,
    )
}

fn workshop() -> Value {
    cast_of(
        1,
        &json!({
            "name": "Kubernetes workshop", "key": "k8s-workshop-berlin", "description":
                "Thirty places, two days; handed out on paper.",
            "allow_anonymous": true, "require_captcha": true, "limit_total_sessions": true, "sessions_remaining": 18,
            "limit_requests_per_ip": true, "sessions_allowed": 2, "within_seconds": 3600, "kasm_url": "https://example.com/welcome",
            "open_hours": {"time_zone": "UTC", "spans": ["mon-fri 08:00-18:00"]}, "valid_until": "2026-11-28T18:00:00Z",
            "enforce_client_settings": true, "client_settings": {"permissions": {"downloads": false, "webcam": true}, "idle_minutes": 20},
        }),
    )
}

fn all_casts() -> Vec<CastRow> {
    let rows = [
        (workshop(), 41),
        (
            cast_of(
                2,
                &json!({"name": "Product trial on the website", "allow_anonymous": true, "restrict_to_referrers": ["acme.com"]}),
            ),
            1288,
        ),
        (
            cast_of(
                3,
                &json!({"name": "Staff browser", "allow_resume": true, "max_live_sessions": 40}),
            ),
            96,
        ),
        (
            cast_of(
                4,
                &json!({"name": "Conference booth", "allow_anonymous": true, "limit_total_sessions": true, "sessions_remaining": 0}),
            ),
            0,
        ),
        (
            cast_of(
                5,
                &json!({"name": "Night school", "open_hours": {"time_zone": "Europe/Berlin", "spans": ["mon-thu 19:00-22:00"]}}),
            ),
            4,
        ),
        (
            cast_of(6, &json!({"name": "Old press kit", "enabled": false})),
            0,
        ),
        (
            cast_of(
                7,
                &json!({"name": "Summer campaign", "valid_until": "2026-09-01T00:00:00Z"}),
            ),
            0,
        ),
    ];
    rows.map(|(cast, launches)| CastRow {
        cast,
        launches: time_format::grouped(launches),
    })
    .into()
}

fn wave(count: u32, height: f64, shift: f64) -> Vec<Option<f64>> {
    let value = |at: u32| {
        let wave = (f64::from(at) / 4.0 + shift).sin().max(-0.6) * height;
        Some((wave + height * 0.8).max(0.0).round())
    };
    (0..count).map(value).collect()
}

/// The last day, or two days where `days` is chosen.
fn range(choice: &str) -> Range {
    let of = |name: &str| (name == "hours" && choice == "days").then_some("days");
    Range::of(of, &Zone::default(), NOON)
}

fn hours(count: u32) -> Vec<Label> {
    let label = |hour: u32| {
        let short = format!("{:02}:00", (hour + 13) % 24);
        let long = format!("Mon 23 Nov, {short}");
        Label { short, long }
    };
    (0..count).map(label).collect()
}

fn launches() -> Chart {
    let series = [
        ("Launched", 22.0, 0.0),
        ("Too many from one network", 5.0, 1.0),
        ("Not from a listed site", 3.0, 2.0),
        ("All sessions taken", 2.0, 3.0),
    ];
    Chart {
        title: "Launches and refusals".into(),
        summary: "412 sessions started in the last 24 hours, 131 visitors were turned away.".into(),
        labels: hours(24),
        axis: "Hour (UTC)".into(),
        unit: "",
        series: series
            .map(|(name, height, shift)| Series {
                name: name.into(),
                values: wave(24, height, shift),
            })
            .into(),
        before: Some(Series {
            name: "Launched before".into(),
            values: wave(24, 18.0, 0.4),
        }),
        shape: Shape::Bars,
    }
}

fn charts() -> Vec<Chart> {
    let line = |title: &str, summary: &str, unit, values: Vec<Series>| Chart {
        title: title.into(),
        summary: summary.into(),
        labels: hours(24),
        axis: "Hour (UTC)".into(),
        unit,
        series: values,
        before: None,
        shape: Shape::Lines,
    };
    let two = |a: &str, b: &str| {
        vec![
            Series {
                name: a.into(),
                values: wave(24, 9.0, 0.5),
            },
            Series {
                name: b.into(),
                values: wave(24, 21.0, 0.5),
            },
        ]
    };
    let left = Series {
        name: "Left".into(),
        values: (0..24)
            .map(|at| (at > 4).then(|| f64::from(60 - at * 42 / 23)))
            .collect(),
    };
    vec![
        launches(),
        line(
            "Time from click to session",
            "Half of all sessions were ready within 12 s, 95 % within 31 s.",
            "s",
            two("Median", "95th percentile"),
        ),
        line("Sessions remaining", "18 of 60 are left.", "", vec![left]),
    ]
}

fn some_claims() -> Vec<Claim> {
    let rows = [
        (
            40,
            "live",
            "",
            "k3f7-2mqa",
            "Anonymous 4f21c0aa",
            "acme.com",
        ),
        (
            95,
            "refused",
            "Too many sessions from your network",
            "7xq2-9dka",
            "",
            "acme.com",
        ),
        (
            700,
            "served",
            "Ended by its owner",
            "m2p8-c4ry",
            "ann@example.com",
            "",
        ),
        (
            1900,
            "refunded",
            "Not ready in time",
            "q9zt-55na",
            "Anonymous 88d10e3b",
            "shop.acme.com",
        ),
        (
            5200,
            "served",
            "Time limit",
            "w4ke-1bvs",
            "Anonymous 0c9e77f1",
            "acme.com",
        ),
        (
            90_000,
            "refused",
            "This link cannot be opened from here",
            "b7ha-8mmx",
            "",
            "evil.example",
        ),
    ];
    let claim =
        |(ago, outcome, reason, reference, who, referrer): (u64, &str, &str, &str, &str, &str)| {
            Claim {
                at: NOON.minus_seconds(ago),
                outcome: outcome.into(),
                reason: reason.into(),
                reference: reference.into(),
                cast: ("Kubernetes workshop".into(), "cast-1".into()),
                who: who.into(),
                referrer: referrer.into(),
                address: "4fZk2mPq".into(),
                session: None,
                said: if outcome == "refunded" {
                    vec![(
                        "The last lines of the app",
                        "sh: desk: not found\n<b>".into(),
                    )]
                } else {
                    Vec::new()
                },
                log_url: (outcome == "refunded").then(|| "https://logs.example/".into()),
            }
        };
    rows.map(claim).into()
}

fn live_sessions() -> Vec<Value> {
    let session = |ago: u64, state: &str, owner: Value, shared: bool, left: Option<u64>| {
        json!({
            "id": format!("session-{ago}"), "reference": "k3f7-2mqa", "state": state, "cast_id": "cast-1", "cast_name": "Kubernetes workshop",
            "image_name": "Chromium", "owner": owner, "shared": shared, "created_at": NOON.minus_seconds(ago).to_string(),
            "ends_at": left.map(|left| NOON.plus_seconds(left).to_string()),
        })
    };
    vec![
        session(
            12,
            "starting",
            json!({"kind": "anonymous", "id": "4f21c0aa11"}),
            false,
            None,
        ),
        session(
            340,
            "ready",
            json!({"kind": "user", "name": "ann@example.com", "id": "u1"}),
            true,
            Some(13_200),
        ),
        session(
            4100,
            "ready",
            json!({"kind": "anonymous", "id": "88d10e3b22"}),
            false,
            Some(420),
        ),
        session(9000, "stopping", json!({"kind": "forgotten"}), false, None),
    ]
}

fn trial_outcome() -> Value {
    let step = |passes: bool, question: &str, because: &str, code: Option<&str>| json!({"passes": passes, "question": question, "because": because, "code": code});
    json!({
        "admitted": false, "code": "referrer-denied", "retry_after": null,
        "steps": [
            step(true, "Does the link exist, and is it enabled?", "The link is enabled.", None),
            step(true, "Is it still valid?", "It ends at 2026-11-28T18:00:00Z.", None),
            step(true, "Is it open at this hour?", "Open mon,tue,wed,thu,fri 08:00-18:00 (UTC).", None),
            step(true, "Is this address allowed?", "192.0.2.1 against 0 bans and 0 allowed blocks.", None),
            step(false, "Does the visitor come from a listed site?",
                "It only works when you click it on one of the websites it was made for. Referrer: \
                 evil.example; allowed: acme.com.", Some("referrer-denied")),
            step(true, "Is the visitor signed in, if required?", "Anonymous users are allowed.", None),
            step(true, "Is the CAPTCHA solved?", "Asked for on the landing page (altcha).", None),
            step(true, "Has this address had too many sessions lately?", "1 of 2 in 3600 seconds are used.", None),
            step(false, "Do sessions remain?", "0 remain.", Some("no-sessions-left")),
        ],
    })
}

fn audit_page(entries: Vec<Entry>) -> AuditPage {
    AuditPage {
        view: View::of("/admin/audit", &[]),
        entries,
        next: None,
        reached: None,
    }
}

fn log() -> Vec<Entry> {
    let entry =
        |ago: u64, who: &str, verb: &str, thing: &str, before: Value, after: Value, undo: bool| {
            Entry {
                id: format!("entry-{ago}"),
                at: NOON.minus_seconds(ago),
                who: who.into(),
                address: "192.0.2.7".into(),
                verb: verb.into(),
                thing: (thing.into(), undo.then(|| "/admin/casts/cast-1".into())),
                changes: audit::changes("", (&before, &after), &Zone::default()),
                undo,
                document: Value::Null,
            }
        };
    vec![
        entry(
            120,
            "Alex Morgan",
            "changed the cast",
            "Kubernetes workshop",
            json!({"sessions_remaining": 10, "restrict_to_referrers": ["acme.com"]}),
            json!({"sessions_remaining": 18, "restrict_to_referrers": []}),
            true,
        ),
        entry(
            4000,
            "CI",
            "made the image",
            "Chromium",
            Value::Null,
            image_view(),
            true,
        ),
        entry(
            90_000,
            "Alex Morgan",
            "stopped the session of",
            "Anonymous 88d10e3b",
            Value::Null,
            Value::Null,
            false,
        ),
    ]
}

fn image_view() -> Value {
    let settings = image_form::create(
        &json!({"name": "Chromium", "container_image": "kasmweb/chromium:1.17.0", "preset": "kasmweb_chromium"}),
    );
    let mut image = testing::image(1);
    image.settings = settings.unwrap_or_else(|errors| panic!("{errors:?}"));
    image_form::view(&image)
}

fn form_page(
    context: &PageContext,
    resource: &'static Resource,
    place: Place,
    document: &Value,
    messages: FormMessages,
    is_new: bool,
) -> Screen {
    edit::page(
        context,
        &form(resource, place, document, messages, is_new, &choices()),
    )
}

fn form<'a>(
    resource: &'static Resource,
    place: Place,
    document: &'a Value,
    messages: FormMessages,
    is_new: bool,
    choices: &'a Choices,
) -> Edit<'a> {
    let aside = if resource.name == "cast" {
        Preview::of(document, &context(), choices).to_string()
    } else {
        String::new()
    };
    let title = if is_new {
        format!("New {}", resource.name)
    } else {
        format!("Change the {}", resource.name)
    };
    Edit {
        resource,
        place,
        scope: "casts",
        title,
        trail: vec![("Casts".into(), "/admin/casts".into())],
        action: "/admin/casts".into(),
        cancel: "/admin/casts".into(),
        submit: if is_new { "Create" } else { "Save" },
        document,
        messages,
        choices,
        is_new,
        id: None,
        counted: None,
        version: (!is_new).then_some(3),
        check: (resource.name == "cast").then_some("/admin/check-cast"),
        aside,
        above: String::new(),
    }
}

fn full_cast() -> Value {
    let mut cast = workshop();
    cast["restrict_to_referrers"] = json!(["acme.com", "=shop.example.com"]);
    cast
}

fn wrong_cast() -> (Value, FormMessages) {
    let mut cast = full_cast();
    cast["name"] = json!("");
    cast["sessions_remaining"] = json!("lots");
    cast["restrict_to_referrers"] = json!(["acme.com", "not a site"]);
    let sent: serde_json::Map<String, Value> = cast
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| {
            cast_form::resource()
                .fields()
                .any(|field| field.name.split('.').next() == Some(name.as_str()))
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let errors = cast_form::create(
        &Value::Object(sent),
        &OwnUrls::of(OURS),
        &SeededEntropy::new(1),
    )
    .err()
    .map(|errors| errors.0)
    .unwrap_or_default();
    let warning = FieldError::new(
        "/require_captcha",
        "has no effect: logged-in users are not asked.",
    );
    (
        cast,
        FormMessages {
            errors,
            warnings: vec![warning],
            is_stale: false,
        },
    )
}

fn one_session() -> Value {
    let mut session = live_sessions()[0].clone();
    let at = |seconds: u64| NOON.minus_seconds(seconds).to_string();
    session["timeline"] = json!([
        { "step": "claimed", "at": at(600) },
        { "step": "image-pulling", "at": at(596) },
        { "step": "image-pulled", "at": at(570) },
        { "step": "ready", "at": at(565) },
    ]);
    session["watchers"] = json!(["Ann", "<i>Guest</i>"]);
    session["log_tail"] = json!("GET / 200\n<script>alert(1)</script>");
    session["cost_so_far_cents"] = json!(0.87);
    session["message"] = json!("Please save your work.");
    session
}

fn found_reference() -> FoundReference {
    FoundReference {
        reference: "k3f7-2mqa-x5cd-7b2e".into(),
        sessions: vec![live_sessions()[0].clone()],
        refusals: vec![
            (
                NOON,
                "Too many sessions from one network".into(),
                Some(("Demo".into(), "cast-1".into())),
            ),
            (NOON, "No such link".into(), None),
        ],
    }
}

fn confirm_page() -> Confirm {
    Confirm {
        place: Place::Casts,
        trail: vec![
            ("Casts".into(), "/admin/casts".into()),
            ("Kubernetes workshop".into(), "/admin/casts/cast-1".into()),
        ],
        title: "Delete \u{201c}Kubernetes workshop\u{201d}?".into(),
        happens: vec![
            "The link stops working now and says that it does not exist.".into(),
            "Its claims stay in the ledger. The cast itself can be brought back from the audit \
             log."
                .into(),
            "7 of its sessions are alive; they go on unless you end them here.".into(),
        ],
        uses: vec![(
            "the cast \u{201c}Welcome\u{201d} (welcome-link)".into(),
            "/admin/casts/c1".into(),
        )],
        action: "/admin/casts/cast-1/delete".into(),
        submit: "Delete the cast".into(),
        cancel: "/admin/casts/cast-1".into(),
        choice: Some(("terminate", "End its 7 live sessions too".into(), false)),
        line: None,
        kept: Vec::new(),
        refused: String::new(),
        version: Some(3),
    }
}

fn overview_page(is_new: bool) -> Overview {
    if is_new {
        let figures = vec![
            figure("Live sessions", Some(0), ""),
            figure("Started, 24 h", Some(0), ""),
            figure("Refused, 24 h", Some(0), ""),
        ];
        let chart = Chart {
            labels: Vec::new(),
            series: Vec::new(),
            summary: String::new(),
            ..launches()
        };
        return Overview {
            figures,
            charts: vec![chart],
            first_steps: Some([true, false, false]),
            ..Overview::default()
        };
    }
    Overview {
        figures: vec![
            figure("Live sessions", Some(42), "of 200"),
            figure("Started, 24 h", Some(1429), ""),
            figure("Refused, 24 h", Some(131), ""),
            figure("Casts enabled", Some(6), "of 7"),
        ],
        attention_items: vec![
            (
                Badge::new(Severity::Bad, "Used up"),
                "\u{201c}Conference booth\u{201d} has no sessions left.".into(),
                "/admin/casts/cast-4".into(),
            ),
            (
                Badge::new(Severity::Warn, "Ends soon"),
                "\u{201c}Kubernetes workshop\u{201d} ends in 5 days.".into(),
                "/admin/casts/cast-1".into(),
            ),
        ],
        charts: charts(),
        range: Some(range("")),
        claims: some_claims(),
        first_steps: None,
    }
}

/// A profile with an earlier archive.
fn a_profile() -> Value {
    let archive = |name: &str, bytes: u64| json!({"name": name, "session_id": "s1", "bytes": bytes, "sha256": "", "saved_at": NOON.to_string()});
    json!({
        "id": "u1-i1", "user_id": "u1", "image_id": "i1", "image_name": "Desktop", "session_id": "s1",
        "current": archive("two", 90_000_000), "older": [archive("one", 2000)],
    })
}

/// Every page, with the name of its file.
pub fn pages() -> Vec<(&'static str, PageContext, Screen)> {
    let context = context();
    let flash = Flash {
        severity: Severity::Good,
        text: "The cast has been changed.".into(),
        undo: vec!["entry-1".into()],
    };
    let with_flash = PageContext {
        flash: Some(flash),
        ..context.clone()
    };
    let out = PageContext {
        user: None,
        ..context.clone()
    };
    let choices = choices();
    let cast = workshop();
    let (wrong, messages) = wrong_cast();
    let outcome = trial_outcome();
    let figures = vec![
        figure("Remaining", Some(18), "of 60"),
        figure("Live now", Some(7), ""),
        figure("Started, 24 h", Some(41), ""),
        figure("Refused, 24 h", Some(12), ""),
    ];
    let cast_page = CastPage {
        cast: &cast,
        choices: &choices,
        figures,
        charts: charts(),
        range: range("days"),
        claims: some_claims(),
    };
    let claim_page = |cast, claims| ClaimPage {
        cast,
        view: View::of("/admin/claims", &[]),
        range: range("hours"),
        casts: vec![("cast-1".into(), "Workshop".into())],
        note: "Refusals are counted by the hour; a few of each are listed.".into(),
        charts: vec![launches()],
        claims,
        next: Some("/admin/claims?cursor=x".into()),
        exports: (
            "/api/admin/claims/export?format=csv".into(),
            "/api/admin/claims/export?format=json".into(),
        ),
    };
    let typed = BTreeMap::from([
        ("address".to_owned(), "192.0.2.1".to_owned()),
        ("referrer".to_owned(), "https://evil.example/".to_owned()),
    ]);
    let list = |rows, has_images| CastList {
        rows,
        choices: choices.clone(),
        has_images,
        ..CastList::default()
    };
    let groups = vec![group_form::view(&Group::all_users())];
    let settings = settings_form::view(&casting_core::deployment::Deployment::default());
    let keys = [
        json!({"id": "key-1", "name": "CI", "scopes": ["casts", "read"], "created_at": "2026-11-01T08:00:00Z", "expires_at": "2026-12-24T00:00:00Z"}),
    ];
    let blank = json!({"enabled": true});
    let network = json!({"name": "lab", "description": "The lab\u{2019}s own subnets", "subnets": ["subnet-0a1b2c3d4e"], "security_groups": ["sg-0a1b2c3d4e"], "assign_public_ip": false, "updated_at": "2026-11-20T10:00:00Z"});
    let none = Vec::<Value>::new();
    let auditor = PageContext {
        user: Some(CurrentUser {
            name: "Robin".into(),
            role: "Auditor".into(),
            scopes: vec!["read".into()],
        }),
        ..context.clone()
    };
    let in_maintenance = PageContext {
        maintenance: Some(Maintenance {
            is_on: true,
            message: Some("We are updating our servers and will be back this afternoon.".into()),
            until: Some(NOON.plus_seconds(7200)),
            since: Some(NOON.minus_seconds(600)),
            by: Some("Robin".into()),
        }),
        ..context.clone()
    };
    vec![
        (
            "casts-in-maintenance",
            in_maintenance.clone(),
            casts::list(&in_maintenance, &list(all_casts(), true)),
        ),
        (
            "sign-in",
            out.clone(),
            sign_in::page(&SignIn {
                provider: Some("/login?next=/admin".into()),
                ..SignIn::default()
            }),
        ),
        (
            "sign-in-wrong",
            out.clone(),
            sign_in::page(&SignIn {
                error: Some(
                    "Invalid key. It may have been deleted, or a character is missing.".into(),
                ),
                ..SignIn::default()
            }),
        ),
        (
            "sign-in-stranger",
            out.clone(),
            sign_in::page(&SignIn {
                provider: Some("/login?to=/admin".into()),
                stranger: Some("Bob".into()),
                ..SignIn::default()
            }),
        ),
        (
            "settings-auditor",
            auditor.clone(),
            form_page(
                &auditor,
                settings_form::resource(),
                Place::Settings,
                &settings,
                FormMessages::default(),
                false,
            ),
        ),
        (
            "casts-auditor",
            auditor.clone(),
            casts::list(&auditor, &list(Vec::new(), false)),
        ),
        (
            "overview",
            context.clone(),
            dashboard::page(&context, &overview_page(false)),
        ),
        (
            "overview-new",
            context.clone(),
            dashboard::page(&context, &overview_page(true)),
        ),
        (
            "casts",
            with_flash.clone(),
            casts::list(&with_flash, &list(all_casts(), true)),
        ),
        (
            "casts-new",
            context.clone(),
            casts::list(&context, &list(Vec::new(), false)),
        ),
        ("cast", context.clone(), cast::page(&context, &cast_page)),
        (
            "cast-form",
            context.clone(),
            form_page(
                &context,
                cast_form::resource(),
                Place::Casts,
                &full_cast(),
                FormMessages::default(),
                false,
            ),
        ),
        (
            "cast-form-new",
            context.clone(),
            form_page(
                &context,
                cast_form::resource(),
                Place::Casts,
                &blank,
                FormMessages::default(),
                true,
            ),
        ),
        (
            "cast-form-wrong",
            context.clone(),
            form_page(
                &context,
                cast_form::resource(),
                Place::Casts,
                &wrong,
                messages,
                false,
            ),
        ),
        (
            "cast-delete",
            context.clone(),
            confirm::page(&context, &confirm_page()),
        ),
        (
            "claims",
            context.clone(),
            claims::page(&context, claim_page(None, some_claims())),
        ),
        (
            "claims-none",
            context.clone(),
            claims::page(
                &context,
                claim_page(Some(("Staff browser".into(), "cast-3".into())), Vec::new()),
            ),
        ),
        (
            "sessions",
            context.clone(),
            sessions::page(&context, &live_sessions(), SessionList::default()),
        ),
        (
            "sessions-none",
            context.clone(),
            sessions::page(&context, &none, SessionList::default()),
        ),
        (
            "session",
            context.clone(),
            sessions::one(
                &context,
                &one_session(),
                vec![("The app", "no such file: /srv/index.html".into())],
                &Typed {
                    form: "extend",
                    value: "2000".into(),
                    error: "Must be a whole number from 1 to 1440.".into(),
                },
            ),
        ),
        (
            "find",
            context.clone(),
            find::page(
                &context,
                "k3f7-2mqa-x5cd-7b2e",
                Some(&found_reference()),
                &[],
            ),
        ),
        (
            "find-none",
            context.clone(),
            find::page(&context, "<b>", None, &[]),
        ),
        (
            "trial",
            context.clone(),
            trial::page(
                &context,
                &TrialPage {
                    cast: &cast,
                    typed,
                    errors: BTreeMap::new(),
                    outcome: Some(&outcome),
                },
            ),
        ),
        (
            "images",
            context.clone(),
            records::images(&context, &[image_view()], &View::default()),
        ),
        (
            "image-form",
            context.clone(),
            form_page(
                &context,
                image_form::resource(),
                Place::Images,
                &image_view(),
                FormMessages::default(),
                false,
            ),
        ),
        (
            "networks",
            context.clone(),
            records::networks(&context, std::slice::from_ref(&network), &View::default()),
        ),
        (
            "network-form",
            context.clone(),
            form_page(
                &context,
                network_form::resource(),
                Place::Networks,
                &network,
                FormMessages::default(),
                false,
            ),
        ),
        (
            "groups",
            context.clone(),
            records::groups(&context, &groups, &View::default()),
        ),
        (
            "group-form",
            context.clone(),
            form_page(
                &context,
                group_form::resource(),
                Place::Groups,
                &groups[0],
                FormMessages::default(),
                false,
            ),
        ),
        (
            "staging-none",
            context.clone(),
            records::staging(&context, &[], &str::to_owned, &View::default()),
        ),
        (
            "users-none",
            context.clone(),
            records::users(&context, &none, &View::default(), None),
        ),
        (
            "user",
            context.clone(),
            profiles::user(
                &context,
                &json!({"id": "u1", "name": "Ann"}),
                &[a_profile()],
            ),
        ),
        (
            "api-keys",
            context.clone(),
            records::api_keys(&context, &keys, &View::default()),
        ),
        (
            "staging-form",
            context.clone(),
            form_page(
                &context,
                staging_form::resource(),
                Place::Staging,
                &json!({"enabled": true, "desired_sessions": 3, "expiration_hours": 24}),
                FormMessages::default(),
                true,
            ),
        ),
        ("pool", context.clone(), {
            let document = json!({"name": "Workshop browsers", "enabled": true, "image_id": image_id(), "desired_sessions": 6, "expiration_hours": 24, "daily_budget_cents": 800});
            let form = form(
                staging_form::resource(),
                Place::Staging,
                &document,
                FormMessages::default(),
                false,
                &choices,
            );
            edit::page(
                &context,
                &Edit {
                    above: pool::state(&context),
                    ..form
                },
            )
        }),
        (
            "api-key-form",
            context.clone(),
            form_page(
                &context,
                api_key_form::resource(),
                Place::ApiKeys,
                &json!({"scopes": ["read"]}),
                FormMessages::default(),
                true,
            ),
        ),
        (
            "settings",
            context.clone(),
            form_page(
                &context,
                settings_form::resource(),
                Place::Settings,
                &settings,
                FormMessages::default(),
                false,
            ),
        ),
        (
            "audit",
            context.clone(),
            audit::page(&context, audit_page(log())),
        ),
        (
            "audit-none",
            context.clone(),
            audit::page(&context, audit_page(Vec::new())),
        ),
    ]
}
