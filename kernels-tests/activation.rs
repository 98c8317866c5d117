//! ReLU, leaky ReLU, sigmoid, tanh.

use lookalike::check::{Check, apart, halves};
use lookalike::ops::Activation;
use lookalike::tensor::DType;

const ALL: [Activation; 4] =
    [Activation::Relu, Activation::LeakyRelu(0.3), Activation::Sigmoid, Activation::Tanh];

#[test]
fn around_a_workgroup() {
    for activation in ALL {
        for len in [1, 255, 256, 257] {
            Check::new(&format!("{activation:?} of {len}"))
                .input(apart([len], 1))
                .run(|graph, v| Ok(vec![graph.activation(v[0], activation)?]));
        }
    }
}

#[test]
fn of_halves() {
    for activation in ALL {
        for len in [1, 257] {
            let check =
                Check::new(&format!("halves, {activation:?} of {len}")).input(halves(&apart([len], 1)));
            check.without_gradients().run(|graph, v| {
                let x = graph.cast(v[0], DType::F16)?;
                Ok(vec![graph.activation(x, activation)?])
            });
        }
    }
}

#[test]
fn folded_grid() {
    for activation in ALL {
        Check::new(&format!("{activation:?}"))
            .input(apart([3, 7, 100], 2))
            .folded()
            .run(|graph, v| Ok(vec![graph.activation(v[0], activation)?]));
    }
}
