//! Tensors joined along an axis.

use bytemuck::{Pod, Zeroable};

use crate::cpu::{Float, Slots, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::{Shape, TensorType};
use crate::{Error, Result};

const SHADER: Shader = shader!("concat", "common/linear.wgsl", "concat.wgsl");
const WRITE_PART: Kernel = SHADER
    .kernel("write_part")
    .params::<Params>()
    .reads(1)
    .writes(1)
    .twin(write_part::<f32>, write_part::<f64>);
const READ_PART: Kernel =
    SHADER.kernel("read_part").params::<Params>().reads(1).writes(1).twin(read_part::<f32>, read_part::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[WRITE_PART, READ_PART];

impl Graph {
    /// The tensors `xs` one behind the other along `axis`; their other axes agree.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are none, they have no such axis, or other axes differ; [`Error::Type`] if one
    /// does not hold floats.
    pub fn concat(&mut self, xs: &[Var], axis: usize) -> Result<Var> {
        self.apply(Concat { axis }, xs)
    }
}

#[derive(Debug)]
struct Concat {
    axis: usize,
}

impl Operator for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        super::expect_floats(self.name(), inputs)?;
        let shapes = || inputs.iter().map(|x| x.shape.to_string()).collect::<Vec<_>>().join(", ");
        let Some(first) = inputs.first() else {
            return Err(Error::shape(self.name(), "there is nothing to join; give at least one tensor"));
        };
        if self.axis >= first.shape.rank() {
            let problem = format!("there is no axis {} (inputs: {})", self.axis, shapes());
            return Err(Error::shape(self.name(), problem));
        }
        let joined = inputs.iter().map(|x| x.shape.get(self.axis).copied().unwrap_or(0)).sum();
        let with_axis = |x: &TensorType| {
            let mut sizes = x.shape.to_vec();
            if let Some(size) = sizes.get_mut(self.axis) {
                *size = joined;
            }
            Shape::from(sizes)
        };
        let y = with_axis(first);
        if inputs.iter().any(|x| with_axis(x) != y) {
            let problem =
                format!("axes other than the joined axis {} differ (inputs: {})", self.axis, shapes());
            return Err(Error::shape(self.name(), problem));
        }
        Ok(vec![TensorType::f32(y)])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let y = io.output(0);
        let mut start = 0;
        for i in 0..io.input_count() {
            let x = io.input(i);
            let params = Params::new(x.ty(), y.ty(), self.axis, start);
            plan.dispatch(&WRITE_PART, params, &[x], &[y], Grid::linear(x.len()))?;
            start += x.ty().shape[self.axis];
        }
        Ok(())
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let dy = dy[0].expect("one output");
        let mut start = 0;
        let part = |x: &Var| {
            let shape = graph.shape(*x).clone();
            let slice = Slice { axis: self.axis, start, shape };
            start += slice.shape[self.axis];
            Ok(Some(graph.apply(slice, &[dy])?))
        };
        node.inputs.iter().map(part).collect()
    }

    fn flops(&self, _inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

/// The part of shape `shape` that begins at `start` of the axis `axis`.
#[derive(Debug)]
struct Slice {
    axis: usize,
    start: usize,
    shape: Shape,
}

impl Operator for Slice {
    fn name(&self) -> &'static str {
        "concat gradient"
    }

    fn outputs(&self, _inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::f32(&self.shape)])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (x, y) = (io.input(0), io.output(0));
        let params = Params::new(y.ty(), x.ty(), self.axis, self.start);
        plan.dispatch(&READ_PART, params, &[x], &[y], Grid::linear(y.len()))
    }

    fn flops(&self, _inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

fn write_part<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let part = slots.float(0).chunks(p.part as usize);
    for (whole, part) in slots.out().chunks_mut(p.whole as usize).zip(part) {
        whole[p.start as usize..][..part.len()].copy_from_slice(part);
    }
}

fn read_part<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let whole = slots.float(0).chunks(p.whole as usize);
    for (part, whole) in slots.out().chunks_mut(p.part as usize).zip(whole) {
        part.copy_from_slice(&whole[p.start as usize..][..part.len()]);
    }
}

/// `Params` of `concat.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    part: u32,
    whole: u32,
    start: u32,
}

impl Params {
    /// `part` begins at `start` of the axis `axis` of `whole`.
    fn new(part: &TensorType, whole: &TensorType, axis: usize, start: usize) -> Params {
        let behind = |shape: &Shape| shape[axis..].iter().product::<usize>() as u32;
        let inner: usize = part.shape[axis + 1..].iter().product();
        Params {
            len: part.len() as u32,
            part: behind(&part.shape),
            whole: behind(&whole.shape),
            start: (start * inner) as u32,
        }
    }
}
