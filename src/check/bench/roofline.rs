//! How close work came to what the device allows (Williams, Waterman, Patterson, CACM 52 (2009): the roofline model).

use std::fmt;

/// Work, and the time that it took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes moved.
    pub bytes: u64,
    /// Seconds taken.
    pub seconds: f64,
}

/// The two lines that work stays below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roof {
    /// Bytes per second.
    pub memory: f64,
    /// Operations per second.
    pub compute: f64,
}

/// The line that is met first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Bytes take longer than operations.
    Memory,
    /// Operations take longer than bytes.
    Compute,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Bound::Memory => "memory",
            Bound::Compute => "compute",
        })
    }
}

impl Point {
    /// Operations per byte: where it lies along the roof.
    pub fn intensity(&self) -> f64 {
        self.flops as f64 / self.bytes as f64
    }

    /// Operations per second.
    pub fn flops_per_second(&self) -> f64 {
        self.flops as f64 / self.seconds
    }

    /// Bytes per second.
    pub fn bytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.seconds
    }
}

impl Roof {
    /// The least seconds that the work could take.
    pub fn least(&self, point: &Point) -> f64 {
        (point.flops as f64 / self.compute).max(point.bytes as f64 / self.memory)
    }

    /// The least seconds, as a share of those taken. More than 1 where tensors stayed in caches, whose speed is not that
    /// of memory.
    pub fn share(&self, point: &Point) -> f64 {
        self.least(point) / point.seconds
    }

    /// Which line the work meets.
    pub fn bound(&self, point: &Point) -> Bound {
        match point.flops as f64 / self.compute > point.bytes as f64 / self.memory {
            true => Bound::Compute,
            false => Bound::Memory,
        }
    }

    /// Operations per byte at which the lines meet.
    pub fn ridge(&self) -> f64 {
        self.compute / self.memory
    }

    /// Operations per second that work of this intensity could reach.
    pub fn height(&self, intensity: f64) -> f64 {
        self.compute.min(intensity * self.memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOF: Roof = Roof { memory: 100.0, compute: 1000.0 };

    #[test]
    fn the_lower_line_binds() {
        assert_eq!(ROOF.ridge(), 10.0);
        // 2 seconds of bytes, 1 of operations, in 4 seconds.
        let copied = Point { flops: 1000, bytes: 200, seconds: 4.0 };
        assert_eq!(
            (ROOF.bound(&copied), ROOF.least(&copied), ROOF.share(&copied)),
            (Bound::Memory, 2.0, 0.5)
        );
        assert_eq!((copied.intensity(), ROOF.height(copied.intensity())), (5.0, 500.0));
        // 6 seconds of operations, 1 of bytes, in 8 seconds.
        let product = Point { flops: 6000, bytes: 100, seconds: 8.0 };
        assert_eq!((ROOF.bound(&product), ROOF.share(&product)), (Bound::Compute, 0.75));
        assert_eq!(ROOF.height(product.intensity()), 1000.0);
        assert_eq!((product.flops_per_second(), product.bytes_per_second()), (750.0, 12.5));
    }

    #[test]
    fn work_without_operations_is_bound_by_memory() {
        let copy = Point { flops: 0, bytes: 100, seconds: 1.0 };
        assert_eq!((ROOF.bound(&copy), ROOF.share(&copy)), (Bound::Memory, 1.0));
    }
}
