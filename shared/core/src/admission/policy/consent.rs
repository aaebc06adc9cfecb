//! Owns the rule that a visitor agrees to an address that came with the link, before a session
//! opens it.

use crate::denial::{Denial, DenialCode};

/// Passes when the visitor did not bring an address, agreed to it, or has not been asked yet.
///
/// # Errors
/// `ConsentRequired`.
pub fn check(by_visitor: bool, consent: Option<bool>) -> Result<(), Denial> {
    if by_visitor && consent == Some(false) {
        super::refuse(DenialCode::ConsentRequired)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dynamic_url_needs_consent() {
        for (name, by_visitor, consent, passes) in [
            ("the link's address", false, Some(false), true),
            ("the visitor's, agreed", true, Some(true), true),
            ("the visitor's, not agreed", true, Some(false), false),
            ("the visitor's, not asked yet", true, None, true),
        ] {
            assert_eq!(check(by_visitor, consent).is_ok(), passes, "{name}");
        }
    }
}
