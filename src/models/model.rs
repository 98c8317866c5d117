//! A network: layers one after the other, with an input shape.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::graph::{Graph, Params, Var};
use crate::nn::{Build, Layer, Mode, Parameter, widened};
use crate::tensor::{HostTensor, Precision, Shape, TensorType};
use crate::{Error, Result};

/// Layers one after the other, like Keras's `Sequential`. One description builds every graph.
#[derive(Clone, Debug)]
pub struct Model {
    /// Name in files and summaries.
    pub name: String,
    /// Sizes of an input without the batch: `[height, width, channels]`, or `[features]`.
    pub input: Shape,
    /// The layers, the first sees the input.
    pub layers: Vec<Arc<dyn Layer>>,
    /// How many of the first layers are frozen, Keras's `trainable = False`: training leaves their parameters alone
    /// and runs them as in prediction.
    pub frozen: usize,
}

/// What a layer makes of its input.
#[derive(Clone, Debug)]
pub struct LayerShape {
    /// Shape of its input, with the batch.
    pub input: Shape,
    /// Shape of its output, with the batch.
    pub output: Shape,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Floating-point operations of one prediction.
    pub flops: u64,
}

/// What a graph of the model is for.
struct Pass {
    mode: Mode,
    seed: u32,
    step: Option<Var>,
    first_row: usize,
    logits: bool,
    precision: Precision,
}

impl Pass {
    fn predict(precision: Precision) -> Pass {
        Pass { mode: Mode::Predict, seed: 0, step: None, first_row: 0, logits: false, precision }
    }
}

impl Model {
    /// Appends the network to `graph`; `x` is `[batch, …input]`. In training the result are logits, in
    /// prediction probabilities.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` or a layer does not fit.
    pub fn build(&self, graph: &mut Graph, x: Var, mode: Mode, seed: u32, step: Option<Var>) -> Result<Var> {
        let logits = mode == Mode::Train;
        let precision = Precision::F32;
        self.append(graph, x, Pass { mode, seed, step, first_row: 0, logits, precision })
    }

    /// As [`Model::build`] for training, where `x` is the part of a batch that begins at row `first_row`: dropout
    /// gives each row what it would have in the whole batch.
    ///
    /// # Errors
    /// As [`Model::build`].
    pub fn build_part(
        &self,
        graph: &mut Graph,
        x: Var,
        seed: u32,
        step: Var,
        first_row: usize,
    ) -> Result<Var> {
        let (mode, precision) = (Mode::Train, Precision::F32);
        self.append(graph, x, Pass { mode, seed, step: Some(step), first_row, logits: true, precision })
    }

    /// As [`Model::build`] for predicting, without the softmax of the last layer.
    ///
    /// # Errors
    /// As [`Model::build`].
    pub fn logits(&self, graph: &mut Graph, x: Var) -> Result<Var> {
        self.append(graph, x, Pass { logits: true, ..Pass::predict(Precision::F32) })
    }

    /// As [`Model::build`] for predicting, where what convolutions make of pictures, and the weights of what follows, are
    /// kept in floats of `precision`; sums are of 32 bits in any case, and so is the result. With 16 bits a tensor moves
    /// half the bytes. VGG16's features then differ by about 0.2 % of their length from those with 32.
    ///
    /// # Errors
    /// As [`Model::build`].
    pub fn predict(&self, graph: &mut Graph, x: Var, precision: Precision) -> Result<Var> {
        self.append(graph, x, Pass::predict(precision))
    }

    /// As [`Model::build`] for predicting, up to what the last dense layer is given: `[batch, features]`, by which
    /// the network tells its classes apart.
    ///
    /// # Errors
    /// As [`Model::build`]; [`Error::Input`] if there is no dense layer, or nothing before it.
    pub fn features(&self, graph: &mut Graph, x: Var) -> Result<Var> {
        self.before_classifier()?.build(graph, x, Mode::Predict, 0, None)
    }

    /// The layers before the last dense one.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no dense layer, or nothing before it.
    pub(crate) fn before_classifier(&self) -> Result<Model> {
        let dense = self.layers.iter().rposition(|layer| layer.class_name() == "Dense");
        match dense {
            Some(last @ 1..) => Ok(self.first(last)),
            _ => Err(Error::Input(format!(
                "the model '{}' has no layer before its last dense one, so no features",
                self.name
            ))),
        }
    }

    /// The last dense layer and those behind it, as a model of features.
    ///
    /// # Errors
    /// As [`Model::features`].
    pub(super) fn classifier(&self) -> Result<Model> {
        let before = self.before_classifier()?.layers.len();
        Ok(self.split(before)?.1)
    }

    /// The first `count` layers as a model of their own.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn first(&self, count: usize) -> Model {
        Model { layers: self.layers[..count].to_vec(), frozen: self.frozen.min(count), ..self.clone() }
    }

    /// The frozen layers, and those behind them, as models of their own: the second sees what the first gives.
    ///
    /// # Errors
    /// As [`Model::trace`].
    pub fn split_frozen(&self) -> Result<(Model, Model)> {
        self.split(self.frozen)
    }

    /// The first `count` layers, and those behind them, as models of their own: the second sees what the first gives.
    ///
    /// # Errors
    /// As [`Model::trace`].
    ///
    /// # Panics
    /// If there are fewer.
    pub fn split(&self, count: usize) -> Result<(Model, Model)> {
        let front = self.first(count);
        let input = match front.trace(1)?.last() {
            Some(last) => Shape::from(&last.output[1..]),
            None => self.input.clone(),
        };
        let layers = self.layers[count..].to_vec();
        let frozen = self.frozen.saturating_sub(count);
        Ok((front, Model { name: self.name.clone(), input, layers, frozen }))
    }

    fn append(&self, graph: &mut Graph, x: Var, pass: Pass) -> Result<Var> {
        let shape = graph.shape(x);
        if shape.get(1..) != Some(&self.input[..]) {
            let problem = format!("takes [batch, …{}], given {shape}", self.input);
            return Err(Error::shape("model", problem));
        }
        let Pass { mode, seed, step, first_row, logits, precision } = pass;
        let mut y = x;
        for (index, layer) in self.layers.iter().enumerate() {
            let logits = logits && index + 1 == self.layers.len();
            let mode = if index < self.frozen { Mode::Predict } else { mode };
            y = graph.labelled(layer.name(), |graph| {
                let x = if layer.takes_halves() { y } else { widened(graph, y)? };
                layer.build(&mut Build { graph, mode, seed, step, first_row, precision, logits }, x)
            })?;
        }
        widened(graph, y)
    }

    /// Shapes, parameters and work of each layer for a batch of `batch`.
    ///
    /// # Errors
    /// [`Error::Shape`] if a layer does not take what the one before it gives.
    pub fn trace(&self, batch: usize) -> Result<Vec<LayerShape>> {
        let mut graph = Graph::new();
        let shape: Vec<usize> = std::iter::once(batch).chain(self.input.iter().copied()).collect();
        let mut y = graph.input("x", TensorType::f32(shape));
        let mut trace = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let input = graph.shape(y).clone();
            let before = graph.flops();
            let mut parameters = layer.parameters(&input)?;
            parameters.iter_mut().for_each(|parameter| parameter.trainable &= index >= self.frozen);
            let mut build = Build {
                graph: &mut graph,
                mode: Mode::Predict,
                seed: 0,
                step: None,
                first_row: 0,
                precision: Precision::F32,
                logits: false,
            };
            y = layer.build(&mut build, y)?;
            let output = graph.shape(y).clone();
            trace.push(LayerShape { input, output, parameters, flops: graph.flops() - before });
        }
        Ok(trace)
    }

    /// All parameters, in the order of the layers.
    ///
    /// # Errors
    /// As [`Model::trace`].
    pub fn parameters(&self) -> Result<Vec<Parameter>> {
        Ok(self.trace(1)?.into_iter().flat_map(|layer| layer.parameters).collect())
    }

    /// Number of outputs per input: the classes of a classifier.
    ///
    /// # Errors
    /// As [`Model::trace`].
    pub fn classes(&self) -> Result<usize> {
        let last = self.trace(1)?.last().map(|layer| layer.output.len());
        last.ok_or_else(|| Error::Input("the model has no layers".into()))
    }

    /// Sets every parameter in `params` to its initial value.
    ///
    /// # Errors
    /// As [`Model::trace`], or if the device has no room.
    pub fn initialize(&self, params: &Params, seed: u32) -> Result<()> {
        for parameter in self.parameters()? {
            params.set(
                &parameter.name,
                &parameter.initializer.values(&parameter.name, &parameter.shape, seed),
            )?;
        }
        Ok(())
    }

    /// Sets every parameter in `params` from `values`, which has it under its name.
    ///
    /// # Errors
    /// [`Error::State`] for a parameter that is missing, has another shape, or is not finite.
    pub fn load(&self, params: &Params, values: &BTreeMap<String, HostTensor>) -> Result<()> {
        let found = self.find_parameters(|name| values.get(name))?;
        found.into_iter().try_for_each(|(name, value)| params.set(&name, value))
    }

    /// Whether `values` has every parameter under its name.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn check(&self, values: &BTreeMap<String, HostTensor>) -> Result<()> {
        self.find_parameters(|name| values.get(name)).map(|_| ())
    }

    /// The value of each parameter, where `find` finds it.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub(super) fn find_parameters<'a>(
        &self,
        find: impl Fn(&str) -> Option<&'a HostTensor>,
    ) -> Result<Vec<(String, &'a HostTensor)>> {
        let fitting = |Parameter { name, shape, .. }: Parameter| {
            let problem = match find(&name) {
                None => "is missing".into(),
                Some(value) if *value.shape() != shape => {
                    format!("has shape {}, expected {shape}", value.shape())
                }
                Some(value) if !value.is_finite() => {
                    "holds values that are not finite; train the model again".into()
                }
                Some(value) => return Ok((name, value)),
            };
            Err(Error::State { name, problem })
        };
        self.parameters()?.into_iter().map(fitting).collect()
    }

    /// The largest batch whose largest tensor fits in `bytes` bytes.
    ///
    /// # Errors
    /// As [`Model::trace`].
    pub fn largest_batch(&self, bytes: u64) -> Result<usize> {
        let largest =
            self.trace(1)?.iter().map(|layer| layer.input.len().max(layer.output.len()) as u64 * 4).max();
        Ok((bytes / largest.unwrap_or(1).max(1)).max(1).try_into().unwrap_or(usize::MAX))
    }
}
