//! Owns the brand of a deployment or a link: its name, logo, colour and footer links, and the
//! colours of pages that follow from it. Must not know the markup of pages.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, de};

/// The operator's brand on pages and in the viewer. Empty: the product's own look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Brand {
    /// The name beside the logo and in the titles of pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The https URL of the logo, a picture; checked when it was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
    /// The colour of buttons and links; each page uses a shade of it that is legible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// The links below each page, such as imprint and privacy policy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<FooterLink>,
}

impl Brand {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// This brand, with what is not set taken from another one.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let links = if self.links.is_empty() {
            &other.links
        } else {
            &self.links
        };
        Self {
            name: self.name.as_ref().or(other.name.as_ref()).cloned(),
            logo: self.logo.as_ref().or(other.logo.as_ref()).cloned(),
            color: self.color.or(other.color),
            links: links.clone(),
        }
    }
}

/// A link below a page: `Imprint https://example.com/imprint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FooterLink {
    /// What visitors read, on one line.
    pub label: String,
    /// Where it leads: an https URL.
    pub url: String,
}

impl FooterLink {
    /// The longest label, in characters.
    pub const MAX_LABEL: usize = 40;

    /// Reads a label and, behind it, an https URL.
    ///
    /// # Errors
    /// The rest of a sentence that begins with the field's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (label, url) = text.rsplit_once(char::is_whitespace).unwrap_or(("", text));
        let label = label.trim();
        if label.is_empty() || label.chars().count() > Self::MAX_LABEL {
            let most = Self::MAX_LABEL;
            return Err(format!(
                "must be a label of 1 to {most} characters and an https URL, such as \
                 \u{201c}Imprint https://example.com/imprint\u{201d}."
            ));
        }
        let url = url::Url::parse(url).ok().filter(|url| {
            url.scheme() == "https"
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.as_str().len() <= 500
        });
        let url = url.ok_or("must end with an https URL of 500 characters at most.")?;
        Ok(Self {
            label: label.to_owned(),
            url: url.into(),
        })
    }
}

impl fmt::Display for FooterLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.label, self.url)
    }
}

impl Serialize for FooterLink {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FooterLink {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// A colour in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color {
    rgb: [u8; 3],
}

const WHITE: Color = Color { rgb: [255; 3] };
const BLACK: Color = Color { rgb: [0; 3] };
/// The lightest surface that text and links stand on, and the darkest one, of pages and viewer.
const LIGHT_SURFACE: Color = WHITE;
const DARK_SURFACE: Color = Color {
    rgb: [0x1c, 0x20, 0x26],
};
/// The least contrast of text (WCAG 2, AA).
const LEGIBLE: f64 = 4.5;

/// The colours of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Of buttons and links.
    pub accent: Color,
    /// Of text on buttons.
    pub on_accent: Color,
}

impl Color {
    /// Reads `#0d6b63`.
    ///
    /// # Errors
    /// The rest of a sentence that begins with the field's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(str::to_owned)
    }

    /// The colours of light pages: the colour, darkened until it is legible as text.
    pub fn on_light(self) -> Palette {
        self.palette(LIGHT_SURFACE, BLACK)
    }

    /// The colours of dark pages: the colour, lightened until it is legible as text.
    pub fn on_dark(self) -> Palette {
        self.palette(DARK_SURFACE, WHITE)
    }

    fn palette(self, surface: Self, towards: Self) -> Palette {
        let shades = (0..=50_u32).map(|step| self.mixed(towards, f64::from(step) / 50.0));
        let legible = shades
            .into_iter()
            .find(|shade| shade.contrast(surface) >= LEGIBLE);
        let accent = legible.unwrap_or(towards);
        let on_accent = if accent.contrast(WHITE) >= accent.contrast(BLACK) {
            WHITE
        } else {
            BLACK
        };
        Palette { accent, on_accent }
    }

    fn mixed(self, other: Self, share: f64) -> Self {
        let mix = |at: usize| {
            let (from, to) = (f64::from(self.rgb[at]), f64::from(other.rgb[at]));
            // Between two bytes.
            (from + (to - from) * share).round() as u8
        };
        Self {
            rgb: [mix(0), mix(1), mix(2)],
        }
    }

    /// The contrast ratio of WCAG 2, from 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    fn luminance(self) -> f64 {
        let [red, green, blue] = self.rgb.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.040_45 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl FromStr for Color {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "must be a colour such as #0d6b63.";
        let digits = text.strip_prefix('#').ok_or(wrong)?;
        if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong);
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| wrong)?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self {
            rgb: [red, green, blue],
        })
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.rgb;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Serialize for Color {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Color {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The style rules that give a page this colour: `--accent` and what goes with it, in light and in
/// dark.
pub fn style(color: Color) -> String {
    let rules = |palette: Palette| {
        let Palette { accent, on_accent } = palette;
        format!(":root{{--accent:{accent};--on-accent:{on_accent};--glow:{accent}1a}}")
    };
    format!(
        "{}@media (prefers-color-scheme:dark){{{}}}",
        rules(color.on_light()),
        rules(color.on_dark())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_brand_colour_becomes_a_legible_one() {
        for text in [
            "#000000", "#ffffff", "#ffd400", "#0d6b63", "#ff0000", "#00ff00", "#0000ff", "#808080",
            "#777777", "#123456", "#fefefe", "#010101",
        ] {
            let color = Color::parse(text).expect("a colour");
            for (name, palette, surface) in [
                ("light", color.on_light(), LIGHT_SURFACE),
                ("dark", color.on_dark(), DARK_SURFACE),
            ] {
                let Palette { accent, on_accent } = palette;
                assert!(
                    accent.contrast(surface) >= LEGIBLE,
                    "{text}, {name}: {accent}"
                );
                assert!(
                    accent.contrast(on_accent) >= LEGIBLE,
                    "{text}, {name}: {on_accent} on {accent}"
                );
            }
        }
    }

    #[test]
    fn legible_colour_stays_as_it_is() {
        let color = Color::parse("#0D6B63").expect("a colour");
        assert_eq!(color.to_string(), "#0d6b63");
        assert_eq!(color.on_light().accent, color);
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 0.01);
    }

    #[test]
    fn only_colours_are_read_as_colours() {
        for text in [
            "",
            "red",
            "0d6b63",
            "#0d6b6",
            "#0d6b633",
            "#0d6b6g",
            "#\u{e9}d6b6",
            "#+12345",
        ] {
            assert!(Color::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn footer_link_is_a_label_and_an_https_url() {
        for (text, expected) in [
            (
                "Imprint https://a.example/i",
                Some(("Imprint", "https://a.example/i")),
            ),
            (
                "  Our privacy policy   https://a.example ",
                Some(("Our privacy policy", "https://a.example/")),
            ),
            ("Imprint http://a.example", None),
            ("Imprint javascript:alert(1)", None),
            ("Imprint https://u:p@a.example/", None),
            ("https://a.example", None),
            ("Imprint", None),
            ("", None),
        ] {
            let link = FooterLink::parse(text).ok();
            let link = link
                .as_ref()
                .map(|link| (link.label.as_str(), link.url.as_str()));
            assert_eq!(link, expected, "{text}");
        }
    }

    #[test]
    fn link_takes_what_it_has_not_set_from_the_deployment() {
        let deployment = Brand {
            name: Some("Acme".into()),
            color: Color::parse("#123456").ok(),
            links: vec![FooterLink::parse("Imprint https://a.example").expect("a link")],
            ..Brand::default()
        };
        let link = Brand {
            name: Some("Lab".into()),
            ..Brand::default()
        };
        let both = link.or(&deployment);
        assert_eq!(both.name.as_deref(), Some("Lab"));
        assert_eq!(
            (both.color, &both.links),
            (deployment.color, &deployment.links)
        );
        let text = serde_json::to_string(&both).expect("JSON");
        assert_eq!(serde_json::from_str::<Brand>(&text).expect("a brand"), both);
        assert_eq!(
            serde_json::to_string(&Brand::default()).expect("JSON"),
            "{}"
        );
    }
}
