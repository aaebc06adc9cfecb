//! Owns the expected refusals: a stable code and one plain sentence each. Must not know HTTP; `casting-web` gives each code its status.

use std::fmt;

/// Why a visitor, or a program, is not given what it asked for. The code is part of the API: it never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DenialCode {
    /// No cast has this key, or it is disabled; the two look alike.
    UnknownCast,
    /// Valid-until has passed.
    CastExpired,
    /// Sessions Remaining is zero.
    NoSessionsLeft,
    /// The visitor did not come from a listed site.
    ReferrerDenied,
    /// Too many sessions from this address.
    IpLimit,
    /// The image is disabled or gone.
    ImageUnavailable,
    /// ECS has no room now.
    NoCapacity,
    /// ECS refused the task for a reason that waiting does not mend.
    StartRefused,
    /// The task ended before the session was ready.
    StartFailed,
    /// The session was not ready in time.
    StartTimeout,
    /// The launch ticket is not ours.
    TicketInvalid,
    /// The launch ticket is too old.
    TicketExpired,
    /// The launch ticket belongs to another link or another network.
    TicketForeign,
    /// Too many visitors at this very moment.
    Busy,
    /// No such session.
    UnknownSession,
    /// The session belongs to somebody else.
    NotYourSession,
    /// The session has ended.
    SessionEnded,
    /// Something failed that nobody planned for.
    Fault,
}

impl DenialCode {
    /// Every code, in the order of the documentation.
    pub const ALL: [DenialCode; 18] = [
        Self::UnknownCast,
        Self::CastExpired,
        Self::NoSessionsLeft,
        Self::ReferrerDenied,
        Self::IpLimit,
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
        Self::Fault,
    ];

    /// The code as it stands in URLs, problems and the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownCast => "unknown-cast",
            Self::CastExpired => "cast-expired",
            Self::NoSessionsLeft => "no-sessions-left",
            Self::ReferrerDenied => "referrer-denied",
            Self::IpLimit => "ip-limit",
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
            Self::Fault => "fault",
        }
    }

    /// Reads a code; `None` when there is no such code.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// What happened, in a few words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::UnknownCast => "This link does not work",
            Self::CastExpired => "This link has expired",
            Self::NoSessionsLeft => "All sessions are taken",
            Self::ReferrerDenied => "This link cannot be opened from here",
            Self::IpLimit => "Too many sessions from your network",
            Self::ImageUnavailable => "This link is being worked on",
            Self::NoCapacity => "No room right now",
            Self::StartRefused | Self::StartFailed => "The session could not start",
            Self::StartTimeout => "The session took too long to start",
            Self::TicketInvalid => "The request was not complete",
            Self::TicketExpired => "This page was open for too long",
            Self::TicketForeign => "This page belongs to another visit",
            Self::Busy => "A great many people are here",
            Self::UnknownSession => "There is no such session",
            Self::NotYourSession => "This session belongs to somebody else",
            Self::SessionEnded => "This session has ended",
            Self::Fault => "Something went wrong on our side",
        }
    }

    /// One plain sentence that says what the visitor can do.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::UnknownCast => "Please check the address, or ask the person who gave you the link.",
            Self::CastExpired => "The time in which it could be used is over; ask the person who gave you the link for a new one.",
            Self::NoSessionsLeft => "This link was made for a limited number of sessions, and the last one has been given out.",
            Self::ReferrerDenied => "It only works when you click it on one of the websites it was made for.",
            Self::IpLimit => "This link allows only a few sessions in a given time from one network; please try again a little later.",
            Self::ImageUnavailable => "What it starts is switched off at the moment; please try again later.",
            Self::NoCapacity => "Every place is in use; please try again in a minute. Nothing has been counted against the link.",
            Self::StartRefused => {
                "The link is set up in a way that cannot start; please tell the person who gave it to you. Nothing has been counted against the link."
            }
            Self::StartFailed => "It stopped before it was ready; please open the link again. Nothing has been counted against the link.",
            Self::StartTimeout => {
                "It was not ready in time and has been stopped; please open the link again. Nothing has been counted against the link."
            }
            Self::TicketInvalid => "Please open the link again.",
            Self::TicketExpired => "Please open the link again.",
            Self::TicketForeign => "It was opened from another network or for another link; please open the link again.",
            Self::Busy => "Please try again in a few seconds.",
            Self::UnknownSession => "It may have ended a while ago; please open the link again.",
            Self::NotYourSession => "Only the browser that started it can open it; open the link again to get a session of your own.",
            Self::SessionEnded => "Open the link again to start a new one.",
            Self::Fault => "Please try again; if it keeps happening, tell the person who gave you the link the reference below.",
        }
    }
}

impl fmt::Display for DenialCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct Denial {
    /// Why.
    pub code: DenialCode,
    /// When it makes sense to come back, in seconds from now.
    pub retry_after: Option<u64>,
}

impl Denial {
    /// A refusal that waiting does not change.
    pub const fn new(code: DenialCode) -> Self {
        Self { code, retry_after: None }
    }

    /// A refusal that is over in `seconds` seconds.
    pub const fn retry(code: DenialCode, seconds: u64) -> Self {
        Self { code, retry_after: Some(seconds) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_says_something_of_its_own() {
        for code in DenialCode::ALL {
            assert_eq!(DenialCode::parse(code.as_str()), Some(code));
            assert!(code.sentence().ends_with('.'), "{code}");
            assert!(!code.title().ends_with('.'), "{code}");
        }
        let mut spellings: Vec<_> = DenialCode::ALL.iter().map(|code| code.as_str()).collect();
        spellings.sort_unstable();
        spellings.dedup();
        assert_eq!(spellings.len(), DenialCode::ALL.len());
        assert_eq!(DenialCode::parse("<script>"), None);
    }
}
