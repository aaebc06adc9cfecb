//! Owns the two origins of a session: the viewer's, which acts for the owner, and the app's, which
//! the viewer frames; and what the app's host is called beside the viewer's. Must not know how a
//! host is reached. The edge in AWS (`infra/edge/router.js`) follows the same rules.

use serde::{Deserialize, Serialize};

use crate::ids::SessionId;

/// Which origin of a session a ticket opens. There are two wherever sessions have host names, so
/// that a page of the app cannot act as its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionOrigin {
    /// The one origin of viewer and app, where sessions are found under a path.
    Shared,
    /// The viewer's: where a session is entered.
    Viewer,
    /// The app's: what the viewer frames.
    App,
    /// No origin of pages: the DevTools endpoint of the session, for its owner's programs. Such a
    /// ticket is a bearer token, and is good nowhere else.
    Devtools,
}

impl SessionOrigin {
    /// Whether a ticket with this origin is good at this one. A ticket of the release before names
    /// none; it is good where sessions are entered.
    pub fn takes(self, named: Option<Self>) -> bool {
        named.map_or(!matches!(self, Self::App | Self::Devtools), |named| {
            named == self
        })
    }
}

/// What the first label of the app's host begins with.
const APP: &str = "app";

/// The host of a session's app beside its viewer's, with the same port; `None` when `viewer` is no
/// host of this session.
///
/// It is `app-{session}.…`, for which the viewers' wildcard certificate is good. Below a top-level
/// name such as `localhost` it is `app.{session}.localhost`: browsers take each name there for a
/// site of its own, and a sibling's frame would get no cookies.
pub fn app_host(viewer: &str, session: &SessionId) -> Option<String> {
    let viewer = viewer.to_ascii_lowercase();
    let (before, after) = viewer.split_once(session.as_str())?;
    Some(if is_top_level(after) {
        format!("{APP}.{viewer}")
    } else {
        format!("{before}{APP}-{session}{after}")
    })
}

/// The host of a session's viewer beside its app's: the way back from [`app_host`].
pub fn viewer_host(app: &str, session: &SessionId) -> Option<String> {
    let app = app.to_ascii_lowercase();
    let (_, after) = app.split_once(session.as_str())?;
    if is_top_level(after) {
        return Some(app.strip_prefix(APP)?.strip_prefix('.')?.to_owned());
    }
    let (before, after) = app.split_once(&format!("{APP}-{session}"))?;
    Some(format!("{before}{session}{after}"))
}

/// The session that this host is of, and which of its origins; `before` and `after` stand around
/// the session's id in a viewer's host.
pub fn of_host(host: &str, before: &str, after: &str) -> Option<(SessionId, SessionOrigin)> {
    let between = |host: &str| {
        let name = host.strip_prefix(before)?.strip_suffix(after)?;
        Some(name.to_owned())
    };
    let named = between(host);
    if let Some(session) = named.as_deref().and_then(SessionId::parse) {
        return Some((session, SessionOrigin::Viewer));
    }
    let app = if is_top_level(after) {
        between(host.strip_prefix(APP)?.strip_prefix('.')?)?
    } else {
        named?.strip_prefix(APP)?.strip_prefix('-')?.to_owned()
    };
    Some((SessionId::parse(&app)?, SessionOrigin::App))
}

/// Whether this is one label, and a port at most: `.localhost:8300`.
fn is_top_level(after: &str) -> bool {
    let name = after.split(':').next().unwrap_or_default();
    !name.trim_start_matches('.').contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apps_host_is_a_sibling_or_a_name_below() {
        let id = SessionId::from_bytes([1; 16]);
        for (name, before, after, port, app) in [
            (
                "a domain",
                "",
                ".s.example.com",
                "",
                format!("app-{id}.s.example.com"),
            ),
            (
                "with a port",
                "",
                ".cast.lan",
                ":8300",
                format!("app-{id}.cast.lan:8300"),
            ),
            (
                "a name before",
                "on-",
                ".s.example.com",
                "",
                format!("on-app-{id}.s.example.com"),
            ),
            (
                "our own name before",
                "app-",
                ".example.com",
                "",
                format!("app-app-{id}.example.com"),
            ),
            (
                "a top-level name",
                "",
                ".localhost",
                ":8300",
                format!("app.{id}.localhost:8300"),
            ),
            (
                "a name before that",
                "on-",
                ".localhost",
                "",
                format!("app.on-{id}.localhost"),
            ),
            (
                "our own name there",
                "app.",
                ".localhost",
                "",
                format!("app.app.{id}.localhost"),
            ),
        ] {
            let viewer = format!("{before}{id}{after}");
            let found = app_host(&format!("{viewer}{port}").to_uppercase(), &id);
            // The id is spelled in small letters; hosts are compared without case.
            assert_eq!(found.as_deref(), Some(&*app), "{name}");
            assert_eq!(
                viewer_host(&app, &id),
                Some(format!("{viewer}{port}")),
                "{name}"
            );
            let app = app.strip_suffix(port).expect("its port");
            for (host, origin) in [(&*viewer, SessionOrigin::Viewer), (app, SessionOrigin::App)] {
                assert_eq!(
                    of_host(host, before, after),
                    Some((id.clone(), origin)),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn no_other_host_is_a_sessions() {
        let id = SessionId::from_bytes([1; 16]);
        let other = SessionId::from_bytes([2; 16]);
        for (name, host, after) in [
            (
                "the form of top-level names",
                format!("app.{id}.example.com"),
                ".example.com",
            ),
            (
                "the form of domains",
                format!("app-{id}.localhost"),
                ".localhost",
            ),
            ("twice", format!("app-app-{id}.example.com"), ".example.com"),
            (
                "another word",
                format!("apps-{id}.example.com"),
                ".example.com",
            ),
            ("no session", "app-x.example.com".to_owned(), ".example.com"),
            ("no session there", "app.localhost".to_owned(), ".localhost"),
            (
                "another domain",
                format!("app-{id}.example.org"),
                ".example.com",
            ),
        ] {
            assert_eq!(of_host(&host, "", after), None, "{name}");
        }
        let host = format!("{id}.example.com");
        assert_eq!(app_host(&host, &other), None, "another session's");
        assert_eq!(viewer_host(&host, &id), None, "a viewer's already");
    }

    #[test]
    fn each_origin_takes_its_own_tickets() {
        use SessionOrigin::{App, Devtools, Shared, Viewer};
        for (at, takes) in [
            (Shared, [true, false, false, false, true]),
            (Viewer, [false, true, false, false, true]),
            (App, [false, false, true, false, false]),
            (Devtools, [false, false, false, true, false]),
        ] {
            let named = [Some(Shared), Some(Viewer), Some(App), Some(Devtools), None];
            assert_eq!(named.map(|named| at.takes(named)), takes, "{at:?}");
        }
    }
}
