//! A recogniser on a GPU: batches, streams and futures answer as one photo after the other, and nothing is made anew.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use lookalike::check;
use lookalike::gpu::{Gpu, GpuOptions};
use lookalike::graph::Params;
use lookalike::models::{ModelFile, Preprocessing, ScratchCnn, scratch_cnn};
use lookalike::ops::Normalize;
use lookalike::recognize::{Recognition, Recognizer};
use lookalike::vision::{MAX_PIXELS, RgbImage, decode_bytes};
use lookalike::{Device, Error};

const PHOTOS: [&[u8]; 4] = [
    include_bytes!("../assets/demo/s01/01.png"),
    include_bytes!("../assets/demo/s02/01.png"),
    include_bytes!("../assets/demo/s03/02.png"),
    include_bytes!("../assets/demo/s05/03.png"),
];

fn photos() -> Vec<RgbImage> {
    PHOTOS
        .map(|bytes| decode_bytes(Path::new("a photo of the demo"), bytes, MAX_PIXELS).expect("a photo"))
        .into()
}

/// Two people whom a small network from random weights takes faces for.
fn model() -> ModelFile {
    let model = scratch_cnn(&ScratchCnn { size: 32, widths: vec![4], dense: 8, ..ScratchCnn::new(2) });
    let params = Params::new(&Device::cpu());
    model.initialize(&params, 1).unwrap();
    let names = model.parameters().unwrap().into_iter().map(|parameter| parameter.name);
    let weights = names.map(|name| (name.clone(), params.get(&name).unwrap())).collect();
    let preprocessing = Preprocessing {
        size: 32,
        detector: "mtcnn".into(),
        margin: 0.2,
        align: true,
        placed: None,
        whole: false,
        normalize: Normalize::unit(),
    };
    ModelFile::new(model, vec!["anna".into(), "ben".into()], preprocessing, weights)
}

/// A recogniser on a GPU of its own, whose counters no other test changes, and what it answers to each photo.
fn warm() -> (Recognizer, Arc<Gpu>, Vec<Vec<Recognition>>) {
    let name = &check::gpu().gpu().expect("a GPU").info().name;
    let device = Device::named_with(name, &GpuOptions::default()).expect("an adapter that was found before");
    let recognizer = Recognizer::new(&device, model()).unwrap();
    let answers: Vec<_> = photos().iter().map(|photo| recognizer.recognize(photo).unwrap()).collect();
    assert!(answers.iter().all(|people| people.len() == 1), "{answers:?}");
    (recognizer, device.gpu().expect("a GPU").clone(), answers)
}

/// What a device has made until now.
fn made(gpu: &Gpu) -> (u64, usize) {
    (gpu.buffers_created(), gpu.pipelines_compiled())
}

#[test]
fn photo_after_photo_makes_nothing_anew() {
    let (recognizer, gpu, answers) = warm();
    let before = made(&gpu);
    for _ in 0..3 {
        for (photo, expected) in photos().iter().zip(&answers) {
            assert_eq!(recognizer.recognize(photo).unwrap(), *expected);
        }
    }
    assert_eq!(made(&gpu), before);
}

#[test]
fn batches_and_streams_answer_the_same() {
    let (recognizer, gpu, answers) = warm();
    let mut counts = vec![];
    for _ in 0..3 {
        let batch = recognizer.recognize_batch(&photos(), Ok).unwrap();
        let stream = recognizer.recognize_stream(photos().into_iter().map(Ok)).unwrap();
        for found in [batch, stream.collect()] {
            for (found, expected) in found.into_iter().zip(&answers) {
                assert_same(&found.unwrap(), expected);
            }
        }
        counts.push(made(&gpu));
    }
    assert_eq!(counts[1].1, counts[2].1, "pipelines");
    // Two threads at a time may come to have a plan each of every size.
    let (first, last) = (counts[0].0, counts[2].0);
    assert!(last <= 2 * first, "{counts:?}");
}

/// Sums of a batch may be in another order than those of one.
fn assert_same(found: &[Recognition], expected: &[Recognition]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!((found.rect, found.score, &found.name), (expected.rect, expected.score, &expected.name));
        assert!((found.confidence - expected.confidence).abs() < 1e-6, "{found:?}, {expected:?}");
    }
}

#[test]
fn futures_answer_the_same_on_any_executor() {
    let (recognizer, _, answers) = warm();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    for _ in 0..2 {
        // More at once than the recogniser lends predictors and detectors for.
        let tasks: Vec<_> = photos()
            .into_iter()
            .map(|photo| {
                let recognizer = recognizer.clone();
                runtime.spawn(async move { recognizer.recognize_async(&photo).await })
            })
            .collect();
        for (task, expected) in tasks.into_iter().zip(&answers) {
            assert_eq!(runtime.block_on(task).unwrap().unwrap(), *expected);
        }
        // All of them on one thread, which nothing may block.
        let photos = photos();
        let all = photos.iter().map(|photo| Box::pin(recognizer.recognize_async(photo)));
        let found = pollster::block_on(super::waiting::all(all));
        assert_eq!(found.into_iter().collect::<Result<Vec<_>, _>>().unwrap(), answers);
    }
}

#[test]
fn a_future_that_is_dropped_half_way_leaves_everything_in_order() {
    let (recognizer, gpu, answers) = warm();
    let before = made(&gpu);
    let photos = photos();
    let mut context = Context::from_waker(Waker::noop());
    for polls in 1..200 {
        let photo = &photos[polls % photos.len()];
        let mut is_done = false;
        {
            let mut future = pin!(recognizer.recognize_async(photo));
            for _ in 0..polls {
                is_done = future.as_mut().poll(&mut context).is_ready();
                if is_done {
                    break;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        let at = (polls + 1) % photos.len();
        assert_eq!(recognizer.recognize(&photos[at]).unwrap(), answers[at], "after {polls} polls");
        if is_done {
            break;
        }
    }
    assert_eq!(made(&gpu), before);
}

#[test]
fn who_awaits_a_device_that_is_lost_is_told() {
    let (recognizer, gpu, _) = warm();
    let photo = photos().remove(0);
    let (sender, ended) = std::sync::mpsc::channel();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.spawn(async move {
        let error = loop {
            if let Err(error) = recognizer.recognize_async(&photo).await {
                break error;
            }
        };
        sender.send(error).expect("the test listens");
    });
    std::thread::sleep(Duration::from_millis(50));
    gpu.lose();
    let error = ended.recv_timeout(Duration::from_secs(60)).expect("an error, and no endless wait");
    assert!(matches!(error, Error::DeviceLost(_)), "{error}");
}
