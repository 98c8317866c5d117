//! Buffers, and the pool they return to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::Gpu;
use super::trouble::scoped;
use crate::{Error, Result};

/// Device memory that kernels read and write. It goes back to the pool when the last owner drops it.
#[derive(Debug)]
pub(crate) struct Buffer {
    gpu: Arc<Gpu>,
    inner: Option<wgpu::Buffer>,
    usage: wgpu::BufferUsages,
}

/// Unused buffers by usage and size.
#[derive(Debug, Default)]
pub(super) struct Pool {
    unused: Mutex<HashMap<(wgpu::BufferUsages, u64), Vec<wgpu::Buffer>>>,
    /// Bytes of all buffers, used or not.
    allocated: AtomicU64,
}

impl Pool {
    pub fn allocated(&self) -> u64 {
        self.allocated.load(Ordering::Relaxed)
    }

    fn take(&self, usage: wgpu::BufferUsages, bytes: u64) -> Option<wgpu::Buffer> {
        self.lock().get_mut(&(usage, bytes))?.pop()
    }

    /// Frees all buffers that nobody uses; whether there were any.
    pub fn clear(&self) -> bool {
        let unused = std::mem::take(&mut *self.lock());
        let bytes: u64 = unused.values().flatten().map(wgpu::Buffer::size).sum();
        self.allocated.fetch_sub(bytes, Ordering::Relaxed);
        bytes > 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(wgpu::BufferUsages, u64), Vec<wgpu::Buffer>>> {
        self.unused.lock().expect("the pool's lock")
    }
}

const STORAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);

impl Buffer {
    /// A storage buffer of at least `bytes` bytes for `what`. Its content is undefined.
    pub fn storage(gpu: &Arc<Gpu>, bytes: u64, what: &str) -> Result<Buffer> {
        let allowed = gpu.max_binding();
        if bytes > allowed {
            return Err(Error::TooLarge {
                what: what.to_string(),
                needed: bytes,
                allowed,
                advice: "use a smaller batch",
            });
        }
        Buffer::new(gpu, size_class(bytes).min(allowed), STORAGE, what)
    }

    /// A buffer of exactly `bytes` bytes from the pool, or a new one.
    pub(super) fn new(gpu: &Arc<Gpu>, bytes: u64, usage: wgpu::BufferUsages, what: &str) -> Result<Buffer> {
        let inner = match gpu.pool.take(usage, bytes) {
            Some(buffer) => buffer,
            None => match create(gpu, bytes, usage, what) {
                // Perhaps what nobody uses is what is missing.
                Err(Error::OutOfMemory { .. }) if gpu.pool.clear() => {
                    gpu.wait()?;
                    create(gpu, bytes, usage, what)?
                }
                created => created?,
            },
        };
        Ok(Buffer { gpu: gpu.clone(), inner: Some(inner), usage })
    }

    /// Size in bytes, at least what was asked for.
    pub fn size(&self) -> u64 {
        self.raw().size()
    }

    /// The GPU that it is memory of.
    pub(super) fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    pub(super) fn raw(&self) -> &wgpu::Buffer {
        self.inner.as_ref().expect("a buffer lives until it is dropped")
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let (Some(buffer), Ok(mut pool)) = (self.inner.take(), self.gpu.pool.unused.lock()) {
            pool.entry((self.usage, buffer.size())).or_default().push(buffer);
        }
    }
}

/// Sizes are rounded up to an eighth of their power of two, so that plans of similar shapes share buffers.
fn size_class(bytes: u64) -> u64 {
    let step = (bytes.max(256).next_power_of_two() / 16).max(256);
    bytes.max(1).next_multiple_of(step)
}

fn create(gpu: &Gpu, bytes: u64, usage: wgpu::BufferUsages, what: &str) -> Result<wgpu::Buffer> {
    let no_room = || Error::OutOfMemory { what: what.into(), needed: bytes };
    if gpu.options.memory.is_some_and(|most| gpu.pool.allocated() + bytes > most) {
        return Err(no_room());
    }
    let descriptor =
        wgpu::BufferDescriptor { label: Some(what), size: bytes, usage, mapped_at_creation: false };
    let make = || gpu.device.create_buffer(&descriptor);
    let ((buffer, refused), full) = scoped(&gpu.device, wgpu::ErrorFilter::OutOfMemory, || {
        scoped(&gpu.device, wgpu::ErrorFilter::Validation, make)
    });
    gpu.buffers_created.fetch_add(1, Ordering::Relaxed);
    if let Some(loss) = gpu.loss() {
        return Err(loss);
    }
    match (refused, full) {
        (None, None) => {
            gpu.pool.allocated.fetch_add(bytes, Ordering::Relaxed);
            Ok(buffer)
        }
        (Some(problem), _) => Err(gpu.error(format!("no buffer of {bytes} bytes for {what}: {problem}"))),
        (None, Some(_)) => Err(no_room()),
    }
}

#[cfg(test)]
mod tests {
    use super::size_class;

    #[test]
    fn size_classes_waste_at_most_an_eighth() {
        for bytes in [1, 256, 257, 4096, 5000, 1 << 20, (1 << 20) + 1, 12_345_678, 128 << 20] {
            let class = size_class(bytes);
            assert!(class >= bytes && class.is_multiple_of(256));
            assert!(class - bytes < 256.max(bytes / 7), "{bytes} in {class}");
        }
    }
}
