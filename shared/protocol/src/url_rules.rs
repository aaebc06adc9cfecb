//! Owns which URLs an administrator may set: the error URL (seed: Error URL) and the URL a session
//! opens (seed: Kasm URL). Must not know forms or HTTP.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

use crate::public_host::{Reach, reach};
use crate::referrer::{self, ReferrerRule};
use crate::session_origin;

/// The longest URL that is kept, in bytes.
pub const MAX_URL_BYTES: usize = 2048;

/// Reads the URL that a session opens and gives it as it is handed to the session: parsed and
/// written out again. `https://` is added when there is no scheme. Session images put it on a
/// command line unquoted, so nothing that a shell would split or a program would take for an option
/// comes through.
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
    let with_scheme = if has_scheme(text) {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let url = parse(&with_scheme)?;
    bounded(&url)
}

/// Whether an address names its scheme. One without may have another address in its query.
fn has_scheme(text: &str) -> bool {
    let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    text.split_once("://")
        .is_some_and(|(scheme, _)| scheme.chars().all(is_of_scheme))
}

/// Reads a URL that a visitor brings (seed: Allow Dynamic Kasm URL Parameter), as [`session_url`],
/// and makes sure that it leads to a host that visitors may name: one that `hosts` accepts; if that
/// is empty, any that the whole internet can reach. Where a public name leads is not looked up: the
/// app looks it up itself and may get another answer, so the session's network decides.
///
/// # Errors
/// One plain sentence.
pub fn visitors_url(text: &str, hosts: &[ReferrerRule]) -> Result<String, String> {
    let written = session_url(&escape(text))?;
    let url = parse(&written)?;
    let listed = referrer::host_of(&written)
        .is_some_and(|host| hosts.iter().any(|rule| rule.accepts(&host)));
    match (hosts.is_empty(), listed) {
        (false, false) => Err("leads to a host that this link does not open.".to_owned()),
        (true, _) if url.host().is_none_or(|host| reach(&host) != Reach::Public) => {
            Err("leads to a host that is not on the public internet.".to_owned())
        }
        _ => Ok(written),
    }
}

/// The spaces and quotes of a URL as browsers write them: a link has them where its writer put plus
/// signs, searched for a phrase, or copied a title. In a host they stay an error.
fn escape(url: &str) -> String {
    let is_escaped =
        |c: char| matches!(c, '\'' | '"' | '`') || (c.is_whitespace() && !c.is_control());
    let mut escaped = String::with_capacity(url.len());
    for part in url.trim().split_inclusive(is_escaped) {
        let plain = part.trim_end_matches(is_escaped);
        let (plain, special) = part.split_at(plain.len());
        escaped.push_str(plain);
        escaped.extend(utf8_percent_encode(special, NON_ALPHANUMERIC));
    }
    escaped
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
    // It stands in a header that semicolons and commas would split, and in a style sheet that
    // quotes would end.
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

/// Where this deployment itself answers.
#[derive(Clone, Debug, Default)]
pub struct OwnUrls {
    /// The control plane, by each name that is known of it.
    pub control: Vec<String>,
    /// Where a session is, with `{session}` for its id.
    pub session: String,
}

impl OwnUrls {
    /// Of a control plane with one name, without the addresses of its sessions.
    pub fn of(public_url: &str) -> Self {
        Self {
            control: vec![public_url.to_owned()],
            session: String::new(),
        }
    }

    /// Whether a browser that is sent to this address comes back to this deployment: to the control
    /// plane by any of its names, or to a session. On one machine others may listen at other ports;
    /// everywhere else the host is ours, whatever the port.
    pub fn contain(&self, url: &Url) -> bool {
        let (Some(host), port) = (HostName::of(url), url.port_or_known_default()) else {
            return false;
        };
        let outside_host = session_affixes(&self.session).is_none();
        let sessions = outside_host.then_some(&self.session);
        let is_control = |own: &String| {
            // The placeholder of a path is no part of the host.
            Url::parse(&own.replace("{session}", "id")).is_ok_and(|own| {
                HostName::of(&own).as_ref() == Some(&host)
                    && (host != HostName::ThisMachine || own.port_or_known_default() == port)
            })
        };
        self.control.iter().chain(sessions).any(is_control) || self.is_session(&host)
    }

    fn is_session(&self, host: &HostName) -> bool {
        let HostName::Other(host) = host else {
            return false;
        };
        session_affixes(&self.session)
            .is_some_and(|(before, after)| session_origin::of_host(host, &before, &after).is_some())
    }
}

/// Whether sessions at this address, which has `{session}` for their ids, have a host name each.
pub fn has_session_host(template: &str) -> bool {
    session_affixes(template).is_some()
}

/// What stands before and after the session's id in the host of a session's address.
fn session_affixes(template: &str) -> Option<(String, String)> {
    let (_, rest) = template.split_once("://")?;
    let host = rest.split(['/', ':']).next()?;
    let (before, after) = host.split_once("{session}")?;
    Some((before.to_ascii_lowercase(), after.to_ascii_lowercase()))
}

/// A host, the same for all of its spellings.
#[derive(PartialEq, Eq)]
enum HostName {
    /// Any name or address of the machine that asks.
    ThisMachine,
    /// Without the trailing dot, in small letters.
    Other(String),
}

impl HostName {
    fn of(url: &Url) -> Option<Self> {
        let host = url.host()?;
        if reach(&host) == Reach::ThisMachine {
            return Some(Self::ThisMachine);
        }
        Some(Self::Other(match host {
            Host::Domain(name) => name.trim_end_matches('.').to_ascii_lowercase(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_canonical().to_string(),
        }))
    }
}

/// Reads the URL that visitors are sent to when a claim is refused; it leads away from `own`.
///
/// # Errors
/// One plain sentence.
pub fn error_url(text: &str, own: &OwnUrls) -> Result<String, String> {
    let url = secure(text)?;
    // Percent signs could hide the word from us but not from the router.
    let leads_to_casts =
        |segment: &str| segment.eq_ignore_ascii_case("cast") || segment.contains('%');
    // Behind a proxy, a stack on this machine is reached at a port that is not known here.
    let is_near_by = HostName::of(&url) == Some(HostName::ThisMachine)
        && url
            .path_segments()
            .and_then(|mut segments| segments.find(|segment| !segment.is_empty()))
            .is_some_and(leads_to_casts);
    if is_near_by || own.contain(&url) {
        return Err(
            "must not lead to this deployment itself: visitors would go round in circles."
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
    let is_name = |name: &str| referrer::is_host_name(name.strip_suffix('.').unwrap_or(name));
    match url.host() {
        Some(Host::Domain(name)) if !is_name(name) => Err(
            "names a host that is not letters, digits, hyphens and underscores between single dots."
                .to_owned(),
        ),
        _ => Ok(url),
    }
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
    use crate::ids::SessionId;

    #[test]
    fn session_url_is_stored_as_parsed() {
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
    fn dynamic_url_must_be_public_or_listed() {
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
            ("two dots", "http://127.0.0.1../", &[], false),
            (
                "a host with a semicolon",
                "http://acme.com;x/",
                &listed,
                false,
            ),
            ("a host with a comma", "http://acme.com,x/", &[], false),
            ("two dots", "http://acme.com../", &listed, false),
            ("a trailing dot", "http://acme.com./", &listed, true),
            ("a name for loopback", "127.0.0.1.nip.io", &[], false),
            ("a mapped address", "http://[::ffff:10.0.0.1]/", &[], false),
            ("unspecified", "http://[::]/", &[], false),
            ("NAT64", "http://[64:ff9b::a00:1]/", &[], false),
            ("full-width digits", "http://１０.0.0.1/", &[], false),
            ("octal", "http://012.0.0.1/", &[], false),
            (
                "a host as user name",
                "http://example.com@10.0.0.1/",
                &[],
                false,
            ),
            ("a host as password", "http://a:b@10.0.0.1/", &[], false),
            (
                "a hidden at sign",
                "http://example.com%40127.0.0.1/",
                &[],
                false,
            ),
            ("three slashes", "http:///127.0.0.1/", &[], false),
            ("no slash", "http:127.0.0.1", &[], false),
            ("broken punycode", "http://xn--a.example.com/", &[], false),
            ("a zone", "http://[fe80::1%25eth0]/", &[], false),
            ("an option", "--no-sandbox", &[], false),
            ("a script", "javascript:alert(1)", &[], false),
            (
                "an option behind a host",
                "acme.com --no-sandbox",
                &[],
                false,
            ),
            ("a tab", "http://acme.com/a\tb", &[], false),
            ("a quote in a host", "http://acme\".com/", &[], false),
            ("a line break", "http://acme.com/a\nb", &[], false),
            ("a backslash", "http://acme.com/a\\b", &[], false),
            (
                "an address in a query",
                "acme.com/?to=https://10.0.0.1/",
                &[],
                true,
            ),
            (
                "an address in a fragment",
                "10.0.0.1#://acme.com/",
                &[],
                false,
            ),
            (
                "a port before a fragment",
                "localhost:80#://acme.com/",
                &[],
                false,
            ),
            (
                "a port before a query",
                "127.0.0.1:80?://acme.com/",
                &[],
                false,
            ),
            ("a relative scheme", "//127.0.0.1/", &[], false),
            ("three slashes, no scheme", "///127.0.0.1/", &[], false),
            (
                "a scheme within one",
                "view-source:http://acme.com/",
                &[],
                false,
            ),
            ("a blob", "blob:https://acme.com/1", &[], false),
            ("soft hyphen", "http://local\u{ad}host/", &[], false),
            ("zero-width space", "http://127.0.0\u{200b}.1/", &[], false),
            ("ideographic stop", "http://127。0。0。1/", &[], false),
            ("a trailing dot", "http://127.0.0.1./", &[], false),
            ("octal parts", "http://0177.0.0.01/", &[], false),
            ("hexadecimal parts", "http://0x7f.0x0.0x0.0x1/", &[], false),
            ("two parts", "http://127.1/", &[], false),
            ("three parts", "http://127.0.1/", &[], false),
            (
                "mapped, in hexadecimal",
                "http://[::ffff:7f00:1]/",
                &[],
                false,
            ),
            (
                "mapped, in full",
                "http://[0:0:0:0:0:ffff:127.0.0.1]/",
                &[],
                false,
            ),
            ("compatible", "http://[::127.0.0.1]/", &[], false),
            (
                "user and loopback",
                "http://acme.com:80@127.0.0.1/",
                &[],
                false,
            ),
            (
                "an encoded user",
                "http://acme.com%3A80%40127.0.0.1/",
                &[],
                false,
            ),
            ("a space before the host", "http:// 127.0.0.1/", &[], false),
            ("too many numbers", "http://127.0.0.0.1/", &[], false),
            (
                "a number that is too large",
                "http://4294967297/",
                &[],
                false,
            ),
        ] {
            assert_eq!(visitors_url(text, hosts).is_ok(), fits, "{name}");
        }
    }

    #[test]
    fn visitors_spaces_and_quotes_are_escaped() {
        for (text, written) in [
            (
                "https://acme.com/search?q=a b",
                "https://acme.com/search?q=a%20b",
            ),
            (
                "https://acme.com/wiki/Rubik's_Cube",
                "https://acme.com/wiki/Rubik%27s_Cube",
            ),
            (
                " acme.com/a  --no-sandbox ",
                "https://acme.com/a%20%20--no-sandbox",
            ),
            (
                "acme.com/?q=\"a b\"&r=`c`",
                "https://acme.com/?q=%22a%20b%22&r=%60c%60",
            ),
            (
                "acme.com/?q=\u{6771}\u{4eac}\u{3000}\u{5929}\u{a0}",
                "https://acme.com/?q=%E6%9D%B1%E4%BA%AC%E3%80%80%E5%A4%A9",
            ),
            (
                "acme.com/login?next=https://acme.com/a",
                "https://acme.com/login?next=https://acme.com/a",
            ),
        ] {
            assert_eq!(visitors_url(text, &[]).as_deref(), Ok(written), "{text}");
        }
    }

    #[test]
    fn image_url_cannot_inject_into_headers_or_css() {
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

    fn own() -> OwnUrls {
        OwnUrls {
            control: vec![
                "https://cast.example.org".into(),
                "https://a1b2.execute-api.eu-central-1.amazonaws.com".into(),
            ],
            session: "https://s-{session}.Example.org:8443".into(),
        }
    }

    fn local(session: &str) -> OwnUrls {
        OwnUrls {
            control: vec!["http://localhost:8300".into()],
            session: session.into(),
        }
    }

    #[test]
    fn error_url_must_not_lead_back_to_us() {
        let session = SessionId::from_bytes([1; 16]);
        let of_session = format!("https://S-{session}.example.org/");
        let of_app = format!("https://s-app-{session}.example.org/");
        for (name, text, fits) in [
            ("https", "https://example.com/sorry?from=cast", true),
            ("http elsewhere", "http://example.com/", false),
            ("this machine", "http://localhost:9000/", true),
            ("a name of this machine", "http://a.localhost/", true),
            ("an address of this machine", "http://127.0.0.1:1/", true),
            ("no scheme", "example.com", false),
            ("a script", "javascript:alert(1)", false),
            ("a user name", "https://me@example.com/", false),
            ("our host", "https://cast.example.org/about", false),
            ("a link", "https://cast.example.org/cast/123abc", false),
            ("another port", "https://cast.example.org:444/cast/a", false),
            ("the default port", "https://cast.example.org:443/", false),
            ("upper case", "https://CAST.Example.ORG/", false),
            ("a trailing dot", "https://cast.example.org./cast/a", false),
            ("doubled slashes", "https://cast.example.org//cast/a", false),
            ("dots", "https://cast.example.org/a/../cast/a", false),
            ("percent signs", "https://cast.example.org/%63ast/a", false),
            ("a hidden host", "https://c%61st.example.org/", false),
            ("full-width letters", "https://ｃａｓｔ.example.org/", false),
            ("ideographic stops", "https://cast。example。org/", false),
            ("an encoded dot", "https://cast%2Eexample.org/", false),
            ("two dots", "https://cast.example.org../", false),
            ("backslashes", "https:\\\\cast.example.org\\cast", false),
            ("one slash", "https:/cast.example.org/", false),
            ("no slash", "https:cast.example.org/", false),
            ("a tab within", "https://cast.exa\tmple.org/", false),
            ("a soft hyphen", "https://ca\u{ad}st.example.org/", false),
            (
                "a zero-width space",
                "https://cast\u{200b}.example.org/",
                false,
            ),
            ("user name before", "https://a@cast.example.org/", false),
            ("user name ours", "https://cast.example.org@a.com/", false),
            (
                "the gateway's own name",
                "https://a1b2.execute-api.eu-central-1.amazonaws.com/x",
                false,
            ),
            ("a session", of_session.as_str(), false),
            ("a session's app", of_app.as_str(), false),
            ("beside sessions", "https://s-help.example.org/", true),
            ("above us", "https://example.org/", true),
            ("below us", "https://help.cast.example.org/", true),
            ("the same path elsewhere", "https://a.com/cast/123", true),
            ("a link near by", "http://localhost:8300/cast/a", false),
            ("a link near by", "http://127.0.0.1:1//%63ast/a", false),
        ] {
            assert_eq!(error_url(text, &own()).is_ok(), fits, "{name}: {text}");
        }
    }

    #[test]
    fn local_names_are_refused_on_one_machine() {
        let hosts = local("http://{session}.localhost:8300");
        let paths = local("http://localhost:8300/s/{session}");
        for (name, text, fits) in [
            ("itself", "http://localhost:8300/sorry", false),
            ("upper case", "http://LOCALHOST:8300/", false),
            ("a name below", "http://a.localhost:8300/", false),
            ("IPv4", "http://127.0.0.1:8300/sorry", false),
            ("another loopback", "http://127.9.9.9:8300/", false),
            ("short IPv4", "http://127.1:8300/", false),
            ("decimal", "http://2130706433:8300/", false),
            ("octal", "http://0177.0.0.1:8300/", false),
            ("hexadecimal", "http://0x7f.1:8300/", false),
            ("full-width", "http://１２７.0.0.1:8300/", false),
            (
                "mapped, in hexadecimal",
                "http://[::ffff:7f00:1]:8300/",
                false,
            ),
            ("full-width name", "http://ｌｏｃａｌｈｏｓｔ:8300/", false),
            ("IPv6", "http://[::1]:8300/", false),
            ("mapped", "https://[::ffff:127.0.0.1]:8300/", false),
            ("unspecified", "https://0.0.0.0:8300/", false),
            ("a name for it", "https://127.0.0.1.nip.io:8300/", false),
            ("a trailing dot", "https://localhost.:8300/", false),
            ("another port", "http://localhost:9000/sorry", true),
            ("a link at another port", "http://[::1]:9000/cast/a", false),
            ("elsewhere", "https://example.com:8300/", true),
        ] {
            for own in [&hosts, &paths] {
                assert_eq!(error_url(text, own).is_ok(), fits, "{name}: {text}");
            }
        }
        let apart = OwnUrls {
            session: "https://run.example.com/s/{session}".into(),
            ..own()
        };
        assert!(error_url("https://run.example.com/", &apart).is_err());
    }
}
