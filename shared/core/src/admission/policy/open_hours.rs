//! Owns the rule that a link can be open at certain hours of the week only.

use crate::denial::{Denial, DenialCode};
use crate::open_hours::OpenHours;
use crate::time::Timestamp;

/// Passes inside of the open hours, or when there are none.
///
/// # Errors
/// `CastClosed`, with the seconds until it opens, if it does.
pub fn check(hours: Option<&OpenHours>, now: Timestamp) -> Result<(), Denial> {
    let Some(hours) = hours.filter(|hours| !hours.is_open(now)) else {
        return Ok(());
    };
    let Some(opens_at) = hours.next_opening(now) else {
        return super::refuse(DenialCode::CastClosed);
    };
    Err(Denial {
        detail: Some(format!("It opens again on {}.", hours.spell(opens_at))),
        ..Denial::retry(DenialCode::CastClosed, now.seconds_until(opens_at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open_hours::Span;
    use crate::testing::NOON;

    #[test]
    fn closed_link_gives_its_next_opening() {
        // Noon of a Monday.
        for (name, span, wait) in [
            ("open", "mon 09:00-17:00", None),
            ("opens in the evening", "mon 18:00-20:00", Some(5 * 3600)),
        ] {
            let hours = OpenHours {
                time_zone: "Europe/Berlin".into(),
                spans: vec![Span::parse(span).expect(span)],
            };
            let denial = check(Some(&hours), NOON).err();
            assert_eq!(
                denial.as_ref().and_then(|denial| denial.retry_after),
                wait,
                "{name}"
            );
            let opens = "It opens again on Mon 23 Nov, 18:00 (Europe/Berlin).";
            assert_eq!(
                denial.and_then(|denial| denial.detail).as_deref(),
                wait.map(|_| opens),
                "{name}"
            );
        }
        assert_eq!(check(None, NOON), Ok(()));
    }
}
