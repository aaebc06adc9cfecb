//! Owns the waiting page: the real progress of the start, and the elapsed time. Works without
//! scripting; must not promise a time.

use askama::Template;
use casting_core::session::Session;
use casting_core::start_times;
use casting_core::time::Timestamp;
use casting_core::urls;
use casting_web::words::{self, Step};
use casting_web::{FormAction, Page, Reply, RequestContext};

use crate::{resumed, status};

/// When the page says that a start can take a while, in seconds.
const SLOW_SECONDS: u64 = 8;

#[derive(Template)]
#[template(path = "waiting.html")]
struct Waiting<'a> {
    session: &'a Session,
    step: usize,
    waited: u64,
    /// How long ago its start began, in seconds; below 0 while it is queued.
    age: i64,
    /// What is said of the queue of starts, while it is in it.
    queued: Option<String>,
    /// When the page asks, in milliseconds since the start began.
    questions: String,
    slow_after: u64,
    /// The link's parameters that were not applied, for a resumed session.
    not_applied: Vec<&'static str>,
    steps: [Step; words::START_STEPS],
    words: &'static words::Session,
}

impl Waiting<'_> {
    fn class(&self, index: &usize) -> &'static str {
        match index.cmp(&self.step) {
            std::cmp::Ordering::Less => "done",
            std::cmp::Ordering::Equal => "now",
            std::cmp::Ordering::Greater => "next",
        }
    }

    fn waited_in_minutes(&self) -> String {
        format!("{}:{:02}", self.waited / 60, self.waited % 60)
    }

    fn is_slow(&self) -> bool {
        self.waited >= self.slow_after
    }
}

/// The page for a session in step number `step`.
pub(crate) fn reply(
    session: &Session,
    step: usize,
    now: Timestamp,
    visit: &RequestContext,
) -> Reply {
    let waited = u64::try_from(now.seconds() - session.created_at.seconds()).unwrap_or(0);
    let questions = start_times::questions(session.usual_start);
    let questions: Vec<String> = questions.iter().map(u32::to_string).collect();
    let main = Waiting {
        session,
        step,
        waited,
        age: now.seconds() - session.start_began().seconds(),
        queued: status::starts_in(session, now).map(|seconds| status::queued(visit.words, seconds)),
        questions: questions.join(","),
        slow_after: SLOW_SECONDS,
        not_applied: resumed::not_applied(visit),
        steps: words::steps(visit.words.session()),
        words: visit.words.session(),
    };
    let page = Page {
        style: include_str!("../templates/waiting.css"),
        script: include_str!("../templates/waiting.js"),
        refresh: Some(2),
        forms: FormAction::LeadAway,
        ..Page::new(visit.words.session().title, &main)
    };
    page.reply(visit)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::progress::tests::starting;
    use casting_core::session::TaskStatus;
    use casting_core::testing::{NOON, SeededEntropy};
    use casting_web::{Body, Request};

    pub(crate) fn visit() -> RequestContext {
        RequestContext::parse(&Request::new(Body::Empty), &SeededEntropy::new(1))
    }

    pub(crate) fn body(reply: &Reply) -> &str {
        std::str::from_utf8(reply.body().as_ref()).expect("text")
    }

    #[test]
    fn waiting_page_shows_current_step_and_elapsed_time() {
        let session = starting(TaskStatus::Pending);
        let reply = reply(&session, 2, NOON.plus_seconds(65), &visit());
        let html = body(&reply);
        assert_eq!(reply.status(), 200);
        for text in [
            "Place reserved",
            "Machine found",
            "class=\"now\" aria-current=\"step\"",
            "data-questions=\"250,500,750,1125,",
            "Fetching the image",
            "1:05",
            "Image 1",
        ] {
            assert!(html.contains(text), "{text}");
        }
        assert!(
            !html.contains("Cast 1"),
            "the cast's name is the administrator's"
        );
        assert!(html.contains(&format!("action=\"/session/{}/end\"", session.id)));
        assert!(html.contains("<noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript>"));
        assert!(html.len() < 10_000, "{} bytes", html.len());
    }

    #[test]
    fn waiting_page_of_a_queued_start_says_its_turn() {
        let queued = |seconds| {
            let session = crate::progress::tests::reserved();
            let session = session.queued(NOON.plus_seconds(20), NOON).expect("queued");
            let reply = reply(&session, 1, NOON.plus_seconds(seconds), &visit());
            body(&reply).to_owned()
        };
        let html = queued(8);
        for text in [
            "data-age=\"-12\"",
            "id=\"queued\">Many sessions are starting at this moment. Yours starts in about 12 seconds.",
            "class=\"now\" aria-current=\"step\" data-doing=\"Finding a machine\"",
        ] {
            assert!(html.contains(text), "{text}");
        }
        let html = body(&reply(&starting(TaskStatus::Pending), 2, NOON, &visit())).to_owned();
        assert!(html.contains("id=\"queued\" hidden>"));
    }

    #[test]
    fn slow_start_notice_appears_only_after_its_threshold() {
        let slow = |waited| {
            let reply = reply(
                &starting(TaskStatus::Running),
                3,
                NOON.plus_seconds(waited),
                &visit(),
            );
            !body(&reply).contains("id=\"slow\" hidden")
        };
        assert_eq!(
            (slow(0), slow(7), slow(8), slow(60)),
            (false, false, true, true)
        );
    }
}
