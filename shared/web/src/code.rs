//! Owns the mapping from codes to HTTP statuses, and the codes of invalid requests. Must not know
//! the policies; `casting-core` owns their codes.

use casting_core::denial::DenialCode;
use http::StatusCode;

/// The code of an error page and of a problem: a denial, or an invalid request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A denial of core.
    Denial(DenialCode),
    /// An invalid request.
    RequestError(RequestError),
}

macro_rules! mistakes {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $code:literal, $title:literal, $sentence:literal;)*) => {
        /// Why a request is invalid, whatever it asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum RequestError {
            $($(#[$doc])* $name,)*
        }

        impl RequestError {
            /// Every code.
            pub const ALL: &[RequestError] = &[$(Self::$name,)*];

            const fn parts(self) -> (StatusCode, &'static str, &'static str, &'static str) {
                match self {
                    $(Self::$name => (StatusCode::$status, $code, $title, $sentence),)*
                }
            }
        }
    };
}

mistakes! {
    /// The request cannot be read.
    BadRequest = BAD_REQUEST, "bad-request", "The request could not be read", "Please go back and try again.";
    /// No credentials, or wrong ones.
    Unauthorized = UNAUTHORIZED, "unauthorized", "Credentials are needed",
        "Send an API key that is valid as a bearer token.";
    /// The credentials are good, but not for this.
    Forbidden = FORBIDDEN, "forbidden", "You may not do this",
        "Ask an administrator for a role or a key with the scope that is named.";
    /// The request was sent by a page of another website.
    CrossSite = FORBIDDEN, "cross-site", "This was sent by another website",
        "Please open the link itself and start from there.";
    /// Nothing is at this address.
    NotFound = NOT_FOUND, "not-found", "There is nothing here",
        "Please check the address, or ask the person who gave you the link.";
    /// The address does not know this method.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method-not-allowed", "This address is not used in this way", "Please open the link again.";
    /// It conflicts with the current state.
    Conflict = CONFLICT, "conflict", "This does not fit to what is already there",
        "Change what the message names, then try again.";
    /// `If-Match` names an older version.
    Stale = PRECONDITION_FAILED, "stale", "Someone else changed this in the meantime",
        "Read it again, then make the change again.";
    /// The body is too large.
    TooLarge = PAYLOAD_TOO_LARGE, "too-large", "The request is too large", "Please send less at once.";
    /// The body is of another type.
    WrongType = UNSUPPORTED_MEDIA_TYPE, "wrong-type",
        "The request is of a type that is not read \
         here", "Please send it as the documentation says.";
    /// Well formed, but some values are not possible.
    NotValid = UNPROCESSABLE_ENTITY, "not-valid", "Some values are not possible",
        "Change the values that are named, then try again.";
}

impl Code {
    /// Reads a code; `None` when there is no such code.
    pub fn parse(text: &str) -> Option<Self> {
        let mistake = || {
            RequestError::ALL
                .iter()
                .copied()
                .find(|mistake| mistake.parts().1 == text)
                .map(Self::RequestError)
        };
        DenialCode::parse(text).map(Self::Denial).or_else(mistake)
    }

    /// The code, as in URLs and problems.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denial(code) => code.as_str(),
            Self::RequestError(mistake) => mistake.parts().1,
        }
    }

    /// What happened, in a few words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Denial(code) => code.title(),
            Self::RequestError(mistake) => mistake.parts().2,
        }
    }

    /// One sentence that says what to do.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Denial(code) => code.sentence(),
            Self::RequestError(mistake) => mistake.parts().3,
        }
    }

    /// The status of the code.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::RequestError(mistake) => mistake.parts().0,
            Self::Denial(code) => match code {
                DenialCode::UnknownCast | DenialCode::UnknownSession => StatusCode::NOT_FOUND,
                DenialCode::CastExpired
                | DenialCode::NoSessionsLeft
                | DenialCode::InvitationExpired
                | DenialCode::InvitationUsed
                | DenialCode::SessionEnded
                | DenialCode::ShareEnded => StatusCode::GONE,
                DenialCode::LoginRequired => StatusCode::UNAUTHORIZED,
                DenialCode::ReferrerDenied
                | DenialCode::AddressDenied
                | DenialCode::AccessDenied
                | DenialCode::InvitationRequired
                | DenialCode::InvitationUnknown
                | DenialCode::CaptchaFailed
                | DenialCode::LoginFailed
                | DenialCode::TicketForeign
                | DenialCode::NotAdmitted
                | DenialCode::DevtoolsUnavailable
                | DenialCode::NotYourSession => StatusCode::FORBIDDEN,
                DenialCode::TicketInvalid => StatusCode::BAD_REQUEST,
                DenialCode::ParameterInvalid | DenialCode::NetworkDenied => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
                DenialCode::TicketExpired
                | DenialCode::ConsentRequired
                | DenialCode::CookiesBlocked
                | DenialCode::CaptchaRequired
                | DenialCode::RequestDiffers
                | DenialCode::ProfileBusy
                | DenialCode::PlaceLost => StatusCode::CONFLICT,
                DenialCode::IpLimit
                | DenialCode::TooManyAttempts
                | DenialCode::UserLimit
                | DenialCode::AnonymousLimit => StatusCode::TOO_MANY_REQUESTS,
                DenialCode::ImageUnavailable
                | DenialCode::NoCapacity
                | DenialCode::CastClosed
                | DenialCode::CastBusy
                | DenialCode::SystemBusy
                | DenialCode::Waiting
                | DenialCode::Maintenance
                | DenialCode::BudgetReached
                | DenialCode::LinkBudgetReached
                | DenialCode::AdmissionUnavailable
                | DenialCode::CaptchaUnavailable
                | DenialCode::LoginUnavailable
                | DenialCode::Busy
                | DenialCode::ProfileUnavailable
                | DenialCode::StartRefused
                | DenialCode::StartFailed => StatusCode::SERVICE_UNAVAILABLE,
                DenialCode::StartTimeout => StatusCode::GATEWAY_TIMEOUT,
                DenialCode::Fault => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }
}

impl From<DenialCode> for Code {
    fn from(code: DenialCode) -> Self {
        Self::Denial(code)
    }
}

impl From<RequestError> for Code {
    fn from(mistake: RequestError) -> Self {
        Self::RequestError(mistake)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_are_distinct_and_round_trip() {
        let denials = DenialCode::ALL.into_iter().map(Code::Denial);
        let codes: Vec<_> = denials
            .chain(RequestError::ALL.iter().copied().map(Code::RequestError))
            .collect();
        for code in &codes {
            let status = code.status();
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{code:?}"
            );
            assert_eq!(
                Code::parse(code.as_str()),
                Some(*code),
                "no two codes are spelled alike"
            );
            assert!(
                code.sentence().ends_with('.') && !code.title().ends_with('.'),
                "{code:?}"
            );
        }
        assert_eq!(Code::parse("<script>"), None);
    }
}
