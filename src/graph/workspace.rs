//! Memory for intermediate tensors that plans share which never run at the same time.

use std::sync::{Arc, Mutex};

use crate::Result;
use crate::gpu::{Buffer, Gpu};

/// Buffers of a GPU that the plans made with it take turns to use; without a GPU plans have memory of their own. Cheap to clone;
/// clones are the same.
///
/// What a plan leaves in it, its outputs too, is there until another plan runs.
#[derive(Clone, Debug, Default)]
pub struct Workspace(Arc<Mutex<Vec<Arc<Buffer>>>>);

impl Workspace {
    /// A buffer of at least so many bytes for each of `sizes`, no two the same: the largest ones there are, made larger where
    /// that is not enough.
    pub(super) fn buffers(&self, gpu: &Arc<Gpu>, sizes: &[u64]) -> Result<Vec<Arc<Buffer>>> {
        let mut shared = self.0.lock().expect("the workspace's lock");
        shared.sort_by_key(|buffer| std::cmp::Reverse(buffer.size()));
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(sizes[at]));
        let mut buffers = vec![None; sizes.len()];
        for (place, &at) in order.iter().enumerate() {
            if shared.get(place).is_none_or(|buffer| buffer.size() < sizes[at]) {
                let buffer = Arc::new(Buffer::storage(gpu, sizes[at], "an intermediate tensor")?);
                match shared.get_mut(place) {
                    Some(smaller) => *smaller = buffer,
                    None => shared.push(buffer),
                }
            }
            buffers[at] = Some(shared[place].clone());
        }
        Ok(buffers.into_iter().flatten().collect())
    }
}
