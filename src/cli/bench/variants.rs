//! Kernel variants side by side, as text and on the page.

use std::fmt::Write;

use lookalike::check::bench::{Bench, Contest, Roof, Variant};
use lookalike::report::escaped;

use super::page::add_table;
use super::table::{of_roof, short};
use crate::cli::display::quantity::{bytes, flops, rate, seconds};

/// Why a rate can be higher than the ceiling.
pub const EFFECTIVE: &str = "FLOP/s count the operations of the plain product; Winograd's method needs fewer of them, so it \
                             may come out above the ceiling";

/// Work, shapes, layers: `vgg16, prediction, 4 pictures: conv2d [4×224×224×3] [3×3×3×64], block1_conv1`.
fn title(contest: &Contest) -> String {
    let layers = contest.layer();
    let comma = if layers.is_empty() { "" } else { ", " };
    format!("{}: {} {}{comma}{layers}", contest.title, contest.operator, short(&contest.inputs))
}

/// What there is to say of a variant.
fn marks(variant: &Variant, place: usize) -> String {
    let marks = [("fastest", place == 0), ("table", variant.by_table), ("tuned", variant.by_tuning)];
    marks.iter().filter(|(_, holds)| *holds).map(|(mark, _)| *mark).collect::<Vec<_>>().join(", ")
}

/// What Winograd's method gains, where it is one of the ways.
fn gain(contest: &Contest) -> Option<String> {
    let (winograd, other, gain) = contest.winograd()?;
    Some(format!("{} takes {:.2} times as long as {}", other.name, gain, winograd.name))
}

/// A variant's name, time, rates and marks.
fn cells(contest: &Contest, roof: &Roof) -> Vec<[String; 7]> {
    let cells = |(place, variant): (usize, &Variant)| {
        let (row, point) = (&variant.row, variant.row.point());
        [
            variant.name.to_string(),
            seconds(point.seconds),
            rate(row.flops, point.seconds, flops),
            rate(row.bytes, point.seconds, bytes),
            of_roof(roof.share(&point)),
            roof.bound(&point).to_string(),
            marks(variant, place),
        ]
    };
    contest.variants.iter().enumerate().map(cells).collect()
}

/// Adds all to a text.
pub fn add_text(text: &mut String, bench: &Bench) {
    for contest in &bench.contests {
        let _ = writeln!(text, "\n{}", title(contest));
        let _ = writeln!(
            text,
            "{:>9} {:>9} {:>9} {:>7} {:<7}  {:<10}",
            "time", "FLOP/s", "bytes/s", "of roof", "bound", "variant"
        );
        for [name, time, flops, bytes, share, bound, marks] in cells(contest, &bench.roof()) {
            let line = format!("{time:>9} {flops:>9} {bytes:>9} {share:>7} {bound:<7}  {name:<10}  {marks}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
        if let Some(gain) = gain(contest) {
            let _ = writeln!(text, "{gain}");
        }
        for (name, problem) in &contest.failed {
            let _ = writeln!(text, "{name} does not run: {problem}");
        }
    }
    if !bench.contests.is_empty() {
        let _ = writeln!(text, "{EFFECTIVE}");
        let _ = writeln!(text, "table: what is taken unless `--tune` has found a faster one: tuned");
    }
}

/// Adds all to a page.
pub fn add_html(body: &mut String, bench: &Bench) {
    let mut numbers = 1..;
    for contest in &bench.contests {
        let _ = writeln!(body, "<h2>{}</h2>", escaped(&title(contest)));
        let head = ["#", "variant", "", "time", "FLOP/s", "bytes/s", "of roof", "bound"];
        let rows = cells(contest, &bench.roof());
        let rows = rows.into_iter().map(|[name, time, flops, bytes, share, bound, marks]| {
            let number = numbers.next().unwrap_or_default().to_string();
            [number, name, marks, time, flops, bytes, share, bound]
        });
        add_table(body, "operators", head, rows);
        if let Some(gain) = gain(contest) {
            let _ = writeln!(body, "<p>{gain}</p>");
        }
        for (name, problem) in &contest.failed {
            let _ = writeln!(body, "<p>{name} does not run: {}</p>", escaped(problem));
        }
    }
    if !bench.contests.is_empty() {
        *body += "<p>table: what is taken unless <code>--tune</code> has found a faster one: tuned.</p>\n";
    }
}
