//! Owns QR codes: a link as a picture for a phone's camera. Must not know whose link it is.

use qrcode::QrCode;
use qrcode::render::svg::Color;

/// A picture of `link` as an SVG file: dark on white with the quiet zone that scanners need,
/// whatever surrounds it. `None` when the link is too long for any code.
pub fn file(link: &str) -> Option<String> {
    let code = QrCode::new(link).ok()?;
    Some(
        code.render::<Color<'_>>()
            .min_dimensions(232, 232)
            .dark_color(Color("#10181b"))
            .light_color(Color("#fff"))
            .build(),
    )
}

/// The same to stand in a page, with a name for those who do not see it.
pub fn picture(link: &str) -> Option<String> {
    let file = file(link)?;
    let svg = file.get(file.find("<svg")?..)?;
    Some(svg.replacen(
        "<svg",
        "<svg class=\"qr\" role=\"img\" aria-label=\"QR code of the link\"",
        1,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_is_encoded_as_qr_svg() {
        let link = "https://cast.example.com/cast/123abc";
        assert!(file(link).is_some_and(|file| file.starts_with("<?xml") && file.contains("<svg")));
        let picture = picture(link).expect("a picture");
        assert!(
            picture.starts_with("<svg class=\"qr\" role=\"img\"") && !picture.contains("style="),
            "{picture}"
        );
        assert_eq!(file(&"x".repeat(5000)), None);
    }
}
