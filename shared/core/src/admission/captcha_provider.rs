//! Owns the one table of CAPTCHA providers: what the page loads and shows, which form field brings
//! the proof, and where and how it is verified. To add a provider, add a row here and a name
//! in [`CaptchaKind`]. Must not know how providers are asked (`casting-identity` does).

use crate::captcha::CaptchaKind;

/// The form field in which the page's own script puts a proof.
pub const OWN_FIELD: &str = "captcha";

/// What the product knows of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptchaProvider {
    /// Which one.
    pub kind: CaptchaKind,
    /// Its name, as administrators read it.
    pub title: &'static str,
    /// What the page loads from it; `None` for our own.
    pub script: Option<ProviderScript>,
    /// The class by which its script finds its box; `None` where the visitor sees no box.
    pub box_class: Option<&'static str>,
    /// The form field in which its script puts the proof, if not [`OWN_FIELD`].
    pub field: Option<&'static str>,
    /// Where proofs are verified; `None` for our own.
    pub verify_url: Option<&'static str>,
    /// Whether the site key goes with each verification.
    pub sends_site_key: bool,
    /// Whether its answer may leave out the host on which the proof was made.
    pub may_omit_host: bool,
    /// Whether its answer names the action for which the proof was made.
    pub names_action: bool,
    /// Whether its answer has a score.
    pub has_score: bool,
    /// The site keys that it publishes for tests: they check nothing.
    pub test_keys: &'static [&'static str],
    /// The hosts that its answers name for such a key.
    pub test_hosts: &'static [&'static str],
}

/// A script of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderScript {
    /// Its address.
    pub url: &'static str,
    /// The parameter of it that names the site key, where it wants it.
    pub site_key_parameter: Option<&'static str>,
    /// What a content security policy lets it load, frame and connect to.
    pub sources: &'static str,
}

const GOOGLE: ProviderScript = ProviderScript {
    url: "https://www.google.com/recaptcha/api.js",
    site_key_parameter: None,
    sources: "https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/ \
              https://recaptcha.google.com/recaptcha/",
};
const GOOGLE_VERIFIES: &str = "https://www.google.com/recaptcha/api/siteverify";
const GOOGLE_FIELD: &str = "g-recaptcha-response";
const GOOGLE_TEST_KEYS: &[&str] = &["6LeIxAcTAAAAAJcZVRqyHh71UMIEGNQ_MXjiZKhI"];
const GOOGLE_TEST_HOSTS: &[&str] = &["testkey.google.com"];

/// Every provider.
pub const PROVIDERS: [CaptchaProvider; 5] = [
    CaptchaProvider {
        kind: CaptchaKind::Altcha,
        title: "ALTCHA: proof of work, no third party, no keys",
        script: None,
        box_class: None,
        field: None,
        verify_url: None,
        sends_site_key: false,
        may_omit_host: false,
        names_action: false,
        has_score: false,
        test_keys: &[],
        test_hosts: &[],
    },
    CaptchaProvider {
        kind: CaptchaKind::Turnstile,
        title: "Cloudflare Turnstile",
        script: Some(ProviderScript {
            url: "https://challenges.cloudflare.com/turnstile/v0/api.js",
            site_key_parameter: None,
            sources: "https://challenges.cloudflare.com",
        }),
        box_class: Some("cf-turnstile"),
        field: Some("cf-turnstile-response"),
        verify_url: Some("https://challenges.cloudflare.com/turnstile/v0/siteverify"),
        sends_site_key: false,
        may_omit_host: false,
        // Where the widget names one, as ours does.
        names_action: true,
        has_score: false,
        test_keys: &[
            "1x00000000000000000000AA",
            "2x00000000000000000000AB",
            "1x00000000000000000000BB",
            "2x00000000000000000000BB",
            "3x00000000000000000000FF",
        ],
        test_hosts: &["example.com"],
    },
    CaptchaProvider {
        kind: CaptchaKind::RecaptchaV2,
        title: "Google reCAPTCHA v2",
        script: Some(GOOGLE),
        box_class: Some("g-recaptcha"),
        field: Some(GOOGLE_FIELD),
        verify_url: Some(GOOGLE_VERIFIES),
        sends_site_key: false,
        may_omit_host: false,
        names_action: false,
        has_score: false,
        test_keys: GOOGLE_TEST_KEYS,
        test_hosts: GOOGLE_TEST_HOSTS,
    },
    CaptchaProvider {
        kind: CaptchaKind::RecaptchaV3,
        title: "Google reCAPTCHA v3",
        script: Some(ProviderScript {
            site_key_parameter: Some("render"),
            ..GOOGLE
        }),
        box_class: None,
        field: Some(GOOGLE_FIELD),
        verify_url: Some(GOOGLE_VERIFIES),
        sends_site_key: false,
        may_omit_host: false,
        names_action: true,
        has_score: true,
        test_keys: GOOGLE_TEST_KEYS,
        test_hosts: GOOGLE_TEST_HOSTS,
    },
    CaptchaProvider {
        kind: CaptchaKind::Hcaptcha,
        title: "hCaptcha",
        script: Some(ProviderScript {
            url: "https://js.hcaptcha.com/1/api.js",
            site_key_parameter: None,
            sources: "https://hcaptcha.com https://*.hcaptcha.com",
        }),
        box_class: Some("h-captcha"),
        field: Some("h-captcha-response"),
        verify_url: Some("https://api.hcaptcha.com/siteverify"),
        sends_site_key: true,
        // Where an account says so.
        may_omit_host: true,
        names_action: false,
        has_score: false,
        test_keys: &[
            "10000000-ffff-ffff-ffff-000000000001",
            "20000000-ffff-ffff-ffff-000000000002",
            "30000000-ffff-ffff-ffff-000000000003",
        ],
        test_hosts: &["dummy-key-pass"],
    },
];

/// Every provider as a choice: what the API calls it, and its name.
pub const CHOICES: [(&str, &str); PROVIDERS.len()] = {
    let mut choices = [("", ""); PROVIDERS.len()];
    let mut at = 0;
    while at < PROVIDERS.len() {
        choices[at] = (PROVIDERS[at].kind.as_str(), PROVIDERS[at].title);
        at += 1;
    }
    choices
};

impl CaptchaProvider {
    /// Whether this is a site key for tests.
    pub fn is_test_key(&self, site_key: &str) -> bool {
        self.test_keys.contains(&site_key)
    }

    /// Whether answers with this host are those for a key for tests. A deployment may have the
    /// host's name itself.
    pub fn is_test_host(&self, host: &str, own: &str) -> bool {
        host != own && self.test_hosts.contains(&host)
    }
}

impl CaptchaKind {
    /// What the product knows of it.
    pub fn provider(self) -> &'static CaptchaProvider {
        PROVIDERS
            .iter()
            .find(|provider| provider.kind == self)
            .unwrap_or(&PROVIDERS[0])
    }

    /// Whether the provider needs a site key and a secret key.
    pub fn needs_keys(self) -> bool {
        self.provider().verify_url.is_some()
    }
}

/// The form fields in which a proof may come, ours first.
pub fn fields() -> impl Iterator<Item = &'static str> {
    let mut seen = vec![OWN_FIELD];
    for field in PROVIDERS.iter().filter_map(|provider| provider.field) {
        if !seen.contains(&field) {
            seen.push(field);
        }
    }
    seen.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_row() {
        for kind in CaptchaKind::ALL {
            let rows = PROVIDERS.iter().filter(|row| row.kind == kind);
            assert_eq!(rows.count(), 1, "{kind:?}");
        }
        assert_eq!(PROVIDERS.len(), CaptchaKind::ALL.len());
    }

    #[test]
    fn third_parties_have_script_and_verifier() {
        for row in PROVIDERS {
            let is_ours = row.kind == CaptchaKind::Altcha;
            assert_eq!(row.script.is_none(), is_ours, "{row:?}");
            assert_eq!(row.verify_url.is_none(), is_ours, "{row:?}");
            assert_eq!(row.field.is_none(), is_ours, "{row:?}");
            assert_eq!(row.kind.needs_keys(), !is_ours, "{row:?}");
        }
    }

    #[test]
    fn fields_are_listed_once_with_ours_first() {
        let all: Vec<_> = fields().collect();
        assert_eq!(
            all,
            [
                "captcha",
                "cf-turnstile-response",
                "g-recaptcha-response",
                "h-captcha-response"
            ]
        );
    }
}
