//! Every shader: valid by naga, within WebGPU's limits, translatable for every backend, bound as its kernel says.

use std::collections::BTreeSet;
use std::path::Path;

use lookalike::check::{KernelSource, kernels};
use naga::back::pipeline_constants::process_overrides;
use naga::back::{glsl, hlsl, msl, spv};
use naga::proc::BoundsCheckPolicies;
use naga::valid::{Capabilities, ModuleInfo, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage, StorageAccess};

/// The module of a kernel with its overrides resolved for its entry point. An error shows the whole source.
fn resolve(kernel: &KernelSource) -> (Module, ModuleInfo) {
    let shown = |problem: String| -> ! { panic!("{}: {problem}\n{}", kernel.name, numbered(&kernel.source)) };
    let module = naga::front::wgsl::parse_str(&kernel.source)
        .unwrap_or_else(|e| shown(e.emit_to_string(&kernel.source)));
    // No capability beyond WebGPU's core but those that the kernel says it needs.
    let mut capabilities = Capabilities::empty();
    capabilities.set(Capabilities::SUBGROUP, kernel.needs_subgroups);
    capabilities.set(Capabilities::COOPERATIVE_MATRIX, kernel.needs_matrices);
    capabilities.set(Capabilities::SHADER_FLOAT16, kernel.needs_f16 || kernel.needs_matrices);
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .subgroup_stages(ShaderStages::COMPUTE)
        .subgroup_operations(SubgroupOperationSet::all())
        .validate(&module)
        .unwrap_or_else(|e| shown(e.emit_to_string(&kernel.source)));
    let constants = kernel.constants.iter().map(|&(name, value)| (name.to_string(), value)).collect();
    let entry = Some((ShaderStage::Compute, kernel.entry));
    let (module, info) =
        process_overrides(&module, &info, entry, &constants).unwrap_or_else(|e| shown(e.to_string()));
    (module.into_owned(), info.into_owned())
}

fn numbered(source: &str) -> String {
    source.lines().enumerate().map(|(i, line)| format!("{:4} {line}\n", i + 1)).collect()
}

#[test]
fn every_entry_point_translates_for_every_backend() {
    for kernel in kernels() {
        let (module, info) = resolve(&kernel);
        let entry = || Some((ShaderStage::Compute, kernel.entry.to_string()));
        let name = &kernel.name;

        let options =
            spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: kernel.entry.into() };
        let words = spv::write_vec(&module, &info, &spv::Options::default(), Some(&options));
        assert!(words.unwrap_or_else(|e| panic!("{name} to SPIR-V: {e}")).len() > 100, "{name}");

        let options = msl::PipelineOptions { entry_point: entry(), ..Default::default() };
        // The version that matrices came with.
        let language = msl::Options { lang_version: (2, 3), ..Default::default() };
        let (text, _) = msl::write_string(&module, &info, &language, &options)
            .unwrap_or_else(|e| panic!("{name} to MSL: {e}"));
        assert!(text.contains("kernel void"), "{name}");

        // There are no matrices in these languages: DirectX and OpenGL offer no such variant.
        if kernel.needs_matrices {
            continue;
        }
        let options = hlsl::PipelineOptions { entry_point: entry() };
        let mut text = String::new();
        hlsl::Writer::new(&mut text, &hlsl::Options::default(), &options)
            .write(&module, &info, None)
            .unwrap_or_else(|e| panic!("{name} to HLSL: {e}"));
        assert!(text.contains("numthreads"), "{name}");

        // naga writes no 16-bit floats in GLSL, for whose drivers the library is not built.
        if kernel.needs_f16 {
            continue;
        }
        let options = glsl::PipelineOptions {
            shader_stage: ShaderStage::Compute,
            entry_point: kernel.entry.into(),
            multiview: None,
        };
        let mut text = String::new();
        glsl::Writer::new(
            &mut text,
            &module,
            &info,
            &glsl::Options::default(),
            &options,
            BoundsCheckPolicies::default(),
        )
        .and_then(|mut writer| writer.write())
        .unwrap_or_else(|e| panic!("{name} to GLSL: {e}"));
        assert!(text.contains("local_size_x"), "{name}");
    }
}

#[test]
fn every_entry_point_is_within_webgpus_limits() {
    for kernel in kernels() {
        let (module, info) = resolve(&kernel);
        let entry =
            module.entry_points.iter().position(|entry| entry.name == kernel.entry).expect("the entry point");
        let invocations: u32 = module.entry_points[entry].workgroup_size.iter().product();
        assert!(invocations <= 256, "{} has {invocations} invocations", kernel.name);
        let used =
            |handle: naga::Handle<naga::GlobalVariable>| !info.get_entry_point(entry)[handle].is_empty();
        let workgroup: u32 = module
            .global_variables
            .iter()
            .filter(|(handle, variable)| variable.space == AddressSpace::WorkGroup && used(*handle))
            .map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx()))
            .sum();
        assert!(workgroup <= 16_384, "{} takes {workgroup} bytes of workgroup memory", kernel.name);
        let (reads, writes) = kernel.bindings;
        assert!(reads + writes <= 8, "{} binds {} storage buffers", kernel.name, reads + writes);
    }
}

/// Binding 0 is `Params`, of the Rust struct's size; then what is read; then what is written.
#[test]
fn every_binding_is_what_its_kernel_says() {
    for kernel in kernels() {
        let (module, info) = resolve(&kernel);
        let entry =
            module.entry_points.iter().position(|entry| entry.name == kernel.entry).expect("the entry point");
        let used =
            |handle: naga::Handle<naga::GlobalVariable>| !info.get_entry_point(entry)[handle].is_empty();
        let (reads, writes) = kernel.bindings;
        for (_, variable) in module.global_variables.iter().filter(|(handle, _)| used(*handle)) {
            let Some(binding) = &variable.binding else { continue };
            let at = binding.binding as usize;
            let name = variable.name.as_deref().unwrap_or("?");
            let expected = match at {
                0 => AddressSpace::Uniform,
                at if at <= reads => AddressSpace::Storage { access: StorageAccess::LOAD },
                at if at <= reads + writes => {
                    AddressSpace::Storage { access: StorageAccess::LOAD | StorageAccess::STORE }
                }
                _ => panic!(
                    "{}: binding {at} ({name}) is beyond its {reads} reads and {writes} writes",
                    kernel.name
                ),
            };
            assert_eq!(variable.space, expected, "{}: binding {at} ({name})", kernel.name);
            if at == 0 {
                let size = module.types[variable.ty].inner.size(module.to_ctx());
                assert_eq!(
                    size as usize, kernel.params,
                    "{}: bytes of Params in WGSL and in Rust",
                    kernel.name
                );
            }
        }
    }
}

/// The driver is told so, as it may then unroll them.
#[test]
fn every_loop_counts_to_an_end() {
    for kernel in kernels() {
        for line in kernel.source.lines().map(|line| line.split("//").next().unwrap().trim()) {
            assert!(!line.starts_with("loop") && !line.starts_with("while"), "{}: {line}", kernel.name);
            let Some(head) = line.strip_prefix("for (var ") else {
                assert!(!line.starts_with("for"), "{}: {line}", kernel.name);
                continue;
            };
            let head = head.split(" {").next().unwrap();
            let [start, end, step] = head.split("; ").collect::<Vec<_>>()[..] else { panic!("{line}") };
            let name = start.split(' ').next().unwrap();
            let up = end.starts_with(&format!("{name} < "))
                && (step.starts_with(&format!("{name}++)")) || step.starts_with(&format!("{name} += ")));
            let down = [format!("{name} > "), format!("{name} >= ")].iter().any(|from| end.starts_with(from))
                && [format!("{name} /= 2u)"), format!("{name} >>= 1u)")]
                    .iter()
                    .any(|to| step.starts_with(to));
            assert!(up || down, "{}: {line}", kernel.name);
        }
    }
}

#[test]
fn every_file_belongs_to_a_kernel_and_begins_with_its_story() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let used: BTreeSet<String> = kernels().into_iter().flat_map(|k| k.files).map(str::to_string).collect();
    let mut found = BTreeSet::new();
    for (folder, prefix) in [(root.clone(), ""), (root.join("common"), "common/")] {
        for entry in std::fs::read_dir(folder).expect("the folder of shaders") {
            let path = entry.expect("a readable entry").path();
            if path.extension().is_some_and(|extension| extension == "wgsl") {
                let name = path.file_name().expect("a file").to_string_lossy();
                let text = std::fs::read_to_string(&path).expect("a readable shader");
                assert!(text.starts_with("// "), "{name} has no header comment");
                found.insert(format!("{prefix}{name}"));
            }
        }
    }
    assert_eq!(found, used, "files in shaders/ and files that kernels use");
}
