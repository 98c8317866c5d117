//! The page: one file that asks nothing of a network.

mod answer;
mod confidence;
mod learned;
mod looks;
mod mistakes;
mod people;
mod run;

use std::fmt::Write;

use super::drawing::Drawing;
use super::html::{escaped, name};
use super::svg;
use super::{Cells, Curve, Distances, Roc, confusion, has_numbers, reliability, roc};
use crate::Result;
use crate::models::{Confusion, Summary};
use crate::vision::sheet::{Row, contact_sheet};
use crate::vision::{RgbImage, crop_resize, encode_jpeg, encode_png};

pub use looks::Look;
pub use mistakes::surest_mistakes;

const STYLE: &str = include_str!("page.css");
/// What a page may do: show its own style and the pictures that it holds.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";
/// Name of the page among the files.
pub const PAGE: &str = "report.html";
/// Rows up to which a table is open from the start.
const SHORT: usize = 24;
/// Drawings wider than this have a row of the page for themselves.
const WIDE: f64 = 520.0;

/// Everything that a report tells.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it is about, as the model's name.
    pub title: String,
    /// What was done, in one line.
    pub subtitle: String,
    /// The numbers that a reader wants first: people, photos, groups.
    pub facts: Vec<(String, String)>,
    /// Answers to faces whose people are known; none where there was none to try the model on.
    pub tried: Option<Tried>,
    /// How the network learned, where that is known and took more than one epoch.
    pub learning: Option<Learning>,
    /// What random changes made of some pictures, a row for each.
    pub samples: Vec<Row>,
    /// How the photos were split, where that is known.
    pub split: Option<String>,
    /// The network.
    pub network: Summary,
    /// Names and values of the settings.
    pub settings: Vec<(String, String)>,
    /// Versions, adapter, duration.
    pub run: Vec<(String, String)>,
    /// The command that repeats the run.
    pub command: String,
}

/// Answers to faces whose people are known.
#[derive(Clone, Debug)]
pub struct Tried {
    /// What their accuracy is called.
    pub accuracy: String,
    /// Whether it says little about new photos, and why.
    pub warning: Option<String>,
    /// The people.
    pub names: Vec<String>,
    /// Who is on each picture.
    pub truths: Vec<usize>,
    /// For each picture the probability of each person, as the model states it.
    pub rows: Vec<Vec<f32>>,
    /// Which pictures the model takes for those of strangers; empty where it knows of none.
    pub unknown: Vec<bool>,
    /// What else there is to say of them, line by line.
    pub notes: Vec<String>,
    /// The [surest mistakes](surest_mistakes), as far as they are shown.
    pub mistakes: Vec<Thumbnail>,
    /// What on some of the faces speaks for the answer.
    pub looks: Vec<Look>,
    /// How far the faces are from the nearest person, beside those of strangers.
    pub strangers: Option<Distances>,
    /// Photos that could not be used, each with its reason.
    pub skipped: Vec<(String, String)>,
}

/// A face that was given a wrong name.
#[derive(Clone, Debug)]
pub struct Thumbnail {
    /// Which of the answers it is.
    pub answer: usize,
    /// The face.
    pub picture: RgbImage,
    /// The photo it was cut from.
    pub source: String,
}

/// How a network learned.
#[derive(Clone, Debug)]
pub struct Learning {
    /// The quantities that were observed.
    pub curves: Vec<Curve>,
    /// The best epoch, counted from 1.
    pub best_epoch: usize,
}

/// A part of the page with a heading.
struct Section {
    title: &'static str,
    html: String,
}

impl Tried {
    fn confusion(&self) -> Confusion {
        let mut confusion = Confusion::new(self.names.len());
        for (row, &truth) in self.rows.iter().zip(&self.truths) {
            confusion.add(truth, most_probable(row));
        }
        confusion
    }

    /// Counts and shares; one matrix where it has no room for either.
    fn matrices(&self) -> Result<Vec<Drawing>> {
        let confused = self.confusion();
        let cells =
            [Cells::Counts, Cells::Shares].into_iter().take(1 + usize::from(has_numbers(self.names.len())));
        cells.map(|cells| confusion(&self.names, &confused, cells)).collect()
    }

    fn roc(&self) -> Option<Drawing> {
        let people = (0..self.names.len()).map(|person| Roc::of_person(&self.rows, &self.truths, person));
        Some(roc(&Roc::of_all(&self.rows, &self.truths)?, &people.collect::<Vec<_>>()))
    }

    fn reliability(&self) -> Drawing {
        reliability(&self.rows, &self.truths)
    }
}

impl Learning {
    fn draw(&self) -> Result<Vec<Drawing>> {
        self.curves.iter().map(|curve| curve.draw(self.best_epoch)).collect()
    }
}

/// The person of the largest probability.
pub fn most_probable(row: &[f32]) -> usize {
    let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(person, _)| person)
}

impl Report {
    /// The files of the report by their names: the page, which holds everything, and its pictures.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) if a picture is too large to be drawn.
    pub fn files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let mut files = vec![(PAGE.to_string(), self.page()?.into_bytes())];
        for (name, drawing) in self.drawings()? {
            files.push((format!("{name}.svg"), drawing.svg().into_bytes()));
            files.push((format!("{name}.png"), encode_png(&drawing.image()?)?));
        }
        if !self.samples.is_empty() {
            files.push(("changes.png".into(), encode_png(&contact_sheet(&self.samples))?));
        }
        Ok(files)
    }

    fn drawings(&self) -> Result<Vec<(&'static str, Drawing)>> {
        let mut drawings = Vec::new();
        if let Some(learning) = &self.learning {
            drawings.push(("curves", Drawing::beside(&learning.draw()?)));
        }
        if let Some(tried) = &self.tried {
            drawings.push(("confusion", Drawing::beside(&tried.matrices()?)));
            drawings.extend(tried.roc().map(|roc| ("roc", roc)));
            drawings.push(("reliability", tried.reliability()));
            drawings.extend(tried.strangers.as_ref().map(|distances| ("strangers", distances.draw())));
        }
        Ok(drawings)
    }

    /// The page.
    fn page(&self) -> Result<String> {
        let sections = [
            mistakes::section(self)?,
            looks::section(self)?,
            people::section(self),
            people::matrices(self)?,
            confidence::section(self),
            learned::curves(self)?,
            learned::samples(self)?,
            learned::split(self),
            learned::network(self),
            run::settings(self),
            run::section(self),
        ];
        let mut body = answer::header(self);
        for Section { title, html } in sections.into_iter().flatten() {
            let _ = writeln!(body, "<section>\n<h2>{title}</h2>\n{html}</section>");
        }
        Ok(format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{}</title>\n<style>\n{}{STYLE}</style>\n\
             </head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
            escaped(&format!("{} · Lookalike", self.title)),
            svg::STYLE
        ))
    }
}

/// Drawings beside each other, one below the other where the page is narrow or they are wide.
fn figures(drawings: &[Drawing]) -> String {
    let wide = if drawings.iter().any(|drawing| drawing.width > WIDE) { " wide" } else { "" };
    let figure = |drawing: &Drawing| format!("<figure class=\"scroll\">\n{}</figure>\n", drawing.inline());
    format!("<div class=\"figures{wide}\">\n{}</div>\n", drawings.iter().map(figure).collect::<String>())
}

/// A table in a box of its own, which scrolls where the page is too narrow; what is in the cells is HTML.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |row: &[String]| {
        let (first, others) = row.split_first().expect("a table has a column");
        let others: String = others.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        format!("<tr><th scope=\"row\">{first}</th>{others}</tr>\n")
    };
    let head: String = head.iter().map(|cell| format!("<th scope=\"col\">{cell}</th>")).collect();
    let rows: String = rows.iter().map(|row| cells(row)).collect();
    format!(
        "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n"
    )
}

/// What many readers will not need, behind a line that opens it; open from the start where it is short.
fn folded(summary: &str, rows: usize, html: &str) -> String {
    let open = if rows <= SHORT { " open=\"\"" } else { "" };
    format!("<details{open}><summary>{summary}</summary>\n{html}</details>\n")
}

/// Names and what they stand for, as a table of two columns.
fn pairs(pairs: &[(String, String)]) -> String {
    let row = |(name, value): &(String, String)| {
        format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(name), escaped(value))
    };
    format!("<dl class=\"pairs\">\n{}</dl>\n", pairs.iter().map(row).collect::<String>())
}

fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escaped(text))
}

/// A small picture that the page holds.
fn image(picture: &RgbImage, side: usize, alt: &str) -> Result<String> {
    let small = crop_resize(picture, picture.bounds(), side, side);
    let address = super::html::data_uri(&encode_jpeg(&small)?);
    Ok(format!("<img src=\"{address}\" width=\"{0}\" height=\"{0}\" alt=\"{1}\"/>", side / 2, escaped(alt)))
}

#[cfg(test)]
mod tests;
