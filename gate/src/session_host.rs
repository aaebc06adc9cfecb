//! Owns how sessions are addressed: by a host name each, or by a path each. Must not know what is
//! done with the session.

use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};
use casting_protocol::ids::SessionId;
use casting_protocol::session_origin::{self, SessionOrigin};

/// How a session's address is formed.
///
/// A path mode must not share its host with the control plane when sessions run apps that are not
/// trusted: they would be one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionHost {
    /// `{session}.cast.example.com`: what stands before and after the session. The session's app
    /// has a host of its own beside it: see [`session_origin::app_host`].
    Name {
        /// Usually empty.
        before: String,
        /// Such as `.cast.example.com`.
        after: String,
    },
    /// `cast.example.com/s/{session}`; without a host, any host.
    Path {
        /// The host that sessions are found on.
        host: Option<String>,
    },
}

/// A session that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The session named by host or path.
    pub session: SessionId,
    /// Which of its origins.
    pub origin: SessionOrigin,
    /// The host that was asked for, with its port.
    pub authority: String,
    /// The prefix that the edge removes from the path: `/s/{session}` in path mode, empty
    /// otherwise.
    pub prefix: String,
}

const PATH: &str = "/s/";

impl Found {
    /// The host and port of the viewer that frames what is shown here, where that is another
    /// origin.
    pub fn viewer(&self) -> Option<String> {
        let is_app = self.origin == SessionOrigin::App;
        is_app
            .then(|| session_origin::viewer_host(&self.authority, &self.session))
            .flatten()
    }
}

impl SessionHost {
    /// Reads a template: `{session}.cast.example.com`, `cast.example.com/s/{session}` or
    /// `/s/{session}`. A scheme and a port may be there, so that a session's URL can be given as it
    /// is; both are ignored. `None` when it is none of these.
    pub fn parse(template: &str) -> Option<Self> {
        let bare = template
            .strip_prefix("https://")
            .or_else(|| template.strip_prefix("http://"))
            .unwrap_or(template);
        let bare = bare.trim_end_matches('/').to_ascii_lowercase();
        let (authority, path) = bare.split_at(bare.find('/').unwrap_or(bare.len()));
        let host = if authority.is_empty() {
            None
        } else {
            Some(host_name(authority)?)
        };
        match (host, path) {
            (Some(host), "") => {
                let (before, after) = host.split_once("{session}")?;
                let whole_label = before.is_empty() || before.ends_with(['.', '-']);
                (whole_label && after.starts_with('.') && after.len() > 1 && !after.contains('{'))
                    .then(|| Self::Name {
                        before: before.to_owned(),
                        after: after.to_owned(),
                    })
            }
            (host, "/s/{session}") if !host.is_some_and(|host| host.contains('{')) => {
                Some(Self::Path {
                    host: host.map(str::to_owned),
                })
            }
            _ => None,
        }
    }

    /// The session that a request asks for; `None` when its host and path name none.
    pub fn find(&self, uri: &Uri, headers: &HeaderMap) -> Option<Found> {
        let authority = authority_of(uri, headers)?.to_owned();
        let host = host_of(&authority)?;
        match self {
            Self::Name { before, after } => {
                let (session, origin) = session_origin::of_host(&host, before, after)?;
                Some(Found {
                    session,
                    origin,
                    authority,
                    prefix: String::new(),
                })
            }
            Self::Path { host: ours } => {
                let at_home = ours.as_ref().is_none_or(|ours| *ours == host);
                let named = uri.path().strip_prefix(PATH).filter(|_| at_home)?;
                let session = SessionId::parse(named.split('/').next()?)?;
                Some(Found {
                    prefix: format!("{PATH}{session}"),
                    session,
                    origin: SessionOrigin::Shared,
                    authority,
                })
            }
        }
    }
}

/// The host that a request is for, with its port. `None` when it names none, or several.
fn authority_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let mut named = headers.get_all(HOST).iter();
    let header = named.next().map(|value| value.to_str()).transpose().ok()?;
    if named.next().is_some() {
        return None;
    }
    // HTTP/2 and absolute request lines carry the host in the URI; when both are there, they must
    // agree.
    match (header, uri.authority().map(|authority| authority.as_str())) {
        (Some(header), Some(authority)) if header != authority => None,
        (Some(text), _) | (None, Some(text)) => Some(text),
        (None, None) => None,
    }
}

/// The host of an authority, in lower case and without its port. `None` when it is none that can be
/// a host.
fn host_of(authority: &str) -> Option<String> {
    let host = host_name(authority)?;
    let plain = host
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
    (plain && host.len() <= 253).then(|| host.to_ascii_lowercase())
}

/// `authority` without its port; `None` when what follows the colon is no port.
fn host_name(authority: &str) -> Option<&str> {
    match authority.split_once(':') {
        None => Some(authority),
        Some((host, port)) => port
            .parse::<u16>()
            .is_ok_and(|_| !port.starts_with('+'))
            .then_some(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(hosts: &SessionHost, host: &str, uri: &str) -> Option<Found> {
        let headers = HeaderMap::from_iter([(HOST, host.parse().expect("a value"))]);
        hosts.find(&uri.parse().expect("a URI"), &headers)
    }

    #[test]
    fn session_url_template_parses_as_host_or_path() {
        let name = |before: &str, after: &str| {
            Some(SessionHost::Name {
                before: before.into(),
                after: after.into(),
            })
        };
        let path = |host: Option<&str>| {
            Some(SessionHost::Path {
                host: host.map(str::to_owned),
            })
        };
        for (template, read) in [
            ("{session}.localhost", name("", ".localhost")),
            ("http://{session}.localhost:8300", name("", ".localhost")),
            (
                "https://on-{session}.Cast.example.com/",
                name("on-", ".cast.example.com"),
            ),
            (
                "https://cast.example.com:444/s/{session}",
                path(Some("cast.example.com")),
            ),
            ("/s/{session}", path(None)),
            ("cast.example.com", None),
            ("{session}", None),
            ("x{session}.example.com", None),
            ("{session}.{session}.com", None),
            ("cast.example.com/t/{session}", None),
            ("{session}.example.com/s/{session}", None),
            ("{session}.example.com:port", None),
        ] {
            assert_eq!(SessionHost::parse(template), read, "{template}");
        }
    }

    #[test]
    fn session_is_found_by_host_name() {
        let hosts = SessionHost::parse("{session}.localhost").expect("a template");
        let id = SessionId::from_bytes([1; 16]);
        for (name, host, found) in [
            ("plain", format!("{id}.localhost"), true),
            ("with a port", format!("{id}.localhost:8300"), true),
            (
                "in capitals",
                format!("{id}.LOCALHOST").to_uppercase(),
                true,
            ),
            ("without a session", "localhost:8300".to_owned(), false),
            ("another domain", format!("{id}.localhost.evil.com"), false),
            (
                "a port that is none",
                format!("{id}.localhost:80@evil.com"),
                false,
            ),
            ("two labels", format!("{id}.x.localhost"), false),
            ("not an id", "admin.localhost".to_owned(), false),
            ("user info", format!("x@{id}.localhost"), false),
        ] {
            let session = find(&hosts, &host, "/s/x").map(|found| found.session);
            assert_eq!(session, found.then(|| id.clone()), "{name}");
        }
        let ours = format!("{id}.localhost");
        let twice = HeaderMap::from_iter(
            [&ours, "other.localhost"].map(|host| (HOST, host.parse().expect("a value"))),
        );
        assert_eq!(
            hosts.find(&Uri::from_static("/"), &twice),
            None,
            "two hosts"
        );
        assert_eq!(
            find(&hosts, &ours, "http://other.localhost/"),
            None,
            "host and URI disagree"
        );
    }

    #[test]
    fn session_is_found_by_path_on_its_host_only() {
        let hosts = SessionHost::parse("https://cast.example.com/s/{session}").expect("a template");
        let id = SessionId::from_bytes([1; 16]);
        for (name, host, path, found) in [
            ("its root", "cast.example.com", format!("/s/{id}/"), true),
            (
                "without a slash",
                "cast.example.com:444",
                format!("/s/{id}"),
                true,
            ),
            (
                "deeper",
                "cast.example.com",
                format!("/s/{id}/a?b=/s/"),
                true,
            ),
            ("another host", "example.com", format!("/s/{id}/"), false),
            (
                "not an id",
                "cast.example.com",
                "/s/admin/".to_owned(),
                false,
            ),
            (
                "elsewhere",
                "cast.example.com",
                format!("/t/s/{id}/"),
                false,
            ),
            (
                "more letters",
                "cast.example.com",
                format!("/s/{id}x/"),
                false,
            ),
        ] {
            let prefix = find(&hosts, host, &path).map(|found| found.prefix);
            assert_eq!(prefix, found.then(|| format!("/s/{id}")), "{name}");
        }
    }
}
