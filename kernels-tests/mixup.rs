//! Mixup: even and odd batches, a batch of one, folded grids.

use lookalike::check::{Check, gpu, normal};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::tensor::{Data, HostTensor, TensorType};

#[test]
fn even_and_odd_batches() {
    for shape in [vec![1, 7], vec![2, 3], vec![5, 3, 2], vec![4, 257], vec![6]] {
        Check::new(&format!("{shape:?}"))
            .input(normal(shape, 1))
            .state("share", HostTensor::new([1], vec![0.3f32]))
            .run(|graph, v| Ok(vec![graph.mixup(v[0], v[1])?]));
    }
}

#[test]
fn folded_grid() {
    Check::new("folded")
        .input(normal([21, 100], 1))
        .state("share", HostTensor::new([1], vec![0.8f32]))
        .folded()
        .run(|graph, v| Ok(vec![graph.mixup(v[0], v[1])?]));
}

#[test]
fn a_row_is_mixed_with_the_one_opposite() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([3, 2]));
    let share = graph.input("share", TensorType::f32([1]));
    let y = graph.mixup(x, share).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(gpu()), &[y]).unwrap();
    plan.write("x", &Data::F32(vec![0.0, 4.0, 10.0, 20.0, 8.0, 0.0])).unwrap();
    plan.write("share", &Data::F32(vec![0.75])).unwrap();
    plan.run().unwrap();
    assert_eq!(plan.read(y).unwrap().to_f32(), [2.0, 3.0, 10.0, 20.0, 6.0, 1.0]);
}

#[test]
fn a_number_has_no_rows() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([]));
    let share = graph.input("share", TensorType::f32([1]));
    assert!(graph.mixup(x, share).unwrap_err().to_string().contains("has no rows"));
}
