//! How far a long step is: a bar on a terminal, elsewhere a plain line now and then.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::note;

/// Time between plain lines.
const PAUSE: Duration = Duration::from_secs(5);

/// Progress of one step, on standard error. Any thread may report.
pub struct Progress {
    what: &'static str,
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    /// When the last line was printed.
    Lines(Mutex<Instant>),
}

impl Progress {
    /// Progress of `what`, as "finding faces". `plain` asks for lines on a terminal too.
    pub fn new(what: &'static str, plain: bool) -> Progress {
        if plain || !std::io::stderr().is_terminal() {
            return Progress { what, shown: Shown::Lines(Mutex::new(Instant::now())) };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg}  {bar:32}  {pos} of {len}, {eta} left");
        bar.set_style(style.expect("the template is well formed"));
        bar.set_message(what);
        Progress { what, shown: Shown::Bar(bar) }
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
                if last.elapsed() >= PAUSE {
                    *last = Instant::now();
                    note(format_args!("{}: {done} of {all}", self.what));
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}
