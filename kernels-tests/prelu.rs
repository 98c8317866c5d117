//! `prelu`.

use lookalike::Error;
use lookalike::check::{Check, apart, normal};
use lookalike::graph::Graph;
use lookalike::tensor::{HostTensor, TensorType};

fn prelu(name: &str, shape: &[usize]) -> Check {
    let channels = *shape.last().expect("an axis of channels");
    let rows = shape.iter().product::<usize>() / channels;
    Check::new(name).input(apart(shape, 1)).input(normal([channels], 2)).terms(rows)
}

#[test]
fn shapes() {
    for (name, shape) in [
        ("one element", &[1, 1][..]),
        ("a vector", &[5]),
        ("images", &[2, 3, 5, 7]),
        ("one below a workgroup", &[1, 255]),
        ("a workgroup", &[8, 32]),
        ("one above a workgroup", &[257, 1]),
        ("one above the columns of a workgroup", &[3, 33]),
        ("one below a chunk of rows", &[255, 3]),
        ("a chunk of rows", &[256, 3]),
        ("one above a chunk of rows", &[257, 3]),
    ] {
        prelu(name, shape).run(|graph, v| Ok(vec![graph.prelu(v[0], v[1])?]));
    }
}

#[test]
fn folded_grid() {
    prelu("element-wise", &[2, 40, 30]).folded().run(|graph, v| Ok(vec![graph.prelu(v[0], v[1])?]));
    prelu("sums over rows", &[256 * 7 + 1, 1]).folded().run(|graph, v| Ok(vec![graph.prelu(v[0], v[1])?]));
}

#[test]
fn at_zero_the_gradient_is_that_of_the_side_below() {
    // The reference takes the same side; that the side is PyTorch's is checked by golden values.
    Check::new("zeros")
        .input(HostTensor::new([2, 2], vec![0.0f32, -0.0, 1.0, -1.0]))
        .state("alpha", HostTensor::new([2], vec![0.25f32, 0.5]))
        .without_gradients()
        .run(|graph, v| {
            let y = graph.prelu(v[0], v[1])?;
            let dy = graph.fill([2, 2], 1.0)?;
            Ok(vec![y, graph.gradients_of(&[(y, dy)], &[v[0]])?[0]])
        });
}

#[test]
fn wrong_shapes_are_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([2, 3]));
    for alpha in [&[2][..], &[1, 3], &[]] {
        let alpha = graph.input("alpha", TensorType::f32(alpha));
        let problem = graph.prelu(x, alpha).unwrap_err();
        assert!(matches!(&problem, Error::Shape { op: "prelu", .. }), "{problem}");
        assert!(problem.to_string().contains("x: [2, 3], alpha: ["), "{problem}");
    }
}
