//! Owns the rule that a link can be open at certain hours of the week only.

use crate::denial::{Denial, DenialCode};
use crate::open_hours::OpenHours;
use crate::time::Timestamp;

/// Passes inside of the open hours, or when there are none.
///
/// # Errors
/// `CastClosed`, with the seconds until it opens.
pub fn check(hours: Option<&OpenHours>, now: Timestamp) -> Result<(), Denial> {
    match hours.and_then(|hours| hours.opens_at(now)) {
        Some(opens_at) => Err(Denial::retry(DenialCode::CastClosed, now.seconds_until(opens_at))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open_hours::Span;
    use crate::testing::NOON;

    #[test]
    fn a_closed_link_says_when_it_opens() {
        // Noon of a Monday.
        for (name, span, wait) in [("open", "mon 09:00-17:00", None), ("opens in the evening", "mon 18:00-20:00", Some(6 * 3600))] {
            let hours = OpenHours { time_zone: "UTC".into(), spans: vec![Span::parse(span).expect(span)] };
            assert_eq!(check(Some(&hours), NOON).err().and_then(|denial| denial.retry_after), wait, "{name}");
        }
        assert_eq!(check(None, NOON), Ok(()));
    }
}
