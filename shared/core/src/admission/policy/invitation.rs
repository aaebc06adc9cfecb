//! Owns the rule who comes in by an invitation, and what an invitation changes of what its link
//! gives. Must not know how uses are counted: the reservation takes one, or finds that none is left.

use std::collections::BTreeSet;

use super::kasm_url::Chosen;
use super::{LinkParameters, network};
use crate::cast::{Cast, CastSettings};
use crate::denial::{Denial, DenialCode};
use crate::image::ImageSettings;
use crate::invitation::Invitation;
use crate::network::NetworkName;
use crate::quota::QuotaKind;
use crate::terms::GivenTerms;
use crate::time::Timestamp;

/// What is known of the invitation that a visitor brings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brought<'a> {
    /// Whether the address names one at all.
    pub is_named: bool,
    /// The invitation to this link, if there is one of this id.
    pub found: Option<&'a Invitation>,
    /// When it was opened first, if that was noted.
    pub opened_at: Option<Timestamp>,
}

/// Passes without an invitation where the link needs none, and with one that is still good for a
/// session. Who brings one that is not good is refused although the link may be open to all: what
/// they were promised is not what they would get.
///
/// # Errors
/// `InvitationRequired`, `InvitationUnknown`, `InvitationExpired` or `InvitationUsed`.
pub fn check(
    cast: &Cast,
    brought: Brought<'_>,
    full: &BTreeSet<QuotaKind>,
    now: Timestamp,
) -> Result<(), Denial> {
    if !brought.is_named {
        return if cast.settings.invitation_required {
            super::refuse(DenialCode::InvitationRequired)
        } else {
            Ok(())
        };
    }
    let found = brought
        .found
        .filter(|found| found.cast_id == cast.id && found.revoked_at.is_none());
    let Some(found) = found else {
        return super::refuse(DenialCode::InvitationUnknown);
    };
    if full.contains(&QuotaKind::Invitation) {
        return super::refuse(DenialCode::InvitationUsed);
    }
    let end = found.ends_at(brought.opened_at);
    if end.is_some_and(|end| end <= now) {
        return super::refuse(DenialCode::InvitationExpired);
    }
    Ok(())
}

/// What the session opens: the invitation's own address stands in for the link's.
pub fn opens(chosen: Chosen, invitation: Option<&Invitation>) -> Chosen {
    let own = invitation.and_then(|invitation| invitation.settings.kasm_url.clone());
    match own {
        Some(own) if !chosen.by_visitor => Chosen {
            url: Some(own),
            ..chosen
        },
        _ => chosen,
    }
}

/// Where the session runs: the invitation's own network stands in for the image's, and what the
/// access tier or the admission hook says for all, also for what the visitor names.
///
/// # Errors
/// As [`network::check`].
pub fn runs_in(
    settings: &CastSettings,
    image: &ImageSettings,
    invitation: Option<&Invitation>,
    parameters: &LinkParameters,
    given: GivenTerms<'_>,
) -> Result<Option<NetworkName>, Denial> {
    let requested = parameters.docker_network.as_deref();
    let chosen = network::check(settings, image, requested)?;
    let is_named = requested.is_some_and(|requested| !requested.trim().is_empty());
    let own = invitation.and_then(|invitation| invitation.settings.network.clone());
    let given = given.network().cloned();
    Ok(given.or(own.filter(|_| !is_named)).or(chosen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::AdmissionTerms;
    use crate::testing::{NOON, cast, image, invitation};

    #[test]
    fn invitation_opens_its_link_while_it_is_good() {
        let (good, mut revoked, mut of_other) = (invitation(1), invitation(1), invitation(1));
        revoked.revoked_at = Some(NOON);
        of_other.cast_id = cast(2).id;
        let mut expired = invitation(1);
        expired.settings.expires_at = Some(NOON);
        let mut timed = invitation(1);
        timed.settings.activation_minutes = Some(10);
        let (used, none) = ([QuotaKind::Invitation].into(), BTreeSet::new());
        let full = [QuotaKind::Deployment].into();
        for (name, required, named, found, opened, taken, expected) in [
            ("none, none needed", false, false, None, 0, &none, None),
            (
                "none, one needed",
                true,
                false,
                None,
                0,
                &none,
                Some(DenialCode::InvitationRequired),
            ),
            ("a good one", true, true, Some(&good), 0, &none, None),
            (
                "a good one, none needed",
                false,
                true,
                Some(&good),
                0,
                &none,
                None,
            ),
            (
                "the deployment is full",
                true,
                true,
                Some(&good),
                0,
                &full,
                None,
            ),
            (
                "one that nobody made",
                false,
                true,
                None,
                0,
                &none,
                Some(DenialCode::InvitationUnknown),
            ),
            (
                "one of another link",
                false,
                true,
                Some(&of_other),
                0,
                &none,
                Some(DenialCode::InvitationUnknown),
            ),
            (
                "a revoked one that is used up",
                false,
                true,
                Some(&revoked),
                0,
                &used,
                Some(DenialCode::InvitationUnknown),
            ),
            (
                "a used one",
                false,
                true,
                Some(&good),
                0,
                &used,
                Some(DenialCode::InvitationUsed),
            ),
            (
                "an expired one",
                true,
                true,
                Some(&expired),
                0,
                &none,
                Some(DenialCode::InvitationExpired),
            ),
            ("opened in time", true, true, Some(&timed), 599, &none, None),
            (
                "opened too long ago",
                true,
                true,
                Some(&timed),
                600,
                &none,
                Some(DenialCode::InvitationExpired),
            ),
        ] {
            let mut cast = cast(1);
            cast.settings.invitation_required = required;
            let brought = Brought {
                is_named: named,
                found,
                opened_at: Some(NOON.minus_seconds(opened)),
            };
            let verdict = check(&cast, brought, taken, NOON);
            assert_eq!(verdict.err().map(|denial| denial.code), expected, "{name}");
        }
    }

    #[test]
    fn own_address_and_network_stand_in_for_the_links() {
        let mut own = invitation(1);
        own.settings.kasm_url = Some("https://own.example/".into());
        own.settings.network = NetworkName::parse("lab");
        let of_link = Chosen {
            url: Some("https://link.example/".into()),
            ..Chosen::default()
        };
        let of_visitor = Chosen {
            by_visitor: true,
            ..of_link.clone()
        };
        for (name, chosen, invitation, expected) in [
            ("no invitation", &of_link, None, "https://link.example/"),
            ("its own", &of_link, Some(&own), "https://own.example/"),
            (
                "the visitor's",
                &of_visitor,
                Some(&own),
                "https://link.example/",
            ),
        ] {
            let url = opens(chosen.clone(), invitation).url;
            assert_eq!(url.as_deref(), Some(expected), "{name}");
        }
        let (mut settings, mut image) = (cast(1).settings, image(1).settings);
        settings.dynamic_docker_network = true;
        image.allow_network_selection = true;
        image.network = NetworkName::parse("usual");
        let (offline, nothing) = (
            AdmissionTerms {
                network: NetworkName::parse("offline"),
                ..AdmissionTerms::default()
            },
            AdmissionTerms::default(),
        );
        let silent = GivenTerms::default();
        let by = |tier, hook| GivenTerms { tier, hook };
        let (admitted, asked) = (by(None, Some(&nothing)), by(None, Some(&offline)));
        let in_tier = by(Some(&offline), Some(&nothing));
        for (name, requested, invitation, given, expected) in [
            ("no invitation", None, None, silent, "usual"),
            ("its own", None, Some(&own), silent, "lab"),
            (
                "its own, an empty parameter",
                Some(" "),
                Some(&own),
                silent,
                "lab",
            ),
            ("the visitor's", Some("dmz"), Some(&own), silent, "dmz"),
            ("a hook without one", None, Some(&own), admitted, "lab"),
            ("the hook's", Some("dmz"), Some(&own), asked, "offline"),
            ("the tier's", Some("dmz"), Some(&own), in_tier, "offline"),
        ] {
            let parameters = LinkParameters {
                docker_network: requested.map(str::to_owned),
                ..LinkParameters::default()
            };
            let found = runs_in(&settings, &image, invitation, &parameters, given);
            let found = found.expect("is allowed").expect("a network");
            assert_eq!(found.as_str(), expected, "{name}");
        }
    }
}
