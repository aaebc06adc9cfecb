//! Owns which URLs an administrator may set: the error URL (seed: Error URL) and the URL a session opens (seed: Kasm URL).
//! Must not know forms or HTTP.

use url::{Host, Url};

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
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | '\\')) {
        return Err("must not contain spaces, quotes, backslashes or control characters.".to_owned());
    }
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = parse(&with_scheme)?;
    bounded(&url)
}

/// Reads the URL that visitors are sent to when a claim is refused; `public_url` is our own origin.
///
/// # Errors
/// One plain sentence.
pub fn error_url(text: &str, public_url: &str) -> Result<String, String> {
    let url = parse(text.trim())?;
    if url.scheme() == "http" && !is_this_machine(&url) {
        return Err("must begin with https:// (http:// is for localhost only).".to_owned());
    }
    let ours = Url::parse(public_url).is_ok_and(|ours| ours.host() == url.host());
    // Percent signs could hide the word from us but not from the router, so on our own host there are none.
    let leads_to_casts = |segment: &str| segment.eq_ignore_ascii_case("cast") || segment.contains('%');
    if ours && url.path_segments().and_then(|mut segments| segments.find(|segment| !segment.is_empty())).is_some_and(leads_to_casts) {
        return Err("must not lead to a casting link of this host: visitors would go round in circles.".to_owned());
    }
    bounded(&url)
}

fn parse(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "is not a URL such as https://example.com/page.".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with https:// or http://.".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user name or password.".to_owned());
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
            ("as it is", "https://example.com/a?b=c&d#e", Some("https://example.com/a?b=c&d#e")),
            ("http", "http://example.com/", Some("http://example.com/")),
            ("no scheme", "example.com", Some("https://example.com/")),
            ("no scheme, but a port", "localhost:3000/x", Some("https://localhost:3000/x")),
            ("spaces around", "  example.com ", Some("https://example.com/")),
            ("case of scheme and host", "HTTPS://EXAMPLE.com/A", Some("https://example.com/A")),
            ("international names", "https://bücher.example/ä", Some("https://xn--bcher-kva.example/%C3%A4")),
            ("an inner host is the administrator's choice", "http://10.0.0.7:8080/", Some("http://10.0.0.7:8080/")),
            ("an address in disguise is written plainly", "http://0x7f.1/", Some("http://127.0.0.1/")),
            ("a space", "https://example.com/a b", None),
            ("an option", "--renderer-cmd-prefix=sh", None),
            ("a quote", "https://example.com/'x", None),
            ("a backslash", "https:\\\\example.com", None),
            ("a line break", "https://example.com/\n--x", None),
            ("a user name", "https://user@example.com/", None),
            ("a password", "https://:secret@example.com/", None),
            ("a file", "file:///etc/passwd", None),
            ("a script", "javascript:alert(1)", None),
            ("a script with slashes", "javascript://example.com/%0aalert(1)", None),
            ("nothing", "", None),
            ("no host", "https://", None),
            ("too long", long.as_str(), None),
        ] {
            assert_eq!(session_url(text).ok().as_deref(), kept, "{name}");
        }
    }

    #[test]
    fn an_error_url_leads_elsewhere() {
        for (name, text, fits) in [
            ("https", "https://example.com/sorry?from=cast", true),
            ("http elsewhere", "http://example.com/", false),
            ("http on this machine", "http://localhost:9000/", true),
            ("http on a name of this machine", "http://a.localhost/", true),
            ("http on an address of this machine", "http://127.0.0.1:1/", true),
            ("no scheme", "example.com", false),
            ("a script", "javascript:alert(1)", false),
            ("a user name", "https://me@example.com/", false),
            ("another page of our host", "https://cast.example.org/about", true),
            ("a link of our host", "https://cast.example.org/cast/123abc", false),
            ("over another scheme and port", "https://cast.example.org:444/cast/123abc", false),
            ("with doubled slashes", "https://cast.example.org//cast/123abc", false),
            ("with dots", "https://cast.example.org/a/../cast/123abc", false),
            ("with percent signs", "https://cast.example.org/%63ast/123abc", false),
            ("the same path elsewhere", "https://example.com/cast/123abc", true),
        ] {
            assert_eq!(error_url(text, "https://cast.example.org").is_ok(), fits, "{name}");
        }
    }
}
