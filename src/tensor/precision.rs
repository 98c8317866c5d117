//! The floats in which something is kept.

/// How many bits a float has where many are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 16-bit floats: half the room, relative rounding 2⁻¹¹.
    F16,
    /// 32-bit floats: exactly what was computed.
    #[default]
    F32,
}

impl Precision {
    /// Its name, as `--precision` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F16 => "f16",
            Precision::F32 => "f32",
        }
    }
}
