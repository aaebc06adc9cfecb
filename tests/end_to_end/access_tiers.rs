//! Owns access tiers from end to end: what visitors get by what they have shown and where they come
//! from, who is refused, and where the tier that decided is told.

use std::path::PathBuf;

use casting_core::ids::{GroupId, SessionId};
use casting_core::testing::user;
use casting_core::user::User;
use casting_geo::testing::{Block, database};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::authorization::sign_in;
use crate::captcha::solve;
use crate::console_fields::{Console, form};
use crate::test_stack::{Answer, Caller, KEPT_COOKIE, TestStack};

fn text(document: &Value, name: &str) -> String {
    document[name].as_str().expect(name).to_owned()
}

async fn made(stack: &TestStack, path: &str, document: &Value) -> Value {
    let made = stack.admin(Method::POST, path, Some(document)).await;
    assert_eq!(made.status, 201, "{path}: {}", made.text);
    made.json()
}

/// The networks `lab` and `offline`, and a group whose id is returned.
async fn furnish(stack: &TestStack) -> String {
    for (name, group) in [("lab", "sg-1"), ("offline", "sg-2")] {
        let network = json!({"name": name, "subnets": ["subnet-1"], "security_groups": [group]});
        made(stack, "networks", &network).await;
    }
    let permissions = json!({"downloads": false, "webcam": true});
    let group =
        json!({"name": "Guests", "priority": 1, "client_settings": {"permissions": permissions}});
    text(&made(stack, "groups", &group).await, "id")
}

/// The session of this claim, as administrators see it.
async fn session(stack: &TestStack, claimed: &Answer) -> Value {
    assert_eq!(claimed.status, 202, "{}", claimed.text);
    let id = text(&claimed.json(), "session_id");
    stack
        .admin(Method::GET, &format!("sessions/{id}"), None)
        .await
        .json()
}

/// The row of this claim's session.
async fn time_limit(stack: &TestStack, claimed: &Answer) -> u32 {
    let id = text(&claimed.json(), "session_id");
    let id = SessionId::parse(&id).expect("an id");
    let row = stack.local.control_plane.store.session(&id).await;
    row.expect("is read").expect("is there").time_limit_seconds
}

/// A user with these groups.
fn member(n: u8, groups: &[&str]) -> User {
    User {
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..user(n)
    }
}

/// A claim of a user who has logged in.
async fn claim_as(stack: &TestStack, key: &str, user: &User) -> Answer {
    let cookie = stack.login(user);
    let described = stack.request(Method::GET, &format!("/api/casts/{key}"));
    let described = Answer::of(described.header("cookie", &cookie)).await;
    let claim = json!({"ticket": described.json()["ticket"]});
    let request = stack.request(Method::POST, &format!("/cast/{key}/claims"));
    Answer::of(request.json(&claim).header("cookie", cookie)).await
}

#[tokio::test]
async fn visitors_get_what_their_proof_gives() {
    let stack = TestStack::start().await;
    let group = furnish(&stack).await;
    let cast = stack
        .cast(&json!({"access_tiers": [
            {"name": "Guests", "proof": "invitation", "group_id": group},
            {"name": "Staff", "proof": "login", "login_groups": ["Staff"], "network": "lab"},
            {"name": "People", "proof": "captcha", "session_time_limit_seconds": 1800},
            {"proof": "any", "network": "offline", "session_time_limit_seconds": 300},
        ]}))
        .await;
    let (id, key) = (text(&cast, "id"), text(&cast, "key"));
    let described = stack.describe(Caller(1), &key, "").await.json();
    assert_eq!(described["needs"], json!([]));
    assert_eq!(described["offers"], json!(["login", "captcha"]));
    assert_eq!(described["captcha"]["kind"], "altcha");

    let nothing = stack
        .claim_with(Caller(1), &key, &json!({"ticket": described["ticket"]}))
        .await;
    let seen = session(&stack, &nothing).await;
    assert_eq!(seen["access_tier"], json!({"number": 4, "name": ""}));
    assert_eq!(seen["network"], "offline");
    assert_eq!(time_limit(&stack, &nothing).await, 300);

    let page = stack.describe(Caller(1), &key, "").await.json();
    let claim = json!({"ticket": page["ticket"], "captcha": solve(&page)});
    let solved = stack.claim_with(Caller(1), &key, &claim).await;
    let seen = session(&stack, &solved).await;
    assert_eq!(seen["access_tier"], json!({"number": 3, "name": "People"}));
    assert_eq!(seen["network"], Value::Null);
    assert_eq!(time_limit(&stack, &solved).await, 1800);

    // A solution that was used, or is none, is refused, also where none is needed.
    let another = stack.describe(Caller(1), &key, "").await.json();
    for proof in [solve(&page), "bm90aGluZw==".to_owned()] {
        let claim = json!({"ticket": another["ticket"], "captcha": proof});
        let wrong = stack.claim_with(Caller(1), &key, &claim).await;
        assert_eq!(
            (wrong.status, wrong.code().as_str()),
            (403, "captcha-failed")
        );
    }

    for (name, user, tier, network) in [
        ("staff", member(1, &["Staff"]), 2, json!("lab")),
        ("another user", member(2, &["Others"]), 3, Value::Null),
    ] {
        let claimed = claim_as(&stack, &key, &user).await;
        let seen = session(&stack, &claimed).await;
        assert_eq!(seen["access_tier"]["number"], tier, "{name}");
        assert_eq!(seen["network"], network, "{name}");
    }

    let guests = json!({"guests": [{"name": "Ann"}]});
    let path = format!("casts/{id}/invitations");
    let invitation = text(&made(&stack, &path, &guests).await["items"][0], "id");
    let query = format!("?invitation={invitation}");
    let described = stack.describe(Caller(1), &key, &query).await.json();
    assert_eq!(
        described["offers"],
        Value::Null,
        "nothing gives a guest more"
    );
    let claim = json!({"ticket": described["ticket"]});
    let invited = stack.claim_with(Caller(1), &key, &claim).await;
    let seen = session(&stack, &invited).await;
    assert_eq!(seen["access_tier"]["name"], "Guests");
    let permissions = seen["permissions"].as_array().expect("permissions");
    assert!(permissions.contains(&json!("webcam")) && !permissions.contains(&json!("downloads")));
    assert_eq!(seen["owner"]["group_id"], json!(group));

    let export = stack
        .admin(Method::GET, "claims/export?format=csv", None)
        .await;
    assert!(
        export.text.contains(",access_tier,access_tier_name"),
        "{}",
        export.text
    );
    assert!(export.text.contains(",1,Guests"), "{}", export.text);
    stack.local.stop().await;
}

#[tokio::test]
async fn visitor_without_a_fitting_tier_is_refused() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(
            &json!({"limit_total_sessions": true, "sessions_remaining": 5, "contact": "Ask Ann",
            "access_tiers": [{"name": "Staff", "proof": "login", "login_groups": ["Staff"]}]}),
        )
        .await;
    let (id, key) = (text(&cast, "id"), text(&cast, "key"));
    let warned = cast["warnings"].as_array().expect("warnings");
    assert!(
        warned.iter().any(|one| one["pointer"] == "/access_tiers"),
        "{warned:?}"
    );
    let refused = stack.describe(Caller(1), &key, "").await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (403, "access-denied")
    );
    let other = claim_as(&stack, &key, &member(2, &["Others"])).await;
    assert_ne!(other.status, 202);
    let page = stack.request(Method::GET, &format!("/cast/{key}"));
    let page = page
        .header("accept", "text/html")
        .header("accept-language", "de");
    let page = Answer::of(page.header(KEPT_COOKIE.0, KEPT_COOKIE.1)).await;
    assert_eq!(page.status, 403);
    for words in [
        "Dieser Link ist für Sie nicht geöffnet",
        "Anmelden",
        "Ask Ann",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    let sign_in = format!("/login?to=%2Fcast%2F{key}");
    assert!(page.text.contains(&sign_in), "{}", page.text);
    // Who has logged in already is not sent there again.
    let known = stack.request(Method::GET, &format!("/cast/{key}"));
    let cookie = stack.login(&member(2, &["Others"]));
    let known = known.header("accept", "text/html").header("cookie", cookie);
    let known = Answer::of(known).await;
    assert_eq!(known.status, 403);
    assert!(!known.text.contains("/login?to="), "{}", known.text);
    assert_eq!(stack.remaining(&cast).await, 5, "nothing was taken");

    let member = claim_as(&stack, &key, &member(1, &["Staff"])).await;
    assert_eq!(session(&stack, &member).await["access_tier"]["number"], 1);
    for (name, visit, admitted, says) in [
        (
            "anonymous",
            json!({"address": "192.0.2.1"}),
            false,
            "No tier fits this visitor.",
        ),
        (
            "staff",
            json!({"address": "192.0.2.1", "user": "Ann", "groups": ["Staff"]}),
            true,
            "Tier 1, \u{201c}Staff\u{201d} admits, as the link says.",
        ),
    ] {
        let path = format!("casts/{id}/trials");
        let tried = stack.admin(Method::POST, &path, Some(&visit)).await.json();
        assert_eq!(tried["admitted"], admitted, "{name}");
        let steps = tried["steps"].as_array().expect("steps");
        let step = steps.iter().find(|step| step["rule"] == "access_tiers");
        let because = text(step.expect("a step"), "because");
        assert!(because.contains(says), "{name}: {because}");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn captcha_that_decides_must_be_solved() {
    let stack = TestStack::start().await;
    let tiers = json!([{"proof": "captcha"}, {"name": "Bots", "outcome": "deny"}]);
    let cast = stack.cast(&json!({ "access_tiers": tiers })).await;
    let (id, key) = (text(&cast, "id"), text(&cast, "key"));
    let described = stack.describe(Caller(1), &key, "").await.json();
    assert_eq!(described["needs"], json!(["captcha"]));
    let missing = json!({"ticket": described["ticket"]});
    let missing = stack.claim_with(Caller(1), &key, &missing).await;
    assert_eq!(
        (missing.status, missing.code().as_str()),
        (409, "captcha-required")
    );
    let claim = json!({"ticket": described["ticket"], "captcha": solve(&described)});
    let solved = stack.claim_with(Caller(1), &key, &claim).await;
    assert_eq!(session(&stack, &solved).await["access_tier"]["number"], 1);
    for (captcha, admitted, code) in [
        (json!(true), true, Value::Null),
        (json!(false), false, json!("captcha-required")),
        (Value::Null, true, Value::Null),
    ] {
        let visit = json!({"address": "192.0.2.1", "captcha": captcha});
        let path = format!("casts/{id}/trials");
        let tried = stack.admin(Method::POST, &path, Some(&visit)).await.json();
        assert_eq!(
            (&tried["admitted"], &tried["code"]),
            (&json!(admitted), &code)
        );
    }
    stack.local.stop().await;
}

/// Databases in which the addresses 192.0.2.0 to .63 are in Germany, in AS64496, and those from .128
/// on in France; the others are unknown.
fn databases() -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a folder");
    let countries = database(&[
        Block::new("192.0.2.0/26").country("DE"),
        Block::new("192.0.2.128/25").country("FR"),
    ]);
    let systems = database(&[Block::new("192.0.2.0/26").asn(64_496)]);
    let write = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("is written");
        path
    };
    let files = vec![write("country.mmdb", countries), write("asn.mmdb", systems)];
    (folder, files)
}

#[tokio::test]
async fn countries_and_systems_of_addresses_decide() {
    let (_folder, files) = databases();
    let stack = TestStack::with_geo_databases(files).await;
    let (german, unknown, french) = (Caller(1), Caller(70), Caller(200));
    let tier = |fields: &Value| {
        let mut tier = fields.clone();
        tier["name"] = json!("Fits");
        json!([tier, {"outcome": "deny"}])
    };
    for (name, fields, fitting) in [
        ("in", json!({"countries": ["DE"]}), [true, false, false]),
        (
            "in or unknown",
            json!({"countries": ["FR", "unknown"]}),
            [false, true, true],
        ),
        (
            "not in",
            json!({"except_countries": ["FR"]}),
            [true, false, false],
        ),
        (
            "a system",
            json!({"asns": ["AS64496"]}),
            [true, false, false],
        ),
        (
            "no system",
            json!({"asns": ["unknown"]}),
            [false, true, true],
        ),
        (
            "not a system",
            json!({"except_asns": ["AS64497"]}),
            [true, false, false],
        ),
    ] {
        let cast = stack.cast(&json!({ "access_tiers": tier(&fields) })).await;
        let key = text(&cast, "key");
        for (caller, fits) in [german, unknown, french].into_iter().zip(fitting) {
            let claimed = stack.claim(caller, &key).await;
            let address = caller.address();
            if fits {
                let seen = session(&stack, &claimed).await;
                assert_eq!(seen["access_tier"]["name"], "Fits", "{name}, {address}");
            } else {
                assert_eq!(claimed.code(), "access-denied", "{name}, {address}");
            }
        }
        let visit = json!({"address": "::ffff:192.0.2.1"});
        let path = format!("casts/{}/trials", text(&cast, "id"));
        let tried = stack.admin(Method::POST, &path, Some(&visit)).await.json();
        assert_eq!(tried["admitted"], fitting[0], "{name}, as IPv6");
        let because = tried["steps"].to_string();
        assert!(because.contains("country DE, network AS64496"), "{because}");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn tier_needs_the_records_and_databases_that_it_names() {
    let stack = TestStack::start().await;
    let group = furnish(&stack).await;
    let nobody = GroupId::from_bytes([9; 16]);
    let image = stack.image().await;
    let create = async |tiers: &Value| {
        let document = json!({"name": "Tiers", "image_id": image, "allow_anonymous": true, "access_tiers": tiers});
        stack.admin(Method::POST, "casts", Some(&document)).await
    };
    for (name, tier, field) in [
        ("a network", json!({"network": "attic"}), "network"),
        ("a group", json!({ "group_id": nobody }), "group_id"),
        ("countries", json!({"countries": ["DE"]}), "countries"),
        (
            "other countries",
            json!({"except_countries": ["DE"]}),
            "except_countries",
        ),
        ("systems", json!({"asns": ["AS64496"]}), "asns"),
        (
            "other systems",
            json!({"except_asns": ["AS64496"]}),
            "except_asns",
        ),
    ] {
        let refused = create(&json!([{"proof": "login"}, tier])).await;
        assert_eq!(refused.status, 422, "{name}: {}", refused.text);
        let pointer = format!("/access_tiers/1/{field}");
        assert_eq!(
            refused.json()["errors"][0]["pointer"],
            json!(pointer),
            "{name}"
        );
    }
    let tiers = json!([{"network": "offline", "group_id": group}]);
    let cast = create(&tiers).await;
    assert_eq!(cast.status, 201, "{}", cast.text);
    let cast = cast.json();
    let used = stack.admin(Method::DELETE, "networks/offline", None).await;
    assert_eq!(used.status, 409, "{}", used.text);
    let used = stack
        .admin(Method::DELETE, &format!("groups/{group}"), None)
        .await;
    assert_eq!(used.status, 409, "{}", used.text);
    // A group that is gone all the same might have been what keeps visitors within bounds.
    let forced = format!("groups/{group}?force=true");
    let deleted = stack.admin(Method::DELETE, &forced, None).await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    let refused = stack.claim(Caller(1), &text(&cast, "key")).await;
    assert_eq!(refused.code(), "start-refused");
    let path = format!("casts/{}", text(&cast, "id"));
    let seen = stack.admin(Method::GET, &path, None).await.json();
    let warned = seen["warnings"].as_array().expect("warnings");
    assert!(
        warned.iter().any(|one| one["pointer"] == "/access_tiers/0"),
        "{warned:?}"
    );
    // What is not about the tiers can be changed all the same.
    let renamed = stack
        .admin(Method::PATCH, &path, Some(&json!({"name": "Other"})))
        .await;
    assert_eq!(renamed.status, 200, "{}", renamed.text);
    stack.local.stop().await;
}

#[tokio::test]
async fn visitor_keeps_their_proof_in_the_waiting_room() {
    let stack = TestStack::start().await;
    furnish(&stack).await;
    let cast = stack
        .cast(
            &json!({"max_live_sessions": 1, "waiting_room": true, "access_tiers": [
                {"name": "People", "proof": "captcha", "network": "lab"},
                {"proof": "any", "network": "offline"},
            ]}),
        )
        .await;
    let key = text(&cast, "key");
    let end = async |claimed: &Value| {
        let path = format!("/session/{}/end", text(claimed, "session_id"));
        let token = text(claimed, "session_token");
        Answer::of(stack.request(Method::POST, &path).bearer_auth(&token)).await;
        stack.local.control_plane.sweep().await.expect("sweeps");
    };
    let mut last = stack.claim(Caller(1), &key).await.json();
    for (name, solves, network) in [("solved", true, "lab"), ("not solved", false, "offline")] {
        let described = stack.describe(Caller(2), &key, "").await.json();
        let mut claim = json!({"ticket": described["ticket"]});
        if solves {
            claim["captcha"] = json!(solve(&described));
        }
        let waiting = stack.claim_with(Caller(2), &key, &claim).await.json();
        assert_eq!(waiting["state"], "waiting", "{name}: {waiting}");
        end(&last).await;
        let turn = json!({"ticket": waiting["ticket"]});
        let served = stack.claim_with(Caller(2), &key, &turn).await;
        let seen = session(&stack, &served).await;
        assert_eq!(seen["network"], network, "{name}");
        last = served.json();
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn console_form_edits_tiers_and_pages_show_them() {
    let stack = TestStack::start().await;
    furnish(&stack).await;
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let cast = stack
        .cast(&json!({"access_tiers": [{"name": "All", "proof": "any"}]}))
        .await;
    let (id, key) = (text(&cast, "id"), text(&cast, "key"));
    let page = format!("/admin/casts/{id}/edit");
    let (action, mut fields) = form(&console.page(&page).await);
    let typed = [
        ("access_tiers.0.place", "2"),
        ("access_tiers.1.place", "1"),
        ("access_tiers.1.proof", "captcha"),
        ("access_tiers.1.name", "People"),
        ("access_tiers.1.network", "lab"),
        ("access_tiers.1.limit", "10"),
        ("access_tiers.1.limit.unit", "60"),
    ];
    for (name, value) in typed {
        fields.retain(|(found, _)| found != name);
        fields.push((name.to_owned(), value.to_owned()));
    }
    let saved = console.send(&action, &fields).await;
    assert_eq!(saved.status, 303, "{}", saved.text);
    let path = format!("casts/{id}");
    let tiers = stack.admin(Method::GET, &path, None).await.json()["access_tiers"].clone();
    let found: Vec<_> = tiers
        .as_array()
        .expect("a list")
        .iter()
        .map(|tier| {
            (
                text(tier, "name"),
                tier["network"].clone(),
                tier["session_time_limit_seconds"].clone(),
            )
        })
        .collect();
    let expected = [
        ("People".to_owned(), json!("lab"), json!(600)),
        ("All".to_owned(), Value::Null, Value::Null),
    ];
    assert_eq!(found, expected);
    // A mistake is told at its tier, and nothing of the rest is lost.
    let (action, mut fields) = form(&console.page(&page).await);
    fields.retain(|(found, _)| found != "access_tiers.0.countries");
    fields.push(("access_tiers.0.countries".to_owned(), "uk".to_owned()));
    let wrong = console.send(&action, &fields).await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong
            .text
            .contains("Tier 1: entry 1 of countries must be the code"),
        "{}",
        wrong.text
    );
    assert!(wrong.text.contains("value=\"UK\""), "what was typed stays");
    let claimed = stack.claim(Caller(1), &key).await;
    let seen = console
        .page(&format!(
            "/admin/sessions/{}",
            text(&claimed.json(), "session_id")
        ))
        .await;
    assert!(seen.contains("Tier 2: All"), "{seen}");
    let cast = console.page(&format!("/admin/casts/{id}")).await;
    assert!(
        cast.contains("2 access tiers decide who gets which session."),
        "{cast}"
    );
    stack.local.stop().await;
}
