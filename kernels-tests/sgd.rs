//! Gradient descent: plain, with momentum, with Nesterov's.

use lookalike::check::{Check, normal};
use lookalike::graph::Graph;
use lookalike::ops::Sgd;
use lookalike::tensor::{HostTensor, TensorType};

fn case(name: &str, len: usize) -> Check {
    Check::new(name)
        .input(normal([len], 1))
        .state("param", normal([len], 2))
        .state("rate", HostTensor::new([1], vec![0.3f32]))
        .without_gradients()
}

#[test]
fn around_a_workgroup() {
    for len in [1, 255, 256, 257] {
        case(&format!("plain, {len}"), len)
            .run(|graph, v| graph.sgd(v[1], v[0], None, v[2], Sgd::default()).map(|()| vec![]));
        for nesterov in [false, true] {
            let sgd = Sgd { momentum: 0.9, nesterov };
            case(&format!("{sgd:?}, {len}"), len)
                .state("velocity", normal([len], 3))
                .run(|graph, v| graph.sgd(v[1], v[0], Some(v[3]), v[2], sgd).map(|()| vec![]));
        }
    }
}

#[test]
fn folded_grids() {
    let len = 7 * 256 + 1;
    case("plain", len)
        .folded()
        .run(|graph, v| graph.sgd(v[1], v[0], None, v[2], Sgd::default()).map(|()| vec![]));
    let sgd = Sgd { momentum: 0.5, nesterov: true };
    case("momentum", len)
        .state("velocity", normal([len], 3))
        .folded()
        .run(|graph, v| graph.sgd(v[1], v[0], Some(v[3]), v[2], sgd).map(|()| vec![]));
}

#[test]
fn misfits_are_refused() {
    let mut graph = Graph::new();
    let param = graph.state("param", TensorType::f32([3])).unwrap();
    let grad = graph.input("grad", TensorType::f32([3]));
    let rate = graph.state("rate", TensorType::f32([1])).unwrap();
    let with = |momentum| Sgd { momentum, nesterov: false };
    let mut problem =
        |grad, velocity, sgd| graph.sgd(param, grad, velocity, rate, sgd).unwrap_err().to_string();
    assert_eq!(problem(rate, None, with(0.0)), "sgd: the gradient is f32 [1], expected f32 [3]");
    assert_eq!(problem(grad, None, with(0.9)), "sgd: momentum 0.9 needs a velocity, f32 [3]");
    assert_eq!(problem(grad, Some(grad), with(0.0)), "sgd: a velocity has no use without momentum");
    assert_eq!(problem(grad, Some(rate), with(0.9)), "sgd: the velocity is f32 [1], expected f32 [3]");
    assert!(problem(grad, Some(grad), with(0.9)).contains("must be a state"));
    assert!(problem(grad, None, with(1.0)).contains("less than 1"));
}
