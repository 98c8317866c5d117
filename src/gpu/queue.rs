//! What crosses between host and device: uploads through mapped staging buffers, asynchronous read-back.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::{Buffer, Gpu};
use crate::Result;

impl Gpu {
    /// Writes `bytes` to the start of `buffer`, before whatever is submitted next. For setting up; the
    /// training loop goes through [`Upload`].
    pub(crate) fn write(&self, buffer: &Buffer, bytes: &[u8]) {
        let (words, rest) = bytes.split_at(bytes.len() / 4 * 4);
        self.queue.write_buffer(buffer.raw(), 0, words);
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            self.queue.write_buffer(buffer.raw(), words.len() as u64, &last);
        }
    }

    /// Starts copying the first `bytes` bytes of `buffer` to the host, after all work submitted so far.
    pub(crate) fn read(self: &Arc<Gpu>, buffer: &Buffer, bytes: u64) -> Result<ReadBack> {
        let size = bytes.next_multiple_of(4);
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = Buffer::new(self, size, usage, "read-back")?;
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(buffer.raw(), 0, staging.raw(), 0, size);
        let submission = self.submit(encoder);
        let state = Arc::new(Mutex::new(MapState::default()));
        let shared = state.clone();
        staging.raw().map_async(wgpu::MapMode::Read, .., move |outcome| {
            let mut state = shared.lock().expect("the read-back's lock");
            state.outcome = Some(outcome.map_err(|problem| problem.to_string()));
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        });
        Ok(ReadBack { gpu: self.clone(), staging, bytes, submission, state })
    }

    /// Waits until the device has done everything submitted so far.
    ///
    /// # Errors
    /// [`Error::DeviceLost`](crate::Error::DeviceLost) if the device was lost, [`Error::Gpu`](crate::Error::Gpu) if it refused some
    /// work.
    pub fn wait(&self) -> Result<()> {
        self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|problem| self.error(problem))?;
        self.check()
    }

    /// Waits until the device has done this submission and all before it.
    pub(super) fn wait_for(&self, submission: wgpu::SubmissionIndex) -> Result<()> {
        let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: None };
        self.device.poll(wait).map_err(|problem| self.error(problem))?;
        self.check()
    }

    pub(super) fn submit(&self, encoder: wgpu::CommandEncoder) -> wgpu::SubmissionIndex {
        self.submissions.fetch_add(1, Ordering::Relaxed);
        #[cfg(feature = "check")]
        self.lose_if_due();
        self.queue.submit([encoder.finish()])
    }
}

#[derive(Debug, Default)]
struct MapState {
    outcome: Option<std::result::Result<(), String>>,
    waker: Option<Waker>,
}

/// Bytes on their way from the device: a future, which [`ReadBack::wait`] blocks on.
#[derive(Debug)]
pub(crate) struct ReadBack {
    gpu: Arc<Gpu>,
    staging: Buffer,
    bytes: u64,
    submission: wgpu::SubmissionIndex,
    state: Arc<Mutex<MapState>>,
}

impl ReadBack {
    /// Blocks until the bytes are here, but for no work that was submitted later.
    pub fn wait(self) -> Result<Vec<u8>> {
        self.gpu.wait_for(self.submission.clone())?;
        pollster::block_on(self)
    }

    fn take(&self) -> Result<Vec<u8>> {
        let view = self.staging.raw().get_mapped_range(..).map_err(|problem| self.gpu.error(problem))?;
        let mut bytes = view.to_vec();
        bytes.truncate(usize::try_from(self.bytes).expect("a tensor fits in memory"));
        drop(view);
        self.staging.raw().unmap();
        Ok(bytes)
    }
}

impl Future for ReadBack {
    type Output = Result<Vec<u8>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Err(problem) = self.gpu.device.poll(wgpu::PollType::Poll) {
            return Poll::Ready(Err(self.gpu.error(problem)));
        }
        self.gpu.check()?;
        let mut state = self.state.lock().expect("the read-back's lock");
        match state.outcome.take() {
            Some(Ok(())) => Poll::Ready(self.take()),
            Some(Err(problem)) => Poll::Ready(Err(self.gpu.error(format!("read-back failed: {problem}")))),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// A ring of staging buffers that feed one device buffer: the host fills one while the device copies from
/// another. Nothing is allocated after it is made.
#[derive(Debug)]
pub(crate) struct Upload {
    gpu: Arc<Gpu>,
    target: Arc<Buffer>,
    ring: Vec<Staging>,
    next: usize,
    filled: Option<usize>,
}

#[derive(Debug)]
struct Staging {
    buffer: Buffer,
    /// Whether the host has it, or has asked for it.
    asked: AtomicBool,
    mapped: Arc<AtomicBool>,
}

const RING: usize = 2;

impl Upload {
    /// A ring for the first `bytes` bytes of `target`.
    pub fn new(gpu: &Arc<Gpu>, target: Arc<Buffer>, bytes: u64) -> Result<Upload> {
        let usage = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
        let mut ring = Vec::new();
        for _ in 0..RING {
            let buffer = Buffer::new(gpu, bytes.next_multiple_of(4), usage, "upload")?;
            let staging = Staging { buffer, asked: AtomicBool::new(false), mapped: Arc::default() };
            staging.map();
            ring.push(staging);
        }
        Ok(Upload { gpu: gpu.clone(), target, ring, next: 0, filled: None })
    }

    /// Bytes of the staging buffers.
    pub fn size(&self) -> u64 {
        self.ring.iter().map(|staging| staging.buffer.size()).sum()
    }

    /// Takes a copy of `bytes`, which the next submission moves to the device. A second call before it
    /// replaces the first.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let slot = self.filled.take().map_or(self.next, |slot| {
            self.ring[slot].map();
            slot
        });
        let staging = &self.ring[slot];
        while !staging.mapped.load(Ordering::Acquire) {
            self.gpu.wait()?;
        }
        let mut view =
            staging.buffer.raw().get_mapped_range_mut(..).map_err(|problem| self.gpu.error(problem))?;
        view.slice(..bytes.len()).copy_from_slice(bytes); // a tail of up to three bytes is never read
        drop(view);
        staging.unmap();
        self.filled = Some(slot);
        Ok(())
    }

    pub(super) fn encode(&self, encoder: &mut wgpu::CommandEncoder) {
        if let Some(slot) = self.filled {
            let staging = self.ring[slot].buffer.raw();
            encoder.copy_buffer_to_buffer(staging, 0, self.target.raw(), 0, staging.size());
        }
    }

    /// Asks for the staging buffer back once the device has read it.
    pub(super) fn submitted(&mut self) {
        if let Some(slot) = self.filled.take() {
            self.ring[slot].map();
            self.next = (slot + 1) % self.ring.len();
        }
    }
}

impl Staging {
    fn map(&self) {
        self.asked.store(true, Ordering::Release);
        let mapped = self.mapped.clone();
        self.buffer.raw().map_async(wgpu::MapMode::Write, .., move |outcome| {
            mapped.store(outcome.is_ok(), Ordering::Release);
        });
    }

    fn unmap(&self) {
        self.buffer.raw().unmap();
        self.asked.store(false, Ordering::Release);
        self.mapped.store(false, Ordering::Release);
    }
}

impl Drop for Staging {
    /// The pool holds unmapped buffers only. To unmap one that is not mapped is an error.
    fn drop(&mut self) {
        if self.asked.load(Ordering::Acquire) {
            self.unmap();
        }
    }
}
