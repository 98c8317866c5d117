//! Batch normalisation folded into its neighbours: in prediction it is one factor and one summand per channel, which the
//! weights of a convolution or dense layer beside it can take over.
//!
//! Behind such a layer, or behind a depthwise convolution, without an activation: `(x·W + b)·s + t = x·(W·s) + (b·s + t)`.
//! Before one, but not before a depthwise convolution: `(x·s + t)·W + b = x·(s·W) + (t·W + b)`, unless padding stands
//! between them, whose zeros are not normalised. What lies between may be anything that a factor and a summand pass:
//! dropout, which prediction leaves out, averages, and flattening, behind which the channels repeat. A normalisation with
//! no such neighbour stays.
//!
//! Sums are then rounded in another order: where a channel's mean is large beside its deviation, some digits of the
//! result go with the difference that is no longer taken first.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Model;
use crate::Result;
use crate::nn::layers::{
    Activation, AveragePooling2d, BatchNormalization, Conv2d, Dense, DepthwiseConv2d, Dropout, Flatten,
    GlobalAveragePooling2d,
};
use crate::nn::{Layer, LayerActivation};
use crate::ops::Padding;
use crate::tensor::HostTensor;

/// A model for prediction only: nothing of it counts as frozen. Layers that took over a normalisation are named after
/// both, so their parameters never have the name of others.
#[derive(Debug)]
pub(super) struct Folded {
    pub model: Model,
    /// The parameters that are not the original's, in 64 bits.
    pub changed: BTreeMap<String, HostTensor>,
}

/// The model without those normalisations that can be folded.
///
/// # Errors
/// As [`Model::load`].
pub(super) fn fold(model: &Model, weights: &BTreeMap<String, HostTensor>) -> Result<Folded> {
    model.check(weights)?;
    let model = Model { frozen: 0, ..model.clone() };
    let mut folding = Folding { folded: Folded { model, changed: BTreeMap::new() }, weights };
    let mut at = 0;
    while at < folding.folded.model.layers.len() {
        // Whatever was folded, the layers before it have another neighbour now.
        at = if folding.fold_at(at) { 0 } else { at + 1 };
    }
    Ok(folding.folded)
}

struct Folding<'a> {
    folded: Folded,
    weights: &'a BTreeMap<String, HostTensor>,
}

/// What a normalisation does: y = x · factor + summand, for each channel.
struct Affine {
    factor: Vec<f64>,
    summand: Vec<f64>,
}

/// Kernel `[…, in, out]` and bias of a convolution or dense layer; of a depthwise convolution `[…, out, 1]`.
struct Linear {
    name: String,
    kernel: HostTensor,
    bias: Vec<f64>,
}

impl Folding<'_> {
    /// Folds the layer `at`, if it is a normalisation that can be.
    fn fold_at(&mut self, at: usize) -> bool {
        let layers = &self.folded.model.layers;
        let Some(affine) = cast::<BatchNormalization>(&layers[at]).and_then(|layer| self.affine(layer))
        else {
            return false;
        };
        let before = layers[..at].iter().rposition(|layer| !passes(layer));
        let after = layers[at + 1..].iter().position(|layer| !passes(layer)).map(|behind| at + 1 + behind);
        let taken = before
            .filter(|&before| takes_behind(&layers[before]))
            .and_then(|before| Some((before, self.linear(before).behind(&affine)?)))
            .or_else(|| {
                let after = after.filter(|&after| takes_before(&layers[after]))?;
                Some((after, self.linear(after).before(&affine)?))
            });
        let Some((by, linear)) = taken else { return false };
        self.replace(by, linear, at);
        true
    }

    fn values(&self, name: &str) -> Option<&HostTensor> {
        self.folded.changed.get(name).or_else(|| self.weights.get(name))
    }

    /// `None` if it divides by something that is no root, or by next to nothing.
    fn affine(&self, layer: &BatchNormalization) -> Option<Affine> {
        let value = |variable: &str| Some(self.values(&format!("{}/{variable}", layer.name))?.to_f64());
        let (gamma, beta) = (value("gamma")?, value("beta")?);
        let (mean, variance) = (value("moving_mean")?, value("moving_variance")?);
        let root = |variance: &f64| (variance + f64::from(layer.epsilon)).sqrt();
        let factor: Vec<f64> = gamma.iter().zip(&variance).map(|(gamma, v)| gamma / root(v)).collect();
        let each = beta.iter().zip(&mean).zip(&factor);
        let summand: Vec<f64> = each.map(|((beta, mean), factor)| beta - mean * factor).collect();
        let finite = factor.iter().chain(&summand).all(|x| x.is_finite());
        finite.then_some(Affine { factor, summand })
    }

    fn linear(&self, at: usize) -> Linear {
        let name = self.folded.model.layers[at].name().to_string();
        let kernel = self.values(&format!("{name}/kernel")).expect("parameters were found before").clone();
        let [.., inputs, outputs] = kernel.shape()[..] else {
            unreachable!("a kernel has two axes at least")
        };
        let out = if is::<DepthwiseConv2d>(&self.folded.model.layers[at]) { inputs } else { outputs };
        let bias = self.values(&format!("{name}/bias")).map_or_else(|| vec![0.0; out], HostTensor::to_f64);
        Linear { name, kernel, bias }
    }

    /// Puts `linear` in the place of the layer `by`, and takes the normalisation out.
    fn replace(&mut self, by: usize, linear: Linear, normalization: usize) {
        let layers = &mut self.folded.model.layers;
        let name = format!("{}+{}", linear.name, layers[normalization].name());
        let renamed: Arc<dyn Layer> = if let Some(conv) = cast::<Conv2d>(&layers[by]) {
            Arc::new(Conv2d { name: name.clone(), use_bias: true, ..conv.clone() })
        } else if let Some(conv) = cast::<DepthwiseConv2d>(&layers[by]) {
            Arc::new(DepthwiseConv2d { name: name.clone(), use_bias: true, ..conv.clone() })
        } else if let Some(dense) = cast::<Dense>(&layers[by]) {
            Arc::new(Dense { name: name.clone(), use_bias: true, ..dense.clone() })
        } else {
            unreachable!("only these take over a normalisation")
        };
        layers[by] = renamed;
        layers.remove(normalization);
        let changed = &mut self.folded.changed;
        changed
            .retain(|parameter, _| parameter.rsplit_once('/').is_none_or(|(layer, _)| layer != linear.name));
        changed.insert(format!("{name}/kernel"), linear.kernel);
        changed.insert(format!("{name}/bias"), HostTensor::new([linear.bias.len()], linear.bias));
    }
}

impl Linear {
    /// With the normalisation of its outputs; `None` if there are others between, or a number grows too large.
    fn behind(self, affine: &Affine) -> Option<Linear> {
        let Affine { factor, summand } = affine;
        let Linear { name, kernel, bias } = self;
        if bias.len() != factor.len() {
            return None;
        }
        let mut values = kernel.to_f64();
        for row in values.chunks_mut(factor.len()) {
            row.iter_mut().zip(factor).for_each(|(weight, factor)| *weight *= factor);
        }
        let bias = bias.iter().zip(factor).zip(summand).map(|((b, factor), summand)| b * factor + summand);
        Linear { name, kernel: HostTensor::new(kernel.shape(), values), bias: bias.collect() }.fitting()
    }

    /// With the normalisation of its inputs, whose channels repeat along the rows of the kernel: for each tap of a
    /// window, or each pixel that was flattened.
    fn before(self, affine: &Affine) -> Option<Linear> {
        let Linear { name, kernel, mut bias } = self;
        let mut values = kernel.to_f64();
        let channels = affine.factor.iter().zip(&affine.summand).cycle();
        for (row, (factor, summand)) in values.chunks_mut(bias.len()).zip(channels) {
            for (weight, bias) in row.iter_mut().zip(&mut bias) {
                *bias += summand * *weight;
                *weight *= factor;
            }
        }
        Linear { name, kernel: HostTensor::new(kernel.shape(), values), bias }.fitting()
    }

    fn fitting(self) -> Option<Linear> {
        let finite = self.kernel.is_finite() && self.bias.iter().all(|&bias| (bias as f32).is_finite());
        finite.then_some(self)
    }
}

fn cast<T: Layer>(layer: &Arc<dyn Layer>) -> Option<&T> {
    let layer: &dyn Any = &**layer;
    layer.downcast_ref()
}

fn is<T: Layer>(layer: &Arc<dyn Layer>) -> bool {
    cast::<T>(layer).is_some()
}

/// Whether it makes the same of `x · factor + summand` as it makes of x, with the factor and the summand behind it.
/// Padding does not count in averages.
fn passes(layer: &Arc<dyn Layer>) -> bool {
    cast::<Activation>(layer).is_some_and(|layer| layer.activation == LayerActivation::LINEAR)
        || is::<Dropout>(layer)
        || is::<Flatten>(layer)
        || is::<AveragePooling2d>(layer)
        || is::<GlobalAveragePooling2d>(layer)
}

fn takes_behind(layer: &Arc<dyn Layer>) -> bool {
    let activation = cast::<Conv2d>(layer)
        .map(|layer| layer.activation)
        .or_else(|| cast::<DepthwiseConv2d>(layer).map(|layer| layer.activation))
        .or_else(|| cast::<Dense>(layer).map(|layer| layer.activation));
    activation == Some(LayerActivation::LINEAR)
}

fn takes_before(layer: &Arc<dyn Layer>) -> bool {
    // Windows of one pixel need no padding to keep the size.
    let unpadded = |layer: &Conv2d| match layer.padding {
        Padding::Valid => true,
        Padding::Same => layer.kernel_size == [1, 1],
        Padding::Explicit(_) => false,
    };
    is::<Dense>(layer) || cast::<Conv2d>(layer).is_some_and(unpadded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::graph::{Graph, Params, Plan};
    use crate::models::{Vgg16, vgg16};
    use crate::nn::Mode;
    use crate::nn::layers::MaxPooling2d;
    use crate::tensor::{Data, Shape, TensorType};

    const RELU: LayerActivation = LayerActivation::RELU;
    const LINEAR: LayerActivation = LayerActivation::LINEAR;

    fn conv(name: &str, padding: Padding, activation: LayerActivation, use_bias: bool) -> Arc<dyn Layer> {
        Arc::new(Conv2d { padding, activation, use_bias, ..Conv2d::same_relu(name, 6, 3) })
    }

    fn depthwise(name: &str, activation: LayerActivation, use_bias: bool) -> Arc<dyn Layer> {
        let (kernel_size, strides, padding) = ([3, 2], [1, 2], Padding::Same);
        let name = name.into();
        Arc::new(DepthwiseConv2d { name, kernel_size, strides, padding, activation, use_bias })
    }

    fn dense(name: &str, activation: LayerActivation) -> Arc<dyn Layer> {
        Arc::new(Dense::new(name, 5, activation))
    }

    fn norm(name: &str) -> Arc<dyn Layer> {
        Arc::new(BatchNormalization::new(name))
    }

    fn flatten() -> Arc<dyn Layer> {
        Arc::new(Flatten { name: "flatten".into() })
    }

    fn dropout() -> Arc<dyn Layer> {
        Arc::new(Dropout { name: "dropout".into(), rate: 0.5 })
    }

    fn average() -> Arc<dyn Layer> {
        let (pool_size, strides) = ([3; 2], [2; 2]);
        Arc::new(AveragePooling2d { name: "average".into(), pool_size, strides, padding: Padding::Same })
    }

    /// Values like those of a trained model: no factor is 1, no summand 0. `plain` leaves gamma and beta as they start,
    /// which is a normalisation without scale and center.
    fn values(model: &Model, plain: bool) -> BTreeMap<String, HostTensor> {
        let value = |name: &str, i: usize| {
            let wave = ((i * 37 + name.len() * 11) % 23) as f32 / 11.0 - 1.0;
            match name.rsplit('/').next() {
                Some("gamma") if plain => 1.0,
                Some("beta") if plain => 0.0,
                Some("gamma") => 1.0 + 0.5 * wave,
                Some("moving_variance") => 1.5 + wave,
                _ => 0.4 * wave,
            }
        };
        let of = |p: crate::nn::Parameter| {
            let values: Vec<f32> = (0..p.shape.len()).map(|i| value(&p.name, i)).collect();
            (p.name, HostTensor::new(p.shape, values))
        };
        model.parameters().unwrap().into_iter().map(of).collect()
    }

    fn predict(device: &Device, model: &Model, find: &dyn Fn(&str) -> Option<HostTensor>) -> Vec<f64> {
        let params = Params::new(device);
        for parameter in model.parameters().unwrap() {
            params.set(&parameter.name, &find(&parameter.name).unwrap()).unwrap();
        }
        let shape: Vec<usize> = std::iter::once(3).chain(model.input.iter().copied()).collect();
        let mut graph = Graph::new();
        let x = graph.input("x", TensorType::f32(shape.clone()));
        let y = model.build(&mut graph, x, Mode::Predict, 0, None).unwrap();
        let mut plan = Plan::new(&graph, &params, &[y]).unwrap();
        let len: usize = shape.iter().product();
        plan.write("x", &Data::F32((0..len).map(|i| (i * i % 101) as f32 / 50.0 - 1.0).collect())).unwrap();
        plan.run().unwrap();
        plan.read(y).unwrap().to_f64()
    }

    /// Folds, and compares both models in 64 and in 32 bits; gives the names of the layers that are left.
    fn folded(input: &[usize], layers: Vec<Arc<dyn Layer>>) -> String {
        let model = Model { name: "m".into(), input: Shape::from(input), layers, frozen: 1 };
        for plain in [false, true] {
            check(&model, &values(&model, plain));
        }
        let folded = fold(&model, &values(&model, false)).unwrap();
        folded.model.layers.iter().map(|layer| layer.name()).collect::<Vec<_>>().join(" ")
    }

    fn check(model: &Model, weights: &BTreeMap<String, HostTensor>) -> Folded {
        let folded = fold(model, weights).unwrap();
        // Averages divide by a number that has 32 bits on every device.
        for (device, most) in [(Device::reference(), 3e-8), (Device::cpu(), 1e-5)] {
            let before = predict(&device, model, &|name| weights.get(name).cloned());
            let after = predict(&device, &folded.model, &|name| {
                folded.changed.get(name).or_else(|| weights.get(name)).cloned()
            });
            let largest = before.iter().fold(0.0f64, |most, x| most.max(x.abs()));
            let error = before.iter().zip(&after).fold(0.0f64, |most, (a, b)| most.max((a - b).abs()));
            assert_eq!(before.len(), after.len());
            assert!(error <= most * largest, "{error:.1e} of {largest:.1e} on {device}");
        }
        folded
    }

    #[test]
    fn into_the_layer_before_it() {
        let same = Padding::Same;
        let relu = || -> Arc<dyn Layer> { Arc::new(Activation { name: "relu".into(), activation: RELU }) };
        let picture = [5, 6, 3];
        assert_eq!(folded(&picture, vec![conv("c", same, LINEAR, true), norm("n"), relu()]), "c+n relu");
        assert_eq!(folded(&picture, vec![conv("c", same, LINEAR, false), norm("n"), relu()]), "c+n relu");
        assert_eq!(folded(&[7], vec![dense("d", LINEAR), dropout(), norm("n"), relu()]), "d+n dropout relu");
        assert_eq!(
            folded(&picture, vec![conv("c", same, LINEAR, true), average(), norm("n")]),
            "c+n average"
        );
        assert_eq!(folded(&picture, vec![depthwise("d", LINEAR, true), norm("n"), relu()]), "d+n relu");
        assert_eq!(folded(&picture, vec![depthwise("d", LINEAR, false), norm("n"), relu()]), "d+n relu");
        let two = vec![conv("c", same, LINEAR, false), norm("n"), norm("o"), relu()];
        assert_eq!(folded(&picture, two), "c+n+o relu");
    }

    #[test]
    fn into_the_layer_behind_it() {
        let (valid, picture) = (Padding::Valid, [5, 6, 3]);
        let head = vec![dense("d", RELU), dropout(), norm("n"), dense("e", LayerActivation::Softmax)];
        assert_eq!(folded(&[7], head), "d dropout e+n");
        assert_eq!(folded(&picture, vec![norm("n"), conv("c", valid, RELU, false)]), "c+n");
        assert_eq!(folded(&picture, vec![norm("n"), flatten(), dense("d", RELU)]), "flatten d+n");
        assert_eq!(folded(&picture, vec![norm("n"), average(), conv("c", valid, RELU, true)]), "average c+n");
        let all = Arc::new(GlobalAveragePooling2d { name: "all".into() });
        assert_eq!(folded(&picture, vec![norm("n"), all, norm("o"), dense("d", RELU)]), "all d+o+n");
        let one = Conv2d { kernel_size: [1, 1], strides: [2, 1], ..Conv2d::same_relu("c", 4, 1) };
        assert_eq!(folded(&picture, vec![norm("n"), Arc::new(one)]), "c+n");
        let both = vec![conv("c", valid, LINEAR, false), norm("n"), conv("e", valid, RELU, true)];
        assert_eq!(folded(&picture, both), "c+n e");
    }

    #[test]
    fn what_cannot_be_folded_stays() {
        let (same, picture) = (Padding::Same, [5, 6, 3]);
        assert_eq!(folded(&picture, vec![norm("n"), conv("c", same, RELU, true)]), "n c");
        assert_eq!(folded(&picture, vec![conv("c", same, RELU, true), norm("n")]), "c n");
        assert_eq!(folded(&picture, vec![depthwise("d", RELU, true), norm("n")]), "d n");
        assert_eq!(folded(&picture, vec![norm("n"), depthwise("d", LINEAR, true)]), "n d");
        let pool: Arc<dyn Layer> = Arc::new(MaxPooling2d::square("pool", 2));
        assert_eq!(
            folded(&picture, vec![norm("n"), pool.clone(), flatten(), dense("d", RELU)]),
            "n pool flatten d"
        );
        assert_eq!(folded(&picture, vec![conv("c", same, LINEAR, true), pool, norm("n")]), "c pool n");
        // Behind the flattening, each pixel has a factor of its own.
        assert_eq!(
            folded(&picture, vec![conv("c", same, LINEAR, true), flatten(), norm("n")]),
            "c flatten n"
        );
        // One pixel has as many as a channel.
        let one = vec![conv("c", Padding::Valid, LINEAR, true), flatten(), norm("n")];
        assert_eq!(folded(&[3, 3, 2], one), "c+n flatten");
        assert_eq!(folded(&picture, vec![norm("n"), norm("o")]), "n o");
    }

    #[test]
    fn numbers_that_no_weight_can_take_stay() {
        let layers = vec![dense("d", LINEAR), norm("n")];
        let model = Model { name: "m".into(), input: Shape::from([2]), layers, frozen: 0 };
        let mut weights = values(&model, false);
        weights.insert("n/moving_variance".into(), HostTensor::new([5], vec![-1.0f32; 5]));
        assert_eq!(fold(&model, &weights).unwrap().model.layers.len(), 2);
        weights.insert("n/moving_variance".into(), HostTensor::new([4], vec![1.0f32; 4]));
        assert!(fold(&model, &weights).unwrap_err().to_string().contains("n/moving_variance"));
    }

    #[test]
    fn the_head_of_vgg16_has_none_left() {
        let model = vgg16(&Vgg16 { size: 32, dense: 9, ..Vgg16::new(3) }).unwrap();
        let (_, head) = model.split_frozen().unwrap();
        let folded = check(&head, &values(&head, false));
        let names: Vec<&str> = folded.model.layers.iter().map(|layer| layer.name()).collect();
        assert_eq!(names, ["flatten", "dense1", "dropout", "dense2+batch_normalization"]);
        let changed: Vec<&String> = folded.changed.keys().collect();
        assert_eq!(changed, ["dense2+batch_normalization/bias", "dense2+batch_normalization/kernel"]);
    }
}
