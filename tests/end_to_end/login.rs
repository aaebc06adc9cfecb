//! Owns logins from end to end: the round trip over this machine's own provider, and a provider
//! that lies.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use casting_core::testing::NOON;
use casting_core::ticket::LoginTicket;
use casting_identity::oidc::{LoginFailure, Oidc, OidcSettings};
use data_encoding::BASE64URL_NOPAD;
use reqwest::Method;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use url::Url;

use crate::authorization::sign_in;
use crate::test_stack::{Answer, KEPT_COOKIE, TestStack};

fn cookies(answer: &Answer) -> Vec<String> {
    let of = |value: &reqwest::header::HeaderValue| {
        value
            .to_str()
            .expect("text")
            .split(';')
            .next()
            .expect("a cookie")
            .to_owned()
    };
    answer
        .headers
        .get_all("set-cookie")
        .iter()
        .map(of)
        .collect()
}

fn field<'a>(page: &'a str, name: &str) -> &'a str {
    page.split(&format!("name=\"{name}\" value=\""))
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a field")
}

/// A browser that keeps cookies begins to log in.
fn begin(stack: &TestStack, login: &str) -> reqwest::RequestBuilder {
    stack.http.get(login).header(KEPT_COOKIE.0, KEPT_COOKIE.1)
}

/// Follows a login from `/login…` to the provider's page and chooses; returns the address and the
/// cookies with which the browser comes back.
async fn choose(stack: &TestStack, login: &str, user: &str) -> (String, String) {
    let sent = Answer::of(begin(stack, login)).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let state_cookie = cookies(&sent).join("; ");
    let page = Answer::of(stack.http.get(sent.header("location"))).await;
    assert!(
        page.status == 200 && page.text.contains("Ann, an administrator"),
        "{}",
        page.text
    );
    let names = [
        "client_id",
        "redirect_uri",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "response_type",
    ];
    let mut form: Vec<(&str, String)> = names
        .iter()
        .map(|name| (*name, field(&page.text, name).to_owned()))
        .collect();
    form.push(("user", user.to_owned()));
    let send = async |form: &[(&str, String)]| {
        let url = format!("{}/provider/authorize", stack.local.url);
        Answer::of(stack.http.post(url).form(form)).await
    };
    if user == "ann" {
        // Only a user with a role has a password.
        for wrong in [None, Some(""), Some("ann"), Some("aaaaaaaaaaaaaaaa")] {
            let given = wrong.map(|password| ("password", password.to_owned()));
            let tried: Vec<_> = form.iter().cloned().chain(given).collect();
            let refused = send(&tried).await;
            assert!(
                refused.status == 403 && refused.header("location").is_empty(),
                "{wrong:?}: {} {}",
                refused.status,
                refused.text
            );
        }
        let password = stack.local.demo_password.clone().expect("demo users");
        form.push(("password", password));
    }
    let chosen = send(&form).await;
    assert_eq!(chosen.status, 303, "{}", chosen.text);
    (chosen.header("location").to_owned(), state_cookie)
}

#[tokio::test]
async fn login_link_leads_into_a_session_and_logout() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"allow_anonymous": false, "restrict_to_referrers": ["acme.com"], "allow_dynamic_kasm_url": true})).await;
    let key = cast["key"].as_str().expect("a key");
    let first = stack
        .request(
            Method::GET,
            &format!("/cast/{key}?kasm_url=example.com%2F%3Fa%3Db%26c"),
        )
        .header("referer", "https://www.acme.com/page");
    let first = Answer::of(first).await;
    assert_eq!(first.status, 303, "{}", first.text);
    let (back, state) = choose(
        &stack,
        &format!("{}{}", stack.local.url, first.header("location")),
        "ann",
    )
    .await;
    let done = Answer::of(stack.http.get(&back).header("cookie", &state)).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let login = cookies(&done)
        .into_iter()
        .find(|cookie| cookie.starts_with("cast-login="))
        .expect("a login");
    let both = format!("{state}; {login}");
    let again = Answer::of(stack.http.get(&back).header("cookie", &both)).await;
    assert_eq!(
        (again.status, again.header("location")),
        (303, done.header("location")),
        "loaded again, the callback goes on"
    );

    // Back at the link: the referrer and the address have survived the round trip.
    let page = Answer::of(
        stack
            .request(Method::GET, done.header("location"))
            .header("cookie", &login),
    )
    .await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(
        page.text.contains("https://example.com/?a=b&#38;c")
            && page.text.contains("Signed in as Ann"),
        "{}",
        page.text
    );
    let form = [("ticket", field(&page.text, "ticket")), ("consent", "yes")];
    let claimed = Answer::of(
        stack
            .request(Method::POST, &format!("/cast/{key}/claims"))
            .header("cookie", &login)
            .form(&form),
    )
    .await;
    assert!(
        claimed.status == 303 && claimed.header("location").starts_with("/session/"),
        "{} {}",
        claimed.status,
        claimed.header("location")
    );

    let me = async |cookie: &str| {
        Answer::of(
            stack
                .request(Method::GET, "/login/me")
                .header("accept", "application/json")
                .header("cookie", cookie),
        )
        .await
    };
    let known = me(&login).await.json();
    assert_eq!(
        (
            known["name"].clone(),
            known["roles"].clone(),
            known["groups"].clone()
        ),
        (json!("Ann"), json!(["admin"]), json!(["Staff"]))
    );
    let out = Answer::of(
        stack
            .request(Method::POST, "/logout")
            .header("cookie", &login)
            .header("sec-fetch-site", "same-origin"),
    )
    .await;
    assert_eq!(
        (out.status, cookies(&out)),
        (303, vec!["cast-login=".to_owned()])
    );
    assert_eq!(me("cast-login=").await.status, 401);
    let foreign = Answer::of(
        stack
            .request(Method::POST, "/logout")
            .header("sec-fetch-site", "cross-site"),
    )
    .await;
    assert_eq!(foreign.status, 403, "no other site logs anybody out");
    stack.local.stop().await;
}

#[tokio::test]
async fn login_callback_of_another_browser_is_refused() {
    let stack = TestStack::start().await;
    let login = format!("{}/login?to=%2F%2Fevil.example%2F", stack.local.url);
    let (back, state) = choose(&stack, &login, "bob").await;
    let (other_back, _) = choose(&stack, &login, "ann").await;
    let returns = async |url: &str, cookie: &str| {
        Answer::of(
            stack
                .http
                .get(url)
                .header("cookie", cookie)
                .header("accept", "application/json"),
        )
        .await
    };
    let forged = LoginTicket {
        user: casting_core::testing::user(1),
        expires: NOON.plus_seconds(600),
    }
    .sign(&stack.local.control_plane.keys);
    for (name, url, cookie) in [
        ("without a cookie", back.clone(), String::new()),
        ("another login's answer", other_back.clone(), state.clone()),
        (
            "a login for a state",
            back.clone(),
            format!("{}={forged}", state.split('=').next().expect("a name")),
        ),
        (
            "without a state",
            back.split("&state=").next().expect("a part").to_owned(),
            state.clone(),
        ),
        (
            "an error with markup",
            format!(
                "{}/login/callback?error=%3Cscript%3E%0d%0aset-cookie:x&state=x",
                stack.local.url
            ),
            state.clone(),
        ),
    ] {
        let answer = returns(&url, &cookie).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "login-failed"),
            "{name}"
        );
        assert!(
            !answer.text.contains("script") && answer.headers.get("set-cookie").is_none(),
            "{name}"
        );
    }
    let done = returns(&back, &state).await;
    assert_eq!(
        (done.status, done.header("location")),
        (303, "/login/me"),
        "a login leads nowhere but to us"
    );
    assert_eq!(
        returns(&back, &state).await.code(),
        "login-failed",
        "a code is good once"
    );
    stack.clock.advance(601);
    let (back, state) = choose(&stack, &login, "bob").await;
    stack.clock.advance(601);
    assert_eq!(
        returns(&back, &state).await.code(),
        "login-failed",
        "too late"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn two_tabs_at_the_login_provider_both_get_in() {
    let stack = TestStack::start().await;
    let mut tabs = Vec::new();
    for name in ["first", "second"] {
        let fields = json!({"allow_anonymous": false, "title": name});
        let cast = stack.cast(&fields).await;
        let link = format!("/cast/{}", cast["key"].as_str().expect("a key"));
        let sent = stack.get(&link).await;
        let login = format!("{}{}", stack.local.url, sent.header("location"));
        let (back, state) = choose(&stack, &login, "bob").await;
        tabs.push((name, link, back, state));
    }
    // One browser: it has the cookies of both tabs, and that of the first login from then on.
    let mut jar: Vec<String> = tabs.iter().map(|(.., state)| state.clone()).collect();
    // The tab that was opened first comes back last.
    for (name, link, back, _) in tabs.iter().rev() {
        let done = Answer::of(stack.http.get(back).header("cookie", jar.join("; "))).await;
        assert_eq!(done.status, 303, "{name}: {}", done.text);
        assert!(done.header("location").starts_with(link), "{name}");
        jar.extend(cookies(&done));
        let page = stack.request(Method::GET, done.header("location"));
        let page = Answer::of(page.header("cookie", jar.join("; "))).await;
        assert_eq!(page.status, 200, "{name}: {}", page.text);
        let title = format!("<h1 dir=\"auto\">{name}</h1>");
        assert!(page.text.contains(&title), "{name}: {}", page.text);
        assert!(page.text.contains("Signed in as Bob"), "{name}");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn provider_that_refuses_is_quoted_on_the_page() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"allow_anonymous": false})).await;
    let link = format!("/cast/{}", cast["key"].as_str().expect("a key"));
    for (name, query, said) in [
        (
            "with words",
            "error=access_denied&error_description=Ask+%3Cb%3EIT%3C%2Fb%3E+for+access.",
            Some(
                "The login provider says: \u{201c}Ask &#60;b&#62;IT&#60;/b&#62; for access.\u{201d}",
            ),
        ),
        ("without words", "error=access_denied", None),
    ] {
        let sent = stack.get(&link).await;
        let login = format!("{}{}", stack.local.url, sent.header("location"));
        let sent = Answer::of(begin(&stack, &login)).await;
        let provider = Url::parse(sent.header("location")).expect("the provider");
        let state = provider.query_pairs().find(|(name, _)| name == "state");
        let state = state.expect("a state").1.into_owned();
        let back = format!("/login/callback?{query}&state={state}");
        let back = stack
            .request(Method::GET, &back)
            .header("accept", "text/html")
            .header("cookie", cookies(&sent).join("; "));
        let shown = Answer::of(back).await;
        assert_eq!(shown.status, 403, "{name}: {}", shown.text);
        let quotes = shown.text.contains("The login provider says");
        assert_eq!(quotes, said.is_some(), "{name}: {}", shown.text);
        for part in [
            said.unwrap_or_default(),
            "Sign-in failed",
            "/login?to=%2Fcast%2F",
        ] {
            assert!(shown.text.contains(part), "{name}: {part}: {}", shown.text);
        }
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn browser_without_cookies_does_not_leave_for_the_provider() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"allow_anonymous": false})).await;
    let link = format!("/cast/{}", cast["key"].as_str().expect("a key"));
    let sent = stack.get(&link).await;
    assert_eq!(
        cookies(&sent),
        ["cast-probe=yes"],
        "the way there asks first"
    );
    let login = sent.header("location").to_owned();
    let asked = stack.get(&login).await;
    assert_eq!(
        (asked.status, cookies(&asked).as_slice()),
        (307, ["cast-probe=yes".to_owned()].as_slice())
    );
    let again = asked.header("location").to_owned();
    let refused = stack.get(&again).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    for part in [
        "Your browser blocks cookies",
        &format!("href=\"{link}?via="),
    ] {
        assert!(refused.text.contains(part), "{part}: {}", refused.text);
    }
    let begun = Answer::of(begin(&stack, &format!("{}{again}", stack.local.url))).await;
    assert!(
        begun.header("location").contains("/provider/authorize"),
        "{} {}",
        begun.status,
        begun.text
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn login_is_previewed_from_its_claims() {
    let stack = TestStack::start().await;
    let group = json!({"name": "Laboratory", "priority": 50, "login_names": ["lab-7"]});
    let made = stack.admin(Method::POST, "groups", Some(&group)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let preview = async |claims: Value| {
        let asked = json!({ "claims": claims });
        let path = "settings/login-previews";
        stack.admin(Method::POST, path, Some(&asked)).await
    };
    let known = preview(json!({
        "sub": "1", "name": "Ann", "groups": ["lab-7", "x"], "roles": "admin",
    }))
    .await
    .json();
    assert_eq!(known["admitted"], true, "{known}");
    assert_eq!(known["name"], "Ann");
    assert_eq!(known["roles"], json!(["admin"]));
    assert_eq!(known["login_groups"], json!(["lab-7", "x"]));
    assert_eq!(known["groups"], json!(["Laboratory", "All Users"]));
    let foreign = preview(json!({
        "iss": "https://evil.example", "aud": "x", "sub": "1", "exp": 9_999_999_999_i64, "iat": 1,
    }))
    .await
    .json();
    assert_eq!(foreign["admitted"], false, "{foreign}");
    assert_eq!(foreign["problems"][0]["claim"], "iss", "{foreign}");
    assert_eq!(preview(json!("text")).await.status, 422);

    let session = sign_in(&stack, &stack.local.admin_key).await;
    let page = stack
        .request(Method::GET, "/admin/settings")
        .header("cookie", &session);
    let page = Answer::of(page).await;
    let csrf = field(&page.text, "csrf_token");
    for (pasted, says) in [
        (
            r#"{"sub": "1", "name": "<b>Ann</b>", "groups": "lab-7"}"#,
            "Laboratory",
        ),
        (r#"{"name": "Ann"}"#, "This login would be refused"),
        ("{", "This is no JSON"),
        ("[]", "This is no JSON object"),
    ] {
        let sent = stack
            .request(Method::POST, "/admin/settings/login-preview")
            .header("cookie", &session)
            .form(&[("csrf_token", csrf), ("claims", pasted)]);
        let sent = Answer::of(sent).await;
        assert_eq!(sent.status, 200, "{pasted}: {}", sent.text);
        assert!(sent.text.contains(says), "{pasted}: {}", sent.text);
        assert!(!sent.text.contains("<b>Ann"), "escaped");
    }
    stack.local.stop().await;
}

/// What a lying provider answers.
#[derive(Clone)]
struct Liar {
    issuer: String,
    published: Arc<Mutex<Value>>,
    token: Arc<Mutex<String>>,
}

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key")
}

fn keys(seed: u8) -> Value {
    let x = BASE64URL_NOPAD.encode(key(seed).public_key().as_ref());
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": format!("k{seed}"), "x": x}]})
}

fn token(header: &Value, claims: &Value, seed: Option<u8>) -> String {
    let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = seed
        .map(|seed| BASE64URL_NOPAD.encode(key(seed).sign(signed.as_bytes()).as_ref()))
        .unwrap_or_default();
    format!("{signed}.{signature}")
}

async fn liar() -> Liar {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let issuer = format!("http://{}", listener.local_addr().expect("an address"));
    let liar = Liar {
        issuer: issuer.clone(),
        published: Arc::new(Mutex::new(keys(1))),
        token: Arc::default(),
    };
    let discover = |State(liar): State<Liar>| async move {
        let at = |path: &str| format!("{}/{path}", liar.issuer);
        Json(json!({
            "issuer": liar.issuer, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"), "jwks_uri": at("keys"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["EdDSA"],
        }))
    };
    let publish = |State(liar): State<Liar>| async move {
        Json(liar.published.lock().expect("nobody panics").clone())
    };
    let redeem = |State(liar): State<Liar>| async move {
        Json(
            json!({"access_token": "a", "token_type": "Bearer", "id_token": liar.token.lock().expect("nobody panics").clone()}),
        )
    };
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(discover))
        .route("/keys", get(publish))
        .route("/token", post(redeem))
        .with_state(liar.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    liar
}

#[tokio::test]
async fn invalid_id_tokens_are_refused() {
    let liar = liar().await;
    let entropy = casting_core::testing::SeededEntropy::new(1);
    let oidc = Oidc::new(OidcSettings::new(liar.issuer.clone(), "casting")).expect("TLS");
    let redirect = "https://cast.example.com/login/callback";
    let (url, state) = oidc
        .begin(redirect, "/", &entropy, NOON)
        .await
        .expect("begins");
    let url = Url::parse(&url).expect("a URL");
    let asked = |name: &str| {
        url.query_pairs()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    assert_eq!(
        (
            asked("code_challenge_method").as_str(),
            asked("state"),
            asked("nonce")
        ),
        ("S256", state.state.clone(), state.nonce.clone())
    );
    assert!(
        asked("scope").contains("openid") && !url.as_str().contains(&state.verifier),
        "the verifier stays with us"
    );

    let good = json!({
        "iss": liar.issuer, "aud": "casting", "sub": "ann", "nonce": state.nonce, "iat": NOON.seconds(), "exp": NOON.seconds() + 300,
        "name": "Ann", "roles": ["admin"], "groups": ["Staff"],
    });
    let with = |fields: Value| {
        let mut claims = good.clone();
        claims
            .as_object_mut()
            .expect("an object")
            .extend(fields.as_object().expect("an object").clone());
        claims
    };
    let header = json!({"alg": "EdDSA", "kid": "k1"});
    let plain = json!({"alg": "none"});
    let hmac = json!({"alg": "HS256", "kid": "k1"});
    for (name, token, accepted) in [
        ("as it must be", token(&header, &good, Some(1)), true),
        (
            "for several, us among them",
            token(&header, &with(json!({"aud": ["casting"]})), Some(1)),
            true,
        ),
        (
            "signed with another key",
            token(&header, &good, Some(2)),
            false,
        ),
        ("not signed", token(&plain, &good, None), false),
        (
            "said to be signed with a shared secret",
            token(&hmac, &good, Some(1)),
            false,
        ),
        (
            "altered after signing",
            token(&header, &good, Some(1)).replacen('.', ".e", 1),
            false,
        ),
        (
            "for somebody else",
            token(&header, &with(json!({"aud": "other"})), Some(1)),
            false,
        ),
        (
            "by another issuer",
            token(
                &header,
                &with(json!({"iss": "https://evil.example"})),
                Some(1),
            ),
            false,
        ),
        (
            "for another login",
            token(&header, &with(json!({"nonce": "other"})), Some(1)),
            false,
        ),
        (
            "without a nonce",
            token(&header, &with(json!({"nonce": null})), Some(1)),
            false,
        ),
        (
            "expired",
            token(&header, &with(json!({"exp": NOON.seconds() - 61})), Some(1)),
            false,
        ),
        (
            "expired a moment ago",
            token(&header, &with(json!({"exp": NOON.seconds() - 30})), Some(1)),
            true,
        ),
        (
            "by a clock that is a little ahead",
            token(&header, &with(json!({"iat": NOON.seconds() + 59})), Some(1)),
            true,
        ),
        (
            "from the future",
            token(
                &header,
                &with(json!({"iat": NOON.seconds() + 3600})),
                Some(1),
            ),
            false,
        ),
        ("no token at all", "words".into(), false),
    ] {
        *liar.token.lock().expect("nobody panics") = token;
        let outcome = oidc.finish(redirect, "code", &state, NOON).await;
        assert_eq!(outcome.is_ok(), accepted, "{name}: {outcome:?}");
    }

    // The provider takes a new key; a token signed with it is good at once, and the old key is not
    // any more.
    *liar.published.lock().expect("nobody panics") = keys(2);
    let later = NOON.plus_seconds(60);
    *liar.token.lock().expect("nobody panics") =
        token(&json!({"alg": "EdDSA", "kid": "k2"}), &good, Some(2));
    let user = oidc
        .finish(redirect, "code", &state, later)
        .await
        .expect("a new key is found");
    assert_eq!(
        (user.name.as_str(), user.groups),
        ("Ann", vec!["Staff".to_owned()])
    );
    *liar.token.lock().expect("nobody panics") = token(&header, &good, Some(1));
    assert!(oidc.finish(redirect, "code", &state, later).await.is_err());

    let gone = Oidc::new(OidcSettings::new("http://127.0.0.1:1", "casting")).expect("TLS");
    assert!(
        matches!(
            gone.begin(redirect, "/", &entropy, NOON).await,
            Err(LoginFailure::Unavailable(_))
        ),
        "the provider is down"
    );
}
