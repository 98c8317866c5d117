//! The live display: a run's curves and progress on a terminal's whole screen, drawn by a thread of its own, so that training
//! never waits for it.

mod chart;
mod draw;
mod pace;
mod screen;
mod view;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lookalike::train::Event;

use screen::{Pressed, Screen};
use view::View;

pub use screen::{is_on, is_possible, restore};
pub use view::About;

/// Time between two pictures of the screen.
const PAUSE: Duration = Duration::from_millis(200);

/// The display of a run. When it is dropped, the terminal is as it was before.
pub struct Live {
    view: Arc<Mutex<View>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    start: Instant,
}

impl Live {
    /// Takes over the terminal. Whoever presses q or Ctrl-C sets `stop`; a second Ctrl-C ends the program.
    ///
    /// # Errors
    /// If the terminal cannot be drawn on.
    pub fn start(about: About, stop: Arc<AtomicBool>) -> io::Result<Live> {
        let screen = Screen::open()?;
        let view = Arc::new(Mutex::new(View::new(about)));
        let (ended, start) = (Arc::<AtomicBool>::default(), Instant::now());
        let thread = {
            let (view, ended) = (view.clone(), ended.clone());
            thread::Builder::new().name("display".into()).spawn(move || {
                // A terminal that has gone away ends the display, not the training.
                let _ = show(screen, &view, &ended, &stop, start);
            })?
        };
        Ok(Live { view, ended, thread: Some(thread), start })
    }

    /// Takes in what happened.
    pub fn event(&self, event: &Event<'_>) {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        view.event(event, self.start.elapsed().as_secs_f64());
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // If it has panicked, its message is on the screen by now.
            let _ = thread.join();
        }
    }
}

fn show(
    mut screen: Screen,
    view: &Mutex<View>,
    ended: &AtomicBool,
    stop: &AtomicBool,
    start: Instant,
) -> io::Result<()> {
    // Once somebody else has given the terminal back, such as a panic, what stands on it is not drawn over.
    while !ended.load(Ordering::Relaxed) && is_on() {
        // The lock is held as long as it takes to copy the view, not as long as it takes to draw it.
        let now = view.lock().unwrap_or_else(PoisonError::into_inner).clone();
        screen.draw(&now, stop.load(Ordering::Relaxed), start.elapsed().as_secs_f64())?;
        match screen.wait(PAUSE)? {
            Some(Pressed::Quit) => stop.store(true, Ordering::Relaxed),
            Some(Pressed::Interrupt) if stop.swap(true, Ordering::Relaxed) => {
                restore();
                std::process::exit(130);
            }
            Some(Pressed::Interrupt) | None => {}
        }
    }
    Ok(())
}
