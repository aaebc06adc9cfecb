//! Owns how reCAPTCHA, hCaptcha and Turnstile are asked: one form, one answer, nearly the same for
//! all. What their answers mean is decided by one pure function. Must not log tokens or keys.

use casting_core::captcha::{
    CAPTCHA_ACTION, CaptchaCheck, CaptchaKind, CaptchaSettings, CaptchaVerdict, KeysVerdict, Proof,
};
use casting_core::time::Timestamp;
use reqwest::Client;
use serde::Deserialize;

use crate::altcha::name;

/// An answer longer than this is not read, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// A challenge that was solved longer ago than this is stale, in seconds. Providers say two to five
/// minutes.
const STALE_SECONDS: u64 = 300;
/// How far the providers' clocks may be ahead of ours, in seconds.
const AHEAD_SECONDS: u64 = 60;

/// A provider's answer; each leaves out some fields.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Answer {
    success: bool,
    hostname: Option<String>,
    action: Option<String>,
    score: Option<f64>,
    challenge_ts: Option<String>,
    #[serde(rename = "error-codes")]
    error_codes: Vec<String>,
}

/// Verifies a token at the provider, with the deployment's own secret key if it has one. Never more
/// than once: a token can be used once, and a repeated check would find it used.
pub async fn verify(
    client: &Client,
    own_secret: Option<&str>,
    check: &CaptchaCheck<'_>,
) -> CaptchaVerdict {
    let CaptchaSettings {
        kind,
        secret_key,
        verify_url,
        ..
    } = check.settings;
    let provider = kind.provider();
    let secret = own_secret.or(secret_key.as_deref());
    let (Some(secret), Some(own_url)) = (secret, provider.verify_url) else {
        return CaptchaVerdict::Unavailable("no secret key is set".into());
    };
    let url = verify_url.as_deref().unwrap_or(own_url);
    let address = check.address.to_string();
    let mut form = vec![
        ("secret", secret),
        ("response", check.token),
        ("remoteip", &address),
    ];
    if let Some(site_key) = check
        .settings
        .site_key
        .as_deref()
        .filter(|_| provider.sends_site_key)
    {
        form.push(("sitekey", site_key));
    }
    match ask(client, url, &form).await {
        Ok(answer) => judge(
            check.settings,
            &answer,
            check.token,
            check.hostname,
            check.now,
        ),
        Err(why) => CaptchaVerdict::Unavailable(why),
    }
}

/// A token that no provider has made.
const NO_TOKEN: &str = "check-of-keys";

/// Asks the provider about a token that it has not made: what it answers says whether it knows the
/// private key.
pub async fn check_keys(
    client: &Client,
    own_secret: Option<&str>,
    settings: &CaptchaSettings,
) -> KeysVerdict {
    let provider = settings.kind.provider();
    let Some(own_url) = provider.verify_url else {
        return KeysVerdict::NotNeeded;
    };
    let secret = own_secret.or(settings.secret_key.as_deref());
    let (Some(secret), Some(site_key)) = (secret, settings.site_key.as_deref()) else {
        return KeysVerdict::Missing;
    };
    if provider.is_test_key(site_key) {
        return KeysVerdict::ForTests;
    }
    let url = settings.verify_url.as_deref().unwrap_or(own_url);
    let mut form = vec![("secret", secret), ("response", NO_TOKEN)];
    if provider.sends_site_key {
        form.push(("sitekey", site_key));
    }
    match ask(client, url, &form).await {
        Ok(answer) => judge_keys(&answer),
        Err(why) => KeysVerdict::Unavailable(why),
    }
}

/// What an answer about [`NO_TOKEN`] says of the keys.
fn judge_keys(answer: &Answer) -> KeysVerdict {
    let about_keys = |code: &&String| ["secret", "sitekey"].iter().any(|word| code.contains(word));
    if answer.success {
        return KeysVerdict::ForTests;
    }
    if let Some(code) = answer.error_codes.iter().find(about_keys) {
        return KeysVerdict::Refused(shorten(code));
    }
    let about_token = |code: &String| VISITORS_FAULT.contains(&code.as_str());
    if answer.error_codes.iter().any(about_token) {
        KeysVerdict::Accepted
    } else {
        let codes = shorten(&answer.error_codes.join(", "));
        KeysVerdict::Unavailable(format!("the provider did not say why: {codes}"))
    }
}

async fn ask(client: &Client, url: &str, form: &[(&str, &str)]) -> Result<Answer, String> {
    let failed = |error: reqwest::Error| error.without_url().to_string();
    let mut response = client.post(url).form(form).send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(format!(
            "the provider answered with status {}",
            response.status()
        ));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            return Err("the provider's answer is too long".into());
        }
    }
    serde_json::from_slice(&body)
        .map_err(|error| format!("the provider's answer cannot be read: {error}"))
}

/// Error codes about the token. All others are about us or the provider, and leave the result open.
const VISITORS_FAULT: [&str; 7] = [
    "missing-input-response",
    "invalid-input-response",
    "timeout-or-duplicate",
    "invalid-or-already-seen-response",
    "already-seen-response",
    "expired-input-response",
    "sitekey-mismatch",
];

/// The meaning of an answer.
fn judge(
    settings: &CaptchaSettings,
    answer: &Answer,
    token: &str,
    hostname: &str,
    now: Timestamp,
) -> CaptchaVerdict {
    let failed = |why: String| CaptchaVerdict::Failed(why);
    if !answer.success {
        let codes = answer.error_codes.join(", ");
        // A refusal without a reason means the token.
        let visitors = answer
            .error_codes
            .iter()
            .all(|code| VISITORS_FAULT.contains(&code.as_str()));
        return if visitors {
            failed(format!("refused: {codes}"))
        } else {
            CaptchaVerdict::Unavailable(format!("not checked: {codes}"))
        };
    }
    let provider = settings.kind.provider();
    match answer.hostname.as_deref().filter(|host| !host.is_empty()) {
        // Nothing that a visitor does: every visitor would be refused.
        Some(host) if provider.is_test_host(host, hostname) => {
            return CaptchaVerdict::Unavailable(
                "the keys are the provider's keys for tests, which check nothing".into(),
            );
        }
        Some(host) if !host.eq_ignore_ascii_case(hostname) => {
            return failed(format!("solved on {}", shorten(host)));
        }
        None if !provider.may_omit_host => {
            return CaptchaVerdict::Unavailable(
                "the provider names no host: see which hosts its site key is for".into(),
            );
        }
        _ => {}
    }
    if let Some(why) = wrong_action(settings.kind, answer.action.as_deref()) {
        return failed(why);
    }
    if settings.kind.provider().has_score {
        let least = f64::from(settings.min_score_percent) / 100.0;
        match answer.score {
            // Not «below»: a score that is no number passes nowhere.
            Some(score) if score >= least => {}
            score => return failed(format!("scored {score:?}, less than {least}")),
        }
    }
    let solved_at = answer
        .challenge_ts
        .as_deref()
        .and_then(Timestamp::parse)
        .unwrap_or(now);
    if now >= solved_at.plus_seconds(STALE_SECONDS) || solved_at > now.plus_seconds(AHEAD_SECONDS) {
        return failed(format!("solved at {solved_at}"));
    }
    CaptchaVerdict::Passed(Proof {
        id: name(settings.kind.as_str(), token),
        until: now.plus_seconds(2 * STALE_SECONDS),
    })
}

fn wrong_action(kind: CaptchaKind, action: Option<&str>) -> Option<String> {
    (kind.provider().names_action && action != Some(CAPTCHA_ACTION)).then(|| {
        format!(
            "solved for the action {}",
            shorten(action.unwrap_or("none"))
        )
    })
}

fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use axum::Router;
    use axum::http::StatusCode;
    use axum::response::IntoResponse;
    use axum::routing::post;
    use casting_core::captcha::CaptchaVerifier;
    use casting_core::testing::NOON;
    use serde_json::{Value, json};

    use super::*;
    use crate::captcha::Captchas;
    use CaptchaKind::{Hcaptcha, RecaptchaV2, RecaptchaV3, Turnstile};

    const HOST: &str = "cast.example.com";

    fn settings(kind: CaptchaKind) -> CaptchaSettings {
        CaptchaSettings {
            kind,
            site_key: Some("site".into()),
            secret_key: Some("hush".into()),
            ..CaptchaSettings::default()
        }
    }

    fn word(verdict: &CaptchaVerdict) -> &'static str {
        match verdict {
            CaptchaVerdict::Passed(_) => "passed",
            CaptchaVerdict::Failed(_) => "failed",
            CaptchaVerdict::Unavailable(_) => "unavailable",
        }
    }

    /// A good answer with these fields on top; null takes one away.
    fn answer(kind: CaptchaKind, fields: &Value) -> Answer {
        let mut answer =
            json!({"success": true, "hostname": HOST, "challenge_ts": "2026-11-23T11:59:30Z"});
        if kind == RecaptchaV3 {
            answer["score"] = json!(0.7);
        }
        if matches!(kind, RecaptchaV3 | Turnstile) {
            answer["action"] = json!(CAPTCHA_ACTION);
        }
        for (name, value) in fields.as_object().expect("an object") {
            answer[name] = value.clone();
        }
        serde_json::from_value(answer).expect("an answer")
    }

    #[test]
    fn only_a_fully_valid_answer_passes() {
        for (name, kind, fields, expected) in [
            ("v2", RecaptchaV2, json!({}), "passed"),
            ("v3", RecaptchaV3, json!({}), "passed"),
            ("hCaptcha", Hcaptcha, json!({}), "passed"),
            ("Turnstile", Turnstile, json!({}), "passed"),
            (
                "the host's case does not matter",
                RecaptchaV2,
                json!({"hostname": "CAST.example.com"}),
                "passed",
            ),
            (
                "another host",
                RecaptchaV2,
                json!({"hostname": "evil.example"}),
                "failed",
            ),
            (
                "no host",
                Turnstile,
                json!({"hostname": null}),
                "unavailable",
            ),
            (
                "an empty host",
                RecaptchaV2,
                json!({"hostname": ""}),
                "unavailable",
            ),
            (
                "keys for tests",
                RecaptchaV2,
                json!({"hostname": "testkey.google.com"}),
                "unavailable",
            ),
            (
                "keys for tests",
                Turnstile,
                json!({"hostname": "example.com"}),
                "unavailable",
            ),
            (
                "keys for tests",
                Hcaptcha,
                json!({"hostname": "dummy-key-pass"}),
                "unavailable",
            ),
            (
                "no host at hCaptcha",
                Hcaptcha,
                json!({"hostname": null}),
                "passed",
            ),
            ("a low score", RecaptchaV3, json!({"score": 0.49}), "failed"),
            (
                "just the score",
                RecaptchaV3,
                json!({"score": 0.5}),
                "passed",
            ),
            ("no score", RecaptchaV3, json!({"score": null}), "failed"),
            (
                "another action",
                RecaptchaV3,
                json!({"action": "login"}),
                "failed",
            ),
            ("no action", Turnstile, json!({"action": null}), "failed"),
            (
                "solved long ago",
                RecaptchaV2,
                json!({"challenge_ts": "2026-11-23T11:50:00Z"}),
                "failed",
            ),
            (
                "solved in the future",
                RecaptchaV2,
                json!({"challenge_ts": "2026-11-23T12:05:00Z"}),
                "failed",
            ),
            (
                "no time",
                RecaptchaV2,
                json!({"challenge_ts": null}),
                "passed",
            ),
            (
                "no success",
                RecaptchaV2,
                json!({"success": false}),
                "failed",
            ),
        ] {
            let verdict = judge(&settings(kind), &answer(kind, &fields), "token", HOST, NOON);
            assert_eq!(word(&verdict), expected, "{name}: {verdict:?}");
        }
    }

    #[test]
    fn documented_errors_are_attributed_correctly() {
        for (kind, codes, expected) in [
            (
                RecaptchaV2,
                &[
                    "missing-input-response",
                    "invalid-input-response",
                    "timeout-or-duplicate",
                ][..],
                "failed",
            ),
            (
                RecaptchaV2,
                &[
                    "missing-input-secret",
                    "invalid-input-secret",
                    "bad-request",
                ],
                "unavailable",
            ),
            (
                Hcaptcha,
                &[
                    "missing-input-response",
                    "invalid-input-response",
                    "expired-input-response",
                    "already-seen-response",
                ],
                "failed",
            ),
            (
                Hcaptcha,
                &["invalid-or-already-seen-response", "sitekey-mismatch"],
                "failed",
            ),
            (
                Hcaptcha,
                &[
                    "missing-input-secret",
                    "invalid-input-secret",
                    "bad-request",
                    "missing-remoteip",
                    "invalid-remoteip",
                ],
                "unavailable",
            ),
            (
                Hcaptcha,
                &["not-using-dummy-passcode", "sitekey-secret-mismatch"],
                "unavailable",
            ),
            (
                Turnstile,
                &[
                    "missing-input-response",
                    "invalid-input-response",
                    "timeout-or-duplicate",
                ],
                "failed",
            ),
            (
                Turnstile,
                &[
                    "missing-input-secret",
                    "invalid-input-secret",
                    "bad-request",
                    "internal-error",
                ],
                "unavailable",
            ),
            (Turnstile, &["a-code-of-tomorrow"], "unavailable"),
        ] {
            for code in codes {
                let refused = answer(kind, &json!({"success": false, "error-codes": [code]}));
                assert_eq!(
                    word(&judge(&settings(kind), &refused, "t", HOST, NOON)),
                    expected,
                    "{kind:?} {code}"
                );
            }
        }
    }

    async fn provider(
        answer: impl IntoResponse + Clone + Send + Sync + 'static,
        late: Duration,
    ) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!(
            "http://{}/siteverify",
            listener.local_addr().expect("an address")
        );
        let serve = move |body: String| async move {
            assert!(
                body.contains("secret=hush")
                    && body.contains("response=token")
                    && body.contains("remoteip=192.0.2.1"),
                "{body}"
            );
            tokio::time::sleep(late).await;
            answer
        };
        tokio::spawn(async move {
            axum::serve(listener, Router::new().route("/siteverify", post(serve))).await
        });
        url
    }

    async fn asked(url: String) -> CaptchaVerdict {
        let captchas = Captchas::with_limit(&[[1; 32]], Duration::from_millis(300)).expect("TLS");
        let settings = CaptchaSettings {
            verify_url: Some(url),
            ..settings(RecaptchaV2)
        };
        let address: IpAddr = [192, 0, 2, 1].into();
        let check = CaptchaCheck {
            settings: &settings,
            token: "token",
            bound_to: &[],
            address,
            hostname: HOST,
            now: NOON,
        };
        captchas.verify(check).await
    }

    #[tokio::test]
    async fn provider_failures_never_admit_visitors() {
        let good = json!({"success": true, "hostname": HOST}).to_string();
        let at_once = Duration::ZERO;
        let late = Duration::from_secs(2);
        for (name, url, expected) in [
            ("answers", provider(good.clone(), at_once).await, "passed"),
            (
                "refuses",
                provider(
                    json!({"success": false, "error-codes": ["timeout-or-duplicate"]}).to_string(),
                    at_once,
                )
                .await,
                "failed",
            ),
            ("is late", provider(good.clone(), late).await, "unavailable"),
            (
                "says nonsense",
                provider("<html>".to_owned(), at_once).await,
                "unavailable",
            ),
            (
                "says nothing",
                provider(String::new(), at_once).await,
                "unavailable",
            ),
            (
                "says success in words",
                provider(json!({"success": "true"}).to_string(), at_once).await,
                "unavailable",
            ),
            (
                "has an error",
                provider((StatusCode::INTERNAL_SERVER_ERROR, good.clone()), at_once).await,
                "unavailable",
            ),
            (
                "sends us on",
                provider(
                    (
                        StatusCode::FOUND,
                        [("location", "http://127.0.0.1:1/")],
                        good.clone(),
                    ),
                    at_once,
                )
                .await,
                "unavailable",
            ),
            (
                "never ends",
                provider("x".repeat(MAX_ANSWER_BYTES + 1), at_once).await,
                "unavailable",
            ),
            (
                "is not there",
                "http://127.0.0.1:1/siteverify".to_owned(),
                "unavailable",
            ),
        ] {
            let verdict = asked(url).await;
            assert_eq!(word(&verdict), expected, "{name}: {verdict:?}");
            let words = format!("{verdict:?}");
            assert!(
                !words.contains("hush") && !words.contains("127.0.0.1"),
                "{name}: {words}"
            );
        }
    }

    #[tokio::test]
    async fn missing_keys_or_oversized_token_make_no_request() {
        let captchas = Captchas::new(&[[1; 32]]).expect("TLS");
        let without = CaptchaSettings {
            secret_key: None,
            ..settings(Turnstile)
        };
        let (with, huge) = (settings(Turnstile), "t".repeat(10_000));
        let address: IpAddr = [192, 0, 2, 1].into();
        for (name, settings, token, expected) in [
            ("no keys", &without, "t", "unavailable"),
            ("a huge token", &with, huge.as_str(), "failed"),
        ] {
            let check = CaptchaCheck {
                settings,
                token,
                bound_to: &[],
                address,
                hostname: HOST,
                now: NOON,
            };
            assert_eq!(word(&captchas.verify(check).await), expected, "{name}");
        }
    }

    #[tokio::test]
    async fn deployment_secret_key_takes_precedence() {
        let url = provider(
            json!({"success": true, "hostname": HOST}).to_string(),
            Duration::ZERO,
        )
        .await;
        let captchas = Captchas::new(&[[1; 32]])
            .expect("TLS")
            .with_secret(Some("hush".into()));
        for stored in [Some("another".to_owned()), None] {
            let settings = CaptchaSettings {
                secret_key: stored,
                verify_url: Some(url.clone()),
                ..settings(RecaptchaV2)
            };
            let address: IpAddr = [192, 0, 2, 1].into();
            let check = CaptchaCheck {
                settings: &settings,
                token: "token",
                bound_to: &[],
                address,
                hostname: HOST,
                now: NOON,
            };
            assert_eq!(word(&captchas.verify(check).await), "passed");
        }
    }

    #[test]
    fn answer_about_no_token_tells_about_keys() {
        for (name, answer, expected) in [
            (
                "known keys",
                json!({"success": false, "error-codes": ["invalid-input-response"]}),
                "accepted",
            ),
            (
                "hCaptcha",
                json!({"success": false, "error-codes": ["invalid-or-already-seen-response"]}),
                "accepted",
            ),
            (
                "unknown secret",
                json!({"success": false, "error-codes": ["invalid-input-secret"]}),
                "refused",
            ),
            (
                "both wrong",
                json!({"success": false, "error-codes": ["invalid-input-response", "invalid-input-secret"]}),
                "refused",
            ),
            (
                "keys that do not go together",
                json!({"success": false, "error-codes": ["sitekey-secret-mismatch"]}),
                "refused",
            ),
            ("a secret for tests", json!({"success": true}), "for tests"),
            ("no reason", json!({"success": false}), "unavailable"),
            (
                "another reason",
                json!({"success": false, "error-codes": ["internal-error"]}),
                "unavailable",
            ),
        ] {
            let answer: Answer = serde_json::from_value(answer).expect("an answer");
            let found = match judge_keys(&answer) {
                KeysVerdict::Accepted => "accepted",
                KeysVerdict::Refused(_) => "refused",
                KeysVerdict::ForTests => "for tests",
                KeysVerdict::Unavailable(_) => "unavailable",
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(found, expected, "{name}");
        }
    }

    #[tokio::test]
    async fn keys_are_judged_without_asking_where_possible() {
        let client = crate::web_client::build(Duration::from_secs(1)).expect("a client");
        let without = |secret: Option<&str>, site: Option<&str>| CaptchaSettings {
            secret_key: secret.map(str::to_owned),
            site_key: site.map(str::to_owned),
            verify_url: Some("http://127.0.0.1:9/".into()),
            ..settings(Turnstile)
        };
        let of = async |settings: CaptchaSettings| check_keys(&client, None, &settings).await;
        assert_eq!(
            of(settings(CaptchaKind::Altcha)).await,
            KeysVerdict::NotNeeded
        );
        assert_eq!(of(without(None, Some("site"))).await, KeysVerdict::Missing);
        assert_eq!(of(without(Some("hush"), None)).await, KeysVerdict::Missing);
        let for_tests = without(Some("hush"), Some("1x00000000000000000000AA"));
        assert_eq!(of(for_tests).await, KeysVerdict::ForTests);
        assert!(matches!(
            of(without(Some("hush"), Some("site"))).await,
            KeysVerdict::Unavailable(_)
        ));
    }
}
