//! A drawing in pixels, dark on light.

use std::sync::Once;

use ab_glyph::{Font, FontRef, ScaleFont};
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::{
    BitMapBackend, Circle, DrawingArea, FontStyle, FontTransform, IntoDrawingArea, IntoFont, PathElement,
    RGBColor, Rectangle, Text, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, register_font};

use super::drawing::{Drawing, Mark, Side, Tone};
use crate::vision::RgbImage;
use crate::vision::draw::FONT_FILE;
use crate::{Error, Result};

/// Pixels for each of the drawing's: a picture that is enlarged, or looked at on a phone, stays sharp.
const SCALE: f64 = 2.0;

const PAPER: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(28, 31, 36);
const FAINT: RGBColor = RGBColor(89, 97, 109);
const GRID: RGBColor = RGBColor(221, 225, 230);
const FIRST: RGBColor = RGBColor(0, 103, 168);
const SECOND: RGBColor = RGBColor(184, 80, 10);
const SHADE: RGBColor = RGBColor(8, 64, 129);

const FAMILY: &str = "lookalike";

type Sheet<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

impl Drawing {
    /// As pixels: two for each of the drawing's, on either axis.
    ///
    /// # Errors
    /// [`Error::Input`] if it is empty, or too large to be drawn.
    pub fn image(&self) -> Result<RgbImage> {
        static FONT: Once = Once::new();
        FONT.call_once(|| {
            let registered = register_font(FAMILY, FontStyle::Normal, FONT_FILE);
            assert!(registered.is_ok(), "the embedded font is well formed");
        });
        let [width, height] = [self.width, self.height].map(|side| (side * SCALE).ceil() as usize);
        let mut pixels = vec![0; width * height * 3];
        {
            let sheet = BitMapBackend::with_buffer(&mut pixels, (width as u32, height as u32));
            let sheet = sheet.into_drawing_area();
            sheet.fill(&PAPER).map_err(failed)?;
            self.marks.iter().try_for_each(|mark| draw(&sheet, mark))?;
            sheet.present().map_err(failed)?;
        }
        RgbImage::new(width, height, pixels)
    }
}

fn draw(sheet: &Sheet<'_>, mark: &Mark) -> Result<()> {
    let place = |[x, y]: [f64; 2]| ((x * SCALE).round() as i32, (y * SCALE).round() as i32);
    let drawn = match mark {
        Mark::Area { corner: [x, y], size: [width, height], tone, .. } => {
            let corners = [place([*x, *y]), place([x + width, y + height])];
            sheet.draw(&Rectangle::new(corners, colour(*tone).filled()))
        }
        Mark::Line { points, tone, width, dashed } => {
            let points: Vec<(i32, i32)> = points.iter().map(|&point| place(point)).collect();
            let style = colour(*tone).stroke_width((width * SCALE).round() as u32);
            match dashed {
                true => {
                    sheet.draw(&DashedPathElement::new(points, 5 * SCALE as i32, 4 * SCALE as i32, style))
                }
                false => sheet.draw(&PathElement::new(points, style)),
            }
        }
        Mark::Dot { at, radius, tone, .. } => {
            sheet.draw(&Circle::new(place(*at), (radius * SCALE) as i32, colour(*tone).filled()))
        }
        Mark::Words { at, text, size, tone, side, upwards } => {
            let style = letters(size * SCALE, colour(*tone), *side);
            let style = if *upwards { style.transform(FontTransform::Rotate270) } else { style };
            sheet.draw(&Text::new(text.as_str(), place(*at), style))
        }
    };
    drawn.map_err(failed)
}

fn failed(problem: impl std::fmt::Display) -> Error {
    Error::Input(format!("the picture cannot be drawn: {problem}"))
}

fn letters(size: f64, colour: RGBColor, side: Side) -> TextStyle<'static> {
    let side = match side {
        Side::Start => HPos::Left,
        Side::Middle => HPos::Center,
        Side::End => HPos::Right,
    };
    let size = size * f64::from(line_height(&font()));
    let style = TextStyle::from((FAMILY, size).into_font()).pos(Pos::new(side, VPos::Center));
    TextStyle { color: colour.to_backend_color(), ..style }
}

fn colour(tone: Tone) -> RGBColor {
    match tone {
        Tone::Ink => INK,
        Tone::Faint => FAINT,
        Tone::Grid => GRID,
        Tone::First => FIRST,
        Tone::Second => SECOND,
        Tone::Shade(share) => mixed(PAPER, SHADE, Tone::strength(share)),
        Tone::OnShade(share) if Tone::is_strong(share) => PAPER,
        Tone::OnShade(_) => INK,
    }
}

/// The colour that lies at `share` of the way from one to the other.
fn mixed(from: RGBColor, to: RGBColor, share: f64) -> RGBColor {
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// Height of a line of the font for each pixel of the size that a style sheet states: libraries scale by the former.
fn line_height(font: &FontRef<'_>) -> f32 {
    font.height_unscaled() / font.units_per_em().expect("the embedded font has a size")
}

fn font() -> FontRef<'static> {
    FontRef::try_from_slice(FONT_FILE).expect("the embedded font is well formed")
}

/// Width of a line of words in a drawing. The font of a page is seldom wider than the one of the program.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let font = font();
    let font = font.as_scaled(size as f32 * line_height(&font));
    f64::from(text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum::<f32>())
}

/// The text, shortened to at most `most` characters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_where_the_drawing_says() {
        let mut drawing = Drawing::new(50.0, 40.0, "");
        drawing.area([10.0, 5.0], [10.0, 10.0], Tone::Shade(1.0), "");
        drawing.line([[0.0, 30.0], [50.0, 30.0]], Tone::Second, 2.0);
        drawing.dot([40.0, 10.0], 4.0, Tone::First, "");
        let image = drawing.image().unwrap();
        assert_eq!((image.width(), image.height()), (100, 80));
        let at = |x: usize, y: usize| {
            let [red, green, blue] = image.pixel(x, y);
            RGBColor(red, green, blue)
        };
        assert_eq!([at(30, 20), at(80, 20), at(50, 60)], [SHADE, FIRST, SECOND]);
        assert_eq!([at(10, 20), at(30, 70), at(99, 0)], [PAPER; 3]);
    }

    #[test]
    fn words_are_as_wide_as_in_a_page() {
        // The letter is 1298 of 2048 units wide (fontTools: TTFont("DejaVuSans.ttf")["hmtx"]["n"]).
        assert!((text_width("nn", 12.0) - 2.0 * 12.0 * 1298.0 / 2048.0).abs() < 1e-3);
    }

    #[test]
    fn words_stand_beside_or_above_their_place() {
        let ink = |drawing: &Drawing| {
            let image = drawing.image().unwrap();
            let at = (0..image.width() * image.height()).map(|i| (i % image.width(), i / image.width()));
            let dark: Vec<(usize, usize)> = at.filter(|&(x, y)| image.pixel(x, y)[0] < 128).collect();
            let x: Vec<usize> = dark.iter().map(|at| at.0).collect();
            let y: Vec<usize> = dark.iter().map(|at| at.1).collect();
            [x.iter().min(), x.iter().max(), y.iter().min(), y.iter().max()].map(|end| *end.expect("letters"))
        };
        let mut across = Drawing::new(100.0, 100.0, "");
        across.words([50.0, 50.0], "words", 12.0, Tone::Ink, Side::End);
        let [left, right, top, bottom] = ink(&across);
        assert!(left < 50 && (90..=101).contains(&right) && top > 80 && bottom < 120);
        let mut upwards = Drawing::new(100.0, 100.0, "");
        upwards.words_upwards([50.0, 50.0], "words", 12.0, Tone::Ink, Side::End);
        let [left, right, top, bottom] = ink(&upwards);
        assert!(left > 80 && right < 120, "{left} {right}");
        assert!(
            (98..=110).contains(&top) && bottom > 150,
            "{top} {bottom}: it ends at its place and begins below"
        );
    }
}
