//! A rival in a process of its own, which runs one step when told to.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A step's duration in seconds, and what it found: a number to compare, such as the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub seconds: f64,
    pub value: f64,
}

/// A program that reads lines, runs a step for each and answers with a line: its seconds and its value. Ends with
/// this handle.
#[derive(Debug)]
pub struct Rival {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Rival {
    /// Starts the program and waits for nothing. What it complains about is not shown.
    ///
    /// # Errors
    /// If there is no such program.
    pub fn start(command: &mut Command) -> io::Result<Rival> {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = pipes.spawn()?;
        let orders = process.stdin.take().expect("standard input is a pipe");
        let answers = BufReader::new(process.stdout.take().expect("standard output is a pipe"));
        Ok(Rival { process, orders, answers })
    }

    /// Has it run a step.
    ///
    /// # Errors
    /// If it has ended, or answers something else.
    pub fn step(&mut self) -> io::Result<Step> {
        writeln!(self.orders)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let mut numbers = answer.split_whitespace().map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(seconds)), Some(Ok(value)), None) => Ok(Step { seconds, value }),
            _ => Err(io::Error::other(format!("expected seconds and a value, it answered {answer:?}"))),
        }
    }

    /// The other side: answers each line of standard input with a step.
    ///
    /// # Errors
    /// The first of `step`, or of the pipes.
    pub fn serve<E: From<io::Error>>(mut step: impl FnMut() -> Result<Step, E>) -> Result<(), E> {
        for line in io::stdin().lock().lines() {
            line?;
            let Step { seconds, value } = step()?;
            println!("{seconds:.6} {value:.6}");
        }
        Ok(())
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // It may have ended by itself, which is as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
