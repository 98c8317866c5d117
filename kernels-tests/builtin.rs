//! `fill` and `add`.

use lookalike::check::{Check, normal};

#[test]
fn fill() {
    for len in [1, 255, 256, 257] {
        Check::new("around a workgroup")
            .without_gradients()
            .run(|graph, _| Ok(vec![graph.fill([len], 1.5)?]));
    }
}

#[test]
fn add() {
    for (name, shape) in
        [("one element", vec![1]), ("one over a workgroup", vec![257]), ("three axes", vec![3, 5, 7])]
    {
        Check::new(name)
            .input(normal(shape.clone(), 1))
            .input(normal(shape, 2))
            .run(|graph, v| Ok(vec![graph.add(v[0], v[1])?]));
    }
    Check::new("folded grid")
        .input(normal([7 * 256 + 1], 1))
        .input(normal([7 * 256 + 1], 2))
        .folded()
        .run(|graph, v| Ok(vec![graph.add(v[0], v[1])?]));
}

#[test]
fn a_tensor_used_twice_gets_both_gradients() {
    Check::new("x + x").input(normal([5], 3)).run(|graph, v| Ok(vec![graph.add(v[0], v[0])?]));
}
