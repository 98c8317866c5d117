//! Dropout: the mask on every device, its gradient, and what it must not depend on.

use lookalike::check::{Check, gpu, normal};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::ops::{Dropout, random};
use lookalike::tensor::{Data, HostTensor, TensorType};

fn step(value: u32) -> HostTensor {
    HostTensor::new([1], vec![value])
}

#[test]
fn around_a_block_and_a_workgroup() {
    for len in [1, 3, 4, 5, 1023, 1024, 1025] {
        for offset in [0, 1, 6] {
            let dropout = Dropout { rate: 0.4, seed: 1, stream: 2, offset };
            Check::new(&format!("{len} from {offset}"))
                .input(normal([len], 1))
                .input(step(3))
                .run(|graph, v| Ok(vec![graph.dropout(v[0], dropout, v[1])?]));
        }
    }
}

#[test]
fn folded_grid() {
    let dropout = Dropout { rate: 0.2, seed: 5, stream: random::stream("a"), offset: u32::MAX - 8000 };
    Check::new("near the largest offset")
        .input(normal([7, 1025], 1))
        .input(step(u32::MAX))
        .folded()
        .run(|graph, v| Ok(vec![graph.dropout(v[0], dropout, v[1])?]));
}

#[test]
fn rates_at_the_ends() {
    for rate in [0.0, 1.0 - f32::EPSILON / 2.0] {
        Check::new(&format!("rate {rate}"))
            .input(normal([257], 1))
            .input(step(0))
            .run(|graph, v| Ok(vec![graph.dropout(v[0], Dropout { rate, ..Dropout::default() }, v[1])?]));
    }
}

/// Elements of ones after dropout on the GPU.
fn mask(len: usize, dropout: Dropout, step: u32) -> Vec<f32> {
    let mut graph = Graph::new();
    let x = graph.fill([len], 1.0).unwrap();
    let at = graph.input("step", TensorType::u32([1]));
    let y = graph.dropout(x, dropout, at).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(gpu()), &[y]).unwrap();
    plan.write("step", &Data::U32(vec![step])).unwrap();
    plan.run().unwrap();
    plan.read(y).unwrap().to_f32()
}

#[test]
fn splitting_a_batch_changes_no_mask() {
    let whole = Dropout { rate: 0.5, seed: 3, stream: 9, offset: 0 };
    let parts: Vec<f32> = [(0, 10), (10, 7), (17, 83)]
        .into_iter()
        .flat_map(|(offset, len)| mask(len, Dropout { offset, ..whole }, 4))
        .collect();
    assert_eq!(mask(100, whole, 4), parts);
}

#[test]
fn seeds_streams_and_steps_give_different_masks_of_the_right_share() {
    let dropout = Dropout { rate: 0.25, seed: 1, stream: 2, offset: 0 };
    let first = mask(40_000, dropout, 0);
    assert_ne!(first, mask(40_000, dropout, 1));
    assert_ne!(first, mask(40_000, Dropout { seed: 2, ..dropout }, 0));
    assert_ne!(first, mask(40_000, Dropout { stream: 3, ..dropout }, 0));
    // Binomial: the deviation is sqrt(40 000 · 0.25 · 0.75) = 87, and five of them are allowed.
    let dropped = first.iter().filter(|&&y| y == 0.0).count();
    assert!(dropped.abs_diff(10_000) < 435, "{dropped} of 40 000 dropped");
}

#[test]
fn rates_outside_are_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([2, 3]));
    let step = graph.input("step", TensorType::u32([1]));
    for rate in [-0.1, 1.0, f32::NAN] {
        let problem = graph.dropout(x, Dropout { rate, ..Dropout::default() }, step).unwrap_err().to_string();
        assert_eq!(problem, format!("dropout: the rate is at least 0 and less than 1, given {rate}"));
    }
    let far = Dropout { offset: u32::MAX, ..Dropout::default() };
    assert!(graph.dropout(x, far, step).unwrap_err().to_string().contains("f32 [2, 3]"));
    assert!(graph.dropout(step, Dropout::default(), step).is_err());
    assert!(graph.dropout(x, Dropout::default(), x).is_err());
}
