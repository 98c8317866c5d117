//! A rival in a process of its own, which runs one step when told to.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

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
    /// Lines, which a thread reads: nobody can stop waiting for a pipe.
    answers: Receiver<io::Result<String>>,
    limit: Duration,
    /// What it complains about.
    complaints: File,
}

impl Rival {
    /// Starts the program and waits for nothing. What it complains about last is part of an error. A step may take as long as `limit`.
    ///
    /// # Errors
    /// If there is no such program.
    pub fn start(command: &mut Command, limit: Duration) -> io::Result<Rival> {
        // Not a pipe, which would have to be emptied all the time.
        let complaints = tempfile::tempfile()?;
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(complaints.try_clone()?);
        let mut process = pipes.spawn()?;
        let orders = process.stdin.take().expect("standard input is a pipe");
        let output = BufReader::new(process.stdout.take().expect("standard output is a pipe"));
        let (sender, answers) = channel();
        // It ends with the process, whose end of the pipe closes then.
        thread::spawn(move || output.lines().try_for_each(|line| sender.send(line)));
        Ok(Rival { process, orders, answers, limit, complaints })
    }

    /// Has it run a step.
    ///
    /// # Errors
    /// If it has ended, does not finish in time, or answers something else.
    pub fn step(&mut self) -> io::Result<Step> {
        writeln!(self.orders)?;
        let answer = match self.answers.recv_timeout(self.limit) {
            Ok(line) => line?,
            Err(RecvTimeoutError::Timeout) => {
                let problem = format!("did not finish a step in {} s", self.limit.as_secs_f64());
                return Err(io::Error::new(io::ErrorKind::TimedOut, problem));
            }
            Err(RecvTimeoutError::Disconnected) => {
                let (end, complaint) = (self.process.wait()?, self.last_complaint()?);
                return Err(io::Error::other(format!("ended without an answer, {end}: {complaint}")));
            }
        };
        let mut numbers = answer.split_whitespace().map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(seconds)), Some(Ok(value)), None) => Ok(Step { seconds, value }),
            _ => Err(io::Error::other(format!("expected seconds and a value, it answered {answer:?}"))),
        }
    }

    /// Where a program crashes, this says why, or where.
    fn last_complaint(&mut self) -> io::Result<String> {
        self.complaints.seek(SeekFrom::Start(0))?;
        let mut bytes = Vec::new();
        self.complaints.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no complaint").trim().to_owned())
    }

    /// The other side: answers each line of standard input with a step.
    ///
    /// # Errors
    /// The first of `step`, or of the pipes.
    pub fn serve<E: From<io::Error>>(mut step: impl FnMut() -> Result<Step, E>) -> Result<(), E> {
        for line in io::stdin().lock().lines() {
            line?;
            let Step { seconds, value } = step()?;
            println!("{seconds:.6} {value:.9}");
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Rival {
        Rival::start(Command::new("sh").args(["-c", script]), limit).unwrap()
    }

    #[test]
    fn a_rival_is_waited_for_until_its_limit() {
        let minute = Duration::from_secs(60);
        let mut good = shell("while read line; do echo 0.5 2; done", minute);
        let expected = Step { seconds: 0.5, value: 2.0 };
        assert_eq!([good.step().unwrap(), good.step().unwrap()], [expected; 2]);
        let slow = shell("read line; exec sleep 60", Duration::from_millis(50)).step().unwrap_err();
        assert!(slow.to_string().contains("did not finish a step in 0.05 s"), "{slow}");
        let ended =
            shell("read line; echo 'out of luck' >&2; exit 3", minute).step().unwrap_err().to_string();
        assert!(ended.contains("ended") && ended.contains('3') && ended.contains("out of luck"), "{ended}");
        let wrong = shell("read line; echo well", minute).step().unwrap_err();
        assert!(wrong.to_string().contains("well"), "{wrong}");
    }
}
