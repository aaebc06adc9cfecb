//! Owns what a CAPTCHA needs of the landing page: which script, which box, and which field brings
//! the proof. Must not know how proofs are checked.

use std::borrow::Cow;

use casting_core::captcha::CAPTCHA_ACTION;
use casting_core::{CaptchaNeed, captcha_provider};
use casting_web::page::ThirdPartyScript;
use url::form_urlencoded::byte_serialize;

/// What the page shows of a CAPTCHA.
#[derive(Clone, Debug)]
pub(crate) struct Widget<'a> {
    /// Whether the page also starts without a proof.
    pub(crate) is_optional: bool,
    /// The form fields in which a proof may come, separated by spaces.
    pub(crate) fields: String,
    pub(crate) site_key: &'a str,
    /// The class by which the provider's script finds its box; `None` for kinds without one.
    pub(crate) class: Option<&'static str>,
    /// What the page's own script has to solve: JSON as it stands in an attribute between single
    /// quotes, which leave its many double ones as they are.
    pub(crate) challenge: Option<String>,
    pub(crate) action: &'static str,
    pub(crate) foreign: Option<ThirdPartyScript<'a>>,
}

impl<'a> Widget<'a> {
    pub(crate) fn of(need: &'a CaptchaNeed) -> Self {
        let site_key = need.site_key.as_deref().unwrap_or_default();
        let provider = need.kind.provider();
        let foreign = provider.script.map(|script| ThirdPartyScript {
            script: match script.site_key_parameter {
                None => Cow::Borrowed(script.url),
                Some(name) => {
                    let key: String = byte_serialize(site_key.as_bytes()).collect();
                    format!("{}?{name}={key}", script.url).into()
                }
            },
            sources: script.sources,
        });
        Self {
            is_optional: need.is_optional,
            fields: if provider.box_class.is_none() {
                captcha_provider::OWN_FIELD.to_owned()
            } else {
                captcha_provider::fields().collect::<Vec<_>>().join(" ")
            },
            site_key,
            class: provider.box_class,
            challenge: need.challenge.as_deref().map(in_single_quotes),
            action: CAPTCHA_ACTION,
            foreign,
        }
    }

    /// Whether the page gets its proof without the visitor's doing.
    pub(crate) const fn solves_itself(&self) -> bool {
        self.class.is_none()
    }
}

/// A text for an attribute between single quotes.
fn in_single_quotes(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('\'', "&#39;")
        .replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::captcha::CaptchaKind;

    #[test]
    fn page_knows_the_fields_that_bring_a_proof() {
        for (kind, fields) in [
            (CaptchaKind::Altcha, "captcha"),
            (CaptchaKind::RecaptchaV3, "captcha"),
            (
                CaptchaKind::Turnstile,
                "captcha cf-turnstile-response g-recaptcha-response h-captcha-response",
            ),
        ] {
            let need = CaptchaNeed {
                kind,
                site_key: None,
                challenge: None,
                is_optional: false,
            };
            assert_eq!(Widget::of(&need).fields, fields, "{kind:?}");
        }
    }

    #[test]
    fn captcha_widgets_load_only_their_sources() {
        for kind in CaptchaKind::ALL {
            let need = CaptchaNeed {
                kind,
                site_key: Some("a&b".into()),
                challenge: None,
                is_optional: false,
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
