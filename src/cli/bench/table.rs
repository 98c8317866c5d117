//! What was measured, as text.

use std::fmt::Write;

use lookalike::check::bench::{Bench, Group, Measured, Roof, Whole};

use crate::cli::display::percent;
use crate::cli::display::quantity::{bytes, flops, rate, seconds};

/// Share of a group's time below which an operator is only counted.
pub const NOTABLE: f64 = 0.005;

/// Facts, operators, networks.
pub fn table(bench: &Bench, all: bool) -> String {
    let mut text = format!("{}\n", bench.facts().join("\n"));
    bench.groups.iter().for_each(|group| add_group(&mut text, group, &bench.roof(), all));
    if !bench.wholes.is_empty() {
        add_networks(&mut text, &bench.wholes, &bench.roof());
    }
    super::variants::add_text(&mut text, bench);
    text.trim_end().to_string()
}

/// The operators of a group that take a notable share of its time, with that share, and how many others there are.
pub fn notable(group: &Group, all: bool) -> (Vec<(&Measured, f64)>, usize) {
    let total: f64 = group.rows.iter().map(Measured::median).sum();
    let shares = group.rows.iter().map(|row| (row, row.median() / total.max(f64::MIN_POSITIVE)));
    let shown: Vec<_> = shares.filter(|(_, share)| all || *share >= NOTABLE).collect();
    let others = group.rows.len() - shown.len();
    (shown, others)
}

/// The shapes of the first two inputs, which tell most.
pub fn shapes(row: &Measured) -> String {
    short(&row.inputs)
}

/// The same of a list of types.
pub fn short(inputs: &str) -> String {
    let shapes = inputs.split_inclusive(']').map(|input| input.trim_start_matches([',', ' ']));
    let shapes: Vec<String> =
        shapes.take(2).map(|input| input.trim_start_matches("f32 ").replace(", ", "×")).collect();
    shapes.join(" ")
}

fn add_group(text: &mut String, group: &Group, roof: &Roof, all: bool) {
    let total: f64 = group.rows.iter().map(Measured::median).sum();
    let _ = writeln!(text, "\n{}: {} in {} operators", group.title, seconds(total), group.rows.len());
    let _ = writeln!(
        text,
        "{:>9} {:>7} {:>9} {:>9} {:>7} {:<7}  operator",
        "time", "share", "FLOP/s", "bytes/s", "of roof", "bound"
    );
    let (rows, others) = notable(group, all);
    for (row, share) in rows {
        let point = row.point();
        let _ = writeln!(
            text,
            "{:>9} {:>7} {:>9} {:>9} {:>7} {:<7}  {}  {}",
            seconds(point.seconds),
            percent(share),
            rate(row.flops, point.seconds, flops),
            rate(row.bytes, point.seconds, bytes),
            of_roof(roof.share(&point)),
            roof.bound(&point),
            row.name(),
            shapes(row),
        );
    }
    if others > 0 {
        let _ = writeln!(text, "{others} others take under {} each (--all)", percent(NOTABLE));
    }
}

/// A share of the roof, a dash where the clock saw no time pass.
pub fn of_roof(share: f64) -> String {
    if share.is_finite() { format!("{:.0} %", 100.0 * share) } else { "-".into() }
}

fn add_networks(text: &mut String, wholes: &[Whole], roof: &Roof) {
    let width = wholes.iter().map(|whole| whole.title.chars().count()).max().unwrap_or(0).max(7);
    let _ = writeln!(
        text,
        "\n{:<width$} {:>9} {:>10} {:>9} {:>7} {:>9} {:>9} {:>9}",
        "network", "time", "pictures/s", "FLOP/s", "of roof", "bytes", "least", "ratio"
    );
    for whole in wholes {
        let (traffic, time) = (whole.traffic, whole.median());
        let _ = writeln!(
            text,
            "{:<width$} {:>9} {:>10.1} {:>9} {:>7} {:>9} {:>9} {:>9.2}",
            whole.title,
            seconds(time),
            whole.pictures_per_second(),
            rate(whole.flops, time, flops),
            of_roof(roof.share(&whole.point())),
            bytes(traffic.moved as f64),
            bytes(traffic.least as f64),
            traffic.moved as f64 / traffic.least.max(1) as f64,
        );
    }
    let _ = writeln!(
        text,
        "bytes: what the operators move; least: inputs, states and outputs once, all else staying on the chip"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_short() {
        let row = |inputs: &str| Measured { inputs: inputs.into(), ..Measured::default() };
        assert_eq!(
            shapes(&row("f32 [16, 224, 224, 3], f32 [3, 3, 3, 16], f32 [16]")),
            "[16×224×224×3] [3×3×3×16]"
        );
        assert_eq!(shapes(&row("u8 [2, 3]")), "u8 [2×3]");
        assert_eq!(shapes(&row("")), "");
    }
}
