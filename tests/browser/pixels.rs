//! Owns what is read from screenshots: the pixels that a person would see.

use casting_tests::processes::soon;
use fantoccini::Client;

use crate::chrome::text;

/// A screenshot's width and height in pixels, and its colours, row by row.
pub struct Pixels {
    pub size: (u32, u32),
    pub rgb: Vec<u8>,
}

impl Pixels {
    pub fn of(png: &[u8]) -> Self {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
        decoder.set_transformations(png::Transformations::STRIP_16 | png::Transformations::EXPAND);
        let mut reader = decoder.read_info().expect("a picture");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut pixels).expect("pixels");
        let rgb = pixels
            .chunks(info.color_type.samples())
            .flat_map(|pixel| pixel[..3].to_vec())
            .collect();
        Self {
            size: (info.width, info.height),
            rgb,
        }
    }

    /// The colour this far from the right and from the lower edge.
    fn before_the_corner(&self, [right, below]: [u32; 2]) -> [u8; 3] {
        let (width, height) = self.size;
        let index = ((height - below) * width + width - right) as usize * 3;
        [0, 1, 2].map(|channel| self.rgb[index + channel])
    }
}

/// What the window shows this far from its right and its lower edge.
async fn colour(window: &Client, place: [u32; 2]) -> [u8; 3] {
    let screenshot = window.screenshot().await.expect("a screenshot");
    Pixels::of(&screenshot).before_the_corner(place)
}

/// Waits until the window shows this colour near its lower right corner, as nearly as video keeps it.
/// It is read from a screenshot, because Selkies shows its picture by one of several elements, and
/// leaves an old picture in the others.
pub async fn shows(window: &Client, wanted: [u8; 3]) {
    shows_at(window, wanted, [60, 60]).await;
}

/// As [`shows`], this far from the right and from the lower edge, in pixels of the screen.
pub async fn shows_at(window: &Client, wanted: [u8; 3], place: [u32; 2]) {
    let is_near =
        |seen: [u8; 3]| (0..3).all(|channel| seen[channel].abs_diff(wanted[channel]) < 12);
    let mut seen = false;
    for _ in 0..6 {
        seen = seen || soon(async || is_near(colour(window, place).await)).await;
    }
    assert!(
        seen,
        "the window shows {:?} and not {wanted:?}; the page says: {}",
        colour(window, place).await,
        text(window).await
    );
}
