//! Which intermediate tensors can share a buffer, and what a plan takes in all.

use std::fmt;

use crate::tensor::DType;

/// Bytes that a plan holds on its device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Buffers of intermediate tensors, after reuse.
    pub intermediates: u64,
    /// Buffers that the host writes, with their staging buffers.
    pub inputs: u64,
    /// Parameters, optimizer moments and other states, shared with other plans on the same store.
    pub states: u64,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.intermediates + self.inputs + self.states
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [total, states, intermediates, inputs] =
            [self.total(), self.states, self.intermediates, self.inputs].map(bytes);
        write!(f, "{total} (states {states}, intermediates {intermediates}, inputs {inputs})")
    }
}

/// Bytes in the unit that a reader would choose.
pub(crate) fn bytes(count: u64) -> String {
    let count = count as f64;
    match count {
        c if c >= 1e9 => format!("{:.2} GB", c / 1e9),
        c if c >= 1e6 => format!("{:.1} MB", c / 1e6),
        c if c >= 1e3 => format!("{:.1} kB", c / 1e3),
        c => format!("{c} B"),
    }
}

/// An intermediate tensor: its size and the first and last dispatch that touch it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    pub bytes: u64,
    pub dtype: DType,
    pub first: usize,
    pub last: usize,
}

/// Gives each tensor a buffer, so that no two tensors alive at once share one, and returns the buffers' sizes.
///
/// Greedy in order of birth: the smallest free buffer that is large enough, else the largest free one, made
/// larger, else a new one. A tensor that dies in a dispatch frees its buffer only after it, so nothing is read
/// and written in one buffer.
pub(super) fn assign(lifetimes: &[Lifetime]) -> (Vec<usize>, Vec<(u64, DType)>) {
    let mut order: Vec<usize> = (0..lifetimes.len()).collect();
    order.sort_by_key(|&tensor| lifetimes[tensor].first);
    let mut buffers: Vec<(u64, DType)> = Vec::new();
    let mut busy_until: Vec<usize> = Vec::new();
    let mut assigned = vec![0; lifetimes.len()];
    for tensor in order {
        let Lifetime { bytes, dtype, first, last } = lifetimes[tensor];
        let free = || (0..buffers.len()).filter(|&b| busy_until[b] < first && buffers[b].1 == dtype);
        let fitting = free().filter(|&b| buffers[b].0 >= bytes).min_by_key(|&b| buffers[b].0);
        let buffer = match fitting.or_else(|| free().max_by_key(|&b| buffers[b].0)) {
            Some(buffer) => {
                buffers[buffer].0 = buffers[buffer].0.max(bytes);
                busy_until[buffer] = last;
                buffer
            }
            None => {
                buffers.push((bytes, dtype));
                busy_until.push(last);
                buffers.len() - 1
            }
        };
        assigned[tensor] = buffer;
    }
    (assigned, buffers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(bytes: u64, first: usize, last: usize) -> Lifetime {
        Lifetime { bytes, dtype: DType::F32, first, last }
    }

    #[test]
    fn a_chain_needs_two_buffers() {
        let chain: Vec<Lifetime> = (0..10).map(|i| tensor(100, i, i + 1)).collect();
        let (_, buffers) = assign(&chain);
        assert_eq!(buffers.len(), 2);
    }

    #[test]
    fn tensors_alive_at_once_never_share() {
        let lifetimes: Vec<Lifetime> = (0..200)
            .map(|i| tensor(1 + (i * 7919 % 97) as u64, i * 31 % 50, i * 31 % 50 + i * 17 % 9))
            .collect();
        let (assigned, buffers) = assign(&lifetimes);
        for (i, a) in lifetimes.iter().enumerate() {
            assert!(buffers[assigned[i]].0 >= a.bytes);
            for (j, b) in lifetimes.iter().enumerate().skip(i + 1) {
                assert!(assigned[i] != assigned[j] || a.last < b.first || b.last < a.first);
            }
        }
    }
}
