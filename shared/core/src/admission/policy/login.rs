//! Owns the rule that a link is for people with an account, unless it allows anonymous users (seed:
//! Allow Anonymous).

use crate::denial::{Denial, DenialCode};
use crate::user::User;

/// Passes for logged-in users, and for everyone when anonymous users are allowed.
///
/// # Errors
/// `LoginRequired`.
pub fn check(allow_anonymous: bool, user: Option<&User>) -> Result<(), Denial> {
    if allow_anonymous || user.is_some() {
        Ok(())
    } else {
        super::refuse(DenialCode::LoginRequired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::user;

    #[test]
    fn link_without_anonymous_access_requires_login() {
        for (name, allow, user, passes) in [
            ("anonymous, allowed", true, None, true),
            ("anonymous, not allowed", false, None, false),
            ("logged in, anonymous allowed", true, Some(user(1)), true),
            ("logged in", false, Some(user(1)), true),
        ] {
            assert_eq!(check(allow, user.as_ref()).is_ok(), passes, "{name}");
        }
    }
}
