//! Owns configuration documents from end to end: what is exported from one stack and applied to
//! another makes the same, and a document is refused before anything is written.

use casting_local::configuration::kasm;
use jsonschema::validator_for;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, TestStack};

async fn export(stack: &TestStack) -> Value {
    let answer = stack.admin(Method::GET, "configuration", None).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn plan(stack: &TestStack, configuration: &Value, prune: bool) -> Answer {
    let request = json!({"configuration": configuration, "prune": prune});
    stack
        .admin(Method::POST, "configuration/plans", Some(&request))
        .await
}

/// Applies it until nothing remains; the actions with the names of their records.
async fn apply(stack: &TestStack, configuration: &Value, prune: bool) -> Vec<String> {
    let mut done = Vec::new();
    loop {
        let request = json!({"configuration": configuration, "prune": prune});
        let answer = stack
            .admin(Method::POST, "configuration", Some(&request))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        done.extend(steps(&answer.json()["applied"]));
        if answer.json()["remaining"] == 0 {
            return done;
        }
    }
}

fn steps(steps: &Value) -> Vec<String> {
    let words = |step: &Value, name: &str| step[name].as_str().expect("a text").to_owned();
    let step = |step: &Value| {
        format!(
            "{} {} {}",
            words(step, "action"),
            words(step, "kind"),
            words(step, "name")
        )
    };
    steps.as_array().expect("a list").iter().map(step).collect()
}

/// A stack with a record of every kind, whose fields are not at their defaults.
async fn furnished() -> TestStack {
    let stack = TestStack::start().await;
    for (path, document) in [
        (
            "networks",
            json!({"name": "lab", "subnets": ["subnet-1a"], "security_groups": ["sg-1a"], "assign_public_ip": true}),
        ),
        (
            "groups",
            json!({"name": "Guests", "priority": 7, "client_settings": {"permissions": {"uploads": false}, "idle_minutes": 20}}),
        ),
        (
            "images",
            json!({"name": "Desk", "container_image": "example/desk:1", "preset": "kasmweb", "network": "lab", "environment": {"TZ": "Europe/Berlin"}}),
        ),
    ] {
        let made = stack.admin(Method::POST, path, Some(&document)).await;
        assert_eq!(made.status, 201, "{path}: {}", made.text);
    }
    let id = async |path: &str, name: &str| {
        let list = stack.admin(Method::GET, path, None).await.json();
        let found = list["items"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|item| item["name"] == name)
            .cloned();
        found.expect("is there")["id"].clone()
    };
    let (image, group) = (id("images", "Desk").await, id("groups", "Guests").await);
    let pool = json!({"name": "Mornings", "image_id": image, "group_id": group, "desired_sessions": 0, "schedule": {"time_zone": "UTC", "spans": ["mon 09:00-11:00"]}});
    let made = stack
        .admin(Method::POST, "staging-configs", Some(&pool))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    stack.cast(&json!({
        "name": "Workshop", "key": "workshop-2026", "image_id": image, "anonymous_user_group_id": group, "limit_total_sessions": true,
        "sessions_remaining": 30, "limit_requests_per_ip": true, "sessions_allowed": 2, "within_seconds": 60, "enable_sharing": true,
        "restrict_to_referrers": ["acme.com"], "open_hours": {"time_zone": "Europe/Berlin", "spans": ["mon-fri 09:00-17:00"]},
        "enforce_client_settings": true, "client_settings": {"permissions": {"downloads": false}, "session_time_limit_seconds": 600},
        "access_tiers": [
            {"name": "Guests", "proof": "login", "login_groups": ["Staff"], "network": "lab", "group_id": group},
            {"proof": "any", "session_time_limit_seconds": 300},
        ],
    })).await;
    let settings = json!({"contact": "help@example.com", "max_sessions": 40, "banned_addresses": ["198.51.100.0/24 Abuse"], "captcha_secret_key": "do-not-show-1"});
    let changed = stack
        .admin(Method::PATCH, "settings", Some(&settings))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    stack
}

#[tokio::test]
async fn exported_configuration_makes_another_stack_the_same() {
    let (first, second) = (furnished().await, TestStack::start().await);
    let exported = export(&first).await;
    assert!(!exported.to_string().contains("do-not-show"), "{exported}");
    assert_eq!(
        exported["casts"].as_array().map(Vec::len),
        Some(3),
        "{exported:#}"
    );
    assert_eq!(exported["staging_configs"][1]["image"], "Desk");

    let schema = first
        .admin(Method::GET, "configuration/schema.json", None)
        .await
        .json();
    let validator = validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(&exported)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");

    apply(&second, &exported, true).await;
    assert_eq!(export(&second).await, exported);
    let again = plan(&second, &exported, true).await.json();
    assert_eq!(
        again["steps"],
        json!([]),
        "applying is idempotent: {again:#}"
    );
    let claimed = second.claim(Caller(1), "workshop-2026").await;
    assert_eq!(
        (claimed.status, claimed.code()),
        (403, "referrer-denied".to_owned())
    );
}

#[tokio::test]
async fn counter_and_key_of_a_cast_stay_when_applied_again() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"key": "ten-places", "limit_total_sessions": true, "sessions_remaining": 10}))
        .await;
    let exported = export(&stack).await;
    assert_eq!(stack.claim(Caller(1), "ten-places").await.status, 202);
    assert_eq!(
        plan(&stack, &exported, true).await.json()["steps"],
        json!([])
    );

    // Recognised by its name, because the document has no key.
    let mut document = exported.clone();
    let casts = document["casts"].as_array_mut().expect("a list");
    let test = casts
        .iter_mut()
        .find(|cast| cast["name"] == "Test")
        .expect("is there");
    test.as_object_mut().expect("an object").shift_remove("key");
    test["title"] = json!("Ten places");
    assert_eq!(
        apply(&stack, &document, false).await,
        ["change cast ten-places"]
    );
    assert_eq!(stack.remaining(&cast).await, 9);
}

#[tokio::test]
async fn plan_shows_each_change_and_changes_nothing() {
    let stack = furnished().await;
    let before = export(&stack).await;
    let mut document = export(&stack).await;
    document["casts"][0]["title"] = json!("Come in");
    document["groups"] = json!([{"name": "Staff"}]);
    document["images"]
        .as_array_mut()
        .expect("a list")
        .retain(|image| image["name"] != "Desk");
    for cast in document["casts"].as_array_mut().expect("a list") {
        cast["image"] = json!("Demo app");
        cast.as_object_mut()
            .expect("an object")
            .shift_remove("anonymous_user_group");
        let tiers = cast.get_mut("access_tiers");
        let tiers = tiers.and_then(Value::as_array_mut);
        if let Some(tier) = tiers.and_then(|tiers| tiers.first_mut()) {
            assert_eq!(tier["group"], "Guests", "by its name");
            tier["group"] = Value::Null;
        }
    }
    document["staging_configs"] = json!([]);
    let found = plan(&stack, &document, true).await;
    assert_eq!(found.status, 200, "{}", found.text);
    let found = found.json();
    let planned = steps(&found["steps"]);
    for expected in [
        "create group Staff",
        "change cast workshop-2026",
        "delete staging Mornings",
        "delete image Desk",
        "delete group Guests",
    ] {
        assert!(
            planned.iter().any(|step| step == expected),
            "{expected} in {planned:?}"
        );
    }
    let cast = found["steps"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|step| step["name"] == "workshop-2026");
    let fields: Vec<&str> = cast.expect("is there")["changes"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|change| change["field"].as_str())
        .collect();
    assert!(
        ["image", "anonymous_user_group", "access_tiers"]
            .iter()
            .all(|field| fields.contains(field)),
        "{fields:?}"
    );
    assert_eq!(export(&stack).await, before, "nothing was written");

    let without_prune = steps(&plan(&stack, &document, false).await.json()["steps"]);
    assert!(
        without_prune.iter().all(|step| !step.starts_with("delete")),
        "{without_prune:?}"
    );
    let done = apply(&stack, &document, true).await;
    assert_eq!(done, planned, "what is done is what was shown");
}

#[tokio::test]
async fn wrong_configuration_is_refused_with_places() {
    let stack = TestStack::start().await;
    let before = export(&stack).await;
    let with = |section: &str, value: Value| json!({"version": 1, section: value});
    for (name, document, pointer) in [
        ("no version", json!({}), "/version"),
        ("version of the future", json!({"version": 2}), "/version"),
        ("unknown section", with("users", json!([])), "/users"),
        ("list of texts", with("casts", json!(["x"])), "/casts/0"),
        ("no list", with("casts", json!({})), "/casts"),
        (
            "image without a name",
            with("images", json!([{"container_image": "x:1"}])),
            "/images/0/name",
        ),
        (
            "cast of no image",
            with("casts", json!([{"name": "A", "image": "Nothing"}])),
            "/casts/0/image",
        ),
        (
            "cast with an id",
            with(
                "casts",
                json!([{"name": "A", "image_id": "x", "image": "Demo app"}]),
            ),
            "/casts/0/image_id",
        ),
        (
            "field that is none",
            with(
                "casts",
                json!([{"name": "A", "image": "Demo app", "colour": 1}]),
            ),
            "/casts/0/colour",
        ),
        (
            "value out of range",
            with(
                "groups",
                json!([{"name": "A"}, {"name": "B", "priority": 0}]),
            ),
            "/groups/1/priority",
        ),
        (
            "the same name twice",
            with("groups", json!([{"name": "A"}, {"name": "A"}])),
            "/groups/1/name",
        ),
        (
            "secret",
            with("settings", json!({"captcha_secret_key": "x"})),
            "/settings/captcha_secret_key",
        ),
    ] {
        let found = plan(&stack, &document, false).await;
        assert_eq!(found.status, 422, "{name}: {}", found.text);
        let pointers: Vec<String> = found.json()["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .map(|error| error["pointer"].as_str().expect("a text").to_owned())
            .collect();
        assert_eq!(pointers, [pointer], "{name}");
    }
    assert_eq!(export(&stack).await, before);
}

#[tokio::test]
async fn another_plan_than_the_agreed_one_is_not_applied() {
    let stack = TestStack::start().await;
    let document = json!({"version": 1, "groups": [{"name": "Staff"}]});
    let agreed = plan(&stack, &document, false).await.json()["plan"].clone();
    let other = json!({"configuration": {"version": 1, "groups": [{"name": "Staff", "priority": 1}]}, "plan": agreed});
    let refused = stack
        .admin(Method::POST, "configuration", Some(&other))
        .await;
    assert_eq!(refused.status, 412, "{}", refused.text);
    let same = json!({"configuration": document, "plan": agreed});
    let applied = stack
        .admin(Method::POST, "configuration", Some(&same))
        .await;
    assert_eq!(steps(&applied.json()["applied"]), ["create group Staff"]);
}

#[tokio::test]
async fn applying_needs_the_scopes_of_what_changes() {
    let stack = TestStack::start().await;
    let key = json!({"name": "CI", "scopes": ["read", "casts"]});
    let key = stack
        .admin(Method::POST, "api-keys", Some(&key))
        .await
        .json()["key"]
        .clone();
    let apply = async |document: Value| {
        let request = stack
            .request(Method::POST, "/api/admin/configuration")
            .bearer_auth(key.as_str().expect("a key"))
            .json(&json!({"configuration": document}));
        Answer::of(request).await
    };
    let refused = apply(json!({"version": 1, "groups": [{"name": "Staff"}], "casts": [{"name": "A", "image": "Demo app"}]})).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(refused.text.contains("people"), "{}", refused.text);
    let done = apply(json!({"version": 1, "casts": [{"name": "A", "image": "Demo app"}]})).await;
    assert_eq!(done.status, 200, "{}", done.text);
}

#[tokio::test]
async fn long_configuration_is_applied_in_several_calls() {
    let stack = TestStack::start().await;
    let groups: Vec<Value> = (0..120)
        .map(|n| json!({"name": format!("Group {n:03}")}))
        .collect();
    let document = json!({"version": 1, "groups": groups});
    let request = json!({"configuration": document});
    let first = stack
        .admin(Method::POST, "configuration", Some(&request))
        .await
        .json();
    assert_eq!(
        (
            first["applied"].as_array().map(Vec::len),
            &first["remaining"]
        ),
        (Some(50), &json!(70))
    );
    assert_eq!(apply(&stack, &document, false).await.len(), 70);
    let found = plan(&stack, &document, false).await.json();
    assert_eq!(
        (&found["steps"], &found["unchanged"]),
        (&json!([]), &json!(120))
    );
}

#[tokio::test]
async fn casts_of_kasm_behave_as_they_did() {
    let stack = TestStack::start().await;
    let cast = |key: &str, columns: Value| {
        let mut row = json!({"casting_config_name": key, "key": key, "image_id": "9f2c", "allow_anonymous": true});
        for (column, value) in columns.as_object().expect("an object") {
            row[column] = value.clone();
        }
        row
    };
    let export = json!({
        "images": [{"image_id": "9f2c", "name": "kasmweb/chrome:1.16.0", "friendly_name": "Chrome", "cores": 2, "memory_bytes": 2_768_000_000_u64, "enabled": true}],
        "groups": [{"group_id": "77", "name": "Guests", "priority": 5, "settings": {"allow_kasm_uploads": {"value": "False"}}}],
        "cast_configs": [
            cast("kasm-anonymous", json!({"group_id": "77"})),
            cast("kasm-login", json!({"allow_anonymous": false})),
            cast("kasm-total", json!({"limit_sessions": true, "session_remaining": 1})),
            cast("kasm-address", json!({"limit_ips": true, "ip_request_limit": 1, "ip_request_seconds": 600})),
            cast("kasm-referrer", json!({"allowed_referrers": ["https://acme.com/try"]})),
            cast("kasm-expired", json!({"valid_until": "2020-01-01 00:00:00"})),
            cast("kasm-captcha", json!({"require_recaptcha": true})),
            cast("kasm-url", json!({"kasm_url": "https://example.com/", "dynamic_kasm_url": true})),
        ],
    });
    let imported = kasm::import(&[export]).expect("is Kasm's");
    apply(&stack, &imported.configuration, false).await;

    for (key, statuses) in [
        ("kasm-anonymous", vec![202, 202]),
        ("kasm-total", vec![202, 410]),
        ("kasm-address", vec![202, 429]),
        ("kasm-referrer", vec![403]),
        ("kasm-expired", vec![410]),
        ("kasm-url", vec![202]),
    ] {
        let mut found = Vec::new();
        for _ in &statuses {
            found.push(stack.claim(Caller(7), key).await.status);
        }
        assert_eq!(found, statuses, "{key}");
    }
    for (key, needs) in [
        ("kasm-captcha", json!(["captcha"])),
        ("kasm-login", json!(["login"])),
    ] {
        let described = stack.describe(Caller(8), key, "").await.json();
        assert_eq!(described["needs"], needs, "{key}");
    }
    let described = stack.describe(Caller(8), "kasm-url", "").await.json();
    assert_eq!(described["parameters"], json!(["kasm_url"]));
    let old = stack
        .request(Method::GET, "/cast/kasm-referrer")
        .header("referer", "https://acme.com/try");
    assert_eq!(
        Answer::of(old.header("accept", "text/html")).await.status,
        200
    );
    let sessions = stack.admin(Method::GET, "sessions", None).await.json();
    let of_guests = sessions["items"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|session| session["cast_key"] == "kasm-anonymous");
    let permissions = &of_guests.expect("a session")["permissions"];
    assert!(
        !permissions.to_string().contains("uploads"),
        "{permissions}"
    );
}

#[tokio::test]
async fn configurations_in_the_documents_are_valid() {
    let stack = TestStack::start().await;
    for (page, least) in [("recipes", 5), ("configuration", 1)] {
        let path = format!("{}/../docs/{page}.md", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("a page");
        let blocks: Vec<&str> = text
            .split("```yaml\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next())
            .collect();
        assert!(blocks.len() >= least, "{page}");
        for block in blocks {
            let document: Value = serde_yaml_ng::from_str(block).expect(block);
            let found = plan(&stack, &document, false).await;
            assert_eq!(found.status, 200, "{page}: {}", found.text);
        }
    }
}
