//! Owns the checks that need an administrator's key: problems in settings, images and links.
//! Evaluates documents of the API; must not request any.

use casting_core::captcha::CaptchaKind;
use serde_json::Value;
use url::Url;

use super::finding::{Finding, error, ok, warning};

/// The documents of the API that are checked.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    /// The deployment's settings.
    pub settings: Value,
    /// Every link.
    pub casts: Vec<Value>,
    /// Every image.
    pub images: Vec<Value>,
}

/// All findings.
pub fn evaluate(deployment: &Deployment, base: &Url) -> Vec<Finding> {
    let mut findings = settings(deployment);
    findings.extend(images(deployment));
    for cast in &deployment.casts {
        findings.extend(link(cast, deployment, base));
    }
    findings
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn settings(deployment: &Deployment) -> Vec<Finding> {
    let settings = &deployment.settings;
    let mut findings = Vec::new();
    if settings["maintenance"] == true {
        let since = text(settings, "maintenance_since");
        findings.push(warning(
            format!("The deployment is in maintenance since {since}: no link starts a session."),
            "Set maintenance to false in the settings when the work is done.",
        ));
    }
    if settings["max_sessions"] == 0 {
        findings.push(warning(
            "max_sessions is 0: no link starts a session.",
            "Set it to a number, or to null. To close all links for a time, use maintenance.",
        ));
    }
    let kind = text(settings, "captcha_kind");
    let has_keys = !text(settings, "captcha_site_key").is_empty()
        && settings["captcha_secret_key_is_set"] == true;
    let asking = deployment
        .casts
        .iter()
        .filter(|cast| cast["require_captcha"] == true)
        .count();
    if asking > 0 && kind != "altcha" && !has_keys {
        let what =
            format!("{asking} links ask for a CAPTCHA of the kind {kind}, which has no keys.");
        findings.push(error(
            what,
            "Set captcha_site_key and captcha_secret_key, or captcha_kind to altcha, which needs \
             none.",
        ));
    } else if asking > 0 && is_for_tests(kind, text(settings, "captcha_site_key")) {
        let what = format!("{asking} links ask for a CAPTCHA with keys that are for tests.");
        findings.push(error(
            what,
            "Every visitor of them is refused. Set the keys of your own account at the provider.",
        ));
    } else if asking > 0 {
        findings.push(ok("Links that ask for a CAPTCHA can have it."));
    }
    findings
}

/// Whether links ask for a CAPTCHA with keys that its provider can be asked about.
pub fn asks_for_keys(deployment: &Deployment) -> bool {
    let settings = &deployment.settings;
    let (kind, site_key) = (
        text(settings, "captcha_kind"),
        text(settings, "captcha_site_key"),
    );
    let has_keys = !site_key.is_empty() && settings["captcha_secret_key_is_set"] == true;
    let asks = |cast: &Value| cast["require_captcha"] == true;
    kind != "altcha"
        && has_keys
        && !is_for_tests(kind, site_key)
        && deployment.casts.iter().any(asks)
}

/// What the provider said of the keys; nothing where the key may not ask.
pub fn captcha_keys(answer: &Value) -> Option<Finding> {
    let detail = answer["detail"].as_str()?;
    match answer["is_good"].as_bool()? {
        true => Some(ok(detail)),
        false => Some(error(
            detail,
            "The settings page of the console has the keys, and checks them again.",
        )),
    }
}

/// Whether the provider publishes this site key for tests.
fn is_for_tests(kind: &str, site_key: &str) -> bool {
    CaptchaKind::parse(kind).is_some_and(|kind| kind.provider().is_test_key(site_key))
}

fn images(deployment: &Deployment) -> Vec<Finding> {
    if deployment.images.is_empty() {
        return vec![warning(
            "There is no image: no link can start anything.",
            "Make one with POST /api/admin/images.",
        )];
    }
    if deployment
        .images
        .iter()
        .all(|image| image["enabled"] == false)
    {
        return vec![warning(
            "Every image is disabled: no link can start anything.",
            "Enable one with PATCH /api/admin/images/ID.",
        )];
    }
    vec![ok(format!(
        "Images: {}; links: {}.",
        deployment.images.len(),
        deployment.casts.len()
    ))]
}

fn link(cast: &Value, deployment: &Deployment, base: &Url) -> Vec<Finding> {
    let name = format!("The link \u{201c}{}\u{201d}", text(cast, "name"));
    let mut findings = Vec::new();
    let url = text(cast, "url");
    if Url::parse(url)
        .ok()
        .is_none_or(|url| url.origin() != base.origin())
    {
        let todo = "Set the deployment's public URL to the address that visitors use.";
        findings.push(error(
            format!("{name} is given out as {url}, which is not where you asked."),
            todo,
        ));
    }
    if cast["enabled"] == false {
        return findings;
    }
    match deployment
        .images
        .iter()
        .find(|image| image["id"] == cast["image_id"])
    {
        None => findings.push(error(
            format!("{name} starts an image that is not there."),
            "Give it another one, or disable it.",
        )),
        Some(image) if image["enabled"] == false => {
            let what = format!(
                "{name} starts \u{201c}{}\u{201d}, which is disabled.",
                text(image, "name")
            );
            findings.push(warning(what, "Enable the image, or disable the link."));
        }
        Some(_) => {}
    }
    for cast_warning in cast["warnings"].as_array().into_iter().flatten() {
        let field = text(cast_warning, "pointer").trim_start_matches('/');
        findings.push(warning(
            format!("{name}, {field}: {}", text(cast_warning, "detail")),
            format!(
                "Change it with PATCH /api/admin/casts/{}, unless it is intended.",
                text(cast, "id")
            ),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity;
    use serde_json::json;

    fn deployment(
        settings: Value,
        casts: Vec<Value>,
        images: Vec<Value>,
    ) -> Vec<(Severity, String)> {
        let base = Url::parse("https://cast.example.com").expect("an address");
        evaluate(
            &Deployment {
                settings,
                casts,
                images,
            },
            &base,
        )
        .into_iter()
        .map(|finding| (finding.severity, finding.what))
        .collect()
    }

    fn cast(fields: &Value) -> Value {
        let mut cast = json!({"id": "c1", "name": "Demo", "url": "https://cast.example.com/cast/x",
        "enabled": true, "image_id": "i1",
            "require_captcha": false, "warnings": []});
        for (name, value) in fields.as_object().expect("an object") {
            cast[name] = value.clone();
        }
        cast
    }

    #[test]
    fn warnings_name_their_link() {
        let image = json!({"id": "i1", "name": "Paint", "enabled": true});
        let off = json!({"id": "i1", "name": "Paint", "enabled": false});
        let other = json!({"id": "i2", "name": "Draw", "enabled": true});
        let fine = json!({"captcha_kind": "altcha", "max_sessions": null});
        let turnstile = json!({"captcha_kind": "turnstile", "captcha_site_key": null,
        "captcha_secret_key_is_set": false});
        let warned = json!({"warnings": [{"pointer": "/limit_total_sessions",
        "detail": "nothing limits it."}]});
        for (name, settings, fields, images, severity, words) in [
            (
                "nothing",
                fine.clone(),
                json!({}),
                vec![image.clone()],
                Severity::Ok,
                "Images: 1; links: 1.",
            ),
            (
                "maintenance",
                json!({"maintenance": true, "maintenance_since": "2026-11-23T12:00:00Z"}),
                json!({}),
                vec![image.clone()],
                Severity::Warning,
                "in maintenance since 2026-11-23T12:00:00Z",
            ),
            (
                "no sessions",
                json!({"max_sessions": 0}),
                json!({}),
                vec![image.clone()],
                Severity::Warning,
                "max_sessions is 0",
            ),
            (
                "no keys",
                turnstile,
                json!({"require_captcha": true}),
                vec![image.clone()],
                Severity::Error,
                "of the kind turnstile",
            ),
            (
                "keys for tests",
                json!({"captcha_kind": "turnstile", "captcha_site_key": "1x00000000000000000000AA",
                    "captcha_secret_key_is_set": true}),
                json!({"require_captcha": true}),
                vec![image.clone()],
                Severity::Error,
                "keys that are for tests",
            ),
            (
                "a proof of work",
                fine.clone(),
                json!({"require_captcha": true}),
                vec![image.clone()],
                Severity::Ok,
                "can have it",
            ),
            (
                "no image",
                fine.clone(),
                json!({}),
                vec![],
                Severity::Error,
                "starts an image that is not there",
            ),
            (
                "an image disabled",
                fine.clone(),
                json!({}),
                vec![off.clone(), other],
                Severity::Warning,
                "\u{201c}Paint\u{201d}, which is disabled",
            ),
            (
                "all images disabled",
                fine.clone(),
                json!({"enabled": false}),
                vec![off],
                Severity::Warning,
                "Every image is disabled",
            ),
            (
                "a warning",
                fine.clone(),
                warned,
                vec![image.clone()],
                Severity::Warning,
                "limit_total_sessions: nothing limits it.",
            ),
            (
                "another address",
                fine,
                json!({"url": "http://old.example.com/cast/x"}),
                vec![image],
                Severity::Error,
                "not where you asked",
            ),
        ] {
            let findings = deployment(settings, vec![cast(&fields)], images);
            assert_eq!(
                findings.iter().map(|(severity, _)| *severity).max(),
                Some(severity),
                "{name}: {findings:?}"
            );
            assert!(
                findings
                    .iter()
                    .any(|(found, what)| *found == severity && what.contains(words)),
                "{name}: {findings:?}"
            );
        }
    }

    #[test]
    fn finding_about_captcha_keys_follows_the_answer() {
        for (name, answer, expected) in [
            (
                "good",
                json!({"result": "accepted", "is_good": true, "detail": "Fine."}),
                Some(Severity::Ok),
            ),
            (
                "wrong",
                json!({"result": "refused", "is_good": false, "detail": "Wrong."}),
                Some(Severity::Error),
            ),
            (
                "a key that may not ask",
                json!({"type": "about:blank", "status": 403, "detail": "No."}),
                None,
            ),
            ("no answer", json!(null), None),
        ] {
            let found = captcha_keys(&answer).map(|finding| finding.severity);
            assert_eq!(found, expected, "{name}");
        }
    }
}
