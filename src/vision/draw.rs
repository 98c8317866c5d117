//! Marks on photos: a red box around a face, with a label on a red plate; lines of text.

use std::sync::LazyLock;

use ::image::{ImageBuffer, Rgb};
use ab_glyph::{Font, FontRef, ScaleFont};
use imageproc::drawing::{draw_filled_circle_mut, draw_filled_rect_mut, draw_text_mut};
use imageproc::rect::Rect as Box;

use super::{Rect, RgbImage};

pub(super) const RED: Rgb<u8> = Rgb([214, 20, 28]);
pub(super) const WHITE: Rgb<u8> = Rgb([255, 255, 255]);

/// The font of every label, as the bytes of a TrueType file: DejaVu Sans.
pub const FONT_FILE: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");

static FONT: LazyLock<FontRef<'static>> =
    LazyLock::new(|| FontRef::try_from_slice(FONT_FILE).expect("the embedded font is well formed"));

/// Characters kept at the end of a label that has to be shortened: ` 97 %`.
const TAIL: usize = 5;

/// Draws a red box along the inner edge of `rect`, and `label` in white on a red plate above it.
///
/// Lines and letters grow with the picture and the face. The label stays inside the picture: it moves below the box's
/// upper edge where there is no room above, and a label too wide is written smaller, then shortened before its last
/// five characters. A box wholly outside the picture is moved to the nearest border.
pub fn draw_face(image: &mut RgbImage, rect: Rect, label: Option<&str>) {
    let (width, height) = (image.width() as i32, image.height() as i32);
    let style = Style::new(width.min(height) as f32, rect.width);
    let mut canvas = canvas_of(image);

    // Corners of the box's outer edge, inside the picture.
    let edge = |at: f32, size: i32| (at.round() as i32).clamp(0, size);
    let (left, right) = (edge(rect.x, width), edge(rect.x + rect.width, width));
    let (top, bottom) = (edge(rect.y, height), edge(rect.y + rect.height, height));
    let line = style.line;
    fill(&mut canvas, left, top, right, top + line);
    fill(&mut canvas, left, bottom - line, right, bottom);
    fill(&mut canvas, left, top, left + line, bottom);
    fill(&mut canvas, right - line, top, right, bottom);

    if let Some(label) = label.filter(|label| !label.is_empty()) {
        draw_label(&mut canvas, label, left, top, &style);
    }
    image.pixels = canvas.into_raw();
}

/// Draws a red dot at each point of a face that is `face` pixels wide; those outside the picture are left out.
pub fn draw_points(image: &mut RgbImage, points: impl IntoIterator<Item = [f32; 2]>, face: f32) {
    let radius = (face / 40.0).round().clamp(1.0, 100.0) as i32;
    let mut canvas = canvas_of(image);
    for [x, y] in points {
        draw_filled_circle_mut(&mut canvas, (x.round() as i32, y.round() as i32), radius, RED);
    }
    image.pixels = canvas.into_raw();
}

/// How a line of text is written.
#[derive(Clone, Copy, Debug)]
pub struct Letters {
    /// Height of the line in pixels.
    pub size: f32,
    /// Pixels that it may be wide.
    pub room: f32,
    /// Colour of the letters.
    pub colour: [u8; 3],
}

/// Writes a line of text whose upper left corner is at (`x`, `y`), smaller or shortened where it is too wide.
/// Returns its width in pixels.
pub fn write(image: &mut RgbImage, text: &str, (x, y): (usize, usize), letters: Letters) -> f32 {
    let Letters { size, room, colour } = letters;
    let (text, size) = fitted(text, size, room);
    let mut canvas = canvas_of(image);
    draw_text_mut(&mut canvas, Rgb(colour), x as i32, y as i32, size, &*FONT, &text);
    image.pixels = canvas.into_raw();
    text_width(&text, size)
}

type Canvas = ImageBuffer<Rgb<u8>, Vec<u8>>;

/// The picture's pixels to draw on; they have to be put back.
fn canvas_of(image: &mut RgbImage) -> Canvas {
    let pixels = std::mem::take(&mut image.pixels);
    ImageBuffer::from_raw(image.width() as u32, image.height() as u32, pixels)
        .expect("three bytes for each pixel")
}

/// Sizes in pixels.
struct Style {
    line: i32,
    /// Height of a line of text.
    text: f32,
}

impl Style {
    fn new(picture: f32, face: f32) -> Style {
        let line = (picture / 160.0).round().max(2.0) as i32;
        // Small faces in a crowd get small labels, but none that cannot be read at the picture's size.
        let text = (face / 6.0).clamp(picture / 36.0, picture / 16.0).max(SMALLEST_TEXT);
        Style { line, text }
    }
}

/// Height of the smallest line of text that can be read without magnifying.
const SMALLEST_TEXT: f32 = 11.0;

fn draw_label(canvas: &mut Canvas, label: &str, left: i32, top: i32, style: &Style) {
    let room = canvas.width() as f32 - 2.0 * margin(style.text);
    let (label, size) = fitted(label, style.text, room);
    let margin = margin(size) as i32;
    let plate_width = text_width(&label, size).ceil() as i32 + 2 * margin;
    let plate_height = FONT.as_scaled(size).height().ceil() as i32 + margin;
    let x = left.min(canvas.width() as i32 - plate_width).max(0);
    let y = if top >= plate_height {
        top - plate_height
    } else {
        top.min(canvas.height() as i32 - plate_height).max(0)
    };
    fill(canvas, x, y, x + plate_width, y + plate_height);
    draw_text_mut(canvas, WHITE, x + margin, y + margin / 2, size, &*FONT, &label);
}

/// Red at the left and right of the text.
fn margin(size: f32) -> f32 {
    (size / 5.0).max(2.0).floor()
}

/// The label and its size, made to fit into `room` pixels.
fn fitted(label: &str, size: f32, room: f32) -> (String, f32) {
    let wanted = text_width(label, size);
    if wanted <= room {
        return (label.to_owned(), size);
    }
    let size = (size * room / wanted * 0.98).max(SMALLEST_TEXT.min(size));
    let letters: Vec<char> = label.chars().collect();
    let (head, tail) = letters.split_at(letters.len().saturating_sub(TAIL));
    let shortened = |kept: usize| -> String { head[..kept].iter().chain(&['…']).chain(tail).collect() };
    if text_width(label, size) <= room {
        return (label.to_owned(), size);
    }
    let kept = (0..head.len()).rev().find(|&kept| text_width(&shortened(kept), size) <= room);
    (shortened(kept.unwrap_or(0)), size)
}

/// Width in pixels of a line of text of this height.
pub(super) fn text_width(text: &str, size: f32) -> f32 {
    let font = FONT.as_scaled(size);
    text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
}

/// Fills the pixels from (`left`, `top`) up to (`right`, `bottom`), as far as they lie in the picture.
fn fill(canvas: &mut Canvas, left: i32, top: i32, right: i32, bottom: i32) {
    let (left, top) = (left.max(0), top.max(0));
    let (width, height) = (right - left, bottom - top);
    if width > 0 && height > 0 {
        draw_filled_rect_mut(canvas, Box::at(left, top).of_size(width as u32, height as u32), RED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLUE: [u8; 3] = [10, 20, 200];

    fn drawn(width: usize, height: usize, rect: Rect, label: Option<&str>) -> RgbImage {
        let mut image = RgbImage::filled(width, height, BLUE);
        draw_face(&mut image, rect, label);
        image
    }

    /// Columns and rows from the first to the last pixel that `is` true for.
    fn extent(image: &RgbImage, is: impl Fn([u8; 3]) -> bool) -> Option<[usize; 4]> {
        let at = (0..image.width() * image.height()).map(|i| (i % image.width(), i / image.width()));
        at.filter(|&(x, y)| is(image.pixel(x, y))).fold(None, |extent, (x, y)| {
            let [left, top, right, bottom] = extent.unwrap_or([x, y, x, y]);
            Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
        })
    }

    #[test]
    fn the_box_is_red_and_its_inside_untouched() {
        let image = drawn(320, 320, Rect { x: 50.0, y: 80.0, width: 100.0, height: 120.0 }, None);
        let red = |x, y| image.pixel(x, y) == RED.0;
        for (x, y) in [(50, 80), (149, 199), (51, 140), (148, 140), (100, 81), (100, 198)] {
            assert!(red(x, y), "({x}, {y})");
        }
        for (x, y) in [(49, 80), (150, 140), (52, 82), (100, 140), (100, 200)] {
            assert_eq!(image.pixel(x, y), BLUE, "({x}, {y})");
        }
    }

    #[test]
    fn points_are_red_dots_inside_the_picture() {
        let mut image = RgbImage::filled(100, 80, BLUE);
        draw_points(&mut image, [[50.0, 40.0], [0.0, 0.0], [-9.0, 500.0], [1e9, -1e9]], 120.0);
        let red = |x, y| image.pixel(x, y) == RED.0;
        assert!(red(50, 40) && red(53, 40) && red(50, 37) && red(0, 0));
        assert!(!red(54, 40) && !red(53, 43) && !red(99, 79));
    }

    #[test]
    fn boxes_over_the_border_are_drawn_along_it() {
        for rect in [
            Rect { x: -30.0, y: -30.0, width: 400.0, height: 400.0 },
            Rect { x: 1e9, y: -1e9, width: 5.0, height: 5.0 },
            Rect { x: 99.0, y: 99.0, width: 0.0, height: 0.0 },
        ] {
            drawn(100, 100, rect, Some("Zoë 97 %"));
        }
        let image = drawn(100, 100, Rect { x: -30.0, y: -30.0, width: 400.0, height: 400.0 }, None);
        assert_eq!((image.pixel(0, 0), image.pixel(99, 50)), (RED.0, RED.0));
    }

    #[test]
    fn labels_are_white_on_red_inside_the_picture() {
        let bright = |rgb: [u8; 3]| rgb.iter().all(|&value| value > 200);
        for (width, height) in [(92, 112), (640, 480), (4000, 3000)] {
            let (w, h) = (width as f32, height as f32);
            for (x, y) in [(0.3, 0.4), (0.0, 0.0), (0.8, 0.8), (0.9, 0.0)] {
                let rect = Rect { x: x * w, y: y * h, width: 0.3 * w, height: 0.3 * h };
                let image = drawn(width, height, rect, Some("s07 97 %"));
                let [left, top, right, bottom] = extent(&image, bright).expect("there are letters");
                assert!(left > 0 && top > 0 && right < width - 1 && bottom < height - 1, "{rect:?}");
                assert!(
                    bottom - top >= 6 && bottom - top >= height / 60,
                    "{width}x{height}: {top}..{bottom}"
                );
                assert!(
                    extent(&image, |rgb| rgb != BLUE && rgb[2] > 100 && rgb[0] < 100).is_none(),
                    "no letter on blue"
                );
            }
        }
    }

    #[test]
    fn long_labels_are_written_smaller_then_shortened_before_the_percentage() {
        assert_eq!(fitted("Ada 97 %", 20.0, 500.0), ("Ada 97 %".to_owned(), 20.0));
        let (label, size) = fitted("Gerhard Schroeder 97 %", 40.0, 300.0);
        assert!(label == "Gerhard Schroeder 97 %" && (11.0..40.0).contains(&size), "{label} {size}");
        let (label, size) = fitted("Arnold_Schwarzenegger 97 %", 11.0, 84.0);
        assert!(label.starts_with("Arn") && label.ends_with("… 97 %") && size == 11.0, "{label} {size}");
        assert!(text_width(&label, size) <= 84.0);
    }

    #[test]
    fn names_of_many_alphabets_have_letters() {
        for name in ["Zoë Ångström", "Łukasz", "Ελένη", "Владимир", "Nguyễn", "עדה", "فاطمة"]
        {
            for letter in name.chars() {
                assert_ne!(FONT.glyph_id(letter).0, 0, "{letter} of {name}");
            }
        }
    }
}
