//! `fill` and `add`.

use lookalike::Device;
use lookalike::check::{Check, gpu, normal};
use lookalike::graph::{Graph, Params, Plan, Var};
use lookalike::tensor::{Data, TensorType};

#[test]
fn fill() {
    for len in [1, 255, 256, 257] {
        Check::new("around a workgroup")
            .without_gradients()
            .run(|graph, _| Ok(vec![graph.fill([len], 1.5)?]));
    }
}

#[test]
fn add() {
    for (name, shape) in
        [("one element", vec![1]), ("one over a workgroup", vec![257]), ("three axes", vec![3, 5, 7])]
    {
        Check::new(name)
            .input(normal(shape.clone(), 1))
            .input(normal(shape, 2))
            .run(|graph, v| Ok(vec![graph.add(v[0], v[1])?]));
    }
    Check::new("folded grid")
        .input(normal([7 * 256 + 1], 1))
        .input(normal([7 * 256 + 1], 2))
        .folded()
        .run(|graph, v| Ok(vec![graph.add(v[0], v[1])?]));
}

/// WebGPU's default is 65,535 workgroups per axis: one group more must run, and run right.
#[test]
fn more_groups_than_one_axis_really_holds() {
    let len = 65_535 * 256 + 1;
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([len]));
    let y = graph.relu(x).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(gpu()), &[y]).unwrap();
    assert_eq!(plan.most_groups(), 65_536);
    let values: Vec<f32> = (0..len).map(|i| i as f32 - 100.0).collect();
    plan.write("x", &Data::F32(values.clone())).unwrap();
    plan.run_poisoned().unwrap();
    let found = plan.read(y).unwrap().to_f32();
    let wrong = found.iter().zip(&values).position(|(y, x)| *y != x.max(0.0));
    assert_eq!(wrong, None);
}

#[test]
fn a_tensor_used_twice_gets_both_gradients() {
    Check::new("x + x").input(normal([5], 3)).run(|graph, v| Ok(vec![graph.add(v[0], v[0])?]));
}

#[test]
fn plans_alive_at_once_keep_their_own_parameters() {
    let params = Params::new(gpu());
    let mut plans: Vec<(Plan, Var)> = (1..4)
        .map(|value| {
            let mut graph = Graph::new();
            let y = graph.fill([3], value as f32).unwrap();
            (Plan::new(&graph, &params, &[y]).unwrap(), y)
        })
        .collect();
    for (value, (plan, y)) in (1..4).zip(&mut plans) {
        plan.run().unwrap();
        assert_eq!(plan.read(*y).unwrap().to_f32(), [value as f32; 3]);
    }
}

#[test]
fn the_first_bytes_of_a_state_are_set() {
    for device in [gpu(), &Device::cpu(), &Device::reference()] {
        let params = Params::new(device);
        params.reserve("bytes", &TensorType::u8([11])).unwrap();
        for bytes in [&[1, 2, 3, 4, 5, 6, 7][..], &[8, 9, 10, 11], &[12]] {
            params.set_bytes("bytes", bytes).unwrap();
            let Data::U8(found) = params.get("bytes").unwrap().into_data() else { panic!("bytes") };
            assert_eq!(&found[..bytes.len()], bytes, "{device}");
        }
        let problem = params.set_bytes("bytes", &[0; 12]).unwrap_err().to_string();
        assert!(problem.contains("12 bytes") && problem.contains("u8 [11]"), "{problem}");
        params.reserve("floats", &TensorType::f32([4])).unwrap();
        assert!(params.set_bytes("floats", &[0; 4]).is_err() && params.set_bytes("none", &[0]).is_err());
    }
}
