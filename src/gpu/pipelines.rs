//! Pipelines, compiled once per device, several at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use super::pipeline_cache::PipelineCache;
use super::trouble::scoped;
use super::{Gpu, Kernel};
use crate::{Error, Result};

type Key = (Vec<&'static str>, &'static str, String);

/// The compiled kernels of a device.
#[derive(Debug, Default)]
pub(super) struct Pipelines(Mutex<HashMap<Key, Arc<Pipeline>>>);

impl Pipelines {
    pub fn len(&self) -> usize {
        self.0.lock().expect("the pipelines' lock").len()
    }
}

/// A compiled kernel and the layout of what it binds.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

impl Gpu {
    /// Compiles those of `kernels` that are not compiled yet, on all cores.
    ///
    /// # Errors
    /// [`Error::Kernel`] with the first validation message.
    pub(crate) fn compile(&self, kernels: &[Kernel]) -> Result<()> {
        let mut missing = HashMap::new();
        {
            let known = self.pipelines.0.lock().expect("the pipelines' lock");
            for kernel in kernels.iter().filter(|kernel| !known.contains_key(&kernel.key())) {
                missing.insert(kernel.key(), *kernel);
            }
        }
        let compiled: Vec<(Key, Arc<Pipeline>)> = missing
            .into_par_iter()
            .map(|(key, kernel)| Ok((key, Arc::new(self.compile_one(&kernel)?))))
            .collect::<Result<_>>()?;
        self.pipelines.0.lock().expect("the pipelines' lock").extend(compiled);
        Ok(())
    }

    /// The pipeline of a kernel, compiled now if it is not yet.
    pub(super) fn pipeline(&self, kernel: &Kernel) -> Result<Arc<Pipeline>> {
        self.compile(std::slice::from_ref(kernel))?;
        Ok(self.pipelines.0.lock().expect("the pipelines' lock")[&kernel.key()].clone())
    }

    fn compile_one(&self, kernel: &Kernel) -> Result<Pipeline> {
        let name = kernel.name();
        let features = self.device.features();
        for (needed, feature, what) in [
            (kernel.needs_subgroups, wgpu::Features::SUBGROUP, "subgroups"),
            (kernel.needs_f16, wgpu::Features::SHADER_F16, "16-bit floats"),
            (kernel.needs_matrices, wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX, "cooperative matrices"),
        ] {
            if needed && !features.contains(feature) {
                let problem = format!("it needs {what}, which this device was opened without");
                return Err(Error::Kernel { kernel: name, problem });
            }
        }
        let (pipeline, refused) =
            scoped(&self.device, wgpu::ErrorFilter::Validation, || self.make_pipeline(kernel, &name));
        match refused {
            None => Ok(pipeline),
            Some(problem) => Err(Error::Kernel { kernel: name, problem: problem.to_string() }),
        }
    }

    fn make_pipeline(&self, kernel: &Kernel, name: &str) -> Pipeline {
        let layout = self.bind_group_layout(kernel);
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(kernel.shader.source().into()),
        };
        // A second counter in every loop would keep drivers from unrolling it, and with it a register tile from
        // registers. Bounds stay checked.
        let checks = wgpu::ShaderRuntimeChecks {
            force_loop_bounding: false,
            int_div_checks: false,
            ..wgpu::ShaderRuntimeChecks::checked()
        };
        // SAFETY: every loop of our shaders counts to a bound that it does not change, so it ends (kernels-tests/shaders.rs
        // looks at each); they divide by sizes of tensors, windows and strides, which the operators check not to be 0.
        let module = unsafe { self.device.create_shader_module_trusted(descriptor, checks) };
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(name),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(kernel.entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: kernel.constants,
                // Every kernel writes its tiles before it reads them.
                zero_initialize_workgroup_memory: false,
            },
            cache: self.pipeline_cache.as_ref().map(PipelineCache::raw),
        });
        Pipeline { pipeline, layout }
    }

    fn bind_group_layout(&self, kernel: &Kernel) -> wgpu::BindGroupLayout {
        let buffer = |ty| wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None };
        let types = std::iter::once(wgpu::BufferBindingType::Uniform)
            .chain(std::iter::repeat_n(wgpu::BufferBindingType::Storage { read_only: true }, kernel.reads))
            .chain(std::iter::repeat_n(wgpu::BufferBindingType::Storage { read_only: false }, kernel.writes));
        let entries: Vec<_> = (0u32..)
            .zip(types)
            .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: buffer(ty),
                count: None,
            })
            .collect();
        self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(kernel.entry),
            entries: &entries,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::gpu::{Gpu, GpuOptions, Piece, Shader};

    fn refused(text: &'static str) -> String {
        let shader = Shader::new("broken").and(Piece { file: text, text });
        let wanted = std::env::var("LOOKALIKE_ADAPTER").unwrap_or_else(|_| "llvmpipe".into());
        let index = Gpu::adapters().iter().position(|adapter| adapter.name.to_lowercase().contains(&wanted));
        let index = index.expect("the adapter that scripts/test installs");
        let options = GpuOptions { default_limits: true, ..GpuOptions::default() };
        let gpu = Gpu::open(index, &options).expect("it opens");
        match gpu.compile(&[shader.kernel("main").writes(1)]) {
            Err(Error::Kernel { kernel, problem }) => format!("{kernel}: {problem}"),
            other => panic!("the kernel was not refused: {other:?}"),
        }
    }

    #[test]
    fn a_kernel_that_is_refused_is_named() {
        let syntax = refused("@compute @workgroup_size(1) fn main() { let x = ; }");
        assert!(syntax.starts_with("broken/main: "), "{syntax}");
        let large = refused("@compute @workgroup_size(1024) fn main() {}");
        assert!(large.starts_with("broken/main: ") && large.contains("1024"), "{large}");
    }
}
