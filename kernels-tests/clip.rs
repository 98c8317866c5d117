//! Clipping by the common norm: below it, above it, sizes around a workgroup, folded grids.

use lookalike::check::{Check, gpu, normal};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::tensor::{Data, TensorType};

#[test]
fn around_a_workgroup() {
    for len in [1, 255, 256, 257] {
        for most in [0.1, 1000.0] {
            Check::new(&format!("{len} elements, at most {most}"))
                .input(normal([len], 1))
                .input(normal([3, 5], 2))
                .terms(len + 15)
                .without_gradients()
                .run(|graph, v| graph.clip_by_global_norm(&[v[0], v[1]], most));
        }
    }
}

#[test]
fn folded_grid() {
    Check::new("folded")
        .input(normal([3, 7, 100], 1))
        .terms(2100)
        .without_gradients()
        .folded()
        .run(|graph, v| graph.clip_by_global_norm(&[v[0]], 2.0));
}

#[test]
fn the_norm_is_that_of_all_together() {
    let mut graph = Graph::new();
    let a = graph.input("a", TensorType::f32([2]));
    let b = graph.input("b", TensorType::f32([1]));
    let clipped = graph.clip_by_global_norm(&[a, b], 3.5).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(gpu()), &clipped).unwrap();
    let mut run = |scale: f32| {
        plan.write("a", &Data::F32(vec![2.0 * scale, 3.0 * scale])).unwrap();
        plan.write("b", &Data::F32(vec![-6.0 * scale])).unwrap();
        plan.run().unwrap();
        let mut values = plan.read(clipped[0]).unwrap().to_f32();
        values.extend(plan.read(clipped[1]).unwrap().to_f32());
        values
    };
    // √(4 + 9 + 36) = 7, halved.
    assert_eq!(run(1.0), [1.0, 1.5, -3.0]);
    assert_eq!(run(0.1), [2.0 * 0.1, 3.0 * 0.1, -6.0 * 0.1], "below the bound nothing changes");
}

#[test]
fn a_bound_that_is_none_is_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([3]));
    for most in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let problem = graph.clip_by_global_norm(&[x], most).unwrap_err().to_string();
        assert!(problem.starts_with("clip: the norm is positive"), "{problem}");
    }
}
