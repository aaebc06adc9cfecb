//! Owns the preview of a link: its address, the landing page in small, and what it does in plain
//! words. Must not know how it is filled in; loads nothing from elsewhere.

use askama::Template;
use casting_core::brand::{Color, FooterLink};
use casting_core::resource::OptionSource;
use serde_json::Value;

use super::cast_labels::{name_of, on, sentences, text};
use super::form::Choices;
use super::page_context::PageContext;

/// A link before it is opened.
#[derive(Template)]
#[template(path = "console/preview.html")]
pub struct Preview {
    link: String,
    image: String,
    asks_for_login: bool,
    asks_for_check: bool,
    asks_for_consent: bool,
    has_picture: bool,
    brand: String,
    has_logo: bool,
    /// The brand's colour on light and on dark pages.
    shades: Option<[Color; 2]>,
    links: Vec<String>,
    sentences: Vec<String>,
}

impl Preview {
    /// The preview of this document.
    pub fn of(cast: &Value, context: &PageContext, choices: &Choices) -> Self {
        let key = match text(cast, "key") {
            "" => "\u{2026}",
            key => key,
        };
        let image = name_of(choices, OptionSource::Image, text(cast, "image_id"));
        let anonymous = on(cast, "allow_anonymous");
        Self {
            link: format!("{}/cast/{key}", context.public_url),
            image: if image.is_empty() {
                "The image\u{2019}s name".to_owned()
            } else {
                image
            },
            asks_for_login: !anonymous,
            asks_for_check: anonymous && on(cast, "require_captcha"),
            asks_for_consent: on(cast, "allow_dynamic_kasm_url"),
            has_picture: !text(cast, "background_url").is_empty(),
            brand: text(cast, "brand_name").to_owned(),
            has_logo: !text(cast, "brand_logo").is_empty(),
            shades: Color::parse(text(cast, "brand_color"))
                .ok()
                .map(|color| [color.on_light().accent, color.on_dark().accent]),
            links: cast["brand_links"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|link| FooterLink::parse(link.as_str()?).ok())
                .map(|link| link.label)
                .collect(),
            sentences: sentences(cast, choices, &context.zone),
        }
    }
}
