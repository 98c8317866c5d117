//! The program `lookalike`: parses, runs, prints the error, gives the exit code.

mod cli;

use std::panic;
use std::process::ExitCode;

use clap::Parser;
use lookalike::decoding;

/// 0: done. 1: the work failed. 2, from the parser: wrong usage.
fn main() -> ExitCode {
    // Where a decoder panics, its photo is listed with a reason; the report of a crash would only frighten.
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !decoding() {
            report(info);
        }
    }));
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let message = error.to_string();
            let one_line: Vec<&str> = message.split_whitespace().collect();
            cli::display::note(format_args!("error: {}", one_line.join(" ")));
            ExitCode::FAILURE
        }
    }
}
