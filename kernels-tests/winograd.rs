//! How much Winograd's transforms lose, against the bounds that are stated for them. That they are right at all shapes
//! is tested in `conv2d.rs`.

use lookalike::Device;
use lookalike::check::{gpu, normal};
use lookalike::graph::{Graph, Params, Plan, Var};
use lookalike::ops::{Conv2d, Padding};
use lookalike::tensor::{HostTensor, TensorType};

const CHANNELS: usize = 128;
const X: [usize; 4] = [1, 14, 14, CHANNELS];
const WEIGHT: [usize; 4] = [3, 3, CHANNELS, CHANNELS];

/// y, dx and dweight of a layer as VGG16 has them, with inputs as behind a ReLU.
fn values(device: &Device) -> Vec<HostTensor> {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32(X));
    let weight = graph.input("weight", TensorType::f32(WEIGHT));
    let dy = graph.input("dy", TensorType::f32(X));
    let same = Conv2d { padding: Padding::Same, ..Conv2d::default() };
    let y = graph.conv2d(x, weight, None, same).unwrap();
    let gradients = graph.gradients_of(&[(y, dy)], &[x, weight]).unwrap();
    let outputs: Vec<Var> = [y].into_iter().chain(gradients).collect();
    let mut plan = Plan::new(&graph, &Params::new(device), &outputs).unwrap();
    let positive: Vec<f32> = normal(X, 1).to_f32().iter().map(|x| x.max(0.0)).collect();
    plan.write("x", HostTensor::new(X, positive).data()).unwrap();
    plan.write("weight", normal(WEIGHT, 2).data()).unwrap();
    plan.write("dy", normal(X, 3).data()).unwrap();
    plan.run().unwrap();
    outputs.iter().map(|&output| plan.read(output).unwrap()).collect()
}

/// Largest error, in parts of the largest value.
fn error(expected: &HostTensor, found: &HostTensor) -> f64 {
    let (expected, found) = (expected.to_f64(), found.to_f64());
    let largest = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    expected.iter().zip(&found).fold(0.0, |worst: f64, (e, f)| worst.max((e - f).abs())) / largest
}

#[test]
fn the_error_stays_within_the_stated_bound() {
    let expected = values(&Device::reference());
    for (variant, bound) in [("tile-32", 1e-6), ("winograd-2", 2e-6), ("winograd-4", 2e-5)] {
        let found = values(&gpu().preferring(variant));
        for ((name, expected), found) in ["y", "dx", "dweight"].into_iter().zip(&expected).zip(&found) {
            let error = error(expected, found);
            println!("{variant} {name}: {error:.1e}");
            assert!(error < bound, "{variant}, {name}: {error:.1e}, stated below {bound:.0e}");
        }
    }
}
