//! Owns the check of the API against its OpenAPI document: calls every operation and validates each
//! response against its schema.

use std::collections::BTreeSet;

use jsonschema::options;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, TestStack};

/// The document, and which of its operations have been asked.
struct Reader {
    document: Value,
    seen: BTreeSet<String>,
}

impl Reader {
    async fn of(stack: &TestStack) -> Self {
        let answer = stack.get("/api/admin/openapi.json").await;
        assert_eq!(
            (answer.status, answer.header("cache-control")),
            (200, "no-cache")
        );
        Self {
            document: answer.json(),
            seen: BTreeSet::new(),
        }
    }

    /// The operation that a request meant.
    fn operation(&self, method: &Method, path: &str) -> (String, Value) {
        let path = path.split('?').next().unwrap_or_default();
        let fits = |template: &str| {
            let (said, sent): (Vec<_>, Vec<_>) =
                (template.split('/').collect(), path.split('/').collect());
            said.len() == sent.len()
                && said
                    .iter()
                    .zip(&sent)
                    .all(|(said, sent)| said.starts_with('{') || said == sent)
        };
        let paths = self.document["paths"].as_object().expect("paths");
        // A path without a variable segment is meant before one with it.
        let mut found: Vec<_> = paths
            .iter()
            .filter(|(template, _)| fits(template))
            .collect();
        found.sort_by_key(|(template, _)| template.contains('{'));
        let (template, item) = found
            .first()
            .unwrap_or_else(|| panic!("{path} is not in the document"));
        (
            format!("{method} {template}"),
            item[method.as_str().to_ascii_lowercase()].clone(),
        )
    }

    /// Holds an answer against what the document says of it.
    fn check(&mut self, method: &Method, path: &str, answer: &Answer) {
        let (name, operation) = self.operation(method, path);
        let mut said = operation["responses"][answer.status.to_string()].clone();
        assert!(
            said.is_object(),
            "{name} may not answer with {}: {}",
            answer.status,
            answer.text
        );
        if let Some(target) = said["$ref"].as_str() {
            said = self
                .document
                .pointer(&target[1..])
                .expect("a response")
                .clone();
        }
        for (header, _) in said["headers"].as_object().into_iter().flatten() {
            let must = !matches!(
                header.as_str(),
                "Retry-After" | "Link" | "RateLimit" | "RateLimit-Policy"
            );
            assert!(
                !must || answer.headers.contains_key(header),
                "{name} has no {header}"
            );
        }
        let essence = answer
            .header("content-type")
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned();
        match said["content"].get(&essence) {
            None => assert!(
                answer.text.is_empty(),
                "{name} answers {} with {essence}",
                answer.status
            ),
            Some(media) if essence.ends_with("json") => {
                let mut schema = media["schema"].clone();
                schema["components"] = self.document["components"].clone();
                let validator = options().build(&schema).expect("a schema");
                let errors: Vec<_> = validator
                    .iter_errors(&answer.json())
                    .map(|error| format!("{}: {error}", error.instance_path()))
                    .collect();
                assert!(errors.is_empty(), "{name}: {errors:?}: {}", answer.text);
            }
            Some(_) => {}
        }
        self.seen.insert(name);
    }

    async fn ask(
        &mut self,
        stack: &TestStack,
        method: Method,
        path: &str,
        body: Option<&Value>,
        expected: u16,
    ) -> Value {
        let answer = stack.admin(method.clone(), path, body).await;
        assert_eq!(answer.status, expected, "{method} {path}: {}", answer.text);
        self.check(&method, &format!("/api/admin/{path}"), &answer);
        serde_json::from_str(&answer.text).unwrap_or(Value::Null)
    }
}

fn id(document: &Value, name: &str) -> String {
    document[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} of {document}"))
        .to_owned()
}

#[tokio::test]
async fn api_responses_match_the_openapi_document() {
    let stack = TestStack::start().await;
    let mut reader = Reader::of(&stack).await;
    let (get, post, patch, delete) = (Method::GET, Method::POST, Method::PATCH, Method::DELETE);
    let image = stack.image().await;

    // What is made, read, changed and deleted.
    for (kind, new, change) in [
        (
            "networks",
            json!({"name": "lab", "subnets": ["subnet-1"], "security_groups": ["sg-1"]}),
            json!({"description": "x"}),
        ),
        (
            "groups",
            json!({"name": "Staff", "client_settings": {"permissions": {"audio": true}}}),
            json!({"priority": 2}),
        ),
        (
            "images",
            json!({"name": "Own", "task_definition": "own:1"}),
            json!({"port": 80}),
        ),
        (
            "staging-configs",
            json!({"name": "Morning", "image_id": image}),
            json!({"desired_sessions": 2}),
        ),
        (
            "api-keys",
            json!({"name": "CI", "scopes": ["read"]}),
            json!({"name": "CI 2"}),
        ),
        (
            "casts",
            json!({"name": "Test", "image_id": image, "open_hours": {"time_zone": "UTC", "spans": ["mon 09:00-17:00"]}}),
            json!({"enabled": false}),
        ),
    ] {
        let made = reader
            .ask(&stack, post.clone(), kind, Some(&new), 201)
            .await;
        let path = format!(
            "{kind}/{}",
            id(&made, if kind == "networks" { "name" } else { "id" })
        );
        reader.ask(&stack, get.clone(), &path, None, 200).await;
        reader
            .ask(&stack, patch.clone(), &path, Some(&change), 200)
            .await;
        reader.ask(&stack, get.clone(), kind, None, 200).await;
        reader
            .ask(&stack, post.clone(), kind, Some(&json!({"x": 1})), 422)
            .await;
        reader
            .ask(
                &stack,
                get.clone(),
                &format!("{path}/references"),
                None,
                200,
            )
            .await;
        if kind == "staging-configs" {
            reader
                .ask(&stack, get.clone(), &format!("{path}/pool"), None, 200)
                .await;
        }
        if kind == "casts" {
            reader
                .ask(
                    &stack,
                    post.clone(),
                    &format!("{path}/copies"),
                    Some(&json!({"name": "Copy"})),
                    201,
                )
                .await;
            reader
                .ask(
                    &stack,
                    post.clone(),
                    &format!("{path}/key-rotations"),
                    Some(&json!({"grace_seconds": 60})),
                    201,
                )
                .await;
            for status in [200, 409] {
                let restorations = format!("{path}/key-restorations");
                reader
                    .ask(&stack, post.clone(), &restorations, None, status)
                    .await;
            }
            let set = json!({"budget_per_hour_cents": 100, "budget_in_all_cents": 900});
            reader
                .ask(&stack, patch.clone(), &path, Some(&set), 200)
                .await;
            let budgets = format!("{path}/budgets");
            reader.ask(&stack, get.clone(), &budgets, None, 200).await;
            let invitations = format!("{path}/invitations");
            let guests = json!({"guests": [{"name": "Ann"}]});
            let invited = reader
                .ask(&stack, post.clone(), &invitations, Some(&guests), 201)
                .await;
            reader
                .ask(&stack, get.clone(), &invitations, None, 200)
                .await;
            reader
                .ask(
                    &stack,
                    post.clone(),
                    &format!("{path}/invitation-changes"),
                    Some(&json!({"ids": [invited["items"][0]["id"]], "uses": 2})),
                    200,
                )
                .await;
            reader
                .ask(
                    &stack,
                    post.clone(),
                    &format!("{path}/invitation-revocations"),
                    Some(&json!({"ids": [invited["items"][0]["id"]]})),
                    200,
                )
                .await;
            reader
                .ask(
                    &stack,
                    post.clone(),
                    &format!("{path}/trials"),
                    Some(&json!({"address": "192.0.2.1"})),
                    200,
                )
                .await;
            reader
                .ask(
                    &stack,
                    patch.clone(),
                    &path,
                    Some(&json!({"limit_total_sessions": true})),
                    409,
                )
                .await;
        }
        reader.ask(&stack, delete.clone(), &path, None, 204).await;
        reader.ask(&stack, get.clone(), &path, None, 404).await;
        reader
            .ask(&stack, get.clone(), &format!("{kind}?limt=1"), None, 400)
            .await;
        reader
            .ask(&stack, get.clone(), &format!("{kind}?limit=0"), None, 400)
            .await;
    }
    reader.ask(&stack, get.clone(), "settings", None, 200).await;
    reader
        .ask(
            &stack,
            patch.clone(),
            "settings",
            Some(&json!({"attempts_per_minute": 100})),
            200,
        )
        .await;
    reader.ask(&stack, get.clone(), "me", None, 200).await;

    reader
        .ask(
            &stack,
            post.clone(),
            &format!("images/{image}/registrations"),
            None,
            201,
        )
        .await;

    // A program claims a session.
    let cast = stack.cast(&json!({"max_live_sessions": 1})).await;
    let (key, of_cast) = (id(&cast, "key"), format!("casts/{}", id(&cast, "id")));
    let described = stack.describe(Caller(1), &key, "").await;
    reader.check(&get, &format!("/api/casts/{key}"), &described);
    let claimed = stack.claim(Caller(1), &key).await;
    reader.check(&post, &format!("/cast/{key}/claims"), &claimed);
    let refused = stack.claim(Caller(2), &key).await;
    reader.check(&get, &format!("/api/casts/{key}"), &refused);
    reader.check(
        &get,
        "/api/casts/nobody",
        &stack.describe(Caller(1), "nobody", "").await,
    );
    let (session, token) = (
        id(&claimed.json(), "session_id"),
        id(&claimed.json(), "session_token"),
    );
    for (method, what) in [(&get, "status"), (&post, "devtools"), (&post, "end")] {
        let path = format!("/session/{session}/{what}");
        let asked = stack
            .request(method.clone(), &path)
            .header("accept", "application/json");
        reader.check(
            method,
            &path,
            &Answer::of(asked.try_clone().expect("a request").bearer_auth(&token)).await,
        );
        reader.check(method, &path, &Answer::of(asked).await);
    }

    // What administrators see of it, and do with it.
    for path in [
        "sessions",
        "claims",
        "claims/export",
        "claims/export?format=json",
        "statistics",
        "users",
        "users?kind=anonymous",
        "audit",
    ] {
        reader.ask(&stack, get.clone(), path, None, 200).await;
    }
    for path in [
        format!("{of_cast}/claims"),
        format!("{of_cast}/statistics"),
        "casts/unknown/claims".into(),
        format!("sessions/{session}"),
    ] {
        reader.ask(&stack, get.clone(), &path, None, 200).await;
    }
    reader
        .ask(
            &stack,
            patch.clone(),
            &of_cast,
            Some(&json!({"max_live_sessions": null})),
            200,
        )
        .await;
    let second = stack.claim(Caller(3), &key).await;
    let of_session = format!("sessions/{}", id(&second.json(), "session_id"));
    reader
        .ask(
            &stack,
            post.clone(),
            &format!("{of_session}/unshare"),
            None,
            200,
        )
        .await;
    reader
        .ask(
            &stack,
            post.clone(),
            &format!("{of_session}/watch"),
            None,
            409,
        )
        .await;
    let session = id(&second.json(), "session_id");
    for (path, document, status) in [
        (
            format!("{of_session}/message"),
            json!({"text": "Hello"}),
            200,
        ),
        (format!("{of_session}/extend"), json!({"minutes": 5}), 409),
        (
            "session-messages".into(),
            json!({"ids": [session], "text": "Hello"}),
            200,
        ),
        (
            "session-extensions".into(),
            json!({"ids": [session], "minutes": 5}),
            200,
        ),
        ("session-extensions".into(), json!({"minutes": 5}), 422),
        ("session-stops".into(), json!({"ids": [session]}), 200),
    ] {
        reader
            .ask(&stack, post.clone(), &path, Some(&document), status)
            .await;
    }
    let shown = reader
        .ask(
            &stack,
            post.clone(),
            &format!("{of_session}/stop"),
            Some(&json!({"reason": "Over"})),
            200,
        )
        .await;
    let user = format!("users/{}", id(&shown["owner"], "id"));
    reader.ask(&stack, get.clone(), &user, None, 200).await;
    reader
        .ask(
            &stack,
            delete.clone(),
            &format!("{user}?terminate=true"),
            None,
            204,
        )
        .await;
    let user = format!("u{}", "a".repeat(26));
    reader
        .ask(
            &stack,
            get.clone(),
            &format!("users/{user}/profiles"),
            None,
            200,
        )
        .await;
    let profile = format!("profiles/{user}-{image}");
    reader
        .ask(
            &stack,
            post.clone(),
            &format!("{profile}/restore"),
            Some(&json!({"archive": "x"})),
            404,
        )
        .await;
    reader
        .ask(&stack, delete.clone(), &profile, None, 404)
        .await;
    // Entries of one moment stand in no order; this one is to be the newest.
    stack.clock.advance(1);
    reader
        .ask(
            &stack,
            patch.clone(),
            &of_cast,
            Some(&json!({"description": "x"})),
            200,
        )
        .await;
    let audit = reader
        .ask(
            &stack,
            get.clone(),
            &format!("audit?target={}", id(&cast, "id")),
            None,
            200,
        )
        .await;
    let entry = format!("audit/{}", id(&audit["items"][0], "id"));
    reader.ask(&stack, get.clone(), &entry, None, 200).await;
    reader
        .ask(&stack, post.clone(), &format!("{entry}/undo"), None, 204)
        .await;

    let configuration = reader
        .ask(&stack, get.clone(), "configuration", None, 200)
        .await;
    let request = json!({"configuration": configuration});
    for (method, path, document) in [
        (&get, "configuration/schema.json", None),
        (&post, "configuration/plans", Some(&request)),
        (&post, "configuration", Some(&request)),
        (&post, "settings/captcha-checks", None),
        (
            &post,
            "settings/login-previews",
            Some(&json!({"claims": {"sub": "1", "name": "Ann", "groups": ["staff"]}})),
        ),
    ] {
        reader
            .ask(&stack, method.clone(), path, document, 200)
            .await;
    }

    let url = "http://127.0.0.1:9/hook";
    let on = json!({"hook_enabled": true, "hook_url": url, "hook_events": ["session.ended"]});
    reader
        .ask(&stack, patch.clone(), "settings", Some(&on), 200)
        .await;
    let hook = "hooks/deployment";
    reader.ask(&stack, get.clone(), hook, None, 200).await;
    let path = format!("{hook}/secrets");
    reader.ask(&stack, post.clone(), &path, None, 201).await;
    let path = format!("{hook}/tests");
    let sent = reader.ask(&stack, post.clone(), &path, None, 202).await;
    let tried = stack.local.control_plane.deliver().await;
    assert_eq!(tried.expect("is tried").failed, 1);
    let path = format!("{hook}/deliveries");
    reader.ask(&stack, get.clone(), &path, None, 200).await;
    let (path, again) = (format!("{hook}/replays"), json!({"delivery": sent["id"]}));
    reader
        .ask(&stack, post.clone(), &path, Some(&again), 202)
        .await;
    let path = format!("{hook}/resumptions");
    reader.ask(&stack, post.clone(), &path, None, 200).await;
    reader.ask(&stack, get.clone(), hook, None, 200).await;

    // Others are refused.
    let stranger = stack.get("/api/admin/casts").await;
    reader.check(&get, "/api/admin/casts", &stranger);
    reader.check(
        &get,
        "/api/admin/openapi.json",
        &stack.get("/api/admin/openapi.json").await,
    );

    let said: BTreeSet<String> = reader.document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .into_iter()
                .flatten()
                .map(move |(method, _)| format!("{} {path}", method.to_ascii_uppercase()))
        })
        .collect();
    assert_eq!(
        said.difference(&reader.seen).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "were not asked"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn cached_document_is_answered_with_304() {
    let stack = TestStack::start().await;
    let first = stack.get("/api/admin/openapi.json").await;
    let known = stack
        .request(Method::GET, "/api/admin/openapi.json")
        .header("if-none-match", first.header("etag"));
    let again = Answer::of(known).await;
    assert_eq!(
        (again.status, again.text.as_str(), again.header("etag")),
        (304, "", first.header("etag"))
    );
    stack.local.stop().await;
}
