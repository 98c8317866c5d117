//! Waiting for a device without holding up whoever waits.
//!
//! A device calls back when its work is done, but outside of a browser only while somebody polls it. Three ways to be that
//! somebody:
//! - A thread that may block does it itself, within [`block_on`]: no other thread takes part, so that the blocking functions cost
//!   no more than if there were no futures.
//! - For a future that somebody else polls, a thread of the device does, started when the first of them has to wait. It sleeps in
//!   the driver until the work is done. A future that woke itself to poll the device again and again would burn a core.
//! - In a browser the event loop does; nobody may block there.

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Gpu;
use crate::{Error, Result};

const IN_BROWSER: bool = cfg!(target_arch = "wasm32");

thread_local! {
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// What `future` comes to, which this thread waits for. Futures of a device that it polls wait right here.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            MAY_BLOCK.set(self.0);
        }
    }
    // Nested where a thread of rayon that waits for one begins other work.
    let _restore = Restore(MAY_BLOCK.replace(true));
    pollster::block_on(future)
}

/// What a device calls back about, once.
#[derive(Debug, Default)]
pub(super) struct Signal(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

type Outcome = std::result::Result<(), String>;

impl Signal {
    pub fn set(&self, outcome: Outcome) {
        let mut state = self.0.lock().expect(NO_PANIC);
        state.outcome.get_or_insert(outcome);
        let waker = state.waker.take();
        drop(state); // a waker is somebody else's code
        waker.into_iter().for_each(Waker::wake);
    }

    /// Lets whoever waits look again.
    fn wake(&self) {
        let waker = self.0.lock().expect(NO_PANIC).waker.take();
        waker.into_iter().for_each(Waker::wake);
    }

    fn is_set(&self) -> bool {
        self.0.lock().expect(NO_PANIC).outcome.is_some()
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Outcome> {
        let mut state = self.0.lock().expect(NO_PANIC);
        match &state.outcome {
            Some(outcome) => Poll::Ready(outcome.clone()),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

const NO_PANIC: &str = "nobody panics while a signal is locked";

/// Ready when the signal is set, which a poll does at the latest when the device has done the submission, or all of them.
#[derive(Debug)]
pub(super) struct Arrival {
    gpu: Arc<Gpu>,
    signal: Arc<Signal>,
    submission: Option<wgpu::SubmissionIndex>,
    /// Whether the device's thread knows.
    is_asked: bool,
}

impl Arrival {
    pub fn new(gpu: &Arc<Gpu>, signal: &Arc<Signal>, submission: Option<wgpu::SubmissionIndex>) -> Arrival {
        Arrival { gpu: gpu.clone(), signal: signal.clone(), submission, is_asked: false }
    }

    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }
}

impl Future for Arrival {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.signal.is_set() && !IN_BROWSER {
            let submission_index = self.submission.clone();
            let poll = match MAY_BLOCK.get() {
                true => wgpu::PollType::Wait { submission_index, timeout: None },
                false => wgpu::PollType::Poll,
            };
            self.gpu.device.poll(poll).map_err(|problem| self.gpu.error(problem))?;
        }
        self.gpu.check()?;
        match self.signal.poll(context) {
            Poll::Ready(outcome) => Poll::Ready(outcome.map_err(|problem| self.gpu.error(problem))),
            Poll::Pending => {
                // A thread that may block has waited: another, which was faster, is about to call back.
                if !self.is_asked && !MAY_BLOCK.get() && !IN_BROWSER {
                    self.gpu.waiter()?.wait(Wait::For(self.submission.clone()), self.signal.clone());
                    self.is_asked = true;
                }
                Poll::Pending
            }
        }
    }
}

impl Gpu {
    /// Ready when the device has done everything submitted so far.
    pub(super) async fn done(self: &Arc<Gpu>) -> Result<()> {
        let signal = Arc::new(Signal::default());
        let callback = signal.clone();
        self.queue.on_submitted_work_done(move || callback.set(Ok(())));
        Arrival::new(self, &signal, None).await
    }

    /// Ready after this time; at once in a browser, which has no thread to sleep on.
    pub(super) async fn pause(self: &Arc<Gpu>, time: Duration) -> Result<()> {
        if MAY_BLOCK.get() {
            thread::sleep(time);
        } else if !IN_BROWSER {
            let signal = Arc::new(Signal::default());
            self.waiter()?.wait(Wait::Through(time), signal.clone());
            std::future::poll_fn(|context| signal.poll(context)).await.map_err(Error::Gpu)?;
        }
        Ok(())
    }

    fn waiter(&self) -> Result<&Waiter> {
        if self.waiter.get().is_none() {
            let waiter = Waiter::start(&self.device)?;
            let _ = self.waiter.set(waiter); // another that was faster is as good
        }
        Ok(self.waiter.get().expect("it was set"))
    }
}

/// A thread that polls a device for those who must not block.
#[derive(Debug)]
pub(super) struct Waiter {
    /// None when it is to end.
    tasks: Option<Sender<(Wait, Arc<Signal>)>>,
    thread: Option<JoinHandle<()>>,
}

enum Wait {
    /// A submission, or all of them.
    For(Option<wgpu::SubmissionIndex>),
    Through(Duration),
}

impl Waiter {
    fn start(device: &wgpu::Device) -> Result<Waiter> {
        let (tasks, received) = channel::<(Wait, Arc<Signal>)>();
        let device = device.clone();
        let serve = move || {
            for (wait, signal) in received {
                match wait {
                    Wait::For(submission_index) => {
                        let wait = wgpu::PollType::Wait { submission_index, timeout: None };
                        // wgpu panics where a driver fails in the middle of a wait.
                        match catch_unwind(AssertUnwindSafe(|| device.poll(wait))) {
                            // If the device was lost there may be no callback: who waits looks, and is told.
                            Ok(Ok(_)) => signal.wake(),
                            Ok(Err(problem)) => signal.set(Err(problem.to_string())),
                            Err(_) => signal.set(Err("the driver failed".into())),
                        }
                    }
                    Wait::Through(time) => {
                        thread::sleep(time);
                        signal.set(Ok(()));
                    }
                }
            }
        };
        let named = thread::Builder::new().name("gpu waiter".into());
        let thread =
            named.spawn(serve).map_err(|problem| Error::Gpu(format!("no thread to wait on: {problem}")))?;
        Ok(Waiter { tasks: Some(tasks), thread: Some(thread) })
    }

    fn wait(&self, wait: Wait, signal: Arc<Signal>) {
        let tasks = self.tasks.as_ref().expect("it ends when it is dropped");
        tasks.send((wait, signal)).expect("the thread ends after the last task");
    }
}

impl Drop for Waiter {
    /// Drivers want their device closed before the program ends, so the thread must be through with it.
    fn drop(&mut self) {
        self.tasks = None;
        // A waker may own the last handle of the device: then this is the thread itself.
        if let Some(thread) =
            self.thread.take().filter(|thread| thread.thread().id() != thread::current().id())
        {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use super::*;
    use crate::gpu::GpuOptions;

    fn gpu() -> Arc<Gpu> {
        let wanted = std::env::var("LOOKALIKE_ADAPTER").unwrap_or_else(|_| "llvmpipe".into());
        let index = Gpu::adapters().iter().position(|adapter| adapter.name.to_lowercase().contains(&wanted));
        let index = index.expect("the adapter that scripts/test installs");
        Gpu::open(index, &GpuOptions::default()).expect("it opens")
    }

    /// A future that counts how often it is polled.
    fn counted<F: Future + Unpin>(mut future: F, polls: Arc<AtomicUsize>) -> impl Future<Output = F::Output> {
        std::future::poll_fn(move |context| {
            polls.fetch_add(1, Ordering::SeqCst);
            Pin::new(&mut future).poll(context)
        })
    }

    #[test]
    fn a_late_callback_is_awaited_without_burning_a_core() {
        let gpu = gpu();
        let (signal, polls) = (Arc::new(Signal::default()), Arc::new(AtomicUsize::new(0)));
        let late = signal.clone();
        let calling_back = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            late.set(Ok(()));
        });
        let start = Instant::now();
        let arrival = Arrival::new(&gpu, &signal, None);
        pollster::block_on(counted(arrival, polls.clone())).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(90));
        // At first, when the device has nothing left to do, and when it has called back.
        assert!(polls.load(Ordering::SeqCst) <= 3, "{polls:?}");
        calling_back.join().unwrap();
    }

    #[test]
    fn a_future_may_go_to_another_thread_and_waker() {
        let gpu = gpu();
        let signal = Arc::new(Signal::default());
        let mut arrival = Arrival::new(&gpu, &signal, None);
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut arrival).poll(&mut context).is_pending());
        let elsewhere = thread::spawn(|| pollster::block_on(arrival));
        thread::sleep(Duration::from_millis(20));
        signal.set(Err("refused".into()));
        assert_eq!(elsewhere.join().unwrap().unwrap_err().to_string(), "gpu: refused");
    }

    #[test]
    fn the_thread_of_the_device_polls_it_and_ends_with_it() {
        let gpu = gpu();
        let signal = Arc::new(Signal::default());
        // Nobody polls this future again until it is woken, so the callback can only come from that thread.
        let callback = signal.clone();
        gpu.queue.on_submitted_work_done(move || callback.set(Ok(())));
        gpu.waiter().unwrap().wait(Wait::For(None), signal.clone());
        let start = Instant::now();
        while !signal.is_set() {
            assert!(start.elapsed() < Duration::from_secs(20), "nobody polled the device");
            thread::sleep(Duration::from_millis(1));
        }
        let kept = Arc::downgrade(&signal);
        drop(signal);
        drop(gpu); // which waits for the thread
        assert!(kept.upgrade().is_none(), "the thread keeps nothing");
    }

    #[test]
    fn a_pause_takes_its_time_and_blocks_nobody() {
        let gpu = gpu();
        let start = Instant::now();
        let mut pause = Box::pin(gpu.pause(Duration::from_millis(400)));
        assert!(pause.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(start.elapsed() < Duration::from_millis(300), "the first poll slept");
        pollster::block_on(pause).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(400));
    }

    #[test]
    fn a_thread_that_may_block_asks_nobody() {
        let gpu = gpu();
        block_on(gpu.done()).unwrap();
        block_on(gpu.pause(Duration::from_millis(1))).unwrap();
        assert!(gpu.waiter.get().is_none(), "no thread was started");
        assert_eq!(block_on(async { block_on(async { 1 }) + i32::from(MAY_BLOCK.get()) }), 2, "nested");
        assert!(!MAY_BLOCK.get());
    }

    #[cfg(feature = "check")]
    #[test]
    fn the_loss_of_the_device_ends_the_wait() {
        let gpu = gpu();
        let signal = Arc::new(Signal::default());
        gpu.lose();
        let lost = pollster::block_on(Arrival::new(&gpu, &signal, None));
        assert!(matches!(lost, Err(Error::DeviceLost(_))), "{lost:?}");
    }
}
