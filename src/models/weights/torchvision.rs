//! Torchvision's names: `features.0.weight`, a number for each module, and kernels as OIHW.

use super::names::Wanted;
use crate::models::Model;

/// The place of each wanted parameter, if the file has torchvision's names and the architecture is of their kind: `None`
/// for any other. What is missing has no place.
pub(super) fn find(stored: &[String], architecture: &Model, wanted: &[Wanted]) -> Option<Vec<Vec<String>>> {
    if !stored.iter().any(|name| suffix_of(name).is_some()) {
        return None;
    }
    let numbers = numbers(architecture)?;
    let place = |wanted: &Wanted| {
        let (_, number) = numbers.iter().find(|(layer, _)| *layer == wanted.layer)?;
        let variable = if wanted.variable == "kernel" { "weight" } else { "bias" };
        Some(format!("features.{number}.{variable}"))
    };
    let places = wanted.iter().map(|wanted| {
        let place = place(wanted);
        stored
            .iter()
            .filter(|name| suffix_of(name).is_some() && suffix_of(name) == place.as_deref())
            .cloned()
            .collect()
    });
    Some(places.collect())
}

/// `features.…` of a name, which may stand behind the name of a module it lies in.
fn suffix_of(name: &str) -> Option<&str> {
    let at = name.rfind("features.")?;
    let is_whole_word = at == 0 || name[..at].ends_with('.');
    is_whole_word.then_some(&name[at..])
}

/// The number of each convolution: its activation counts too, and so do poolings. With batch normalisation between them
/// the numbers are others, so such weights are not mistaken for these.
fn numbers(architecture: &Model) -> Option<Vec<(&str, usize)>> {
    let mut next = 0;
    let mut numbers = Vec::new();
    for layer in &architecture.layers {
        match layer.class_name() {
            "Conv2D" => {
                numbers.push((layer.name(), next));
                next += 2;
            }
            "MaxPooling2D" => next += 1,
            _ => return None,
        }
    }
    Some(numbers)
}

/// A kernel as Keras has it, `[height, width, inputs, outputs]`, from PyTorch's `[outputs, inputs, height, width]`.
pub(super) fn to_hwio(values: &[f32], [outputs, inputs, height, width]: [usize; 4]) -> Vec<f32> {
    let area = height * width;
    let mut turned = Vec::with_capacity(values.len());
    for at in 0..area {
        for input in 0..inputs {
            turned.extend((0..outputs).map(|output| values[(output * inputs + input) * area + at]));
        }
    }
    turned
}
