//! Owns referrers: the host that a visitor came from, and the rules of which hosts are accepted
//! (seed: Restrict to Referrers). Must not know headers.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// One line of the list: `acme.com` (it and its subdomains), `=acme.com` (exactly it), `*.acme.com`
/// (its subdomains only).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReferrerRule {
    reach: Reach,
    host: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    HostAndSubdomains,
    Host,
    Subdomains,
}

impl ReferrerRule {
    /// Reads a line as an administrator writes it: scheme, port and path are dropped, case and
    /// international names are made equal.
    ///
    /// # Errors
    /// One plain sentence when the line names no host.
    pub fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim();
        let (reach, rest) = if let Some(rest) = line.strip_prefix('=') {
            (Reach::Host, rest)
        } else if let Some(rest) = line.strip_prefix("*.") {
            (Reach::Subdomains, rest)
        } else {
            (Reach::HostAndSubdomains, line)
        };
        let host = host_of(rest)
            .ok_or_else(|| format!("\u{201c}{line}\u{201d} is not a domain such as acme.com."))?;
        Ok(Self { reach, host })
    }

    /// Whether a visitor from `host` is accepted. `host` must come from [`host_of`].
    pub fn accepts(&self, host: &str) -> bool {
        let is_subdomain = || {
            host.strip_suffix(&self.host)
                .is_some_and(|label| label.len() > 1 && label.ends_with('.'))
        };
        match self.reach {
            Reach::Host => host == self.host,
            Reach::Subdomains => is_subdomain(),
            Reach::HostAndSubdomains => host == self.host || is_subdomain(),
        }
    }
}

impl fmt::Display for ReferrerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.reach {
            Reach::Host => "=",
            Reach::Subdomains => "*.",
            Reach::HostAndSubdomains => "",
        };
        write!(f, "{sign}{}", self.host)
    }
}

impl TryFrom<String> for ReferrerRule {
    type Error = String;
    fn try_from(line: String) -> Result<Self, String> {
        Self::parse(&line)
    }
}

impl From<ReferrerRule> for String {
    fn from(rule: ReferrerRule) -> Self {
        rule.to_string()
    }
}

/// The host of a URL or of a bare domain: lower case, punycode, no trailing dot, no port. `None`
/// when there is none.
pub fn host_of(text: &str) -> Option<String> {
    let text = text.trim();
    let url = if text.contains("://") {
        Url::parse(text).ok()?
    } else {
        Url::parse(&format!("http://{text}")).ok()?
    };
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() {
        return None;
    }
    let host = match url.host()? {
        // One dot at most: what two leave behind could read as an address.
        Host::Domain(domain) => domain.strip_suffix('.').unwrap_or(domain).to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => format!("[{address}]"),
    };
    let is_plain = match url.host()? {
        Host::Domain(_) => is_host_name(&host),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    };
    is_plain.then_some(host)
}

/// Whether it is a name as DNS and browsers know it, in punycode and without a trailing dot. The
/// URL standard lets more through, such as semicolons, which end a directive where a host stands in
/// a header.
pub fn is_host_name(name: &str) -> bool {
    name.split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_matches_exactly_its_hosts() {
        for (name, rule, referrer, accepted) in [
            (
                "the host itself",
                "acme.com",
                "https://acme.com/page?q=1",
                true,
            ),
            ("a subdomain", "acme.com", "https://www.acme.com/", true),
            (
                "a deep subdomain",
                "acme.com",
                "https://a.b.acme.com/",
                true,
            ),
            ("a lookalike", "acme.com", "https://evilacme.com/", false),
            (
                "a lookalike in front",
                "acme.com",
                "https://acme.com.evil.org/",
                false,
            ),
            ("the parent", "www.acme.com", "https://acme.com/", false),
            ("exact: the host", "=acme.com", "https://acme.com/", true),
            (
                "exact: a subdomain",
                "=acme.com",
                "https://www.acme.com/",
                false,
            ),
            (
                "subdomains only: the host",
                "*.acme.com",
                "https://acme.com/",
                false,
            ),
            (
                "subdomains only: a subdomain",
                "*.acme.com",
                "https://www.acme.com/",
                true,
            ),
            (
                "subdomains only: an empty label",
                "*.acme.com",
                "https://.acme.com/",
                false,
            ),
            ("case", "ACME.com", "https://AcMe.CoM/", true),
            ("a trailing dot", "acme.com.", "https://acme.com./", true),
            (
                "port and scheme do not matter",
                "https://acme.com:8443/path",
                "http://acme.com:81/",
                true,
            ),
            (
                "international names",
                "bücher.example",
                "https://xn--bcher-kva.example/",
                true,
            ),
            ("an address", "192.0.2.1", "http://192.0.2.1:8080/", true),
            ("part of an address", "2.1", "http://192.0.2.1/", false),
            (
                "userinfo is not the host",
                "acme.com",
                "https://acme.com@evil.org/",
                false,
            ),
        ] {
            let rule = ReferrerRule::parse(rule).expect(name);
            let accepted_now = host_of(referrer).is_some_and(|host| rule.accepts(&host));
            assert_eq!(accepted_now, accepted, "{name}");
        }
    }

    #[test]
    fn rule_without_host_is_refused() {
        for line in [
            "",
            "=",
            "*.",
            "http://",
            "a b",
            "ftp://acme.com",
            "*",
            "acme.com;sandbox",
            "acme.com,evil.org",
            "acme.*",
        ] {
            assert!(ReferrerRule::parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn referrer_rules_round_trip() {
        for line in [
            "acme.com",
            "=acme.com",
            "*.acme.com",
            "xn--bcher-kva.example",
        ] {
            assert_eq!(ReferrerRule::parse(line).expect(line).to_string(), line);
        }
    }
}
