//! Owns what visitors read, in every language that there is: all words of the visitor's pages stand in one value per language, and templates hold
//! none of their own. Must not know the pages' markup.
//!
//! Another language is a file beside `english.rs` and an entry in [`LANGUAGES`]. Programs and administrators are spoken to in English.
//! What an administrator wrote (names, a ban's label) is shown as it was written.

mod english;

use casting_core::policy::NotApplied;
use casting_core::session::EndReason;

use crate::code::Code;

pub use english::ENGLISH;

/// How many steps a start has.
pub const START_STEPS: usize = 5;

/// All words of one language.
#[derive(Debug)]
pub struct Words {
    /// The language's tag, such as `en`.
    pub language: &'static str,
    /// What happened, in a few words, and what can be done about it.
    pub problem: fn(Code) -> (&'static str, &'static str),
    /// That one may come back in so many seconds.
    pub try_again_in: fn(u64) -> String,
    /// Stands before the reference that a visitor can quote.
    pub reference: &'static str,
    /// The landing page.
    pub landing: LandingWords,
    /// The page of a link's waiting room.
    pub room: RoomWords,
    /// The page of a session that starts.
    pub waiting: WaitingWords,
    /// The page of a session that was running before and goes on.
    pub resumed: ResumedWords,
    /// The page of a session that is over.
    pub ended: EndedWords,
    /// The page that says who has logged in.
    pub login: LoginWords,
}

/// The words of the landing page.
#[derive(Debug)]
pub struct LandingWords {
    /// What will happen.
    pub about: &'static str,
    /// The same, where the user's files are kept.
    pub about_kept_files: &'static str,
    /// Stands before an address that came with the link.
    pub opens: &'static str,
    /// Stands behind it.
    pub opens_care: &'static str,
    /// On the button that agrees to it.
    pub agree: &'static str,
    /// On the button when nothing is to be agreed to.
    pub start: &'static str,
    /// On the button once it has been pressed.
    pub starting: &'static str,
    /// What will happen, for a visitor whose session runs already.
    pub resumes: &'static str,
    /// On the button that leads back to it.
    pub resume: &'static str,
    /// On the button once it has been pressed.
    pub resuming: &'static str,
    /// On the button that leads back to it and leaves the link's address alone.
    pub resume_only: &'static str,
    /// Below the button where the page stands in another site's frame.
    pub own_window: &'static str,
    /// On the button there once it has been pressed.
    pub opened: &'static str,
    /// In a frame, above the button that leads to the login.
    pub sign_in_first: &'static str,
    /// While the browser works on its proof.
    pub checking: &'static str,
    /// When that came to nothing.
    pub check_failed: &'static str,
    /// In a frame, when it has worked out and the button must be pressed once more.
    pub check_done: &'static str,
    /// When the visitor has not solved it yet.
    pub check_missing: &'static str,
    /// For browsers without scripting.
    pub check_needs_scripting: &'static str,
}

/// The words of the waiting room.
#[derive(Debug)]
pub struct RoomWords {
    /// Its heading.
    pub title: &'static str,
    /// What is going on, where the administrator has no title for the link.
    pub about: &'static str,
    /// Which number somebody has.
    pub position: fn(usize) -> String,
    /// In how many seconds it may be their turn, if that can be said.
    pub estimate: fn(Option<u64>) -> String,
    /// When it is.
    pub turn: &'static str,
    /// On the button that goes in then.
    pub enter: &'static str,
    /// How the place is kept.
    pub keep: &'static str,
    /// When the connection is lost.
    pub trouble: &'static str,
    /// On the button that gives the place back.
    pub leave: &'static str,
    /// The heading for whoever has left.
    pub left_title: &'static str,
    /// What that means.
    pub left: &'static str,
    /// Leads back to the link.
    pub again: &'static str,
}

/// One step of a start.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// While it lasts.
    pub doing: &'static str,
    /// Afterwards.
    pub done: &'static str,
}

/// The words of the waiting page.
#[derive(Debug)]
pub struct WaitingWords {
    /// Its heading.
    pub title: &'static str,
    /// The steps in their order.
    pub steps: [Step; START_STEPS],
    /// When it takes long.
    pub usual: &'static str,
    /// When the connection is lost.
    pub trouble: &'static str,
    /// Stands before the time waited.
    pub waiting: &'static str,
    /// Ends it.
    pub cancel: &'static str,
}

/// The words about a running session that did not take over everything that a link asked for.
#[derive(Debug)]
pub struct ResumedWords {
    /// The heading.
    pub title: &'static str,
    /// What was not done, and why.
    pub not_applied: fn(NotApplied) -> &'static str,
    /// On the button that leads into the session.
    pub enter: &'static str,
}

/// What has become of the files of a session that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptFiles {
    /// The session kept none.
    None,
    /// Its gate has not reported yet.
    Saving,
    /// They are saved.
    Saved,
    /// They could not be saved, or not be brought back at its start: the last version stays.
    NotSaved,
}

/// The words of the page of a session that is over.
#[derive(Debug)]
pub struct EndedWords {
    /// Its heading.
    pub title: &'static str,
    /// Why it ended.
    pub why: fn(&EndReason) -> &'static str,
    /// What becomes of its files.
    pub files: fn(KeptFiles) -> &'static str,
    /// Leads back to the link.
    pub start_again: &'static str,
    /// What to do when that link works only from the site of this name.
    pub from_site: fn(&str) -> String,
}

/// The words around logging in.
#[derive(Debug)]
pub struct LoginWords {
    /// The heading for whoever has logged in.
    pub signed_in: &'static str,
    /// Who that is.
    pub signed_in_as: fn(&str) -> String,
    /// What to do now.
    pub go_on: &'static str,
    /// The heading for everybody else.
    pub signed_out: &'static str,
    /// What becomes of their sessions.
    pub sessions_go_on: &'static str,
    /// On the button that logs in.
    pub sign_in: &'static str,
    /// On the button that logs out.
    pub sign_out: &'static str,
}

/// Every language, the usual one first.
pub const LANGUAGES: [&Words; 1] = [&ENGLISH];

/// The best language for this `Accept-Language`; the usual one when it names none of ours.
pub fn choose(accepted: &str) -> &'static Words {
    best(accepted, &LANGUAGES)
}

fn best<'w>(accepted: &str, languages: &[&'w Words]) -> &'w Words {
    let mut wanted: Vec<(&str, f32)> = accepted
        .split(',')
        .filter_map(|part| {
            let (tag, quality) = part.split_once(";q=").unwrap_or((part, "1"));
            let quality: f32 = quality.trim().parse().ok()?;
            (quality > 0.0).then_some((tag.trim(), quality))
        })
        .collect();
    // Stable: of equal ones, the first named counts.
    wanted.sort_by(|(_, left), (_, right)| right.total_cmp(left));
    let spoken = |tag: &str| {
        let primary = tag.split('-').next().unwrap_or_default();
        languages
            .iter()
            .copied()
            .find(|words| words.language.eq_ignore_ascii_case(primary))
    };
    wanted
        .iter()
        .find_map(|(tag, _)| spoken(tag))
        .unwrap_or(languages.first().copied().unwrap_or(&ENGLISH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_accepted_language_wins_with_english_fallback() {
        static OTHER: Words = Words {
            language: "xx",
            ..ENGLISH
        };
        for (accepted, language) in [
            ("", "en"),
            ("xx", "xx"),
            ("xx-YY", "xx"),
            ("XX", "xx"),
            ("en-GB,en;q=0.9,xx;q=0.8", "en"),
            ("fr,xx;q=0.5,en;q=0.4", "xx"),
            ("en;q=0.1, xx;q=0.2", "xx"),
            ("xx;q=0", "en"),
            ("xx;q=much", "en"),
            ("*", "en"),
            ("\u{fc},,;q=", "en"),
        ] {
            assert_eq!(
                best(accepted, &[&ENGLISH, &OTHER]).language,
                language,
                "{accepted}"
            );
        }
    }
}
