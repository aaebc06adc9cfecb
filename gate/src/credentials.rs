//! Owns the credentials of a request: the ticket cookie, and the headers by which the edge
//! identifies the visitor to the gate; reads, sets and strips them. Must not judge them.

use axum::http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use casting_protocol::keys::{SessionSecret, same_secret};
use casting_protocol::ticket;
use data_encoding::BASE64;

/// The cookie with the session ticket, where it cannot be bound to its host: over plain http, or
/// under a path.
pub const COOKIE_NAME: &str = "cast-session";
/// The same over https on a host of its own: browsers then accept it only from that very host.
pub const HOST_COOKIE_NAME: &str = "__Host-cast-session";
/// The edge's proof over the headers below, see [`SessionSecret::edge_proof`].
const PROOF: HeaderName = HeaderName::from_static("x-cast-edge-proof");
/// The content of the visitor's ticket.
const VISITOR: HeaderName = HeaderName::from_static("x-cast-edge-visitor");
/// The entry ticket, as `{nonce}.{expiry in milliseconds}`.
const ENTRY: HeaderName = HeaderName::from_static("x-cast-edge-entry");
/// The cookie that keeps the language of the viewer's page for the notices in its place. It is no
/// secret.
pub const LANGUAGE_COOKIE: &str = "cast-viewer-language";
/// The cookie for a visitor who enters.
const COOKIE_TO_SET: HeaderName = HeaderName::from_static("x-cast-edge-cookie");
/// The prefix of all headers between edge and gate. Headers with it are passed on in neither
/// direction.
const OURS: &str = "x-cast-";

/// What the edge asserts about one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeAssertion {
    /// The content of the visitor's ticket: see
    /// [`casting_protocol::ticket::SessionTicket::payload`].
    pub visitor: String,
    /// The address that they enter by; empty for all other requests.
    pub entry: String,
    /// The `Set-Cookie` for the visitor; empty when they keep their cookie.
    pub cookie: String,
}

impl EdgeAssertion {
    fn parts(&self) -> [&str; 3] {
        [&self.visitor, &self.entry, &self.cookie]
    }

    /// Puts this on a request to the gate of this secret.
    pub fn put(&self, headers: &mut HeaderMap, secret: &SessionSecret) {
        let proof = secret.edge_proof(self.parts());
        for (name, text) in [
            (PROOF, proof.as_str()),
            (VISITOR, &self.visitor),
            (ENTRY, &self.entry),
            (COOKIE_TO_SET, &self.cookie),
        ] {
            if let Ok(mut value) = HeaderValue::from_str(text)
                && !value.is_empty()
            {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
    }

    /// The assertion of the edge with this secret; `None` without one, or when it is another's.
    pub fn read(headers: &HeaderMap, secret: &SessionSecret) -> Option<Self> {
        let text = |name: &HeaderName| {
            let mut all = headers.get_all(name).iter();
            let first = all.next().map(|value| value.to_str().ok());
            // Said twice is not said by our edge.
            match (first, all.next()) {
                (None, _) => Some(String::new()),
                (Some(text), None) => text.map(str::to_owned),
                (Some(_), Some(_)) => None,
            }
        };
        let assertion = Self {
            visitor: text(&VISITOR)?,
            entry: text(&ENTRY)?,
            cookie: text(&COOKIE_TO_SET)?,
        };
        same_secret(&text(&PROOF)?, &secret.edge_proof(assertion.parts())).then_some(assertion)
    }
}

/// Removes the headers between edge and gate from a request.
pub fn remove_assertion(headers: &mut HeaderMap) {
    let said: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(OURS))
        .cloned()
        .collect();
    for name in &said {
        headers.remove(name);
    }
}

/// The texts of all our cookies in a request; a page may have planted one beside ours, so the first
/// need not be the right one.
pub fn tickets(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    cookies(headers)
        .filter(|pair| is_ours(name_of(pair)))
        .filter_map(|pair| {
            let value = pair.get(name_of(pair).len() + 1..)?;
            std::str::from_utf8(value.trim_ascii()).ok()
        })
}

/// The bearer token of a request; `None` also where it is said twice.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let first = all.next().filter(|_| all.next().is_none())?;
    ticket::bearer_token(first.to_str().ok()?)
}

/// Whether a request carries the cookie that only https can have set.
pub fn came_over_https(headers: &HeaderMap) -> bool {
    cookies(headers).any(|pair| name_of(pair) == HOST_COOKIE_NAME.as_bytes())
}

/// Removes our cookies, and the headers between edge and gate, from a request, so that the app
/// never sees them; other cookies stay.
pub fn strip(headers: &mut HeaderMap) {
    remove_assertion(headers);
    let others: Vec<&[u8]> = cookies(headers)
        .filter(|pair| !is_ours(name_of(pair)))
        .collect();
    // Parts of values that were read from headers always make a value again.
    match HeaderValue::from_bytes(&others.join(&b"; "[..])) {
        Ok(kept) if !kept.is_empty() => drop(headers.insert(COOKIE, kept)),
        _ => drop(headers.remove(COOKIE)),
    }
}

/// The `Authorization` by which an app knows this user; `None` when it cannot stand in a header.
pub fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!(
        "Basic {}",
        BASE64.encode(format!("{user}:{password}").as_bytes())
    ))
    .ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The `Set-Cookie` that gives a browser its ticket for `max_age` seconds. `prefix`: the path that
/// the session is found under, or empty.
pub fn ticket_cookie(ticket: &str, prefix: &str, secure: bool, max_age: u64) -> String {
    let name = if secure && prefix.is_empty() {
        HOST_COOKIE_NAME
    } else {
        COOKIE_NAME
    };
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={ticket}; Path={prefix}/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}")
}

/// Rewrites the cookies that an app sets: none under our names, none for other hosts, and under
/// `prefix` when there is one.
pub fn tame_app_cookies(headers: &mut HeaderMap, prefix: &str) {
    if !headers.contains_key(SET_COOKIE) {
        return;
    }
    let tamed: Vec<HeaderValue> = headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|cookie| tame(std::str::from_utf8(cookie.as_bytes()).ok()?, prefix))
        .collect();
    headers.remove(SET_COOKIE);
    for cookie in tamed {
        headers.append(SET_COOKIE, cookie);
    }
}

fn tame(cookie: &str, prefix: &str) -> Option<HeaderValue> {
    let name = cookie.split(['=', ';']).next()?.trim();
    // A cookie without a name comes back as its bare value, which could then read as one of ours.
    if name.is_empty() || is_ours(name.as_bytes()) {
        return None;
    }
    let mut kept = Vec::new();
    for part in cookie.split(';').map(str::trim) {
        match part
            .split_once('=')
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        {
            Some((name, _)) if name == "domain" && !kept.is_empty() => {}
            Some((name, path)) if name == "path" && !kept.is_empty() && path.starts_with('/') => {
                kept.push(format!("Path={prefix}{path}"));
            }
            _ => kept.push(part.to_owned()),
        }
    }
    HeaderValue::from_bytes(kept.join("; ").as_bytes()).ok()
}

/// All cookies of a request. Bytes, because browsers send letters outside ASCII as a page has set
/// them.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let pairs = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs
        .map(<[u8]>::trim_ascii)
        .filter(|pair| !pair.is_empty())
}

/// The language of the viewer's page.
pub fn language(headers: &HeaderMap) -> Option<&str> {
    let found = cookies(headers).find(|pair| name_of(pair) == LANGUAGE_COOKIE.as_bytes())?;
    std::str::from_utf8(found.get(LANGUAGE_COOKIE.len() + 1..)?).ok()
}

fn name_of(pair: &[u8]) -> &[u8] {
    pair.split(|byte| *byte == b'=').next().unwrap_or_default()
}

fn is_ours(name: &[u8]) -> bool {
    // Browsers compare the prefix of a cookie's name without case, so other spellings must not
    // pass.
    [COOKIE_NAME, HOST_COOKIE_NAME]
        .iter()
        .any(|ours| name.trim_ascii().eq_ignore_ascii_case(ours.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in cookies {
            headers.append(COOKIE, line.parse().expect("a value"));
        }
        for name in [PROOF, VISITOR, ENTRY, COOKIE_TO_SET] {
            headers.insert(name, "hush".parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn own_cookies_are_stripped_and_others_kept() {
        for (name, lines, found, left) in [
            ("ours alone", vec!["cast-session=t"], vec!["t"], None),
            (
                "between others",
                vec!["a=1; cast-session=t; b=2"],
                vec!["t"],
                Some("a=1; b=2"),
            ),
            (
                "both names",
                vec!["__Host-cast-session=t; cast-session=u"],
                vec!["t", "u"],
                None,
            ),
            (
                "several lines",
                vec!["a=1", "cast-session=t", "b=2"],
                vec!["t"],
                Some("a=1; b=2"),
            ),
            (
                "none",
                vec!["a=1; xcast-session=t; cast-session2=u"],
                vec![],
                Some("a=1; xcast-session=t; cast-session2=u"),
            ),
            ("no cookies", vec![], vec![], None),
            (
                "values with =",
                vec!["a=b=c; flag"],
                vec![],
                Some("a=b=c; flag"),
            ),
            (
                "ours as a bare word",
                vec!["cast-session; a=1"],
                vec![],
                Some("a=1"),
            ),
        ] {
            let mut headers = request(&lines);
            assert_eq!(tickets(&headers).collect::<Vec<_>>(), found, "{name}");
            strip(&mut headers);
            assert_eq!(
                headers.get(COOKIE).and_then(|value| value.to_str().ok()),
                left,
                "{name}"
            );
            assert!(
                headers.keys().all(|name| !name.as_str().starts_with(OURS)),
                "{name}"
            );
        }
    }

    #[test]
    fn edge_headers_need_the_proof_of_this_gate() {
        let secret = SessionSecret::from_text("hush".into());
        let assertion = EdgeAssertion {
            visitor: "v".into(),
            entry: "n.1".into(),
            cookie: "c=1; Path=/".into(),
        };
        let headers = || {
            let mut headers = HeaderMap::new();
            assertion.put(&mut headers, &secret);
            headers
        };
        assert_eq!(
            EdgeAssertion::read(&headers(), &secret),
            Some(assertion.clone())
        );
        let other = SessionSecret::from_text("hush-hush".into());
        assert_eq!(
            EdgeAssertion::read(&headers(), &other),
            None,
            "another session's"
        );
        let value = |text: &'static str| HeaderValue::from_static(text);
        for (name, header) in [
            ("the proof", PROOF),
            ("who asks", VISITOR),
            ("the address", ENTRY),
            ("the cookie", COOKIE_TO_SET),
        ] {
            let mut altered = headers();
            altered.insert(&header, value("x"));
            assert_eq!(
                EdgeAssertion::read(&altered, &secret),
                None,
                "{name}, altered"
            );
            let mut without = headers();
            without.remove(&header);
            assert_eq!(
                EdgeAssertion::read(&without, &secret),
                None,
                "{name}, left out"
            );
            let mut twice = headers();
            twice.append(&header, twice[&header].clone());
            assert_eq!(EdgeAssertion::read(&twice, &secret), None, "{name}, twice");
        }
        // What is said in one place is not what is said in another.
        let mut moved = headers();
        let (visitor, entry) = (moved[&VISITOR].clone(), moved[&ENTRY].clone());
        moved.insert(VISITOR, entry);
        moved.insert(ENTRY, visitor);
        assert_eq!(EdgeAssertion::read(&moved, &secret), None, "swapped");
    }

    #[test]
    fn non_ascii_foreign_cookie_is_tolerated() {
        let mut headers = request(&[]);
        headers.insert(
            COOKIE,
            HeaderValue::from_bytes("name=J\u{fc}rgen; cast-session=t".as_bytes())
                .expect("a value"),
        );
        assert_eq!(tickets(&headers).collect::<Vec<_>>(), ["t"]);
        strip(&mut headers);
        assert_eq!(
            headers.get(COOKIE).map(HeaderValue::as_bytes),
            Some("name=J\u{fc}rgen".as_bytes())
        );
    }

    #[test]
    fn ticket_cookie_uses_host_prefix_over_https() {
        for (prefix, secure, cookie) in [
            (
                "",
                true,
                "__Host-cast-session=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure",
            ),
            (
                "",
                false,
                "cast-session=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
            ),
            (
                "/s/x",
                true,
                "cast-session=t; Path=/s/x/; Max-Age=60; HttpOnly; SameSite=Lax; Secure",
            ),
        ] {
            assert_eq!(ticket_cookie("t", prefix, secure, 60), cookie);
        }
    }

    #[test]
    fn app_cookies_lose_their_domain() {
        for (name, cookie, prefix, tamed) in [
            (
                "plain",
                "a=1; Path=/; HttpOnly",
                "",
                Some("a=1; Path=/; HttpOnly"),
            ),
            (
                "for its siblings",
                "a=1; domain=.example.com; Path=/",
                "",
                Some("a=1; Path=/"),
            ),
            ("under our name", "cast-session=x; Path=/", "", None),
            (
                "under our name, spelled otherwise",
                "__HOST-cast-session =x",
                "",
                None,
            ),
            (
                "under a path",
                "a=1; Path=/deep",
                "/s/x",
                Some("a=1; Path=/s/x/deep"),
            ),
            ("without a name", "=cast-session=x", "", None),
            ("without a path", "a=1; Secure", "/s/x", Some("a=1; Secure")),
            (
                "named like an attribute",
                "path=/x",
                "/s/x",
                Some("path=/x"),
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(SET_COOKIE, cookie.parse().expect("a value"));
            tame_app_cookies(&mut headers, prefix);
            assert_eq!(
                headers
                    .get(SET_COOKIE)
                    .and_then(|value| value.to_str().ok()),
                tamed,
                "{name}"
            );
        }
    }
}
