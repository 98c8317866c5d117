//! Who watches a run, and can end it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lookalike::Result;
use lookalike::train::Event;

use super::interrupt::stop_on_interrupt;
use crate::cli::display::note;

/// Who watches a run, and can end it.
pub struct Watch<'a> {
    /// Ends the run after the current step where somebody sets it.
    pub stop: Arc<AtomicBool>,
    /// Lines in place of the live display and of progress bars.
    pub plain: bool,
    /// Sees what happens, beside the terminal.
    pub witness: Option<&'a dyn Fn(&Event<'_>)>,
}

impl Watch<'static> {
    /// Somebody before a terminal, who ends it with Ctrl-C.
    ///
    /// # Errors
    /// [`Error::Training`](lookalike::Error::Training) if Ctrl-C cannot be caught.
    pub fn terminal(plain: bool) -> Result<Watch<'static>> {
        Ok(Watch { stop: stop_on_interrupt()?, plain, witness: None })
    }
}

impl Watch<'_> {
    /// What is done with a model that is trained already: none where the run was ended before that is done. Who has enough gets
    /// the model as it is; `what` would have been next, for the note.
    ///
    /// # Errors
    /// That of `work`, if nobody has ended the run.
    pub fn unless_stopped<T>(&self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
        let stopped = || self.stop.load(Ordering::Relaxed);
        let done = match stopped() {
            true => None,
            false => match work() {
                Err(_) if stopped() => None,
                done => Some(done?),
            },
        };
        if done.is_none() {
            note(format_args!("stopped before {what}; the model is kept without that"));
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use lookalike::Error;

    use super::*;

    #[test]
    fn whoever_has_enough_keeps_the_model() {
        let watch = Watch { stop: Arc::default(), plain: true, witness: None };
        let broken = || Err::<(), _>(Error::Training("it was interrupted".into()));
        assert_eq!(watch.unless_stopped("more", || Ok(7)).unwrap(), Some(7));
        assert!(watch.unless_stopped("more", broken).is_err(), "nobody has stopped it");
        let interrupted = watch.unless_stopped("more", || {
            watch.stop.store(true, Ordering::Relaxed);
            broken()
        });
        assert_eq!(interrupted.unwrap(), None);
        assert_eq!(
            watch.unless_stopped("more", || -> Result<()> { panic!("it is not begun") }).unwrap(),
            None
        );
    }
}
