//! Owns the verifier of functions that open no links: they check no CAPTCHA, so the client for
//! providers is not linked into them.

use async_trait::async_trait;
use casting_core::captcha::{
    CaptchaCheck, CaptchaSettings, CaptchaVerdict, CaptchaVerifier, KeysVerdict,
};
use casting_core::time::Timestamp;

/// Makes no challenges, and answers every check with «could not be checked».
pub(crate) struct NoCaptcha;

#[async_trait]
impl CaptchaVerifier for NoCaptcha {
    fn challenge(
        &self,
        _settings: &CaptchaSettings,
        _bound_to: &str,
        _now: Timestamp,
    ) -> Option<String> {
        None
    }

    async fn verify(&self, _check: CaptchaCheck<'_>) -> CaptchaVerdict {
        CaptchaVerdict::Unavailable("this function checks no proofs".into())
    }

    async fn check_keys(&self, _settings: &CaptchaSettings) -> KeysVerdict {
        KeysVerdict::Unavailable("this function asks no providers".into())
    }
}
