//! Owns the warnings about a cast: settings that have no effect, or an unexpected one. Warnings
//! never block a change.
//! Must not know how a cast is read.

use crate::cast::{AnonymousResume, CastSettings};
use crate::form::Warning;

/// Shorter keys can be guessed by trying, in characters.
const SHORT_KEY: usize = 16;

/// What is worth a second look in these settings.
pub fn warnings(settings: &CastSettings) -> Vec<Warning> {
    let unlimited = !settings.limit_total_sessions
        && settings.ip_limit.is_none()
        && settings.max_live_sessions.is_none();
    let mut warnings = Vec::new();
    if settings.require_captcha && !settings.allow_anonymous {
        let detail = "has no effect: logged-in users are not asked.";
        warnings.push(Warning {
            pointer: "/require_captcha",
            detail,
        });
    }
    if settings.anonymous_group_id.is_some() && !settings.allow_anonymous {
        warnings.push(Warning {
            pointer: "/anonymous_user_group_id",
            detail: "has no effect while allow_anonymous is off.",
        });
    }
    let forgets = settings.anonymous_resume == AnonymousResume::Off;
    if settings.allow_resume && settings.allow_anonymous && forgets {
        let detail = "works for logged-in users only; anonymous_resume is for all others.";
        warnings.push(Warning {
            pointer: "/allow_resume",
            detail,
        });
    }
    if settings.disable_fixed_resolution && !settings.enable_sharing {
        let detail = "has no effect unless sessions are shared, here or by the owner.";
        warnings.push(Warning {
            pointer: "/disable_shared_fixed_resolution",
            detail,
        });
    }
    if settings.enable_sharing && settings.disable_control_panel {
        let detail = "hides the share link too, so it cannot be seen or copied.";
        warnings.push(Warning {
            pointer: "/disable_control_panel",
            detail,
        });
    }
    if unlimited && settings.allow_anonymous {
        let detail = "nothing limits how many sessions this link starts; consider this limit or \
                      limit_requests_per_ip.";
        warnings.push(Warning {
            pointer: "/limit_total_sessions",
            detail,
        });
        if settings.key.as_str().len() < SHORT_KEY {
            warnings.push(Warning {
                pointer: "/key",
                detail: "is short enough to be guessed, and the link has no limits.",
            });
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CastKey;
    use crate::testing::cast;

    #[test]
    fn link_without_limits_causes_warnings() {
        let mut short = cast(1);
        short.settings.key = CastKey::parse("123abc").expect("a key");
        let mut short_but_limited = cast(1);
        short_but_limited.settings.limit_total_sessions = true;
        short_but_limited.settings.key = short.settings.key.clone();
        for (name, cast, expected) in [
            ("a long key", cast(1), vec!["/limit_total_sessions"]),
            ("a short key", short, vec!["/limit_total_sessions", "/key"]),
            ("a short key with limits", short_but_limited, vec![]),
        ] {
            assert_eq!(
                warnings(&cast.settings)
                    .iter()
                    .map(|w| w.pointer)
                    .collect::<Vec<_>>(),
                expected,
                "{name}"
            );
        }
    }
}
