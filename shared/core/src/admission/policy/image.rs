//! Owns the rule that a link needs an image that is there and enabled.

use crate::denial::{Denial, DenialCode};
use crate::image::Image;

/// Passes when the image can be started.
///
/// # Errors
/// `ImageUnavailable` when it is gone or disabled.
pub fn check(image: Option<&Image>) -> Result<(), Denial> {
    match image {
        Some(image) if image.settings.enabled => Ok(()),
        _ => super::refuse(DenialCode::ImageUnavailable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_enabled_images_pass() {
        let enabled = crate::testing::image(1);
        let mut disabled = enabled.clone();
        disabled.settings.enabled = false;
        for (name, image, passes) in [
            ("enabled", Some(&enabled), true),
            ("disabled", Some(&disabled), false),
            ("gone", None, false),
        ] {
            assert_eq!(check(image).is_ok(), passes, "{name}");
        }
    }
}
