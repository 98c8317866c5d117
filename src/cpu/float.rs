//! The float types that a twin is instantiated in.

use std::iter::Sum;

use num_traits::NumAssign;

/// `f32`, what runs where there is no GPU, or `f64`, the specification that tests compare with.
pub trait Float: num_traits::Float + NumAssign + Sum + Default + Send + Sync + 'static {
    /// The nearest value to `x`.
    fn of(x: f64) -> Self;

    /// The nearest value to the integer `n`.
    fn count(n: usize) -> Self {
        Self::of(n as f64)
    }

    /// This value in 64 bits.
    fn wide(self) -> f64;
}

impl Float for f32 {
    fn of(x: f64) -> f32 {
        x as f32
    }

    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Float for f64 {
    fn of(x: f64) -> f64 {
        x
    }

    fn wide(self) -> f64 {
        self
    }
}
