//! Adam: both forms, decay, sizes around a piece of 4,096, and step counts up to 100,000.

use lookalike::check::{Check, normal, uniform};
use lookalike::graph::Graph;
use lookalike::ops::{Adam, AdamForm};
use lookalike::tensor::{HostTensor, TensorType};

const FORMS: [AdamForm; 2] = [AdamForm::Keras, AdamForm::PyTorch];

/// A parameter of 0 shows the step itself, so that rounding is relative to it.
fn case(name: &str, param: HostTensor, step: u32) -> Check {
    let shape = param.shape().clone();
    Check::new(name)
        .input(normal(&shape, 1))
        .state("param", param)
        .state("m", normal(&shape, 2))
        .state("v", uniform(&shape, 3, 0.5, 2.0))
        .state("step", HostTensor::new([1], vec![step]))
        .state("rate", HostTensor::new([1], vec![0.1f32]))
        .without_gradients()
}

fn zeros(len: usize) -> HostTensor {
    HostTensor::new([len], vec![0f32; len])
}

fn run(case: Check, adam: Adam) {
    case.run(|graph, v| graph.adam(v[1], v[0], v[2], v[3], v[4], v[5], adam).map(|()| vec![]));
}

#[test]
fn around_a_workgroup_and_a_piece() {
    for len in [1, 255, 256, 257, 4095, 4096, 4097] {
        for form in FORMS {
            let adam = Adam { form, epsilon: 0.01, weight_decay: 0.05, ..Adam::default() };
            run(case(&format!("{form:?}, {len}"), normal([len], 4), 3), adam);
        }
    }
}

#[test]
fn folded_grid() {
    run(case("seven pieces and one", normal([7 * 4096 + 1], 4), 0).folded(), Adam::default());
}

#[test]
fn bias_corrections_stay_accurate() {
    for step in [0, 1, 2, 6, 9, 31, 99, 510, 999, 4_095, 9_998, 65_534, 65_535, 99_998, 99_999] {
        for (beta1, beta2) in [(0.9, 0.999), (0.5, 0.9999), (0.0, 0.99)] {
            for form in FORMS {
                let adam = Adam { beta1, beta2, form, epsilon: 0.1, weight_decay: 0.0 };
                run(case(&format!("{adam:?}, step {step}"), zeros(5), step), adam);
            }
        }
    }
}

#[test]
fn moments_of_zero_move_nothing() {
    let zeros = || zeros(3);
    let still = Check::new("all zero")
        .input(zeros())
        .state("param", normal([3], 1))
        .state("m", zeros())
        .state("v", zeros())
        .state("step", HostTensor::new([1], vec![0u32]))
        .state("rate", HostTensor::new([1], vec![0.1f32]))
        .without_gradients();
    run(still, Adam::default());
}

#[test]
fn misfits_are_refused() {
    let mut graph = Graph::new();
    let mut state = |name: &str, ty| graph.state(name, ty).unwrap();
    let (param, m, v) = (
        state("param", TensorType::f32([3])),
        state("m", TensorType::f32([3])),
        state("v", TensorType::f32([4])),
    );
    let (step, rate) = (state("step", TensorType::u32([1])), state("rate", TensorType::f32([1])));
    let problem = graph.adam(param, m, m, v, step, rate, Adam::default()).unwrap_err().to_string();
    assert_eq!(problem, "adam: v is f32 [4], expected f32 [3]");
    let adam = Adam { beta2: 1.0, ..Adam::default() };
    let problem = graph.adam(param, m, m, param, step, rate, adam).unwrap_err().to_string();
    assert_eq!(problem, "adam: beta2 is at least 0 and less than 1, given 1");
}
