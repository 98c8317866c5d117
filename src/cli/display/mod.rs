//! What people see: lines, tables, progress.

mod profile;
mod progress;
pub mod quantity;
mod table;

use std::fmt::Display;
use std::io::Write;

use lookalike::{Error, Result};
use serde_json::Value;

pub use lookalike::report::percent;
pub use profile::profile_table;
pub use progress::{Progress, clock};
pub use table::{confusion, person_table, shortened};

/// Prints a line of the result. A reader who has gone away, as `head` does, ends no work.
pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a message, a warning or progress, apart from the result.
pub fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints the one JSON document of a `--json` run.
pub fn json(document: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{document:#}").and_then(|()| out.flush());
    written.map_err(|source| Error::io("standard output", source, "nobody has read the whole result"))
}
