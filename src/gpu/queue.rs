//! What crosses between host and device: uploads through mapped staging buffers, asynchronous read-back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::waiting::{Arrival, Signal};
use super::{Buffer, Gpu};
use crate::Result;

impl Buffer {
    /// Writes `bytes` to its start, before whatever is submitted next. For setting up; the training loop goes through
    /// [`Upload`].
    ///
    /// # Errors
    /// [`Error::DeviceLost`](crate::Error::DeviceLost) if its GPU is known to be lost.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<()> {
        let gpu = self.gpu();
        if let Some(loss) = gpu.loss() {
            return Err(loss);
        }
        let (words, rest) = bytes.split_at(bytes.len() / 4 * 4);
        gpu.queue.write_buffer(self.raw(), 0, words);
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            gpu.queue.write_buffer(self.raw(), words.len() as u64, &last);
        }
        Ok(())
    }

    /// Starts copying its first `bytes` bytes to the host, after all work submitted so far.
    pub(crate) fn read(&self, bytes: u64) -> Result<ReadBack> {
        let gpu = self.gpu();
        let size = bytes.next_multiple_of(4);
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = Buffer::new(gpu, size, usage, "read-back")?;
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(self.raw(), 0, staging.raw(), 0, size);
        let submission = gpu.submit(encoder);
        let mapping = map(&staging, wgpu::MapMode::Read);
        let arrival = Arrival::new(gpu, &mapping, Some(submission));
        Ok(ReadBack { arrival, staging, bytes, is_asked: true })
    }
}

impl Gpu {
    /// Waits until the device has done everything submitted so far.
    ///
    /// # Errors
    /// [`Error::DeviceLost`](crate::Error::DeviceLost) if the device was lost, [`Error::Gpu`](crate::Error::Gpu) if it refused some
    /// work.
    pub fn wait(&self) -> Result<()> {
        self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|problem| self.error(problem))?;
        self.check()
    }

    pub(super) fn submit(&self, encoder: wgpu::CommandEncoder) -> wgpu::SubmissionIndex {
        self.submissions.fetch_add(1, Ordering::Relaxed);
        #[cfg(feature = "check")]
        self.lose_if_due();
        self.queue.submit([encoder.finish()])
    }
}

/// Asks for `buffer` to be mapped whole.
fn map(buffer: &Buffer, mode: wgpu::MapMode) -> Arc<Signal> {
    let signal = Arc::new(Signal::default());
    let callback = signal.clone();
    buffer.raw().map_async(mode, .., move |outcome| {
        callback.set(outcome.map_err(|problem| format!("a buffer was not mapped: {problem}")));
    });
    signal
}

/// Bytes on their way from the device: a future, which waits for no work that was submitted later.
#[derive(Debug)]
pub(crate) struct ReadBack {
    arrival: Arrival,
    staging: Buffer,
    bytes: u64,
    /// Whether the host has the staging buffer, or has asked for it.
    is_asked: bool,
}

impl ReadBack {
    fn take(&mut self) -> Result<Vec<u8>> {
        let view =
            self.staging.raw().get_mapped_range(..).map_err(|problem| self.arrival.gpu().error(problem))?;
        let mut bytes = view.to_vec();
        bytes.truncate(usize::try_from(self.bytes).expect("a tensor fits in memory"));
        drop(view);
        self.unmap();
        Ok(bytes)
    }

    fn unmap(&mut self) {
        self.staging.raw().unmap();
        self.is_asked = false;
    }
}

impl Future for ReadBack {
    type Output = Result<Vec<u8>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.arrival).poll(context).map(|outcome| outcome.and_then(|()| self.take()))
    }
}

impl Drop for ReadBack {
    /// Whoever drops it before the bytes are here leaves a buffer that the pool can lend again.
    fn drop(&mut self) {
        if self.is_asked {
            self.unmap();
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
    /// Set when the host has it; none if it has not asked for it.
    mapping: Option<Arc<Signal>>,
}

const RING: usize = 2;

impl Upload {
    /// A ring for the first `bytes` bytes of `target`.
    pub fn new(gpu: &Arc<Gpu>, target: Arc<Buffer>, bytes: u64) -> Result<Upload> {
        let usage = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
        let mut ring = Vec::new();
        for _ in 0..RING {
            let buffer = Buffer::new(gpu, bytes.next_multiple_of(4), usage, "upload")?;
            let mut staging = Staging { buffer, mapping: None };
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
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let slot = self.filled.take().map_or(self.next, |slot| {
            self.ring[slot].map();
            slot
        });
        let staging = &mut self.ring[slot];
        let mapping = staging.mapping.as_ref().expect("a staging buffer is asked back when it was submitted");
        Arrival::new(&self.gpu, mapping, None).await?;
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
    fn map(&mut self) {
        self.mapping = Some(map(&self.buffer, wgpu::MapMode::Write));
    }

    fn unmap(&mut self) {
        self.buffer.raw().unmap();
        self.mapping = None;
    }
}

impl Drop for Staging {
    /// The pool holds unmapped buffers only. To unmap one that is not mapped is an error.
    fn drop(&mut self) {
        if self.mapping.is_some() {
            self.unmap();
        }
    }
}
