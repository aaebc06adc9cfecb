//! Owns the verifier of functions that open no links: they ask nobody for a proof, so the client that asks providers is no part of their programs.

use casting_core::captcha::{
    CaptchaCheck, CaptchaSettings, CaptchaVerdict, CaptchaVerifier, Verifying,
};
use casting_core::time::Timestamp;

/// Makes no challenges, and says of every proof that it could not be checked.
pub(crate) struct NoCaptcha;

impl CaptchaVerifier for NoCaptcha {
    fn challenge(
        &self,
        _settings: &CaptchaSettings,
        _bound_to: &str,
        _now: Timestamp,
    ) -> Option<String> {
        None
    }

    fn verify<'a>(&'a self, _check: CaptchaCheck<'a>) -> Verifying<'a> {
        Box::pin(async { CaptchaVerdict::Unavailable("this function checks no proofs".into()) })
    }
}
