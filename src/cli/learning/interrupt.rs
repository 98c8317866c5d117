//! Ctrl-C, and being asked to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use lookalike::{Error, Result};

use crate::cli::display::{live, note};

/// A flag that Ctrl-C sets, or the signal to end, the same for every run; a second one ends the program at once.
pub fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(stop) = STOP.get() {
        return Ok(stop.clone());
    }
    let stop = STOP.get_or_init(Arc::default).clone();
    let flag = stop.clone();
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            live::restore();
            std::process::exit(130);
        }
        // The live display shows by itself that the run is about to stop.
        if !live::is_on() {
            note("stopping after this step, to keep the best model; press Ctrl-C again to end at once");
        }
    };
    ctrlc::set_handler(handler).map_err(|e| Error::Training(format!("Ctrl-C cannot be caught: {e}")))?;
    Ok(stop)
}
