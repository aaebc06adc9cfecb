//! English.

use casting_core::policy::NotApplied;
use casting_core::session::EndReason;

use super::{
    EndedWords, KeptFiles, LandingWords, LoginWords, ResumedWords, RoomWords, Step, WaitingWords,
    Words,
};
use crate::code::Code;

/// English, which is also what programs are told problems in.
pub const ENGLISH: Words = Words {
    language: "en",
    problem: |code: Code| (code.title(), code.sentence()),
    try_again_in: |seconds| format!("You can try again in {}.", wait(seconds)),
    reference: "Reference",
    landing: LandingWords {
        about: "Your own session, started just for you. Everything in it is deleted when it ends.",
        about_kept_files: "Your own session, started just for you. Your files are kept for next time; \
            everything else is deleted when it ends.",
        opens: "This link asks the session to open an address that its sender chose:",
        opens_care: "Continue only if you recognise it, or trust who sent you the link.",
        agree: "Open it",
        start: "Start",
        starting: "Starting\u{2026}",
        resumes: "Your session of this link is still running.",
        resume: "Go back to your session",
        resuming: "Opening your session\u{2026}",
        resume_only: "Go back without opening it",
        own_window: "It opens in a window of its own.",
        opened: "Opened in a window of its own",
        sign_in_first: "This link is for people with an account.",
        checking: "Checking your browser\u{2026}",
        check_failed: "The check failed. Please load the page again.",
        check_done: "That worked. Please press the button once more.",
        check_missing: "Please complete the check first.",
        check_needs_scripting: "This link checks that you are a person, which needs JavaScript. Please switch it on and load the page again.",
    },
    room: RoomWords {
        title: "You are in the queue",
        about: "Every session of this link is in use. You get in automatically when it is your turn.",
        position: |number| format!("You are number {number}."),
        estimate,
        turn: "It is your turn.",
        enter: "Enter",
        keep: "Keep this page open. Your place is given up when it has been closed for more than a minute.",
        trouble: "The connection is lost at the moment; trying again.",
        leave: "Leave the queue",
        left_title: "You have left the queue",
        left: "Your place was given back.",
        again: "Start again",
    },
    waiting: WaitingWords {
        title: "Your session is starting",
        steps: [
            Step {
                doing: "Reserving your place",
                done: "Place reserved",
            },
            Step {
                doing: "Finding a machine",
                done: "Machine found",
            },
            Step {
                doing: "Fetching the image",
                done: "Image fetched",
            },
            Step {
                doing: "Starting the app",
                done: "App started",
            },
            Step {
                doing: "Opening your session",
                done: "Ready",
            },
        ],
        usual: "This usually takes up to a minute.",
        trouble: "The connection is lost at the moment; trying again.",
        waiting: "Waiting",
        cancel: "Cancel",
    },
    resumed: ResumedWords {
        title: "Your session is still running",
        not_applied,
        enter: "Go to your session",
    },
    ended: EndedWords {
        title: "This session has ended",
        why,
        files,
        start_again: "Start again",
        from_site: |site| format!("If that does not work, click the link on {site} again."),
    },
    login: LoginWords {
        signed_in: "You are signed in",
        signed_in_as: |name| format!("Signed in as {name}"),
        go_on: "Open the link that you were given.",
        signed_out: "You are signed out",
        sessions_go_on: "Sessions that you have started keep running.",
        sign_in: "Sign in",
        sign_out: "Sign out",
    },
};

const fn not_applied(what: NotApplied) -> &'static str {
    match what {
        NotApplied::UrlInvalid => {
            "The address in the link was not opened, because it is not one that the link accepts."
        }
        NotApplied::UrlNotAccepted => {
            "The address in the link was not opened, because this link does not accept addresses."
        }
        NotApplied::UrlUnsupported => {
            "The address in the link was not opened, because this session cannot open another \
             address while it runs."
        }
        NotApplied::UrlNotAgreed => {
            "The address in the link was not opened, because you did not agree to it."
        }
        NotApplied::NetworkUnchanged => {
            "The network in the link was not used, because a running session keeps its network."
        }
    }
}

const fn files(files: KeptFiles) -> &'static str {
    match files {
        KeptFiles::None => "Everything in it has been deleted.",
        KeptFiles::Saving => "Your files are being saved; everything else is deleted.",
        KeptFiles::Saved => "Your files are saved; everything else has been deleted.",
        KeptFiles::NotSaved => {
            "Your files could not be saved. What was saved before is still there."
        }
    }
}

const fn why(reason: &EndReason) -> &'static str {
    match reason {
        EndReason::Owner => "You ended it.",
        EndReason::Administrator => "An administrator ended it.",
        EndReason::TimeLimit => "Its time was up.",
        EndReason::Abandoned => "It was disconnected for too long.",
        EndReason::NotEntered => "Nobody entered it in time.",
        EndReason::Idle => "It was inactive for too long.",
        EndReason::Reclaimed => "The machine it ran on was needed elsewhere.",
        EndReason::TaskStopped {
            exit_code: Some(0), ..
        } => "The app in it was closed.",
        // What waits in a pool has no visitor who could ask.
        EndReason::Unused | EndReason::NotNeeded => "It was not needed.",
        EndReason::TaskStopped { .. } | EndReason::TaskLost | EndReason::GateLost => {
            "The app in it stopped."
        }
        EndReason::ProfileNotRestored => "Your files could not be loaded, so it was not started.",
        EndReason::NoCapacity | EndReason::StartRefused { .. } | EndReason::StartTimeout => {
            "It could not start."
        }
    }
}

/// A wait that nobody can promise, so never more exact than it can be.
fn estimate(seconds: Option<u64>) -> String {
    match seconds {
        None => "We cannot say yet how long it takes.".to_owned(),
        Some(0..=60) => "About a minute or less.".to_owned(),
        Some(seconds) => format!("About {}.", wait(seconds.max(91))),
    }
}

/// A wait in words: `8 seconds`, `1 minute`, `2 hours`; rounded up, so that nobody comes too early.
fn wait(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..=90 => (seconds, "second"),
        91..=5_400 => (seconds.div_ceil(60), "minute"),
        5_401..=129_600 => (seconds.div_ceil(3_600), "hour"),
        _ => (seconds.div_ceil(86_400), "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_formatted_with_units() {
        for (seconds, words) in [
            (1, "1 second"),
            (90, "90 seconds"),
            (91, "2 minutes"),
            (3_600, "60 minutes"),
            (7_200, "2 hours"),
            (2_592_000, "30 days"),
        ] {
            assert_eq!(wait(seconds), words);
        }
        for (seconds, words) in [
            (5, "About a minute or less."),
            (61, "About 2 minutes."),
            (230, "About 4 minutes."),
            (7_200, "About 2 hours."),
        ] {
            assert_eq!(estimate(Some(seconds)), words);
        }
    }
}
