//! A device that is lost, and one that has no room: the run goes on.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lookalike::check;
use lookalike::gpu::GpuOptions;
use lookalike::graph::{Graph, Params, Plan};
use lookalike::models::{FacePlacement, Model, ModelFile, Predictor, Preprocessing};
use lookalike::nn::LayerActivation;
use lookalike::nn::layers::{BatchNormalization, Dense, GlobalAveragePooling2d};
use lookalike::ops::Normalize;
use lookalike::tensor::{HostTensor, Shape, TensorType};
use lookalike::train::{
    Batches, Checkpoints, Event, Examples, Fit, FitOptions, Trained, fit, fit_linear, fit_means, hold_out,
    masked_people,
};
use lookalike::{Device, Error, Result};

use super::{PEOPLE, SIZE, Scene, Weights, dataset, frozen_network, network, options, pretrained, run};

/// The GPU of the tests, opened once more for this test alone.
fn own_gpu(options: &GpuOptions) -> Device {
    let name = &check::gpu().gpu().expect("a GPU").info().name;
    Device::named_with(name, options).expect("an adapter that was found before")
}

/// A run that loses its device after each of these steps, and what it said.
fn losing(device: &Device, options: &FitOptions, at: &[usize]) -> (Vec<String>, Result<Trained>) {
    let scene = Scene::new(&Weights::new(), device);
    let (mut steps, mut epochs, mut notes) = (0, 0, vec![]);
    let trained = fit(&scene.task(&network()), options, &AtomicBool::new(false), &mut |event| match event {
        Event::Step(_) => {
            steps += 1;
            if at.contains(&steps) {
                device.gpu().expect("a GPU").lose();
            }
        }
        Event::Note(note) => notes.push(note.to_string()),
        Event::Epoch(epoch) => {
            epochs += 1;
            assert_eq!(epoch.number, epochs, "each epoch is told once");
        }
        Event::Features { .. } => {}
    });
    (notes, trained)
}

#[test]
fn a_lost_device_is_told_apart() {
    let device = own_gpu(&GpuOptions::default());
    let params = Params::new(&device);
    params.set("x", &HostTensor::new([2], vec![1.0f32, 2.0])).unwrap();
    device.gpu().unwrap().lose();
    assert!(matches!(params.get("x"), Err(Error::DeviceLost(_))), "{:?}", params.get("x"));
    assert!(matches!(Params::new(&device).reserve("y", &params.ty("x").unwrap()), Err(Error::DeviceLost(_))));

    // Its clones are opened again with it.
    let clone = device.clone();
    device.reopen().unwrap();
    let params = Params::new(&clone);
    params.set("x", &HostTensor::new([2], vec![3.0f32, 4.0])).unwrap();
    assert_eq!(params.get("x").unwrap().to_f32(), [3.0, 4.0]);
    assert!(Device::cpu().reopen().is_err());
}

#[test]
fn who_opens_a_lost_device_again_disturbs_nobody_who_has() {
    let device = own_gpu(&GpuOptions::default());
    let x = HostTensor::new([2], vec![1.0f32, 2.0]);
    let double = |params: &Params| {
        let mut graph = Graph::new();
        let x = graph.state("x", TensorType::f32([2])).unwrap();
        let y = graph.add(x, x).unwrap();
        let mut plan = Plan::new(&graph, params, &[y])?;
        plan.run()?;
        plan.read(y)
    };
    let [first, second] = [device.clone(), device.clone()];
    let of_second = Params::new(&second);
    of_second.set("x", &x).unwrap();
    device.gpu().unwrap().lose();
    assert!(matches!(of_second.get("x"), Err(Error::DeviceLost(_))));

    first.reopen().unwrap();
    let of_first = Params::new(&first);
    of_first.set("x", &x).unwrap();
    // The second has not seen yet that there is another one.
    assert!(matches!(of_second.set("x", &x), Err(Error::DeviceLost(_))));
    assert!(matches!(of_second.get("x"), Err(Error::DeviceLost(_))));
    assert!(matches!(of_second.reserve("y", &TensorType::f32([2])), Err(Error::DeviceLost(_))));
    assert!(matches!(double(&of_second), Err(Error::DeviceLost(_))));
    assert_eq!(double(&of_first).unwrap().to_f32(), [2.0, 4.0]);

    let opened = first.gpu().unwrap().clone();
    second.reopen().unwrap();
    assert!(Arc::ptr_eq(&opened, second.gpu().unwrap()), "it is opened once");
    assert_eq!(double(&of_first).unwrap().to_f32(), [2.0, 4.0]);
    let of_second = Params::new(&second);
    of_second.set("x", &x).unwrap();
    assert_eq!(double(&of_second).unwrap().to_f32(), [2.0, 4.0]);
}

#[test]
fn a_run_on_a_lost_device_ends_with_the_same_bits() {
    let whole = run(&network(), check::gpu(), &options()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kept = |name: &str| {
        Some(Checkpoints { path: folder.path().join(name), every: Duration::ZERO, resume: false })
    };
    // Seven times is too often only where nothing was done in between: here there is a further checkpoint each time.
    let often = (0..7).map(|loss| 2 + 2 * loss).collect();
    for (checkpoints, at) in [(kept("some"), vec![2, 5, 9]), (kept("many"), often), (None, vec![4])] {
        let has_checkpoints = checkpoints.is_some();
        let options = FitOptions { checkpoints, ..options() };
        let device = own_gpu(&GpuOptions::default());
        let (notes, trained) = losing(&device, &options, &at);
        let trained = trained.unwrap();
        assert_eq!(trained.weights, whole.weights);
        assert_eq!(trained.history.to_json(), whole.history.to_json());
        let lost = notes.iter().filter(|note| note.contains("was lost") && note.contains("opened again"));
        assert_eq!(lost.count(), at.len(), "{notes:?}");
        let went_on = notes.iter().filter(|note| note.contains("goes on in epoch")).count();
        assert_eq!(went_on, if has_checkpoints { at.len() } else { 0 }, "{notes:?}");
    }
}

#[test]
fn a_device_that_is_lost_again_and_again_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.checkpoint");
    let kept = Checkpoints { path, every: Duration::ZERO, resume: false };
    for checkpoints in [None, Some(kept)] {
        let device = own_gpu(&GpuOptions::default());
        let options = FitOptions { checkpoints, ..options() };
        let (notes, trained) = losing(&device, &options, &(1..100).collect::<Vec<_>>());
        assert!(matches!(trained, Err(Error::DeviceLost(_))), "{trained:?}");
        assert_eq!(notes.iter().filter(|note| note.contains("was lost")).count(), 5, "{notes:?}");
    }
}

#[test]
fn without_room_fewer_pictures_are_on_the_device_at_a_time() {
    let options = || FitOptions { batch: 16, ..options() };
    // What a run with halves of batches takes is enough; one of whole batches needs more.
    let peak = |options: &FitOptions| {
        let device = own_gpu(&GpuOptions::default());
        let trained = run(&network(), &device, options).unwrap();
        (device.gpu().unwrap().allocated(), trained)
    };
    let (whole, _) = peak(&options());
    let halved = FitOptions { micro_batch: Some(8), ..options() };
    let (parts, expected) = peak(&halved);
    assert!(parts < whole, "{parts} of {whole} bytes");
    let device = own_gpu(&GpuOptions { memory: Some((parts + whole) / 2), ..GpuOptions::default() });
    let (notes, trained) = losing(&device, &options(), &[]);
    assert_eq!(trained.unwrap().weights, expected.weights);
    let [note] = &notes[..] else { panic!("{notes:?}") };
    assert!(
        note.contains("no room for")
            && note.contains("8 pictures at a time")
            && note.contains("instead of 16")
    );

    let tiny = own_gpu(&GpuOptions { memory: Some(parts / 20), ..GpuOptions::default() });
    let (notes, trained) = losing(&tiny, &options(), &[]);
    assert!(matches!(trained, Err(Error::OutOfMemory { .. })), "{trained:?}");
    assert!(notes.last().unwrap().contains("1 pictures at a time"), "{notes:?}");
}

/// The two ways to train in one go, each with a small model: a convolution, its means, and the people.
fn in_one_go() -> [(Fit, Model); 2] {
    let model = |normalized: bool| {
        let mut layers = network().layers[..2].to_vec();
        layers.push(Arc::new(GlobalAveragePooling2d { name: "average".into() }));
        if normalized {
            layers.push(Arc::new(BatchNormalization::new("normalization")));
        }
        let frozen = layers.len();
        layers.push(Arc::new(Dense::new("people", PEOPLE, LayerActivation::Softmax)));
        Model { layers, frozen, ..network() }
    };
    [(fit_means, model(false)), (fit_linear, model(true))]
}

/// Trains in one go, and what was said.
fn go(fit: Fit, model: &Model, device: &Device, options: &FitOptions) -> (Vec<String>, Result<Trained>) {
    let scene = Scene::new(&pretrained(model), device);
    let mut notes = vec![];
    let trained = fit(&scene.task(model), options, &AtomicBool::new(false), &mut |event| {
        if let Event::Note(note) = event {
            notes.push(note.to_string());
        }
    });
    (notes, trained)
}

/// What `work` gives on a device that is lost at one of its submissions, for several of these, each with what was said.
fn at_many_moments<T>(work: &mut dyn FnMut(&Device) -> (Vec<String>, T)) -> (T, Vec<T>) {
    let device = own_gpu(&GpuOptions::default());
    let (notes, whole) = work(&device);
    assert!(notes.iter().all(|note| !note.contains("lost")), "{notes:?}");
    let submissions = device.gpu().unwrap().submissions();
    let moments = (0..6).map(|part| part * (submissions - 1) / 5);
    let lost = moments.map(|moment| {
        let device = own_gpu(&GpuOptions::default());
        device.gpu().unwrap().lose_after(moment);
        let (notes, given) = work(&device);
        let told = notes.iter().filter(|note| note.contains("was lost") && note.contains("opened again"));
        assert_eq!(told.count(), 1, "after {moment} of {submissions} submissions: {notes:?}");
        given
    });
    (whole, lost.collect())
}

#[test]
fn training_in_one_go_on_a_lost_device_ends_with_the_same_bits() {
    for (fit, model) in in_one_go() {
        let (whole, lost) = at_many_moments(&mut |device| {
            let (notes, trained) = go(fit, &model, device, &options());
            (notes, trained.unwrap())
        });
        for trained in lost {
            assert_eq!(trained.weights, whole.weights);
            assert_eq!((&trained.answers, &trained.features), (&whole.answers, &whole.features));
        }
    }
}

#[test]
fn training_in_one_go_without_room_sees_fewer_pictures_at_a_time() {
    for (fit, model) in in_one_go() {
        let peak = |options: &FitOptions| {
            let device = own_gpu(&GpuOptions::default());
            let (notes, trained) = go(fit, &model, &device, options);
            assert!(notes.is_empty(), "{notes:?}");
            (device.gpu().unwrap().allocated(), trained.unwrap())
        };
        let (whole, _) = peak(&options());
        let (parts, expected) = peak(&FitOptions { micro_batch: Some(4), ..options() });
        assert!(parts < whole, "{parts} of {whole} bytes");
        let device = own_gpu(&GpuOptions { memory: Some((parts + whole) / 2), ..GpuOptions::default() });
        let (notes, trained) = go(fit, &model, &device, &options());
        assert_eq!(trained.unwrap().weights, expected.weights);
        let [note] = &notes[..] else { panic!("{notes:?}") };
        assert!(
            note.contains("no room for") && note.contains("4 pictures at a time from now on instead of 8"),
            "{note}"
        );
        let tiny = own_gpu(&GpuOptions { memory: Some(parts / 100), ..GpuOptions::default() });
        let (notes, trained) = go(fit, &model, &tiny, &options());
        assert!(matches!(trained, Err(Error::OutOfMemory { .. })), "{trained:?}");
        assert!(notes.last().unwrap().contains("1 pictures at a time"), "{notes:?}");
    }
}

#[test]
fn people_are_held_out_on_a_lost_device_as_on_a_whole_one() {
    let ways = [(fit as Fit, Model { frozen: 3, ..network() }), (fit_linear, in_one_go()[1].1.clone())];
    for (fit, model) in ways {
        let options = FitOptions { epochs: 1, ..options() };
        let (whole, lost) = at_many_moments(&mut |device| {
            let scene = Scene::new(&pretrained(&model), device);
            let mut notes = vec![];
            let stop = AtomicBool::new(false);
            let on_note = &mut |note: &str| notes.push(note.to_string());
            let distances = hold_out(&scene.task(&model), &options, fit, 3, &stop, on_note).unwrap();
            (notes, distances)
        });
        assert_eq!(whole.len(), 21);
        assert!(lost.iter().all(|distances| *distances == whole), "{lost:?}");
    }
}

/// The model's file, with what comes of its values for all parameters.
fn file(model: &Model, size: usize) -> ModelFile {
    let preprocessing = Preprocessing {
        size,
        detector: "mtcnn".into(),
        margin: 0.0,
        align: true,
        placed: Some(FacePlacement::Dlib),
        whole: false,
        normalize: Normalize::unit(),
    };
    ModelFile::new(model.clone(), dataset().names, preprocessing, pretrained(model))
}

#[test]
fn a_predictor_without_room_takes_smaller_batches() {
    let (file, pixels) = (Arc::new(file(&network(), SIZE)), dataset().pixels);
    let predict = |options: &GpuOptions, pictures: usize| {
        let device = own_gpu(options);
        let crops = &pixels[..pictures * SIZE * SIZE * 3];
        let answers = Predictor::new(&device, file.clone()).and_then(|mut it| it.predict(crops));
        (device.gpu().unwrap().allocated(), answers)
    };
    let (whole, expected) = predict(&GpuOptions::default(), 30);
    let (parts, _) = predict(&GpuOptions::default(), 8);
    assert!(parts < whole, "{parts} of {whole} bytes");
    let within = |bytes: u64| GpuOptions { memory: Some(bytes), ..GpuOptions::default() };
    let (taken, answers) = predict(&within((parts + whole) / 2), 30);
    assert!(taken < whole, "{taken} of {whole} bytes");
    for (found, expected) in answers.unwrap().concat().iter().zip(expected.unwrap().concat()) {
        approx::assert_relative_eq!(*found, expected, max_relative = 1e-4);
    }
    let (_, answers) = predict(&within(parts / 100), 30);
    assert!(matches!(answers, Err(Error::OutOfMemory { .. })), "{answers:?}");
}

#[test]
fn masked_people_are_learned_on_a_lost_device() {
    const FACE: usize = FacePlacement::Dlib.size();
    // As large as the pictures of dlib's network, and otherwise as small as a network can be.
    let model = Model {
        name: "colours".into(),
        input: Shape::from([FACE, FACE, 3]),
        layers: vec![
            Arc::new(GlobalAveragePooling2d { name: "average".into() }),
            Arc::new(Dense::new("people", PEOPLE, LayerActivation::Softmax)),
        ],
        frozen: 1,
    };
    let small = dataset();
    let large = small.pixels.iter().cycle().copied().take(small.len() * model.input.len()).collect();
    let dataset = lookalike::data::Dataset { size: FACE, pixels: large, ..small };
    let pictures: Vec<usize> = (0..dataset.len()).cycle().take(150).collect();
    let features: Vec<Vec<f32>> = pictures.iter().map(|&at| vec![1.0, at as f32 / 30.0, 0.5]).collect();
    let file = file(&model, FACE);
    let examples = Examples { dataset: &dataset, pictures: &pictures, features: &features };
    let (whole, lost) = at_many_moments(&mut |device| {
        let (mut notes, mut done) = (vec![], vec![]);
        let on_note = &mut |note: &str| notes.push(note.to_string());
        let people =
            masked_people(device, &file, &examples, 0.1, &mut |now| done.push(now), on_note).unwrap();
        assert_eq!(done, [64, 128, 150], "each picture is seen once");
        (notes, people)
    });
    assert!(lost.iter().all(|people| *people == whole));
}

#[test]
fn short_submissions_and_rests_change_no_bit() {
    let whole = run(&network(), check::gpu(), &options()).unwrap();
    let count = |device: &Device| {
        let trained = run(&network(), device, &options()).unwrap();
        assert_eq!(trained.weights, whole.weights);
        device.gpu().expect("a GPU").submissions()
    };
    let long = count(&own_gpu(&GpuOptions::default()));
    // Shorter than any dispatch: by what was measured each becomes a submission of its own.
    let short = own_gpu(&GpuOptions { submission_seconds: Some(1e-9), ..GpuOptions::default() });
    let short = count(&short);
    assert!(short > 5 * long, "{short} submissions, {long} without a limit");
    // Longer than any step: what the guess had cut is put together.
    let generous = own_gpu(&GpuOptions { submission_seconds: Some(10.0), ..GpuOptions::default() });
    assert_eq!(count(&generous), long);
    assert_eq!(count(&own_gpu(&GpuOptions::default()).throttled(0.9)), long);
    let on_cpu = run(&network(), &Device::cpu(), &options()).unwrap();
    assert_eq!(run(&network(), &Device::cpu().throttled(0.9), &options()).unwrap().weights, on_cpu.weights);
}

#[test]
fn frozen_layers_see_fewer_pictures_and_the_batch_stays() {
    let model = frozen_network();
    let scene = Scene::new(&pretrained(&model), &Device::cpu());
    let batches =
        |micro_batch| Batches::new(&scene.task(&model), &FitOptions { micro_batch, ..options() }).unwrap();
    let (all, few) = (batches(None), batches(Some(2)));
    assert_eq!((few.frozen, few.batch, few.most), (2, all.batch, all.most));
    assert!(all.frozen > 2);
}
