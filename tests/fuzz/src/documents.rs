//! Owns what an administrator's document must not do.

use casting_core::testing::{self, SeededEntropy};
use casting_core::url_rules::OwnUrls;
use casting_core::{
    cast_form, group_form, image_form, invitation_form, network_form, staging_form,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A document that is accepted is stored and read again as the same. One that is not names at
/// least one field.
pub fn documents(data: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let own = OwnUrls::of("https://cast.example");
    match cast_form::create(&document, &own, &SeededEntropy::new(1)) {
        Ok(draft) => stored(&draft.settings),
        Err(errors) => assert!(!errors.0.is_empty()),
    }
    if let Ok(draft) = cast_form::patch(&testing::cast(1), &document, &own, None) {
        stored(&draft.settings);
    }
    match image_form::create(&document) {
        Ok(settings) => stored(&settings),
        Err(errors) => assert!(!errors.0.is_empty()),
    }
    if let Ok(settings) = image_form::patch(&testing::image(1), &document) {
        stored(&settings);
    }
    if let Ok(settings) = group_form::create(&document) {
        stored(&settings);
    }
    if let Ok(settings) = staging_form::create(&document) {
        stored(&settings);
    }
    if let Ok((_, settings)) = network_form::create(&document) {
        stored(&settings);
    }
    if let Ok(draft) = invitation_form::create(&document) {
        assert!(draft.each().count() > 0);
    }
}

/// Holds that a value survives being stored.
fn stored<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let text = serde_json::to_string(value).expect("can be stored");
    let read: T = serde_json::from_str(&text).expect("can be read again");
    assert_eq!(&read, value);
}
