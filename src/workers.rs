//! Many photos at once: threads that take them in order.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::Result;

/// How many photos are worked on at once: one more than there are cores, so that every core has a photo to decode
/// while another photo's faces are searched on the GPU.
pub fn usual() -> usize {
    rayon::current_num_threads() + 1
}

/// `work` of each index below `count`, in order, on `workers` threads. After the first error no more is begun.
///
/// These are threads of their own rather than rayon's: a detector waits for kernels that run on rayon's threads, and a
/// thread of rayon that waits begins other work meanwhile, here further photos, which would pile up in memory.
///
/// # Errors
/// One that `work` returned.
pub fn in_order<T: Send>(
    count: usize,
    workers: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let worker = || -> Result<Vec<(usize, T)>> {
        let _stop = TakeTheRest { next: &next, count };
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return Ok(done);
            }
            done.push((index, work(index)?));
        }
    };
    let mut done = Vec::with_capacity(count);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers.clamp(1, count.max(1))).map(|_| scope.spawn(worker)).collect();
        for thread in threads {
            done.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(())
    })?;
    done.sort_unstable_by_key(|&(index, _)| index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

/// Leaves nothing to the other workers when one ends: because all is taken, by an error, or by a panic.
struct TakeTheRest<'a> {
    next: &'a AtomicUsize,
    count: usize,
}

impl Drop for TakeTheRest<'_> {
    fn drop(&mut self) {
        self.next.store(self.count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn results_are_in_order_on_any_number_of_workers() {
        for workers in [0, 1, 3, 50] {
            let squares = in_order(20, workers, |i| Ok(i * i)).unwrap();
            assert_eq!(squares, (0..20).map(|i| i * i).collect::<Vec<_>>(), "{workers} workers");
        }
        assert!(in_order(0, 4, Ok).unwrap().is_empty());
    }

    #[test]
    fn an_error_ends_the_work() {
        let begun = AtomicUsize::new(0);
        let error = in_order(100_000, 3, |i| {
            begun.fetch_add(1, Ordering::Relaxed);
            if i == 10 { Err(Error::Gpu("lost".into())) } else { Ok(()) }
        });
        assert_eq!(error.unwrap_err().to_string(), "gpu: lost");
        assert!(begun.load(Ordering::Relaxed) < 100_000);
    }

    #[test]
    fn a_panic_ends_the_work_and_is_passed_on() {
        let work = |i| if i == 5 { panic!("five") } else { Ok(i) };
        let caught = std::panic::catch_unwind(|| in_order(1000, 2, work));
        assert!(caught.unwrap_err().downcast_ref::<&str>().is_some_and(|text| *text == "five"));
    }
}
