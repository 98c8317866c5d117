//! The confusion matrix: who was taken for whom.

use super::bitmap::{shortened, text_width};
use super::drawing::{Drawing, Side, Tone};
use super::percent;
use crate::models::Confusion;
use crate::{Error, Result};

/// Longest name that is written out.
const LONGEST_NAME: usize = 16;
/// Side of the matrix of a few people, and the longest one.
const SIDE: f64 = 300.0;
const LONGEST_SIDE: f64 = 900.0;
/// Smallest cells beside which a name can be read, with a number in them, and with lines between them.
const NAMED: f64 = 10.0;
const NUMBERED: f64 = 20.0;
const LINED: f64 = 5.0;
/// Height of title, and of the words that say what the axes are.
const TITLE: f64 = 36.0;
const AXIS: f64 = 24.0;
const MARGIN: f64 = 8.0;

/// What stands in the cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cells {
    /// Faces.
    Counts,
    /// Percents of the faces of the row's person.
    Shares,
}

/// Whether the cells of a matrix of so many people hold numbers.
pub fn has_numbers(people: usize) -> bool {
    cell_of(people) >= NUMBERED
}

/// Side of a cell.
fn cell_of(people: usize) -> f64 {
    let least = (LONGEST_SIDE / people as f64).min(NUMBERED);
    (SIDE / people as f64).clamp(least, 56.0)
}

/// A row for each true person. A cell is as dark as its share of its row, in one hue, which all eyes order alike; its number
/// stands in it where there is room.
///
/// # Errors
/// [`Error::Input`] if there is nobody, or the matrix has not one row and column per name.
pub fn confusion(names: &[String], matrix: &Confusion, cells: Cells) -> Result<Drawing> {
    let people = names.len();
    let counts = &matrix.counts;
    if people == 0 || counts.len() != people || counts.iter().any(|row| row.len() != people) {
        return Err(Error::Input(format!(
            "a confusion matrix of {people} people needs as many rows and columns"
        )));
    }
    let cell = cell_of(people);
    let text = (cell - 2.0).clamp(8.0, 12.0);
    let short: Vec<String> = match cell >= NAMED {
        true => names.iter().map(|name| shortened(name, LONGEST_NAME)).collect(),
        false => vec![],
    };
    let longest = short.iter().map(|name| text_width(name, text)).fold(0.0, f64::max);
    let (left, top) = (AXIS + longest + 8.0, TITLE);
    let side = cell * people as f64;
    let title = match cells {
        Cells::Counts => "Faces",
        Cells::Shares => "Percents of each person's faces",
    };
    let width = (left + side + MARGIN).max(text_width(title, 15.0) + 2.0 * MARGIN);
    let height = top + side + longest + 8.0 + AXIS;
    let alt = format!(
        "Confusion matrix of {people} people: {} of {} faces recognised.",
        matrix.correct(),
        matrix.total()
    );
    let mut drawing = Drawing::new(width.ceil(), height.ceil(), alt);
    drawing.words([MARGIN, TITLE / 2.0], title, 15.0, Tone::Ink, Side::Start);
    for (row, counts) in counts.iter().enumerate() {
        let total: usize = counts.iter().sum();
        for (column, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let share = count as f64 / total.max(1) as f64;
            let corner = [left + cell * column as f64, top + cell * row as f64];
            let note = format!(
                "{} taken for {}: {count} of {total} ({})",
                names[row],
                names[column],
                percent(share)
            );
            drawing.area(corner, [cell; 2], Tone::Shade(share), note);
            if has_numbers(people) {
                let number = match cells {
                    Cells::Counts => count.to_string(),
                    Cells::Shares => format!("{:.0}", 100.0 * share),
                };
                let size = (0.42 * cell).min(15.0).min(0.9 * cell / (0.64 * number.len() as f64));
                let middle = [corner[0] + cell / 2.0, corner[1] + cell / 2.0];
                drawing.words(middle, number, size, Tone::OnShade(share), Side::Middle);
            }
        }
    }
    let lines = if cell >= LINED { 1 } else { people };
    for line in (0..=people).step_by(lines) {
        let at = cell * line as f64;
        drawing.line([[left, top + at], [left + side, top + at]], Tone::Grid, 1.0);
        drawing.line([[left + at, top], [left + at, top + side]], Tone::Grid, 1.0);
    }
    for (index, name) in short.iter().enumerate() {
        let middle = cell * index as f64 + cell / 2.0;
        drawing.words([left - 6.0, top + middle], name, text, Tone::Ink, Side::End);
        drawing.words_upwards([left + middle, top + side + 6.0], name, text, Tone::Ink, Side::End);
    }
    let bottom = height - AXIS / 2.0;
    drawing.words([left + side / 2.0, bottom], "taken for", 12.0, Tone::Faint, Side::Middle);
    drawing.words_upwards([AXIS / 2.0, top + side / 2.0], "shows", 12.0, Tone::Faint, Side::Middle);
    Ok(drawing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drawing::Mark;

    fn words(drawing: &Drawing) -> Vec<&str> {
        let mut words = Vec::new();
        for mark in &drawing.marks {
            if let Mark::Words { text, tone: Tone::OnShade(_), .. } = mark {
                words.push(text.as_str());
            }
        }
        words
    }

    #[test]
    fn cells_hold_counts_or_shares_of_their_row() {
        let names = ["anna".to_string(), "ben".to_string()];
        let matrix = Confusion { counts: vec![vec![4, 0], vec![1, 3]] };
        let counts = confusion(&names, &matrix, Cells::Counts).unwrap();
        assert_eq!(words(&counts), ["4", "1", "3"]);
        assert_eq!(words(&confusion(&names, &matrix, Cells::Shares).unwrap()), ["100", "25", "75"]);
        let shades: Vec<f64> = counts
            .marks
            .iter()
            .filter_map(|mark| match mark {
                Mark::Area { tone: Tone::Shade(share), .. } => Some(*share),
                _ => None,
            })
            .collect();
        assert_eq!(shades, [1.0, 0.25, 0.75], "nothing is drawn where nobody is");
        let note = "ben taken for anna: 1 of 4 (25.0 %)";
        assert!(counts.marks.iter().any(|mark| matches!(mark, Mark::Area { note: n, .. } if n == note)));
        assert!(counts.alt.contains("7 of 8 faces"), "{}", counts.alt);
    }

    #[test]
    fn fifty_people_with_long_names_fit() {
        let names: Vec<String> = (0..50).map(|i| format!("somebody with a very long name {i}")).collect();
        let matrix = Confusion { counts: vec![vec![1; 50]; 50] };
        let drawing = confusion(&names, &matrix, Cells::Counts).unwrap();
        assert!(drawing.width < 1100.0 && drawing.height < 1100.0, "{} {}", drawing.width, drawing.height);
        assert!(has_numbers(45) && !has_numbers(46));
        let names: Vec<String> = (0..500).map(|i| i.to_string()).collect();
        let drawing = confusion(&names, &Confusion::new(500), Cells::Counts).unwrap();
        assert!(drawing.width < 1100.0 && drawing.marks.len() < 20, "{} marks", drawing.marks.len());
        assert!(confusion(&[], &Confusion::new(0), Cells::Counts).is_err());
        assert!(confusion(&names[..1], &Confusion::new(2), Cells::Counts).is_err());
    }
}
