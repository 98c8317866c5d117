//! Adam: both forms, decay, sizes around a piece of 4,096, and step counts up to 100,000.

use lookalike::check::{Check, normal, uniform};
use lookalike::graph::{Graph, Var};
use lookalike::ops::{Adam, AdamForm};
use lookalike::tensor::{HostTensor, Shape, TensorType};

const FORMS: [AdamForm; 2] = [AdamForm::Keras, AdamForm::PyTorch];

/// m of either sign, v positive.
fn moments(shape: &Shape) -> HostTensor {
    let (m, v) = (normal(shape, 2).to_f32(), uniform(shape, 3, 0.5, 2.0).to_f32());
    let shape: Vec<usize> = [2].into_iter().chain(shape.iter().copied()).collect();
    HostTensor::new(shape, [m, v].concat())
}

/// A parameter of 0 shows the step itself, so that rounding is relative to it.
fn case(name: &str, param: HostTensor, step: u32) -> Check {
    let shape = param.shape().clone();
    Check::new(name)
        .input(normal(&shape, 1))
        .state("param", param)
        .state("moments", moments(&shape))
        .state("step", HostTensor::new([1], vec![step]))
        .state("rate", HostTensor::new([1], vec![0.1f32]))
        .without_gradients()
}

fn zeros(len: usize) -> HostTensor {
    HostTensor::new([len], vec![0f32; len])
}

fn run(case: Check, adam: Adam) {
    case.run(|graph, v| graph.adam(&[[v[1], v[0], v[2]]], v[3], v[4], adam).map(|()| vec![]));
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
        .state("moments", HostTensor::new([2, 3], vec![0f32; 6]))
        .state("step", HostTensor::new([1], vec![0u32]))
        .state("rate", HostTensor::new([1], vec![0.1f32]))
        .without_gradients();
    run(still, Adam::default());
}

#[test]
fn misfits_are_refused() {
    let mut graph = Graph::new();
    let mut state = |name: &str, ty| graph.state(name, ty).unwrap();
    let (param, moments) = (state("param", TensorType::f32([3])), state("moments", TensorType::f32([2, 3])));
    let (step, rate) = (state("step", TensorType::u32([1])), state("rate", TensorType::f32([1])));
    let mut problem =
        |tensors: [Var; 3], adam| graph.adam(&[tensors], step, rate, adam).unwrap_err().to_string();
    assert_eq!(
        problem([param, param, param], Adam::default()),
        "adam: the state of moments is f32 [3], expected f32 [2, 3]"
    );
    let adam = Adam { beta2: 1.0, ..Adam::default() };
    assert_eq!(problem([param, param, moments], adam), "adam: beta2 is at least 0 and less than 1, given 1");
}

/// Parameters of any number and size, two in a dispatch.
#[test]
fn several_parameters_share_dispatches() {
    for lens in [vec![3, 5], vec![4097, 1], vec![256, 9000, 7], vec![1, 4096, 4096, 300]] {
        let mut check = Check::new(&format!("{lens:?}")).without_gradients();
        for (at, &len) in (0..).zip(&lens) {
            check = check.input(normal([len], at));
        }
        for (at, &len) in (0..).zip(&lens) {
            check = check.state(&format!("param{at}"), normal([len], 10 + at));
            check = check.state(&format!("moments{at}"), moments(&Shape::from([len])));
        }
        check
            .state("step", HostTensor::new([1], vec![3u32]))
            .state("rate", HostTensor::new([1], vec![0.1f32]))
            .run(|graph, v| {
                let count = lens.len();
                let tensors: Vec<[Var; 3]> =
                    (0..count).map(|at| [v[count + 2 * at], v[at], v[count + 2 * at + 1]]).collect();
                graph.adam(&tensors, v[3 * count], v[3 * count + 1], Adam::default()).map(|()| vec![])
            });
    }
}
