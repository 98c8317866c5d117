//! Things that are costly to make and that one can use at a time, lent to any number of threads and futures.

use std::future::poll_fn;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use crate::{Device, Result};

/// Lends things of one kind, and makes another where all are out.
#[derive(Debug)]
pub(crate) struct Lending<T> {
    state: Mutex<State<T>>,
    /// How many there may be.
    most: usize,
}

#[derive(Debug)]
struct State<T> {
    at_rest: Vec<T>,
    /// How many there are, at rest or out.
    count: usize,
    /// Who waits for one to be returned.
    waiting: Vec<Waker>,
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
        Lending { state: Mutex::new(State { at_rest: vec![first], count: 1, waiting: vec![] }), most }
    }

    /// Does `work` with one of them, which `make` makes if all are out and there may be more. The lock is not held
    /// meanwhile. After an error the thing is dropped, as nobody knows what state it is in. If the future is dropped before its end, the
    /// thing is lent again, so it must bear that `work` stops wherever it awaits something.
    ///
    /// # Errors
    /// That of `make` or `work`.
    pub async fn with<R>(
        &self,
        make: impl FnOnce() -> Result<T>,
        work: impl AsyncFnOnce(&mut T) -> Result<R>,
    ) -> Result<R> {
        let mut place = Place { lending: self, thing: poll_fn(|context| self.take(context)).await };
        if place.thing.is_none() {
            place.thing = Some(make()?);
        }
        let result = work(place.thing.as_mut().expect("it was made")).await;
        if result.is_err() {
            place.thing = None;
        }
        result
    }

    /// One at rest, or leave to make one.
    fn take(&self, context: &Context<'_>) -> Poll<Option<T>> {
        let mut state = self.state.lock().expect(NO_PANIC);
        if let Some(thing) = state.at_rest.pop() {
            return Poll::Ready(Some(thing));
        }
        if state.count < self.most {
            state.count += 1;
            return Poll::Ready(None);
        }
        state.waiting.push(context.waker().clone());
        Poll::Pending
    }
}

const NO_PANIC: &str = "nobody panics while one is taken or returned";

/// A thing that is out, or the leave to make it: whatever happens, it is returned or no longer counted.
struct Place<'a, T> {
    lending: &'a Lending<T>,
    thing: Option<T>,
}

impl<T> Drop for Place<'_, T> {
    fn drop(&mut self) {
        let thing = self.thing.take().filter(|_| !std::thread::panicking());
        let Ok(mut state) = self.lending.state.lock() else { return };
        match thing {
            Some(thing) => state.at_rest.push(thing),
            None => state.count -= 1,
        }
        // All of them: one alone might belong to a future that was dropped.
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use pollster::block_on;

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
                    let work = async |_: &mut usize| {
                        worst.fetch_max(out.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(std::time::Duration::from_millis(2));
                        out.fetch_sub(1, Ordering::SeqCst);
                        Ok(())
                    };
                    (0..5).for_each(|_| block_on(lending.with(make, work)).unwrap());
                });
            }
        });
        assert!(made.into_inner() <= 2 && worst.into_inner() <= 2);
    }

    #[test]
    fn nested_work_gets_another_on_the_cpu() {
        let lending = Lending::new(7, &Device::cpu());
        let inner = async |a: &mut usize| lending.with(|| Ok(8), async |b| Ok((*a, *b))).await;
        assert_eq!(block_on(lending.with(|| Ok(0), inner)).unwrap(), (7, 8));
    }

    #[test]
    fn after_an_error_another_may_be_made() {
        let lending = lending(1);
        let fails = async |_: &mut usize| Err::<(), _>(Error::Gpu("lost".into()));
        assert!(block_on(lending.with(|| Ok(1), fails)).is_err());
        let no_room = || Err(Error::Gpu("no room".into()));
        assert!(block_on(lending.with(no_room, async |_| Ok(()))).is_err());
        assert_eq!(block_on(lending.with(|| Ok(5), async |thing| Ok(*thing))).unwrap(), 5);
        assert_eq!(block_on(lending.with(|| Ok(6), async |thing| Ok(*thing))).unwrap(), 5);
    }

    #[test]
    fn what_is_dropped_before_its_end_holds_up_nobody() {
        let (lending, mut context) = (lending(1), Context::from_waker(Waker::noop()));
        let mut endless = Box::pin(
            lending.with(|| Ok(1), async |_: &mut usize| std::future::pending::<Result<()>>().await),
        );
        assert!(endless.as_mut().poll(&mut context).is_pending());
        let mut waits = Box::pin(lending.with(|| Ok(2), async |thing| Ok(*thing)));
        assert!(waits.as_mut().poll(&mut context).is_pending());
        let mut also = Box::pin(lending.with(|| Ok(3), async |thing| Ok(*thing)));
        assert!(also.as_mut().poll(&mut context).is_pending());
        drop(waits);
        drop(endless);
        assert!(
            matches!(also.as_mut().poll(&mut context), Poll::Ready(Ok(0))),
            "the first one is lent again"
        );
    }
}
