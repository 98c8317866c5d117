//! Parts of a photo, each resized by averaging areas: what detectors look at.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::{Normalize, expect};
use crate::cpu::{Float, Slots, params};
use crate::error::expect_rank;
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::{DType, TensorType};
use crate::{Error, Result};

const SHADER: Shader = shader!("area_resize", "common/linear.wgsl", "common/pixels.wgsl", "area_resize.wgsl");
const FORWARD: Kernel = SHADER
    .kernel("forward")
    .params::<Params>()
    .reads(2)
    .writes(1)
    .twin(forward::<f32>, forward::<f64>)
    .fast(forward_fast);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD];

/// A rectangle of a photo, the size that it is resized to, and the part of the result that is wanted. All in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AreaWindow {
    /// Pixels of a row of the photo.
    pub row_length: u32,
    /// Left edge of the rectangle.
    pub x: u32,
    /// Top edge of the rectangle.
    pub y: u32,
    /// Width of the rectangle.
    pub width: u32,
    /// Height of the rectangle.
    pub height: u32,
    /// Width of the whole rectangle once it is resized. `width · resized_width` must be below 2³².
    pub resized_width: u32,
    /// Height of the whole rectangle once it is resized. `height · resized_height` must be below 2³².
    pub resized_height: u32,
    /// First column wanted of the resized rectangle.
    pub left: u32,
    /// First row wanted of the resized rectangle.
    pub top: u32,
}

/// Numbers of a window in its tensor.
const NUMBERS: usize = 9;

impl AreaWindow {
    /// Its row in the `windows` of [`Graph::area_resize`].
    pub fn row(&self) -> [u32; NUMBERS] {
        let AreaWindow { row_length, x, y, width, height, resized_width, resized_height, left, top } = *self;
        [row_length, x, y, width, height, resized_width, resized_height, left, top]
    }

    fn from_row(row: &[u32]) -> AreaWindow {
        let &[row_length, x, y, width, height, resized_width, resized_height, left, top] = row else {
            unreachable!("rows of windows have {NUMBERS} numbers");
        };
        AreaWindow { row_length, x, y, width, height, resized_width, resized_height, left, top }
    }

    /// The rectangle's columns whose mean is column `j` of what is wanted, if there is one.
    fn columns(&self, j: usize) -> Option<Range<usize>> {
        bin(self.left as usize + j, self.width as usize, self.resized_width as usize)
    }

    /// The rectangle's rows whose mean is row `i` of what is wanted, if there is one.
    fn rows(&self, i: usize) -> Option<Range<usize>> {
        bin(self.top as usize + i, self.height as usize, self.resized_height as usize)
    }

    /// Where a row of the rectangle begins among the photo's bytes.
    fn line(&self, row: usize) -> usize {
        ((self.y as usize + row) * self.row_length as usize + self.x as usize) * 3
    }
}

/// What pixel `k` of `resized` is the mean of, among `size` pixels.
fn bin(k: usize, size: usize, resized: usize) -> Option<Range<usize>> {
    (k < resized).then(|| k * size / resized..((k + 1) * size).div_ceil(resized))
}

impl Graph {
    /// Parts of a photo as pictures of one size, each pixel the mean of the pixels it covers, normalised.
    ///
    /// `photo` is u8 `[pixels, 3]`: a picture's rows, and perhaps room for larger ones. `windows` is u32
    /// `[batch, 9]`, each row that of an [`AreaWindow`], which must lie inside the photo. The result is
    /// f32 `[batch, height, width, 3]` for `size = [height, width]`; what a window does not fill is 0, and a row of
    /// zeros fills nothing. It has no gradient.
    ///
    /// Bins begin and end at whole pixels and may overlap, as in PyTorch's `interpolate(mode="area")`.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Type`] if an input is something else, or the result would be empty.
    pub fn area_resize(
        &mut self,
        photo: Var,
        windows: Var,
        size: [usize; 2],
        normalize: Normalize,
    ) -> Result<Var> {
        self.apply(AreaResize { size, normalize }, &[photo, windows])
    }
}

#[derive(Debug)]
struct AreaResize {
    size: [usize; 2],
    normalize: Normalize,
}

impl Operator for AreaResize {
    fn name(&self) -> &'static str {
        "area_resize"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let (photo, windows) = (&inputs[0], &inputs[1]);
        expect::dtype(self.name(), inputs, 0, DType::U8)?;
        expect::dtype(self.name(), inputs, 1, DType::U32)?;
        expect_rank(self.name(), "photo", &photo.shape, 2)?;
        expect_rank(self.name(), "windows", &windows.shape, 2)?;
        if photo.shape[1] != 3 || windows.shape[1] != NUMBERS {
            let problem = format!(
                "photo is {photo} and windows {windows}, expected [pixels, 3] and [batch, {NUMBERS}]"
            );
            return Err(Error::shape(self.name(), problem));
        }
        let [height, width] = self.size;
        Ok(vec![TensorType::f32([windows.shape[0], height, width, 3])])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let y = io.output(0);
        let [height, width] = self.size;
        let params = Params {
            scale: self.normalize.scale,
            offset: self.normalize.offset,
            batch: y.ty().shape[0] as u32,
            out_height: height as u32,
            out_width: width as u32,
            reverse: self.normalize.reverse.into(),
        };
        plan.dispatch(&FORWARD, params, &[io.input(0), io.input(1)], &[y], Grid::linear(y.len() / 3))
    }

    fn gradient(&self, _graph: &mut Graph, _node: &Node, _dy: &[Option<Var>]) -> Result<Gradients> {
        Ok(vec![None, None])
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (photo, windows) = (slots.u8(0), slots.u32(1));
    let width = p.out_width as usize;
    for (index, y) in slots.out().chunks_mut(3).enumerate() {
        let window =
            AreaWindow::from_row(&windows[index / width / p.out_height as usize * NUMBERS..][..NUMBERS]);
        let (i, j) = (index / width % p.out_height as usize, index % width);
        y.fill(T::zero());
        let (Some(rows), Some(columns)) = (window.rows(i), window.columns(j)) else { continue };
        let area = T::count(rows.len() * columns.len());
        for (c, y) in y.iter_mut().enumerate() {
            let from = p.source_channel(c);
            let sum: T = rows
                .clone()
                .flat_map(|row| columns.clone().map(move |column| window.line(row) + 3 * column + from))
                .map(|at| T::of(photo[at].into()))
                .sum();
            *y = sum / area * T::of(p.scale[c].into()) + T::of(p.offset[c].into());
        }
    }
}

/// Adds up whole rows first, which are runs of memory, then columns of the sums.
fn forward_fast(bytes: &[u8], slots: &mut Slots<'_, f32>) {
    let p: Params = params(bytes);
    let (photo, windows) = (slots.u8(0), slots.u32(1));
    let (height, width) = (p.out_height as usize, p.out_width as usize);
    let pictures = slots.out().par_chunks_mut(height * width * 3).zip(windows.par_chunks(NUMBERS));
    pictures.for_each_init(Vec::new, |sums, (y, window)| {
        let window = AreaWindow::from_row(window);
        let columns: Vec<Range<usize>> = (0..width).map_while(|j| window.columns(j)).collect();
        let (Some(first), Some(last)) = (columns.first(), columns.last()) else { return y.fill(0.0) };
        let covered = first.start..last.end;
        for (i, y) in y.chunks_mut(width * 3).enumerate() {
            let Some(rows) = window.rows(i) else {
                y.fill(0.0);
                continue;
            };
            sums.clear();
            sums.resize(covered.len() * 3, 0u32);
            for row in rows.clone() {
                let line = &photo[window.line(row) + 3 * covered.start..][..3 * covered.len()];
                sums.iter_mut().zip(line).for_each(|(sum, &byte)| *sum += u32::from(byte));
            }
            let (filled, rest) = y.split_at_mut(columns.len() * 3);
            rest.fill(0.0);
            for (columns, y) in columns.iter().zip(filled.chunks_mut(3)) {
                let run = &sums[3 * (columns.start - covered.start)..3 * (columns.end - covered.start)];
                let sum =
                    run.chunks_exact(3).fold([0; 3], |sum, x| [sum[0] + x[0], sum[1] + x[1], sum[2] + x[2]]);
                let area = (rows.len() * columns.len()) as f32;
                for (c, y) in y.iter_mut().enumerate() {
                    *y = sum[p.source_channel(c)] as f32 / area * p.scale[c] + p.offset[c];
                }
            }
        }
    });
}

/// `Params` of `area_resize.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    scale: [f32; 4],
    offset: [f32; 4],
    batch: u32,
    out_height: u32,
    out_width: u32,
    reverse: u32,
}

impl Params {
    fn source_channel(&self, c: usize) -> usize {
        if self.reverse == 0 { c } else { 2 - c }
    }
}
