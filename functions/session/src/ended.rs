//! Owns the page of a session that is over: why, and how to start again. Must not know of starts
//! that failed; these are refusals.

use askama::Template;
use casting_core::persistent_profile::{PROFILE_INCOMPLETE, PROFILE_SAVED};
use casting_core::session::{EndReason, Session};
use casting_core::urls;
use casting_web::words::{self, KeptFiles};
use casting_web::{Page, Reply, RequestContext};
use http::StatusCode;

#[derive(Template)]
#[template(path = "ended.html")]
struct Ended<'a> {
    session: &'a Session,
    why: &'static str,
    files: &'static str,
    /// What an administrator says of it.
    note: Option<&'a str>,
    words: &'static words::Session,
}

impl Ended<'_> {
    fn came_from(&self, site: &str) -> String {
        self.words.from_site(site)
    }
}

/// The page for a session that ended, or is about to, for this reason.
pub(crate) fn reply(session: &Session, reason: &EndReason, visit: &RequestContext) -> Reply {
    let words = visit.words.session();
    let main = Ended {
        session,
        why: words::why(words, reason),
        files: words::files(words, files_of(session)),
        note: match reason {
            EndReason::Administrator { note } => note.as_deref(),
            _ => None,
        },
        words,
    };
    Page {
        status: StatusCode::GONE,
        ..Page::new(words.ended_title, &main)
    }
    .reply(visit)
}

fn files_of(session: &Session) -> KeptFiles {
    let of_profile = |note: &&String| note.starts_with("profile-");
    match session.notes.iter().rfind(of_profile) {
        _ if session.profile.is_none() => KeptFiles::None,
        None => KeptFiles::Saving,
        Some(note) if note == PROFILE_SAVED => KeptFiles::Saved,
        Some(note) if note.starts_with(PROFILE_INCOMPLETE) => KeptFiles::Partly,
        Some(_) => KeptFiles::NotSaved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::tests::ready;
    use crate::waiting::tests::{body, visit};
    use casting_core::persistent_profile::{CarriedProfile, ProfileId};
    use casting_core::testing::{image, user};

    #[test]
    fn ended_page_shows_the_reason_and_a_link_back() {
        let session = ready();
        for (reason, why) in [
            (EndReason::Owner, "You ended it."),
            (EndReason::TimeLimit, "Its time was up."),
            (EndReason::Abandoned, "It was disconnected for too long."),
            (EndReason::NotEntered, "It was not entered in time."),
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
    fn ended_page_says_what_became_of_files() {
        for (has_profile, notes, said) in [
            (false, vec![], "Everything in it has been deleted."),
            (true, vec![], "Your files are being saved"),
            (true, vec!["profile-saved"], "Your files are saved"),
            (
                true,
                vec!["profile-incomplete: a.txt"],
                "but for some that could not be read",
            ),
            (
                true,
                vec!["kasm-url-ignored", "profile-too-large"],
                "could not be saved",
            ),
            (
                true,
                vec!["profile-not-saved", "profile-saved"],
                "Your files are saved",
            ),
        ] {
            let mut session = ready();
            session.profile = has_profile.then(|| CarriedProfile {
                id: ProfileId::of(&user(1).id, &image(1).id),
                path: "/home/user".into(),
                max_mib: 1,
                exclude: vec![],
            });
            session.notes = notes.iter().map(|note| (*note).to_owned()).collect();
            let html = reply(&session, &EndReason::Owner, &visit());
            assert!(body(&html).contains(said), "{notes:?}: {}", body(&html));
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
