//! `concat`.

use lookalike::Error;
use lookalike::check::{Check, normal};
use lookalike::graph::Graph;
use lookalike::tensor::TensorType;

fn join(name: &str, shapes: &[&[usize]], axis: usize) -> Check {
    let seeds = 1..;
    let case = Check::new(&format!("{name}, axis {axis}"));
    shapes.iter().zip(seeds).fold(case, |case, (&shape, seed)| case.input(normal(shape, seed)))
}

#[test]
fn axes_and_sizes() {
    for (name, shapes, axis) in [
        ("one element each", &[&[1][..], &[1]][..], 0),
        ("a single tensor", &[&[2, 3]], 1),
        ("unequal vectors", &[&[3], &[5], &[1]], 0),
        ("rows", &[&[2, 3], &[4, 3]], 0),
        ("columns", &[&[2, 3], &[2, 5]], 1),
        ("channels", &[&[2, 3, 2, 5], &[2, 3, 2, 1], &[2, 3, 2, 4]], 3),
        ("a middle axis", &[&[2, 3, 2, 5], &[2, 1, 2, 5]], 1),
        ("around a workgroup", &[&[1, 255], &[1, 256], &[1, 257]], 1),
        ("more tensors than storage buffers", &[&[2, 1][..]; 11], 1),
    ] {
        join(name, shapes, axis).run(move |graph, v| Ok(vec![graph.concat(v, axis)?]));
    }
}

#[test]
fn folded_grid() {
    join("folded", &[&[2, 33, 31], &[2, 33, 2]], 2).folded().run(|graph, v| Ok(vec![graph.concat(v, 2)?]));
}

#[test]
fn the_same_tensor_twice() {
    Check::new("x and x").input(normal([2, 3], 1)).run(|graph, v| Ok(vec![graph.concat(&[v[0], v[0]], 1)?]));
}

#[test]
fn wrong_shapes_are_refused() {
    let mut graph = Graph::new();
    let a = graph.input("a", TensorType::f32([2, 3]));
    let b = graph.input("b", TensorType::f32([3, 2]));
    let c = graph.input("c", TensorType::f32([2]));
    for (xs, axis) in [(&[a, b][..], 0), (&[a, c], 1), (&[a, a], 2), (&[], 0)] {
        let problem = graph.concat(xs, axis).unwrap_err();
        assert!(matches!(&problem, Error::Shape { op: "concat", .. }), "{problem}");
    }
    assert!(graph.concat(&[a, b], 0).unwrap_err().to_string().contains("[2, 3], [3, 2]"));
}
