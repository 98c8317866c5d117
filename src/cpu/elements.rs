//! Element-wise work in parallel.

use rayon::prelude::*;

/// As many elements as are worth another thread: some microseconds of work.
pub(crate) const PIECE: usize = 1 << 13;

/// The elements of `y`, to be zipped with what they are made of. Threads loop over long runs of them, and the loops
/// vectorise if the closure takes its constants by `move`: behind a reference the compiler reads them again for each
/// element, since for all it knows they may lie in `y`.
pub(crate) fn elements<T: Send>(y: &mut [T]) -> impl IndexedParallelIterator<Item = &mut T> {
    y.par_iter_mut().with_min_len(PIECE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_meets_its_own() {
        for len in [0, 1, PIECE - 1, PIECE, 5 * PIECE + 3] {
            let x: Vec<usize> = (0..len).collect();
            let mut y = vec![usize::MAX; len];
            elements(&mut y).zip(&x).for_each(|(y, &x)| *y = x);
            assert_eq!(x, y);
        }
    }
}
