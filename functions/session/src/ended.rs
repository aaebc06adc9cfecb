//! Owns the page of a session that is over: why, and how to start again. Must not know of starts that failed; these are refusals.

use askama::Template;
use casting_core::session::{EndReason, Session};
use casting_web::words::EndedWords;
use casting_web::{Page, Reply, RequestContext};
use http::StatusCode;

#[derive(Template)]
#[template(path = "ended.html")]
struct Ended<'a> {
    session: &'a Session,
    why: &'static str,
    words: &'static EndedWords,
}

impl Ended<'_> {
    fn came_from(&self, site: &str) -> String {
        (self.words.from_site)(site)
    }
}

/// The page for a session that ended, or is about to, for this reason.
pub(crate) fn reply(session: &Session, reason: &EndReason, visit: &RequestContext) -> Reply {
    let words = &visit.words.ended;
    let main = Ended {
        session,
        why: (words.why)(reason),
        words,
    };
    Page {
        status: StatusCode::GONE,
        ..Page::new(words.title, &main)
    }
    .reply(visit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::tests::ready;
    use crate::waiting::tests::{body, visit};

    #[test]
    fn ended_page_shows_the_reason_and_a_link_back() {
        let session = ready();
        for (reason, why) in [
            (EndReason::Owner, "You ended it."),
            (EndReason::TimeLimit, "Its time was up."),
            (EndReason::Abandoned, "It was disconnected for too long."),
            (EndReason::NotEntered, "Nobody entered it in time."),
            (
                EndReason::TaskStopped {
                    detail: "Essential container in task exited".into(),
                    exit_code: Some(0),
                },
                "The app in it was closed.",
            ),
            (
                EndReason::TaskStopped {
                    detail: "OutOfMemory".into(),
                    exit_code: Some(137),
                },
                "The app in it stopped.",
            ),
        ] {
            let reply = reply(&session, &reason, &visit());
            assert_eq!(reply.status(), 410);
            let html = body(&reply);
            assert!(html.contains(why), "{why}");
            assert!(html.contains(&format!("href=\"/cast/{}\"", session.cast_key)));
            assert!(
                !html.contains("OutOfMemory") && !html.contains("Essential"),
                "ECS's words are for administrators"
            );
        }
    }

    #[test]
    fn ended_page_names_the_referring_site() {
        let mut session = ready();
        assert!(!body(&reply(&session, &EndReason::Owner, &visit())).contains("acme.com"));
        session.origin.referrer = Some("acme.com".into());
        assert!(body(&reply(&session, &EndReason::Owner, &visit())).contains("acme.com"));
    }
}
