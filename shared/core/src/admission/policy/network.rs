//! Owns the rule which network a session runs in, and what a visitor's `docker_network` may be
//! (seed: Allow Dynamic Docker Network URL Parameter). Unlike a URL, a network is never left out
//! silently: naming one asks for isolation.

use crate::cast::CastSettings;
use crate::denial::{Denial, DenialCode};
use crate::image::ImageSettings;
use crate::network::NetworkName;

/// The network to run in; `None` is the deployment's own. Whether it exists is [`found`]'s to say.
///
/// # Errors
/// `NetworkDenied` when the link, or its image, does not let this one be named.
pub fn check(
    settings: &CastSettings,
    image: &ImageSettings,
    requested: Option<&str>,
) -> Result<Option<NetworkName>, Denial> {
    let Some(requested) = requested
        .map(str::trim)
        .filter(|requested| !requested.is_empty())
    else {
        return Ok(image.network.clone());
    };
    if !settings.dynamic_docker_network || !image.allow_network_selection {
        return Err(Denial::because(
            DenialCode::NetworkDenied,
            "This link does not accept docker_network.",
        ));
    }
    let name = NetworkName::parse(requested).filter(|name| {
        image.restrict_to_networks.is_empty() || image.restrict_to_networks.contains(name)
    });
    name.map(Some).ok_or_else(|| {
        Denial::because(
            DenialCode::NetworkDenied,
            "The parameter docker_network names no network of this link.",
        )
    })
}

/// Passes when the network that was chosen is there, or none was.
///
/// # Errors
/// `NetworkDenied` for a network that the visitor requested, else `ImageUnavailable`: the image is set up for a network
/// that is gone.
pub fn found(chosen: Option<&NetworkName>, exists: bool, by_visitor: bool) -> Result<(), Denial> {
    match (chosen, exists, by_visitor) {
        (None, ..) | (_, true, _) => Ok(()),
        (Some(_), false, true) => Err(Denial::because(
            DenialCode::NetworkDenied,
            "The parameter docker_network names no network of this link.",
        )),
        (Some(_), false, false) => super::refuse(DenialCode::ImageUnavailable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_must_be_allowed_by_link_and_image() {
        let name = |text: &str| NetworkName::parse(text).expect(text);
        let all: &[&str] = &[];
        for (case, dynamic, selection, restricted, own, requested, expected) in [
            ("nothing requested", true, true, all, None, None, Ok(None)),
            (
                "nothing requested, the image has its own",
                false,
                false,
                all,
                Some("lab"),
                None,
                Ok(Some("lab")),
            ),
            (
                "an empty request",
                false,
                false,
                all,
                None,
                Some(""),
                Ok(None),
            ),
            (
                "a requested network",
                true,
                true,
                all,
                None,
                Some("lab"),
                Ok(Some("lab")),
            ),
            (
                "a requested network over the image's own",
                true,
                true,
                all,
                Some("dmz"),
                Some("lab"),
                Ok(Some("lab")),
            ),
            (
                "a listed network",
                true,
                true,
                &["lab"],
                None,
                Some("lab"),
                Ok(Some("lab")),
            ),
            (
                "a network that is not listed",
                true,
                true,
                &["dmz"],
                None,
                Some("lab"),
                Err(()),
            ),
            (
                "the link does not let it",
                false,
                true,
                all,
                None,
                Some("lab"),
                Err(()),
            ),
            (
                "the image does not let it",
                true,
                false,
                all,
                None,
                Some("lab"),
                Err(()),
            ),
            ("nonsense", true, true, all, None, Some("../lab"), Err(())),
        ] {
            let (mut cast, mut image) = (
                crate::testing::cast(1).settings,
                crate::testing::image(1).settings,
            );
            cast.dynamic_docker_network = dynamic;
            image.allow_network_selection = selection;
            image.restrict_to_networks = restricted.iter().map(|text| name(text)).collect();
            image.network = own.map(name);
            let chosen = check(&cast, &image, requested);
            assert_eq!(
                chosen.map_err(|denial| assert_eq!(denial.code, DenialCode::NetworkDenied)),
                expected.map(|text| text.map(name)),
                "{case}"
            );
        }
    }

    #[test]
    fn deleted_network_is_never_replaced() {
        let lab = NetworkName::parse("lab");
        for (case, chosen, exists, by_visitor, code) in [
            ("none", None, false, false, None),
            ("there", lab.as_ref(), true, true, None),
            (
                "requested, gone",
                lab.as_ref(),
                false,
                true,
                Some(DenialCode::NetworkDenied),
            ),
            (
                "the image's own, gone",
                lab.as_ref(),
                false,
                false,
                Some(DenialCode::ImageUnavailable),
            ),
        ] {
            assert_eq!(
                found(chosen, exists, by_visitor)
                    .err()
                    .map(|denial| denial.code),
                code,
                "{case}"
            );
        }
    }
}
