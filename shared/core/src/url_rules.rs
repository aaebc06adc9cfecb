//! Owns which URLs an administrator may set: the error URL (seed: Error URL) and the URL a session opens (seed: Kasm URL).
//! Must not know forms or HTTP.

use std::net::Ipv4Addr;

use url::{Host, Url};

use crate::referrer::{self, ReferrerRule};

/// The longest URL that is kept, in bytes.
pub const MAX_URL_BYTES: usize = 2048;

/// Reads the URL that a session opens and gives it as it is handed to the session: parsed and written out again.
/// `https://` is added when there is no scheme. Session images put it on a command line unquoted, so nothing that a shell
/// would split or a program would take for an option comes through.
///
/// # Errors
/// One plain sentence.
pub fn session_url(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err("must not begin with a hyphen.".to_owned());
    }
    if text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | '\\'))
    {
        return Err(
            "must not contain spaces, quotes, backslashes or control characters.".to_owned(),
        );
    }
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let url = parse(&with_scheme)?;
    bounded(&url)
}

/// Reads a URL that a visitor brings (seed: Allow Dynamic Kasm URL Parameter), as [`session_url`], and makes sure that it leads to a host that
/// visitors may name: one that `hosts` accepts; if that is empty, any that the whole internet can reach.
///
/// # Errors
/// One plain sentence.
pub fn visitors_url(text: &str, hosts: &[ReferrerRule]) -> Result<String, String> {
    let written = session_url(text)?;
    let url = parse(&written)?;
    let listed = referrer::host_of(&written)
        .is_some_and(|host| hosts.iter().any(|rule| rule.accepts(&host)));
    match (hosts.is_empty(), listed) {
        (false, false) => Err("leads to a host that this link does not open.".to_owned()),
        (true, _) if !is_public(&url) => {
            Err("leads to a host that is not on the public internet.".to_owned())
        }
        _ => Ok(written),
    }
}

/// Whether the host is one that the whole internet can reach, as far as its name says: what a session could reach inside its own network
/// (the cloud's metadata service, neighbours, itself) is not.
fn is_public(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => {
            let name = domain.trim_end_matches('.');
            let inner = [
                "localhost",
                "local",
                "internal",
                "intranet",
                "lan",
                "home",
                "corp",
                "arpa",
                "test",
                "invalid",
                "onion",
            ];
            name.rsplit_once('.')
                .is_some_and(|(_, last)| !inner.contains(&last))
        }
        Some(Host::Ipv4(address)) => is_public_v4(address),
        Some(Host::Ipv6(address)) => {
            let [first, second, ..] = address.segments();
            // 2000::/3 is the public internet; parts of it carry IPv4 addresses, or are for documentation.
            let carries_v4 =
                first == 0x2002 || (first == 0x2001 && second == 0) || address.to_ipv4().is_some();
            first & 0xe000 == 0x2000 && !carries_v4 && !(first == 0x2001 && second == 0xdb8)
        }
        None => false,
    }
}

const fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && b & 0xc0 == 64;
    let benchmark = a == 198 && b & 0xfe == 18;
    let protocols = a == 192 && b == 0 && c == 0;
    let inner = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || a == 0
        || a >= 224;
    !(inner || shared || benchmark || protocols || address.is_documentation())
}

/// Reads the address of a service that we call.
///
/// # Errors
/// One plain sentence.
pub fn service_url(text: &str) -> Result<String, String> {
    bounded(&secure(text)?)
}

/// Reads the picture behind a landing page.
///
/// # Errors
/// One plain sentence.
pub fn picture_url(text: &str) -> Result<String, String> {
    let url = secure(text)?;
    // It stands in a header that semicolons and commas would split, and in a style sheet that quotes would end.
    if url
        .as_str()
        .contains([';', ',', '\'', '"', '(', ')', '\\', '*'])
    {
        return Err(
            "must not contain semicolons, commas, quotes, brackets, backslashes or asterisks."
                .to_owned(),
        );
    }
    bounded(&url)
}

/// Reads the URL that visitors are sent to when a claim is refused; `public_url` is our own origin.
///
/// # Errors
/// One plain sentence.
pub fn error_url(text: &str, public_url: &str) -> Result<String, String> {
    let url = secure(text)?;
    let ours = Url::parse(public_url).is_ok_and(|ours| ours.host() == url.host());
    // Percent signs could hide the word from us but not from the router, so on our own host there are none.
    let leads_to_casts =
        |segment: &str| segment.eq_ignore_ascii_case("cast") || segment.contains('%');
    if ours
        && url
            .path_segments()
            .and_then(|mut segments| segments.find(|segment| !segment.is_empty()))
            .is_some_and(leads_to_casts)
    {
        return Err(
            "must not lead to a casting link of this host: visitors would go round in circles."
                .to_owned(),
        );
    }
    bounded(&url)
}

fn parse(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .map_err(|_| "is not a URL such as https://example.com/page.".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with https:// or http://.".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user name or password.".to_owned());
    }
    Ok(url)
}

fn secure(text: &str) -> Result<Url, String> {
    let url = parse(text.trim())?;
    if url.scheme() == "http" && !is_this_machine(&url) {
        return Err("must begin with https:// (http:// is for localhost only).".to_owned());
    }
    Ok(url)
}

fn bounded(url: &Url) -> Result<String, String> {
    if url.as_str().len() > MAX_URL_BYTES {
        Err(format!("is longer than {MAX_URL_BYTES} characters."))
    } else {
        Ok(url.as_str().to_owned())
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_url_is_kept_as_it_was_parsed() {
        let long = format!("https://example.com/{}", "a".repeat(MAX_URL_BYTES));
        for (name, text, kept) in [
            (
                "as it is",
                "https://example.com/a?b=c&d#e",
                Some("https://example.com/a?b=c&d#e"),
            ),
            ("http", "http://example.com/", Some("http://example.com/")),
            ("no scheme", "example.com", Some("https://example.com/")),
            (
                "no scheme, but a port",
                "localhost:3000/x",
                Some("https://localhost:3000/x"),
            ),
            (
                "spaces around",
                "  example.com ",
                Some("https://example.com/"),
            ),
            (
                "case of scheme and host",
                "HTTPS://EXAMPLE.com/A",
                Some("https://example.com/A"),
            ),
            (
                "international names",
                "https://bücher.example/ä",
                Some("https://xn--bcher-kva.example/%C3%A4"),
            ),
            (
                "an inner host is the administrator's choice",
                "http://10.0.0.7:8080/",
                Some("http://10.0.0.7:8080/"),
            ),
            (
                "an address in disguise is written plainly",
                "http://0x7f.1/",
                Some("http://127.0.0.1/"),
            ),
            ("a space", "https://example.com/a b", None),
            ("an option", "--renderer-cmd-prefix=sh", None),
            ("a quote", "https://example.com/'x", None),
            ("a backslash", "https:\\\\example.com", None),
            ("a line break", "https://example.com/\n--x", None),
            ("a user name", "https://user@example.com/", None),
            ("a password", "https://:secret@example.com/", None),
            ("a file", "file:///etc/passwd", None),
            ("a script", "javascript:alert(1)", None),
            (
                "a script with slashes",
                "javascript://example.com/%0aalert(1)",
                None,
            ),
            ("nothing", "", None),
            ("no host", "https://", None),
            ("too long", long.as_str(), None),
        ] {
            assert_eq!(session_url(text).ok().as_deref(), kept, "{name}");
        }
    }

    #[test]
    fn a_visitors_url_leads_to_the_public_internet_or_to_a_listed_host() {
        let listed = [
            ReferrerRule::parse("acme.com").expect("a host"),
            ReferrerRule::parse("10.0.0.7").expect("an address"),
        ];
        for (name, text, hosts, fits) in [
            ("a public host", "example.com/a?b", &[][..], true),
            ("a public address", "https://8.8.8.8/", &[], true),
            (
                "a public IPv6 address",
                "https://[2606:4700::1111]/",
                &[],
                true,
            ),
            ("this machine", "http://localhost:6901/", &[], false),
            ("this machine with a dot", "http://localhost./", &[], false),
            ("a name of this machine", "http://a.localhost/", &[], false),
            ("loopback", "http://127.0.0.1/", &[], false),
            ("loopback in disguise", "http://0x7f000001/", &[], false),
            ("loopback as one number", "http://2130706433/", &[], false),
            ("nothing at all", "http://0.0.0.0/", &[], false),
            (
                "the metadata service",
                "http://169.254.169.254/latest/meta-data/",
                &[],
                false,
            ),
            (
                "the task's credentials",
                "http://169.254.170.2/v2/credentials",
                &[],
                false,
            ),
            ("a private network", "http://192.168.1.1/", &[], false),
            ("a carrier's network", "http://100.64.0.1/", &[], false),
            ("IPv6 loopback", "http://[::1]/", &[], false),
            (
                "IPv4 in IPv6 clothes",
                "http://[::ffff:169.254.169.254]/",
                &[],
                false,
            ),
            (
                "IPv4 in 6to4 clothes",
                "http://[2002:a9fe:a9fe::1]/",
                &[],
                false,
            ),
            (
                "a local IPv6 address",
                "http://[fd00:ec2::254]/",
                &[],
                false,
            ),
            ("a link-local IPv6 address", "http://[fe80::1]/", &[], false),
            ("a name without a dot", "http://intranet/", &[], false),
            (
                "an internal name",
                "http://metadata.google.internal/",
                &[],
                false,
            ),
            ("a listed host", "https://www.acme.com/", &listed, true),
            ("a listed private host", "http://10.0.0.7/", &listed, true),
            (
                "a public host that is not listed",
                "https://example.com/",
                &listed,
                false,
            ),
            ("a lookalike", "https://evilacme.com/", &listed, false),
            ("an option", "--no-sandbox", &[], false),
            ("a script", "javascript:alert(1)", &[], false),
        ] {
            assert_eq!(visitors_url(text, hosts).is_ok(), fits, "{name}");
        }
    }

    #[test]
    fn a_picture_cannot_break_out_of_a_header_or_a_style_sheet() {
        for (name, text, fits) in [
            ("https", "https://example.com/a.jpg?x=1&y=2", true),
            ("http", "http://example.com/a.jpg", false),
            ("a quote", "https://example.com/a'b.jpg", false),
            ("a bracket", "https://example.com/a).jpg", false),
            ("a semicolon", "https://example.com/a;script-src *", false),
            ("data", "data:image/png;base64,AAAA", false),
        ] {
            assert_eq!(picture_url(text).is_ok(), fits, "{name}");
        }
    }

    #[test]
    fn an_error_url_leads_elsewhere() {
        for (name, text, fits) in [
            ("https", "https://example.com/sorry?from=cast", true),
            ("http elsewhere", "http://example.com/", false),
            ("http on this machine", "http://localhost:9000/", true),
            (
                "http on a name of this machine",
                "http://a.localhost/",
                true,
            ),
            (
                "http on an address of this machine",
                "http://127.0.0.1:1/",
                true,
            ),
            ("no scheme", "example.com", false),
            ("a script", "javascript:alert(1)", false),
            ("a user name", "https://me@example.com/", false),
            (
                "another page of our host",
                "https://cast.example.org/about",
                true,
            ),
            (
                "a link of our host",
                "https://cast.example.org/cast/123abc",
                false,
            ),
            (
                "over another scheme and port",
                "https://cast.example.org:444/cast/123abc",
                false,
            ),
            (
                "with doubled slashes",
                "https://cast.example.org//cast/123abc",
                false,
            ),
            (
                "with dots",
                "https://cast.example.org/a/../cast/123abc",
                false,
            ),
            (
                "with percent signs",
                "https://cast.example.org/%63ast/123abc",
                false,
            ),
            (
                "the same path elsewhere",
                "https://example.com/cast/123abc",
                true,
            ),
        ] {
            assert_eq!(
                error_url(text, "https://cast.example.org").is_ok(),
                fits,
                "{name}"
            );
        }
    }
}
