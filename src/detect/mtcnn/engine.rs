//! The three networks on a device: one photo there, and any number of its windows through plans of fixed size.
//!
//! Buffers and plans are made once. What grows with a photo are lists on the host, a few numbers for each tile and
//! candidate, and, while it is on its way to a GPU, the driver's own copy of its bytes.

use std::collections::VecDeque;
use std::path::Path;

use super::pyramid::TILE_CELLS;
use crate::formats::safetensors;
use crate::graph::{Graph, Params, PendingState, Plan, Var};
use crate::models::mtcnn::{self, OUTPUT_SIDE, REFINE_SIDE, proposal_pixels};
use crate::ops::AreaWindow;
use crate::tensor::{Data, TensorType};
use crate::vision::RgbImage;
use crate::{Device, Result};

const WEIGHTS: &[u8] = include_bytes!("../../../assets/mtcnn.safetensors");

/// The state that holds the photo.
const PHOTO: &str = "photo";
/// Side in pixels of the pictures that the first network is shown.
const TILE_SIDE: usize = proposal_pixels(TILE_CELLS);
/// Batches whose results may be on their way from the device at once.
const IN_FLIGHT: usize = 2;

/// The networks with their plans on one device, for one photo at a time.
#[derive(Debug)]
pub(super) struct Engine {
    params: Params,
    stages: [Stage; 3],
}

/// A network of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Net {
    Proposal,
    Refine,
    Output,
}

impl Net {
    /// Batch sizes that plans are made for, when they are first needed: the largest keeps a GPU busy and stays far
    /// below 128 MiB a tensor, the others waste little of a short last batch.
    const fn sizes(self) -> [usize; 3] {
        match self {
            Net::Proposal => [2, 8, 32],
            Net::Refine => [8, 32, 128],
            Net::Output => [2, 8, 32],
        }
    }

    /// What its layers' names begin with.
    const fn name(self) -> &'static str {
        match self {
            Net::Proposal => "pnet",
            Net::Refine => "rnet",
            Net::Output => "onet",
        }
    }

    const fn side(self) -> usize {
        match self {
            Net::Proposal => TILE_SIDE,
            Net::Refine => REFINE_SIDE,
            Net::Output => OUTPUT_SIDE,
        }
    }
}

impl Engine {
    /// Loads the networks onto `device`, with room for photos of `max_pixels` pixels.
    pub fn new(device: &Device, max_pixels: usize) -> Result<Engine> {
        let params = Params::new(device);
        let weights = safetensors::read_bytes(Path::new("assets/mtcnn.safetensors"), WEIGHTS)?;
        mtcnn::load(&params, &weights.tensors)?;
        params.reserve(PHOTO, &TensorType::u8([max_pixels, 3]))?;
        let stage = |net| Stage { net, plans: Vec::new(), photo: TensorType::u8([max_pixels, 3]) };
        Ok(Engine { params, stages: [Net::Proposal, Net::Refine, Net::Output].map(stage) })
    }

    /// Takes the photo whose windows the networks are shown from now on.
    pub fn take(&self, photo: &RgbImage) -> Result<()> {
        self.params.set_bytes(PHOTO, photo.pixels())
    }

    /// Shows `net` these windows of the photo; `each` is given the place of a window and the network's answer, in
    /// their order.
    pub async fn show(
        &mut self,
        net: Net,
        windows: &[AreaWindow],
        each: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        self.stages[net as usize].show(&self.params, windows, each).await
    }
}

/// A network with its plans.
#[derive(Debug)]
struct Stage {
    net: Net,
    plans: Vec<Planned>,
    photo: TensorType,
}

#[derive(Debug)]
struct Planned {
    batch: usize,
    plan: Plan,
    answers: Var,
}

/// Answers on their way: the first of the windows they belong to, and how many.
struct Arriving {
    first: usize,
    count: usize,
    answers: PendingState,
}

impl Arriving {
    async fn deliver(self, batch: usize, each: &mut impl FnMut(usize, &[f32])) -> Result<()> {
        let answers = self.answers.arrive().await?.to_f32();
        let rows = answers.chunks_exact(answers.len() / batch);
        rows.take(self.count).enumerate().for_each(|(row, answer)| each(self.first + row, answer));
        Ok(())
    }
}

impl Stage {
    async fn show(
        &mut self,
        params: &Params,
        windows: &[AreaWindow],
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        let mut arriving = VecDeque::new();
        let mut first = 0;
        while first < windows.len() {
            let batch = batch_for(windows.len() - first, self.net.sizes());
            let count = batch.min(windows.len() - first);
            let planned = self.planned(params, batch)?;
            planned.write(&windows[first..first + count]).await?;
            planned.plan.run_async().await?;
            arriving.push_back((
                batch,
                Arriving { first, count, answers: planned.plan.start_read(planned.answers)? },
            ));
            if arriving.len() > IN_FLIGHT {
                let (batch, answers) = arriving.pop_front().expect("more than none");
                answers.deliver(batch, &mut each).await?;
            }
            first += count;
        }
        for (batch, answers) in arriving {
            answers.deliver(batch, &mut each).await?;
        }
        Ok(())
    }

    fn planned(&mut self, params: &Params, batch: usize) -> Result<&mut Planned> {
        let at = match self.plans.iter().position(|planned| planned.batch == batch) {
            Some(at) => at,
            None => {
                self.plans.push(Planned::new(self.net, &self.photo, params, batch)?);
                self.plans.len() - 1
            }
        };
        Ok(&mut self.plans[at])
    }
}

/// The batch to take next of `left` windows: the largest that is full, or the smallest that holds them all if at
/// least half of it is used.
fn batch_for(left: usize, sizes: [usize; 3]) -> usize {
    let holds = sizes.into_iter().find(|&size| left <= size && left * 2 >= size);
    let full = sizes.into_iter().rev().find(|&size| size <= left);
    holds.or(full).unwrap_or(sizes[0])
}

impl Planned {
    fn new(net: Net, photo: &TensorType, params: &Params, batch: usize) -> Result<Planned> {
        let mut graph = Graph::new();
        let pixels = graph.state(PHOTO, photo.clone())?;
        let windows = graph.input("windows", TensorType::u32([batch, 9]));
        let answers = graph.labelled(net.name(), |graph| {
            let x = graph.area_resize(pixels, windows, [net.side(); 2], mtcnn::normalize())?;
            match net {
                Net::Proposal => {
                    let extent = graph.input("extent", TensorType::u32([batch, 2]));
                    mtcnn::proposal(graph, x, extent)
                }
                Net::Refine => mtcnn::refine(graph, x),
                Net::Output => mtcnn::output(graph, x),
            }
        })?;
        Ok(Planned { batch, plan: Plan::new(&graph, params, &[answers])?, answers })
    }

    /// Sets the windows of the next run; rows of the batch that are left over show nothing.
    async fn write(&mut self, windows: &[AreaWindow]) -> Result<()> {
        let nothing = AreaWindow::default();
        let filled = || windows.iter().chain(std::iter::repeat(&nothing)).take(self.batch);
        self.plan.write_async("windows", &Data::U32(filled().flat_map(AreaWindow::row).collect())).await?;
        if self.plan.has_input("extent") {
            let extents = filled().flat_map(|window| {
                // What lies behind the level's own pixels, and the rows and columns that the first convolution takes.
                [(window.resized_height, window.top), (window.resized_width, window.left)]
                    .map(|(size, first)| size.saturating_sub(first + 2))
            });
            self.plan.write_async("extent", &Data::U32(extents.collect())).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::pyramid::{Level, Tile, tiles};
    use super::*;
    use crate::gpu::block_on;
    use crate::models::mtcnn::proposal_cells;

    fn noise(width: usize, height: usize) -> RgbImage {
        let bytes = (0..width * height * 3).map(|i| (i as u32).wrapping_mul(0x9e37_79b9).to_be_bytes()[0]);
        RgbImage::new(width, height, bytes.collect()).unwrap()
    }

    /// The first network's answers for a whole level, from a plan of the level's own size.
    fn whole(photo: &RgbImage, level: &Level) -> Vec<f32> {
        let device = Device::cpu();
        let engine = Engine::new(&device, photo.width() * photo.height()).unwrap();
        engine.take(photo).unwrap();
        let mut graph = Graph::new();
        let pixels = graph.state(PHOTO, TensorType::u8([photo.width() * photo.height(), 3])).unwrap();
        let windows = graph.input("windows", TensorType::u32([1, 9]));
        let x = graph.area_resize(pixels, windows, [level.height, level.width], mtcnn::normalize()).unwrap();
        let extent = graph.input("extent", TensorType::u32([1, 2]));
        let y = mtcnn::proposal(&mut graph, x, extent).unwrap();
        let mut plan = Plan::new(&graph, &engine.params, &[y]).unwrap();
        let window = Tile { level: 0, top: 0, left: 0 }.window(level, photo.width(), photo.height());
        plan.write("windows", &Data::U32(window.row().to_vec())).unwrap();
        plan.write("extent", &Data::U32(vec![level.height as u32 - 2, level.width as u32 - 2])).unwrap();
        plan.run().unwrap();
        plan.read(y).unwrap().to_f32()
    }

    #[test]
    fn tiles_give_the_cells_of_the_whole_level() {
        let photo = noise(211, 157);
        let mut engine = Engine::new(&Device::cpu(), 211 * 157 + 1000).unwrap();
        engine.take(&photo).unwrap();
        // Even and odd sizes: the last pooling window of an odd one is cut off.
        for (width, height) in [(201, 150), (150, 201), (87, 76), (12, 13)] {
            let level = Level { scale: 1.0, width, height };
            let right = proposal_cells(width);
            let mut cells = vec![f32::NAN; proposal_cells(height) * right * 5];
            let tiles = tiles(&[level]);
            let windows: Vec<AreaWindow> = tiles.iter().map(|tile| tile.window(&level, 211, 157)).collect();
            let copy = |index: usize, answers: &[f32]| {
                let [rows, columns] = tiles[index].cells(&level);
                for (i, row) in answers.chunks_exact(TILE_CELLS * 5).take(rows).enumerate() {
                    let first = ((tiles[index].top + i) * right + tiles[index].left) * 5;
                    cells[first..first + columns * 5].copy_from_slice(&row[..columns * 5]);
                }
            };
            block_on(engine.show(Net::Proposal, &windows, copy)).unwrap();
            let expected = whole(&photo, &level);
            let worst = cells.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(cells.len() == expected.len() && worst < 1e-4, "{width}x{height}: {worst}");
        }
    }

    #[test]
    fn batches_are_full_or_nearly() {
        let batches = |mut left: usize| {
            let mut taken = Vec::new();
            while left > 0 {
                taken.push(batch_for(left, [2, 8, 32]));
                left = left.saturating_sub(taken[taken.len() - 1]);
            }
            taken
        };
        assert_eq!(batches(1), [2]);
        assert_eq!(batches(7), [8]);
        assert_eq!(batches(10), [8, 2]);
        assert_eq!(batches(22), [32]);
        assert_eq!(batches(75), [32, 32, 8, 2, 2]);
    }
}
