//! The confusion matrix as a picture: who was taken for whom.

use plotters::prelude::{RGBColor, Rectangle, Text};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{FAINT, INK, PAPER, Sheet, failed, letters, picture, shortened, text_width, upwards};
use crate::vision::RgbImage;
use crate::{Error, Result};

/// Longest name that is written out.
const LONGEST_NAME: usize = 24;
/// Darkest cell: all faces of a row.
const DARK: RGBColor = RGBColor(8, 64, 129);

/// Sizes in pixels.
struct Layout {
    /// Side of a cell.
    cell: i32,
    /// Height of a line of names.
    text: f64,
    /// Left and lower border, which hold the names.
    names: i32,
    /// Upper border, which holds the title.
    title: i32,
    /// What stays free at the right.
    margin: i32,
}

/// Draws `counts[true][predicted]` with a row per true person. A cell is as dark as its share of its row, in one
/// hue, which all eyes order alike; the counts stand in the cells where there is room.
///
/// # Errors
/// [`Error::Input`] if there is nobody, or `counts` is not one row and column per name.
pub fn confusion(title: &str, names: &[String], counts: &[Vec<usize>]) -> Result<RgbImage> {
    let people = names.len();
    if people == 0 || counts.len() != people || counts.iter().any(|row| row.len() != people) {
        return Err(Error::Input(format!(
            "a confusion matrix of {people} people needs as many rows and columns"
        )));
    }
    let names: Vec<String> = names.iter().map(|name| shortened(name, LONGEST_NAME)).collect();
    let cell = (720 / people as i32).clamp(14, 64);
    let text = f64::from(cell - 2).clamp(12.0, 18.0);
    let longest = names.iter().map(|name| text_width(name, text)).fold(0.0, f64::max);
    let layout = Layout { cell, text, names: longest.ceil() as i32 + 56, title: 64, margin: 28 };
    let across = layout.names + cell * people as i32 + layout.margin;
    let width = across.max(text_width(title, 20.0).ceil() as i32 + 2 * layout.margin);
    let height = layout.title + cell * people as i32 + layout.names;
    picture((width as u32, height as u32), |sheet| {
        let style = letters(20.0, INK, HPos::Left, VPos::Center);
        sheet.draw(&Text::new(title, (layout.margin, layout.title / 2), style)).map_err(failed)?;
        cells(sheet, &layout, counts)?;
        labels(sheet, &layout, &names)
    })
}

fn cells(sheet: &Sheet<'_>, layout: &Layout, counts: &[Vec<usize>]) -> Result<()> {
    let Layout { cell, .. } = *layout;
    for (row, counts) in counts.iter().enumerate() {
        let total = counts.iter().sum::<usize>().max(1) as f64;
        for (column, &count) in counts.iter().enumerate() {
            let (x, y) = (layout.names + cell * column as i32, layout.title + cell * row as i32);
            let share = count as f64 / total;
            let corners = [(x, y), (x + cell, y + cell)];
            let shade = mixed(PAPER, DARK, share.sqrt());
            sheet.draw(&Rectangle::new(corners, shade.filled())).map_err(failed)?;
            sheet.draw(&Rectangle::new(corners, FAINT.stroke_width(1))).map_err(failed)?;
            if count > 0 && cell >= 20 {
                let ink = if share > 0.25 { PAPER } else { INK };
                let style = letters(f64::from(cell) * 0.42, ink, HPos::Center, VPos::Center);
                let middle = (x + cell / 2, y + cell / 2);
                sheet.draw(&Text::new(count.to_string(), middle, style)).map_err(failed)?;
            }
        }
    }
    Ok(())
}

fn labels(sheet: &Sheet<'_>, layout: &Layout, names: &[String]) -> Result<()> {
    let Layout { cell, text, .. } = *layout;
    let bottom = layout.title + cell * names.len() as i32;
    let at_row = letters(text, INK, HPos::Right, VPos::Center);
    let below = upwards(&at_row);
    for (index, name) in names.iter().enumerate() {
        let middle = cell * index as i32 + cell / 2;
        let row = (layout.names - 8, layout.title + middle);
        sheet.draw(&Text::new(name.as_str(), row, at_row.clone())).map_err(failed)?;
        let column = (layout.names + middle, bottom + 8);
        sheet.draw(&Text::new(name.as_str(), column, below.clone())).map_err(failed)?;
    }
    let axis = letters(15.0, INK, HPos::Center, VPos::Center);
    let centre = cell * names.len() as i32 / 2;
    let (x, y) = (layout.names + centre, bottom + layout.names - 18);
    sheet.draw(&Text::new("taken for", (x, y), axis.clone())).map_err(failed)?;
    let (x, y) = (20, layout.title + centre);
    sheet.draw(&Text::new("shows", (x, y), upwards(&axis))).map_err(failed)
}

/// The colour that lies at `share` of the way from one to the other.
fn mixed(from: RGBColor, to: RGBColor, share: f64) -> RGBColor {
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_darkest_cell_is_where_all_faces_of_a_row_are() {
        let names = ["anna".to_string(), "ben".to_string()];
        let image = confusion("two", &names, &[vec![4, 0], vec![1, 3]]).unwrap();
        let pixels = image.pixels().as_chunks::<3>().0;
        let of = |colour: RGBColor| {
            pixels.iter().filter(|&&pixel| pixel == [colour.0, colour.1, colour.2]).count()
        };
        assert!(of(DARK) > 2000, "{} dark pixels in {image:?}", of(DARK));
        assert!(of(mixed(PAPER, DARK, 0.5)) > 2000);
        assert!(of(PAPER) * 2 > pixels.len(), "a light background");
    }

    #[test]
    fn fifty_people_with_long_names_fit() {
        let names: Vec<String> = (0..50).map(|i| format!("somebody with a very long name {i}")).collect();
        let image = confusion("many", &names, &vec![vec![1; 50]; 50]).unwrap();
        assert!(image.width() < 1200 && image.height() < 1200, "{image:?}");
        assert!(confusion("none", &[], &[]).is_err());
        assert!(confusion("ragged", &names[..1], &[vec![1, 2]]).is_err());
    }
}
