//! Things that are costly to make and that one thread can use at a time, lent to any number of threads.

use std::sync::{Condvar, Mutex};

use crate::{Device, Result};

/// Lends things of one kind, and makes another where all are out.
#[derive(Debug)]
pub(crate) struct Lending<T> {
    state: Mutex<State<T>>,
    returned: Condvar,
    /// How many there may be.
    most: usize,
}

#[derive(Debug)]
struct State<T> {
    at_rest: Vec<T>,
    /// How many there are, at rest or out.
    count: usize,
}

/// How many are enough for a GPU: while one waits for its results, the other's work goes on. More would only take
/// memory of the device.
const MOST_ON_GPU: usize = 2;

impl<T> Lending<T> {
    /// Lends `first`, and more of the kind; they compute on `device`.
    pub fn new(first: T, device: &Device) -> Lending<T> {
        // On the CPU nobody may wait for a thing: who has it waits for threads of rayon, and a thread that waits there
        // begins other work, which may ask for a thing again. A GPU's work needs no thread to go on.
        let most = if device.gpu().is_some() { MOST_ON_GPU } else { usize::MAX };
        Lending {
            state: Mutex::new(State { at_rest: vec![first], count: 1 }),
            returned: Condvar::new(),
            most,
        }
    }

    /// Does `work` with one of them, which `make` makes if all are out and there may be more. The lock is not held
    /// meanwhile. After an error the thing is dropped, as nobody knows what state it is in.
    ///
    /// # Errors
    /// That of `make` or `work`.
    pub fn with<R>(
        &self,
        make: impl FnOnce() -> Result<T>,
        work: impl FnOnce(&mut T) -> Result<R>,
    ) -> Result<R> {
        let place = Place { lending: self, thing: self.take() };
        place.work(make, work)
    }

    /// One at rest, or leave to make one.
    fn take(&self) -> Option<T> {
        let mut state = self.state.lock().expect(NO_PANIC);
        loop {
            if let Some(thing) = state.at_rest.pop() {
                return Some(thing);
            }
            if state.count < self.most {
                state.count += 1;
                return None;
            }
            state = self.returned.wait(state).expect(NO_PANIC);
        }
    }
}

const NO_PANIC: &str = "no thread panics while it takes or returns one";

/// A thing that is out, or the leave to make it: whatever happens, it is returned or no longer counted.
struct Place<'a, T> {
    lending: &'a Lending<T>,
    thing: Option<T>,
}

impl<T> Place<'_, T> {
    fn work<R>(
        mut self,
        make: impl FnOnce() -> Result<T>,
        work: impl FnOnce(&mut T) -> Result<R>,
    ) -> Result<R> {
        let mut thing = self.thing.take().map_or_else(make, Ok)?;
        let result = work(&mut thing)?;
        self.thing = Some(thing);
        Ok(result)
    }
}

impl<T> Drop for Place<'_, T> {
    fn drop(&mut self) {
        if let Ok(mut state) = self.lending.state.lock() {
            match self.thing.take() {
                Some(thing) => state.at_rest.push(thing),
                None => state.count -= 1,
            }
            self.lending.returned.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::Error;

    fn lending(most: usize) -> Lending<usize> {
        Lending { most, ..Lending::new(0, &Device::cpu()) }
    }

    #[test]
    fn threads_wait_where_there_may_be_no_more() {
        let (lending, made, out, worst) =
            (lending(2), AtomicUsize::new(1), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let make = || Ok(made.fetch_add(1, Ordering::SeqCst));
                    let work = |_: &mut usize| {
                        worst.fetch_max(out.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(std::time::Duration::from_millis(2));
                        out.fetch_sub(1, Ordering::SeqCst);
                        Ok(())
                    };
                    (0..5).for_each(|_| lending.with(make, work).unwrap());
                });
            }
        });
        assert!(made.into_inner() <= 2 && worst.into_inner() <= 2);
    }

    #[test]
    fn nested_work_gets_another_on_the_cpu() {
        let lending = Lending::new(7, &Device::cpu());
        let both = lending.with(|| Ok(0), |a| lending.with(|| Ok(8), |b| Ok((*a, *b)))).unwrap();
        assert_eq!(both, (7, 8));
    }

    #[test]
    fn after_an_error_another_may_be_made() {
        let lending = lending(1);
        let fails = |_: &mut usize| Err::<(), _>(Error::Gpu("lost".into()));
        assert!(lending.with(|| Ok(1), fails).is_err());
        assert!(lending.with(|| Err(Error::Gpu("no room".into())), |_: &mut usize| Ok(())).is_err());
        assert_eq!(lending.with(|| Ok(5), |thing| Ok(*thing)).unwrap(), 5);
        assert_eq!(lending.with(|| Ok(6), |thing| Ok(*thing)).unwrap(), 5);
    }
}
