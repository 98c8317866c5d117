//! What people see: lines, tables, progress.

pub mod live;
mod profile;
mod progress;
pub mod quantity;
mod table;

use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use lookalike::{Error, Result};
use serde_json::Value;

pub use lookalike::report::percent;
pub use profile::profile_table;
pub use progress::{Progress, clock};
pub use table::{confusion, person_table, shortened};

/// Whether standard output is for JSON lines only.
static JSON_LINES: AtomicBool = AtomicBool::new(false);

/// Leaves standard output to [`json_line`] for the rest of the run: all that is said goes to standard error.
pub fn only_json_lines() {
    JSON_LINES.store(true, Ordering::Relaxed);
}

/// Whether standard output is for JSON lines only.
pub fn are_only_json_lines() -> bool {
    JSON_LINES.load(Ordering::Relaxed)
}

/// Prints an event as one line of JSON.
pub fn json_line(event: &str, mut value: Value) {
    value["event"] = event.into();
    let _ = writeln!(std::io::stdout(), "{value}");
}

/// Prints a line of the result. A reader who has gone away, as `head` does, ends no work.
pub fn say(line: impl Display) {
    if are_only_json_lines() {
        return note(line);
    }
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a message, a warning or progress, apart from the result.
pub fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// So many of them: `1 face`, `2 faces`.
pub fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

/// Prints the one JSON document of a `--json` run.
pub fn json(document: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{document:#}").and_then(|()| out.flush());
    written.map_err(|source| Error::io("standard output", source, "nobody has read the whole result"))
}
