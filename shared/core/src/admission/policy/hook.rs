//! Owns the rule that the admission hook of the link admits the visitor. It comes last, so that only
//! visitors are asked about whom all other rules admit.

use crate::admission_hook::{AdmissionHook, HookFact, Unanswered};
use crate::denial::{Denial, DenialCode};

/// When to try again if the server does not answer, in seconds.
const RETRY_SECONDS: u64 = 30;

/// Passes if the server was not asked (yet) or admits the visitor, and also without an answer where
/// the link says so.
///
/// # Errors
/// `NotAdmitted` with the server's message as it is, or `AdmissionUnavailable`.
pub fn check(hook: &AdmissionHook, fact: &HookFact) -> Result<(), Denial> {
    if hook.server().is_none() {
        return Ok(());
    }
    match fact {
        HookFact::NotAsked | HookFact::Admitted(_) => Ok(()),
        HookFact::Refused { message } => Err(Denial {
            detail: message.clone(),
            quote: message.clone(),
            ..Denial::new(DenialCode::NotAdmitted)
        }),
        HookFact::Unanswered => match hook.unanswered {
            Unanswered::Open => Ok(()),
            Unanswered::Closed => Err(Denial::retry(
                DenialCode::AdmissionUnavailable,
                RETRY_SECONDS,
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::AdmissionTerms;

    #[test]
    fn server_has_the_last_word_and_fails_as_the_link_says() {
        let on = |unanswered| AdmissionHook {
            enabled: true,
            url: Some("https://example.com/".into()),
            unanswered,
            ..AdmissionHook::default()
        };
        let closed = on(Unanswered::Closed);
        let off = AdmissionHook {
            enabled: false,
            ..closed.clone()
        };
        let refused = HookFact::Refused {
            message: Some("Pay first.".into()),
        };
        let admitted = HookFact::Admitted(AdmissionTerms::default());
        let unavailable = Some((DenialCode::AdmissionUnavailable, None, Some(30)));
        let refusal = Some((DenialCode::NotAdmitted, Some("Pay first."), None));
        for (name, hook, fact, expected) in [
            ("off", &off, &refused, None),
            ("not asked", &closed, &HookFact::NotAsked, None),
            ("admitted", &closed, &admitted, None),
            ("refused", &closed, &refused, refusal),
            ("refused, open", &on(Unanswered::Open), &refused, refusal),
            (
                "no answer, closed",
                &closed,
                &HookFact::Unanswered,
                unavailable,
            ),
            (
                "no answer, open",
                &on(Unanswered::Open),
                &HookFact::Unanswered,
                None,
            ),
        ] {
            let denial = check(hook, fact).err();
            let said = denial
                .as_ref()
                .map(|denial| (denial.code, denial.quote.as_deref(), denial.retry_after));
            assert_eq!(said, expected, "{name}");
        }
    }
}
