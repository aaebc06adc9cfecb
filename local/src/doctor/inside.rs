//! Owns what an administrator's key shows of a deployment, and what of it is worth a look. Judges documents of the API; must not ask for any.

use serde_json::Value;
use url::Url;

use super::finding::{Finding, fine, look, wrong};

/// What the API tells, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The deployment's settings.
    pub settings: Value,
    /// Every link.
    pub casts: Vec<Value>,
    /// Every image.
    pub images: Vec<Value>,
}

/// Everything that is worth a word.
pub fn judge(told: &Told, base: &Url) -> Vec<Finding> {
    let mut findings = settings(told);
    findings.extend(images(told));
    for cast in &told.casts {
        findings.extend(link(cast, told, base));
    }
    findings
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn settings(told: &Told) -> Vec<Finding> {
    let settings = &told.settings;
    let mut findings = Vec::new();
    if settings["max_sessions"] == 0 {
        findings.push(look(
            "The deployment is in maintenance: max_sessions is 0.",
            "Set it to a number, or to null, when links shall work again.",
        ));
    }
    let kind = text(settings, "captcha_kind");
    let has_keys = !text(settings, "captcha_site_key").is_empty()
        && settings["captcha_secret_key_is_set"] == true;
    let asking = told
        .casts
        .iter()
        .filter(|cast| cast["require_captcha"] == true)
        .count();
    if asking > 0 && kind != "altcha" && !has_keys {
        let what =
            format!("{asking} links ask for a CAPTCHA of the kind {kind}, which has no keys.");
        findings.push(wrong(what, "Set captcha_site_key and captcha_secret_key, or captcha_kind to altcha, which needs none."));
    } else if asking > 0 {
        findings.push(fine("Links that ask for a CAPTCHA can have it."));
    }
    findings
}

fn images(told: &Told) -> Vec<Finding> {
    if told.images.is_empty() {
        return vec![look(
            "There is no image: no link can start anything.",
            "Make one with POST /api/admin/images.",
        )];
    }
    if told.images.iter().all(|image| image["enabled"] == false) {
        return vec![look(
            "Every image is disabled: no link can start anything.",
            "Enable one with PATCH /api/admin/images/ID.",
        )];
    }
    vec![fine(format!(
        "Images: {}; links: {}.",
        told.images.len(),
        told.casts.len()
    ))]
}

fn link(cast: &Value, told: &Told, base: &Url) -> Vec<Finding> {
    let name = format!("The link \u{201c}{}\u{201d}", text(cast, "name"));
    let mut findings = Vec::new();
    let url = text(cast, "url");
    if Url::parse(url)
        .ok()
        .is_none_or(|url| url.origin() != base.origin())
    {
        let todo = "Set the deployment's public URL to the address that visitors use.";
        findings.push(wrong(
            format!("{name} is given out as {url}, which is not where you asked."),
            todo,
        ));
    }
    if cast["enabled"] == false {
        return findings;
    }
    match told
        .images
        .iter()
        .find(|image| image["id"] == cast["image_id"])
    {
        None => findings.push(wrong(
            format!("{name} starts an image that is not there."),
            "Give it another one, or disable it.",
        )),
        Some(image) if image["enabled"] == false => {
            let what = format!(
                "{name} starts \u{201c}{}\u{201d}, which is disabled.",
                text(image, "name")
            );
            findings.push(look(what, "Enable the image, or disable the link."));
        }
        Some(_) => {}
    }
    for warning in cast["warnings"].as_array().into_iter().flatten() {
        let field = text(warning, "pointer").trim_start_matches('/');
        findings.push(look(
            format!("{name}: {field} {}", text(warning, "detail")),
            format!(
                "Change it with PATCH /api/admin/casts/{}, if it is not meant.",
                text(cast, "id")
            ),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Grade;
    use serde_json::json;

    fn told(settings: Value, casts: Vec<Value>, images: Vec<Value>) -> Vec<(Grade, String)> {
        let base = Url::parse("https://cast.example.com").expect("an address");
        judge(
            &Told {
                settings,
                casts,
                images,
            },
            &base,
        )
        .into_iter()
        .map(|finding| (finding.grade, finding.what))
        .collect()
    }

    fn cast(fields: &Value) -> Value {
        let mut cast = json!({"id": "c1", "name": "Demo", "url": "https://cast.example.com/cast/x", "enabled": true, "image_id": "i1",
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
        let turnstile = json!({"captcha_kind": "turnstile", "captcha_site_key": null, "captcha_secret_key_is_set": false});
        let warned = json!({"warnings": [{"pointer": "/limit_total_sessions", "detail": "nothing limits it."}]});
        for (name, settings, fields, images, grade, words) in [
            (
                "nothing",
                fine.clone(),
                json!({}),
                vec![image.clone()],
                Grade::Fine,
                "Images: 1; links: 1.",
            ),
            (
                "maintenance",
                json!({"max_sessions": 0}),
                json!({}),
                vec![image.clone()],
                Grade::Look,
                "maintenance",
            ),
            (
                "no keys",
                turnstile,
                json!({"require_captcha": true}),
                vec![image.clone()],
                Grade::Wrong,
                "of the kind turnstile",
            ),
            (
                "a proof of work",
                fine.clone(),
                json!({"require_captcha": true}),
                vec![image.clone()],
                Grade::Fine,
                "can have it",
            ),
            (
                "no image",
                fine.clone(),
                json!({}),
                vec![],
                Grade::Wrong,
                "starts an image that is not there",
            ),
            (
                "an image disabled",
                fine.clone(),
                json!({}),
                vec![off.clone(), other],
                Grade::Look,
                "\u{201c}Paint\u{201d}, which is disabled",
            ),
            (
                "all images disabled",
                fine.clone(),
                json!({"enabled": false}),
                vec![off],
                Grade::Look,
                "Every image is disabled",
            ),
            (
                "a warning",
                fine.clone(),
                warned,
                vec![image.clone()],
                Grade::Look,
                "limit_total_sessions nothing limits it.",
            ),
            (
                "another address",
                fine,
                json!({"url": "http://old.example.com/cast/x"}),
                vec![image],
                Grade::Wrong,
                "not where you asked",
            ),
        ] {
            let findings = told(settings, vec![cast(&fields)], images);
            assert_eq!(
                findings.iter().map(|(grade, _)| *grade).max(),
                Some(grade),
                "{name}: {findings:?}"
            );
            assert!(
                findings
                    .iter()
                    .any(|(found, what)| *found == grade && what.contains(words)),
                "{name}: {findings:?}"
            );
        }
    }
}
