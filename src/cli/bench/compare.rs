//! `lookalike bench --compare`: what has become slower between two documents.

use std::fs;
use std::path::{Path, PathBuf};

use lookalike::check::bench::{Change, Comparison, compare};
use lookalike::{Error, Result};
use serde_json::{Value, json};

use crate::cli::display::quantity::seconds;
use crate::cli::display::{self, note, say};

/// Reports each row of both, and fails if one takes more than `threshold` longer.
pub fn run(paths: [&PathBuf; 2], threshold: f64, json: bool) -> Result<()> {
    let [before, after] = [read(paths[0])?, read(paths[1])?];
    let comparison =
        compare([&before, &after]).map_err(|(index, problem)| Error::format(paths[index], problem))?;
    if let Some([old, new]) = &comparison.differs {
        note(format_args!("not measured alike: {old}; {new}"));
    }
    match json {
        true => display::json(&document(&comparison, threshold))?,
        false => print(&comparison, paths, threshold),
    }
    match comparison.slower(threshold) {
        0 => Ok(()),
        slower => Err(Error::Input(format!(
            "{slower} of {} rows take over {:.1} % longer than before",
            comparison.changes.len(),
            100.0 * threshold
        ))),
    }
}

fn read(path: &Path) -> Result<Value> {
    let text = fs::read(path)
        .map_err(|source| Error::io(path, source, "give a file that `lookalike bench --json` printed"))?;
    serde_json::from_slice(&text).map_err(|problem| {
        Error::format(path, format!("is not JSON: {problem}; give what `lookalike bench --json` printed"))
    })
}

fn print(comparison: &Comparison, paths: [&PathBuf; 2], threshold: f64) {
    say(format_args!("{:>9} {:>9} {:>7}", "before", "after", "ratio"));
    for change in &comparison.changes {
        let [before, after] = change.seconds.map(seconds);
        let mark = if change.ratio() > 1.0 + threshold { "  slower" } else { "" };
        say(format_args!("{before:>9} {after:>9} {:>7.2}  {}{mark}", change.ratio(), change.name));
    }
    for (path, names) in paths.into_iter().zip(&comparison.only) {
        names.iter().for_each(|name| say(format_args!("only in {}: {name}", path.display())));
    }
}

fn document(comparison: &Comparison, threshold: f64) -> Value {
    let row = |change: &Change| {
        json!({
            "name": change.name,
            "before": change.seconds[0],
            "after": change.seconds[1],
            "ratio": change.ratio(),
            "slower": change.ratio() > 1.0 + threshold,
        })
    };
    json!({
        "alike": comparison.differs.is_none(),
        "threshold": threshold,
        "slower": comparison.slower(threshold),
        "rows": comparison.changes.iter().map(row).collect::<Vec<_>>(),
        "only_before": comparison.only[0],
        "only_after": comparison.only[1],
    })
}
