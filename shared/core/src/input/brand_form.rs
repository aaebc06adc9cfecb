//! Owns the fields of a brand, which the deployment's settings and each cast have. Must not know
//! what pages do with them.

use crate::brand::{Color, FooterLink};
use crate::field::{At, Field};
use crate::form::{formatted, line};
use crate::text_format;
use crate::url_rules;

/// The most links below a page.
pub const MAX_LINKS: usize = 5;

/// The fields `brand_name`, `brand_logo`, `brand_color` and `brand_links`.
pub(super) fn fields<D: 'static>(
    name: At<D, Option<String>>,
    logo: At<D, Option<String>>,
    color: At<D, Option<Color>>,
    links: At<D, Vec<FooterLink>>,
) -> Vec<Field<D>> {
    vec![
        Field::nullable("brand_name", line(1..=40), name)
            .label("Brand")
            .help("Shown beside the logo on every page and in page titles.")
            .example("Acme Labs")
            .doc("The name on every page that visitors see."),
        Field::nullable(
            "brand_logo",
            formatted(|| &text_format::PICTURE_URL, url_rules::picture_url),
            logo,
        )
        .label("Logo")
        .help(
            "A picture, 40 pixels high on the page and also its icon; visitors\u{2019} browsers load it \
             from there.",
        )
        .example("https://example.com/logo.svg")
        .doc("The https URL of a picture that stands for the product\u{2019}s own sign."),
        Field::nullable(
            "brand_color",
            formatted(|| &text_format::COLOR, Color::parse),
            color,
        )
        .label("Colour")
        .help("Of buttons and links. Where it would be hard to read, pages use a darker or lighter shade.")
        .example("#0d6b63")
        .doc("The colour of buttons and links, which pages darken or lighten until it is legible."),
        Field::list("brand_links", MAX_LINKS, FooterLink::parse, links)
            .label("Links below the Page")
            .help("One per line: a label and an https address.")
            .example("Imprint https://example.com/imprint\nPrivacy https://example.com/privacy")
            .doc("Links below every page: a label and, behind it, an https URL."),
    ]
}
