//! Owns the page that leads back into a running session and says first what the link's parameters
//! asked for and did not get. Must not know why; the claim that resumed the session found out.

use askama::Template;
use casting_core::policy::NotApplied;
use casting_core::session::Session;
use casting_core::urls;
use casting_web::words;
use casting_web::{Page, Reply, RequestContext};

#[derive(Template)]
#[template(path = "resumed.html")]
struct Resumed<'a> {
    session: &'a Session,
    not_applied: Vec<&'static str>,
    words: &'static words::Session,
}

/// What the page's address says was not applied, in the visitor's language. Codes that are not ours
/// and repeated ones are left out, so the list is as long as there are reasons.
pub(crate) fn not_applied(visit: &RequestContext) -> Vec<&'static str> {
    let codes = visit.query("not_applied").unwrap_or_default();
    let named = |reason: &NotApplied| codes.split(',').any(|code| code == reason.as_str());
    let reasons = NotApplied::ALL.into_iter().filter(named);
    reasons
        .map(|reason| words::not_applied(visit.words.session(), reason))
        .collect()
}

/// The page for a session that can be entered.
pub(crate) fn reply(session: &Session, visit: &RequestContext) -> Reply {
    let words = visit.words.session();
    let main = Resumed {
        session,
        not_applied: not_applied(visit),
        words,
    };
    Page::new(words.resumed_title, &main).reply(visit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::tests::ready;
    use crate::waiting::tests::body;
    use casting_core::testing::SeededEntropy;
    use casting_web::Body;

    fn visit(query: &str) -> RequestContext {
        let request = http::Request::builder()
            .uri(format!("/session/s1{query}"))
            .body(Body::Empty);
        RequestContext::parse(&request.expect("a request"), &SeededEntropy::new(1))
    }

    #[test]
    fn resume_notices_are_known_codes_without_duplicates() {
        for (query, expected) in [
            ("", 0),
            ("?not_applied=", 0),
            ("?not_applied=kasm-url-invalid", 1),
            ("?not_applied=docker-network-unchanged,kasm-url-invalid", 2),
            ("?not_applied=kasm-url-invalid,kasm-url-invalid", 1),
            ("?not_applied=%3Cscript%3E,kasm-url", 0),
        ] {
            assert_eq!(not_applied(&visit(query)).len(), expected, "{query}");
        }
    }

    #[test]
    fn resume_page_lists_unapplied_parameters() {
        let session = ready();
        let reply = reply(&session, &visit("?not_applied=kasm-url-invalid"));
        let html = body(&reply);
        assert_eq!(reply.status(), 200);
        assert!(html.contains("The address in the link was not opened"));
        assert!(html.contains(&format!("href=\"/session/{}/enter\"", session.id)));
        assert!(
            !html.contains("Cast 1"),
            "the cast's name is the administrator's"
        );
    }
}
