//! What a run does about a device that is lost, or that has no room.

use super::fit::Event;
use super::options::FitOptions;
use crate::losses::Losses;
use crate::{Device, Error, Result};

/// How many pictures are on the device at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtATime {
    pub pictures: usize,
    /// The fewest that will do.
    pub least: usize,
    /// Words for what has them: `the device sees`.
    pub what: &'static str,
}

impl AtATime {
    /// So many of those that go through a network whose pictures know nothing of each other, or [fewer](FitOptions::micro_batch).
    pub fn each_alone(pictures: usize, options: &FitOptions) -> AtATime {
        let most = options.micro_batch.unwrap_or(usize::MAX).min(pictures).max(1);
        AtATime { pictures: most, least: 1, what: "the device sees" }
    }
}

/// Work on a device with some options, which tells what happens.
type Attempt<'a, T> = dyn FnMut(&FitOptions, &mut dyn FnMut(Event<'_>)) -> Result<T> + 'a;

/// What `attempt` gives with these options, once more after each loss of the device, and with half as many pictures at a time
/// wherever these have no room; what has been done is told as a [note](Event::Note). `at_a_time` knows how many of them options
/// allow; `losses` counts those of the device, and the attempt notes there how far it [got](Losses::got_to). Buffers that nobody
/// uses have been freed before room is said to be missing.
///
/// # Errors
/// Those about which nothing can be done.
pub(super) fn recovering<T>(
    device: &Device,
    options: &FitOptions,
    losses: &Losses,
    at_a_time: &dyn Fn(&FitOptions) -> Result<AtATime>,
    on_event: &mut dyn FnMut(Event<'_>),
    attempt: &mut Attempt<'_, T>,
) -> Result<T> {
    let mut options = options.clone();
    loop {
        let note = match attempt(&options, on_event) {
            Err(problem @ Error::OutOfMemory { .. }) => {
                let AtATime { pictures, least, what } = at_a_time(&options)?;
                let half = pictures / 2;
                if half < least {
                    return Err(problem);
                }
                options.micro_batch = Some(half);
                format!(
                    "{problem}: {what} {half} pictures at a time from now on instead of {pictures}; the model will not be the \
                     same bit by bit"
                )
            }
            Err(problem) => losses.after(problem, device)?,
            done => return done,
        };
        on_event(Event::Note(&note));
    }
}
