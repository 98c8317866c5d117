//! Futures of a device: they hold up nobody, burn no core, and more than one may wait.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use lookalike::check::gpu;
use lookalike::gpu::GpuOptions;
use lookalike::graph::{Graph, Params, Plan, Var};
use lookalike::ops::Transpose;
use lookalike::tensor::{Data, TensorType};
use lookalike::{Device, Error};

/// The outputs of all futures, each of which is polled whenever one of them is woken.
pub async fn all<F: Future + Unpin>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<(F, Option<F::Output>)> = futures.into_iter().map(|future| (future, None)).collect();
    poll_fn(move |context| {
        for (future, output) in futures.iter_mut().filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(ready) = Pin::new(future).poll(context) {
                *output = Some(ready);
            }
        }
        match futures.iter().all(|(_, output)| output.is_some()) {
            true => Poll::Ready(futures.iter_mut().filter_map(|(_, output)| output.take()).collect()),
            false => Poll::Pending,
        }
    })
    .await
}

const SIDE: usize = 384;

/// A product of matrices.
fn product(device: &Device, scale: f32) -> (Plan, Var) {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([SIDE, SIDE]));
    let y = graph.matmul(x, x, Transpose::default()).unwrap();
    let y = graph.matmul(y, x, Transpose::default()).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(device), &[y]).unwrap();
    plan.write("x", &input(scale)).unwrap();
    (plan, y)
}

fn input(scale: f32) -> Data {
    Data::F32((0..SIDE * SIDE).map(|i| scale * (i % 7) as f32 / 100.0).collect())
}

#[test]
fn what_is_awaited_is_what_is_waited_for() {
    let (mut first, y) = product(gpu(), 1.0);
    let (mut second, z) = product(gpu(), 2.0);
    first.run().unwrap();
    second.run().unwrap();
    let expected = [first.read(y).unwrap(), second.read(z).unwrap()];
    let polls = AtomicUsize::new(0);
    let run = async |plan: &mut Plan, output| {
        plan.run_async().await?;
        plan.read_async(output).await
    };
    let both: [Pin<Box<dyn Future<Output = _>>>; 2] =
        [Box::pin(run(&mut first, y)), Box::pin(run(&mut second, z))];
    let mut both = pin!(all(both));
    let counted = poll_fn(|context| {
        polls.fetch_add(1, Ordering::Relaxed);
        both.as_mut().poll(context)
    });
    assert_eq!(pollster::block_on(counted).into_iter().collect::<Result<Vec<_>, _>>().unwrap(), expected);
    let polls = polls.into_inner();
    // At first, and when each has come; a loop that asks again and again would ask thousands of times.
    assert!(polls <= 8, "{polls} polls");
}

/// Where a future of a prediction may be dropped: after each of the steps that it consists of.
#[test]
fn whatever_is_dropped_leaves_its_buffers_and_the_next_run_is_right() {
    let name = &gpu().gpu().expect("a GPU").info().name;
    let device = Device::named_with(name, &GpuOptions::default()).expect("an adapter that was found before");
    let made = || device.gpu().expect("a GPU").buffers_created();
    let (mut plan, y) = product(&device, 1.0);
    plan.run().unwrap();
    let expected = plan.read(y).unwrap();
    let before = made();
    let x = input(1.0);
    for _ in 0..3 {
        for steps in 0..4 {
            plan.write("x", &input(3.0)).unwrap();
            if steps > 0 {
                plan.run().unwrap();
            }
            if steps > 1 {
                let arriving = plan.start_read(y).unwrap();
                if steps > 2 {
                    let _ = pin!(arriving.arrive()).poll(&mut Context::from_waker(Waker::noop()));
                }
            }
            plan.write("x", &x).unwrap();
            plan.run().unwrap();
            assert_eq!(plan.read(y).unwrap(), expected, "{steps} steps");
        }
    }
    assert_eq!(made(), before);
}

/// A run that is dropped before it submitted anything has not transformed the weight, on which the next one would go on.
#[test]
fn a_first_run_that_is_dropped_leaves_nothing_taken_for_done() {
    let device = gpu().clone().throttled(0.5);
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([1]));
    let weight = graph.state_filled("weight", TensorType::f32([1]), 0.5).unwrap();
    let twice = graph.add(weight, weight).unwrap();
    let y = graph.add(twice, x).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(&device), &[y]).unwrap();
    assert_eq!(plan.constant_dispatches(), 1);
    let (mut busy, _) = product(gpu(), 1.0);
    // What the device is still at is what a throttled run waits for first.
    busy.run().unwrap();
    let dropped = pin!(plan.run_async()).poll(&mut Context::from_waker(Waker::noop()));
    assert!(dropped.is_pending());
    plan.run().unwrap();
    assert_eq!(plan.read(y).unwrap().to_f32(), [1.0]);
}

#[test]
fn a_throttled_device_rests_without_holding_up_the_executor() {
    let device = gpu().clone().throttled(0.5);
    let (mut plan, y) = product(&device, 1.0);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    // The only worker: what it does meanwhile shows that it is free.
    let order = std::sync::Arc::new(Mutex::new(vec![]));
    let (ran, meanwhile) = (order.clone(), order.clone());
    let run = runtime.spawn(async move {
        plan.run_async().await.unwrap();
        ran.lock().unwrap().push("ran");
        plan.read_async(y).await.unwrap()
    });
    let other = runtime.spawn(async move { meanwhile.lock().unwrap().push("other work") });
    runtime.block_on(other).unwrap();
    let found = runtime.block_on(run).unwrap();
    assert_eq!(*order.lock().unwrap(), ["other work", "ran"]);
    let (mut plan, y) = product(gpu(), 1.0);
    plan.run().unwrap();
    assert_eq!(found, plan.read(y).unwrap());
}

#[test]
fn a_device_opens_without_blocking() {
    let name = &gpu().gpu().expect("a GPU").info().name;
    let device = pollster::block_on(Device::named_async(name, &GpuOptions::default())).unwrap();
    assert_eq!(device.gpu().expect("a GPU").info().name, *name);
    for wanted in ["no such", "00", "+0"] {
        let nobody = pollster::block_on(Device::named_async(wanted, &GpuOptions::default()));
        assert!(
            matches!(nobody, Err(Error::NoAdapter { found, .. }) if found[0] == "cpu" && found.contains(name)),
            "{wanted}"
        );
    }
}
