//! What a kernel is: a shader's entry point, how many tensors it binds, and its CPU twin.

use crate::cpu::Twin;

/// A file under `shaders/`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// Its name from there: `common/linear.wgsl`.
    pub file: &'static str,
    pub text: &'static str,
}

/// The [`Piece`] of a file under `shaders/`.
macro_rules! piece {
    ($file:literal) => {
        $crate::gpu::Piece {
            file: $file,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $file)),
        }
    };
}
pub(crate) use piece;

/// WGSL pieces, put end to end into one module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shader {
    /// Name of the operator's own piece without its extension: `conv2d`.
    pub name: &'static str,
    pieces: [Option<Piece>; MOST_PIECES],
}

const MOST_PIECES: usize = 16;

/// A [`Shader`] of these files under `shaders/`; the last one names it.
macro_rules! shader {
    ($name:literal, $($file:literal),+ $(,)?) => {
        $crate::gpu::Shader::new($name)$(.and($crate::gpu::piece!($file)))+
    };
}
pub(crate) use shader;

impl Shader {
    /// A module without a piece yet.
    pub const fn new(name: &'static str) -> Shader {
        Shader { name, pieces: [None; MOST_PIECES] }
    }

    /// The same with another piece behind the others.
    pub const fn and(mut self, piece: Piece) -> Shader {
        let mut at = 0;
        while self.pieces[at].is_some() {
            at += 1;
        }
        self.pieces[at] = Some(piece);
        self
    }

    /// The entry point `entry`, with nothing bound yet.
    pub const fn kernel(self, entry: &'static str) -> Kernel {
        Kernel {
            shader: self,
            entry,
            reads: 0,
            writes: 0,
            params: 0,
            variant: None,
            needs_subgroups: false,
            needs_f16: false,
            needs_matrices: false,
            constants: &[],
            twin: None,
            reference: None,
            fast: None,
        }
    }

    /// Names of the files of its pieces.
    pub fn files(&self) -> Vec<&'static str> {
        self.pieces.iter().flatten().map(|piece| piece.file).collect()
    }

    /// The whole module.
    pub fn source(&self) -> String {
        self.pieces.iter().flatten().map(|piece| piece.text).collect::<Vec<_>>().join("\n")
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
    /// Which of several kernels for one purpose it is.
    variant: Option<&'static str>,
    /// Whether it uses subgroup operations, an optional feature.
    pub needs_subgroups: bool,
    /// Whether it reads or writes 16-bit floats, an optional feature.
    pub needs_f16: bool,
    /// Whether it uses cooperative matrices, an optional and experimental feature.
    pub needs_matrices: bool,
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

    /// Its uniform has this size in bytes.
    pub const fn sized(self, params: usize) -> Kernel {
        Kernel { params, ..self }
    }

    /// One of several kernels for one purpose.
    pub const fn variant(self, variant: &'static str) -> Kernel {
        Kernel { variant: Some(variant), ..self }
    }

    /// The only one for its purpose.
    pub const fn without_variant(self) -> Kernel {
        Kernel { variant: None, ..self }
    }

    /// It uses subgroup operations.
    pub const fn subgroups(self) -> Kernel {
        Kernel { needs_subgroups: true, ..self }
    }

    /// It reads or writes 16-bit floats.
    pub const fn halves(self) -> Kernel {
        Kernel { needs_f16: true, ..self }
    }

    /// It uses cooperative matrices.
    pub const fn matrices(self) -> Kernel {
        Kernel { needs_matrices: true, ..self }
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

    /// `shader/entry_point`, or `shader/variant` where it is one of several, as in profiles and errors.
    pub fn name(&self) -> String {
        format!("{}/{}", self.shader.name, self.variant.unwrap_or(self.entry))
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
    pub fn key(&self) -> (Vec<&'static str>, &'static str, String) {
        (self.shader.files(), self.entry, format!("{:?}", self.constants))
    }
}
