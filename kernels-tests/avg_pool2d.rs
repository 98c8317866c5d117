//! Average pooling.

use lookalike::check::{Check, normal};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::ops::{Padding, Pool2d};
use lookalike::tensor::TensorType;
use lookalike::{Device, Error};

const SIDES: Padding = Padding::Explicit([[1, 0], [2, 1]]);

fn pool(window: [usize; 2], stride: [usize; 2], padding: Padding, ceil: bool) -> Pool2d {
    Pool2d { window, stride, padding, ceil }
}

#[test]
fn shapes() {
    for (name, shape, pool) in [
        ("one pixel", [1, 1, 1, 1], Pool2d::square(1)),
        ("an odd row and column are dropped", [2, 5, 7, 3], Pool2d::square(2)),
        ("stride larger than the window", [1, 8, 9, 2], pool([2, 1], [3, 4], Padding::Valid, false)),
        ("window larger than the image", [1, 1, 2, 1], pool([3, 3], [1, 1], Padding::Same, false)),
        ("same padding, stride 1", [2, 5, 4, 3], pool([3, 3], [1, 1], Padding::Same, false)),
        ("same padding, stride 2", [1, 6, 7, 2], pool([3, 3], [2, 2], Padding::Same, false)),
        ("asymmetric padding, pairs", [1, 6, 7, 5], pool([2, 4], [1, 3], SIDES, false)),
        ("ceil mode", [1, 6, 7, 2], pool([3, 3], [2, 2], Padding::Valid, true)),
        ("ceil mode with padding", [1, 6, 8, 2], pool([3, 3], [2, 2], SIDES, true)),
        ("one below a workgroup", [1, 5, 51, 1], pool([1, 1], [1, 1], Padding::Valid, false)),
        ("a workgroup", [1, 16, 16, 1], pool([1, 2], [1, 1], Padding::Same, false)),
        ("one above a workgroup", [1, 1, 257, 1], pool([1, 2], [1, 1], Padding::Same, false)),
    ] {
        Check::new(name)
            .input(normal(shape, 1))
            .terms(9)
            .run(|graph, v| Ok(vec![graph.avg_pool2d(v[0], pool)?]));
    }
}

#[test]
fn folded_grid() {
    Check::new("folded")
        .input(normal([2, 32, 33, 9], 1))
        .terms(4)
        .folded()
        .run(|graph, v| Ok(vec![graph.avg_pool2d(v[0], Pool2d::square(2))?]));
}

#[test]
fn padding_does_not_count() {
    let device = Device::reference();
    let mut graph = Graph::new();
    let ones = graph.fill([1, 2, 3, 1], 1.0).unwrap();
    let y = graph.avg_pool2d(ones, pool([3, 3], [1, 1], Padding::Same, false)).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(&device), &[y]).unwrap();
    plan.run().unwrap();
    assert_eq!(plan.read(y).unwrap().to_f64(), [1.0; 6]);
}

#[test]
fn wrong_shapes_are_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([4, 3]));
    let problem = graph.avg_pool2d(x, Pool2d::square(2)).unwrap_err();
    assert!(matches!(&problem, Error::Shape { op: "avg_pool2d", .. }), "{problem}");
    assert!(problem.to_string().contains("[4, 3]"), "{problem}");
}
