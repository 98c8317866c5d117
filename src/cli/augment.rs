//! `lookalike augment`: what training sees of faces.

use std::path::PathBuf;

use clap::Args;
use lookalike::data::{Changer, Dataset, expand};
use lookalike::formats::atomic::check_writable;
use lookalike::ops::Augment;
use lookalike::vision::RgbImage;
use lookalike::vision::sheet::{Row, Tile, contact_sheet};
use lookalike::{Device, Error, Result};

use super::changes::{Changes, note_unknown_faces};
use super::device::RunArguments;
use super::display::say;
use super::number::{at_least_one, whole};
use super::output;

/// Show the faces as training sees them, or write them
///
/// A sheet has a row for each picture: the picture itself, then how it looks in epoch 1, 2, 3 and so on. A file gets each
/// picture, followed by its copies.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:
  lookalike augment faces.npz -n 8 -o sheet.png
  lookalike augment faces.npz -n 4 --masks 0.3 -o larger.npz",
    allow_negative_numbers = true
)]
pub struct Arguments {
    /// File that `lookalike crop` wrote
    faces: PathBuf,
    /// Changed copies of each picture
    #[arg(short = 'n', long, value_name = "N", default_value_t = 8, value_parser = |t: &str| whole(t, 1u32, 1000))]
    copies: u32,
    /// Sheet (.png) or file of faces (.npz) to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Pictures on a sheet, taken evenly from the file
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_least_one)]
    rows: usize,
    /// Seed of the changes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u32,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    run: RunArguments,
}

/// Reads, changes, writes.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { faces, copies, output, rows, seed, .. } = arguments;
    let ending = output.extension().map(|ending| ending.to_ascii_lowercase()).unwrap_or_default();
    let is_sheet = match ending.to_str() {
        Some("png") => true,
        Some("npz") => false,
        _ => {
            let problem =
                format!("{}: is neither .png, for a sheet, nor .npz, for a file of faces", output.display());
            return Err(Error::Input(problem));
        }
    };
    let device = arguments.run.open(false)?;
    check_writable(output)?;
    let dataset = Dataset::load(faces, 1)?;
    let augment = arguments.changes.augment(*seed);
    note_unknown_faces(&dataset, augment);
    if is_sheet {
        let shown = spread(dataset.len(), *rows);
        let rows = changed(&dataset, &shown, *copies, augment, &device)?;
        output::write_png(output, &contact_sheet(&rows))?;
        say(format_args!("{}: {} faces, {copies} changes of each", output.display(), shown.len()));
    } else {
        let expanded = expand(&dataset, *copies, augment, &device)?;
        expanded.save(output)?;
        say(format_args!(
            "{}: {} pictures, each of {} faces with {copies} copies",
            output.display(),
            expanded.len(),
            dataset.len()
        ));
    }
    Ok(())
}

/// Up to `most` of `count` indices, evenly apart.
pub fn spread(count: usize, most: usize) -> Vec<usize> {
    let shown = most.min(count);
    (0..shown).map(|row| row * count / shown).collect()
}

/// A row for each of these pictures of the dataset: the picture itself, and how it looks in the first `epochs`.
pub fn changed(
    dataset: &Dataset,
    shown: &[usize],
    epochs: u32,
    augment: Augment,
    device: &Device,
) -> Result<Vec<Row>> {
    let size = dataset.size;
    let mut changer = Changer::new(device, size, augment)?;
    let tile = |pixels: &[u8], caption: String| {
        Ok(Tile { picture: RgbImage::new(size, size, pixels.to_vec())?, caption, marked: false })
    };
    let mut rows = Vec::new();
    for &at in shown {
        rows.push(Row {
            title: dataset.sources[at].clone(),
            note: dataset.names[dataset.labels[at]].clone(),
            tiles: vec![tile(dataset.image(at), "original".into())?],
        });
    }
    for epoch in 1..=epochs {
        let changed = changer.change(dataset, shown, epoch)?;
        for (row, pixels) in rows.iter_mut().zip(changed.chunks_exact(size * size * 3)) {
            row.tiles.push(tile(pixels, format!("epoch {epoch}"))?);
        }
    }
    Ok(rows)
}
