//! A fixed list of dispatches, prepared once and submitted many times.

use std::sync::Arc;
use std::time::Instant;

use super::pieces::Pieces;
use super::pipelines::Pipeline;
use super::trouble::scoped;
use super::{Buffer, Gpu, Kernel, Upload};
use crate::share::Share;
use crate::{Error, Result};

/// One dispatch: a kernel, its parameters, what it binds.
#[derive(Debug)]
pub(crate) struct Launch {
    pub kernel: Kernel,
    pub params: Vec<u8>,
    pub reads: Vec<Arc<Buffer>>,
    pub writes: Vec<Arc<Buffer>>,
    /// Workgroups, in one row: folded to the device's limits here.
    pub groups: u64,
    /// Floating-point operations and bytes, to predict how long it runs.
    pub work: (u64, u64),
}

/// Dispatches with their pipelines, bind groups and parameters made.
#[derive(Debug)]
pub(crate) struct Sequence {
    gpu: Arc<Gpu>,
    steps: Vec<Step>,
    pieces: Pieces,
    /// What the bind groups point at: it must not go back to the pool while they live.
    _params: Buffer,
}

#[derive(Debug)]
struct Step {
    name: String,
    pipeline: Arc<Pipeline>,
    bind_group: wgpu::BindGroup,
    grid: [u32; 3],
    #[cfg(feature = "check")]
    written: Vec<Arc<Buffer>>,
    /// What the bind group points at.
    _bound: Vec<Arc<Buffer>>,
}

impl Sequence {
    /// Compiles what is missing and makes everything that [`Sequence::submit`] needs. It can leave out the first
    /// `optional` launches.
    ///
    /// # Errors
    /// [`Error::Kernel`] if a kernel or its bindings are refused, [`Error::TooLarge`] if a grid is.
    pub fn new(gpu: &Arc<Gpu>, launches: Vec<Launch>, optional: usize) -> Result<Sequence> {
        let kernels: Vec<Kernel> = launches.iter().map(|launch| launch.kernel).collect();
        gpu.compile(&kernels)?;
        let alignment = u64::from(gpu.limits.min_uniform_buffer_offset_alignment);
        let mut offsets = Vec::new();
        let mut uniforms = Vec::new();
        for launch in &launches {
            uniforms.resize(uniforms.len().next_multiple_of(alignment as usize), 0u8);
            offsets.push(uniforms.len() as u64);
            uniforms.extend(&launch.params);
        }
        uniforms.resize(uniforms.len().next_multiple_of(alignment as usize).max(256), 0);
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let params = Buffer::new(gpu, uniforms.len() as u64, usage, "params")?;
        params.write(&uniforms)?;

        let most = gpu.options.submission_seconds;
        let works = launches.iter().map(|launch| launch.work);
        let pieces = Pieces::new(works, optional, gpu.info().kind, most);
        let steps = launches
            .into_iter()
            .zip(offsets)
            .map(|(launch, offset)| Step::new(gpu, launch, &params, offset))
            .collect::<Result<_>>()?;
        Ok(Sequence { gpu: gpu.clone(), steps, pieces, _params: params })
    }

    /// Submits all dispatches in order, from the `first` on, after the uploads that were filled. `first` is 0, or the
    /// number of optional ones. With a `share` the device rests between submissions, so that it works for no more than that
    /// part of the time.
    pub async fn submit(&mut self, first: usize, share: Option<Share>, uploads: &mut [Upload]) -> Result<()> {
        self.gpu.check()?;
        let measures = self.pieces.measures();
        if measures || share.is_some() {
            self.gpu.done().await?;
        }
        let mut measured = Vec::new();
        for (part, range) in self.pieces.from(first).into_iter().enumerate() {
            let start = Instant::now();
            let mut encoder = self.encoder();
            if part == 0 {
                uploads.iter().for_each(|upload| upload.encode(&mut encoder));
            }
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                self.steps[range.clone()].iter().for_each(|step| step.encode(&mut pass));
            }
            self.gpu.submit(encoder);
            if part == 0 {
                uploads.iter_mut().for_each(Upload::submitted);
            }
            if measures || share.is_some() {
                self.gpu.done().await?;
                measured.push((range, start.elapsed().as_secs_f64()));
            }
            if let Some(share) = share {
                self.gpu.pause(share.rest(start.elapsed())).await?;
            }
        }
        if measures {
            self.pieces.measured(&measured);
        }
        Ok(())
    }

    /// Runs all dispatches from the `first` on and gives the seconds of each, by timestamps before and after it. On a device without
    /// timestamps each is submitted alone, and its time is that until the queue is empty.
    pub async fn profile(&self, first: usize, uploads: &mut [Upload]) -> Result<Vec<f64>> {
        self.gpu.check()?;
        let mut encoder = self.encoder();
        uploads.iter().for_each(|upload| upload.encode(&mut encoder));
        self.gpu.submit(encoder);
        uploads.iter_mut().for_each(Upload::submitted);
        let mut seconds = Vec::with_capacity(self.steps.len());
        let parts = self.pieces.from(first);
        let chunks = parts
            .into_iter()
            .flat_map(|part| self.steps[part].chunks(wgpu::QUERY_SET_MAX_QUERIES as usize / 2));
        for steps in chunks {
            let stamped = self.gpu.has_timestamps();
            seconds.extend(if stamped { self.stamped(steps).await? } else { self.waited(steps).await? });
        }
        Ok(seconds)
    }

    async fn stamped(&self, steps: &[Step]) -> Result<Vec<f64>> {
        let count = 2 * steps.len() as u32;
        let queries = self.gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("profile"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let resolved = Buffer::new(&self.gpu, u64::from(count) * 8, usage, "timestamps")?;
        let mut encoder = self.encoder();
        for (step, at) in steps.iter().zip((0..).step_by(2)) {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(&step.name),
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &queries,
                    beginning_of_pass_write_index: Some(at),
                    end_of_pass_write_index: Some(at + 1),
                }),
            });
            step.encode(&mut pass);
        }
        encoder.resolve_query_set(&queries, 0..count, resolved.raw(), 0);
        self.gpu.submit(encoder);
        let bytes = resolved.read(u64::from(count) * 8)?.await?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&bytes);
        let tick = f64::from(self.gpu.queue.get_timestamp_period()) * 1e-9;
        Ok(ticks.chunks_exact(2).map(|t| t[1].saturating_sub(t[0]) as f64 * tick).collect())
    }

    async fn waited(&self, steps: &[Step]) -> Result<Vec<f64>> {
        self.gpu.done().await?;
        let mut seconds = Vec::with_capacity(steps.len());
        for step in steps {
            let mut encoder = self.encoder();
            step.encode(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
            let start = Instant::now();
            self.gpu.submit(encoder);
            self.gpu.done().await?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        Ok(seconds)
    }

    fn encoder(&self) -> wgpu::CommandEncoder {
        self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
    }
}

impl Step {
    fn new(gpu: &Arc<Gpu>, launch: Launch, params: &Buffer, offset: u64) -> Result<Step> {
        let kernel = launch.kernel;
        assert_eq!(launch.params.len(), kernel.params, "params of {}", kernel.name());
        assert_eq!(launch.reads.len(), kernel.reads, "tensors read by {}", kernel.name());
        assert_eq!(launch.writes.len(), kernel.writes, "tensors written by {}", kernel.name());
        let most = gpu.limits.max_compute_workgroups_per_dimension;
        let grid = fold(launch.groups, most).ok_or_else(|| Error::TooLarge {
            what: format!("the grid of {}", kernel.name()),
            needed: launch.groups,
            allowed: u64::from(most).pow(3),
            advice: "use a smaller batch",
        })?;
        let pipeline = gpu.pipeline(&kernel)?;
        let uniform = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: params.raw(),
            offset,
            size: wgpu::BufferSize::new(kernel.params as u64),
        });
        let buffers =
            launch.reads.iter().chain(&launch.writes).map(|buffer| buffer.raw().as_entire_binding());
        let entries: Vec<_> = (0u32..)
            .zip(std::iter::once(uniform).chain(buffers))
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        let descriptor = wgpu::BindGroupDescriptor {
            label: Some(kernel.entry),
            layout: &pipeline.layout,
            entries: &entries,
        };
        let (bind_group, refused) =
            scoped(&gpu.device, wgpu::ErrorFilter::Validation, || gpu.device.create_bind_group(&descriptor));
        if let Some(problem) = refused {
            return Err(Error::Kernel { kernel: kernel.name(), problem: problem.to_string() });
        }
        Ok(Step {
            name: kernel.name(),
            pipeline,
            bind_group,
            grid,
            #[cfg(feature = "check")]
            written: launch.writes.clone(),
            _bound: launch.reads.into_iter().chain(launch.writes).collect(),
        })
    }

    fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        let [x, y, z] = self.grid;
        pass.dispatch_workgroups(x, y, z);
    }
}

/// Three axes of at most `most` groups that hold `groups` groups with little waste.
fn fold(groups: u64, most: u32) -> Option<[u32; 3]> {
    let most = u64::from(most);
    let groups = groups.max(1);
    let z = groups.div_ceil(most * most);
    let slice = groups.div_ceil(z);
    let y = slice.div_ceil(most);
    let x = slice.div_ceil(y);
    if z > most {
        return None;
    }
    let axis = |size: u64| u32::try_from(size).expect("an axis is at most the device's limit");
    Some([axis(x), axis(y), axis(z)])
}

#[cfg(feature = "check")]
mod checked {
    use super::*;
    use crate::gpu::block_on;

    /// The word that outputs and guards hold before a kernel runs: a NaN.
    const POISON: u32 = 0x7fc0_dead;

    impl Sequence {
        /// Like [`Sequence::submit`], with all that a dispatch writes filled with NaN before it. `outputs`
        /// tells, for each dispatch, the bytes of the tensors it writes (`None` for one updated in place):
        /// what lies behind them in the buffer must survive.
        pub fn submit_poisoned(&self, uploads: &mut [Upload], outputs: &[Vec<Option<u64>>]) -> Result<()> {
            let mut encoder = self.encoder();
            uploads.iter().for_each(|upload| upload.encode(&mut encoder));
            self.gpu.submit(encoder);
            uploads.iter_mut().for_each(Upload::submitted);
            for (step, sizes) in self.steps.iter().zip(outputs) {
                for (buffer, _) in step.written.iter().zip(sizes).filter(|(_, size)| size.is_some()) {
                    buffer.write(bytemuck::cast_slice(&vec![POISON; buffer.size() as usize / 4]))?;
                }
                let mut encoder = self.encoder();
                step.encode(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
                self.gpu.submit(encoder);
                for (buffer, size) in step.written.iter().zip(sizes) {
                    let Some(size) = size else { continue };
                    let bytes = block_on(buffer.read(buffer.size())?)?;
                    let words: Vec<u32> = bytemuck::pod_collect_to_vec(&bytes);
                    if words[*size as usize / 4..].iter().any(|&word| word != POISON) {
                        let problem = "wrote behind the end of its output".into();
                        return Err(Error::Kernel { kernel: step.name.clone(), problem });
                    }
                }
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_grids_hold_all_groups() {
        for most in [1, 2, 7, 65_535] {
            for groups in (1..500).chain([65_535, 65_536, 70_000, 4_294_967_295, 1 << 40]) {
                match fold(groups, most) {
                    Some(grid) => {
                        assert!(grid.iter().all(|&axis| axis >= 1 && axis <= most));
                        let held: u64 = grid.iter().map(|&axis| u64::from(axis)).product();
                        assert!(held >= groups);
                    }
                    None => assert!(groups > u64::from(most).pow(3) - u64::from(most).pow(2)),
                }
            }
        }
        assert_eq!(fold(65_535, 65_535), Some([65_535, 1, 1]));
    }
}
