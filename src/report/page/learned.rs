//! How the network came about: its epochs, what it saw, what it is.

use super::{Report, Section, figures, folded, image, paragraph, table};
use crate::Result;
use crate::graph::bytes;
use crate::models::summary::grouped;
use crate::report::html::escaped;

/// Side of a sample in pixels of its file, two for each of the page's.
const SIDE: usize = 176;

pub fn curves(report: &Report) -> Result<Option<Section>> {
    let Some(learning) = &report.learning else { return Ok(None) };
    let html = figures(&learning.draw()?);
    Ok(Some(Section { title: "How it learned", html }))
}

pub fn samples(report: &Report) -> Result<Option<Section>> {
    if report.samples.is_empty() {
        return Ok(None);
    }
    let mut html =
        "<p>Some of the pictures, each followed by what random changes make of it in the first epochs.</p>\n\
                    <div class=\"samples\">\n"
            .to_string();
    for row in &report.samples {
        html += "<div class=\"scroll strip\" tabindex=\"0\">";
        for tile in &row.tiles {
            let alt = format!("{}, {}", row.note, tile.caption);
            html += &format!(
                "<figure>{}<figcaption>{}</figcaption></figure>",
                image(&tile.picture, SIDE, &alt)?,
                escaped(&tile.caption)
            );
        }
        html += "</div>\n";
    }
    html += "</div>\n";
    Ok(Some(Section { title: "What training saw", html }))
}

pub fn split(report: &Report) -> Option<Section> {
    let html = paragraph(report.split.as_ref()?);
    Some(Section { title: "How the photos were split", html })
}

pub fn network(report: &Report) -> Option<Section> {
    let network = &report.network;
    let row = |row: &crate::models::summary::Row| {
        let shape: Vec<String> = row.output.iter().skip(1).map(usize::to_string).collect();
        let parameters = (row.trainable + row.fixed) as u64;
        vec![
            escaped(&row.layer),
            shape.join(" × "),
            grouped(parameters),
            grouped(row.trainable as u64),
            grouped(row.flops),
        ]
    };
    let rows: Vec<Vec<String>> = network.rows.iter().map(row).collect();
    let trained: usize = network.rows.iter().map(|row| row.trainable).sum();
    let parameters = network.parameters() as u64;
    let line = format!(
        "{}: {} parameters ({}), {} of them trained; {:.3} GFLOP to name one face.",
        network.name,
        grouped(parameters),
        bytes(parameters * 4),
        grouped(trained as u64),
        network.flops() as f64 / 1e9
    );
    let layers = table(&["layer", "output", "parameters", "trained", "FLOP"], &rows);
    let html = paragraph(&line) + &folded(&format!("{} layers", rows.len()), rows.len(), &layers);
    Some(Section { title: "The network", html })
}
