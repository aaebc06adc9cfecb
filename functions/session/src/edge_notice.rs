//! Owns what a visitor reads in place of a session's app when the edge in AWS has nothing to show:
//! it leads here with the name of its notice, because it has no room for nine languages. Must not
//! lead on by itself, or the two would send a visitor to and fro.

use askama::Template;
use casting_core::PublicUrls;
use casting_core::ids::SessionId;
use casting_core::referrer::ReferrerRule;
use casting_core::session::Session;
use casting_core::urls;
use casting_web::words;
use casting_web::{Page, Reply, RequestContext};
use http::StatusCode;

/// The parameter with the name of the notice.
const PARAMETER: &str = "notice";

/// What the edge had to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    name: &'static str,
    status: StatusCode,
}

/// Everything that it can say of a session.
const NOTICES: [Notice; 3] = [
    Notice {
        name: "not-yours",
        status: StatusCode::FORBIDDEN,
    },
    Notice {
        name: "used",
        status: StatusCode::GONE,
    },
    Notice {
        name: "ended",
        status: StatusCode::GONE,
    },
];

#[derive(Template)]
#[template(path = "edge_notice.html")]
struct NoticePage<'a> {
    title: &'a str,
    detail: &'a str,
    /// Where the button leads, out of any frame.
    to: String,
    button: &'a str,
}

/// The notice that this request's address names.
pub(crate) fn notice(visit: &RequestContext) -> Option<Notice> {
    let name = visit.query(PARAMETER)?;
    NOTICES.into_iter().find(|notice| notice.name == name)
}

/// The notice in the place of the app: in a frame of the session's own page.
pub(crate) fn framed(
    notice: Notice,
    id: &SessionId,
    visit: &RequestContext,
    urls: &PublicUrls,
) -> Reply {
    let mut notices = visit.words.notices().iter();
    let said = notices.find(|(name, ..)| *name == notice.name);
    let (title, detail) = said.map_or((notice.name, ""), |(_, title, detail)| (*title, *detail));
    let main = NoticePage {
        title,
        detail,
        to: urls::session(id),
        button: visit.words.viewer().session_page,
    };
    let sites: Vec<ReferrerRule> = urls.session_sites().into_iter().collect();
    Page {
        status: notice.status,
        framed_by: &sites,
        ..Page::new(title, &main)
    }
    .reply(visit)
}

/// The page for the owner of a session that runs all the same.
pub(crate) fn running(session: &Session, visit: &RequestContext) -> Reply {
    let words: &words::Session = visit.words.session();
    let main = NoticePage {
        title: words.resumed_title,
        detail: words.not_shown,
        to: urls::enter_session(&session.id),
        button: words.enter,
    };
    Page::new(words.resumed_title, &main).reply(visit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::tests::ready;
    use crate::waiting::tests::body;
    use casting_core::language::Language;
    use casting_core::testing::SeededEntropy;
    use casting_web::Body;

    fn visit(query: &str, language: Language) -> RequestContext {
        let request = http::Request::builder()
            .uri(format!("/session/s1{query}"))
            .header("sec-fetch-dest", "iframe")
            .body(Body::Empty);
        let visit = RequestContext::parse(&request.expect("a request"), &SeededEntropy::new(1));
        visit.speaking(Some(language))
    }

    fn urls(session_url: &str) -> PublicUrls {
        PublicUrls {
            public_url: "https://cast.example.com".into(),
            report_url: "https://cast.example.com".into(),
            session_url: session_url.into(),
        }
    }

    #[test]
    fn notice_is_one_of_the_edges() {
        for (query, name) in [
            ("?notice=not-yours", Some("not-yours")),
            ("?notice=used", Some("used")),
            ("?notice=ended", Some("ended")),
            ("?notice=too-large", None),
            ("?notice=%3Cscript%3E", None),
            ("", None),
        ] {
            let found = notice(&visit(query, Language::English));
            assert_eq!(found.map(|notice| notice.name), name, "{query}");
        }
    }

    #[test]
    fn frame_of_a_session_gets_the_notice_in_its_language() {
        let id = ready().id;
        for (session_url, sites) in [
            (
                "https://{session}.cast.example.com",
                "frame-ancestors *.cast.example.com:*;",
            ),
            (
                "https://sessions.example.net/s/{session}",
                "frame-ancestors sessions.example.net:*;",
            ),
        ] {
            for language in Language::ALL {
                let visit = visit("?notice=used", language);
                let used = notice(&visit).expect("a notice");
                let reply = framed(used, &id, &visit, &urls(session_url));
                let html = body(&reply);
                assert_eq!(reply.status(), 410);
                let (_, title, detail) = visit
                    .words
                    .notices()
                    .iter()
                    .find(|(name, ..)| *name == "used")
                    .expect("its words");
                for text in [
                    *title,
                    *detail,
                    &format!("href=\"/session/{id}\" target=\"_top\""),
                ] {
                    assert!(html.contains(text), "{language:?}: {text}: {html}");
                }
                let policy = reply.headers()["content-security-policy"].to_str();
                let policy = policy.expect("text");
                assert!(policy.contains(sites), "{policy}");
                assert!(html.len() < 10_000, "{language:?}: {}", html.len());
            }
        }
    }

    #[test]
    fn owner_is_led_in_by_a_button_and_not_by_itself() {
        let session = ready();
        let reply = running(&session, &visit("?notice=not-yours", Language::English));
        let html = body(&reply);
        assert_eq!(reply.status(), 200);
        assert!(html.contains("Your session is still running"), "{html}");
        let button = format!("href=\"/session/{}/enter\" target=\"_top\"", session.id);
        assert!(html.contains(&button), "{html}");
        assert!(
            !html.contains("refresh") && !html.contains("<script"),
            "{html}"
        );
    }
}
