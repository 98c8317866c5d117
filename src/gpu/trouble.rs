//! What drivers report outside of a call: errors, and the loss of the device.

use std::future::Future;
use std::pin::pin;
#[cfg(feature = "check")]
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::Gpu;
use crate::{Error, Result};

/// For how many milliseconds another thread may know of a loss and not have told yet.
const LATE: u32 = 100;

/// What a device has reported.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// The first error that nobody has been told of.
    error: Mutex<Option<Report>>,
    /// Why the device was lost, if it was.
    lost: OnceLock<String>,
    /// The submission with which a test loses it; 0 for none.
    #[cfg(feature = "check")]
    last: AtomicU64,
}

#[derive(Debug)]
enum Report {
    OutOfMemory(String),
    Other(String),
}

impl Trouble {
    /// Listens to `device`.
    pub fn of(device: &wgpu::Device) -> Arc<Trouble> {
        let trouble = Arc::new(Trouble::default());
        let listener = trouble.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let report = match error {
                wgpu::Error::OutOfMemory { .. } => Report::OutOfMemory(error.to_string()),
                _ => Report::Other(error.to_string()),
            };
            listener.error.lock().expect("the report's lock").get_or_insert(report);
        }));
        let listener = trouble.clone();
        device.set_device_lost_callback(move |reason, message| {
            let _ = listener.lost.set(format!("{reason:?}: {message}"));
        });
        trouble
    }
}

/// What `make` returns, and the first error of this kind that the device had meanwhile. A browser tells of errors later: there they go
/// to the listener, and [`Gpu::check`] reports them.
pub(super) fn scoped<T>(
    device: &wgpu::Device,
    kind: wgpu::ErrorFilter,
    make: impl FnOnce() -> T,
) -> (T, Option<wgpu::Error>) {
    if cfg!(target_arch = "wasm32") {
        return (make(), None);
    }
    let scope = device.push_error_scope(kind);
    let made = make();
    match pin!(scope.pop()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(error) => (made, error),
        Poll::Pending => unreachable!("outside of a browser errors are known when a scope ends"),
    }
}

impl Gpu {
    /// The first problem that the driver reported outside of a call, if any. A device that was lost says so for ever.
    pub(super) fn check(&self) -> Result<()> {
        let report = self.trouble.error.lock().expect("the report's lock").take();
        match (self.loss(), report) {
            (Some(loss), _) => Err(loss),
            (None, None) => Ok(()),
            (None, Some(Report::OutOfMemory(what))) => Err(Error::OutOfMemory { what, needed: 0 }),
            (None, Some(Report::Other(problem))) => Err(self.error(problem)),
        }
    }

    /// What a problem that a call has met comes from: the loss of the device, if it was lost.
    pub(super) fn error(&self, problem: impl ToString) -> Error {
        // wgpu tells of the loss when no work is left, later than of what fails because of it, and another thread may be the one
        // that it tells. Futures wait here too, but only once something has failed.
        for _ in 0..LATE {
            let _ = self.device.poll(wgpu::PollType::wait_indefinitely());
            if let Some(loss) = self.loss() {
                return loss;
            }
            if cfg!(target_arch = "wasm32") {
                break; // a browser's only thread does not sleep
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Error::Gpu(problem.to_string())
    }

    pub(super) fn loss(&self) -> Option<Error> {
        self.trouble.lost.get().map(|why| Error::DeviceLost(why.clone()))
    }

    /// Whether it is known to be lost.
    pub(crate) fn is_lost(&self) -> bool {
        self.loss().is_some()
    }

    /// Loses the device, as the reset of a driver does.
    #[cfg(feature = "check")]
    #[doc(hidden)]
    pub fn lose(&self) {
        self.device.destroy();
    }

    /// [Loses](Self::lose) the device when so many submissions more have been made.
    #[cfg(feature = "check")]
    #[doc(hidden)]
    pub fn lose_after(&self, submissions: u64) {
        self.trouble.last.store(self.submissions() + submissions + 1, Ordering::Relaxed);
    }

    /// Loses the device if the submission that was counted now is its last.
    #[cfg(feature = "check")]
    pub(super) fn lose_if_due(&self) {
        if self.trouble.last.load(Ordering::Relaxed) == self.submissions() {
            self.lose();
        }
    }
}
