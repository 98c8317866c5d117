//! One case: inputs, a graph, and how close the devices must come.

use std::collections::BTreeSet;
use std::fmt;

use super::{devices, values};
use crate::graph::{Graph, Params, Plan, Var};
use crate::tensor::{DType, Data, HostTensor, TensorType};
use crate::{Device, Error, Result};

/// A case under construction. See [`Check::run`].
#[derive(Clone, Debug)]
pub struct Check {
    name: String,
    inputs: Vec<HostTensor>,
    states: Vec<(String, HostTensor)>,
    terms: usize,
    factor: f64,
    gradients: bool,
    folded: bool,
    saturated: bool,
    variants: Option<Vec<&'static str>>,
}

/// Why a case failed: device, tensor, worst place, both values.
#[derive(Debug)]
pub struct Failure {
    case: String,
    device: String,
    problem: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "case '{}' on {}: {}", self.case, self.device, self.problem)
    }
}

impl std::error::Error for Failure {}

/// What makes a case's outputs of its inputs and states.
type Builder<'a> = &'a dyn Fn(&mut Graph, &[Var]) -> Result<Vec<Var>>;

/// Values of a run: outputs, then gradients, then states.
type Values = Vec<Value>;

#[derive(Debug)]
struct Value {
    name: String,
    value: HostTensor,
    /// What the device keeps it in.
    dtype: DType,
}

impl Check {
    /// A case; the name says what it is for.
    pub fn new(name: &str) -> Check {
        Check {
            name: name.into(),
            inputs: vec![],
            states: vec![],
            terms: 1,
            factor: 8.0,
            gradients: true,
            folded: false,
            saturated: false,
            variants: None,
        }
    }

    /// The next input; the graph is built with inputs first, then states, in this order.
    pub fn input(mut self, value: HostTensor) -> Check {
        self.inputs.push(value);
        self
    }

    /// The next state, compared after the run like an output.
    pub fn state(mut self, name: &str, value: HostTensor) -> Check {
        self.states.push((name.into(), value));
        self
    }

    /// Length of the longest sum behind an element of an output or gradient: an error of
    /// 8 · ε · √terms · (largest value of the tensor) is allowed.
    pub fn terms(mut self, terms: usize) -> Check {
        self.terms = terms;
        self
    }

    /// Allows `factor` · ε · √terms · (largest value) instead of 8. The caller says why.
    pub fn factor(mut self, factor: f64) -> Check {
        self.factor = factor;
        self
    }

    /// For what ends sums in an activation that bounds them: variants that round factors may be off by what that is of
    /// the largest sum, about √terms times the largest result.
    pub fn saturated(mut self) -> Check {
        self.saturated = true;
        self
    }

    /// For what has no gradient.
    pub fn without_gradients(mut self) -> Check {
        self.gradients = false;
        self
    }

    /// Also runs on the device with 7 workgroups per grid axis; fails if the case does not need folding there.
    pub fn folded(mut self) -> Check {
        self.folded = true;
        self
    }

    /// Also runs every kernel variant that the GPU offers for it; fails if one of these names is not among them, but for
    /// that of a feature which the GPU lacks.
    pub fn variants(mut self, expected: &[&'static str]) -> Check {
        self.variants = Some(expected.to_vec());
        self
    }

    /// Checks the graph that `build` makes of the inputs and states, and panics with the [`Failure`].
    ///
    /// # Panics
    /// If a check fails.
    pub fn run(self, build: impl Fn(&mut Graph, &[Var]) -> Result<Vec<Var>>) {
        if let Err(failure) = self.check(&build) {
            panic!("{failure}");
        }
    }

    /// In `f64`, gradients equal central differences; the GPU and the CPU path, with poisoned outputs, equal the
    /// `f64` twins within rounding. A GPU without 16-bit floats is left out of cases that hold some, which is printed.
    ///
    /// # Errors
    /// [`Failure`] with the worst element.
    pub fn check(&self, build: Builder<'_>) -> std::result::Result<(), Failure> {
        let reference = Device::reference();
        let expected = self.evaluate(&reference, build, true).map_err(|e| self.failure(&reference, &e))?;
        if self.gradients {
            self.differences(build, &expected).map_err(|problem| self.failure(&reference, &problem))?;
        }
        let mut devices = vec![devices::gpu().clone(), Device::cpu()];
        if self.folded {
            devices.push(devices::folded().clone());
        }
        let halves = self.holds_halves(build).map_err(|e| self.failure(&reference, &e))?;
        let runs = |device: &Device| !halves || device.has_f16();
        if !runs(devices::gpu()) {
            println!("NOT RUN on {}, which has no 16-bit floats: {}", devices::gpu(), self.name);
        }
        for device in devices.iter().filter(|device| runs(device)) {
            let found = self.evaluate(device, build, true).map_err(|e| self.failure(device, &e))?;
            self.compare(&expected, &found, "").map_err(|problem| self.failure(device, &problem))?;
        }
        match &self.variants {
            Some(names) if runs(devices::gpu()) => self.check_variants(build, &expected, names),
            _ => Ok(()),
        }
    }

    fn holds_halves(&self, build: Builder<'_>) -> Result<bool> {
        let mut graph = Graph::new();
        let mut vars: Vec<Var> =
            (0..self.inputs.len()).map(|i| graph.input(&format!("input {i}"), ty(&self.inputs[i]))).collect();
        for (name, value) in &self.states {
            vars.push(graph.state(name, ty(value))?);
        }
        build(&mut graph, &vars)?;
        Ok(graph.holds(DType::F16))
    }

    /// Compares each kernel variant that the GPU offers with the expected values.
    fn check_variants(
        &self,
        build: Builder<'_>,
        expected: &Values,
        names: &[&'static str],
    ) -> std::result::Result<(), Failure> {
        let gpu = devices::gpu();
        let session = Session::new(self, gpu, build, self.gradients).map_err(|e| self.failure(gpu, &e))?;
        let choices = session.plan.choices();
        let offered: BTreeSet<&str> =
            choices.iter().flat_map(|choice| choice.candidates.iter().copied()).collect();
        let has_subgroups = gpu.gpu().is_some_and(|gpu| gpu.has_subgroups_of(8));
        let possible = |name: &str| name != "subgroup" || has_subgroups;
        if let Some(name) = names.iter().find(|name| !offered.contains(*name) && possible(name)) {
            let problem = format!("variant {name} is not offered, only {offered:?}");
            return Err(self.failure(gpu, &problem));
        }
        offered.into_iter().try_for_each(|name| self.check_variant(gpu, name, build, expected))
    }

    /// Compares a kernel variant on a device with the expected values.
    fn check_variant(
        &self,
        device: &Device,
        name: &str,
        build: Builder<'_>,
        expected: &Values,
    ) -> std::result::Result<(), Failure> {
        let failure =
            |problem: &dyn fmt::Display| self.failure(device, &format!("variant {name}: {problem}"));
        let found = self.evaluate(&device.preferring(name), build, true).map_err(|e| failure(&e))?;
        self.compare(expected, &found, name).map_err(|problem| failure(&problem))
    }

    /// Checks a kernel variant on a device against the `f64` twins, with poisoned outputs, if the device offers it for the
    /// case; returns whether it does.
    pub(super) fn check_on(
        &self,
        device: &Device,
        variant: &str,
        build: Builder<'_>,
    ) -> std::result::Result<bool, Failure> {
        let session =
            Session::new(self, device, build, self.gradients).map_err(|e| self.failure(device, &e))?;
        if !session.plan.choices().iter().any(|choice| choice.candidates.contains(&variant)) {
            return Ok(false);
        }
        let reference = Device::reference();
        let expected = self.evaluate(&reference, build, true).map_err(|e| self.failure(&reference, &e))?;
        self.check_variant(device, variant, build, &expected)?;
        Ok(true)
    }

    /// Checks on a device what it takes by itself, and every kernel variant that it offers, against the `f64` twins, with
    /// poisoned outputs. `each` is told how it went, with the variant's name, which is `None` where there is no choice.
    pub(super) fn check_all_on(
        &self,
        device: &Device,
        build: Builder<'_>,
        each: &mut dyn FnMut(Option<&'static str>, std::result::Result<(), Failure>),
    ) {
        let reference = Device::reference();
        let expected = match self.evaluate(&reference, build, true) {
            Ok(expected) => expected,
            Err(problem) => return each(None, Err(self.failure(&reference, &problem))),
        };
        let offered: BTreeSet<&'static str> = match Session::new(self, device, build, self.gradients) {
            Ok(session) => {
                session.plan.choices().iter().flat_map(|choice| choice.candidates.clone()).collect()
            }
            Err(problem) => return each(None, Err(self.failure(device, &problem))),
        };
        for &name in &offered {
            each(Some(name), self.check_variant(device, name, build, &expected));
        }
        if offered.is_empty() {
            let found = self.evaluate(device, build, true).map_err(|problem| self.failure(device, &problem));
            let compared = found.and_then(|found| {
                self.compare(&expected, &found, "").map_err(|problem| self.failure(device, &problem))
            });
            each(None, compared);
        }
    }

    /// What the case is for.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn failure(&self, device: &Device, problem: &dyn fmt::Display) -> Failure {
        Failure { case: self.name.clone(), device: device.to_string(), problem: problem.to_string() }
    }

    /// Builds and runs the graph on `device`.
    fn evaluate(&self, device: &Device, build: Builder<'_>, with_gradients: bool) -> Result<Values> {
        let mut session = Session::new(self, device, build, with_gradients && self.gradients)?;
        if devices::is_folded(device) && session.plan.most_groups() <= 7 {
            let groups = session.plan.most_groups();
            return Err(Error::Input(format!("its largest grid has {groups} groups, so nothing is folded")));
        }
        session.run(&self.inputs)?;
        session.values()
    }

    /// Compares the gradients in `expected` with central differences of the outputs.
    fn differences(&self, build: Builder<'_>, expected: &Values) -> std::result::Result<(), String> {
        const STEP: f64 = 1e-5;
        const SAMPLES: usize = 48;
        let mut session =
            Session::new(self, &Device::reference(), build, false).map_err(|e| e.to_string())?;
        let weights: Vec<Vec<f64>> =
            session.outputs.iter().enumerate().map(|(i, (_, ty))| cotangent(ty, i).to_f64()).collect();
        let mut objective = |inputs: &[HostTensor]| -> Result<f64> {
            session.run(inputs)?;
            let values = session.values()?;
            let dot = |(value, weight): (&Value, &Vec<f64>)| {
                value.value.to_f64().iter().zip(weight).map(|(y, w)| y * w).sum::<f64>()
            };
            Ok(values.iter().zip(&weights).map(dot).sum())
        };
        for (index, input) in self.inputs.iter().enumerate() {
            let Some(Value { name, value: gradient, .. }) =
                expected.iter().find(|value| value.name == gradient_name(index))
            else {
                continue;
            };
            let gradient = gradient.to_f64();
            let scale = gradient.iter().fold(1.0f64, |scale, g| scale.max(g.abs()));
            let stride = gradient.len().div_ceil(SAMPLES);
            for at in (0..gradient.len()).step_by(stride) {
                let mut moved = self.inputs.clone();
                let mut at_offset = |offset: f64| -> Result<f64> {
                    let mut values = input.to_f64();
                    values[at] += offset;
                    moved[index] = HostTensor::new(input.shape().clone(), values);
                    objective(&moved)
                };
                let difference = at_offset(STEP)
                    .and_then(|high| Ok((high - at_offset(-STEP)?) / (2.0 * STEP)))
                    .map_err(|e| e.to_string())?;
                let error = (difference - gradient[at]).abs();
                if error.is_nan() || error > 1e-6 * scale {
                    return Err(format!(
                        "{name} at {:?} is {}, central differences give {difference}",
                        input.shape().coordinates(at),
                        gradient[at]
                    ));
                }
            }
        }
        Ok(())
    }

    /// Compares all values within the error of a kernel variant.
    fn compare(&self, expected: &Values, found: &Values, variant: &str) -> std::result::Result<(), String> {
        for (Value { name, value: expected, dtype }, Value { value: found, .. }) in expected.iter().zip(found)
        {
            // Two sums that differ by their own rounding may become neighbours among the 16-bit floats; those that are
            // too small to have all digits may also become 0.
            let (relative, absolute) = match dtype {
                DType::F16 => (2f64.powi(-10), 2f64.powi(-14)),
                _ => (0.0, 0.0),
            };
            if let (Data::U32(_) | Data::U8(_), false) = (expected.data(), expected.data() == found.data()) {
                return Err(format!(
                    "{name}: integers differ: {:?}, expected {:?}",
                    found.data(),
                    expected.data()
                ));
            }
            let (want, have) = (expected.to_f64(), found.to_f64());
            let scale = want.iter().filter(|w| w.is_finite()).fold(1e-30f64, |scale, w| scale.max(w.abs()));
            let growth = (self.terms as f64).sqrt();
            let of_sums = loss(variant) * self.factor * f64::from(f32::EPSILON) * growth;
            let of_factors = of_factors(variant) * if self.saturated { growth } else { 1.0 };
            let allowed = (of_sums + of_factors) * scale;
            let error = |at: usize| if want[at] == have[at] { 0.0 } else { (want[at] - have[at]).abs() };
            let allowed = |at: usize| allowed + relative * want[at].abs() + absolute;
            let worse = |at: usize| error(at).is_nan() || error(at) > allowed(at);
            let worst =
                (0..want.len()).filter(|&at| worse(at)).max_by(|&a, &b| error(a).total_cmp(&error(b)));
            if let Some(at) = worst {
                return Err(format!(
                    "{name} {} at {:?} is {}, expected {} (error {:.3e}, allowed {:.3e}; {} of {} elements off)",
                    expected.shape(),
                    expected.shape().coordinates(at),
                    have[at],
                    want[at],
                    error(at),
                    allowed(at),
                    (0..want.len()).filter(|&at| worse(at)).count(),
                    want.len()
                ));
            }
        }
        Ok(())
    }
}

/// A graph with its plan and store on one device.
struct Session<'a> {
    case: &'a Check,
    params: Params,
    plan: Plan,
    outputs: Vec<(Var, TensorType)>,
    gradients: Vec<(String, Var)>,
}

impl<'a> Session<'a> {
    fn new(
        case: &'a Check,
        device: &Device,
        build: Builder<'_>,
        with_gradients: bool,
    ) -> Result<Session<'a>> {
        let params = Params::new(device);
        let mut graph = Graph::new();
        let mut vars: Vec<Var> = case
            .inputs
            .iter()
            .enumerate()
            .map(|(i, value)| graph.input(&format!("input {i}"), ty(value)))
            .collect();
        for (name, value) in &case.states {
            params.set(name, value)?;
            vars.push(graph.state(name, ty(value))?);
        }
        let outputs = build(&mut graph, &vars)?;
        let mut gradients = Vec::new();
        if with_gradients {
            let mut seeds = Vec::new();
            for (i, &y) in outputs.iter().enumerate() {
                let dy = graph.input(&format!("dy {i}"), graph.ty(y).clone());
                seeds.push((y, dy));
            }
            let of = (0..case.inputs.len()).filter(|&i| ty(&case.inputs[i]).dtype == DType::F32);
            for i in of {
                gradients.push((gradient_name(i), graph.gradients_of(&seeds, &[vars[i]])?[0]));
            }
        }
        let wanted: Vec<Var> = outputs.iter().copied().chain(gradients.iter().map(|(_, var)| *var)).collect();
        let mut plan = Plan::new(&graph, &params, &wanted)?;
        let outputs: Vec<(Var, TensorType)> = outputs.into_iter().map(|y| (y, graph.ty(y).clone())).collect();
        if with_gradients {
            for (i, (_, ty)) in outputs.iter().enumerate() {
                plan.write(&format!("dy {i}"), cotangent(ty, i).data())?;
            }
        }
        Ok(Session { case, params, plan, outputs, gradients })
    }

    fn run(&mut self, inputs: &[HostTensor]) -> Result<()> {
        for (i, value) in inputs.iter().enumerate() {
            self.plan.write(&format!("input {i}"), value.data())?;
        }
        self.plan.run_poisoned()
    }

    fn values(&self) -> Result<Values> {
        let mut values = Vec::new();
        for (i, (y, ty)) in self.outputs.iter().enumerate() {
            values.push(Value { name: format!("output {i}"), value: self.plan.read(*y)?, dtype: ty.dtype });
        }
        for (name, gradient) in &self.gradients {
            values.push(Value { name: name.clone(), value: self.plan.read(*gradient)?, dtype: DType::F32 });
        }
        for (name, _) in &self.case.states {
            let value = self.params.get(name)?;
            values.push(Value { name: format!("state {name}"), dtype: ty(&value).dtype, value });
        }
        Ok(values)
    }
}

/// How many times the usual rounding error a kernel variant may make.
fn loss(variant: &str) -> f64 {
    match variant {
        // The transforms add and subtract values of different sizes.
        "winograd-4" => 2.0,
        _ => 1.0,
    }
}

/// What a kernel variant may lose by rounding factors to `f16`, as a share of the tensor's largest value. A term of a sum is
/// off by up to 2⁻¹⁰, by a third of that on average. With values of either sign the errors add up as the terms do, so the
/// share does not grow with their number; twice 2⁻¹⁰ leaves room for sums in which more terms than errors cancel.
fn of_factors(variant: &str) -> f64 {
    match variant {
        "matrix-8" | "matrix-16" => 2f64.powi(-9),
        _ => 0.0,
    }
}

fn gradient_name(input: usize) -> String {
    format!("gradient of input {input}")
}

/// Fixed weights that turn an output into the scalar whose gradient is checked.
fn cotangent(ty: &TensorType, output: usize) -> HostTensor {
    values::uniform(ty.shape.clone(), 0xc07a + output as u64, -1.0, 1.0)
}

fn ty(value: &HostTensor) -> TensorType {
    let dtype = match value.data() {
        Data::F32(_) | Data::F64(_) => DType::F32,
        Data::U32(_) => DType::U32,
        Data::U8(_) => DType::U8,
    };
    TensorType { shape: value.shape().clone(), dtype }
}
