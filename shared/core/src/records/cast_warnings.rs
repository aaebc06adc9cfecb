//! Owns the warnings about a cast: settings that have no effect, or an unexpected one. Warnings
//! never block a change.
//! Must not know how a cast is read.

use crate::access_tier::{self, MAX_TIERS, Proof};
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
    warnings.extend(of_tiers(settings));
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

/// Where each access tier stands in the document.
pub const TIERS: [&str; MAX_TIERS] = [
    "/access_tiers/0",
    "/access_tiers/1",
    "/access_tiers/2",
    "/access_tiers/3",
    "/access_tiers/4",
    "/access_tiers/5",
    "/access_tiers/6",
    "/access_tiers/7",
    "/access_tiers/8",
    "/access_tiers/9",
    "/access_tiers/10",
    "/access_tiers/11",
    "/access_tiers/12",
    "/access_tiers/13",
    "/access_tiers/14",
    "/access_tiers/15",
    "/access_tiers/16",
    "/access_tiers/17",
    "/access_tiers/18",
    "/access_tiers/19",
];

fn of_tiers(settings: &CastSettings) -> Vec<Warning> {
    let tiers = &settings.access_tiers;
    let at = |at: &usize, detail| {
        let pointer = *TIERS.get(*at)?;
        Some(Warning { pointer, detail })
    };
    let unreachable = access_tier::unreachable(tiers);
    let behind = "decides about nobody: an earlier tier fits everyone whom it fits.";
    let mut warnings: Vec<Warning> = unreachable
        .iter()
        .filter_map(|place| at(place, behind))
        .collect();
    let is_vain = |tier: &access_tier::AccessTier| tier.proof == Proof::Captcha;
    let first_vain = tiers.iter().position(is_vain);
    if let Some(place) = first_vain.filter(|_| !settings.allow_anonymous) {
        let detail = "asks for a CAPTCHA, which nobody solves while allow_anonymous is off: it fits \
                      every user.";
        warnings.extend(at(&place, detail));
    }
    if access_tier::leaves_some_out(tiers) {
        warnings.push(Warning {
            pointer: "/access_tiers",
            detail: "has no tier that fits everybody: visitors whom none fits are refused.",
        });
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_tier::AccessTier;
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

    #[test]
    fn tiers_without_effect_cause_warnings() {
        let of = |proof| AccessTier {
            proof,
            ..AccessTier::default()
        };
        use Proof::{Any, Captcha, Login};
        for (name, tiers, anonymous, expected) in [
            ("none", vec![], true, vec![]),
            (
                "in order",
                vec![of(Login), of(Captcha), of(Any)],
                true,
                vec![],
            ),
            (
                "behind one for all",
                vec![of(Any), of(Login), of(Captcha)],
                true,
                vec!["/access_tiers/1", "/access_tiers/2"],
            ),
            (
                "none for all",
                vec![of(Captcha)],
                true,
                vec!["/access_tiers"],
            ),
            (
                "a CAPTCHA that nobody solves",
                vec![of(Captcha), of(Any)],
                false,
                vec!["/access_tiers/0"],
            ),
        ] {
            let mut cast = cast(1);
            cast.settings.limit_total_sessions = true;
            cast.settings.allow_anonymous = anonymous;
            cast.settings.access_tiers = tiers;
            let found: Vec<_> = warnings(&cast.settings).iter().map(|w| w.pointer).collect();
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(
            TIERS[MAX_TIERS - 1],
            format!("/access_tiers/{}", MAX_TIERS - 1)
        );
    }
}
