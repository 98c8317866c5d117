//! The blocks of MobileNet, as SFace has them.

use lookalike::Error;
use lookalike::check::{Check, normal};
use lookalike::graph::Graph;
use lookalike::nn::layers::SeparableBlock;
use lookalike::nn::{Build, Layer, Mode};
use lookalike::tensor::{Precision, Shape, TensorType};

fn build(graph: &mut Graph) -> Build<'_> {
    let (mode, precision) = (Mode::Predict, Precision::F32);
    Build { graph, mode, seed: 0, step: None, first_row: 0, precision, logits: false }
}

/// Both convolutions with their slopes as one graph.
#[test]
fn blocks() {
    for (size, filters, strides) in [(5, 3, [1, 1]), (6, 4, [2, 2]), (7, 5, [2, 2]), (4, 8, [1, 2])] {
        let block = SeparableBlock { name: "block".into(), filters, strides };
        let input = [2, size, size, 4];
        let mut case = Check::new(&format!("{block:?} of {size} pixels")).input(normal(input, 1));
        for (parameter, seed) in block.parameters(&Shape::from(input)).unwrap().into_iter().zip(2..) {
            case = case.state(&parameter.name, normal(parameter.shape, seed));
        }
        case.terms(9 * 4).run(move |graph, v| Ok(vec![block.build(&mut build(graph), v[0])?]));
    }
}

/// Whatever the stride is, a pixel is added on every side: `torch.nn.Conv2d(4, 4, 3, 2, 1)` makes 3 × 3 of 6 × 6 and of 5 × 5.
#[test]
fn a_block_halves_its_picture() {
    let block = SeparableBlock { name: "block".into(), filters: 7, strides: [2; 2] };
    for size in [5, 6] {
        let mut graph = Graph::new();
        let x = graph.input("x", TensorType::f32([1, size, size, 4]));
        let y = block.build(&mut build(&mut graph), x).unwrap();
        assert_eq!(graph.shape(y)[..], [1, 3, 3, 7]);
    }
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([1, 16]));
    let problem = block.build(&mut build(&mut graph), x).unwrap_err();
    assert!(matches!(&problem, Error::Shape { op: "SeparableBlock", .. }), "{problem}");
}
