//! Owns the audit log and its undo, claims and their export, hourly statistics and users, end to
//! end.

use casting_core::time::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::authorization::{key, sign_in};
use crate::console_fields::Console;
use crate::test_stack::{Answer, Caller, TestStack};

fn id(document: &Value) -> String {
    document["id"].as_str().expect("an id").to_owned()
}

async fn audit(stack: &TestStack, target: &str) -> Vec<Value> {
    let answer = stack
        .admin(Method::GET, &format!("audit?target={target}"), None)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["items"].as_array().expect("entries").clone()
}

#[tokio::test]
async fn every_change_is_audited_and_can_be_undone() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"name": "Before", "key": "audited-link"}))
        .await;
    let path = format!("casts/{}", id(&cast));
    let (key_id, other) = key(&stack, &["read", "casts"]).await;
    stack.clock.advance(1);
    let change = stack
        .request(Method::PATCH, &format!("/api/admin/{path}"))
        .bearer_auth(&other)
        .header("x-forwarded-for", "192.0.2.77");
    let changed =
        Answer::of(change.json(
            &json!({"name": "After", "enabled": false, "error_url": "https://acme.com/sorry"}),
        ))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let same = stack
        .admin(Method::PATCH, &path, Some(&json!({"name": "After"})))
        .await;
    assert_eq!(same.status, 200);

    let told = audit(&stack, &id(&cast)).await;
    let summary: Vec<_> = told
        .iter()
        .map(|entry| {
            (
                entry["action"].as_str().expect("a word"),
                entry["target_name"].as_str().expect("a name"),
            )
        })
        .collect();
    assert_eq!(
        summary,
        [("changed", "After"), ("created", "Before")],
        "what changes nothing is not told of"
    );
    let entry = &told[0];
    assert_eq!(
        entry["actor"],
        json!({"kind": "api-key", "id": key_id, "name": "Test"})
    );
    assert_eq!(entry["address"], "192.0.2.77");
    let fields: Vec<&str> = entry["changes"]
        .as_array()
        .expect("fields")
        .iter()
        .map(|change| change["field"].as_str().expect("a name"))
        .collect();
    assert_eq!(fields, ["name", "enabled", "error_url"]);
    assert_eq!(
        entry["changes"][0],
        json!({"field": "name", "before": "Before", "after": "After"})
    );

    // Another field was changed in the meantime: that stays.
    stack.clock.advance(1);
    assert_eq!(
        stack
            .admin(Method::PATCH, &path, Some(&json!({"description": "kept"})))
            .await
            .status,
        200
    );
    let undone = stack
        .admin(Method::POST, &format!("audit/{}/undo", id(entry)), None)
        .await;
    assert_eq!(undone.status, 204, "{}", undone.text);
    let now = stack.admin(Method::GET, &path, None).await.json();
    assert_eq!(
        (
            &now["name"],
            &now["enabled"],
            &now["error_url"],
            &now["description"]
        ),
        (&json!("Before"), &json!(true), &json!(null), &json!("kept"))
    );

    stack.clock.advance(1);
    assert_eq!(stack.admin(Method::DELETE, &path, None).await.status, 204);
    assert_eq!(
        stack.claim(Caller(1), "audited-link").await.code(),
        "unknown-cast"
    );
    let told = audit(&stack, &id(&cast)).await;
    assert_eq!(
        (
            told[0]["action"].as_str(),
            told[0]["can_be_undone"].as_bool()
        ),
        (Some("deleted"), Some(true))
    );
    let reader = key(&stack, &["read", "settings"]).await.1;
    let refused = Answer::of(
        stack
            .request(
                Method::POST,
                &format!("/api/admin/audit/{}/undo", id(&told[0])),
            )
            .bearer_auth(&reader),
    )
    .await;
    assert_eq!(refused.status, 403, "only whoever may change links");
    assert_eq!(
        stack
            .admin(Method::POST, &format!("audit/{}/undo", id(&told[0])), None)
            .await
            .status,
        204
    );
    assert_eq!(
        stack.claim(Caller(1), "audited-link").await.status,
        202,
        "the same link works again"
    );
    let made = told
        .iter()
        .find(|entry| entry["action"] == "created")
        .expect("an entry");
    assert_eq!(
        stack
            .admin(Method::POST, &format!("audit/{}/undo", id(made)), None)
            .await
            .status,
        409,
        "what was made is deleted instead"
    );

    // The log names the change of a secret setting, and not its value.
    let set = json!({"captcha_kind": "hcaptcha", "captcha_site_key": "site", "captcha_secret_key": "hush-hush"});
    assert_eq!(
        stack
            .admin(Method::PATCH, "settings", Some(&set))
            .await
            .status,
        200
    );
    let told = stack.admin(Method::GET, "audit?target=system", None).await;
    assert!(
        told.text.contains("captcha_secret_key") && !told.text.contains("hush"),
        "{}",
        told.text
    );
    let undone = stack
        .admin(
            Method::POST,
            &format!("audit/{}/undo", id(&told.json()["items"][0])),
            None,
        )
        .await;
    assert_eq!(undone.status, 204, "{}", undone.text);
    assert_eq!(
        stack.admin(Method::GET, "settings", None).await.json()["captcha_kind"],
        "altcha"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn key_rotation_is_immediate_or_with_grace() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"key": "first-key"})).await;
    let path = format!("casts/{}/key-rotations", id(&cast));
    let claim = async |key: &str| stack.claim(Caller(1), key).await;
    assert_eq!(claim("first-key").await.status, 202);
    let at_once = json!({"grace_seconds": 0});
    let rotated = stack.admin(Method::POST, &path, Some(&at_once)).await;
    assert_eq!(rotated.status, 201, "{}", rotated.text);
    let second = rotated.json()["key"].as_str().expect("a key").to_owned();
    assert_eq!(
        claim("first-key").await.code(),
        "unknown-cast",
        "dead at once"
    );
    assert_eq!(claim(&second).await.status, 202);

    let rotated = stack
        .admin(
            Method::POST,
            &path,
            Some(&json!({"key": "third-key", "grace_seconds": 60})),
        )
        .await
        .json();
    assert_eq!(
        (&rotated["key"], &rotated["previous_key"]["key"]),
        (&json!("third-key"), &json!(second))
    );
    assert_eq!(
        (claim(&second).await.status, claim("third-key").await.status),
        (202, 202),
        "both, for a minute"
    );
    assert_eq!(
        stack.cast_with_key_is_refused(&second).await,
        409,
        "nobody else can take a key that still works"
    );
    stack.clock.advance(61);
    assert_eq!(claim(&second).await.code(), "unknown-cast");
    assert_eq!(claim("third-key").await.status, 202);
    for (name, document) in [
        ("a wrong key", json!({"key": "x"})),
        ("for ever", json!({"grace_seconds": 99_999_999})),
        ("more", json!({"colour": 1})),
    ] {
        assert_eq!(
            stack
                .admin(Method::POST, &path, Some(&document))
                .await
                .status,
            422,
            "{name}"
        );
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn idempotent_request_is_executed_once() {
    let stack = TestStack::start().await;
    let image = stack.image().await;
    let post = async |kind: &str, key: &str, document: &Value| {
        let request = stack
            .request(Method::POST, &format!("/api/admin/{kind}"))
            .bearer_auth(&stack.local.admin_key);
        Answer::of(request.header("idempotency-key", key).json(document)).await
    };
    let cast = json!({"name": "Once", "image_id": image});
    for (kind, document) in [
        ("casts", cast.clone()),
        ("groups", json!({"name": "Once"})),
        (
            "images",
            json!({"name": "Once", "container_image": "local/x", "command": ["true"], "cpu": 256, "memory": 512}),
        ),
        (
            "networks",
            json!({"name": "once", "subnets": ["subnet-1"], "security_groups": ["sg-1"]}),
        ),
        (
            "staging-configs",
            json!({"name": "Once", "image_id": image}),
        ),
        ("api-keys", json!({"name": "Once"})),
    ] {
        let (first, again) = (
            post(kind, "r1", &document).await,
            post(kind, "r1", &document).await,
        );
        assert_eq!(
            (first.status, again.status),
            (201, 201),
            "{kind}: {} {}",
            first.text,
            again.text
        );
        assert_eq!(
            first.json(),
            again.json(),
            "{kind}: the same thing again, also its secret"
        );
        let mut other = document.clone();
        other["name"] = json!("other");
        assert_eq!(
            post(kind, "r1", &other).await.code(),
            "request-differs",
            "{kind}"
        );
        let second = post(kind, "r2", &other).await;
        assert!(
            second.status == 201 && second.json() != first.json(),
            "{kind}: another key, another thing"
        );
    }
    let wrong = post("casts", "r3", &json!({"image_id": image})).await;
    assert_eq!(wrong.status, 422);
    assert_eq!(
        post("casts", "r3", &cast).await.status,
        201,
        "a request that was refused does not use its key up"
    );
    assert_eq!(post("casts", &"k".repeat(201), &cast).await.status, 400);
    stack.local.stop().await;
}

#[tokio::test]
async fn links_can_be_searched_sorted_and_copied() {
    let stack = TestStack::start().await;
    let mut made = Vec::new();
    for (name, key, enabled) in [
        ("Alpha class", "alpha-class", true),
        ("Beta class", "beta-klass", false),
        ("Gamma", "gamma-lesson", true),
    ] {
        made.push(
            stack
                .cast(&json!({"name": name, "key": key, "enabled": enabled}))
                .await,
        );
        stack.clock.advance(1);
    }
    let names = async |query: &str| {
        let answer = stack
            .admin(Method::GET, &format!("casts?{query}"), None)
            .await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        let items = answer.json()["items"].as_array().expect("items").clone();
        // The demo links are there too.
        let ours = items
            .iter()
            .filter_map(|cast| cast["name"].as_str())
            .filter(|name| {
                !["Demo", "Browser"]
                    .iter()
                    .any(|demo| name.starts_with(demo))
            });
        let mut ours: Vec<&str> = ours.map(|name| &name[..1]).collect();
        if query.contains("search") {
            ours.sort_unstable();
        }
        ours.concat()
    };
    for (query, expected) in [
        ("", "ABG"),
        ("sort=-name", "GBA"),
        ("sort=created_at", "ABG"),
        ("sort=-created_at", "GBA"),
        ("enabled=false", "B"),
        ("search=class", "AB"),
        ("search=CLA", "AB"),
        ("search=beta%20cla", "B"),
        ("search=gamma-less", "G"),
        ("search=klass", "B"),
        ("search=nobody", ""),
        ("search=%21%3F", ""),
        ("search=class&enabled=true", "A"),
    ] {
        assert_eq!(names(query).await, expected, "{query}");
    }
    for wrong in [
        "sort=price",
        "enabled=yes",
        "image=x",
        "limit=0",
        "cursor=x",
    ] {
        assert_eq!(
            stack
                .admin(Method::GET, &format!("casts?{wrong}"), None)
                .await
                .status,
            400,
            "{wrong}"
        );
    }
    let copy = stack
        .admin(
            Method::POST,
            &format!("casts/{}/copies", id(&made[1])),
            Some(&json!({"enabled": true})),
        )
        .await;
    assert_eq!(copy.status, 201, "{}", copy.text);
    let copy = copy.json();
    assert_eq!(
        (&copy["name"], &copy["enabled"]),
        (&json!("Beta class (copy)"), &json!(true))
    );
    assert!(copy["key"] != made[1]["key"] && copy["id"] != made[1]["id"]);
    stack.local.stop().await;
}

#[tokio::test]
async fn claims_are_filtered_and_exported() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"name": "=Sum, of it", "key": "told-link", "limit_total_sessions": true, "sessions_remaining": 2})).await;
    let claims = async |query: &str| {
        let answer = stack
            .admin(
                Method::GET,
                &format!("claims?cast={}&{query}", id(&cast)),
                None,
            )
            .await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        answer.json()
    };
    let count = |document: &Value| {
        let refused: u64 = document["refused"]
            .as_array()
            .expect("rows")
            .iter()
            .filter_map(|row| row["count"].as_u64())
            .sum();
        (
            document["accepted"]["items"]
                .as_array()
                .expect("items")
                .len(),
            refused,
        )
    };
    let first = stack.claim(Caller(1), "told-link").await.json();
    stack.clock.advance(3600);
    assert_eq!(stack.claim(Caller(2), "told-link").await.status, 202);
    let refused = stack.claim(Caller(3), "told-link").await;
    assert_eq!(refused.code(), "no-sessions-left");
    stack.local.control_plane.flush().await.expect("written");
    let now = stack.clock.now();
    let before = now.minus_seconds(1800);
    for (query, expected) in [
        (String::new(), (2, 1)),
        ("outcome=live".to_owned(), (2, 0)),
        ("outcome=refunded".to_owned(), (0, 0)),
        ("outcome=refused".to_owned(), (0, 1)),
        (format!("since={before}"), (1, 1)),
        (format!("until={before}"), (1, 0)),
    ] {
        assert_eq!(count(&claims(&query).await), expected, "{query}");
    }
    let session = first["session_id"].as_str().expect("a session").to_owned();
    let path = format!("sessions/{session}");
    let seen = stack.admin(Method::GET, &path, None).await.json();
    let hash = seen["address_hash"].clone();
    let hash = hash.as_str().expect("a hash").to_owned();
    for (query, expected) in [
        (format!("address_hash={hash}"), (1, 0)),
        ("address_hash=unknown".to_owned(), (0, 0)),
        ("search=told-link+anonymous".to_owned(), (0, 0)),
        ("search=told-link".to_owned(), (2, 0)),
    ] {
        assert_eq!(count(&claims(&query).await), expected, "{query}");
    }
    // The console's list has the same filters, and shows times in the zone that was chosen.
    let cookie = sign_in(&stack, &stack.local.admin_key).await;
    let console = Console {
        stack: &stack,
        cookie: format!("{cookie}; cast-zone=Asia/Kolkata"),
    };
    let rows = |page: &str| page.matches("<th scope=\"row\"><time").count();
    let of = format!("/admin/claims?cast={}", id(&cast));
    for (query, expected) in [
        ("", 3),
        ("&outcome=accepted", 2),
        ("&outcome=refused", 1),
        ("&search=told-link", 2),
        ("&reference=nonsense", 0),
        (&format!("&address={hash}"), 1),
    ] {
        let page = console.page(&format!("{of}{query}")).await;
        assert_eq!(rows(&page), expected, "{query}: {page}");
        assert!(
            page.contains("/api/admin/claims/export?format=csv"),
            "{query}"
        );
    }
    let page = console.page(&of).await;
    assert!(page.contains("23 Nov, 17:30 IST"), "{page}");
    let typed = format!("{of}&address={}", Caller(1).address());
    let found = Answer::of(stack.request(Method::GET, &typed).header("cookie", &cookie)).await;
    assert_eq!(
        (found.status, found.header("location")),
        (303, format!("{of}&address={hash}").as_str()),
        "an address stays in no address of a page"
    );
    let reference = stack
        .admin(Method::GET, &format!("sessions/{session}"), None)
        .await
        .json()["reference"]
        .as_str()
        .expect("a reference")
        .to_owned();
    assert_eq!(
        count(&claims(&format!("ref={reference}")).await),
        (1, 0),
        "by what a visitor quotes"
    );
    let quoted = refused.json()["ref"]
        .as_str()
        .expect("a reference")
        .to_owned();
    assert_eq!(
        count(&claims(&format!("ref={quoted}")).await),
        (0, 1),
        "also of a refusal"
    );

    let path = format!("claims/export?cast={}", id(&cast));
    let file = stack
        .admin(Method::GET, &format!("{path}&format=csv"), None)
        .await;
    assert_eq!(
        (file.status, file.header("content-type")),
        (200, "text/csv; charset=utf-8")
    );
    assert!(file.header("content-disposition").contains("claims.csv"));
    assert_eq!(
        file.text.lines().count(),
        4,
        "a head, two accepted and one row of refused claims: {}",
        file.text
    );
    assert!(
        file.text.contains("\"'=Sum, of it\""),
        "a name is never a formula: {}",
        file.text
    );
    let file = stack
        .admin(Method::GET, &format!("{path}&format=json"), None)
        .await;
    assert_eq!(count(&file.json()), (2, 1));
    for wrong in ["outcome=lost", "since=soon", "ref=x", "cast=x"] {
        assert_eq!(
            stack
                .admin(Method::GET, &format!("claims?{wrong}"), None)
                .await
                .status,
            400,
            "{wrong}"
        );
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn hourly_stats_count_claims_before_and_after_aggregation() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"key": "hourly-link", "limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 600})).await;
    let began = stack.clock.now();
    for (visitor, status) in [(1, 202), (2, 202), (1, 429)] {
        assert_eq!(
            stack.claim(Caller(visitor), "hourly-link").await.status,
            status
        );
    }
    stack.local.control_plane.flush().await.expect("written");
    let total = async |path: &str| {
        let answer = stack
            .admin(Method::GET, &format!("{path}?since={began}"), None)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let document = answer.json();
        (
            document["total"]["launched"].clone(),
            document["total"]["refused"].clone(),
            document["hours"].as_array().expect("hours").len(),
        )
    };
    let of_cast = format!("casts/{}/statistics", id(&cast));
    let refused = json!({"ip-limit": 1});
    assert_eq!(total(&of_cast).await, (json!(2), refused.clone(), 1));
    assert_eq!(total("statistics").await, (json!(2), refused.clone(), 1));
    assert_eq!(
        stack.local.control_plane.write_hours().await,
        Ok(1),
        "the hour before all of this"
    );

    stack.clock.advance(3 * 3600);
    assert_eq!(
        stack.local.control_plane.write_hours().await,
        Ok(3),
        "also this one"
    );
    assert_eq!(
        stack.local.control_plane.write_hours().await,
        Ok(0),
        "each once"
    );
    assert_eq!(stack.claim(Caller(3), "hourly-link").await.status, 202);
    assert_eq!(
        total(&of_cast).await,
        (json!(3), refused.clone(), 4),
        "hours that were made, and those that were not"
    );
    assert_eq!(total("statistics").await, (json!(3), refused, 4));
    for wrong in [
        "since=soon",
        "since=2020-01-01T00:00:00Z",
        "until=2020-01-01T00:00:00Z&since=2021-01-01T00:00:00Z",
    ] {
        assert_eq!(
            stack
                .admin(Method::GET, &format!("statistics?{wrong}"), None)
                .await
                .status,
            400,
            "{wrong}"
        );
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn anonymising_a_user_removes_all_personal_data() {
    let stack = TestStack::start().await;
    stack.cast(&json!({"key": "users-link"})).await;
    let claimed = stack.claim(Caller(1), "users-link").await.json();
    let session = claimed["session_id"]
        .as_str()
        .expect("a session")
        .to_owned();
    let users = stack
        .admin(Method::GET, "users?kind=anonymous", None)
        .await
        .json();
    let user = users["items"]
        .as_array()
        .expect("users")
        .iter()
        .find(|user| user["session_id"] == session.as_str())
        .expect("the user")
        .clone();
    let path = format!("users/{}", id(&user));
    assert_eq!(stack.admin(Method::GET, &path, None).await.json(), user);
    assert_eq!(
        stack.admin(Method::DELETE, &path, None).await.status,
        409,
        "a live session stands in the way"
    );
    let deleted = stack
        .admin(Method::DELETE, &format!("{path}?terminate=true"), None)
        .await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    let row = stack
        .admin(Method::GET, &format!("sessions/{session}"), None)
        .await
        .json();
    assert_eq!(
        (&row["owner"]["kind"], &row["address_hash"], &row["state"]),
        (&json!("forgotten"), &json!(""), &json!("ended"))
    );
    assert_eq!(stack.admin(Method::GET, &path, None).await.status, 404);
    assert_eq!(stack.admin(Method::DELETE, &path, None).await.status, 404);
    assert_eq!(
        stack
            .admin(Method::GET, "users?kind=robot", None)
            .await
            .status,
        400
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn cost_of_an_hour_is_completed_a_day_later() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"key": "dear-link"})).await;
    let claimed = stack.claim(Caller(1), "dear-link").await;
    assert_eq!(claimed.status, 202, "{}", claimed.text);
    let session = claimed.json()["session_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    stack.wait_until_running(&session).await;
    let began = stack.clock.now().minus_seconds(7200);
    let of_cast = format!("casts/{}/statistics?since={began}", id(&cast));
    let cost = async || {
        let told = stack.admin(Method::GET, &of_cast, None).await;
        assert_eq!(told.status, 200, "{}", told.text);
        told.json()["total"]["cost_cents"].as_f64().expect("cents")
    };
    let control_plane = &stack.local.control_plane;
    control_plane.write_hours().await.expect("built");
    stack.clock.advance(3 * 3600);
    control_plane.write_hours().await.expect("built");
    let so_far = cost().await;
    assert!(so_far > 0.0, "three hours: {so_far}");

    stack.clock.advance(3600);
    let path = format!("sessions/{session}");
    stack
        .admin(Method::POST, &format!("{path}/stop"), None)
        .await;
    let shown = async || stack.admin(Method::GET, &path, None).await.json();
    for _ in 0..200 {
        if shown().await["state"] == "ended" {
            break;
        }
        control_plane.sweep().await.expect("sweeps");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let ended = shown().await;
    assert_eq!(ended["state"], "ended", "{ended}");
    assert!((cost().await - so_far).abs() < 0.01, "as it was built");
    for _ in 0..2 {
        stack.clock.advance(13 * 3600);
        control_plane.write_hours().await.expect("built");
    }
    let whole = ended["cost_so_far_cents"].as_f64().expect("cents");
    assert!(whole > so_far + 0.1, "{whole} {so_far}");
    assert!((cost().await - whole).abs() < 0.02, "{whole}");
    stack.local.stop().await;
}
