//! `residual_add`.

use lookalike::Error;
use lookalike::check::{Check, normal};
use lookalike::graph::Graph;
use lookalike::ops::Activation;
use lookalike::tensor::TensorType;

const ACTIVATIONS: [Activation; 3] = [Activation::Linear, Activation::Relu, Activation::Sigmoid];

fn sum(name: &str, a: [usize; 4], b: [usize; 4]) -> Check {
    Check::new(&format!("{name}: {a:?} + {b:?}")).input(normal(a, 1)).input(normal(b, 2))
}

#[test]
fn sides_of_any_size() {
    for (name, a, b) in [
        ("one element", [1, 1, 1, 1], [1, 1, 1, 1]),
        ("equal sizes", [2, 3, 5, 7], [2, 3, 5, 7]),
        ("b lacks channels", [2, 4, 4, 6], [2, 4, 4, 3]),
        ("b lacks rows and columns", [2, 5, 4, 3], [2, 4, 3, 3]),
        ("a halved and widened, as in dlib's network", [2, 3, 3, 8], [2, 4, 4, 4]),
        ("each lacks what the other has", [3, 2, 5, 1], [3, 5, 2, 4]),
        ("one pixel against many", [1, 1, 1, 9], [1, 6, 7, 1]),
        ("around a workgroup", [1, 17, 15, 1], [1, 16, 16, 1]),
        ("one above a workgroup", [1, 1, 257, 1], [1, 1, 256, 1]),
    ] {
        for activation in ACTIVATIONS {
            let case = sum(&format!("{name}, {activation:?}"), a, b);
            case.run(move |graph, v| Ok(vec![graph.residual_add(v[0], v[1], activation)?]));
        }
    }
}

#[test]
fn folded_grid() {
    sum("folded", [2, 12, 31, 4], [2, 13, 30, 3])
        .folded()
        .run(|graph, v| Ok(vec![graph.residual_add(v[0], v[1], Activation::Relu)?]));
}

#[test]
fn the_same_tensor_twice() {
    Check::new("x and x")
        .input(normal([2, 3, 3, 2], 1))
        .run(|graph, v| Ok(vec![graph.residual_add(v[0], v[0], Activation::Relu)?]));
}

#[test]
fn what_is_no_pair_of_images_is_refused() {
    let mut graph = Graph::new();
    let image = graph.input("image", TensorType::f32([2, 3, 3, 1]));
    let fewer = graph.input("fewer", TensorType::f32([1, 3, 3, 1]));
    let row = graph.input("row", TensorType::f32([2, 9]));
    let bytes = graph.input("bytes", TensorType::u8([2, 3, 3, 1]));
    for (a, b) in [(image, fewer), (image, row), (row, image)] {
        let problem = graph.residual_add(a, b, Activation::Relu).unwrap_err();
        assert!(matches!(&problem, Error::Shape { op: "residual_add", .. }), "{problem}");
    }
    let problem = graph.residual_add(image, fewer, Activation::Relu).unwrap_err().to_string();
    assert!(problem.contains("a: [2, 3, 3, 1], b: [1, 3, 3, 1]"), "{problem}");
    assert!(matches!(graph.residual_add(image, bytes, Activation::Relu), Err(Error::Type { .. })));
    assert!(graph.residual_add(image, image, Activation::LeakyRelu(0.0)).is_err());
}
