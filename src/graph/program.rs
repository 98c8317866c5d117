//! A plan's dispatches before they meet a device: what each operator adds.

use std::collections::BTreeMap;

use bytemuck::NoUninit;

use crate::device::Device;
use crate::gpu::Kernel;
use crate::profile::Work;
use crate::tensor::TensorType;
use crate::{Error, Result};

/// Threads of a workgroup in element-wise kernels: `WORKGROUP` in `common/linear.wgsl`.
pub(crate) const WORKGROUP: u64 = 256;

/// A tensor of a plan: an id with a type.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub(super) id: usize,
    pub(super) ty: TensorType,
}

impl Tensor {
    /// Shape and element type.
    pub fn ty(&self) -> &TensorType {
        &self.ty
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.ty.len()
    }
}

/// An operator's tensors while it adds its dispatches.
#[derive(Debug)]
pub(crate) struct Io {
    pub(super) inputs: Vec<Tensor>,
    pub(super) outputs: Vec<Tensor>,
}

impl Io {
    /// The `i`-th input.
    pub fn input(&self, i: usize) -> &Tensor {
        &self.inputs[i]
    }

    /// How many inputs there are.
    pub fn input_count(&self) -> usize {
        self.inputs.len()
    }

    /// The `i`-th output.
    pub fn output(&self, i: usize) -> &Tensor {
        &self.outputs[i]
    }

    /// Types of the inputs.
    pub fn input_types(&self) -> Vec<TensorType> {
        self.inputs.iter().map(|input| input.ty.clone()).collect()
    }
}

/// How many workgroups a dispatch has. Kernels see them in one row, whatever the device's limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    groups: u64,
}

impl Grid {
    /// At least `threads` threads, in workgroups of [`WORKGROUP`].
    pub fn linear(threads: usize) -> Grid {
        Grid { groups: (threads as u64).div_ceil(WORKGROUP) }
    }

    /// Exactly `groups` workgroups, and perhaps some more that have nothing to do.
    pub fn groups(groups: usize) -> Grid {
        Grid { groups: groups as u64 }
    }
}

/// Where a tensor's memory comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Origin {
    Input(String),
    State { name: String, initial: Option<f32> },
    Intermediate,
}

/// One dispatch, with ids for tensors.
#[derive(Debug)]
pub(super) struct Dispatch {
    pub kernel: Kernel,
    pub params: Vec<u8>,
    pub reads: Vec<(usize, usize)>,
    pub writes: Vec<(usize, usize)>,
    pub groups: u64,
    pub work: Work,
}

/// Collects dispatches while a plan is made.
#[derive(Debug)]
pub(crate) struct PlanBuilder<'a> {
    pub(super) device: &'a Device,
    pub(super) tensors: Vec<(TensorType, Origin)>,
    pub(super) dispatches: Vec<Dispatch>,
    pub(super) choices: Vec<Choice>,
    /// The operator that adds dispatches now.
    pub(super) operator: Work,
    /// Whether gradients go through it.
    pub(super) differentiated: bool,
}

/// A choice between kernel variants that was made for a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What it was made for: an operator and the sizes, rounded up to powers of two.
    pub problem: String,
    /// Names of the variants that can do the work, the best by the table first.
    pub candidates: Vec<&'static str>,
    /// The one that was taken.
    pub taken: &'static str,
}

impl<'a> PlanBuilder<'a> {
    pub(super) fn new(device: &'a Device) -> PlanBuilder<'a> {
        PlanBuilder {
            device,
            tensors: vec![],
            dispatches: vec![],
            choices: vec![],
            operator: Work::default(),
            differentiated: false,
        }
    }

    /// Adds a dispatch of `kernel`: tensors read and written in the order of the shader's bindings. A tensor
    /// that is updated in place stands among `writes` only.
    pub fn dispatch<P: NoUninit>(
        &mut self,
        kernel: &Kernel,
        params: P,
        reads: &[&Tensor],
        writes: &[&Tensor],
        grid: Grid,
    ) -> Result<()> {
        let bytes = self.bytes(reads, writes);
        let ids = |tensors: &[&Tensor]| tensors.iter().map(|t| (t.id, t.len())).collect::<Vec<_>>();
        let (reads, writes) = (ids(reads), ids(writes));
        let name = kernel.name();
        assert!(
            !writes.iter().any(|w| reads.iter().any(|r| r.0 == w.0)),
            "{name} reads and writes one tensor"
        );
        assert_eq!((reads.len(), writes.len()), (kernel.reads, kernel.writes), "tensors of {name}");
        assert_eq!(size_of::<P>(), kernel.params, "params of {name}");
        if kernel.needs_f16 && !self.device.has_f16() {
            let problem = format!("needs 16-bit floats, which {} has not; compute in f32 there", self.device);
            return Err(Error::Kernel { kernel: name, problem });
        }
        let params = bytemuck::bytes_of(&params).to_vec();
        self.dispatches.push(Dispatch {
            kernel: *kernel,
            params,
            reads,
            writes,
            groups: grid.groups,
            work: Work { kernel: name, bytes, ..self.operator.clone() },
        });
        Ok(())
    }

    /// Bytes that the tensors of a dispatch have; states that it writes are read too.
    fn bytes(&self, reads: &[&Tensor], writes: &[&Tensor]) -> u64 {
        let once: BTreeMap<usize, u64> = reads.iter().map(|t| (t.id, t.ty.bytes())).collect();
        let ways = |t: &Tensor| if matches!(self.tensors[t.id].1, Origin::State { .. }) { 2 } else { 1 };
        once.values().sum::<u64>() + writes.iter().map(|t| ways(t) * t.ty.bytes()).sum::<u64>()
    }

    /// A tensor that lives only between dispatches of this operator.
    pub fn scratch(&mut self, ty: TensorType) -> Tensor {
        self.tensor(ty, Origin::Intermediate)
    }

    /// Which of `candidates`, the best by the table first, the plan takes for a problem: the one that the device
    /// prefers, else the one that was measured to be the fastest, else the first.
    pub fn choose(&mut self, problem: &str, candidates: &[&'static str]) -> &'static str {
        let named = |name: &str| candidates.iter().copied().find(|candidate| *candidate == name);
        let preferred = self.device.preferred().and_then(named);
        let tuned = || named(&self.device.gpu()?.tuned().get(problem)?);
        let taken = preferred.or_else(tuned).unwrap_or(candidates[0]);
        self.choices.push(Choice { problem: problem.into(), candidates: candidates.to_vec(), taken });
        taken
    }

    /// Whether gradients go through the operator that adds dispatches now.
    pub fn is_differentiated(&self) -> bool {
        self.differentiated
    }

    /// The device that the plan is made for.
    pub fn device(&self) -> &Device {
        self.device
    }

    pub(super) fn tensor(&mut self, ty: TensorType, origin: Origin) -> Tensor {
        self.tensors.push((ty.clone(), origin));
        Tensor { id: self.tensors.len() - 1, ty }
    }
}
