//! What the pictures share: paper, ink, letters.

use std::sync::Once;

use ab_glyph::{Font, FontRef, ScaleFont};
use plotters::coord::Shift;
use plotters::prelude::{
    BitMapBackend, DrawingArea, FontStyle, FontTransform, IntoDrawingArea, IntoFont, RGBColor, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, register_font};

use crate::vision::RgbImage;
use crate::vision::draw::FONT_FILE;
use crate::{Error, Result};

pub(super) const PAPER: RGBColor = RGBColor(255, 255, 255);
pub(super) const INK: RGBColor = RGBColor(32, 36, 42);
pub(super) const FAINT: RGBColor = RGBColor(216, 220, 226);
/// Two colours that everybody can tell apart (Okabe and Ito, "Color Universal Design", 2008).
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(super) const ORANGE: RGBColor = RGBColor(213, 94, 0);

const FAMILY: &str = "lookalike";

/// A sheet of paper that can be drawn on.
pub(super) type Sheet<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// A picture of `width` × `height` pixels that `draw` has drawn on.
pub(super) fn picture(
    (width, height): (u32, u32),
    draw: impl FnOnce(&Sheet<'_>) -> Result<()>,
) -> Result<RgbImage> {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        let registered = register_font(FAMILY, FontStyle::Normal, FONT_FILE);
        assert!(registered.is_ok(), "the embedded font is well formed");
    });
    let mut pixels = vec![0; width as usize * height as usize * 3];
    {
        let sheet = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        sheet.fill(&PAPER).map_err(failed)?;
        draw(&sheet)?;
        sheet.present().map_err(failed)?;
    }
    RgbImage::new(width as usize, height as usize, pixels)
}

pub(super) fn failed(problem: impl std::fmt::Display) -> Error {
    Error::Input(format!("the picture cannot be drawn: {problem}"))
}

/// Letters of `size` pixels whose given corner or edge is what a position means.
pub(super) fn letters(size: f64, colour: RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    let style = TextStyle::from((FAMILY, size).into_font()).pos(Pos::new(horizontal, vertical));
    TextStyle { color: colour.to_backend_color(), ..style }
}

/// The same letters, reading upwards.
pub(super) fn upwards(style: &TextStyle<'static>) -> TextStyle<'static> {
    style.transform(FontTransform::Rotate270)
}

/// Width in pixels of a line of text.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let font = FontRef::try_from_slice(FONT_FILE).expect("the embedded font is well formed");
    let font = font.as_scaled(size as f32);
    f64::from(text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum::<f32>())
}

/// The text, shortened to at most `most` characters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
