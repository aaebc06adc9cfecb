//! Owns the rule what a visitor's `kasm_url` may be (seed: Allow Dynamic Kasm URL Parameter), and
//! which URL the session opens.

use crate::cast::CastSettings;
use crate::denial::{Denial, DenialCode};
use crate::url_rules;

/// Which URL a session opens.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Chosen {
    /// The URL as the container gets it.
    pub url: Option<String>,
    /// Whether the visitor chose it. What a stranger's link makes of a session must be seen before
    /// it starts.
    pub by_visitor: bool,
    /// Whether the visitor's address was ignored, because the link takes none.
    pub ignored: bool,
}

/// The visitor's URL if the link takes one, else the link's own. An empty one counts as none.
///
/// # Errors
/// `ParameterInvalid` when the link takes one but not this.
pub fn check(settings: &CastSettings, requested: Option<&str>) -> Result<Chosen, Denial> {
    let requested = requested
        .map(str::trim)
        .filter(|requested| !requested.is_empty());
    let own = settings.kasm_url.clone();
    match requested {
        None => Ok(Chosen {
            url: own,
            ..Chosen::default()
        }),
        Some(_) if !settings.dynamic_kasm_url => Ok(Chosen {
            url: own,
            ignored: true,
            ..Chosen::default()
        }),
        Some(requested) => {
            match url_rules::visitors_url(requested, &settings.dynamic_kasm_url_hosts) {
                Ok(url) => Ok(Chosen {
                    url: Some(url),
                    by_visitor: true,
                    ignored: false,
                }),
                Err(why) => Err(Denial::because(
                    DenialCode::ParameterInvalid,
                    format!("The parameter kasm_url {why}"),
                )),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dynamic_url_needs_the_links_permission() {
        for (name, dynamic, requested, url, by_visitor, ignored) in [
            (
                "nothing requested",
                true,
                None,
                Some("https://own.example/"),
                false,
                false,
            ),
            (
                "an empty address",
                true,
                Some(" "),
                Some("https://own.example/"),
                false,
                false,
            ),
            (
                "an address",
                true,
                Some("example.com"),
                Some("https://example.com/"),
                true,
                false,
            ),
            (
                "an address that the link does not take",
                false,
                Some("example.com"),
                Some("https://own.example/"),
                false,
                true,
            ),
            (
                "a wrong address that the link does not take",
                false,
                Some("--x"),
                Some("https://own.example/"),
                false,
                true,
            ),
            (
                "a wrong address",
                true,
                Some("http://localhost/"),
                None,
                false,
                false,
            ),
        ] {
            let mut settings = crate::testing::cast(1).settings;
            settings.kasm_url = Some("https://own.example/".into());
            settings.dynamic_kasm_url = dynamic;
            let expected = url.map(|url| Chosen {
                url: Some(url.to_owned()),
                by_visitor,
                ignored,
            });
            let chosen = check(&settings, requested);
            assert_eq!(chosen.as_ref().ok(), expected.as_ref(), "{name}");
            if let Err(denial) = chosen {
                assert!(
                    denial.code == DenialCode::ParameterInvalid
                        && denial
                            .detail
                            .is_some_and(|detail| detail.contains("kasm_url"))
                );
            }
        }
    }
}
