//! Max pooling that keeps its winners, and values put back where maxima came from.

use lookalike::Error;
use lookalike::check::{Check, gpu, normal};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::tensor::{Data, HostTensor, TensorType};

#[test]
fn maxima_and_where_they_came_from() {
    for x in [[1, 2, 2, 4], [2, 6, 8, 4], [3, 7, 5, 12], [1, 2, 3, 36], [2, 33, 18, 8]] {
        let size = [x[1], x[2]];
        Check::new(&format!("{x:?}")).input(normal(x, 1)).run(move |graph, v| {
            let [y, _] = graph.max_pool2d_with_winners(v[0])?;
            Ok(vec![y])
        });
        Check::new(&format!("{x:?}, put back")).input(normal(x, 1)).without_gradients().run(
            move |graph, v| {
                let [y, winners] = graph.max_pool2d_with_winners(v[0])?;
                Ok(vec![graph.max_unpool2d(y, winners, size)?])
            },
        );
    }
}

/// Of the same values pooled by `max_pool2d`, the gradient is the same bit for bit: ties, zeros and NaN included.
#[test]
fn ties_are_broken_as_by_max_pool2d() {
    let shape = [1, 4, 4, 4];
    let mut values: Vec<f32> = (0..64).map(|i| (i * 7 % 5) as f32 - 2.0).collect();
    (values[9], values[30], values[31], values[47]) = (f32::NAN, -0.0, f32::NEG_INFINITY, f32::NAN);
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32(shape));
    let dy = graph.input("dy", TensorType::f32([1, 2, 2, 4]));
    let [kept, _] = graph.max_pool2d_with_winners(x).unwrap();
    let kept = graph.gradients_of(&[(kept, dy)], &[x]).unwrap()[0];
    let asked = graph.max_pool2d(x, lookalike::ops::Pool2d::square(2)).unwrap();
    let asked = graph.gradients_of(&[(asked, dy)], &[x]).unwrap()[0];
    for device in [gpu().clone(), lookalike::Device::cpu()] {
        let mut plan = Plan::new(&graph, &Params::new(&device), &[kept, asked]).unwrap();
        plan.write("x", HostTensor::new(shape, values.clone()).data()).unwrap();
        plan.write("dy", &Data::F32((1..17).map(|i| i as f32).collect())).unwrap();
        plan.run().unwrap();
        assert_eq!(plan.read(kept).unwrap().to_f32(), plan.read(asked).unwrap().to_f32(), "{device}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut graph = Graph::new();
    let three = graph.input("three", TensorType::f32([1, 4, 4, 3]));
    assert!(matches!(graph.max_pool2d_with_winners(three), Err(Error::Shape { .. })));
    let flat = graph.input("flat", TensorType::f32([4, 4]));
    assert!(matches!(graph.max_pool2d_with_winners(flat), Err(Error::Shape { .. })));
    let small = graph.input("small", TensorType::f32([1, 1, 4, 4]));
    assert!(matches!(graph.max_pool2d_with_winners(small), Err(Error::Shape { .. })));
    let x = graph.input("x", TensorType::f32([1, 4, 4, 4]));
    let [y, winners] = graph.max_pool2d_with_winners(x).unwrap();
    assert!(graph.max_unpool2d(y, winners, [6, 4]).is_err());
    assert!(graph.max_unpool2d(y, y, [4, 4]).is_err());
    assert!(graph.max_unpool2d(y, winners, [5, 5]).is_ok());
}
