//! Owns the expected refusals: a stable code and one plain sentence each. Must not know HTTP;
//! `casting-web` gives each code its status.

use std::fmt;

use crate::rate_limit::RateLimit;

/// Why a visitor, or a program, is not given what it asked for. The code is part of the API: it
/// never changes its meaning.
///
/// Its number is encoded in references: a new code takes the next free one (at most 127), and none
/// is used twice.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DenialCode {
    /// No cast has this key, or it is disabled; the two look alike.
    UnknownCast = 1,
    /// Valid-until has passed.
    CastExpired = 2,
    /// Sessions Remaining is zero.
    NoSessionsLeft = 3,
    /// The visitor did not come from a listed site.
    ReferrerDenied = 4,
    /// Too many sessions from this address.
    IpLimit = 5,
    /// The address is on a list of those that may not come, or not on the list of those that may.
    AddressDenied = 6,
    /// Outside of the link's open hours.
    CastClosed = 7,
    /// Only for those who have logged in.
    LoginRequired = 8,
    /// The login did not work out.
    LoginFailed = 9,
    /// Logins are not available at present.
    LoginUnavailable = 10,
    /// A parameter of the link cannot be used.
    ParameterInvalid = 11,
    /// The link names a network that it may not name.
    NetworkDenied = 12,
    /// The visitor has not agreed to the address that the link opens.
    ConsentRequired = 13,
    /// Too many attempts from this address, whatever they were for.
    TooManyAttempts = 14,
    /// The CAPTCHA solution is missing.
    CaptchaRequired = 15,
    /// The proof is wrong, stale or used.
    CaptchaFailed = 16,
    /// The CAPTCHA solution could not be checked.
    CaptchaUnavailable = 17,
    /// As many anonymous users as there may be have come in this hour.
    AnonymousLimit = 18,
    /// The user has as many live sessions as there may be.
    UserLimit = 19,
    /// The user has a live session with the same persistent profile.
    ProfileBusy = 20,
    /// The user's persistent profile could not be brought back.
    ProfileUnavailable = 21,
    /// As many sessions of this link as there may be are alive.
    CastBusy = 22,
    /// As many sessions as the deployment has room for are alive.
    SystemBusy = 23,
    /// Others wait for this link and come first.
    Waiting = 24,
    /// The visitor's place in the waiting room is no more.
    PlaceLost = 25,
    /// The deployment starts no sessions at present.
    Maintenance = 26,
    /// An idempotency key came again with another request.
    RequestDiffers = 27,
    /// The image is disabled or gone.
    ImageUnavailable = 28,
    /// ECS has no room now.
    NoCapacity = 29,
    /// ECS refused the task for a reason that waiting does not mend.
    StartRefused = 30,
    /// The task ended before the session was ready.
    StartFailed = 31,
    /// The session was not ready in time.
    StartTimeout = 32,
    /// The launch ticket is not ours.
    TicketInvalid = 33,
    /// The launch ticket is too old.
    TicketExpired = 34,
    /// The launch ticket belongs to another link.
    TicketForeign = 35,
    /// Too many visitors at this very moment.
    Busy = 36,
    /// No such session.
    UnknownSession = 37,
    /// The session belongs to someone else.
    NotYourSession = 38,
    /// The session has ended.
    SessionEnded = 39,
    /// The share link has been taken back, or was never one.
    ShareEnded = 40,
    /// An unexpected fault.
    Fault = 41,
    /// As much as there may be has been spent on sessions, or is going to be.
    BudgetReached = 42,
    /// The link is for invited visitors, and the address names no invitation.
    InvitationRequired = 43,
    /// No such invitation to this link, or it was revoked.
    InvitationUnknown = 44,
    /// The invitation has expired, by its date or by its activation time-out.
    InvitationExpired = 45,
    /// The invitation has been used as often as it may be.
    InvitationUsed = 46,
    /// As much as there may be has been spent on the sessions of the link, or is going to be.
    LinkBudgetReached = 47,
    /// The server of the link's admission hook does not let the visitor in.
    NotAdmitted = 48,
    /// That server gives no answer.
    AdmissionUnavailable = 49,
    /// The browser drops the cookie that a session needs to be its visitor's.
    CookiesBlocked = 50,
    /// No access tier of the link admits the visitor.
    AccessDenied = 51,
    /// The session has no DevTools for programs.
    DevtoolsUnavailable = 52,
}

impl DenialCode {
    /// Every code, in the order of the documentation.
    pub const ALL: [DenialCode; 52] = [
        Self::UnknownCast,
        Self::CastExpired,
        Self::NoSessionsLeft,
        Self::ReferrerDenied,
        Self::IpLimit,
        Self::AddressDenied,
        Self::AccessDenied,
        Self::CastClosed,
        Self::InvitationRequired,
        Self::InvitationUnknown,
        Self::InvitationExpired,
        Self::InvitationUsed,
        Self::LoginRequired,
        Self::LoginFailed,
        Self::LoginUnavailable,
        Self::ParameterInvalid,
        Self::NetworkDenied,
        Self::ConsentRequired,
        Self::CookiesBlocked,
        Self::TooManyAttempts,
        Self::CaptchaRequired,
        Self::CaptchaFailed,
        Self::CaptchaUnavailable,
        Self::AnonymousLimit,
        Self::UserLimit,
        Self::ProfileBusy,
        Self::ProfileUnavailable,
        Self::CastBusy,
        Self::SystemBusy,
        Self::Waiting,
        Self::PlaceLost,
        Self::Maintenance,
        Self::BudgetReached,
        Self::LinkBudgetReached,
        Self::NotAdmitted,
        Self::AdmissionUnavailable,
        Self::RequestDiffers,
        Self::ImageUnavailable,
        Self::NoCapacity,
        Self::StartRefused,
        Self::StartFailed,
        Self::StartTimeout,
        Self::TicketInvalid,
        Self::TicketExpired,
        Self::TicketForeign,
        Self::Busy,
        Self::UnknownSession,
        Self::NotYourSession,
        Self::SessionEnded,
        Self::ShareEnded,
        Self::DevtoolsUnavailable,
        Self::Fault,
    ];

    /// The code, as in URLs, problems and the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownCast => "unknown-cast",
            Self::CastExpired => "cast-expired",
            Self::NoSessionsLeft => "no-sessions-left",
            Self::ReferrerDenied => "referrer-denied",
            Self::IpLimit => "ip-limit",
            Self::AddressDenied => "address-denied",
            Self::AccessDenied => "access-denied",
            Self::CastClosed => "cast-closed",
            Self::LoginRequired => "login-required",
            Self::LoginFailed => "login-failed",
            Self::LoginUnavailable => "login-unavailable",
            Self::ParameterInvalid => "parameter-invalid",
            Self::NetworkDenied => "network-denied",
            Self::ConsentRequired => "consent-required",
            Self::CookiesBlocked => "cookies-blocked",
            Self::TooManyAttempts => "too-many-attempts",
            Self::CaptchaRequired => "captcha-required",
            Self::CaptchaFailed => "captcha-failed",
            Self::CaptchaUnavailable => "captcha-unavailable",
            Self::AnonymousLimit => "anonymous-limit",
            Self::UserLimit => "user-limit",
            Self::ProfileBusy => "profile-busy",
            Self::ProfileUnavailable => "profile-unavailable",
            Self::CastBusy => "cast-busy",
            Self::SystemBusy => "system-busy",
            Self::Waiting => "waiting",
            Self::PlaceLost => "place-lost",
            Self::Maintenance => "maintenance",
            Self::BudgetReached => "budget-reached",
            Self::LinkBudgetReached => "link-budget-reached",
            Self::NotAdmitted => "not-admitted",
            Self::AdmissionUnavailable => "admission-unavailable",
            Self::InvitationRequired => "invitation-required",
            Self::InvitationUnknown => "invitation-unknown",
            Self::InvitationExpired => "invitation-expired",
            Self::InvitationUsed => "invitation-used",
            Self::RequestDiffers => "request-differs",
            Self::ImageUnavailable => "image-unavailable",
            Self::NoCapacity => "no-capacity",
            Self::StartRefused => "start-refused",
            Self::StartFailed => "start-failed",
            Self::StartTimeout => "start-timeout",
            Self::TicketInvalid => "ticket-invalid",
            Self::TicketExpired => "ticket-expired",
            Self::TicketForeign => "ticket-foreign",
            Self::Busy => "busy",
            Self::UnknownSession => "unknown-session",
            Self::NotYourSession => "not-your-session",
            Self::SessionEnded => "session-ended",
            Self::ShareEnded => "share-ended",
            Self::DevtoolsUnavailable => "devtools-unavailable",
            Self::Fault => "fault",
        }
    }

    /// Reads a code; `None` when there is no such code.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// The number of the code in references.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The code with this number; `None` when there is no such code.
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// The title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::UnknownCast => "This link does not work",
            Self::CastExpired => "This link has expired",
            Self::NoSessionsLeft => "All sessions are taken",
            Self::ReferrerDenied => "This link cannot be opened from here",
            Self::IpLimit => "Too many sessions from your network",
            Self::AddressDenied => "This link cannot be opened from your network",
            Self::AccessDenied => "This link is not open to you",
            Self::CastClosed => "This link is closed right now",
            Self::LoginRequired => "Please sign in first",
            Self::LoginFailed => "Sign-in failed",
            Self::LoginUnavailable => "Sign-in is unavailable",
            Self::ParameterInvalid => "The address in this link is not valid",
            Self::NetworkDenied => "The requested network is not available",
            Self::ConsentRequired => "Confirm the address first",
            Self::CookiesBlocked => "Your browser blocks cookies",
            Self::TooManyAttempts => "Too many attempts",
            Self::CaptchaRequired => "Complete the check first",
            Self::CaptchaFailed => "The check failed",
            Self::CaptchaUnavailable => "The check is unavailable",
            Self::AnonymousLimit => "Too many visitors this hour",
            Self::UserLimit => "You have reached your session limit",
            Self::ProfileBusy => "Your files are open in another session",
            Self::ProfileUnavailable => "Your files could not be loaded",
            Self::CastBusy => "Every session of this link is in use",
            Self::Waiting => "Other visitors are waiting",
            Self::PlaceLost => "You lost your place in the queue",
            Self::Maintenance => "Closed for maintenance",
            Self::BudgetReached => "Closed for now",
            Self::LinkBudgetReached => "This link is closed for now",
            Self::NotAdmitted => "You were not let in",
            Self::AdmissionUnavailable => "Admission cannot be checked",
            Self::InvitationRequired => "This link is by invitation only",
            Self::InvitationUnknown => "This invitation is not valid",
            Self::InvitationExpired => "This invitation has expired",
            Self::InvitationUsed => "This invitation has been used",
            Self::RequestDiffers => "The idempotency key was already used",
            Self::ImageUnavailable => "This link is not available right now",
            Self::NoCapacity | Self::SystemBusy => "No capacity right now",
            Self::StartRefused | Self::StartFailed => "The session could not start",
            Self::StartTimeout => "The session took too long to start",
            Self::TicketInvalid => "The request was incomplete",
            Self::TicketExpired => "This page was open for too long",
            Self::TicketForeign => "This page belongs to another link",
            Self::Busy => "Too many visitors right now",
            Self::UnknownSession => "Session not found",
            Self::NotYourSession => "This session belongs to another user",
            Self::SessionEnded => "This session has ended",
            Self::ShareEnded => "This session is no longer shared",
            Self::DevtoolsUnavailable => "This session has no DevTools",
            Self::Fault => "Something went wrong on our side",
        }
    }

    /// One plain sentence that says what the visitor can do.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::UnknownCast => {
                "Please check the address, or ask the person who gave you the link."
            }
            Self::CastExpired => "Ask the person who gave you the link for a new one.",
            Self::NoSessionsLeft => {
                "This link was made for a limited number of sessions, and the last one has been \
                 given out."
            }
            Self::ReferrerDenied => {
                "It only works when you click it on one of the websites it was made for."
            }
            Self::IpLimit => {
                "This link allows only a few sessions in a given time from one \
                              network; please try again a little later."
            }
            Self::AddressDenied => "It is only available from other networks.",
            Self::AccessDenied => {
                "It is for some visitors only: sign in or use your invitation if you have one, or \
                 ask the person who gave you the link."
            }
            Self::CastClosed => "It is only open at certain hours.",
            Self::LoginRequired => {
                "This link is for people with an account; sign in and you will be brought back \
                 here."
            }
            Self::LoginFailed => {
                "Please try again; if it keeps happening, tell the person who gave you the link \
                 the reference below."
            }
            Self::LoginUnavailable => "Please try again in a minute.",
            Self::ParameterInvalid => {
                "Please check what comes after the question mark, or ask the person who gave you \
                 the link."
            }
            Self::NetworkDenied => {
                "Please check the address, or ask the person who gave you the link."
            }
            Self::ConsentRequired => {
                "This link opens an address that its sender chose; open the link again and confirm \
                 it."
            }
            Self::CookiesBlocked => {
                "Nothing was started, because without a cookie nobody could open the session; please \
                 allow cookies for this website, then open the link again."
            }
            Self::TooManyAttempts => {
                "There were too many attempts from your network; please wait a little."
            }
            Self::CaptchaRequired => "Open the link again and complete the check.",
            Self::CaptchaFailed => "Please open the link again and repeat the check.",
            Self::CaptchaUnavailable => "Please try again in a minute.",
            Self::AnonymousLimit => "Please come back a little later.",
            Self::UserLimit => "End one of your sessions first, then open the link again.",
            Self::ProfileBusy => {
                "End that session first; once its files have been saved, open the link again."
            }
            Self::ProfileUnavailable => {
                "The session was not started, so none of your files are lost; please open the link \
                 again."
            }
            Self::CastBusy => "Please try again in a minute.",
            Self::Waiting => "Please try again in a minute.",
            Self::PlaceLost => "You were away for more than a minute. Open the link again.",
            Self::Maintenance => "No sessions are started at the moment; please try again later.",
            Self::BudgetReached => {
                "This link starts no more sessions for now; please try again later."
            }
            Self::LinkBudgetReached => {
                "As many sessions as were planned for it have been started; ask the person who gave \
                 you the link, or come back later."
            }
            Self::NotAdmitted => "Ask the person who gave you the link.",
            Self::AdmissionUnavailable => "Please try again in a minute.",
            Self::InvitationRequired => {
                "Open the address in your invitation, or ask the person who told you of this link \
                 for one."
            }
            Self::InvitationUnknown => {
                "It may have been withdrawn, or a part of its address is missing; ask the person \
                 who invited you."
            }
            Self::InvitationExpired => "Ask the person who invited you for a new one.",
            Self::InvitationUsed => {
                "It was good for a limited number of sessions; ask the person who invited you for \
                 a new one."
            }
            Self::RequestDiffers => "Use a new key for a new request.",
            Self::ImageUnavailable => {
                "Its image is disabled at the moment; please try again later."
            }
            Self::NoCapacity | Self::SystemBusy => {
                "All capacity is in use; please try again in a minute."
            }
            Self::StartRefused => {
                "The link is set up in a way that cannot start; please tell the person who gave it \
                 to you."
            }
            Self::StartFailed => "It stopped before it was ready; please open the link again.",
            Self::StartTimeout => {
                "It was not ready in time and has been stopped; please open the link again."
            }
            Self::TicketInvalid => "Please open the link again.",
            Self::TicketExpired => "Please open the link again.",
            Self::TicketForeign => "It was opened for another link; please open this link again.",
            Self::Busy => "Please try again in a few seconds.",
            Self::UnknownSession => "It may have ended a while ago; please open the link again.",
            Self::ShareEnded => {
                "The session has ended, or its owner has stopped sharing; ask them for a new link."
            }
            Self::DevtoolsUnavailable => {
                "Its image offers none, or the link forbids downloads, uploads or the clipboard, \
                 all of which they include; ask the person who gave you the link."
            }
            Self::NotYourSession => {
                "Only the browser that started it can open it; open the link again to get a \
                 session of your own."
            }
            Self::SessionEnded => "Open the link again to start a new one.",
            Self::Fault => {
                "Please try again; if it keeps happening, tell the person who gave you \
                            the link the reference below."
            }
        }
    }
}

impl fmt::Display for DenialCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct Denial {
    /// Why.
    pub code: DenialCode,
    /// When it makes sense to come back, in seconds from now.
    pub retry_after: Option<u64>,
    /// One plain sentence that says it more exactly than the code's own; may hold words of an
    /// administrator or a visitor.
    pub detail: Option<String>,
    /// The words of an administrator or of a login provider in it, for pages in other languages.
    pub quote: Option<String>,
    /// The rate limit that refused, for the headers of the reply.
    pub limit: Option<Box<RateLimit>>,
}

impl Denial {
    /// A refusal that waiting does not change.
    pub const fn new(code: DenialCode) -> Self {
        Self {
            code,
            retry_after: None,
            detail: None,
            quote: None,
            limit: None,
        }
    }

    /// A refusal that is over in `seconds` seconds.
    pub const fn retry(code: DenialCode, seconds: u64) -> Self {
        Self {
            code,
            retry_after: Some(seconds),
            detail: None,
            quote: None,
            limit: None,
        }
    }

    /// A refusal with a more exact explanation.
    pub fn because(code: DenialCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            retry_after: None,
            detail: Some(detail.into()),
            quote: None,
            limit: None,
        }
    }

    /// A refusal with a more exact explanation, in which these words are a quotation.
    pub fn quoting(code: DenialCode, detail: impl Into<String>, words: impl Into<String>) -> Self {
        Self {
            quote: Some(words.into()),
            ..Self::because(code, detail)
        }
    }

    /// Adds the rate limit that refused.
    #[must_use]
    pub fn by_limit(self, limit: RateLimit) -> Self {
        Self {
            limit: Some(Box::new(limit)),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denial_codes_round_trip_with_distinct_texts() {
        for code in DenialCode::ALL {
            assert_eq!(DenialCode::parse(code.as_str()), Some(code));
            assert!(code.sentence().ends_with('.'), "{code}");
            assert!(!code.title().ends_with('.'), "{code}");
            assert_eq!(DenialCode::of_number(code.number()), Some(code));
            assert!(code.number() < 128, "{code} fits into a reference");
        }
        let mut spellings: Vec<_> = DenialCode::ALL.iter().map(|code| code.as_str()).collect();
        spellings.sort_unstable();
        spellings.dedup();
        assert_eq!(spellings.len(), DenialCode::ALL.len());
        assert_eq!(DenialCode::parse("<script>"), None);
    }
}
