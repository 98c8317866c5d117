//! Training in one go: on features that all count the same, without chance and without validation pictures.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lookalike::data::Split;
use lookalike::models::Model;
use lookalike::nn::LayerActivation;
use lookalike::nn::layers::{BatchNormalization, Dense, GlobalAveragePooling2d};
use lookalike::tensor::Shape;
use lookalike::train::{FitOptions, Outcome, Trained, fit_linear};
use lookalike::{Device, Result};

use super::{PEOPLE, SIZE, Scene, options, pretrained};

/// The mean colour, and who has it.
fn colours() -> Model {
    Model {
        name: "colours".into(),
        input: Shape::from([SIZE, SIZE, 3]),
        layers: vec![
            Arc::new(GlobalAveragePooling2d { name: "average".into() }),
            Arc::new(BatchNormalization::new("normalization")),
            Arc::new(Dense::new("people", PEOPLE, LayerActivation::Softmax)),
        ],
        frozen: 2,
    }
}

fn train(scene: &Scene, model: &Model, options: &FitOptions) -> Result<Trained> {
    fit_linear(&scene.task(model), options, &AtomicBool::new(false), &mut |_| {})
}

#[test]
fn every_feature_counts_the_same() {
    let model = colours();
    let scene = Scene::new(&pretrained(&model), &Device::cpu());
    // Without copies, the features are the rows that are trained on.
    let options = FitOptions { augment: None, ..options() };
    let trained = train(&scene, &model, &options).unwrap();
    let (rows, count) = (&trained.features, scene.split.train.len());
    assert_eq!(rows.len(), count);
    for feature in 0..3 {
        let moment = |power: i32| rows.iter().map(|row| row[feature].powi(power)).sum::<f32>() / count as f32;
        assert!(moment(1).abs() < 1e-3 && (moment(2) - 1.0).abs() < 0.1, "{} {}", moment(1), moment(2));
    }
    let epoch = &trained.history.0[0];
    assert_eq!((trained.history.0.len(), &trained.outcome), (1, &Outcome::Finished));
    assert_eq!(epoch.val_accuracy, 1.0, "brightness tells these people apart: {epoch:?}");
    assert_eq!(trained.answers.len(), scene.split.validation.len());
}

#[test]
fn equal_runs_are_equal_and_need_nothing_to_validate_with() {
    let model = colours();
    let mut scene = Scene::new(&pretrained(&model), &Device::cpu());
    let first = train(&scene, &model, &options()).unwrap();
    assert_eq!(first.weights, train(&scene, &model, &options()).unwrap().weights);
    assert_eq!(first.features.len(), scene.split.train.len(), "of the pictures, not of their copies");
    scene.split = Split { validation: vec![], ..scene.split };
    let alone = train(&scene, &model, &options()).unwrap();
    assert_eq!((&first.weights, alone.answers.len()), (&alone.weights, 0));
    assert!(alone.history.0[0].val_loss.is_nan());
}

#[test]
fn other_models_are_refused() {
    let model = Model { frozen: 1, ..colours() };
    let scene = Scene::new(&pretrained(&model), &Device::cpu());
    let error = train(&scene, &model, &options()).unwrap_err().to_string();
    assert!(error.contains("needs epochs"), "{error}");
}
