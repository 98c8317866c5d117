//! The program `lookalike`: parses, runs, prints the error, gives the exit code.

mod cli;

use std::process::ExitCode;

use clap::Parser;

/// 0: done. 1: the work failed. 2, from the parser: wrong usage.
fn main() -> ExitCode {
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
