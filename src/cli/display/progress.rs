//! How far a long step is, and how fast: a bar on a terminal, elsewhere a plain line now and then.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::note;

/// Time between plain lines.
const PAUSE: Duration = Duration::from_secs(5);

/// Progress of one step, on standard error. Any thread may report.
pub struct Progress {
    what: &'static str,
    unit: &'static str,
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    /// The last line that was printed.
    Lines(Mutex<Line>),
}

/// When a line was printed, and how much was done then.
struct Line {
    at: Instant,
    done: usize,
}

impl Progress {
    /// Progress of `what`, as "finding faces", in `unit`s, as "photos". `plain` asks for lines on a terminal too.
    pub fn new(what: &'static str, unit: &'static str, plain: bool) -> Progress {
        if plain || !std::io::stderr().is_terminal() {
            let start = Line { at: Instant::now(), done: 0 };
            return Progress { what, unit, shown: Shown::Lines(Mutex::new(start)) };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg}  {bar:32}  {pos} of {len}, {speed}, {eta} left");
        let speed = move |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{:.1} {unit}/s", state.per_sec());
        };
        bar.set_style(style.expect("the template is well formed").with_key("speed", speed));
        bar.set_message(what);
        Progress { what, unit, shown: Shown::Bar(bar) }
    }

    /// `done` of `all` are done.
    pub fn report(&self, done: usize, all: usize) {
        match &self.shown {
            Shown::Bar(bar) => {
                bar.set_length(all as u64);
                // Threads report out of order; the bar only moves forward.
                bar.set_position(bar.position().max(done as u64));
            }
            Shown::Lines(last) => {
                let mut last = last.lock().expect("no thread panics while it prints");
                let elapsed = last.at.elapsed();
                if elapsed >= PAUSE && done > last.done {
                    note(self.line(done, all, (done - last.done) as f64 / elapsed.as_secs_f64()));
                    *last = Line { at: Instant::now(), done };
                }
            }
        }
    }

    /// A plain line. The speed is that since the last line: photos that an earlier run had finished fly by.
    fn line(&self, done: usize, all: usize, speed: f64) -> String {
        let Progress { what, unit, .. } = self;
        let left = ((all - done) as f64 / speed).round() as u64;
        format!("{what}: {done} of {all}, {speed:.1} {unit}/s, {} left", clock(left))
    }
}

/// Seconds as `4 s`, `3:20 min` or `2:05 h`.
pub fn clock(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        _ => format!("{}:{:02} h", seconds / 3600, seconds / 60 % 60),
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_speed_and_time_left() {
        let line = |done, speed| Progress::new("finding faces", "photos", true).line(done, 1000, speed);
        assert_eq!(line(400, 3.0), "finding faces: 400 of 1000, 3.0 photos/s, 3:20 min left");
        assert_eq!(line(995, 1.24), "finding faces: 995 of 1000, 1.2 photos/s, 4 s left");
        assert_eq!(clock(7545), "2:05 h");
    }
}
