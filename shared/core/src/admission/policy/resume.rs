//! Owns how a visitor gets back into their own running session: what their link's parameters change
//! in it, and what cannot be applied. A wrong parameter never keeps a visitor from their session.

use super::{LinkParameters, kasm_url};
use crate::cast::CastSettings;
use crate::session::Session;

/// How a visitor gets back into their own running session.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Resumption {
    /// The address that the visitor brought, to be opened in the session.
    pub opens: Option<String>,
    /// Why parameters of the link are not applied.
    pub not_applied: Vec<NotApplied>,
}

/// A parameter of a link that is not applied to a running session, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotApplied {
    /// `kasm_url` is no address that the link accepts.
    UrlInvalid,
    /// The link takes no `kasm_url`.
    UrlNotAccepted,
    /// The app cannot open an address while it runs.
    UrlUnsupported,
    /// The visitor did not agree to open the address.
    UrlNotAgreed,
    /// `docker_network` names another network than the one that the session runs in.
    NetworkUnchanged,
}

impl NotApplied {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::UrlInvalid,
        Self::UrlNotAccepted,
        Self::UrlUnsupported,
        Self::UrlNotAgreed,
        Self::NetworkUnchanged,
    ];

    /// The stable code, as the API and addresses say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UrlInvalid => "kasm-url-invalid",
            Self::UrlNotAccepted => "kasm-url-not-accepted",
            Self::UrlUnsupported => "kasm-url-unsupported",
            Self::UrlNotAgreed => "kasm-url-not-agreed",
            Self::NetworkUnchanged => "docker-network-unchanged",
        }
    }

    /// Reads a code; `None` when there is no such code.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// What these parameters mean for the session `own`. `consent` is whether the visitor agreed to open
/// the address; `None` while they have not been asked.
pub fn plan(
    settings: &CastSettings,
    own: &Session,
    parameters: &LinkParameters,
    consent: Option<bool>,
) -> Resumption {
    let mut plan = Resumption::default();
    match kasm_url::check(settings, parameters.kasm_url.as_deref()) {
        Err(_) => plan.not_applied.push(NotApplied::UrlInvalid),
        Ok(chosen) if chosen.ignored => plan.not_applied.push(NotApplied::UrlNotAccepted),
        Ok(chosen) if !chosen.by_visitor => {}
        Ok(_) if own.options.exec.go.is_none() => {
            plan.not_applied.push(NotApplied::UrlUnsupported);
        }
        Ok(_) if consent == Some(false) => plan.not_applied.push(NotApplied::UrlNotAgreed),
        Ok(chosen) => plan.opens = chosen.url,
    }
    let requested = parameters.docker_network.as_deref().map(str::trim);
    let network = own.launch.network.as_ref();
    if requested.is_some_and(|requested| {
        !requested.is_empty() && network.is_none_or(|network| network.name.as_str() != requested)
    }) {
        plan.not_applied.push(NotApplied::NetworkUnchanged);
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch_spec::LaunchNetwork;
    use crate::network::{NetworkName, Placement};
    use crate::session_options::Exec;
    use crate::testing::{cast, session};

    /// A session in the network `lab` whose app has a command to open addresses.
    fn own() -> Session {
        let mut own = session(&cast(1), 1);
        own.options.exec.go = Some(Exec {
            command: vec!["open".into()],
            user: None,
            working_directory: None,
            environment: Default::default(),
        });
        own.launch.network = Some(LaunchNetwork {
            name: NetworkName::parse("lab").expect("a name"),
            placement: Placement {
                subnets: vec!["subnet-1".into()],
                security_groups: Vec::new(),
                assign_public_ip: false,
            },
        });
        own
    }

    #[test]
    fn notice_codes_round_trip() {
        for reason in NotApplied::ALL {
            assert_eq!(NotApplied::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(NotApplied::parse("<script>"), None);
    }

    #[test]
    fn resume_opens_a_url_if_link_and_app_allow() {
        let mut settings = cast(1).settings;
        settings.kasm_url = Some("https://own.example/".into());
        let opened = "https://example.com/";
        for (name, dynamic, can_go, consent, requested, expected) in [
            ("no requested", true, true, Some(true), None, Ok(None)),
            (
                "an empty requested",
                true,
                true,
                Some(true),
                Some(" "),
                Ok(None),
            ),
            (
                "a requested, agreed",
                true,
                true,
                Some(true),
                Some("example.com"),
                Ok(Some(opened)),
            ),
            (
                "a requested, not asked yet",
                true,
                true,
                None,
                Some("example.com"),
                Ok(Some(opened)),
            ),
            (
                "a requested, not agreed",
                true,
                true,
                Some(false),
                Some("example.com"),
                Err(NotApplied::UrlNotAgreed),
            ),
            (
                "a requested that the app cannot open",
                true,
                false,
                Some(true),
                Some("example.com"),
                Err(NotApplied::UrlUnsupported),
            ),
            (
                "a requested that the link does not take",
                false,
                true,
                Some(true),
                Some("example.com"),
                Err(NotApplied::UrlNotAccepted),
            ),
            (
                "a wrong requested",
                true,
                true,
                Some(true),
                Some("http://localhost/"),
                Err(NotApplied::UrlInvalid),
            ),
        ] {
            settings.dynamic_kasm_url = dynamic;
            let mut own = own();
            own.options.exec.go = own.options.exec.go.filter(|_| can_go);
            let parameters = LinkParameters {
                kasm_url: requested.map(str::to_owned),
                ..LinkParameters::default()
            };
            let (opens, not_applied) = match expected {
                Ok(opens) => (opens, vec![]),
                Err(reason) => (None, vec![reason]),
            };
            let plan = plan(&settings, &own, &parameters, consent);
            assert_eq!(
                (plan.opens.as_deref(), plan.not_applied),
                (opens, not_applied),
                "{name}"
            );
        }
    }

    #[test]
    fn resume_keeps_the_network() {
        let unchanged = &[NotApplied::NetworkUnchanged][..];
        for (name, requested, expected) in [
            ("no requested", None, &[][..]),
            ("an empty requested", Some(" "), &[][..]),
            ("the session's own", Some("lab"), &[][..]),
            ("the session's own, with spaces", Some(" lab "), &[][..]),
            ("another", Some("dmz"), unchanged),
            ("nonsense", Some("../lab"), unchanged),
        ] {
            let parameters = LinkParameters {
                docker_network: requested.map(str::to_owned),
                ..LinkParameters::default()
            };
            let plan = plan(&cast(1).settings, &own(), &parameters, Some(true));
            assert_eq!(plan.not_applied, expected, "{name}");
        }
        let mut own = own();
        own.launch.network = None;
        let parameters = LinkParameters {
            docker_network: Some("lab".into()),
            ..LinkParameters::default()
        };
        let plan = plan(&cast(1).settings, &own, &parameters, Some(true));
        assert_eq!(plan.not_applied, unchanged, "in the deployment's own");
    }
}
