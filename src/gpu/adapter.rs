//! Finding adapters, choosing one, opening it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::buffers::Pool;
use super::pipeline_cache::PipelineCache;
use super::pipelines::Pipelines;
use super::trouble::Trouble;
use super::tuned::{Tuned, Tuning};
use super::waiting::{Waiter, block_on};
use crate::{Error, Result};

/// What kind of hardware an adapter is, the preferred first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdapterKind {
    /// A graphics card with memory of its own.
    Discrete,
    /// Graphics in the processor, sharing its memory.
    Integrated,
    /// A share of a card, in a virtual machine.
    Virtual,
    /// The driver does not say.
    Other,
    /// A software driver: taken only when asked for by name.
    Software,
}

/// Facts about an adapter.
#[derive(Clone, Debug)]
pub struct AdapterInfo {
    /// The driver's name for it.
    pub name: String,
    /// Its kind.
    pub kind: AdapterKind,
    /// Graphics API: `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// Driver and version.
    pub driver: String,
    /// Largest storage binding in bytes.
    pub max_binding: u64,
    /// Largest buffer in bytes.
    pub max_buffer: u64,
    /// Workgroup memory in bytes.
    pub workgroup_memory: u32,
    /// Most invocations of a workgroup.
    pub invocations: u32,
    /// Optional features it has that kernels may use.
    pub features: Vec<&'static str>,
}

/// How to open an adapter.
#[derive(Clone, Debug, Default)]
pub struct GpuOptions {
    /// Ask for WebGPU's default limits instead of the adapter's own.
    pub default_limits: bool,
    /// Most workgroups per grid axis, where less than the adapter's.
    pub max_groups: Option<u32>,
    /// Folder to keep compiled pipelines and the fastest kernel variants in from one run to the next, made if it is missing. A file that cannot be read
    /// or written costs time, but is no error. None: they are not kept by us; many drivers have a cache of their own.
    pub cache: Option<PathBuf>,
    /// Leave out timestamps, as some adapters do: dispatches are timed by waits for the queue.
    pub no_timestamps: bool,
    /// Leave out 16-bit floats, as some adapters do.
    pub no_f16: bool,
    /// Seconds that a submission should take at most [default: 0.1 on hardware, no limit on a driver that computes on the CPU].
    /// Only a single dispatch takes longer, where it has to.
    pub submission_seconds: Option<f64>,
    /// Most bytes of buffers, where less than the adapter has room for.
    pub memory: Option<u64>,
    /// Open the adapter's units for small matrices (tensor cores), where it has them: an experimental feature of wgpu.
    /// Plans use them on a device that [allows](crate::Device::allowing) a kernel variant that needs them.
    pub tensor_cores: bool,
}

/// Milliseconds before each attempt to open an adapter again.
const REOPENING: [u64; 5] = [0, 100, 500, 2000, 5000];

/// How large a GPU is, for the table of kernel variants. wgpu does not tell its number of compute units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// A driver that computes on the CPU.
    Software,
    /// Integrated graphics.
    Small,
    /// Apple, and graphics cards but NVIDIA's.
    Middle,
    /// NVIDIA's graphics cards.
    Large,
}

/// An open GPU. Cheap to share through an `Arc`; all work goes through one queue.
#[derive(Debug)]
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) limits: wgpu::Limits,
    pub(super) pipelines: Pipelines,
    pub(super) pipeline_cache: Option<PipelineCache>,
    pub(super) pool: Pool,
    pub(super) buffers_created: AtomicU64,
    pub(super) submissions: AtomicU64,
    pub(super) trouble: Arc<Trouble>,
    pub(super) options: GpuOptions,
    pub(super) waiter: OnceLock<Waiter>,
    info: AdapterInfo,
    class: Class,
    tuned: Tuned,
    /// Those that the device was opened for.
    matrices: Vec<wgpu::CooperativeMatrixProperties>,
}

/// Square matrices that the lanes of a subgroup multiply together, with sums in `f32`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrices {
    /// Rows and columns of each.
    pub side: u32,
    /// Whether the factors are in `f16`, not in `f32`.
    pub half: bool,
    /// Lanes of the subgroup.
    pub lanes: u32,
}

/// Optional features that a device is opened with where the adapter has them.
const USED: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::PIPELINE_CACHE)
    .union(wgpu::Features::SHADER_F16);

/// What kernels with matrices need: all are written with `enable f16`.
const MATRICES: wgpu::Features =
    wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(wgpu::Features::SHADER_F16);

const FEATURES: [(wgpu::Features, &str); 5] = [
    (wgpu::Features::TIMESTAMP_QUERY, "timestamps"),
    (wgpu::Features::SHADER_F16, "f16"),
    (wgpu::Features::SUBGROUP, "subgroups"),
    (wgpu::Features::PIPELINE_CACHE, "pipeline-cache"),
    (MATRICES, "tensor-cores"),
];

impl Gpu {
    /// All adapters of this machine, the preferred first.
    pub fn adapters() -> Vec<AdapterInfo> {
        block_on(Gpu::adapters_async())
    }

    /// As [`Gpu::adapters`], without blocking.
    pub async fn adapters_async() -> Vec<AdapterInfo> {
        enumerate().await.iter().map(describe).collect()
    }

    /// Opens the `index`-th adapter of [`Gpu::adapters`].
    ///
    /// # Errors
    /// [`Error::Gpu`] if there is no such adapter, or the driver does not open it.
    pub fn open(index: usize, options: &GpuOptions) -> Result<Arc<Gpu>> {
        let chosen = Gpu::open_where(options, |adapters| (index < adapters.len()).then_some(index))?;
        chosen.ok_or_else(|| Error::Gpu(format!("there is no adapter {index}")))
    }

    /// Opens the one of [`Gpu::adapters`] that `choose` names the place of, if it names any. The driver is asked for its
    /// adapters once, which takes a notable part of a short run.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the driver does not open it.
    pub fn open_where(
        options: &GpuOptions,
        choose: impl FnOnce(&[AdapterInfo]) -> Option<usize>,
    ) -> Result<Option<Arc<Gpu>>> {
        block_on(Gpu::open_where_async(options, choose))
    }

    /// As [`Gpu::open_where`], without blocking: a browser takes its time. Elsewhere drivers answer before they return.
    ///
    /// # Errors
    /// As [`Gpu::open_where`].
    pub async fn open_where_async(
        options: &GpuOptions,
        choose: impl FnOnce(&[AdapterInfo]) -> Option<usize>,
    ) -> Result<Option<Arc<Gpu>>> {
        let adapters = enumerate().await;
        let infos: Vec<AdapterInfo> = adapters.iter().map(describe).collect();
        match choose(&infos) {
            Some(index) => Gpu::open_adapter(&adapters[index], options).await.map(Some),
            None => Ok(None),
        }
    }

    async fn open_adapter(adapter: &wgpu::Adapter, options: &GpuOptions) -> Result<Arc<Gpu>> {
        let mut limits = if options.default_limits { wgpu::Limits::default() } else { adapter.limits() };
        if let Some(most) = options.max_groups {
            limits.max_compute_workgroups_per_dimension = most;
        }
        let mut wanted = USED;
        if options.no_timestamps {
            wanted.remove(wgpu::Features::TIMESTAMP_QUERY);
        }
        if options.no_f16 {
            wanted.remove(wgpu::Features::SHADER_F16);
        }
        let with_matrices = options.tensor_cores && adapter.features().contains(MATRICES);
        if with_matrices {
            wanted |= MATRICES;
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("lookalike"),
            required_features: adapter.features() & wanted,
            required_limits: limits.clone(),
            experimental_features: if with_matrices { experimental() } else { Default::default() },
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|problem| Error::Gpu(format!("{} does not open: {problem}", adapter.get_info().name)))?;
        let trouble = Trouble::of(&device);
        let folder = options.cache.as_deref();
        let pipeline_cache =
            folder.and_then(|folder| PipelineCache::open(&device, &adapter.get_info(), folder));
        Ok(Arc::new(Gpu {
            device,
            queue,
            limits,
            pipelines: Pipelines::default(),
            pipeline_cache,
            pool: Pool::default(),
            buffers_created: AtomicU64::new(0),
            submissions: AtomicU64::new(0),
            trouble,
            options: options.clone(),
            waiter: OnceLock::new(),
            info: describe(adapter),
            class: class(&adapter.get_info()),
            tuned: Tuned::open(&adapter.get_info(), folder),
            matrices: if with_matrices { adapter.cooperative_matrix_properties() } else { vec![] },
        }))
    }

    /// Opens the same adapter once more, as this one was opened. A driver that was reset may need a moment until it has its
    /// adapters again.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if it does not come back.
    pub fn reopen(&self) -> Result<Arc<Gpu>> {
        self.pool.clear();
        let is_this = |other: &AdapterInfo| {
            (&other.name, &other.backend, &other.driver)
                == (&self.info.name, &self.info.backend, &self.info.driver)
        };
        for pause in REOPENING {
            std::thread::sleep(Duration::from_millis(pause));
            let again = Gpu::open_where(&self.options, |adapters| adapters.iter().position(is_this));
            if let Ok(Some(gpu)) = again {
                return Ok(gpu);
            }
        }
        Err(Error::DeviceLost(format!("{} has not come back", self.info.name)))
    }

    /// Facts about the adapter.
    pub fn info(&self) -> &AdapterInfo {
        &self.info
    }

    /// The kernel variants that were measured to be the fastest.
    pub(crate) fn tuned(&self) -> &Tuned {
        &self.tuned
    }

    /// What is known of its kernel variants by measuring them.
    pub fn tuning(&self) -> Tuning {
        self.tuned.report()
    }

    /// How large it is.
    pub(crate) fn class(&self) -> Class {
        self.class
    }

    /// Whether kernels can use subgroups, whose size is then always a multiple of `lanes`, a power of two.
    pub(crate) fn has_subgroups_of(&self, lanes: u32) -> bool {
        self.device.features().contains(wgpu::Features::SUBGROUP)
            && self.device.adapter_info().subgroup_min_size >= lanes
    }

    /// Whether kernels can read and write 16-bit floats.
    pub fn has_f16(&self) -> bool {
        self.device.features().contains(wgpu::Features::SHADER_F16)
    }

    /// Whether the device was opened for these matrices, and its subgroups always have so many lanes.
    pub(crate) fn has_matrices(&self, wanted: Matrices) -> bool {
        let Matrices { side, half, lanes } = wanted;
        let factors = if half { wgpu::CooperativeScalarType::F16 } else { wgpu::CooperativeScalarType::F32 };
        let is_wanted = |found: &wgpu::CooperativeMatrixProperties| {
            [found.m_size, found.n_size, found.k_size] == [side; 3]
                && found.ab_type == factors
                && found.cr_type == wgpu::CooperativeScalarType::F32
        };
        let info = self.device.adapter_info();
        // wgpu knows no more of Metal than that there are from 4 to 64 lanes; all of Apple's GPUs have 32.
        let found = match info.backend {
            wgpu::Backend::Metal => [32; 2],
            _ => [info.subgroup_min_size, info.subgroup_max_size],
        };
        found == [lanes; 2] && self.matrices.iter().any(is_wanted)
    }

    /// Largest storage binding in bytes.
    pub fn max_binding(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size.min(self.limits.max_buffer_size)
    }

    /// Whether kernels can be timed on the device.
    pub fn has_timestamps(&self) -> bool {
        self.device.features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// Buffers made since the device was opened: constant while a plan runs.
    pub fn buffers_created(&self) -> u64 {
        self.buffers_created.load(Ordering::Relaxed)
    }

    /// Submissions since the device was opened.
    pub fn submissions(&self) -> u64 {
        self.submissions.load(Ordering::Relaxed)
    }

    /// Bytes of all buffers that it holds, those included that nobody uses at the moment.
    pub fn allocated(&self) -> u64 {
        self.pool.allocated()
    }

    /// Pipelines compiled since the device was opened.
    pub fn pipelines_compiled(&self) -> usize {
        self.pipelines.len()
    }
}

impl Drop for Gpu {
    /// Some drivers compile at the first dispatch: only now the cache has everything.
    fn drop(&mut self) {
        if let Some(cache) = &self.pipeline_cache {
            cache.save();
        }
    }
}

async fn enumerate() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    descriptor.backends = wgpu::Backends::PRIMARY;
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = instance.enumerate_adapters(wgpu::Backends::PRIMARY).await;
    adapters.sort_by_key(|adapter| describe(adapter).kind);
    adapters
}

/// Leave to open a device with wgpu's experimental features.
fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: asks for nothing but consent to features that may misbehave where they are used. Of those, devices are
    // opened with cooperative matrices alone, if the caller opted in to them; kernels that use them are our own, are
    // checked by naga in the tests, and run in plans only where the device allows them by name.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

fn class(info: &wgpu::AdapterInfo) -> Class {
    const NVIDIA: u32 = 0x10de;
    const APPLE: u32 = 0x106b;
    match info.device_type {
        wgpu::DeviceType::DiscreteGpu | wgpu::DeviceType::VirtualGpu if info.vendor == NVIDIA => Class::Large,
        wgpu::DeviceType::DiscreteGpu | wgpu::DeviceType::VirtualGpu => Class::Middle,
        wgpu::DeviceType::Cpu => Class::Software,
        _ if info.vendor == APPLE => Class::Middle,
        _ => Class::Small,
    }
}

fn describe(adapter: &wgpu::Adapter) -> AdapterInfo {
    let info = adapter.get_info();
    let limits = adapter.limits();
    AdapterInfo {
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
            wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
            wgpu::DeviceType::Cpu => AdapterKind::Software,
            wgpu::DeviceType::Other => AdapterKind::Other,
        },
        name: info.name,
        backend: info.backend.to_string(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
        max_binding: limits.max_storage_buffer_binding_size,
        max_buffer: limits.max_buffer_size,
        workgroup_memory: limits.max_compute_workgroup_storage_size,
        invocations: limits.max_compute_invocations_per_workgroup,
        features: FEATURES
            .iter()
            .filter(|(feature, _)| adapter.features().contains(*feature))
            .map(|&(_, name)| name)
            .collect(),
    }
}
