//! What a kernel is: a shader's entry point, how many tensors it binds, and its CPU twin.

use crate::cpu::Twin;

/// WGSL pieces, put end to end into one module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shader {
    /// Name of the last piece without its extension: `conv2d`.
    pub name: &'static str,
    /// File names of the pieces, for messages and tests.
    pub files: &'static [&'static str],
    /// Their texts.
    pub pieces: &'static [&'static str],
}

/// A [`Shader`] of these files under `shaders/`; the last one names it.
macro_rules! shader {
    ($name:literal, $($file:literal),+ $(,)?) => {
        $crate::gpu::Shader {
            name: $name,
            files: &[$($file),+],
            pieces: &[$(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $file))),+],
        }
    };
}
pub(crate) use shader;

impl Shader {
    /// The entry point `entry`, with nothing bound yet.
    pub const fn kernel(self, entry: &'static str) -> Kernel {
        Kernel {
            shader: self,
            entry,
            reads: 0,
            writes: 0,
            params: 0,
            constants: &[],
            twin: None,
            reference: None,
            fast: None,
        }
    }

    /// The whole module.
    pub fn source(&self) -> String {
        self.pieces.join("\n")
    }
}

/// An entry point of a shader, and what runs in its place without a GPU.
///
/// Group 0: binding 0 is the uniform `Params`, then the tensors read, then the tensors written (or updated
/// in place).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel {
    pub shader: Shader,
    pub entry: &'static str,
    pub reads: usize,
    pub writes: usize,
    /// Size of the `Params` struct in bytes.
    pub params: usize,
    /// Values of pipeline-overridable constants, where they differ from the shader's.
    pub constants: &'static [(&'static str, f64)],
    twin: Option<Twin<f32>>,
    reference: Option<Twin<f64>>,
    fast: Option<Twin<f32>>,
}

impl Kernel {
    /// It reads `count` tensors.
    pub const fn reads(self, count: usize) -> Kernel {
        Kernel { reads: count, ..self }
    }

    /// It writes, or updates in place, `count` tensors.
    pub const fn writes(self, count: usize) -> Kernel {
        Kernel { writes: count, ..self }
    }

    /// Its uniform is a `P`, field for field.
    pub const fn params<P>(self) -> Kernel {
        Kernel { params: size_of::<P>(), ..self }
    }

    /// Overrides pipeline constants.
    pub const fn constants(self, constants: &'static [(&'static str, f64)]) -> Kernel {
        Kernel { constants, ..self }
    }

    /// Its twin: in `f32` what runs without a GPU, in `f64` the specification.
    pub const fn twin(self, twin: Twin<f32>, reference: Twin<f64>) -> Kernel {
        Kernel { twin: Some(twin), reference: Some(reference), ..self }
    }

    /// A faster body than the twin for `f32`, with the same results to within rounding.
    pub const fn fast(self, fast: Twin<f32>) -> Kernel {
        Kernel { fast: Some(fast), ..self }
    }

    /// `shader/entry_point`, as in profiles and errors.
    pub fn name(&self) -> String {
        format!("{}/{}", self.shader.name, self.entry)
    }

    /// What runs on the CPU path.
    pub fn cpu_body(&self) -> Twin<f32> {
        self.fast.or(self.twin).unwrap_or_else(|| panic!("{} has a twin", self.name()))
    }

    /// The specification.
    pub fn reference_body(&self) -> Twin<f64> {
        self.reference.unwrap_or_else(|| panic!("{} has a twin", self.name()))
    }

    /// Kernels are the same if they are the same entry point of the same pieces with the same constants.
    pub fn key(&self) -> (&'static [&'static str], &'static str, String) {
        (self.shader.files, self.entry, format!("{:?}", self.constants))
    }
}
