//! Owns what a CAPTCHA needs of the landing page: which script, which box, and which field brings the proof. Must not know how proofs are checked.

use std::borrow::Cow;

use casting_core::CaptchaNeed;
use casting_core::captcha::{CAPTCHA_ACTION, CaptchaKind};
use casting_web::page::ThirdPartyScript;
use url::form_urlencoded::byte_serialize;

/// What the page shows of a CAPTCHA.
#[derive(Clone, Debug)]
pub(crate) struct Widget<'a> {
    pub(crate) kind: &'static str,
    pub(crate) site_key: &'a str,
    /// The class by which the provider's script finds its box; `None` for kinds without one.
    pub(crate) class: Option<&'static str>,
    /// What the page's own script has to solve.
    pub(crate) challenge: Option<&'a str>,
    pub(crate) action: &'static str,
    pub(crate) foreign: Option<ThirdPartyScript<'a>>,
}

/// The fields in which a proof may come, ours first.
pub(crate) const FIELDS: [&str; 4] = [
    "captcha",
    "g-recaptcha-response",
    "h-captcha-response",
    "cf-turnstile-response",
];

const GOOGLE: &str = "https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/ https://recaptcha.google.com/recaptcha/";
const HCAPTCHA: &str = "https://hcaptcha.com https://*.hcaptcha.com";
const TURNSTILE: &str = "https://challenges.cloudflare.com";

impl<'a> Widget<'a> {
    pub(crate) fn of(need: &'a CaptchaNeed) -> Self {
        let site_key = need.site_key.as_deref().unwrap_or_default();
        let (class, script, sources): (_, Cow<'static, str>, _) = match need.kind {
            CaptchaKind::Altcha => (None, "".into(), ""),
            CaptchaKind::RecaptchaV2 => (
                Some("g-recaptcha"),
                "https://www.google.com/recaptcha/api.js".into(),
                GOOGLE,
            ),
            CaptchaKind::RecaptchaV3 => {
                let key: String = byte_serialize(site_key.as_bytes()).collect();
                (
                    None,
                    format!("https://www.google.com/recaptcha/api.js?render={key}").into(),
                    GOOGLE,
                )
            }
            CaptchaKind::Hcaptcha => (
                Some("h-captcha"),
                "https://js.hcaptcha.com/1/api.js".into(),
                HCAPTCHA,
            ),
            CaptchaKind::Turnstile => (
                Some("cf-turnstile"),
                "https://challenges.cloudflare.com/turnstile/v0/api.js".into(),
                TURNSTILE,
            ),
        };
        Self {
            kind: need.kind.as_str(),
            site_key,
            class,
            challenge: need.challenge.as_deref(),
            action: CAPTCHA_ACTION,
            foreign: (!script.is_empty()).then_some(ThirdPartyScript { script, sources }),
        }
    }

    /// Whether the page gets its proof without the visitor's doing.
    pub(crate) const fn solves_itself(&self) -> bool {
        self.class.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captcha_widgets_load_only_their_sources() {
        for kind in CaptchaKind::ALL {
            let need = CaptchaNeed {
                kind,
                site_key: Some("a&b".into()),
                challenge: None,
            };
            let widget = Widget::of(&need);
            match widget.foreign {
                None => assert_eq!(kind, CaptchaKind::Altcha, "only ours needs nobody else"),
                Some(foreign) => {
                    let host = foreign.script.split('/').nth(2).expect("a host").to_owned();
                    let allowed = foreign
                        .sources
                        .split(' ')
                        .filter_map(|source| source.split('/').nth(2));
                    let covers = |source: &str| {
                        source == host
                            || source
                                .strip_prefix("*")
                                .is_some_and(|rest| host.ends_with(rest))
                    };
                    assert!(allowed.into_iter().any(covers), "{kind:?}");
                    assert!(
                        !foreign.script.contains("a&b"),
                        "{kind:?}: the key is written as a query wants it"
                    );
                }
            }
        }
    }
}
