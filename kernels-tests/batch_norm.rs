//! `batch_norm`.

use lookalike::Error;
use lookalike::check::{Check, gpu, normal};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::tensor::{HostTensor, TensorType};

const EPSILON: f32 = 1e-3;

fn batch_norm(name: &str, x: HostTensor) -> Check {
    let channels = *x.shape().last().expect("an axis of channels");
    let rows = x.shape().len() / channels;
    Check::new(name).input(x).input(normal([channels], 2)).input(normal([channels], 3)).terms(rows)
}

fn run(case: Check) {
    case.run(|graph, v| Ok(vec![graph.batch_norm(v[0], v[1], v[2], EPSILON)?.y]));
}

fn run_with_statistics(case: Check) {
    case.without_gradients().run(|graph, v| {
        let norm = graph.batch_norm(v[0], v[1], v[2], EPSILON)?;
        Ok(vec![norm.y, norm.mean, norm.variance])
    });
}

#[test]
fn shapes() {
    for (name, shape) in [
        ("one channel", &[5, 1][..]), // of two rows, dx would all but vanish
        ("a batch of vectors", &[8, 5]),
        ("a batch of images", &[2, 3, 5, 7]),
        ("one below the columns of a workgroup", &[3, 31]),
        ("the columns of a workgroup", &[3, 32]),
        ("one above the columns of a workgroup", &[3, 33]),
        ("one below a chunk of rows", &[255, 3]),
        ("a chunk of rows", &[1, 16, 16, 2]),
        ("one above a chunk of rows", &[257, 3]),
        ("several chunks", &[3, 10, 30, 2]),
    ] {
        run(batch_norm(name, normal(shape, 1)));
        run_with_statistics(batch_norm(name, normal(shape, 1)));
    }
}

#[test]
fn one_row_gives_beta() {
    // The variance is exactly 0, so y is beta and dx is 0, for any epsilon.
    run(batch_norm("one row", normal([1, 5], 1)));
}

#[test]
fn folded_grid() {
    run(batch_norm("element-wise", normal([2, 30, 40, 3], 1)).folded());
    run(batch_norm("sums over rows", normal([7 * 256 + 1, 1], 1)).folded());
}

#[test]
fn more_rows_than_chunks_of_the_shortest_length() {
    run_with_statistics(batch_norm("200 000 rows", normal([200_000, 2], 1)));
}

#[test]
fn a_large_mean_does_not_cancel() {
    let device = gpu();
    let rows = 4096;
    // 10 000 ± 1: E[x²] − E[x]² has no correct digit in 32 bits.
    let x: Vec<f32> = (0..rows).map(|i| if i % 2 == 0 { 9999.0 } else { 10_001.0 }).collect();
    let mut graph = Graph::new();
    let input = graph.input("x", TensorType::f32([rows, 1]));
    let (one, zero) = (graph.fill([1], 1.0).unwrap(), graph.fill([1], 0.0).unwrap());
    let norm = graph.batch_norm(input, one, zero, EPSILON).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(device), &[norm.mean, norm.variance]).unwrap();
    plan.write("x", &x.into()).unwrap();
    plan.run().unwrap();
    assert_eq!(plan.read(norm.mean).unwrap().to_f32(), [10_000.0]);
    assert_eq!(plan.read(norm.variance).unwrap().to_f32(), [1.0]);
}

#[test]
fn the_statistics_have_no_gradient() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([4, 1]));
    let (gamma, beta) = (graph.fill([1], 1.0).unwrap(), graph.fill([1], 0.0).unwrap());
    let norm = graph.batch_norm(x, gamma, beta, EPSILON).unwrap();
    for statistic in [norm.mean, norm.variance] {
        assert!(matches!(graph.gradients(statistic, &[x]), Err(Error::NotDifferentiable(_))));
    }
    let y = graph.reshape(norm.y, [4]).unwrap();
    let all = graph.concat(&[y, norm.mean], 0).unwrap();
    let seed = graph.fill([5], 1.0).unwrap();
    assert!(matches!(graph.gradients_of(&[(all, seed)], &[x]), Err(Error::NotDifferentiable(_))));
}

#[test]
fn wrong_shapes_are_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([2, 3]));
    let cube = graph.input("cube", TensorType::f32([2, 3, 3]));
    let three = graph.input("three", TensorType::f32([3]));
    let two = graph.input("two", TensorType::f32([2]));
    for (x, gamma, beta, epsilon, message) in [
        (cube, three, three, EPSILON, "x: [2, 3, 3]"),
        (x, two, three, EPSILON, "x: [2, 3], gamma: [2]"),
        (x, three, two, EPSILON, "x: [2, 3], beta: [2]"),
        (x, three, three, 0.0, "epsilon"),
    ] {
        let problem = graph.batch_norm(x, gamma, beta, epsilon).unwrap_err();
        assert!(matches!(&problem, Error::Shape { op: "batch_norm", .. }), "{problem}");
        assert!(problem.to_string().contains(message), "{problem}");
    }
}
