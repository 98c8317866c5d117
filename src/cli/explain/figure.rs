//! The picture: a row for each face, the face first, then its heat maps.

use lookalike::explain::{legend, overlay};
use lookalike::vision::draw::{Letters, write};
use lookalike::vision::{RgbImage, crop_resize, draw_points};

use super::maps::Map;
use super::{Answer, title};
use crate::cli::display::percent;

/// Side of a picture.
const TILE: usize = 240;
const GAP: usize = 16;
/// Height of a line of words, and of its letters.
const LINE: usize = 24;
const TEXT: f32 = 18.0;
const INK: [u8; 3] = [32, 36, 42];
const PALE: [u8; 3] = [96, 102, 112];
const PAPER: [u8; 3] = [255; 3];
/// Size of the bar that says what the colours mean.
const BAR: (usize, usize) = (TILE, 12);
/// Width of a face whose dots are small enough for an outline.
const SMALL_DOTS: f32 = 40.0;
const DOTS: f32 = 100.0;

/// Draws all of them, and what the colours mean.
pub fn figure(answers: &[Answer]) -> RgbImage {
    let columns = 1 + answers.iter().map(|answer| answer.maps.len()).max().unwrap_or(0);
    let row = LINE + TILE + 2 * LINE + GAP;
    let mut sheet =
        RgbImage::filled(GAP + columns * (TILE + GAP), GAP + answers.len() * row + BAR.1 + LINE + GAP, PAPER);
    for (index, answer) in answers.iter().enumerate() {
        let top = GAP + index * row;
        let room = (sheet.width() - 2 * GAP) as f32;
        write(&mut sheet, &title(&answer.who), (GAP, top), Letters { size: TEXT, room, colour: INK });
        tile(&mut sheet, &marked(answer), (0, top + LINE), ["what the network sees", ""]);
        for (column, map) in answer.maps.iter().enumerate() {
            let words = words(answer, map);
            let picture = overlay(&answer.face.crop, &map.heat);
            tile(&mut sheet, &picture, (column + 1, top + LINE), [&words[0], &words[1]]);
        }
    }
    let top = GAP + answers.len() * row;
    let left = GAP + TILE + GAP;
    sheet.paste(&legend(BAR.0, BAR.1), left, top);
    line(&mut sheet, "nothing", left, top + BAR.1, PALE);
    line(&mut sheet, "most of this map", left + BAR.0 - 136, top + BAR.1, PALE);
    sheet
}

/// The crop with what counts as face: its outline dotted, and dots on eyes, nose and mouth.
fn marked(answer: &Answer) -> RgbImage {
    let crop = &answer.face.crop;
    let mut picture = enlarged(crop);
    let scale = [TILE as f32 / crop.width() as f32, TILE as f32 / crop.height() as f32];
    let placed = |[x, y]: [f32; 2]| [x * scale[0], y * scale[1]];
    let inside = |point: &[f32; 2]| point.iter().all(|&at| (0.0..TILE as f32).contains(&at));
    let points = |points: &[[f32; 2]]| points.iter().copied().map(placed).filter(inside).collect::<Vec<_>>();
    if let Some(oval) = &answer.face.oval {
        draw_points(&mut picture, points(oval), SMALL_DOTS);
    }
    if let Some(landmarks) = &answer.face.landmarks {
        draw_points(&mut picture, points(landmarks), DOTS);
    }
    picture
}

fn words(answer: &Answer, map: &Map) -> [String; 2] {
    let share = answer.areas.as_ref().and_then(|areas| areas.on_face(&map.heat));
    let below = match share {
        Some(share) => format!("{} of the heat on the face", percent(share)),
        None if map.heat.peak() == 0.0 => "nothing speaks for this person".into(),
        None => String::new(),
    };
    [format!("{} for {}", map.method, map.person), below]
}

fn tile(sheet: &mut RgbImage, picture: &RgbImage, (column, top): (usize, usize), words: [&str; 2]) {
    let left = GAP + column * (TILE + GAP);
    sheet.paste(&enlarged(picture), left, top);
    line(sheet, words[0], left, top + TILE, INK);
    line(sheet, words[1], left, top + TILE + LINE, PALE);
}

fn line(sheet: &mut RgbImage, text: &str, left: usize, top: usize, colour: [u8; 3]) {
    write(sheet, text, (left, top + 2), Letters { size: TEXT, room: TILE as f32, colour });
}

fn enlarged(picture: &RgbImage) -> RgbImage {
    crop_resize(picture, picture.bounds(), TILE, TILE)
}
