//! `reshape` and `flatten`.

use lookalike::Error;
use lookalike::check::{Check, normal};
use lookalike::graph::Graph;
use lookalike::tensor::TensorType;

#[test]
fn between_operators() {
    Check::new("of an intermediate").input(normal([2, 3, 4], 1)).run(|graph, v| {
        let double = graph.add(v[0], v[0])?;
        let rows = graph.reshape(double, [4, 6])?;
        Ok(vec![graph.tanh(rows)?])
    });
    Check::new("a view of a view of an input, also an output").input(normal([2, 3, 4], 1)).run(|graph, v| {
        let rows = graph.flatten(v[0])?;
        let all = graph.reshape(rows, [24])?;
        Ok(vec![all, graph.add(all, all)?])
    });
}

#[test]
fn memory_stays_while_a_view_is_read() {
    Check::new("the original dies before its view").input(normal([2, 6], 1)).run(|graph, v| {
        let x = graph.add(v[0], v[0])?;
        let view = graph.reshape(x, [3, 4])?;
        let other = graph.add(v[0], v[0])?;
        let other = graph.tanh(other)?;
        let other = graph.reshape(other, [3, 4])?;
        Ok(vec![graph.add(view, other)?])
    });
}

#[test]
fn flatten_keeps_the_batch() {
    let mut graph = Graph::new();
    for (shape, rows) in [(vec![5], [5, 1]), (vec![2, 3], [2, 3]), (vec![2, 3, 4, 5], [2, 60])] {
        let x = graph.input("x", TensorType::f32(shape));
        let y = graph.flatten(x).unwrap();
        assert_eq!(**graph.shape(y), rows);
    }
}

#[test]
fn wrong_shapes_are_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([2, 3]));
    let problem = graph.reshape(x, [7]).unwrap_err();
    assert!(matches!(&problem, Error::Shape { op: "reshape", .. }), "{problem}");
    assert!(problem.to_string().contains("x: [2, 3], new: [7]"), "{problem}");
    let scalar = graph.input("scalar", TensorType::f32([]));
    assert!(matches!(graph.flatten(scalar), Err(Error::Shape { op: "flatten", .. })));
}
