//! `softmax`.

use lookalike::check::{Check, gpu, normal, uniform};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::tensor::TensorType;
use lookalike::{Device, Error};

#[test]
fn rows_and_lengths() {
    for (name, shape) in [
        ("one class", [1, 1]),
        ("one row", [1, 7]),
        ("as many rows of 1 as threads, and one", [257, 1]),
        ("one below a workgroup of rows", [15, 10]),
        ("a workgroup of rows", [16, 10]),
        ("one above a workgroup of rows", [17, 10]),
        ("one below a workgroup's length", [2, 255]),
        ("a workgroup's length", [2, 256]),
        ("one above a workgroup's length", [2, 257]),
        ("long rows", [2, 3001]),
    ] {
        Check::new(name)
            .input(normal(shape, 1))
            .terms(shape[1])
            .run(|graph, v| Ok(vec![graph.softmax(v[0])?]));
    }
}

#[test]
fn large_logits_do_not_overflow() {
    Check::new("up to ±500")
        .input(uniform([5, 20], 2, -500.0, 500.0))
        .terms(20)
        .run(|graph, v| Ok(vec![graph.softmax(v[0])?]));
}

#[test]
fn folded_grid() {
    Check::new("folded")
        .input(normal([8 * 16, 10], 3))
        .terms(10)
        .folded()
        .run(|graph, v| Ok(vec![graph.softmax(v[0])?]));
}

#[test]
fn infinities_are_those_of_pytorch() {
    // torch.softmax(torch.tensor([[-torch.inf, 0, 0], [-torch.inf] * 3, [torch.nan, 0, 0]]), 1)
    const LOW: f32 = f32::NEG_INFINITY;
    let x = [LOW, 0.0, 0.0, LOW, LOW, LOW, f32::NAN, 0.0, 0.0];
    for device in [gpu().clone(), Device::cpu()] {
        let mut graph = Graph::new();
        let input = graph.input("x", TensorType::f32([3, 3]));
        let y = graph.softmax(input).unwrap();
        let mut plan = Plan::new(&graph, &Params::new(&device), &[y]).unwrap();
        plan.write("x", &x[..].into()).unwrap();
        plan.run().unwrap();
        let found = plan.read(y).unwrap().to_f32();
        assert_eq!(found[..3], [0.0, 0.5, 0.5], "{device}");
        assert!(found[3..].iter().all(|y| y.is_nan()), "{device}: {found:?}");
    }
}

#[test]
fn wrong_ranks_are_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([2, 3, 4]));
    let problem = graph.softmax(x).unwrap_err();
    assert!(matches!(&problem, Error::Shape { op: "softmax", .. }), "{problem}");
    assert!(problem.to_string().contains("[2, 3, 4]"), "{problem}");
}
