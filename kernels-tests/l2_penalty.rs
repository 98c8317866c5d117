//! The L2 penalty: sizes around a workgroup and a piece of 4,096, folded grids.

use lookalike::check::{Check, normal};
use lookalike::graph::Graph;
use lookalike::tensor::TensorType;

#[test]
fn around_a_workgroup_and_a_piece() {
    for len in [1, 255, 256, 257, 4095, 4096, 4097] {
        Check::new(&format!("{len} elements"))
            .input(normal([len], 1))
            .terms(len)
            .run(|graph, v| Ok(vec![graph.l2_penalty(v[0], 0.01)?]));
    }
}

#[test]
fn folded_grid() {
    // Seven pieces and one element; the gradient has more groups than that.
    let len = 7 * 4096 + 1;
    Check::new("partial, backward")
        .input(normal([len], 1))
        .terms(len)
        .folded()
        .run(|graph, v| Ok(vec![graph.l2_penalty(v[0], 1e-4)?]));
}

#[test]
fn more_pieces_than_threads() {
    let len = 257 * 4096;
    Check::new("257 pieces")
        .state("x", normal([1027, 1025], 1))
        .terms(len)
        .without_gradients()
        .run(|graph, v| Ok(vec![graph.l2_penalty(v[0], 0.5)?]));
}

#[test]
fn integers_are_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::u32([3]));
    assert_eq!(graph.l2_penalty(x, 1.0).unwrap_err().to_string(), "l2 penalty: input 0 is u32, expected f32");
}
