//! Many small pictures on one: in a grid, or as a contact sheet with words.

use super::draw::{Letters, RED, WHITE, text_width, write};
use super::{RgbImage, crop_resize};

/// Space around the pictures, in pixels.
const GAP: usize = 8;
/// Side of a picture on a contact sheet: a face is known at a glance, and eight stand side by side.
const TILE: usize = 144;
/// Width of a marked picture's frame.
const FRAME: usize = 6;
/// Height of a line of words, and of its letters.
const LINE: usize = 22;
const TEXT: f32 = 17.0;
/// Narrowest contact sheet, so that two small faces leave room for words.
const NARROWEST: usize = 660;
const INK: [u8; 3] = [32, 36, 42];
const PALE: [u8; 3] = [96, 102, 112];

/// The pictures in rows of `columns`, each in a cell as large as the largest picture, on white.
pub fn grid(pictures: &[RgbImage], columns: usize) -> RgbImage {
    let cell_width = pictures.iter().map(RgbImage::width).max().unwrap_or(1) + GAP;
    let cell_height = pictures.iter().map(RgbImage::height).max().unwrap_or(1) + GAP;
    let (width, height) = (columns * cell_width + GAP, pictures.len().div_ceil(columns) * cell_height + GAP);
    let mut sheet = RgbImage::filled(width, height, WHITE.0);
    for (index, picture) in pictures.iter().enumerate() {
        let (column, row) = (index % columns, index / columns);
        sheet.paste(picture, GAP + column * cell_width, GAP + row * cell_height);
    }
    sheet
}

/// A row of a contact sheet.
#[derive(Clone, Debug)]
pub struct Row {
    /// What the pictures have in common, as a photo's name.
    pub title: String,
    /// What there is to say of it.
    pub note: String,
    /// The pictures.
    pub tiles: Vec<Tile>,
}

/// A picture of a contact sheet.
#[derive(Clone, Debug)]
pub struct Tile {
    /// The picture, a square of any size.
    pub picture: RgbImage,
    /// A word or two below it.
    pub caption: String,
    /// Whether it stands on a red card.
    pub marked: bool,
}

/// The rows one below the other, on white.
pub fn contact_sheet(rows: &[Row]) -> RgbImage {
    let card = (TILE + 2 * FRAME, TILE + 2 * FRAME + LINE);
    let most = rows.iter().map(|row| row.tiles.len()).max().unwrap_or(0);
    let width = (GAP + most * (card.0 + GAP)).max(NARROWEST);
    let row_height = LINE + card.1 + 2 * GAP;
    let mut sheet = RgbImage::filled(width, GAP + rows.len().max(1) * row_height, WHITE.0);
    for (index, row) in rows.iter().enumerate() {
        let top = GAP + index * row_height;
        head(&mut sheet, row, top);
        for (column, tile) in row.tiles.iter().enumerate() {
            sheet.paste(&on_card(tile, card), GAP + column * (card.0 + GAP), top + LINE);
        }
    }
    sheet
}

/// Title and note on one line; a title too long gives way.
fn head(sheet: &mut RgbImage, row: &Row, top: usize) {
    let room = (sheet.width() - 2 * GAP) as f32;
    let note = text_width(&row.note, TEXT);
    let title = Letters { size: TEXT, room: (room - note - GAP as f32).max(room / 2.0), colour: INK };
    let used = write(sheet, &row.title, (GAP, top), title);
    let left = GAP + used.ceil() as usize + GAP;
    let room = (sheet.width() - left) as f32;
    write(sheet, &row.note, (left, top), Letters { size: TEXT, room, colour: PALE });
}

fn on_card(tile: &Tile, (width, height): (usize, usize)) -> RgbImage {
    let (ground, colour) = if tile.marked { (RED.0, WHITE.0) } else { (WHITE.0, INK) };
    let mut card = RgbImage::filled(width, height, ground);
    card.paste(&crop_resize(&tile.picture, tile.picture.bounds(), TILE, TILE), FRAME, FRAME);
    let letters = Letters { size: TEXT, room: TILE as f32, colour };
    write(&mut card, &tile.caption, (FRAME, TILE + FRAME + 2), letters);
    card
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_stand_in_rows() {
        let [red, blue] = [[200, 0, 0], [0, 0, 200]].map(|colour| RgbImage::filled(10, 12, colour));
        let sheet = grid(&[red.clone(), blue.clone(), red], 2);
        assert_eq!((sheet.width(), sheet.height()), (2 * 18 + 8, 2 * 20 + 8));
        assert_eq!((sheet.pixel(8, 8), sheet.pixel(26, 8)), ([200, 0, 0], [0, 0, 200]));
        assert_eq!((sheet.pixel(17, 39), sheet.pixel(26, 28)), ([200, 0, 0], [255; 3]));
        assert_eq!(sheet.pixel(0, 0), [255; 3]);
    }

    #[test]
    fn the_marked_picture_stands_on_red_and_words_stay_on_the_sheet() {
        let tile =
            |marked| Tile { picture: RgbImage::filled(9, 9, [0, 0, 200]), caption: "used".into(), marked };
        let row = |tiles| Row { title: "a very long name ".repeat(30), note: "3 faces".into(), tiles };
        let sheet = contact_sheet(&[row(vec![tile(true), tile(false)]), row(vec![tile(false); 8])]);
        assert!(sheet.width() >= NARROWEST && sheet.height() < 500, "{sheet:?}");
        let middle = GAP + LINE + FRAME + TILE / 2;
        assert_eq!(sheet.pixel(GAP + 2, middle), RED.0, "the frame");
        assert_eq!(sheet.pixel(GAP + FRAME + TILE / 2, middle), [0, 0, 200]);
        assert_eq!(sheet.pixel(2 * GAP + TILE + 2 * FRAME + 2, middle), [255; 3], "no frame");
        let dark = |x| (0..LINE).any(|y| sheet.pixel(x, GAP + y)[0] < 128);
        assert!((GAP..NARROWEST / 2).any(dark) && !(sheet.width() - GAP / 2..sheet.width()).any(dark));
        contact_sheet(&[]);
    }
}
