//! Owns which message says what core has decided: refusals, reasons, steps and waits. The messages
//! themselves are in `casting-words`, and templates hold no words of their own.
//!
//! Programs and administrators are spoken to in English. What an administrator wrote (names, texts,
//! a ban's label) is shown as it was written.

use casting_core::denial::DenialCode;
use casting_core::language::Language;
use casting_core::policy::NotApplied;
use casting_core::session::EndReason;

use crate::code::Code;
use crate::problem::Problem;

pub use casting_words::{Account, Badge, Help, Home, Landing, Lobby, Room, Session, Words, around};

/// How many steps a start has.
pub const START_STEPS: usize = 5;

/// One step of a start.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// While it lasts.
    pub doing: &'static str,
    /// Afterwards.
    pub done: &'static str,
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
    /// They are saved but for some that only the app's own user may read.
    Partly,
    /// They could not be saved, or not be brought back at its start: the last version stays.
    NotSaved,
}

/// What happened, in a few words, and what can be done about it. English words are those that
/// programs get.
pub fn problem(words: Words, code: Code) -> (&'static str, &'static str) {
    let named = words
        .problems()
        .iter()
        .find(|(name, ..)| *name == code.as_str());
    named.map_or((code.title(), code.sentence()), |(_, title, sentence)| {
        (*title, *sentence)
    })
}

/// What happened this time, if there is more to say than the code does. The details are English, as
/// programs get them; in other languages only the words of others in them are shown.
pub fn detail(words: Words, problem: &Problem) -> Option<String> {
    if is_english(words) {
        return problem.detail.clone();
    }
    let quote = problem.quote.as_deref()?;
    match problem.code {
        Code::Denial(DenialCode::AddressDenied) => Some(words.help().banned(quote)),
        Code::Denial(DenialCode::LoginFailed) => Some(words.help().provider_says(quote)),
        Code::Denial(DenialCode::Maintenance) => Some(quote.to_owned()),
        _ => None,
    }
}

fn is_english(words: Words) -> bool {
    words.language() == Language::English
}

/// The steps of a start, in their order.
pub fn steps(words: &Session) -> [Step; START_STEPS] {
    let step = |doing, done| Step { doing, done };
    [
        step(words.reserving, words.reserved),
        step(words.finding, words.found),
        step(words.fetching, words.fetched),
        step(words.starting, words.started),
        step(words.opening, words.opened),
    ]
}

/// What a running session did not take over from the link, and why.
pub const fn not_applied(words: &Session, what: NotApplied) -> &'static str {
    match what {
        NotApplied::UrlInvalid => words.url_invalid,
        NotApplied::UrlNotAccepted => words.url_not_accepted,
        NotApplied::UrlUnsupported => words.url_unsupported,
        NotApplied::UrlNotAgreed => words.url_not_agreed,
        NotApplied::NetworkUnchanged => words.network_unchanged,
    }
}

/// What becomes of a session's files.
pub const fn files(words: &Session, files: KeptFiles) -> &'static str {
    match files {
        KeptFiles::None => words.files_none,
        KeptFiles::Saving => words.files_saving,
        KeptFiles::Saved => words.files_saved,
        KeptFiles::Partly => words.files_partly,
        KeptFiles::NotSaved => words.files_not_saved,
    }
}

/// Why a session has ended.
pub const fn why(words: &Session, reason: &EndReason) -> &'static str {
    match reason {
        EndReason::Owner => words.by_owner,
        EndReason::Administrator { .. } => words.by_administrator,
        EndReason::TimeLimit => words.by_time,
        EndReason::Abandoned => words.by_absence,
        EndReason::NotEntered => words.by_no_entry,
        EndReason::Idle => words.by_idleness,
        EndReason::UnattendedCpu => words.by_unattended_cpu,
        EndReason::Reclaimed => words.by_reclaim,
        EndReason::TaskStopped {
            exit_code: Some(0), ..
        } => words.by_app,
        // What waits in a pool has no visitor who could ask.
        EndReason::Unused | EndReason::NotNeeded => words.by_no_need,
        EndReason::TaskStopped { .. } | EndReason::TaskLost | EndReason::GateLost => words.by_stop,
        EndReason::ProfileNotRestored => words.by_files,
        EndReason::NoCapacity | EndReason::StartRefused { .. } | EndReason::StartTimeout => {
            words.by_start
        }
    }
}

/// An estimated wait, in rough steps.
pub fn estimate(words: Words, seconds: Option<u64>) -> String {
    let room = words.room();
    match seconds {
        None => room.no_estimate.to_owned(),
        Some(0..=60) => room.soon.to_owned(),
        Some(seconds) => room.estimate(&words.help().wait(seconds.max(91))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::code::RequestError;

    #[test]
    fn every_code_has_words_in_each_language() {
        let codes: Vec<Code> = DenialCode::ALL
            .into_iter()
            .map(Code::Denial)
            .chain(RequestError::ALL.iter().copied().map(Code::RequestError))
            .collect();
        for language in Language::ALL {
            let words = Words::of(language);
            if is_english(words) {
                assert!(words.problems().is_empty(), "core has the English words");
                continue;
            }
            for code in &codes {
                let (title, sentence) = problem(words, *code);
                assert_ne!(title, code.title(), "{language:?}: {}", code.as_str());
                assert!(
                    sentence.ends_with(['.', '\u{3002}']),
                    "{language:?}: {}",
                    code.as_str()
                );
            }
            for (name, ..) in words.problems() {
                assert!(Code::parse(name).is_some(), "{language:?}: {name}");
            }
        }
    }

    #[test]
    fn estimates_are_rough() {
        for (language, seconds, said) in [
            (Language::English, Some(5), "About a minute or less."),
            (Language::English, Some(61), "About 2 minutes."),
            (Language::English, Some(230), "About 4 minutes."),
            (Language::English, Some(7_200), "About 2 hours."),
            (
                Language::German,
                Some(230),
                "Voraussichtlich in etwa 4 Minuten.",
            ),
            (
                Language::English,
                None,
                "We cannot say yet how long it takes.",
            ),
        ] {
            assert_eq!(estimate(Words::of(language), seconds), said);
        }
    }
}
