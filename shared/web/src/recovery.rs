//! Owns what a visitor can do after each problem: one table, from which the page of a problem gets
//! its buttons, and `docs/refusals.md` its rows. Must not know how a page shows them.

use casting_core::denial::DenialCode;

use crate::code::{Code, RequestError};

/// One thing that a visitor can do after a problem. The page offers it if it can be done: a link
/// is offered if it is known, a contact if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Wait: the page counts down and opens the link by itself; before that, a button does.
    Retry,
    /// Open the link again.
    OpenLink,
    /// Open the link without its parameters.
    OpenPlain,
    /// Sign in, and come back to the link.
    LogIn,
    /// Sign in, where that may let the visitor in.
    LogInIfItHelps,
    /// Go to the list of one's own sessions.
    Sessions,
    /// Go to one's own session that is in the way.
    OwnSession,
    /// End that session, and open the link again.
    EndOwn,
    /// Ask the contact of the link or of the deployment, and quote the reference.
    Ask,
    /// Go to the start page.
    Start,
    /// Change the request: the problem is one of a program or of a form.
    Correct,
}

impl Recovery {
    /// What the manual says of it.
    pub const fn manual(self) -> &'static str {
        match self {
            Self::Retry => "wait: the page tries again by itself",
            Self::OpenLink => "open the link again",
            Self::OpenPlain => "open the link without its parameters",
            Self::LogIn => "sign in, and come back to the link",
            Self::LogInIfItHelps => "sign in, where that may let you in",
            Self::Sessions => "go to your sessions",
            Self::OwnSession => "go to the session that has your files",
            Self::EndOwn => "end it, and start anew",
            Self::Ask => "ask the contact, with the reference",
            Self::Start => "go to the start page",
            Self::Correct => "change what the message names",
        }
    }
}

/// What a visitor can do after this problem; the best first.
pub const fn recoveries(code: Code) -> &'static [Recovery] {
    use Recovery::{
        Ask, Correct, EndOwn, LogIn, LogInIfItHelps, OpenLink, OpenPlain, OwnSession, Retry,
        Sessions, Start,
    };
    match code {
        Code::Denial(code) => match code {
            DenialCode::UnknownCast
            | DenialCode::CastExpired
            | DenialCode::NoSessionsLeft
            | DenialCode::ReferrerDenied
            | DenialCode::AddressDenied
            | DenialCode::StartRefused
            | DenialCode::ImageUnavailable
            | DenialCode::ProfileUnavailable
            | DenialCode::StartFailed
            | DenialCode::StartTimeout
            | DenialCode::Fault => &[OpenLink, Ask],
            DenialCode::IpLimit
            | DenialCode::CastClosed
            | DenialCode::TooManyAttempts
            | DenialCode::CaptchaUnavailable
            | DenialCode::AnonymousLimit
            | DenialCode::CastBusy
            | DenialCode::SystemBusy
            | DenialCode::Waiting
            | DenialCode::NoCapacity
            | DenialCode::Busy => &[Retry],
            DenialCode::LoginUnavailable | DenialCode::Maintenance | DenialCode::BudgetReached => {
                &[Retry, Ask]
            }
            DenialCode::LinkBudgetReached | DenialCode::AdmissionUnavailable => &[Retry, Ask],
            DenialCode::NotAdmitted => &[OpenLink, Ask],
            DenialCode::AccessDenied => &[LogInIfItHelps, OpenLink, Ask],
            DenialCode::InvitationRequired => &[Ask, Start],
            DenialCode::InvitationUnknown
            | DenialCode::InvitationExpired
            | DenialCode::InvitationUsed => &[OpenLink, Ask],
            DenialCode::LoginRequired => &[LogIn],
            DenialCode::LoginFailed => &[LogIn, Ask],
            DenialCode::ParameterInvalid | DenialCode::NetworkDenied => &[OpenPlain, Ask],
            DenialCode::UserLimit => &[Sessions, OpenLink],
            DenialCode::ProfileBusy => &[OwnSession, EndOwn, OpenLink],
            DenialCode::ConsentRequired
            | DenialCode::CookiesBlocked
            | DenialCode::CaptchaRequired
            | DenialCode::CaptchaFailed
            | DenialCode::PlaceLost
            | DenialCode::RequestDiffers
            | DenialCode::TicketInvalid
            | DenialCode::TicketExpired
            | DenialCode::TicketForeign
            | DenialCode::SessionEnded => &[OpenLink],
            DenialCode::UnknownSession | DenialCode::NotYourSession => &[OpenLink, Sessions],
            DenialCode::ShareEnded => &[Ask, Start],
            DenialCode::DevtoolsUnavailable => &[Ask],
        },
        Code::RequestError(error) => match error {
            RequestError::NotFound
            | RequestError::MethodNotAllowed
            | RequestError::BadRequest
            | RequestError::CrossSite => &[OpenLink, Start],
            RequestError::Unauthorized
            | RequestError::Forbidden
            | RequestError::Conflict
            | RequestError::Stale
            | RequestError::TooLarge
            | RequestError::WrongType
            | RequestError::NotValid => &[Correct],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code, in the order of the manual.
    fn codes() -> impl Iterator<Item = Code> {
        let denials = DenialCode::ALL.into_iter().map(Code::Denial);
        let errors = RequestError::ALL.iter().copied().map(Code::RequestError);
        denials.chain(errors)
    }

    #[test]
    fn manual_says_what_to_do_after_each_problem() {
        let manual = include_str!("../../../docs/refusals.md");
        let rows: Vec<String> = codes()
            .map(|code| {
                let steps: Vec<&str> = recoveries(code).iter().map(|step| step.manual()).collect();
                format!(
                    "| `{}` | {} | {} | {} |",
                    code.as_str(),
                    code.status().as_u16(),
                    code.title(),
                    steps.join("; ")
                )
            })
            .collect();
        let written: Vec<&str> = manual
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        assert_eq!(written, rows, "the table should be:\n{}", rows.join("\n"));
    }

    #[test]
    fn every_problem_has_a_next_step() {
        for code in codes() {
            assert!(!recoveries(code).is_empty(), "{}", code.as_str());
        }
    }
}
