//! Who watches a run, and can end it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lookalike::Result;
use lookalike::train::Event;

use super::interrupt::stop_on_interrupt;

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
