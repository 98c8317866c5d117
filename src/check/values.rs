//! Reproducible test data. Floats are exact in 32 bits, so every device starts from the same numbers.

use half::f16;

use crate::tensor::{HostTensor, Shape};

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn floats(shape: Shape, seed: u64, mut value: impl FnMut(&mut SplitMix) -> f64) -> HostTensor {
    let mut random = SplitMix(seed);
    let values: Vec<f64> = (0..shape.len()).map(|_| f64::from(value(&mut random) as f32)).collect();
    HostTensor::new(shape, values)
}

/// Normally distributed, mean 0, deviation 1.
pub fn normal(shape: impl Into<Shape>, seed: u64) -> HostTensor {
    floats(shape.into(), seed, |random| {
        let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * random.unit()).cos()
    })
}

/// Evenly distributed in [low, high).
pub fn uniform(shape: impl Into<Shape>, seed: u64, low: f64, high: f64) -> HostTensor {
    floats(shape.into(), seed, |random| low + (high - low) * random.unit())
}

/// All different, none at 0, at least 0.01 apart, in random order: differences never meet a kink or a tie.
pub fn apart(shape: impl Into<Shape>, seed: u64) -> HostTensor {
    let shape = shape.into();
    let mut random = SplitMix(seed);
    let len = shape.len();
    let mut values: Vec<f64> =
        (0..len).map(|i| f64::from(((i as f64 - (len / 2) as f64 + 0.5) * 0.01) as f32)).collect();
    for i in (1..len).rev() {
        values.swap(i, (random.next() % (i as u64 + 1)) as usize);
    }
    HostTensor::new(shape, values)
}

/// The nearest values that 16-bit floats hold.
pub fn halves(values: &HostTensor) -> HostTensor {
    let rounded: Vec<f64> = values.to_f64().into_iter().map(|x| f16::from_f64(x).to_f64()).collect();
    HostTensor::new(values.shape(), rounded)
}

/// Integers below `end`.
pub fn integers(shape: impl Into<Shape>, seed: u64, end: u32) -> HostTensor {
    let shape = shape.into();
    let mut random = SplitMix(seed);
    let values: Vec<u32> = (0..shape.len()).map(|_| (random.next() % u64::from(end)) as u32).collect();
    HostTensor::new(shape, values)
}

/// Bytes.
pub fn bytes(shape: impl Into<Shape>, seed: u64) -> HostTensor {
    let shape = shape.into();
    let mut random = SplitMix(seed);
    let values: Vec<u8> = (0..shape.len()).map(|_| random.next() as u8).collect();
    HostTensor::new(shape, values)
}
