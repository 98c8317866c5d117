//! What each operator took, as a table.

use std::fmt::Write;

use lookalike::profile::{Clock, Spent};

use super::percent;
use super::quantity::{bytes, flops, rate, seconds};

/// Share of the time below which operators are only counted.
const NOTABLE: f64 = 0.002;

/// A row for each operator of each layer, the longest first; `wall` seconds have passed in all.
pub fn profile_table(spent: &[Spent], clock: Clock, wall: f64) -> String {
    let total: f64 = spent.iter().map(|row| row.seconds).sum();
    let mut table = format!("\nprofile, by {clock}\n");
    let head = ["time", "share", "runs", "bytes", "bytes/s", "FLOPs", "FLOP/s"];
    let _ = writeln!(
        table,
        "{:>9} {:>7} {:>6} {:>9} {:>10} {:>9} {:>9}  operator",
        head[0], head[1], head[2], head[3], head[4], head[5], head[6]
    );
    let mut line = |row: &Spent, name: &str| {
        let _ = writeln!(
            table,
            "{:>9} {:>7} {:>6} {:>9} {:>10} {:>9} {:>9}  {name}",
            seconds(row.seconds),
            percent(row.seconds / total.max(f64::MIN_POSITIVE)),
            row.dispatches,
            bytes(row.bytes as f64),
            rate(row.bytes, row.seconds, bytes),
            flops(row.flops as f64),
            rate(row.flops, row.seconds, flops),
        );
    };
    let (notable, small): (Vec<&Spent>, Vec<&Spent>) =
        spent.iter().partition(|row| row.seconds >= NOTABLE * total);
    notable.iter().for_each(|row| line(row, &row.name()));
    if !small.is_empty() {
        line(&sum(small.iter().copied()), &format!("{} others", small.len()));
    }
    line(&sum(spent.iter()), "all");
    let _ = write!(
        table,
        "operators took {} of the {} since the device was opened; those that ran at the same time count in full",
        seconds(total),
        seconds(wall)
    );
    table
}

fn sum<'a>(rows: impl Iterator<Item = &'a Spent>) -> Spent {
    rows.fold(Spent::default(), |mut sum, row| {
        sum.dispatches += row.dispatches;
        sum.seconds += row.seconds;
        sum.flops += row.flops;
        sum.bytes += row.bytes;
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_operators_are_one_row() {
        let row = |layer: &str, seconds| Spent {
            layer: layer.into(),
            operator: "conv2d",
            kernels: vec!["conv2d/forward".into()],
            dispatches: 3,
            seconds,
            flops: 2_000_000_000,
            bytes: 5_000_000,
        };
        let table =
            profile_table(&[row("conv1", 1.0), row("a", 1e-4), row("b", 1e-5)], Clock::QueueWaits, 2.0);
        for part in ["no timestamps", "conv1 · conv2d/forward\n", "2 others\n", "all\n", "1.00 s", "2.00 G"]
        {
            assert!(table.contains(part), "'{part}' in\n{table}");
        }
        assert!(!table.contains("a · conv2d"));
        assert!(profile_table(&[], Clock::Host, 0.0).contains("all"), "nothing ran");
    }
}
