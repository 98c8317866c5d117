//! Every operator against PyTorch's numbers (`golden/operators.py` quotes the calls), random words against NumPy's
//! (`golden/philox.py`).

use std::collections::BTreeMap;
use std::path::Path;

use lookalike::check::gpu;
use lookalike::formats::safetensors::{TensorFile, read_bytes};
use lookalike::graph::{Graph, Params, Plan, Var};
use lookalike::ops::{Activation, Adam, AdamForm, Conv2d, DepthwiseConv2d, Padding, Pool2d, Sgd, random};
use lookalike::tensor::{Data, HostTensor, TensorType};
use lookalike::{Device, Result};
use serde_json::Value;

#[test]
fn operators_give_what_pytorch_gives() {
    let bytes = include_bytes!("golden/operators.safetensors");
    let file = read_bytes(Path::new("operators.safetensors"), bytes).expect("the golden tensors");
    let cases = file.metadata["cases"].as_object().expect("the golden cases");
    let mut problems = Vec::new();
    for (name, parameters) in cases {
        let case = Case::new(&file, name, parameters);
        for device in [gpu().clone(), Device::cpu(), Device::reference()] {
            let found =
                Trial::new(&case, &device).run().unwrap_or_else(|e| panic!("{name} on {device}: {e}"));
            problems.extend(case.problems(&found, &device));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn random_words_are_numpys() {
    let golden: Value = serde_json::from_str(include_str!("golden/philox.json")).expect("the golden words");
    let words = |value: &Value| -> Vec<u32> { serde_json::from_value(value.clone()).expect("words") };
    for answer in golden["known_answers"].as_array().expect("known answers") {
        let counter = words(&answer["counter"]).try_into().expect("four words");
        let key = words(&answer["key"]).try_into().expect("two words");
        assert_eq!(random::philox(counter, key)[..], words(&answer["result"]));
    }
    let (key, expected) = (words(&golden["stream"]["key"]), words(&golden["stream"]["words"]));
    let drawn = (0..).map(|element| random::word(key[0], key[1], 0, element));
    assert_eq!(drawn.take(expected.len()).collect::<Vec<_>>(), expected);
}

/// A case of the file: its parameters, its tensors by their names.
struct Case<'a> {
    name: &'a str,
    parameters: &'a Value,
    tensors: BTreeMap<&'a str, &'a HostTensor>,
}

impl<'a> Case<'a> {
    fn new(file: &'a TensorFile, name: &'a str, parameters: &'a Value) -> Case<'a> {
        let tensors = file.tensors.iter().filter_map(|(path, tensor)| {
            let (case, own) = path.split_once('/')?;
            (case == name).then_some((own, tensor))
        });
        Case { name, parameters, tensors: tensors.collect() }
    }

    fn tensor(&self, name: &str) -> &'a HostTensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{} has no tensor '{name}'", self.name))
    }

    fn parameter(&self, name: &str) -> &'a Value {
        self.parameters.get(name).unwrap_or_else(|| panic!("{} has no parameter '{name}'", self.name))
    }

    fn number(&self, name: &str) -> f32 {
        self.parameter(name).as_f64().expect("a number") as f32
    }

    fn size(&self, name: &str) -> usize {
        self.parameter(name).as_u64().expect("a size") as usize
    }

    fn flag(&self, name: &str) -> bool {
        self.parameter(name).as_bool().expect("a flag")
    }

    /// A size for each axis of an image.
    fn sizes(&self, name: &str) -> [usize; 2] {
        [0, 1].map(|axis| self.parameter(name)[axis].as_u64().expect("two sizes") as usize)
    }

    /// Where `found` differs from the file by more than rounding explains, or leaves out one of its tensors.
    fn problems(&self, found: &Found, device: &Device) -> Vec<String> {
        let unread = self.tensors.keys().filter(|&&name| {
            !found.given.contains(&name) && found.values.iter().all(|(value, _)| value != name)
        });
        let unread = unread.map(|name| format!("{}: nothing is compared with '{name}'", self.name));
        let differences = found.values.iter().filter_map(|(name, value)| {
            let problem = self.difference(name, value, device)?;
            Some(format!("{} on {device}: {name} {problem}", self.name))
        });
        unread.chain(differences).collect()
    }

    /// The numbers of the file are rounded once, as are the constants of an operator; elsewhere than on the
    /// reference so is each term of a sum, and no sum is longer than the largest tensor.
    fn difference(&self, name: &str, found: &HostTensor, device: &Device) -> Option<String> {
        let expected = self.tensor(name);
        if found.shape() != expected.shape() {
            return Some(format!("has shape {}, expected {}", found.shape(), expected.shape()));
        }
        let (want, have) = (expected.to_f64(), found.to_f64());
        let terms = self.tensors.values().map(|tensor| tensor.shape().len()).max().unwrap_or(1);
        let factor = if device.is_reference() { 1.0 } else { 8.0 * (terms as f64).sqrt() };
        let scale = want.iter().fold(0f64, |scale, w| scale.max(w.abs()));
        let allowed = factor * f64::from(f32::EPSILON) * scale;
        let error = |at: usize| (want[at] - have[at]).abs();
        let worse = |&at: &usize| error(at).is_nan() || error(at) > allowed;
        let worst = (0..want.len()).filter(worse).max_by(|&a, &b| error(a).total_cmp(&error(b)))?;
        let place = expected.shape().coordinates(worst);
        let (have, want) = (have[worst], want[worst]);
        Some(format!("at {place:?} is {have}, expected {want} (allowed: {allowed:.3e})"))
    }
}

/// What a device makes of a case.
struct Found {
    values: Vec<(String, HostTensor)>,
    /// Tensors of the case that were put in, or need no comparison.
    given: Vec<&'static str>,
}

/// A case on its way through a device.
struct Trial<'a> {
    case: &'a Case<'a>,
    params: Params,
    graph: Graph,
    inputs: Vec<(&'static str, Var)>,
    given: Vec<&'static str>,
    /// States, and what they are expected to become.
    updates: Vec<(&'static str, &'static str)>,
}

impl<'a> Trial<'a> {
    fn new(case: &'a Case<'a>, device: &Device) -> Trial<'a> {
        let (params, graph) = (Params::new(device), Graph::new());
        Trial { case, params, graph, inputs: vec![], given: vec![], updates: vec![] }
    }

    fn run(self) -> Result<Found> {
        match self.case.name.split('_').next() {
            Some("adam" | "adamw") => self.adam(),
            Some("sgd") => self.sgd(),
            _ => self.run_once(),
        }
    }

    fn ty(&self, name: &str) -> TensorType {
        TensorType::f32(self.case.tensor(name).shape().clone())
    }

    fn input(&mut self, name: &'static str) -> Var {
        let var = self.graph.input(name, self.ty(name));
        self.inputs.push((name, var));
        self.given.push(name);
        var
    }

    fn state(&mut self, name: &'static str) -> Result<Var> {
        self.given.push(name);
        self.params.set(name, self.case.tensor(name))?;
        self.graph.state(name, self.ty(name))
    }

    /// Outputs, gradients of the first output, states.
    fn run_once(mut self) -> Result<Found> {
        let mut wanted = self.outputs()?;
        let differentiable = |(name, _): &&(&str, Var)| self.case.tensors.contains_key(&*format!("d{name}"));
        let (names, vars): (Vec<&str>, Vec<Var>) = self.inputs.iter().filter(differentiable).copied().unzip();
        let y = wanted[0].1;
        let gradients = if self.case.tensors.contains_key("dy") {
            let dy = self.input("dy");
            self.graph.gradients_of(&[(y, dy)], &vars)?
        } else {
            self.graph.gradients(y, &vars)?
        };
        wanted.extend(names.iter().map(|name| format!("d{name}")).zip(gradients));

        let vars: Vec<Var> = wanted.iter().map(|(_, var)| *var).collect();
        let mut plan = Plan::new(&self.graph, &self.params, &vars)?;
        for (name, _) in &self.inputs {
            plan.write(name, self.case.tensor(name).data())?;
        }
        plan.run_poisoned()?;
        let mut values = Vec::new();
        for (name, var) in wanted {
            values.push((name, plan.read(var)?));
        }
        for (state, name) in self.updates {
            values.push((name.into(), self.params.get(state)?));
        }
        Ok(Found { values, given: self.given })
    }

    /// The case's operator; the gradients start from its first output.
    fn outputs(&mut self) -> Result<Vec<(String, Var)>> {
        let case = self.case;
        let family = |family: &str| case.name.strip_prefix(family).is_some_and(|rest| rest.starts_with('_'));
        match case.name {
            _ if family("conv2d") => return self.conv2d(),
            _ if family("depthwise_conv2d") => return self.depthwise_conv2d(),
            _ if family("batch_norm") => return self.batch_norm(),
            _ if family("softmax_cross_entropy") => return self.softmax_cross_entropy(),
            _ => {}
        }
        let x = self.input("x");
        let y = match case.name {
            "leaky_relu" => self.graph.leaky_relu(x, case.number("slope")),
            "sigmoid" => self.graph.sigmoid(x),
            "tanh" => self.graph.tanh(x),
            "softmax" => self.graph.softmax(x),
            "prelu" => {
                let alpha = self.input("alpha");
                self.graph.prelu(x, alpha)
            }
            _ if family("max_pool2d") => self.graph.max_pool2d(x, pool2d(case)),
            _ if family("avg_pool2d") => self.graph.avg_pool2d(x, pool2d(case)),
            _ => panic!("no test covers the golden case '{}'", case.name),
        };
        Ok(vec![("y".into(), y?)])
    }

    fn conv2d(&mut self) -> Result<Vec<(String, Var)>> {
        let case = self.case;
        let (x, weight, bias) = (self.input("x"), self.input("weight"), self.input("bias"));
        assert_eq!(case.parameter("activation"), "relu", "{}", case.name);
        let mut outputs = Vec::new();
        for padding in paddings(case) {
            let (stride, dilation) = (case.sizes("stride"), case.sizes("dilation"));
            let conv = Conv2d { stride, dilation, padding, activation: Activation::Relu };
            outputs.push(("y".into(), self.graph.conv2d(x, weight, Some(bias), conv)?));
        }
        Ok(outputs)
    }

    fn depthwise_conv2d(&mut self) -> Result<Vec<(String, Var)>> {
        let (x, kernel, bias) = (self.input("x"), self.input("kernel"), self.input("bias"));
        let mut outputs = Vec::new();
        for padding in paddings(self.case) {
            let conv = DepthwiseConv2d { stride: self.case.sizes("stride"), padding };
            outputs.push(("y".into(), self.graph.depthwise_conv2d(x, kernel, Some(bias), conv)?));
        }
        Ok(outputs)
    }

    fn batch_norm(&mut self) -> Result<Vec<(String, Var)>> {
        let (x, gamma, beta) = (self.input("x"), self.input("gamma"), self.input("beta"));
        let (mean, variance) = (self.state("running_mean")?, self.state("running_variance")?);
        let norm = self.graph.batch_norm(x, gamma, beta, self.case.number("epsilon"))?;
        let momentum = self.case.number("momentum");
        self.graph.moving_average(mean, norm.mean, momentum)?;
        self.graph.moving_average(variance, norm.variance, momentum)?;
        self.updates.push(("running_mean", "new_running_mean"));
        self.updates.push(("running_variance", "new_running_variance"));
        Ok(vec![("y".into(), norm.y)])
    }

    fn softmax_cross_entropy(&mut self) -> Result<Vec<(String, Var)>> {
        let (x, target, weights) = (self.input("x"), self.input("target"), self.input("class_weight"));
        self.given.push("row_loss"); // only their mean leaves the operator
        let smoothing = self.case.number("label_smoothing");
        let loss = self.graph.softmax_cross_entropy(x, target, Some(weights), smoothing)?;
        Ok(vec![("loss".into(), self.graph.reshape(loss, [1])?)])
    }

    fn adam(self) -> Result<Found> {
        let case = self.case;
        let form = match case.name.split('_').next_back() {
            Some("keras") => AdamForm::Keras,
            Some("torch") => AdamForm::PyTorch,
            _ => panic!("no test covers the golden case '{}'", case.name),
        };
        let [beta1, beta2] = [0, 1].map(|i| case.parameter("betas")[i].as_f64().expect("two betas") as f32);
        let weight_decay = if case.name.starts_with("adamw") { case.number("weight_decay") } else { 0.0 };
        let adam = Adam { beta1, beta2, epsilon: case.number("eps"), form, weight_decay };
        self.run_steps(|graph, [param, gradient], step, rate| {
            let moments = [2].into_iter().chain(graph.shape(param).iter().copied()).collect::<Vec<_>>();
            let moments = graph.state_filled("moments", TensorType::f32(moments), 0.0)?;
            graph.adam(&[[param, gradient, moments]], step, rate, adam)
        })
    }

    fn sgd(self) -> Result<Found> {
        let sgd = Sgd { momentum: self.case.number("momentum"), nesterov: self.case.flag("nesterov") };
        self.run_steps(|graph, [param, gradient], _, rate| {
            let velocity = graph.state_filled("velocity", graph.ty(param).clone(), 0.0)?;
            graph.sgd(param, gradient, Some(velocity), rate, sgd)
        })
    }

    /// The parameter after each step of an optimizer, which is built from parameter and gradient, the step and the rate.
    fn run_steps(mut self, build: impl Fn(&mut Graph, [Var; 2], Var, Var) -> Result<()>) -> Result<Found> {
        let (param, ty) = (self.state("x")?, self.ty("x"));
        let gradient = self.graph.input("gradient", ty.clone());
        let graph = &mut self.graph;
        let step = graph.state_filled("step", TensorType::u32([1]), 0.0)?;
        let rate = graph.state_filled("rate", TensorType::f32([1]), self.case.number("lr"))?;
        build(graph, [param, gradient], step, rate)?;
        graph.increment(step)?;

        let mut plan = Plan::new(graph, &self.params, &[])?;
        let mut y = Vec::new();
        for gradient in self.case.tensor("gradient").to_f32().chunks(ty.len()) {
            plan.write("gradient", &Data::from(gradient))?;
            plan.run()?;
            y.extend(self.params.get("x")?.to_f64());
        }
        self.given.push("gradient");
        let y = HostTensor::new(self.case.tensor("y").shape().clone(), y);
        Ok(Found { values: vec![("y".into(), y)], given: self.given })
    }
}

/// A convolution's padding by its name, and by the numbers that the file gives for it.
fn paddings(case: &Case<'_>) -> [Padding; 2] {
    let named = match case.parameter("padding").as_str() {
        Some("valid") => Padding::Valid,
        Some("same") => Padding::Same,
        padding => panic!("{}: unknown padding {padding:?}", case.name),
    };
    let sides = [["top", "bottom"], ["left", "right"]].map(|axis| axis.map(|side| case.size(side)));
    [named, Padding::Explicit(sides)]
}

fn pool2d(case: &Case<'_>) -> Pool2d {
    let padding = Padding::Explicit(case.sizes("padding").map(|sides| [sides; 2]));
    Pool2d { window: case.sizes("window"), stride: case.sizes("stride"), padding, ceil: case.flag("ceil") }
}
