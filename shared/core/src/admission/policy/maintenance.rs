//! Owns the rule that no link starts a session while the deployment is in maintenance.

use crate::denial::{Denial, DenialCode};
use crate::deployment::Maintenance;
use crate::time::Timestamp;

/// When to try again if no end is expected, in seconds.
const RETRY_SECONDS: u64 = 300;

/// Passes unless maintenance is on.
///
/// # Errors
/// `Maintenance`, with the administrator's message as it was typed, until the expected end.
pub fn check(maintenance: &Maintenance, now: Timestamp) -> Result<(), Denial> {
    if !maintenance.is_on {
        return Ok(());
    }
    let until = maintenance.until.map(|until| now.seconds_until(until));
    let wait = until.filter(|wait| *wait > 0).unwrap_or(RETRY_SECONDS);
    Err(Denial {
        detail: maintenance.message.clone(),
        quote: maintenance.message.clone(),
        ..Denial::retry(DenialCode::Maintenance, wait)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;

    #[test]
    fn maintenance_refuses_until_its_expected_end() {
        let at = |seconds: i64| Some(Timestamp::from_millis(NOON.millis() + seconds * 1000));
        for (name, is_on, message, until, expected) in [
            ("off", false, Some("Update"), at(60), None),
            ("on", true, None, None, Some((None, 300))),
            (
                "a message",
                true,
                Some("Update"),
                None,
                Some((Some("Update"), 300)),
            ),
            ("an end", true, None, at(7200), Some((None, 7200))),
            ("now", true, None, at(0), Some((None, 300))),
            (
                "an end that has passed",
                true,
                None,
                at(-60),
                Some((None, 300)),
            ),
        ] {
            let maintenance = Maintenance {
                is_on,
                message: message.map(str::to_owned),
                until,
                ..Maintenance::default()
            };
            let denial = check(&maintenance, NOON).err();
            let said = denial.map(|denial| {
                assert_eq!(denial.code, DenialCode::Maintenance, "{name}");
                assert_eq!(denial.detail, denial.quote, "{name}: in every language");
                (denial.detail, denial.retry_after)
            });
            let expected = expected
                .map(|(text, wait): (Option<&str>, u64)| (text.map(str::to_owned), Some(wait)));
            assert_eq!(said, expected, "{name}");
        }
    }
}
