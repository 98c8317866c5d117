//! Initial values of parameters, as Keras makes them, from counter-based random numbers.

use crate::ops::random;
use crate::tensor::{HostTensor, Shape};

/// How a parameter is filled before training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initializer {
    /// Zeros: biases.
    Zeros,
    /// Ones: the scale of batch normalisation.
    Ones,
    /// Evenly in ±√(6 / (fan_in + fan_out)) (Glorot and Bengio, AISTATS 2010): Keras's default for kernels.
    GlorotUniform,
    /// One value.
    Constant(f32),
}

impl Initializer {
    /// The values for the parameter `name` of shape `shape`. The same seed, name and shape give the same values
    /// everywhere; names make parameters independent of each other and of their order.
    pub fn values(self, name: &str, shape: &Shape, seed: u32) -> HostTensor {
        let len = shape.len();
        let values = match self {
            Initializer::Zeros => vec![0.0; len],
            Initializer::Ones => vec![1.0; len],
            Initializer::Constant(value) => vec![value; len],
            Initializer::GlorotUniform => {
                let [fan_in, fan_out] = fans(shape);
                let limit = (6.0 / (fan_in + fan_out) as f64).sqrt();
                let stream = random::stream(name);
                (0..len as u32)
                    .map(|element| {
                        let unit =
                            f64::from(random::word(seed, stream, 0, element) >> 8) / f64::from(1u32 << 24);
                        ((2.0 * unit - 1.0) * limit) as f32
                    })
                    .collect()
            }
        };
        HostTensor::new(shape.clone(), values)
    }
}

/// Inputs and outputs that a kernel `[…window, in, out]` connects, as Keras counts them.
fn fans(shape: &Shape) -> [usize; 2] {
    match shape[..] {
        [] => [1, 1],
        [n] => [n, n],
        [ref window @ .., fan_in, fan_out] => {
            let window: usize = window.iter().product();
            [window * fan_in, window * fan_out]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fans_are_keras_own() {
        // keras.src.initializers.random_initializers.compute_fans
        assert_eq!(fans(&Shape::from([3, 3, 16, 32])), [144, 288]);
        assert_eq!(fans(&Shape::from([100, 10])), [100, 10]);
    }

    #[test]
    fn glorot_fills_its_range() {
        let shape = Shape::from([64, 32]);
        let limit = (6.0f32 / 96.0).sqrt();
        let values = Initializer::GlorotUniform.values("dense/kernel", &shape, 1).to_f32();
        let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        assert!(largest <= limit && largest > 0.99 * limit);
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.02 * limit.max(1.0));
        assert_ne!(values, Initializer::GlorotUniform.values("dense_1/kernel", &shape, 1).to_f32());
        assert_ne!(values, Initializer::GlorotUniform.values("dense/kernel", &shape, 2).to_f32());
    }
}
